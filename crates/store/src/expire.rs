//! Expiry by time: what a stripe's wheels bring up is looked at, and removed when its time has come: keys, and fields of hashes.

use crate::UnixMillis;
use crate::change::{Change, Effect, Event, SideState};
use crate::entry::Entry;
use crate::keyspace::Keyspace;
use crate::position::Positioner;
use crate::snapshot::{Walked, preserve};
use crate::stripe::{Db, StripeGuard, renew_cas};
use crate::table::{Location, Table};
use crate::wheel::{Progress, Verdict};

/// What a call of [`StripeGuard::expire_due`] left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireProgress {
    /// Everything that was due is gone.
    Done,
    /// The limit was reached first.
    More,
}

impl<S: SideState> StripeGuard<'_, S> {
    /// Removes keys and fields whose time has come. Looks at no more than about `limit` wheel nodes and fields, so that the lock is
    /// held briefly.
    pub fn expire_due(&mut self, limit: usize) -> ExpireProgress {
        let (keyspace, stripe, now) = (self.keyspace, self.index, self.moment.now);
        let mut left = limit;
        let mut progress = ExpireProgress::Done;
        let mut next_due = None;
        let walked = self.stripe.walked;
        let (dbs, side) = self.stripe.dbs_mut();
        for db in dbs {
            let Some(mut wheel) = db.wheel.take() else { continue };
            let mut expirer = Expirer { keyspace, stripe, side: &mut *side, db, walked, fields_left: 0 };
            loop {
                let group = expirer.prefetch(wheel.coming_up(now)).min(left);
                expirer.fields_left = left;
                let outcome = wheel.advance(now, group, |fragment, now| expirer.judge(fragment, now));
                left = expirer.fields_left.saturating_sub(group);
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

/// What still waits under a fragment: the earliest time at which one of the keys it stands for, or a field of one, expires.
pub(crate) fn verdict(table: &Table<Entry>, positioner: &Positioner, fragment: u32) -> Verdict {
    let mut earliest: Option<UnixMillis> = None;
    let _ = table.find_fragment(fragment, |entry| {
        if let Some(at) = entry.wakes_at()
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
    walked: Walked,
    /// How many fields may still be removed.
    fields_left: usize,
}

impl<S: SideState> Expirer<'_, S> {
    /// Asks for the keys of fragments all at once, so that the latencies of memory overlap; returns how many they are.
    fn prefetch(&self, fragments: &[u32]) -> usize {
        let positions = fragments.iter().map(|fragment| u64::from(*fragment) << 32);
        positions.clone().for_each(|within| self.db.table.prefetch_slot(within));
        positions.for_each(|within| self.db.table.prefetch_entry(within));
        fragments.len()
    }

    /// Removes the keys of a fragment that are due, and the fields of its hashes. A tag may lead to another key that is due as well:
    /// all the better.
    fn judge(&mut self, fragment: u32, now: UnixMillis) -> Verdict {
        let is_due = |at: Option<UnixMillis>| at.is_some_and(|at| at <= now);
        let mut expired = false;
        while let Some(location) = self.db.table.find_fragment(fragment, |entry| is_due(entry.wakes_at())) {
            if is_due(self.db.table.entry(location).expires_at()) {
                let db = self.db.index;
                self.side.goes_by_itself(db, self.db.table.entry(location).key());
                self.remove(location, Event::EXPIRED);
            } else {
                self.expire_fields(location, now);
                if self.fields_left == 0 {
                    return Verdict::Again;
                }
            }
            expired = true;
        }
        match verdict(&self.db.table, self.keyspace.positioner(), fragment) {
            Verdict::Drop if expired => Verdict::Expired,
            verdict => verdict,
        }
    }

    /// Removes the fields of a hash that are due, as far as may be, and the hash with the last of all.
    fn expire_fields(&mut self, location: Location, now: UnixMillis) {
        preserve(self.keyspace, self.db, location, self.walked);
        let mut entry = self.db.table.entry_mut(location);
        let (notes, mut names) = (self.side.notes_fields(), Vec::new());
        let fields = entry.remove_due_fields(now, self.fields_left, |field| {
            if notes {
                names.push(field.to_vec());
            }
        });
        self.fields_left -= fields;
        if fields == 0 {
            return;
        }
        renew_cas(&mut entry, self.keyspace);
        let (spent, wakes_at) = (entry.is_spent(), entry.wakes_at());
        entry.set_timed(wakes_at.is_some());
        self.db.expiring_hashes -= usize::from(entry.next_field_expiry().is_none());
        self.side.fields_expired(fields);
        if notes {
            self.side.note_fields(self.db.index, entry.key(), &names);
        }
        let (db, key) = (self.db.index, entry.key());
        self.side.changed(Change { db, key, effect: Effect::Modified, event: Event::FIELDS_EXPIRED });
        drop(entry);
        if spent {
            self.remove(location, Event::DELETED);
        }
    }

    fn remove(&mut self, location: Location, event: Event) {
        preserve(self.keyspace, self.db, location, self.walked);
        let entry = self.db.remove(location);
        self.keyspace.count_removed(self.db.index, self.stripe, self.db.table.is_empty());
        self.side.changed(Change { db: self.db.index, key: entry.key(), effect: Effect::Removed, event });
        self.keyspace.discard(entry);
    }
}

#[cfg(test)]
mod tests;
