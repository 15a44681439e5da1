//! How readily the kernel ends this process when memory is short.

use std::io;

use larder_config::OomScoreAdj;
use parking_lot::Mutex;

const FILE: &str = "/proc/self/oom_score_adj";

/// The score's adjustment.
#[derive(Debug, Default)]
pub(crate) struct OomScore {
    /// What it was before the directives changed it; none while they leave it alone, when others may.
    base: Mutex<Option<i32>>,
}

impl OomScore {
    /// Adjusts the score as the directives say, of which the first value is for a primary. As in Redis, what it was when they began to
    /// is added to, and comes back when they end.
    pub(crate) fn set(&self, mode: OomScoreAdj, values: [i16; 3]) -> io::Result<()> {
        let mut base = self.base.lock();
        if mode == OomScoreAdj::No {
            return match *base {
                None => Ok(()),
                Some(score) => write(score).map(|()| *base = None),
            };
        }
        let found = match *base {
            None => read()?,
            Some(score) => score,
        };
        let value = i32::from(values[0]);
        write(if mode == OomScoreAdj::Absolute { value } else { found + value })?;
        *base = Some(found);
        Ok(())
    }
}

fn read() -> io::Result<i32> {
    let text = std::fs::read_to_string(FILE)?;
    text.trim().parse().map_err(io::Error::other)
}

/// The kernel's bounds are narrower than those of the directive.
fn write(score: i32) -> io::Result<()> {
    std::fs::write(FILE, score.clamp(-1_000, 1_000).to_string())
}
