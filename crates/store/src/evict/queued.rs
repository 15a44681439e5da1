//! Eviction by the queues of S3-FIFO (`crate::queues`), whose heads are found by sampling.
//!
//! Of what is sampled, the share of bytes on probation is estimated. While it is above a tenth, the small queue gives up the keys
//! that joined it first of those looked at, else the main one does. Nothing is counted when keys come, grow or go, so the
//! rule is right by bytes whatever happens to keys, and costs nothing before memory is short.

use super::{Candidate, Pool};
use crate::change::SideState;
use crate::entry::Entry;
use crate::keyspace::Keyspace;
use crate::queues::{Ghosts, Queue, uses};
use crate::stripe::{Moment, next_random};

/// The part of the bytes that keys on probation may have.
const SMALL_PART: f64 = 0.1;
/// What an older sample weighs, against the next: about a thousand count.
const FADING: f64 = 0.999;
/// Uses that make a key of the small queue one of the main queue.
const PROMOTING_USES: u32 = 2;
/// Keys moved on, by one that evicts, before he looks at others: their stripes are locked one after the other.
const MOVES: usize = 16;

/// Keys that may go next, by queue.
#[derive(Debug, Default)]
pub(super) struct Queued {
    small: Pool,
    main: Pool,
    /// Bytes of keys sampled, the older the less: those on probation, and all.
    small_bytes: f64,
    bytes: f64,
    random: u32,
}

impl Queued {
    pub(super) fn clear(&mut self) {
        self.small.clear();
        self.main.clear();
    }

    /// Takes note of a key that was sampled.
    pub(super) fn look_at(&mut self, entry: &Entry, candidate: Candidate) {
        let bytes = entry.memory_bytes() as f64;
        let queue = Queue::of(entry.access());
        self.bytes = self.bytes * FADING + bytes;
        self.small_bytes = self.small_bytes * FADING + if queue == Queue::Small { bytes } else { 0.0 };
        self.pool(queue).remember(candidate);
    }

    fn pool(&mut self, queue: Queue) -> &mut Pool {
        match queue {
            Queue::Small => &mut self.small,
            Queue::Main => &mut self.main,
        }
    }

    /// Evicts the key whose turn it is, moving on those that were used; returns its stripe. None if none of what was sampled may go.
    /// `patient` says whether there is time to sample again where the queue that is too long has none.
    pub(super) fn evict<S: SideState>(
        &mut self,
        keyspace: &Keyspace<S>,
        moment: Moment,
        patient: bool,
    ) -> Option<usize> {
        self.random |= 1;
        for _ in 0..MOVES {
            let small_first = self.small_bytes > self.bytes * SMALL_PART;
            let (first, second) =
                if small_first { (Queue::Small, Queue::Main) } else { (Queue::Main, Queue::Small) };
            let (queue, candidate) = match self.pool(first).pop() {
                Some(candidate) => (first, candidate),
                None if patient => return None,
                None => (second, self.pool(second).pop()?),
            };
            let stripe = candidate.position.stripe();
            let Some(mut guard) = keyspace.try_lock(stripe, moment) else { continue };
            let Some(at) = guard.at_position(candidate.db, candidate.position) else { continue };
            let place = guard.stripe.db_mut(candidate.db).expect("a key was found in this database");
            let mut entry = place.table.entry_mut(at);
            let bits = entry.access();
            if Queue::of(bits) != queue || u64::from(keyspace.clocks.age(bits)) < candidate.rank {
                continue;
            }
            let moved_with = match (queue, uses(bits)) {
                (Queue::Small, uses) => (uses >= PROMOTING_USES).then_some(0),
                (Queue::Main, uses) => uses.checked_sub(1),
            };
            if let Some(uses) = moved_with {
                let random = next_random(&mut self.random) >> 8;
                let joined = keyspace.clocks.join(Queue::Main, uses, random, || keyspace.all_keys());
                entry.set_access(joined);
                continue;
            }
            drop(entry);
            if queue == Queue::Small {
                let random = next_random(&mut guard.stripe.random) >> 8;
                let ghosts = guard.stripe.ghosts.get_or_insert_with(Box::<Ghosts>::default);
                ghosts.remember(candidate.db, candidate.position, keyspace.all_keys(), random);
            }
            guard.evict_at(candidate.db, at);
            return Some(stripe);
        }
        None
    }
}
