//! Trimming: taking the oldest entries away.

use super::{Stream, StreamId};
use crate::tree::Leaf as _;

/// Which entries stay.
#[derive(Clone, Copy, Debug)]
pub enum Keep {
    /// So many of the newest.
    Newest(usize),
    /// Those from an id on.
    From(StreamId),
}

/// How exactly a stream is trimmed.
#[derive(Clone, Copy, Debug)]
pub enum Precision {
    /// To the entry.
    Exact,
    /// Whole chunks only, which costs next to nothing for each entry.
    Chunks {
        /// Most entries that go, unless it is 0.
        limit: usize,
    },
}

impl Stream {
    /// Takes away the oldest entries, but for those that are to be kept; returns how many went.
    pub fn trim(&mut self, keep: Keep, precision: Precision) -> usize {
        let removed = match precision {
            Precision::Exact => match keep {
                Keep::Newest(count) => self.len().saturating_sub(count),
                Keep::From(id) => self.rank(id),
            },
            Precision::Chunks { limit } => self.in_whole_chunks(keep, limit),
        };
        self.chunks.remove(0..removed);
        removed
    }

    /// How many entries the oldest chunks have that go as a whole.
    fn in_whole_chunks(&self, keep: Keep, limit: usize) -> usize {
        let mut removed = 0;
        for chunk in self.chunks.leaves() {
            let goes = match keep {
                Keep::Newest(count) => self.len() - removed - chunk.len() >= count,
                Keep::From(id) => chunk.last() < id,
            };
            if !goes || limit > 0 && removed + chunk.len() > limit {
                break;
            }
            removed += chunk.len();
        }
        removed
    }
}
