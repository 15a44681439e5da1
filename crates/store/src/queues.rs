//! The two queues of S3-FIFO without queues: what an entry's access bits, two clocks and a memory of evicted keys say of them.
//!
//! A new key is on probation in the small queue. Used twice or more when its turn comes, it moves to the main queue, else it goes and
//! leaves its fingerprint among the ghosts; a key that comes back while it is remembered begins in the main queue. There a key whose
//! turn comes goes if it was not used, and queues up anew if it was. So keys of a scan pass through a tenth of the memory.
//!
//! No list holds the queues: the access bits say in which one a key is, since when, and how often it was used, and eviction finds
//! those that came early by sampling (`crate::evict`). A use changes two bits, and nothing once they are set.
//!
//! | access bits | meaning |
//! |---|---|
//! | 23 | the queue is the main one |
//! | 22..21 | uses since the key joined it, 3 standing for all above |
//! | 20..0 | when it joined, by the queue's clock |

use crate::DbIndex;
use crate::change::SideState;
use crate::position::{Position, STRIPES};
use crate::stripe::{StripeGuard, next_random};
use crate::sync::{AtomicU64, Ordering};

const MAIN: u32 = 1 << 23;
const USE: u32 = 1 << STAMP_BITS;
const USES_MASK: u32 = 3 << STAMP_BITS;
const STAMP_BITS: u32 = 21;
const STAMP_MASK: u32 = (1 << STAMP_BITS) - 1;

/// Ticks of a clock while as many keys join its queue as there are keys: a wrap takes 32 times as many.
const TICKS_PER_TURN: u64 = 1 << 16;
/// Bits of a clock below its ticks.
const FRACTION_BITS: u32 = 24;
/// Where keys are fewer, clocks go as if there were so many: while the first ones come they would race.
const KEYS_MIN: usize = 4096;
/// One key in so many advances the clock, for all: the others only read it.
const KEYS_PER_STEP: u32 = 16;

/// In which queue a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// That of keys on probation.
    Small,
    /// That of keys that were used again.
    Main,
}

impl Queue {
    pub(crate) fn of(bits: u32) -> Queue {
        if bits & MAIN == 0 { Queue::Small } else { Queue::Main }
    }
}

/// How often a key was used since it joined its queue, up to 3.
pub(crate) fn uses(bits: u32) -> u32 {
    (bits & USES_MASK) >> STAMP_BITS
}

/// The bits after one use more.
#[inline]
pub(crate) fn used(bits: u32) -> u32 {
    if bits & USES_MASK == USES_MASK { bits } else { bits + USE }
}

/// The clocks of the queues, each in a cache line of its own.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    small: Clock,
    main: Clock,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Clock(AtomicU64);

impl Clocks {
    /// The bits of a key that joins a queue, with so many uses to its credit; `keys` says how many keys there are.
    pub(crate) fn join(&self, queue: Queue, uses: u32, random: u32, keys: impl FnOnce() -> usize) -> u32 {
        let clock = &self.of(queue).0;
        if random.is_multiple_of(KEYS_PER_STEP) {
            let keys = keys().max(KEYS_MIN) as u64;
            let step = (TICKS_PER_TURN << FRACTION_BITS) * u64::from(KEYS_PER_STEP) / keys;
            clock.fetch_add(step, Ordering::Relaxed);
        }
        let mark = if queue == Queue::Main { MAIN } else { 0 };
        mark | uses.min(3) << STAMP_BITS | stamp(clock.load(Ordering::Relaxed))
    }

    /// Ticks since a key joined its queue.
    pub(crate) fn age(&self, bits: u32) -> u32 {
        let now = stamp(self.of(Queue::of(bits)).0.load(Ordering::Relaxed));
        now.wrapping_sub(bits) & STAMP_MASK
    }

    fn of(&self, queue: Queue) -> &Clock {
        match queue {
            Queue::Small => &self.small,
            Queue::Main => &self.main,
        }
    }
}

fn stamp(clock: u64) -> u32 {
    (clock >> FRACTION_BITS) as u32 & STAMP_MASK
}

/// Fingerprints of keys evicted from a stripe's small queue: as many as nine tenths of the keys that a stripe has on average, 2 bytes
/// each. A word is a queue of up to four, the newest in its low bits, so that remembering one forgets another. Where stripes have few
/// keys, chance decides how many a word keeps: one too many in each would be twice as many as there are keys.
#[derive(Debug, Default)]
pub(crate) struct Ghosts {
    words: Vec<u64>,
}

const FINGERPRINT_BITS: u32 = 16;
const FINGERPRINTS: usize = 4;

impl Ghosts {
    /// Remembers a key; `keys` is how many there are in all stripes.
    pub(crate) fn remember(&mut self, db: DbIndex, position: Position, keys: usize, random: u32) {
        // For all stripes, which is as many 1,024ths for one.
        let fingerprints = keys * 9 / 10;
        let wanted = fingerprints.div_ceil(FINGERPRINTS * STRIPES).max(1);
        if self.words.len() < wanted || self.words.len() > 2 * wanted {
            self.resize(wanted + wanted / 4);
        }
        let at = self.word(position);
        let kept = (fingerprints / self.words.len() + random as usize % STRIPES) / STRIPES;
        let word = self.words[at] << FINGERPRINT_BITS | fingerprint(db, position);
        self.words[at] =
            if kept < FINGERPRINTS { word & ((1 << (kept as u32 * FINGERPRINT_BITS)) - 1) } else { word };
    }

    /// Whether a key is remembered; no longer from now on.
    pub(crate) fn take(&mut self, db: DbIndex, position: Position) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let wanted = fingerprint(db, position);
        let at = self.word(position);
        let word = self.words[at];
        let shifts = (0..FINGERPRINTS as u32).map(|place| place * FINGERPRINT_BITS);
        let found = shifts.into_iter().find(|shift| word >> shift & 0xFFFF == wanted);
        let Some(shift) = found else { return false };
        let newer = word & ((1 << shift) - 1);
        let older = word >> shift >> FINGERPRINT_BITS << shift;
        self.words[at] = older | newer;
        true
    }

    /// Words stay about where their fingerprints are looked for.
    fn resize(&mut self, words: usize) {
        let old = std::mem::take(&mut self.words);
        let from = |at: usize| old.get(at * old.len() / words).copied().unwrap_or(0);
        self.words = (0..words).map(from).collect();
    }

    fn word(&self, position: Position) -> usize {
        ((u64::from(position.fragment()) * self.words.len() as u64) >> 32) as usize
    }
}

/// Of the bits of a position below those that choose the word; never 0, which stands for none.
fn fingerprint(db: DbIndex, position: Position) -> u64 {
    let bits = position.within() >> 11 ^ u64::from(db.0).wrapping_mul(0x9E37);
    (bits & 0xFFFF).max(1)
}

impl<S: SideState> StripeGuard<'_, S> {
    /// The access bits of a key that is created now.
    pub(crate) fn admit(&mut self, db: DbIndex, position: Position) -> u32 {
        let keyspace = self.keyspace;
        let known = self.stripe.ghosts.as_mut().is_some_and(|ghosts| ghosts.take(db, position));
        let queue = if known { Queue::Main } else { Queue::Small };
        let random = next_random(&mut self.stripe.random);
        keyspace.clocks.join(queue, 0, random >> 8, || keyspace.all_keys())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Positioner;

    #[test]
    fn no_more_ghosts_than_keys_where_stripes_have_one_each() {
        let positioner = Positioner::new(3);
        let mut random = 1;
        let known = |number: u32, random: &mut u32| {
            let (old, new) = (positioner.position(&[1]), positioner.position(&number.to_le_bytes()));
            let mut ghosts = Ghosts::default();
            [old, new]
                .into_iter()
                .for_each(|at| ghosts.remember(DbIndex(0), at, STRIPES, next_random(random)));
            (ghosts.take(DbIndex(0), old), ghosts.take(DbIndex(0), new))
        };
        // Two keys with the same fingerprint are the same key to it.
        let of = |bytes: &[u8]| fingerprint(DbIndex(0), positioner.position(bytes));
        let distinct = (1000_u32..).filter(|number| of(&number.to_le_bytes()) != of(&[1]));
        let found: Vec<_> = distinct.take(1000).map(|number| known(number, &mut random)).collect();
        let new = found.iter().filter(|(_, new)| *new).count();
        assert!(
            (850..950).contains(&new) && found.iter().all(|(old, _)| !old),
            "{new} of 1000 are remembered"
        );
    }

    #[test]
    fn bits_tell_queue_uses_and_age() {
        let clocks = Clocks::default();
        let bits = clocks.join(Queue::Main, 0, 1, || 0);
        assert_eq!((Queue::of(bits), uses(bits), clocks.age(bits)), (Queue::Main, 0, 0));
        let often = (0..9).fold(bits, |bits, _| used(bits));
        assert_eq!((Queue::of(often), uses(often), clocks.age(often)), (Queue::Main, 3, 0));
        for _ in 0..KEYS_MIN / KEYS_PER_STEP as usize {
            clocks.join(Queue::Main, 0, 0, || 100);
        }
        assert_eq!(u64::from(clocks.age(often)), TICKS_PER_TURN);
        assert_eq!(clocks.age(clocks.join(Queue::Small, 2, 1, || 0)), 0);
    }

    #[test]
    fn ghosts_are_remembered_for_about_as_long_as_there_are_keys() {
        let positioner = Positioner::new(3);
        let position = |number: u32| positioner.position(&number.to_le_bytes());
        let mut ghosts = Ghosts::default();
        (0..10_000).for_each(|number| ghosts.remember(DbIndex(0), position(number), 1000 * STRIPES, 0));
        assert!(!ghosts.take(DbIndex(1), position(9999)));
        assert!(ghosts.take(DbIndex(0), position(9999)) && !ghosts.take(DbIndex(0), position(9999)));
        let late = (9500..9999).filter(|number| ghosts.take(DbIndex(0), position(*number))).count();
        let early = (0..8000).filter(|number| ghosts.take(DbIndex(0), position(*number))).count();
        assert!(late > 400 && early < 150, "{late} of the last 499, {early} of the first 8000");
    }

    #[test]
    fn what_is_remembered_survives_growth() {
        let positioner = Positioner::new(3);
        let position = |number: u32| positioner.position(&number.to_le_bytes());
        let mut ghosts = Ghosts::default();
        (0..100).for_each(|number| ghosts.remember(DbIndex(0), position(number), 400 * STRIPES, 0));
        ghosts.remember(DbIndex(0), position(100), 4000 * STRIPES, 0);
        let known = (0..=100).filter(|number| ghosts.take(DbIndex(0), position(*number))).count();
        assert!(known > 80, "{known} of 101");
    }
}
