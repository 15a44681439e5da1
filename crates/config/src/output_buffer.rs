//! `client-output-buffer-limit`: when a client that does not read its replies is dropped.

use crate::directive::Kind;
use crate::error::SettingError;
use crate::memory;
use crate::value::{Source, Value};

/// The limit of each class of clients. A line changes the classes that it names and leaves the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputBufferLimits {
    /// Clients that ask and are answered.
    pub normal: OutputBufferLimit,
    /// Replicas.
    pub replica: OutputBufferLimit,
    /// Clients subscribed to at least one channel or pattern.
    pub pubsub: OutputBufferLimit,
}

/// How much may wait to be read by one client; 0 bytes are no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputBufferLimit {
    /// The client goes as soon as more than this waits.
    pub hard_bytes: u64,
    /// The client goes when more than this has waited for `soft_seconds`.
    pub soft_bytes: u64,
    /// How long the soft limit may be exceeded.
    pub soft_seconds: u32,
}

impl OutputBufferLimits {
    fn class_mut(&mut self, class: &str) -> Option<&mut OutputBufferLimit> {
        match class.to_ascii_lowercase().as_str() {
            "normal" => Some(&mut self.normal),
            "slave" | "replica" => Some(&mut self.replica),
            "pubsub" => Some(&mut self.pubsub),
            _ => None,
        }
    }
}

impl Value for OutputBufferLimits {
    fn blank() -> Self {
        Self::default()
    }

    fn changed(&self, _kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        let (limits, rest) = words.as_chunks();
        if !rest.is_empty() {
            return Err(SettingError::Refused("Wrong number of arguments in buffer limit configuration."));
        }
        let mut next = *self;
        for [class, hard, soft, seconds] in limits {
            let Some(limit) = next.class_mut(class) else {
                return Err(SettingError::Refused(
                    "Invalid client class specified in buffer limit configuration.",
                ));
            };
            *limit = parse(hard, soft, seconds).ok_or(SettingError::Refused(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ))?;
        }
        Ok(next)
    }

    fn print(&self, _kind: &Kind) -> String {
        let print = |class, limit: OutputBufferLimit| {
            format!("{class} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
        };
        // Clients look for the old word.
        [print("normal", self.normal), print("slave", self.replica), print("pubsub", self.pubsub)].join(" ")
    }
}

fn parse(hard: &str, soft: &str, seconds: &str) -> Option<OutputBufferLimit> {
    Some(OutputBufferLimit {
        hard_bytes: memory::parse(hard)?,
        soft_bytes: memory::parse(soft)?,
        soft_seconds: u32::try_from(seconds.parse::<i32>().ok()?).ok()?,
    })
}
