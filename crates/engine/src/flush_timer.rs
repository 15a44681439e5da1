//! A flush that is to happen later: memcached's `flush_all` with a delay.

use larder_store::{DbIndex, Moment, UnixMillis};

use crate::blocking::serve_everywhere;
use crate::context::exclusive;
use crate::node::Node;
use crate::safepoint::Running;
use crate::stats::WorkerStats;
use crate::sync::{AtomicI64, Ordering};

/// The time of no flush.
const NEVER: i64 = i64::MAX;

/// When database 0, which is the one that both protocols serve, is to be emptied. There is at most one such time: the last one
/// said.
#[derive(Debug)]
pub struct FlushTimer(AtomicI64);

impl Default for FlushTimer {
    fn default() -> FlushTimer {
        FlushTimer(AtomicI64::new(NEVER))
    }
}

impl FlushTimer {
    /// Sets the time; `None` takes back what was set.
    pub fn set(&self, at: Option<UnixMillis>) {
        self.0.store(at.map_or(NEVER, |at| at.0), Ordering::Relaxed);
    }

    /// The time set.
    #[must_use]
    pub fn at(&self) -> Option<UnixMillis> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at != NEVER).map(UnixMillis)
    }
}

impl Node {
    /// Does the flush whose time has come: a load when there is none. The caller has entered the safepoint and holds no stripe.
    #[inline]
    pub fn flush_when_due(&self, running: &Running<'_>, stats: &WorkerStats, moment: Moment) {
        let at = self.flush_timer.0.load(Ordering::Relaxed);
        if at <= moment.now.0 {
            self.flush_at(at, running, stats, moment);
        }
    }

    #[cold]
    fn flush_at(&self, at: i64, running: &Running<'_>, stats: &WorkerStats, moment: Moment) {
        // Only one of those who find it due does it.
        let timer = &self.flush_timer.0;
        if timer.compare_exchange(at, NEVER, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.flush_zero(running, stats, moment);
        }
    }

    /// Empties database 0, and tells clients that are blocked for keys of it. If somebody else stops all workers at this moment, or a
    /// program has begun to change keys, it is done as soon as that has ended.
    pub fn flush_zero(&self, running: &Running<'_>, stats: &WorkerStats, moment: Moment) {
        // Alone at work, because the append log has one place for it.
        let Ok(_all) = exclusive(self, running) else {
            self.flush_timer.set(Some(moment.now));
            return;
        };
        self.keyspace.flush(Some(DbIndex(0)), moment);
        if self.append_log.is_on() {
            self.append_log.record_flush(DbIndex(0));
        }
        serve_everywhere(self, stats, moment);
        self.invalidate_all();
    }
}
