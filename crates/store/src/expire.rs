//! Expiry by time: what a stripe's wheels bring up is looked at, and removed when its time has come.

use crate::change::{Change, Effect, Event, SideState};
use crate::entry::Entry;
use crate::keyspace::Keyspace;
use crate::position::Positioner;
use crate::stripe::{Db, StripeGuard};
use crate::table::Table;
use crate::wheel::{Progress, Verdict};
use crate::{DbIndex, UnixMillis};

/// What a call of [`StripeGuard::expire_due`] left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireProgress {
    /// Everything that was due is gone.
    Done,
    /// The limit was reached first.
    More,
}

impl<S: SideState> StripeGuard<'_, S> {
    /// Removes keys whose time has come. Looks at no more than about `limit` wheel nodes, so that the lock is held briefly.
    pub fn expire_due(&mut self, limit: usize) -> ExpireProgress {
        let (keyspace, stripe, now) = (self.keyspace, self.index, self.moment.now);
        let mut left = limit;
        let mut progress = ExpireProgress::Done;
        let mut next_due = None;
        let (dbs, side) = self.stripe.dbs_mut();
        for db in dbs {
            let Some(mut wheel) = db.wheel.take() else { continue };
            let mut expirer = Expirer { keyspace, stripe, side: &mut *side, db };
            loop {
                let group = expirer.prefetch(wheel.coming_up(now)).min(left);
                left -= group;
                let outcome = wheel.advance(now, group, |fragment, now| expirer.judge(fragment, now));
                if outcome == Progress::Done {
                    break;
                }
                if left == 0 {
                    progress = ExpireProgress::More;
                    break;
                }
            }
            if !db.table.is_empty() {
                next_due = [next_due, wheel.next_due()].into_iter().flatten().min();
                db.wheel = Some(wheel);
            }
        }
        self.stripe.others.retain(|db| !db.table.is_empty());
        keyspace.set_next_due(stripe, next_due);
        progress
    }
}

/// What still waits under a fragment: the earliest expiry of the keys it stands for.
pub(crate) fn verdict(table: &Table<Entry>, positioner: &Positioner, fragment: u32) -> Verdict {
    let mut earliest: Option<UnixMillis> = None;
    let _ = table.find_fragment(fragment, |entry| {
        if let Some(at) = entry.expires_at()
            && positioner.position(entry.key()).fragment() == fragment
        {
            earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        }
        false
    });
    earliest.map_or(Verdict::Drop, Verdict::At)
}

struct Expirer<'a, S: SideState> {
    keyspace: &'a Keyspace<S>,
    stripe: usize,
    side: &'a mut S,
    db: &'a mut Db,
}

impl<S: SideState> Expirer<'_, S> {
    /// Asks for the keys of fragments all at once, so that the latencies of memory overlap; returns how many they are.
    fn prefetch(&self, fragments: &[u32]) -> usize {
        let positions = fragments.iter().map(|fragment| u64::from(*fragment) << 32);
        positions.clone().for_each(|within| self.db.table.prefetch_slot(within));
        positions.for_each(|within| self.db.table.prefetch_entry(within));
        fragments.len()
    }

    /// Removes the keys of a fragment that are due. A tag may lead to another key that is due as well: all the better.
    fn judge(&mut self, fragment: u32, now: UnixMillis) -> Verdict {
        let due = |entry: &Entry| entry.expires_at().is_some_and(|at| at <= now);
        let mut expired = false;
        while let Some(location) = self.db.table.find_fragment(fragment, due) {
            let entry = self.db.table.remove(location);
            self.db.expiries.remove(entry.expires_at());
            self.removed(self.db.index, &entry);
            self.keyspace.discard(entry);
            expired = true;
        }
        match verdict(&self.db.table, self.keyspace.positioner(), fragment) {
            Verdict::Drop if expired => Verdict::Expired,
            verdict => verdict,
        }
    }

    fn removed(&mut self, db: DbIndex, entry: &Entry) {
        self.keyspace.count_removed(db, self.stripe, self.db.table.is_empty());
        let (key, effect, event) = (entry.key(), Effect::Removed, Event::EXPIRED);
        self.side.changed(Change { db, key, effect, event });
    }
}
