//! What is counted: each worker writes counters of its own, and INFO adds them up.

use std::collections::BTreeMap;
use std::sync::Arc;

use larder_store::{Change, DbIndex, Effect, EventClass, Moment, STRIPES, SideState};

use crate::append_log::AppendLog;
use crate::blocking::Ready;
use crate::histogram::Histogram;
use crate::listeners::Listeners;
use crate::memcache_stats::MemcacheStats;
use crate::node::Node;
use crate::recent::Peak;
use crate::sync::{AtomicI64, AtomicU64, Mutex, Ordering};

/// Beyond this many different first words somebody makes them up, and they are not counted.
const ERROR_CODES_MAX: usize = 256;

/// Beyond so many, as in Valkey, those that scripts make up are counted together.
const MADE_UP_CODES_MAX: usize = 128;

/// A number that one worker adds to and everybody may read. Adding costs a load and a store, no locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds; only the worker that owns the counter may.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// The present value.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Back to zero. The owner adding at this moment may undo it.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The largest of the numbers that one worker gives and everybody may read.
#[derive(Debug, Default)]
pub struct Largest(AtomicU64);

impl Largest {
    /// Takes a number into account; only the worker that owns it may.
    #[inline]
    pub fn note(&self, number: u64) {
        if number > self.value() {
            self.0.store(number, Ordering::Relaxed);
        }
    }

    /// The largest number so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One worker's counters.
#[derive(Debug, Default)]
pub struct WorkerStats {
    /// Requests executed, by row.
    pub commands: Box<[CommandStats]>,
    /// Reads that found their key.
    pub hits: Counter,
    /// Reads that did not.
    pub misses: Counter,
    /// Connections dealt to this worker.
    pub connections: Counter,
    /// Bytes read from clients.
    pub input_bytes: Counter,
    /// Bytes written to clients.
    pub output_bytes: Counter,
    /// Bytes of memcached's requests. `memcache` counts them, too, and is put back to zero by others than the rest.
    pub memcache_input_bytes: Counter,
    /// Bytes of memcached's replies, as above.
    pub memcache_output_bytes: Counter,
    /// Times that bytes were read from a client.
    pub reads: Counter,
    /// Times that bytes were written to a client.
    pub writes: Counter,
    /// Rounds, in each of which the requests that were ready together are executed.
    pub rounds: Counter,
    /// Nanoseconds spent on removing keys whose time had come.
    pub expire_nanos: Counter,
    /// The longest unfinished requests of late.
    pub input_peak: Peak,
    /// The longest unread replies of late.
    pub output_peak: Peak,
    /// Clients ended because an unfinished request became too long.
    pub input_limit_exceeded: Counter,
    /// Requests that found a stripe in use and were tried again.
    pub contended: Counter,
    /// The most nanoseconds that a request took without a pause: no request has held a stripe for longer. Brief ones count together,
    /// as many as came in one batch.
    pub longest_hold_nanos: Largest,
    /// Up to when all keys whose time had come in this worker's stripes are gone, in milliseconds since 1970; 0 before the worker
    /// has looked for the first time.
    pub expired_until: AtomicI64,
    /// What the memcached protocol counts.
    pub memcache: MemcacheStats,
    /// Error replies by their first word.
    pub errors: Mutex<BTreeMap<String, u64>>,
}

/// One row's counters.
#[derive(Debug, Default)]
pub struct CommandStats {
    /// Requests that reached the handler.
    pub calls: Counter,
    /// Time spent in the handler, in nanoseconds. Fast commands are timed by the batch, which is shared out evenly.
    pub nanos: Counter,
    /// How long single requests took, while `latency-tracking` is on.
    pub latency: Histogram,
    /// Requests refused before the handler (arity, gates).
    pub rejected: Counter,
    /// Requests whose handler answered an error.
    pub failed: Counter,
}

impl WorkerStats {
    /// For a table of so many rows.
    #[must_use]
    pub fn new(rows: usize) -> WorkerStats {
        WorkerStats {
            commands: (0..rows).map(|_| CommandStats::default()).collect(),
            ..WorkerStats::default()
        }
    }

    /// Counts an error reply under its first word.
    pub fn count_error(&self, code: &str) {
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < ERROR_CODES_MAX {
            errors.insert(code.to_owned(), 1);
        }
    }

    /// The same of an error that a script has made up: one of a new code counts with others, once there are many.
    pub fn count_made_up_error(&self, code: &str) {
        let is_one_of_many = {
            let errors = self.errors.lock();
            errors.len() >= MADE_UP_CODES_MAX && !errors.contains_key(code)
        };
        self.count_error(if is_one_of_many { "ERRORSTATS_OVERFLOW" } else { code });
    }

    /// Back to zero (CONFIG RESETSTAT). A worker adding at this moment may undo it for one counter.
    pub fn reset(&self) {
        for command in &self.commands {
            for counter in [&command.calls, &command.nanos, &command.rejected, &command.failed] {
                counter.reset();
            }
            command.latency.reset();
        }
        for counter in [
            &self.hits,
            &self.misses,
            &self.connections,
            &self.input_bytes,
            &self.output_bytes,
            &self.memcache_input_bytes,
            &self.memcache_output_bytes,
            &self.reads,
            &self.writes,
            &self.rounds,
            &self.expire_nanos,
            &self.input_limit_exceeded,
            &self.contended,
        ] {
            counter.reset();
        }
        self.longest_hold_nanos.0.store(0, Ordering::Relaxed);
        self.errors.lock().clear();
    }
}

/// What a stripe keeps for the engine.
#[derive(Debug, Default)]
pub struct StripeStats {
    /// Changes of keys.
    pub changes: u64,
    /// Keys that expired.
    pub expired: u64,
    /// Fields of hashes that expired.
    pub expired_fields: u64,
    /// Keys that were evicted.
    pub evicted: u64,
    /// Keys that went by themselves, not by a request.
    pub(crate) gone_by_themselves: u64,
    /// Where what goes by itself is recorded, once there is an append log.
    pub(crate) log: Option<Arc<AppendLog>>,
    /// Who waits for news of single keys; nobody, nearly always.
    listeners: Option<Box<Listeners>>,
}

/// What all stripes have counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct StripeTotals {
    /// Changes of keys.
    pub changes: u64,
    /// Keys that expired.
    pub expired: u64,
    /// Fields of hashes that expired.
    pub expired_fields: u64,
    /// Keys that were evicted.
    pub evicted: u64,
}

impl Node {
    /// What all stripes have counted. Costs the lock of each.
    #[must_use]
    pub fn stripe_totals(&self, moment: Moment) -> StripeTotals {
        let mut totals = StripeTotals::default();
        for stripe in 0..STRIPES {
            let mut guard = self.keyspace.lock(stripe, moment);
            let side = guard.side();
            totals.changes += side.changes;
            totals.expired += side.expired;
            totals.expired_fields += side.expired_fields;
            totals.evicted += side.evicted;
        }
        totals
    }
}

impl StripeStats {
    /// Who waits for news of single keys, of whom there may be somebody from now on.
    pub(crate) fn listeners(&mut self) -> &mut Listeners {
        self.listeners.get_or_insert_default()
    }

    /// Frees what nobody needs who waits for news.
    pub(crate) fn forget_listeners(&mut self) {
        self.listeners.take_if(|listeners| listeners.is_empty());
    }

    /// Tells that a key was asked for that is not there.
    #[inline]
    pub(crate) fn missed(&self, db: DbIndex, key: &[u8]) {
        if let Some(notifier) = self.listeners.as_ref().and_then(|listeners| listeners.notifier.as_ref()) {
            notifier.missed(db, key);
        }
    }

    /// Notes who is at work, where somebody is not to be told of his own changes; 0 for nobody.
    pub(crate) fn set_actor(&mut self, client: u64) {
        if let Some(listeners) = &mut self.listeners {
            listeners.cached.set_actor(client);
        }
    }

    /// A key that has changed and that clients are blocked for.
    #[inline]
    pub(crate) fn take_ready(&mut self) -> Option<Ready> {
        self.listeners.as_mut()?.blocked.take_ready()
    }

    /// Its number among all such keys.
    #[inline]
    pub(crate) fn first_ready(&self) -> Option<u64> {
        self.listeners.as_ref()?.blocked.first_ready()
    }
}

impl SideState for StripeStats {
    #[inline]
    fn changed(&mut self, change: Change<'_>) {
        self.changes += u64::from(change.effect != Effect::Noted);
        if change.effect == Effect::Removed {
            self.expired += u64::from(change.event.class == EventClass::Expired);
            self.evicted += u64::from(change.event.class == EventClass::Evicted);
        }
        if let Some(listeners) = &mut self.listeners {
            listeners.changed(&change);
        }
    }

    fn fields_expired(&mut self, fields: usize) {
        self.expired_fields += fields as u64;
    }

    fn goes_by_itself(&mut self, db: DbIndex, key: &[u8]) {
        self.gone_by_themselves += 1;
        if let Some(log) = &self.log {
            log.record_removal(db, key);
        }
    }

    fn notes_fields(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.is_on())
    }

    fn note_fields(&mut self, db: DbIndex, key: &[u8], fields: &[Vec<u8>]) {
        if let Some(log) = &self.log {
            log.record_expired_fields(db, key, fields);
        }
    }

    fn flushed(&mut self, db: DbIndex, keys: usize, had: &dyn Fn(&[u8]) -> bool) {
        self.changes += keys as u64;
        if let Some(listeners) = &mut self.listeners {
            listeners.flushed(db, had);
        }
    }

    fn swapped(&mut self, dbs: (DbIndex, DbIndex), has: &dyn Fn(DbIndex, &[u8]) -> bool) {
        if let Some(listeners) = &mut self.listeners {
            listeners.swapped(dbs, has);
        }
    }
}
