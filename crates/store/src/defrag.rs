//! Defragmentation: entries that lie in sparse spans of the slab move to fuller ones, so that the sparse ones become free.
//!
//! An entry is one allocation that nothing but its slot points to, and whoever holds its stripe has it for itself: so it may move whenever its
//! stripe is locked. Nobody is told, because nothing changes: its bytes are copied, with access bits, flags and the pointer to a value
//! that lies elsewhere. The wheel, the pool of who evicts and a snapshot's walk know positions, not addresses.

use crate::DbIndex;
use crate::change::SideState;
use crate::entry::Entry;
use crate::slab::Emptying;
use crate::stripe::StripeGuard;

/// Slots gone over while one stripe is locked; an entry that is moved counts as 64. Some five microseconds.
const EFFORT: usize = 1024;

/// How far the walk over a stripe has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefragPlace {
    db: DbIndex,
    from: u64,
}

/// What a call of [`StripeGuard::move_entries`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moves {
    /// Entries moved.
    pub moved: usize,
    /// Entries that were looked at and stay.
    pub stayed: usize,
    /// Whether the whole stripe was gone over.
    pub done: bool,
}

impl<S: SideState> StripeGuard<'_, S> {
    /// Moves entries out of the spans that are being emptied, for some microseconds; `place` says where to go on.
    pub fn move_entries(&mut self, emptying: &Emptying, place: &mut DefragPlace) -> Moves {
        let (mut moved, mut stayed) = (0, 0);
        let (dbs, _) = self.stripe.dbs_mut();
        let next = dbs.filter(|db| db.index >= place.db).min_by_key(|db| db.index);
        let Some(db) = next else { return Moves { moved, stayed, done: true } };
        if db.index != place.db {
            *place = DefragPlace { db: db.index, from: 0 };
        }
        let renew = |entry: Entry| {
            if entry.is_to_move() {
                moved += 1;
                entry.moved()
            } else {
                stayed += 1;
                entry
            }
        };
        match db.table.renew(place.from, EFFORT, |object| emptying.may_hold(object), renew) {
            Some(from) => place.from = from,
            None => *place = DefragPlace { db: DbIndex(db.index.0 + 1), from: 0 },
        }
        Moves { moved, stayed, done: false }
    }
}

#[cfg(test)]
mod tests;
