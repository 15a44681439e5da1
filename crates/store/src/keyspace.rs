//! The keyspace: all stripes, and what is asked of all of them together.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};

use crate::change::SideState;
use crate::entry::{Block, Entry, SLOW_TO_FREE_BYTES};
use crate::position::{Key, Position, Positioner, STRIPES};
use crate::queues::Clocks;
use crate::snapshot::Snapshots;
use crate::stripe::{Db, Moment, Stripe, StripeGuard};
use crate::sync::{AtomicI64, AtomicU64, Mutex, Ordering};
use crate::table::{Borrowed, Table};
use crate::{DbIndex, UnixMillis};

/// Counters of one database are spread over this many lines, so that workers seldom write the same one.
const LANES: usize = 16;
/// The time of a stripe in which nothing expires.
const NEVER: i64 = i64::MAX;

/// Memory on its way to being freed, off every lock: drop it on a thread of low priority.
pub struct Garbage {
    trash: Option<Trash>,
    bytes: u64,
    tally: Arc<Tally>,
}

pub(crate) enum Trash {
    Entry(Entry),
    Block(Block),
    Dbs(Vec<Db>),
}

impl Trash {
    /// Bytes that freeing will give back, as far as that is quickly told: of whole databases it is not.
    fn bytes(&self) -> u64 {
        match self {
            Trash::Entry(entry) => entry.memory_bytes() as u64,
            Trash::Block(block) => block.capacity() as u64,
            Trash::Dbs(_) => 0,
        }
    }

    fn entries(&self) -> u64 {
        match self {
            Trash::Entry(_) | Trash::Block(_) => 1,
            Trash::Dbs(dbs) => dbs.iter().map(|db| db.table.len() as u64).sum(),
        }
    }
}

/// What a flush took away. When it is dropped it goes to the background, whose waking up may cost this thread its processor.
pub struct Flushed<'a, S: SideState> {
    keyspace: &'a Keyspace<S>,
    taken: Vec<Db>,
}

impl<S: SideState> Drop for Flushed<'_, S> {
    fn drop(&mut self) {
        if !self.taken.is_empty() {
            self.keyspace.send(Trash::Dbs(std::mem::take(&mut self.taken)));
        }
    }
}

/// Entries given away to be freed, and those of them that were.
#[derive(Debug, Default)]
struct Tally {
    discarded: AtomicU64,
    freed: AtomicU64,
    /// Bytes that wait for it.
    bytes: AtomicU64,
}

impl Drop for Garbage {
    fn drop(&mut self) {
        let entries = self.trash.as_ref().map_or(0, Trash::entries);
        drop(self.trash.take());
        self.tally.freed.fetch_add(entries, Ordering::Relaxed);
        self.tally.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What [`Keyspace::random_key`] came upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RandomKey {
    /// A key.
    Found(Vec<u8>),
    /// One that is no longer there: its time had come, and it was removed; or somebody else was faster, or has reserved its stripe. Try
    /// again.
    Gone,
    /// The database has no keys.
    Empty,
}

/// See the module's documentation. `S` is the side state that the engine keeps in each stripe.
pub struct Keyspace<S: SideState> {
    stripes: Box<[Cell<S>]>,
    positioner: Positioner,
    counts: Box<[OnceLock<Box<Counts>>]>,
    cas: AtomicU64,
    garbage: Sender<Garbage>,
    tally: Arc<Tally>,
    snapshots: Snapshots,
    pub(crate) clocks: Clocks,
}

/// A stripe's lock on a cache line of its own.
#[repr(C, align(128))]
struct Cell<S> {
    stripe: Mutex<Stripe<S>>,
    /// When something may expire here: read without the lock, so that a stripe with nothing due costs a load.
    next_due: AtomicI64,
}

/// The number of keys of one database, and which stripes have any.
#[derive(Debug, Default)]
struct Counts {
    keys: [Lane; LANES],
    occupied: [AtomicU64; STRIPES / 64],
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Lane(AtomicI64);

impl<S: SideState> Keyspace<S> {
    /// An empty keyspace of so many numbered databases. `seed` keys the hash: take it from the system's randomness. What must
    /// be freed in the background arrives at the receiver.
    #[must_use]
    pub fn new(databases: usize, seed: u64) -> (Keyspace<S>, Receiver<Garbage>) {
        let (garbage, receiver) = channel();
        let cell = |index: usize| Cell {
            stripe: Mutex::new(Stripe::new(index as u32 ^ seed as u32)),
            next_due: AtomicI64::new(NEVER),
        };
        let keyspace = Keyspace {
            stripes: (0..STRIPES).map(cell).collect(),
            positioner: Positioner::new(seed),
            counts: (0..databases).map(|_| OnceLock::new()).collect(),
            cas: AtomicU64::new(1),
            garbage,
            tally: Arc::default(),
            snapshots: Snapshots::new(databases),
            clocks: Clocks::default(),
        };
        (keyspace, receiver)
    }

    /// Number of numbered databases.
    #[must_use]
    pub fn databases(&self) -> usize {
        self.counts.len()
    }

    /// The hash that places keys.
    #[inline]
    #[must_use]
    pub fn positioner(&self) -> &Positioner {
        &self.positioner
    }

    /// A key with its position.
    #[inline]
    #[must_use]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, position: self.positioner.position(bytes) }
    }

    /// Locks a stripe if it is free, and not reserved.
    #[inline]
    #[must_use]
    pub fn try_lock(&self, index: usize, moment: Moment) -> Option<StripeGuard<'_, S>> {
        let stripe = self.stripes[index].stripe.try_lock()?;
        if stripe.reserved {
            return None;
        }
        Some(StripeGuard { keyspace: self, index, stripe, moment })
    }

    /// Locks a stripe, be it reserved or not. Only for a caller that holds no other: it may wait, for as long as a holder takes.
    #[must_use]
    pub fn lock(&self, index: usize, moment: Moment) -> StripeGuard<'_, S> {
        let stripe = self.stripes[index].stripe.lock();
        StripeGuard { keyspace: self, index, stripe, moment }
    }

    pub(crate) fn mutex(&self, index: usize) -> &Mutex<Stripe<S>> {
        &self.stripes[index].stripe
    }

    /// Tells this keyspace from others. It stays the same when the keyspace is moved.
    pub(crate) fn address(&self) -> usize {
        self.stripes.as_ptr().addr()
    }

    /// Asks the processor for the lock and the root of a key's stripe.
    #[inline]
    pub fn prefetch_stripe(&self, position: Position) {
        crate::table::prefetch((&raw const self.stripes[position.stripe()]).cast());
    }

    /// Brings the slots and then the entries of keys into the cache, each time all at once, so that their latencies overlap. Wants
    /// the stripes in cache; passes over those in use.
    #[inline]
    pub fn prefetch(&self, keys: impl Iterator<Item = (DbIndex, Position)> + Clone) {
        for (db, position) in keys.clone() {
            self.peek(db, position, |table| table.prefetch_slot(position.within()));
        }
        for (db, position) in keys {
            self.peek(db, position, |table| table.prefetch_entry(position.within()));
        }
    }

    #[inline]
    fn peek(&self, db: DbIndex, position: Position, look: impl FnOnce(&Table<Entry>)) {
        if let Some(stripe) = self.stripes[position.stripe()].stripe.try_lock()
            && let Some(db) = stripe.db(db)
        {
            look(&db.table);
        }
    }

    /// Number of keys of a database, without looking at any stripe.
    #[must_use]
    pub fn len(&self, db: DbIndex) -> usize {
        let Some(counts) = self.counts.get(db.as_usize()).and_then(OnceLock::get) else { return 0 };
        let sum: i64 = counts.keys.iter().map(|lane| lane.0.load(Ordering::Relaxed)).sum();
        usize::try_from(sum).unwrap_or(0)
    }

    /// Number of keys of all databases.
    pub(crate) fn all_keys(&self) -> usize {
        (0..self.databases()).map(|db| self.len(DbIndex(db as u32))).sum()
    }

    /// Whether no database has a key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        (0..self.databases()).all(|db| self.len(DbIndex(db as u32)) == 0)
    }

    /// The first stripe from `from` on that has keys of a database.
    #[must_use]
    pub fn next_occupied(&self, db: DbIndex, from: usize) -> Option<usize> {
        let counts = self.counts.get(db.as_usize())?.get()?;
        let mut index = from;
        while index < STRIPES {
            let word = counts.occupied[index / 64].load(Ordering::Relaxed) >> (index % 64);
            if word != 0 {
                return Some(index + word.trailing_zeros() as usize);
            }
            index = (index / 64 + 1) * 64;
        }
        None
    }

    /// Visits keys in the order of their positions from a cursor on: at least `count` of them, then as many as share the last
    /// one's place; fewer, perhaps none, before a stripe that is reserved. Keys whose time has come are left out. Returns the cursor
    /// at which to go on, or nothing at the end. A key that is there throughout is visited exactly once by a walk from the first
    /// cursor to the end.
    pub fn scan(
        &self,
        db: DbIndex,
        cursor: Position,
        count: usize,
        moment: Moment,
        mut visit: impl FnMut(&Entry),
    ) -> Option<Position> {
        let order = |key: &[u8]| self.positioner.position(key).within();
        let mut within = cursor.within();
        let mut index = cursor.stripe();
        let mut visited = 0;
        while let Some(occupied) = self.next_occupied(db, index) {
            if occupied != index {
                (index, within) = (occupied, 0);
                if visited >= count {
                    return Some(Position::from_parts(index, 0));
                }
            }
            let guard = self.lock(index, moment);
            if guard.is_reserved() {
                return Some(Position::from_parts(index, within));
            }
            if let Some(db) = guard.stripe.db(db) {
                let next = db.table.scan(
                    within,
                    count.saturating_sub(visited).max(1),
                    &order,
                    |entry: Borrowed<'_, Entry>| {
                        visited += 1;
                        if entry.expires_at().is_none_or(|at| at > moment.now) {
                            visit(&entry);
                        }
                    },
                );
                if let Some(next) = next {
                    return Some(Position::from_parts(index, next));
                }
            }
            (index, within) = (index + 1, 0);
            if visited >= count {
                return self.next_occupied(db, index).map(|index| Position::from_parts(index, 0));
            }
        }
        None
    }

    /// A key of a database by chance; `random` is a uniform number. Stripes are chosen by their exact number of keys, the keys
    /// of a stripe have the same chance while they are few, and nearly so later. Costs the locks of 64 stripes at most.
    #[must_use]
    pub fn random_key(&self, db: DbIndex, moment: Moment, random: u64) -> RandomKey {
        let Some(mut guard) = self.random_stripe(db, moment, random) else { return RandomKey::Empty };
        if guard.is_reserved() {
            return RandomKey::Gone;
        }
        guard.random_key(db).map_or(RandomKey::Gone, RandomKey::Found)
    }

    /// Entries that were freed in the background so far, and those that wait for it.
    #[must_use]
    pub fn background_frees(&self) -> (u64, u64) {
        // In this order: what is freed in between must not count as waiting.
        let discarded = self.tally.discarded.load(Ordering::Relaxed);
        let freed = self.tally.freed.load(Ordering::Relaxed);
        (freed, discarded.saturating_sub(freed))
    }

    /// Bytes that wait to be freed in the background; those of flushed databases are not known.
    #[must_use]
    pub fn background_bytes(&self) -> u64 {
        self.tally.bytes.load(Ordering::Relaxed)
    }

    /// Empties a database, or all. Stripes with keys give their tables away, 0.3 us each when they are not in cache, and all is
    /// freed in the background.
    ///
    /// The caller must have stopped all other use of the keyspace where a request of several keys must not see half of it, and
    /// let it go on before dropping the result.
    pub fn flush(&self, which: Option<DbIndex>, moment: Moment) -> Flushed<'_, S> {
        let mut taken = Vec::new();
        let dbs = match which {
            Some(db) => db.0..db.0 + 1,
            None => 0..self.databases() as u32,
        };
        for db in dbs.map(DbIndex) {
            let mut from = 0;
            while let Some(index) = self.next_occupied(db, from) {
                let mut guard = self.lock(index, moment);
                let old = guard.stripe.take_db(db);
                if !old.table.is_empty() {
                    self.count(db, index, -(old.table.len() as i64), Some(false));
                    guard.side().flushed(db, old.table.len(), &|key| old.has(&self.positioner, key));
                    taken.extend(guard.preserve_all(old));
                }
                from = index + 1;
            }
        }
        Flushed { keyspace: self, taken }
    }

    /// Exchanges two databases. The caller must have stopped all other use of the keyspace.
    pub fn swap(&self, a: DbIndex, b: DbIndex, moment: Moment) {
        if a == b {
            return;
        }
        self.snapshots.swap(a, b);
        let mut from = 0;
        while let Some(index) =
            self.next_occupied(a, from).into_iter().chain(self.next_occupied(b, from)).min()
        {
            let mut guard = self.lock(index, moment);
            let stripe = &mut *guard.stripe;
            let (old_a, old_b) = (stripe.take_db(a), stripe.take_db(b));
            stripe.put_db(Db { index: b, ..old_a });
            stripe.put_db(Db { index: a, ..old_b });
            let Stripe { zero, others, side, .. } = stripe;
            let has = |db: DbIndex, key: &[u8]| {
                let db = std::iter::once(&*zero).chain(&*others).find(|other| other.index == db);
                db.is_some_and(|db| db.has(&self.positioner, key))
            };
            side.swapped((a, b), &has);
            from = index + 1;
        }
        if let (Some(a), Some(b)) = (self.counts.get(a.as_usize()), self.counts.get(b.as_usize())) {
            let (a, b) = (a.get_or_init(Box::default), b.get_or_init(Box::default));
            for (a, b) in a.keys.iter().zip(&b.keys) {
                a.0.store(b.0.swap(a.0.load(Ordering::Relaxed), Ordering::Relaxed), Ordering::Relaxed);
            }
            for (a, b) in a.occupied.iter().zip(&b.occupied) {
                a.store(b.swap(a.load(Ordering::Relaxed), Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }

    /// The next CAS unique: larger than all before.
    #[must_use]
    pub fn next_cas(&self) -> u64 {
        self.cas.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether something may be due in a stripe.
    #[inline]
    #[must_use]
    pub fn is_due(&self, index: usize, now: UnixMillis) -> bool {
        self.stripes[index].next_due.load(Ordering::Relaxed) <= now.0
    }

    /// Frees an entry: at once, or in the background when that takes long.
    pub fn discard(&self, entry: Entry) {
        if entry.is_slow_to_free() {
            self.send(Trash::Entry(entry));
        }
    }

    /// Lets go of a block that was read after its stripe was unlocked. If the key was changed or deleted meanwhile, this is the
    /// last hold on the old value, which is then freed as [`Keyspace::discard`] would have freed it.
    pub fn discard_block(&self, block: Block) {
        if Arc::strong_count(&block) == 1 && block.capacity() > SLOW_TO_FREE_BYTES {
            self.send(Trash::Block(block));
        }
    }

    /// Whether the wheels of a stripe hold anything, as far as can be told without its lock.
    pub(crate) fn has_timed(&self, index: usize) -> bool {
        self.stripes[index].next_due.load(Ordering::Relaxed) != NEVER
    }

    pub(crate) fn set_next_due(&self, index: usize, next_due: Option<UnixMillis>) {
        self.stripes[index].next_due.store(next_due.map_or(NEVER, |at| at.0), Ordering::Relaxed);
    }

    pub(crate) fn bring_forward(&self, index: usize, next_due: Option<UnixMillis>) {
        let cell = &self.stripes[index].next_due;
        if let Some(at) = next_due
            && at.0 < cell.load(Ordering::Relaxed)
        {
            cell.store(at.0, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_added(&self, db: DbIndex, stripe: usize, first: bool) {
        self.count(db, stripe, 1, first.then_some(true));
    }

    pub(crate) fn count_removed(&self, db: DbIndex, stripe: usize, last: bool) {
        self.count(db, stripe, -1, last.then_some(false));
    }

    /// Moves a database's number of keys; `occupied` says whether the stripe has begun or ceased to have any. The stripe is
    /// locked.
    fn count(&self, db: DbIndex, stripe: usize, change: i64, occupied: Option<bool>) {
        let counts = self.counts[db.as_usize()].get_or_init(Box::default);
        counts.keys[stripe % LANES].0.fetch_add(change, Ordering::Relaxed);
        let (word, bit) = (&counts.occupied[stripe / 64], 1 << (stripe % 64));
        match occupied {
            Some(true) => word.fetch_or(bit, Ordering::Relaxed),
            Some(false) => word.fetch_and(!bit, Ordering::Relaxed),
            None => 0,
        };
    }

    /// Locks a stripe by chance, in proportion to the keys that it has.
    fn random_stripe(&self, db: DbIndex, moment: Moment, random: u64) -> Option<StripeGuard<'_, S>> {
        let counts = self.counts.get(db.as_usize())?.get()?;
        let lens = counts.keys.each_ref().map(|lane| lane.0.load(Ordering::Relaxed).max(0) as u64);
        let total: u64 = lens.iter().sum();
        let mut rank = ((u128::from(random) * u128::from(total)) >> 64) as u64;
        for (lane, len) in lens.into_iter().enumerate() {
            if rank >= len {
                rank -= len;
                continue;
            }
            for index in (lane..STRIPES).step_by(LANES) {
                if counts.occupied[index / 64].load(Ordering::Relaxed) >> (index % 64) & 1 == 0 {
                    continue;
                }
                let guard = self.lock(index, moment);
                let len = guard.len(db) as u64;
                if rank < len {
                    return Some(guard);
                }
                rank -= len;
            }
            break;
        }
        // Others removed keys meanwhile: any stripe that has some will do.
        self.next_occupied(db, 0).map(|index| self.lock(index, moment))
    }

    pub(crate) fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    pub(crate) fn send(&self, trash: Trash) {
        // Without a receiver (a keyspace of a test) the error gives the garbage back, and it is freed here.
        let bytes = trash.bytes();
        self.tally.discarded.fetch_add(trash.entries(), Ordering::Relaxed);
        self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
        drop(self.garbage.send(Garbage { trash: Some(trash), bytes, tally: Arc::clone(&self.tally) }));
    }
}

#[cfg(test)]
mod tests;
