//! How readily the kernel ends this process when memory is short.

use std::io;

use larder_config::OomScoreAdj;

const FILE: &str = "/proc/self/oom_score_adj";

/// The score's adjustment, and what it was before anybody changed it.
#[derive(Debug)]
pub(crate) struct OomScore {
    base: i32,
}

impl OomScore {
    /// The process as it was started.
    pub(crate) fn new() -> OomScore {
        OomScore { base: read().unwrap_or(0) }
    }

    /// Adjusts the score as the directives say, of which the first value is for a primary.
    pub(crate) fn set(&self, mode: OomScoreAdj, values: [i16; 3]) -> io::Result<()> {
        let value = i32::from(values[0]);
        let wanted = match mode {
            OomScoreAdj::No => self.base,
            OomScoreAdj::Yes | OomScoreAdj::Relative => self.base + value,
            OomScoreAdj::Absolute => value,
        };
        let wanted = wanted.clamp(-1_000, 1_000);
        // Left alone, it may be somewhere that cannot be written to.
        if read().is_ok_and(|present| present == wanted) || (mode == OomScoreAdj::No && read().is_err()) {
            return Ok(());
        }
        std::fs::write(FILE, wanted.to_string())
    }
}

fn read() -> io::Result<i32> {
    let text = std::fs::read_to_string(FILE)?;
    text.trim().parse().map_err(io::Error::other)
}
