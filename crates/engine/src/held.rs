//! The stripes of a transaction: locked before its first request, unlocked after its last.

use std::cell::RefCell;

use larder_store::{HeldStripe, Moment, Position, Touch};

use crate::error::CommandError;
use crate::locked::{Locked, Stripes};
use crate::node::Node;
use crate::stats::WorkerStats;

/// See the module's documentation. A request within takes up the guards of its own stripes and puts them back when it is done with
/// them. When this is dropped, clients that are blocked are served, and the stripes are unlocked.
pub(crate) struct Held<'n> {
    node: &'n Node,
    stats: &'n WorkerStats,
    moment: Moment,
    /// In ascending order.
    stripes: RefCell<Vec<HeldStripe>>,
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
        Ok(Held { node, stats, moment, stripes: RefCell::new(stripes) })
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
        let take_up = |stripe| self.node.keyspace.take_up(stripe, self.moment);
        let stripes = self.stripes.take().into_iter().map(take_up).collect();
        drop(Locked::of(self.node, self.stats, stripes, self.moment, Touch::Yes));
    }
}
