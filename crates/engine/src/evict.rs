//! Memory that obeys: keys are evicted before a request that needs memory runs, or it is refused.
//!
//! What counts against `maxmemory` is what the process has allocated, less what is on its way to being freed and what clients take,
//! which is a pool of its own ([`crate::pool`]). What the slab holds without using it does not count: evicting keys frees objects,
//! but hardly ever whole regions of them, so to count it would evict them all; it is what the next keys are put into, and given back by
//! [`crate::defrag`], which withholds part of the limit where that does not do. Whoever runs
//! a request that may take memory first evicts, holding no stripe, until there is room or his time is over ([`Node::make_room`]);
//! the rest is done between the turns of connections.

use larder_config::{MaxmemoryPolicy, Settings};
use larder_store::{Among, Evicted, EvictionRule, Evictor, First, Moment};

use crate::args::Args;
use crate::blocking::serve_stripe;
use crate::command::Flags;
use crate::error::CommandError;
use crate::latency::Happening;
use crate::node::{Node, Time, moment};
use crate::sync::{AtomicBool, AtomicI64, AtomicU64, Mutex, Ordering};
use crate::table::Row;
use crate::turn::Turn;
use crate::worker::{Random, Worker};

/// Keys evicted between two looks at the clock.
const KEYS_PER_LOOK: usize = 16;

/// For how long nobody looks for keys to evict after there were none: to find that out takes long.
const NONE_MILLIS: i64 = 10;
/// Where nothing can be evicted for now, requests that need memory are refused from this part of `maxmemory` above it: a fiftieth.
const FAR_PART: u64 = 50;

/// What an empty redis-server takes, nearly.
const OWN_BYTES: u64 = 1 << 20;

/// What a client is told whose request would need memory that there is not.
pub const OUT_OF_MEMORY: CommandError =
    CommandError::line("OOM command not allowed when used memory > 'maxmemory'.");

/// Whether there is memory for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is, or will be: keys are still being evicted.
    Made,
    /// There is not, and nothing may be evicted.
    None,
}

/// What a node keeps for eviction.
pub struct Eviction {
    /// Who evicts, one for each worker, which alone locks it.
    evictors: Box<[Mutex<(Evictor, Random)>]>,
    /// Whether requests that need memory were refused when that was last looked at.
    short: AtomicBool,
    /// Until when nobody looks for keys to evict, because there were none; milliseconds since 1970.
    none_until: AtomicI64,
    /// Since when memory has been above the limit, in nanoseconds of the node's clock; 0 when it is not.
    exceeded_since: AtomicU64,
    /// For how long it was before.
    exceeded_nanos: AtomicU64,
}

impl Eviction {
    pub(crate) fn new(workers: usize, seed: u64) -> Eviction {
        let evictor = |worker: usize| Mutex::new((Evictor::default(), Random::new(seed ^ worker as u64)));
        Eviction {
            evictors: (0..workers).map(evictor).collect(),
            short: AtomicBool::new(false),
            none_until: AtomicI64::new(0),
            exceeded_since: AtomicU64::new(0),
            exceeded_nanos: AtomicU64::new(0),
        }
    }

    /// For how long memory has been above the limit, in nanoseconds: this time, and in all.
    #[must_use]
    pub fn exceeded_nanos(&self, now_nanos: u64) -> (u64, u64) {
        let current = match self.exceeded_since.load(Ordering::Relaxed) {
            0 => 0,
            since => now_nanos.saturating_sub(since),
        };
        (current, self.exceeded_nanos.load(Ordering::Relaxed) + current)
    }

    pub(crate) fn reset_exceeded(&self) {
        self.exceeded_nanos.store(0, Ordering::Relaxed);
    }

    fn note_exceeded(&self, exceeded: bool, now_nanos: u64) {
        let since = self.exceeded_since.load(Ordering::Relaxed);
        if exceeded && since == 0 {
            self.exceeded_since.store(now_nanos.max(1), Ordering::Relaxed);
        } else if !exceeded && self.exceeded_since.swap(0, Ordering::Relaxed) != 0 {
            self.exceeded_nanos.fetch_add(now_nanos.saturating_sub(since), Ordering::Relaxed);
        }
    }

    fn note_short(&self, short: bool) {
        if self.short.load(Ordering::Relaxed) != short {
            self.short.store(short, Ordering::Relaxed);
        }
    }
}

/// The rule of a policy; none where nothing may go.
fn rule(policy: MaxmemoryPolicy) -> Option<EvictionRule> {
    let (among, first) = match policy {
        MaxmemoryPolicy::Noeviction => return None,
        MaxmemoryPolicy::AllkeysLru | MaxmemoryPolicy::AllkeysLrm => (Among::All, First::Idle),
        MaxmemoryPolicy::AllkeysLfu => (Among::All, First::Rare),
        MaxmemoryPolicy::AllkeysS3fifo => (Among::All, First::Queued),
        MaxmemoryPolicy::AllkeysRandom => (Among::All, First::Random),
        MaxmemoryPolicy::VolatileLru | MaxmemoryPolicy::VolatileLrm => (Among::Expiring, First::Idle),
        MaxmemoryPolicy::VolatileLfu => (Among::Expiring, First::Rare),
        MaxmemoryPolicy::VolatileS3fifo => (Among::Expiring, First::Queued),
        MaxmemoryPolicy::VolatileRandom => (Among::Expiring, First::Random),
        MaxmemoryPolicy::VolatileTtl => (Among::Expiring, First::Soonest),
    };
    Some(EvictionRule { among, first })
}

/// Nanoseconds that one request may spend on evicting, by the directive maxmemory-eviction-tenacity: up to half a millisecond at
/// 10, then 15 % more for each step, and without end at 100.
fn budget_nanos(tenacity: u8) -> u64 {
    const STEP_NANOS: f64 = 50_000.0;
    match tenacity {
        0..=10 => u64::from(tenacity) * STEP_NANOS as u64,
        11..=99 => (10.0 * STEP_NANOS * 1.15_f64.powi(i32::from(tenacity) - 10)) as u64,
        _ => u64::MAX,
    }
}

impl Node {
    /// Bytes that count against `maxmemory`: without what clients take. What several of them are to be sent is charged to each, so while
    /// many do not read what is sent to all, less counts than should. Costs a few loads, of which two for each worker.
    #[must_use]
    pub fn counted_memory(&self) -> u64 {
        let elsewhere = self.keyspace.background_bytes() + self.pool.all_bytes() + self.spared_bytes();
        self.host.used_memory_now().saturating_sub(elsewhere)
    }

    /// Bytes that the node takes by itself beyond what Redis does, which do not count: limits are chosen with the peers in mind.
    #[must_use]
    pub fn spared_bytes(&self) -> u64 {
        self.startup_memory.load(Ordering::Relaxed).saturating_sub(OWN_BYTES)
    }

    /// Whether requests that need memory are refused.
    #[must_use]
    pub fn is_short_of_memory(&self) -> bool {
        self.eviction.short.load(Ordering::Relaxed)
    }

    /// Evicts keys until memory is within its limit, or the time for that is over. The caller has no stripe locked.
    pub fn make_room(&self, worker: usize, settings: &Settings, moment: Moment) -> Room {
        let within = settings.maxmemory == 0 || self.counted_memory() <= self.memory_limit(settings);
        if within && self.eviction.exceeded_since.load(Ordering::Relaxed) == 0 {
            return Room::Made;
        }
        let begun = self.host.time();
        if within {
            self.eviction.note_exceeded(false, begun.nanos);
            self.eviction.note_short(false);
            return Room::Made;
        }
        self.eviction.note_exceeded(true, begun.nanos);
        // As in Redis: while CLIENT PAUSE is in force, nothing changes by itself.
        if self.pause.in_force(moment.now).is_some() {
            return Room::Made;
        }
        let room =
            self.evict_for(budget_nanos(settings.maxmemory_eviction_tenacity), worker, settings, moment);
        let ended = self.host.time().nanos;
        self.latency.note(Happening::EvictionCycle, ended.saturating_sub(begun.nanos), begun.now, settings);
        self.eviction.note_exceeded(self.counted_memory() > self.memory_limit(settings), ended);
        self.eviction.note_short(room == Room::None);
        room
    }

    fn evict_for(&self, nanos: u64, worker: usize, settings: &Settings, moment: Moment) -> Room {
        let Some(rule) = rule(settings.maxmemory_policy) else { return self.without_eviction() };
        let none_until = self.eviction.none_until.load(Ordering::Relaxed);
        if (1..=NONE_MILLIS).contains(&none_until.saturating_sub(moment.now.0)) {
            return self.without_eviction();
        }
        let mut evictor = self.eviction.evictors[worker].lock();
        let (evictor, random) = &mut *evictor;
        let begun = self.host.time().nanos;
        let samples = settings.maxmemory_samples as usize;
        let (mut room, mut gone) = (Room::Made, 0);
        'looks: loop {
            for _ in 0..KEYS_PER_LOOK {
                match evictor.evict(&self.keyspace, rule, samples, moment, &mut || random.next_u64()) {
                    Evicted::One { stripe } => {
                        gone += 1;
                        self.serve_after_eviction(worker, stripe, moment);
                    }
                    Evicted::NotNow => {
                        // Others may be evicting, or keys that may go are hard to find; but the limit is one.
                        let far_above = settings.maxmemory + settings.maxmemory / FAR_PART;
                        let few = rule.among == Among::Expiring;
                        if few && gone == 0 && self.counted_memory() > far_above {
                            room = self.without_eviction();
                        }
                        break 'looks;
                    }
                    Evicted::Nothing => {
                        let until = moment.now.0.saturating_add(NONE_MILLIS);
                        self.eviction.none_until.store(until, Ordering::Relaxed);
                        room = self.without_eviction();
                        break 'looks;
                    }
                }
                if self.counted_memory() <= self.memory_limit(settings) {
                    break 'looks;
                }
            }
            if self.host.time().nanos.saturating_sub(begun) >= nanos {
                break;
            }
        }
        self.caching.tell_pending();
        room
    }

    /// Whether there will be room all the same: what was deleted may not be freed yet.
    fn without_eviction(&self) -> Room {
        if self.keyspace.background_frees().1 > 0 { Room::Made } else { Room::None }
    }

    /// Serves clients that wait for the end of what was evicted.
    fn serve_after_eviction(&self, worker: usize, stripe: usize, moment: Moment) {
        if self.blocking.keys().1 > 0 {
            serve_stripe(self, &self.stats[worker], stripe, moment);
        }
    }
}

impl Worker {
    /// Evicts some keys if memory is above its limit; says whether it still is.
    pub(crate) fn evict_some(&self) -> bool {
        let (node, settings) = (&self.node, self.settings());
        if settings.maxmemory == 0 || node.counted_memory() <= node.memory_limit(settings) {
            // Who was refused memory is no longer.
            node.eviction.note_short(false);
            return false;
        }
        let Some(_running) = node.safepoint.enter(self.index) else { return true };
        let room = node.make_room(self.index, settings, moment(node.host.time().now, settings));
        room == Room::Made && node.counted_memory() > node.memory_limit(settings)
    }
}

impl Turn<'_> {
    /// Evicts keys before anything else is done, so that who is told of it is told before the replies, and memory is within its limit
    /// also when nobody asks for more.
    #[inline]
    pub(crate) fn evict_before_turn(&mut self, time: Time) {
        let is_over = self.settings.maxmemory != 0
            && self.node.counted_memory() > self.node.memory_limit(self.settings);
        if is_over && !self.node.loading.is_active() {
            self.node.make_room(self.running.worker(), self.settings, moment(time.now, self.settings));
            self.client.take_inbox(self.output);
        }
    }

    /// Refuses a request for which there is no memory, after evicting what may be. A program's requests were looked at when it began.
    #[inline]
    pub(crate) fn find_room(&self, row: Row, args: Args<'_>, time: Time) -> Result<(), CommandError> {
        if self.settings.maxmemory == 0 || !self.nesting.is_none() {
            return Ok(());
        }
        self.find_room_within_limit(row, self.moment(row, args, time))
    }

    #[cold]
    fn find_room_within_limit(&self, row: Row, moment: Moment) -> Result<(), CommandError> {
        let flags = row.command.flags;
        let queue = self.client.queue.as_ref();
        let queued_now = queue.is_some() && !flags.has(Flags::UNQUEUED);
        let runs = flags.has(Flags::RUNS_QUEUE) && queue.is_some_and(|queue| queue.needs_memory);
        let needs_memory = flags.has(Flags::DENY_OOM) || queued_now || runs;
        if !needs_memory && !flags.has(Flags::RUNS_PROGRAM) {
            return Ok(());
        }
        let room = self.node.make_room(self.running.worker(), self.settings, moment);
        if room == Room::None && needs_memory { Err(OUT_OF_MEMORY) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_tenacious_the_longer() {
        assert_eq!((budget_nanos(0), budget_nanos(10), budget_nanos(100)), (0, 500_000, u64::MAX));
        assert!((1..100).all(|tenacity| budget_nanos(tenacity) > budget_nanos(tenacity - 1)));
        assert!(budget_nanos(99) < 200_000_000_000);
    }

    #[test]
    fn time_above_the_limit_adds_up() {
        let eviction = Eviction::new(1, 0);
        eviction.note_exceeded(true, 10);
        eviction.note_exceeded(true, 20);
        assert_eq!(eviction.exceeded_nanos(25), (15, 15));
        eviction.note_exceeded(false, 30);
        eviction.note_exceeded(false, 40);
        eviction.note_exceeded(true, 50);
        assert_eq!(eviction.exceeded_nanos(51), (1, 21));
        eviction.reset_exceeded();
        assert_eq!(eviction.exceeded_nanos(51), (1, 1));
    }
}
