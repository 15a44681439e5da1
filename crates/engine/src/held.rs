//! The stripes of a transaction, locked before its first request and unlocked after its last; and those of a program, which become more.

use std::cell::RefCell;

use larder_store::{HeldStripe, Moment, Position, StripeGuard, Touch};

use crate::append_log::Record;
use crate::error::CommandError;
use crate::locked::{Locked, Stripes};
use crate::node::Node;
use crate::stats::{StripeStats, WorkerStats};
use crate::sync::{spin_loop, yield_now};

/// How often a stripe in use is tried before the processor is given to somebody else, who may have it.
const SPINS: usize = 100;

/// See the module's documentation. A request within takes up the guards of its own stripes and puts them back when it is done with
/// them. When this is dropped, clients that are blocked are served, and the stripes are unlocked.
pub(crate) struct Held<'n> {
    node: &'n Node,
    stats: &'n WorkerStats,
    moment: Moment,
    /// In ascending order.
    stripes: RefCell<Vec<HeldStripe>>,
    /// What requests within have changed, for the append log.
    record: RefCell<Record>,
}

/// The stripes of a program that is put aside, in ascending order, and what it has changed so far.
#[derive(Debug, Default)]
pub(crate) struct Reserved {
    stripes: Vec<usize>,
    record: Record,
}

impl<'n> Held<'n> {
    /// Locks the stripes of these positions; if one stays in use, lets go of all.
    pub(crate) fn new(
        node: &'n Node,
        stats: &'n WorkerStats,
        positions: impl Iterator<Item = Position>,
        moment: Moment,
    ) -> Result<Held<'n>, CommandError> {
        let stripes = Locked::lock_all(node, positions, moment)?;
        let stripes = stripes.into_iter().map(|stripe| stripe.hold()).collect();
        Ok(Held { node, stats, moment, stripes: RefCell::new(stripes), record: RefCell::default() })
    }

    /// Takes over stripes that are reserved.
    pub(crate) fn growing(
        node: &'n Node,
        stats: &'n WorkerStats,
        reserved: Reserved,
        moment: Moment,
    ) -> Held<'n> {
        let take_over = |stripe| {
            let mut guard = node.keyspace.lock(stripe, moment);
            guard.reserve(false);
            guard.hold()
        };
        let stripes = reserved.stripes.into_iter().map(take_over).collect();
        let (stripes, record) = (RefCell::new(stripes), RefCell::new(reserved.record));
        Held { node, stats, moment, stripes, record }
    }

    /// Locks the stripes of these positions as well. Waits for each, as only the one program of a node may; those who have one do not wait
    /// for anybody.
    pub(crate) fn lock_more(&self, positions: impl Iterator<Item = Position>) {
        let mut stripes = self.stripes.borrow_mut();
        for stripe in positions.map(Position::stripe) {
            if let Err(place) = stripes.binary_search_by_key(&stripe, HeldStripe::index) {
                stripes.insert(place, self.lock_waiting(stripe).hold());
            }
        }
    }

    fn lock_waiting(&self, stripe: usize) -> StripeGuard<'n, StripeStats> {
        loop {
            for _ in 0..SPINS {
                if let Some(guard) = self.node.keyspace.try_lock(stripe, self.moment) {
                    return guard;
                }
                spin_loop();
            }
            yield_now();
        }
    }

    /// What requests within have changed.
    pub(crate) fn record(&self) -> &RefCell<Record> {
        &self.record
    }

    /// Unlocks the stripes and reserves them.
    pub(crate) fn reserve(self) -> Reserved {
        let reserve = |stripe: HeldStripe| {
            let mut guard = self.node.keyspace.take_up(stripe, self.moment);
            guard.reserve(true);
            guard.index()
        };
        let stripes = self.stripes.take().into_iter().map(reserve).collect();
        Reserved { stripes, record: self.record.take() }
    }

    /// Unlocks the stripes for as long as `work` takes. No other worker may be at work.
    pub(crate) fn unlocked<R>(&self, work: impl FnOnce() -> R) -> R {
        let unlock = |stripe| self.node.keyspace.take_up(stripe, self.moment).index();
        let stripes: Vec<usize> = self.stripes.take().into_iter().map(unlock).collect();
        let result = work();
        let lock = |stripe| self.lock_waiting(stripe).hold();
        *self.stripes.borrow_mut() = stripes.into_iter().map(lock).collect();
        result
    }

    /// The guards of these stripes, which are among those held, in ascending order.
    pub(crate) fn take_up(&self, wanted: impl Iterator<Item = usize>, moment: Moment) -> Stripes<'n> {
        let mut wanted: smallvec::SmallVec<[usize; 8]> = wanted.collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut stripes = self.stripes.borrow_mut();
        let take = |index: usize| {
            let place = stripes.binary_search_by_key(&index, HeldStripe::index);
            let place = place.expect("a request within a transaction touches its own keys only");
            self.node.keyspace.take_up(stripes.remove(place), moment)
        };
        wanted.into_iter().map(take).collect()
    }

    /// Takes guards back.
    pub(crate) fn put_back(&self, guards: Stripes<'_>) {
        let mut stripes = self.stripes.borrow_mut();
        for guard in guards {
            let place = stripes.partition_point(|stripe| stripe.index() < guard.index());
            stripes.insert(place, guard.hold());
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.node.append_log.record_all(self.record.get_mut());
        let take_up = |stripe| self.node.keyspace.take_up(stripe, self.moment);
        let stripes = self.stripes.take().into_iter().map(take_up).collect();
        drop(Locked::of(self.node, self.stats, stripes, self.moment, Touch::Yes));
    }
}
