//! Walking over the keys of a database without keeping anybody waiting.
//!
//! A walk visits keys a step at a time; a stripe is locked for no longer than a step takes. When a piece of half a millisecond
//! is over, other clients have their turn. What was found waits in chunks that the output takes over without copying, so that
//! neither a reply of many megabytes nor the growth of its buffer holds anybody up at the end.

use larder_resp::{Output, Reply};
use larder_store::{Entry, Position};

use crate::prelude::*;

/// Keys visited under one lock, between two looks at the clock: some ten microseconds.
const STEP_KEYS: usize = 256;
/// Time after which other clients have their turn.
const PIECE_NANOS: u64 = 500_000;
/// Bytes of found keys in one chunk.
const CHUNK_BYTES: usize = 256 * 1024;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Walk {
    /// Where it goes on; nothing at the end.
    next: Option<Position>,
    /// How many keys are still to be visited.
    left: usize,
    found: Found,
}

/// How far a walk came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It has visited as many keys as it was to, or all that there are.
    Done,
    /// It is to be called again after others had their turn.
    More,
}

impl Walk {
    /// A walk from here over about `count` keys: a step is finished, and so are keys that share a place in the order.
    pub(super) fn new(from: Option<Position>, count: usize) -> Walk {
        Walk { next: from, left: count, found: Found::default() }
    }

    /// Visits keys for the time of a piece and keeps those that are wanted. `cost` is how much longer than usual one key takes.
    pub(super) fn advance(
        &mut self,
        cx: &Context<'_>,
        cost: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Progress {
        let step_keys = (STEP_KEYS / cost.max(1)).max(1);
        let mut end = None;
        while let (Some(cursor), 1..) = (self.next, self.left) {
            let step = step_keys.min(self.left);
            self.left -= step;
            self.next = cx.node.keyspace.scan(cx.client.db, cursor, step, cx.moment, |entry| {
                if wanted(entry) {
                    self.found.push(entry.key(), &cx.reply);
                }
            });
            if self.left == 0 || self.next.is_none() {
                break;
            }
            // The clock is first looked at when there is a second step: most walks of SCAN have none.
            let nanos = cx.node.host.time().nanos;
            if nanos >= *end.get_or_insert(nanos + PIECE_NANOS) {
                return Progress::More;
            }
        }
        Progress::Done
    }

    /// The cursor at which a client goes on: 0 at the end.
    pub(super) fn cursor(&self) -> u64 {
        self.next.map_or(0, Position::number)
    }

    /// Writes the array of the keys found.
    pub(super) fn reply(self, reply: &mut Reply<'_>) {
        reply.array(self.found.count);
        for chunk in self.found.chunks {
            reply.out.append(chunk);
        }
        reply.out.append(self.found.last);
    }
}

/// Keys as they will be in the reply.
#[derive(Default)]
struct Found {
    count: usize,
    chunks: Vec<Output>,
    last: Output,
}

impl Found {
    fn push(&mut self, key: &[u8], reply: &Reply<'_>) {
        Reply { out: &mut self.last, protocol: reply.protocol }.bulk(key);
        self.count += 1;
        if self.last.len() >= CHUNK_BYTES {
            self.chunks.push(self.last.take());
        }
    }
}
