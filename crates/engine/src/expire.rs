//! What goes by time or for want of memory, by the work of each worker between its connections' turns.

use larder_store::{ExpireProgress, Moment, STRIPES};

use crate::blocking::serve_stripe;
use crate::defrag::DefragTurn;
use crate::latency::Happening;
use crate::node::moment;
use crate::sync::Ordering;
use crate::worker::Worker;

/// Wheel nodes looked at while one stripe is locked: some ten microseconds.
const STRIPE_NODES: usize = 64;
/// Wheel nodes looked at before connections have their turn.
const TURN_NODES: usize = 512;

/// Where a worker goes on: its stripes are those whose number leaves its own when divided by the number of workers.
#[derive(Default)]
pub struct ExpireTurn {
    next: usize,
    defrag: DefragTurn,
}

impl ExpireTurn {
    /// Expires what is due in the worker's stripes, up to the work allowed in one turn; moves entries, and goes on with a program whose client has gone.
    /// Says whether more is to be done at once.
    pub fn run(&mut self, worker: &mut Worker) -> bool {
        worker.refresh();
        let orphan = worker.go_on_with_orphan();
        worker.begin_wanted_snapshot();
        let evicts = worker.evict_some();
        let expires = self.expire_some(worker);
        self.defrag.run(worker) || expires || orphan || evicts
    }

    fn expire_some(&mut self, worker: &Worker) -> bool {
        let node = &worker.node;
        let Some(running) = node.safepoint.enter(worker.index) else { return true };
        let begun = node.host.time();
        let now = begun.now;
        let moment = moment(now, worker.settings());
        node.flush_when_due(&running, &node.stats[worker.index], moment);
        // As in Redis: while CLIENT PAUSE is in force, nothing changes by itself.
        let leaves_all = !node.active_expire.load(Ordering::Relaxed) || node.loading.is_active();
        if leaves_all || node.pause.in_force(now).is_some() {
            return false;
        }
        let (left, more) = self.expire(worker, moment);
        node.caching.tell_pending();
        if left < TURN_NODES {
            let nanos = node.host.time().nanos.saturating_sub(begun.nanos);
            node.stats[worker.index].expire_nanos.add(nanos);
            node.latency.note(Happening::ExpireCycle, nanos, now, worker.settings());
        }
        if !more {
            node.stats[worker.index].expired_until.store(now.0, Ordering::Relaxed);
        }
        more
    }

    /// Goes round the worker's stripes; returns how many nodes more might have been looked at, and whether there is more to do.
    fn expire(&mut self, worker: &Worker, moment: Moment) -> (usize, bool) {
        let node = &worker.node;
        let workers = node.workers();
        let own = STRIPES.div_ceil(workers);
        let (mut left, mut more) = (TURN_NODES, false);
        for _ in 0..own {
            let stripe = self.next * workers + worker.index;
            self.next = (self.next + 1) % own;
            if stripe >= STRIPES || !node.keyspace.is_due(stripe, moment.now) {
                continue;
            }
            match node.keyspace.try_lock(stripe, moment).map(|mut guard| guard.expire_due(STRIPE_NODES)) {
                Some(ExpireProgress::Done) => {}
                Some(ExpireProgress::More) | None => more = true,
            }
            if node.blocking.keys().1 > 0 {
                serve_stripe(node, &node.stats[worker.index], stripe, moment);
            }
            left = left.saturating_sub(STRIPE_NODES);
            if left == 0 {
                return (0, true);
            }
        }
        (left, more)
    }
}
