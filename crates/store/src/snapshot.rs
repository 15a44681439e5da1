//! Snapshots without a fork: the keyspace as it was at one moment, the **cut**, read while others change it.
//!
//! Whoever makes a snapshot walks through the stripes in the order of positions ([`Keyspace::walk`]), a few keys for each time that a
//! stripe is locked. Whoever changes a key that the walk has yet to come to first leaves its **pre-image** with the keyspace, a copy
//! or, of a large value, a view, and marks the entry as preserved; so the walk passes it over. A key that is new since the cut is
//! marked the same way. The walk takes the marks off again, so that none is left when it ends. While nobody makes a snapshot all of
//! this costs a load for each change.

use crate::DbIndex;
use crate::change::SideState;
use crate::entry::Entry;
use crate::keyspace::{Keyspace, Trash};
use crate::position::{Positioner, STRIPES};
use crate::stripe::{Db, Moment, StripeGuard};
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use crate::table::{Borrowed, Location};

/// How far the walk of a snapshot has come in a stripe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walked {
    /// Of which snapshot this is told: of an earlier one, the walk has not come here yet.
    snapshot: u64,
    /// The database that it is in, by its number at the cut; those below it are done.
    db: u32,
    /// Where in its order it goes on.
    within: u64,
    done: bool,
}

/// What was preserved for the walk.
pub(crate) enum Preserved {
    /// A key as it was at the cut.
    Key(Entry),
    /// A database that was emptied, from this place in its order on.
    Rest(Box<Db>, u64),
}

/// What a keyspace knows of the snapshot that is being made.
#[derive(Default)]
pub(crate) struct Snapshots {
    /// Its number; 0 while there is none.
    active: AtomicU64,
    last: AtomicU64,
    /// The number that each database had at the cut.
    numbers: Box<[AtomicU32]>,
    preserved: Mutex<Vec<(DbIndex, Preserved)>>,
    /// Bytes of what is preserved, as far as it is quickly told.
    preserved_bytes: AtomicU64,
}

impl Snapshots {
    pub(crate) fn new(databases: usize) -> Snapshots {
        Snapshots { numbers: (0..databases as u32).map(AtomicU32::new).collect(), ..Snapshots::default() }
    }

    #[inline]
    fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    fn number(&self, db: DbIndex) -> u32 {
        self.numbers[db.as_usize()].load(Ordering::Relaxed)
    }

    /// Two databases are exchanged, while nobody else is at work.
    pub(crate) fn swap(&self, a: DbIndex, b: DbIndex) {
        let (a, b) = (&self.numbers[a.as_usize()], &self.numbers[b.as_usize()]);
        a.store(b.swap(a.load(Ordering::Relaxed), Ordering::Relaxed), Ordering::Relaxed);
    }

    fn preserve(&self, number: u32, what: Preserved) {
        let bytes = match &what {
            Preserved::Key(entry) => entry.allocated_bytes() as u64,
            Preserved::Rest(..) => 0,
        };
        self.preserved_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.preserved.lock().push((DbIndex(number), what));
    }
}

impl Walked {
    /// Whether a key of the database that had this number at the cut is still to come.
    fn is_ahead(self, snapshot: u64, number: u32, within: u64) -> bool {
        self.snapshot != snapshot || !self.done && (self.db, self.within) <= (number, within)
    }
}

/// How an entry is met on a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// In its place, under the lock of its stripe, which others wait for.
    InPlace,
    /// Among what others have left, under no lock.
    Preserved,
}

/// Where a walk goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkPlace {
    stripe: usize,
}

impl<S: SideState> Keyspace<S> {
    /// Makes the cut. The caller has stopped all other use of the keyspace, and walks to the end before he calls this again.
    ///
    /// # Panics
    /// A snapshot is being made.
    pub fn begin_snapshot(&self) -> WalkPlace {
        let snapshots = self.snapshots();
        assert_eq!(snapshots.active(), 0, "one snapshot at a time");
        for (number, db) in snapshots.numbers.iter().enumerate() {
            db.store(number as u32, Ordering::Relaxed);
        }
        let next = snapshots.last.fetch_add(1, Ordering::Relaxed) + 1;
        snapshots.active.store(next, Ordering::SeqCst);
        WalkPlace::default()
    }

    /// Gives `visit` some more keys as they were at the cut, with the numbers that their databases had: `count` of one stripe, or few
    /// more, and whatever was preserved meanwhile. Returns where to go on; nothing at the end, by which the snapshot ends too. What is
    /// preserved comes first.
    pub fn walk(
        &self,
        place: WalkPlace,
        count: usize,
        moment: Moment,
        mut visit: impl FnMut(Met, DbIndex, &Entry),
    ) -> Option<WalkPlace> {
        self.take_preserved(|db, entry| visit(Met::Preserved, db, entry));
        if place.stripe < STRIPES {
            let mut visit = |db, entry: &Entry| visit(Met::InPlace, db, entry);
            let done = self.lock(place.stripe, moment).walk(count, &mut visit);
            return Some(WalkPlace { stripe: place.stripe + usize::from(done) });
        }
        // All stripes are done, so nothing more is preserved.
        self.take_preserved(|db, entry| visit(Met::Preserved, db, entry));
        self.snapshots().active.store(0, Ordering::SeqCst);
        None
    }

    /// Bytes of keys that are kept as they were because others have changed them since the cut. Of a large value only what is copied
    /// at once counts, and not what its view keeps from being freed later; databases that were emptied count nothing, for of them
    /// nothing is copied.
    #[must_use]
    pub fn preserved_bytes(&self) -> u64 {
        self.snapshots().preserved_bytes.load(Ordering::Relaxed)
    }

    /// Takes whatever was preserved by now: between two steps of a walk that is in no hurry, so that it does not pile up. Memory is
    /// given back key by key.
    pub fn take_preserved(&self, mut visit: impl FnMut(DbIndex, &Entry)) {
        let preserved = std::mem::take(&mut *self.snapshots().preserved.lock());
        for (db, what) in preserved {
            match what {
                Preserved::Key(entry) => {
                    visit(db, &entry);
                    let bytes = entry.allocated_bytes() as u64;
                    self.snapshots().preserved_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    self.discard(entry);
                }
                Preserved::Rest(rest, from) => {
                    let order = order(self.positioner());
                    let _ = rest.table.scan(from, usize::MAX, &order, |entry| {
                        if !entry.is_preserved() {
                            visit(db, &entry);
                        }
                    });
                    self.send(Trash::Dbs(vec![*rest]));
                }
            }
        }
    }
}

impl<S: SideState> StripeGuard<'_, S> {
    /// Leaves the pre-image of an entry that is about to be changed or removed, if the walk of a snapshot has yet to come to it.
    #[inline]
    pub(crate) fn preserve(&mut self, db: DbIndex, location: Location) {
        let (keyspace, walked) = (self.keyspace, self.stripe.walked);
        if let Some(place) = self.stripe.db_mut(db) {
            preserve(keyspace, place, location, walked);
        }
    }

    /// Whether a key that is new is not to be in the snapshot that is being made, though the walk has yet to come to its place.
    #[inline]
    pub(crate) fn is_new_to_snapshot(&self, db: DbIndex, within: u64) -> bool {
        let snapshots = self.keyspace.snapshots();
        let snapshot = snapshots.active();
        snapshot != 0 && self.stripe.walked.is_ahead(snapshot, snapshots.number(db), within)
    }

    /// Leaves a database that is about to be emptied to the walk, as far as that has yet to come to it; gives it back otherwise.
    pub(crate) fn preserve_all(&mut self, old: Db) -> Option<Db> {
        let snapshots = self.keyspace.snapshots();
        let (snapshot, walked, number) =
            (snapshots.active(), self.stripe.walked, snapshots.number(old.index));
        if snapshot == 0 || !walked.is_ahead(snapshot, number, u64::MAX) {
            return Some(old);
        }
        let from = if (walked.snapshot, walked.db) == (snapshot, number) { walked.within } else { 0 };
        snapshots.preserve(number, Preserved::Rest(Box::new(old), from));
        None
    }

    /// Visits some more keys of this stripe; says whether the walk is done with it.
    fn walk(&mut self, count: usize, visit: &mut impl FnMut(DbIndex, &Entry)) -> bool {
        let (snapshots, positioner) = (self.keyspace.snapshots(), self.keyspace.positioner());
        let snapshot = snapshots.active();
        let mut walked = self.stripe.walked;
        if walked.snapshot != snapshot {
            walked = Walked { snapshot, ..Walked::default() };
        }
        let (dbs, _) = self.stripe.dbs_mut();
        let next = dbs
            .map(|db| (snapshots.number(db.index), db))
            .filter(|(number, db)| *number >= walked.db && !db.table.is_empty())
            .min_by_key(|(number, _)| *number);
        let Some((number, db)) = next else {
            self.stripe.walked = Walked { done: true, ..walked };
            return true;
        };
        let from = if number == walked.db { walked.within } else { 0 };
        let mut marked = Vec::new();
        let next = db.table.scan(from, count, &order(positioner), |entry: Borrowed<'_, Entry>| {
            if entry.is_preserved() {
                marked.push(positioner.position(entry.key()));
            } else {
                visit(DbIndex(number), &entry);
            }
        });
        for position in marked {
            let is_it = |entry: &Entry| {
                entry.is_preserved() && positioner.position(entry.key()).within() == position.within()
            };
            while let Some(at) = db.table.find_fragment(position.fragment(), is_it) {
                db.table.entry_mut(at).set_preserved(false);
            }
        }
        self.stripe.walked = match next {
            Some(within) => Walked { db: number, within, ..walked },
            None => Walked { db: number + 1, within: 0, ..walked },
        };
        false
    }
}

/// As [`StripeGuard::preserve`], for who has a database of a stripe without its guard.
#[inline]
pub(crate) fn preserve<S: SideState>(
    keyspace: &Keyspace<S>,
    place: &mut Db,
    location: Location,
    walked: Walked,
) {
    let snapshot = keyspace.snapshots().active();
    if snapshot != 0 {
        preserve_for(keyspace, snapshot, place, location, walked);
    }
}

#[cold]
fn preserve_for<S: SideState>(
    keyspace: &Keyspace<S>,
    snapshot: u64,
    place: &mut Db,
    location: Location,
    walked: Walked,
) {
    let (snapshots, positioner) = (keyspace.snapshots(), keyspace.positioner());
    let number = snapshots.number(place.index);
    let mut entry = place.table.entry_mut(location);
    let within = positioner.position(entry.key()).within();
    if !entry.is_preserved() && walked.is_ahead(snapshot, number, within) {
        entry.set_preserved(true);
        snapshots.preserve(number, Preserved::Key(entry.renamed(entry.key())));
    }
}

fn order(positioner: &Positioner) -> impl Fn(&[u8]) -> u64 + '_ {
    |key| positioner.position(key).within()
}

#[cfg(test)]
mod tests;
