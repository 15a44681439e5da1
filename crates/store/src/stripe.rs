//! A stripe: a lock with its part of the keyspace, and what can be done with keys while it is held.

use crate::access::{Access, AccessPolicy};
use crate::change::{Change, Effect, Event, SideState};
use crate::entry::{Attributes, Entry, NewValue, Type, earlier};
use crate::expire;
use crate::keyspace::Keyspace;
use crate::position::{Key, Positioner};
use crate::queues::Ghosts;
use crate::snapshot::Walked;
use crate::sync::MutexGuard;
use crate::table::{Borrowed, BorrowedMut, Location, Table};
use crate::wheel::Wheel;
use crate::{DbIndex, UnixMillis};

/// Slack before stale wheel nodes are swept: a wheel may hold twice the keys that expire, or have fields that do, and this many more.
const WHEEL_SLACK: usize = 100;
/// Nodes re-judged for each node added while the wheel holds too many.
const SWEEP_NODES: usize = 16;

/// The moment at which a request runs, frozen for its duration, and what an access leaves on an entry.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub now: UnixMillis,
    /// The time by which keys are used: the same, but for those of a log that is being loaded.
    pub clock: UnixMillis,
    /// What the access bits hold.
    pub policy: AccessPolicy,
    /// What becomes of a key whose time has come, when it is looked for.
    pub due: Due,
}

/// What becomes of a key whose time has come, when it is looked for. It is not found either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Due {
    /// It is removed.
    #[default]
    Removed,
    /// It stays: for requests that change nothing while nothing is to change by itself.
    Kept,
}

/// Whether looking at a key counts as using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It does: access bits move on.
    Yes,
    /// It does not (OBJECT, TYPE, TTL, a client under CLIENT NO-TOUCH).
    No,
}

/// What becomes of a key that is not there when its collection is to be changed.
#[derive(Debug)]
pub enum Missing<'a> {
    /// It is created with this value, an empty collection.
    Create(NewValue<'a>),
    /// It is left alone.
    Leave,
}

/// A key holds a value of another type than the operation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// One numbered database's keys in one stripe. The root of the table comes first: every access to a key reads it.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Db {
    pub(crate) table: Table<Entry>,
    pub(crate) index: DbIndex,
    pub(crate) wheel: Option<Box<Wheel>>,
    pub(crate) expiries: Expiries,
    /// How many keys hold hashes with fields that expire.
    pub(crate) expiring_hashes: usize,
}

impl Db {
    /// Whether a key is there, be it that its time has come.
    pub(crate) fn has(&self, positioner: &Positioner, key: &[u8]) -> bool {
        self.table.find(positioner.position(key).within(), key).is_some()
    }

    /// Takes an entry out of the table, and out of the counts.
    pub(crate) fn remove(&mut self, location: Location) -> Entry {
        let entry = self.table.remove(location);
        self.expiries.remove(entry.expires_at());
        self.expiring_hashes -= usize::from(entry.next_field_expiry().is_some());
        entry
    }
}

/// The keys that have an expiry: how many, and the sum of their expiries, from which the average follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiries {
    /// How many keys have one.
    pub keys: usize,
    /// The halves of the sum, the high one first: an `i128` would have the whole stripe aligned to 16 bytes.
    sum: (i64, u64),
}

impl Expiries {
    /// The sum, in milliseconds since 1970.
    #[must_use]
    pub fn sum_millis(self) -> i128 {
        i128::from(self.sum.0) << 64 | i128::from(self.sum.1)
    }

    fn set_sum_millis(&mut self, sum: i128) {
        self.sum = ((sum >> 64) as i64, sum as u64);
    }

    pub(crate) fn add(&mut self, expires_at: Option<UnixMillis>) {
        if let Some(at) = expires_at {
            self.keys += 1;
            self.set_sum_millis(self.sum_millis() + i128::from(at.0));
        }
    }

    pub(crate) fn remove(&mut self, expires_at: Option<UnixMillis>) {
        if let Some(at) = expires_at {
            self.keys -= 1;
            self.set_sum_millis(self.sum_millis() - i128::from(at.0));
        }
    }
}

/// What the lock protects. Lock and table of database 0 share a cache line, so that one prefetch brings both.
#[derive(Default)]
#[repr(C)]
pub struct Stripe<S> {
    /// Set while somebody who is not at work just now has it for itself; see [`StripeGuard::reserve`].
    pub(crate) reserved: bool,
    /// Database 0, which nearly everybody uses, without a further step to reach it.
    pub(crate) zero: Db,
    /// The others that hold keys, in no order.
    pub(crate) others: Vec<Db>,
    pub(crate) side: S,
    /// How far a snapshot has come.
    pub(crate) walked: Walked,
    /// Keys evicted of late, while eviction goes by queues.
    pub(crate) ghosts: Option<Box<Ghosts>>,
    pub(crate) random: u32,
}

const _: () = assert!(
    2 * align_of::<Db>() + size_of::<Table<Entry>>() <= 64,
    "the table is not in the lock's cache line"
);

impl<S: SideState> Stripe<S> {
    pub(crate) fn new(seed: u32) -> Stripe<S> {
        Stripe { random: seed | 1, ..Stripe::default() }
    }

    pub(crate) fn db(&self, db: DbIndex) -> Option<&Db> {
        if db == DbIndex(0) { Some(&self.zero) } else { self.others.iter().find(|other| other.index == db) }
    }

    #[inline]
    pub(crate) fn db_mut(&mut self, db: DbIndex) -> Option<&mut Db> {
        named(&mut self.zero, &mut self.others, db)
    }

    fn db_or_new(&mut self, db: DbIndex) -> &mut Db {
        if db == DbIndex(0) {
            return &mut self.zero;
        }
        let place = self.others.iter().position(|other| other.index == db).unwrap_or_else(|| {
            self.others.push(Db { index: db, ..Db::default() });
            self.others.len() - 1
        });
        &mut self.others[place]
    }

    pub(crate) fn take_db(&mut self, db: DbIndex) -> Db {
        if db == DbIndex(0) {
            return std::mem::take(&mut self.zero);
        }
        match self.others.iter().position(|other| other.index == db) {
            Some(place) => self.others.swap_remove(place),
            None => Db { index: db, ..Db::default() },
        }
    }

    pub(crate) fn put_db(&mut self, db: Db) {
        if db.index == DbIndex(0) {
            self.zero = db;
        } else if !db.table.is_empty() {
            self.others.push(db);
        }
    }

    pub(crate) fn dbs_mut(&mut self) -> (impl Iterator<Item = &mut Db>, &mut S) {
        (std::iter::once(&mut self.zero).chain(&mut self.others), &mut self.side)
    }

    fn random_u64(&mut self) -> u64 {
        u64::from(next_random(&mut self.random)) << 32 | u64::from(next_random(&mut self.random))
    }
}

/// The database of this number.
#[inline]
fn named<'a>(zero: &'a mut Db, others: &'a mut [Db], db: DbIndex) -> Option<&'a mut Db> {
    if db == DbIndex(0) { Some(zero) } else { others.iter_mut().find(|other| other.index == db) }
}

/// Xorshift: enough for the chance of counting an access.
pub(crate) fn next_random(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

/// A locked stripe. Every method that takes a key wants one whose position belongs to this stripe.
pub struct StripeGuard<'a, S: SideState> {
    pub(crate) keyspace: &'a Keyspace<S>,
    pub(crate) index: usize,
    pub(crate) stripe: MutexGuard<'a, Stripe<S>>,
    pub(crate) moment: Moment,
}

impl<S: SideState> StripeGuard<'_, S> {
    /// Which stripe this is.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Keeps the stripe from being locked by [`Keyspace::try_lock`], or no longer, also after the guard is gone: for who has begun to change
    /// several keys as one, and goes on later. [`Keyspace::lock`] locks it all the same.
    pub fn reserve(&mut self, reserved: bool) {
        self.stripe.reserved = reserved;
    }

    /// Whether somebody who is not at work just now has it for itself: what is seen may be half done.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.stripe.reserved
    }

    /// The engine's side state of this stripe.
    pub fn side(&mut self) -> &mut S {
        &mut self.stripe.side
    }

    /// Finds a key; one whose time has come is removed instead.
    #[inline]
    pub fn find(&mut self, db: DbIndex, key: Key<'_>, touch: Touch) -> Option<Borrowed<'_, Entry>> {
        let location = self.locate(db, key)?;
        if touch == Touch::Yes {
            self.touch(db, location);
        }
        Some(self.stripe.db(db)?.table.entry(location))
    }

    /// Finds a string.
    ///
    /// # Errors
    /// The key holds another type.
    #[inline]
    pub fn find_string(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        touch: Touch,
    ) -> Result<Option<Borrowed<'_, Entry>>, WrongType> {
        self.find_type(db, key, Type::String, touch)
    }

    /// Whether a key exists.
    pub fn contains(&mut self, db: DbIndex, key: Key<'_>) -> bool {
        self.locate(db, key).is_some()
    }

    /// Stores a value with these attributes, over whatever the key held. If the key had a CAS unique, it gets a new one. The value
    /// is no hash with fields that expire: such a one is placed.
    #[inline]
    pub fn put(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        attributes: &Attributes,
        value: NewValue<'_>,
        event: Event,
    ) {
        let Some(location) = self.locate(db, key) else {
            return self.create(db, key, attributes, value, event);
        };
        self.preserve(db, location);
        let mut attributes = *attributes;
        let keyspace = self.keyspace;
        let mut entry = self.accessed(db, location, Access::Write);
        if entry.is_item() && attributes.cas.is_none() && entry.attributes().cas.is_some() {
            attributes.cas = Some(keyspace.next_cas());
        }
        let before = (entry.expires_at(), entry.is_timed());
        let (mut lost_fields, mut slow_to_free) = (false, false);
        if entry.is_pointer() {
            (lost_fields, slow_to_free) = (entry.next_field_expiry().is_some(), entry.is_slow_to_free());
        }
        if slow_to_free {
            let mut new = Entry::new(key.bytes, entry.access(), &attributes, value);
            new.set_timed(before.1);
            new.set_preserved(entry.is_preserved());
            keyspace.discard(std::mem::replace(&mut *entry, new));
        } else {
            entry.replace(&attributes, value);
        }
        drop(entry);
        if lost_fields && let Some(place) = self.stripe.db_mut(db) {
            place.expiring_hashes -= 1;
        }
        self.reschedule(db, key, location, before, attributes.expires_at);
        self.changed(db, key.bytes, Effect::Modified, event);
    }

    /// Stores a value and keeps the attributes the key has; a new key has none.
    pub fn put_value(&mut self, db: DbIndex, key: Key<'_>, value: NewValue<'_>, event: Event) {
        let attributes = self.locate(db, key).map(|at| self.entry_mut(db, at).attributes());
        let attributes = Attributes { cas: None, ..attributes.unwrap_or_default() };
        self.put(db, key, &attributes, value, event);
    }

    /// Gives a string's bytes, at least `min_len` of them (missing ones are zeros; a missing key is created), to `change`.
    ///
    /// # Errors
    /// The key holds another type.
    pub fn change_string<R>(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        min_len: usize,
        event: Event,
        change: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, WrongType> {
        let Some(location) = self.locate(db, key) else {
            let access = self.created_access(db, key);
            let mut entry = Entry::new(key.bytes, access, &Attributes::default(), NewValue::raw(&[]));
            let result = change(entry.raw_mut(min_len));
            self.insert(db, key, entry, Effect::Created, event);
            return Ok(result);
        };
        let keyspace = self.keyspace;
        if self.entry_mut(db, location).value_type() != Type::String {
            return Err(WrongType);
        }
        self.preserve(db, location);
        let mut entry = self.accessed(db, location, Access::Write);
        renew_cas(&mut entry, keyspace);
        let result = change(entry.raw_mut(min_len));
        drop(entry);
        self.changed(db, key.bytes, Effect::Modified, event);
        Ok(result)
    }

    /// Finds a value of one type.
    ///
    /// # Errors
    /// The key holds another type.
    #[inline]
    pub fn find_type(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        of: Type,
        touch: Touch,
    ) -> Result<Option<Borrowed<'_, Entry>>, WrongType> {
        match self.find(db, key, touch) {
            Some(entry) if entry.value_type() != of => Err(WrongType),
            found => Ok(found),
        }
    }

    /// Gives the entry of a collection to `change`, which returns its result and the events of what it did, one as a rule; no event
    /// means that nothing changed. A key that is not there is created by `missing`, or left alone: then the result is `None`. A
    /// collection without elements is removed, with the event [`Event::DELETED`] after the change's own.
    ///
    /// # Errors
    /// The key holds another type.
    pub fn change_collection<R, E: IntoIterator<Item = Event>>(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        of: Type,
        missing: Missing<'_>,
        change: impl FnOnce(&mut Entry) -> (R, E),
    ) -> Result<Option<R>, WrongType> {
        let Some(location) = self.locate(db, key) else {
            return Ok(self.create_collection(db, key, missing, change));
        };
        if self.entry_mut(db, location).value_type() != of {
            return Err(WrongType);
        }
        self.preserve(db, location);
        let keyspace = self.keyspace;
        let mut entry = self.accessed(db, location, Access::Write);
        let first_field = entry.next_field_expiry();
        let (result, events) = change(&mut entry);
        let mut events = events.into_iter();
        let Some(event) = events.next() else { return Ok(Some(result)) };
        renew_cas(&mut entry, keyspace);
        let spent = entry.is_spent();
        let fields_moved = entry.next_field_expiry() != first_field;
        drop(entry);
        if fields_moved {
            self.reschedule_fields(db, key, location, first_field);
        }
        self.changed(db, key.bytes, Effect::Modified, event);
        events.for_each(|event| self.changed(db, key.bytes, Effect::Noted, event));
        if spent {
            let entry = self.remove_at(db, location);
            self.changed(db, key.bytes, Effect::Removed, Event::DELETED);
            keyspace.discard(entry);
        }
        Ok(Some(result))
    }

    fn create_collection<R, E: IntoIterator<Item = Event>>(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        missing: Missing<'_>,
        change: impl FnOnce(&mut Entry) -> (R, E),
    ) -> Option<R> {
        let Missing::Create(empty) = missing else { return None };
        let access = self.created_access(db, key);
        let mut entry = Entry::new(key.bytes, access, &Attributes::default(), empty);
        let (result, events) = change(&mut entry);
        let mut events = events.into_iter();
        if let Some(event) = events.next()
            && !entry.is_spent()
        {
            self.insert(db, key, entry, Effect::Created, event);
            events.for_each(|event| self.changed(db, key.bytes, Effect::Noted, event));
        }
        Some(result)
    }

    /// Changes the attributes of an existing key; says whether it exists. CAS stays as it is.
    pub fn put_attributes(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        attributes: &Attributes,
        event: Event,
    ) -> bool {
        let location = self.locate(db, key);
        if let Some(location) = location {
            self.put_attributes_at(db, key, location, attributes, event);
        }
        location.is_some()
    }

    /// Sets or removes the expiry of an existing key; says whether it exists.
    pub fn put_expiry(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        expires_at: Option<UnixMillis>,
        event: Event,
    ) -> bool {
        let Some(location) = self.locate(db, key) else {
            return false;
        };
        let attributes = Attributes { expires_at, ..self.entry_mut(db, location).attributes() };
        self.put_attributes_at(db, key, location, &attributes, event);
        true
    }

    /// The CAS unique of an existing key; attached now if it had none. This is no change of the key.
    pub fn cas(&mut self, db: DbIndex, key: Key<'_>) -> Option<u64> {
        let location = self.locate(db, key)?;
        let keyspace = self.keyspace;
        let mut entry = self.entry_mut(db, location);
        let attributes = entry.attributes();
        Some(attributes.cas.unwrap_or_else(|| {
            let cas = keyspace.next_cas();
            entry.set_attributes(&Attributes { cas: Some(cas), ..attributes });
            cas
        }))
    }

    /// Sets the access bits and the fetched mark of an existing key; no change of the key.
    pub fn mark(&mut self, db: DbIndex, key: Key<'_>, mark: impl FnOnce(&mut Entry)) {
        if let Some(location) = self.locate(db, key) {
            mark(&mut self.entry_mut(db, location));
        }
    }

    /// Tells of the change just made under one more name (`expire` after `set`).
    #[inline]
    pub fn note(&mut self, db: DbIndex, key: Key<'_>, event: Event) {
        self.changed(db, key.bytes, Effect::Noted, event);
    }

    /// Deletes a key; says whether it existed. A large value is freed in the background.
    pub fn delete(&mut self, db: DbIndex, key: Key<'_>, event: Event) -> bool {
        let taken = self.take(db, key, event);
        let found = taken.is_some();
        if let Some(entry) = taken {
            self.keyspace.discard(entry);
        }
        found
    }

    /// Takes a key out of the keyspace.
    pub fn take(&mut self, db: DbIndex, key: Key<'_>, event: Event) -> Option<Entry> {
        let location = self.locate(db, key)?;
        let entry = self.remove_at(db, location);
        self.changed(db, key.bytes, Effect::Removed, event);
        Some(entry)
    }

    /// Puts an entry taken or copied elsewhere under this key, over whatever was there. A CAS unique is renewed: the value is new
    /// to this key.
    pub fn place(&mut self, db: DbIndex, key: Key<'_>, entry: Entry, event: Event) {
        let mut effect = Effect::Created;
        if let Some(location) = self.locate(db, key) {
            let old = self.remove_at(db, location);
            self.keyspace.discard(old);
            effect = Effect::Modified;
        }
        let mut entry = if entry.key() == key.bytes { entry } else { entry.renamed(key.bytes) };
        renew_cas(&mut entry, self.keyspace);
        self.insert(db, key, entry, effect, event);
    }

    /// A key by chance. `None` when the database has none in this stripe, or when the one chosen was due: then it is gone now.
    pub fn random_key(&mut self, db: DbIndex) -> Option<Vec<u8>> {
        let location = self.random(db)?;
        let entry = self.stripe.db(db)?.table.entry(location);
        if entry.expires_at().is_some_and(|at| at <= self.moment.now) {
            self.expire(db, location);
            return None;
        }
        Some(entry.key().to_vec())
    }

    /// Number of keys that a database has in this stripe, those included whose time has come but that are still there.
    #[must_use]
    pub fn len(&self, db: DbIndex) -> usize {
        self.stripe.db(db).map_or(0, |db| db.table.len())
    }

    /// Whether no database has a key in this stripe.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stripe.zero.table.is_empty() && self.stripe.others.iter().all(|db| db.table.is_empty())
    }

    /// Bytes of memory that a database takes in this stripe beside its entries: table and time index.
    #[must_use]
    pub fn overhead_bytes(&self, db: DbIndex) -> usize {
        let Some(db) = self.stripe.db(db) else { return 0 };
        db.table.memory_bytes() + db.wheel.as_ref().map_or(0, |wheel| wheel.memory_bytes())
    }

    /// Number of keys with an expiry that a database has in this stripe.
    #[must_use]
    pub fn expiring(&self, db: DbIndex) -> usize {
        self.expiries(db).keys
    }

    /// Number of keys of a database in this stripe that hold hashes with fields that expire.
    #[must_use]
    pub fn expiring_hashes(&self, db: DbIndex) -> usize {
        self.stripe.db(db).map_or(0, |db| db.expiring_hashes)
    }

    /// The keys with an expiry that a database has in this stripe, and when they expire on average.
    #[must_use]
    pub fn expiries(&self, db: DbIndex) -> Expiries {
        self.stripe.db(db).map_or_else(Expiries::default, |db| db.expiries)
    }

    /// Where some key lies. Slots are tried until one is in use, so that a key behind a gap has no better chance than others.
    fn random(&mut self, db: DbIndex) -> Option<Location> {
        // Most slots are in use: to fail this often is next to impossible.
        const TRIES: usize = 64;
        let mut numbers = (0, 0);
        for _ in 0..TRIES {
            numbers = (self.stripe.random_u64(), self.stripe.random_u64());
            let found = self.stripe.db(db)?.table.sample(numbers.0, numbers.1);
            if found.is_some() {
                return found;
            }
        }
        self.stripe.db(db)?.table.random(numbers.0, numbers.1)
    }

    /// Where a key lies; one whose time has come is removed instead.
    #[inline]
    fn locate(&mut self, db: DbIndex, key: Key<'_>) -> Option<Location> {
        debug_assert_eq!(key.position.stripe(), self.index, "the key belongs to another stripe");
        let (location, entry) = self.stripe.db(db)?.table.find(key.position.within(), key.bytes)?;
        if entry.expires_at().is_some_and(|at| at <= self.moment.now) {
            self.expire(db, location);
            return None;
        }
        Some(location)
    }

    #[cold]
    fn expire(&mut self, db: DbIndex, location: Location) {
        if self.moment.due == Due::Kept {
            return;
        }
        let entry = self.remove_at(db, location);
        self.stripe.side.goes_by_itself(db, entry.key());
        self.changed(db, entry.key(), Effect::Removed, Event::EXPIRED);
        self.keyspace.discard(entry);
    }

    #[inline]
    fn touch(&mut self, db: DbIndex, location: Location) {
        self.accessed(db, location, Access::Read).set_fetched();
    }

    /// An entry whose access bits have just been moved on.
    #[inline]
    fn accessed(&mut self, db: DbIndex, location: Location, how: Access) -> BorrowedMut<'_, Entry> {
        let Moment { clock: now, policy, .. } = self.moment;
        let Stripe { zero, others, random, .. } = &mut *self.stripe;
        let db = named(zero, others, db).expect("a location was found in this database");
        let mut entry = db.table.entry_mut(location);
        let access = policy.touched(entry.access(), now, how, || next_random(random));
        entry.set_access(access);
        entry
    }

    #[inline]
    fn entry_mut(&mut self, db: DbIndex, location: Location) -> BorrowedMut<'_, Entry> {
        let db = self.stripe.db_mut(db).expect("a location was found in this database");
        db.table.entry_mut(location)
    }

    #[inline]
    pub(crate) fn changed(&mut self, db: DbIndex, key: &[u8], effect: Effect, event: Event) {
        self.stripe.side.changed(Change { db, key, effect, event });
    }

    /// The access bits of a key that is created now.
    #[inline]
    fn created_access(&mut self, db: DbIndex, key: Key<'_>) -> u32 {
        match self.moment.policy {
            AccessPolicy::Queued => self.admit(db, key.position),
            policy => policy.created(self.moment.clock),
        }
    }

    fn create(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        attributes: &Attributes,
        value: NewValue<'_>,
        event: Event,
    ) {
        let access = self.created_access(db, key);
        self.insert(db, key, Entry::new(key.bytes, access, attributes, value), Effect::Created, event);
    }

    fn put_attributes_at(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        location: Location,
        attributes: &Attributes,
        event: Event,
    ) {
        self.preserve(db, location);
        let mut entry = self.entry_mut(db, location);
        let (old, before) = (entry.expires_at(), (entry.wakes_at(), entry.is_timed()));
        entry.set_attributes(attributes);
        let (new, wakes_at) = (attributes.expires_at, entry.wakes_at());
        drop(entry);
        if old != new {
            self.rewatch(db, key, location, before, wakes_at, (old, new));
        }
        self.changed(db, key.bytes, Effect::Modified, event);
    }

    /// Adds an entry whose key is not there, or no longer.
    fn insert(&mut self, db: DbIndex, key: Key<'_>, mut entry: Entry, effect: Effect, event: Event) {
        let positioner = self.keyspace.positioner();
        let (expires_at, next_field) = (entry.expires_at(), entry.next_field_expiry());
        let wakes_at = earlier(expires_at, next_field);
        entry.set_timed(wakes_at.is_some());
        entry.set_preserved(self.is_new_to_snapshot(db, key.position.within()));
        let place = self.stripe.db_or_new(db);
        place.table.insert(key.position.within(), entry, &|key: &[u8]| positioner.position(key).within());
        let first = place.table.len() == 1;
        self.keyspace.count_added(db, self.index, first);
        if let Some(at) = wakes_at {
            let place = self.stripe.db_or_new(db);
            place.expiries.add(expires_at);
            place.expiring_hashes += usize::from(next_field.is_some());
            self.watch(db, key, at);
        }
        self.changed(db, key.bytes, effect, event);
    }

    pub(crate) fn remove_at(&mut self, db: DbIndex, location: Location) -> Entry {
        self.preserve(db, location);
        let place = self.stripe.db_mut(db).expect("a location was found in this database");
        let entry = place.remove(location);
        let last = place.table.is_empty();
        if last {
            drop(self.stripe.take_db(db));
        }
        self.keyspace.count_removed(db, self.index, last);
        entry
    }

    /// Keeps counts and wheel right after the expiry of a key may have changed, which holds no fields that expire, or no longer.
    #[inline]
    fn reschedule(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        location: Location,
        before: (Option<UnixMillis>, bool),
        new: Option<UnixMillis>,
    ) {
        if before.0 != new {
            self.rewatch(db, key, location, before, new, (before.0, new));
        }
    }

    /// Keeps counts and wheel right after the first field of a hash to expire is another than before.
    fn reschedule_fields(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        location: Location,
        before: Option<UnixMillis>,
    ) {
        let Some(place) = self.stripe.db_mut(db) else { return };
        let entry = place.table.entry(location);
        let (expires_at, timed, new) = (entry.expires_at(), entry.is_timed(), entry.next_field_expiry());
        place.expiring_hashes += usize::from(new.is_some());
        place.expiring_hashes -= usize::from(before.is_some());
        let before = (earlier(expires_at, before), timed);
        self.rewatch(db, key, location, before, earlier(expires_at, new), (None, None));
    }

    /// Keeps the wheel right after an entry is to be looked at at another time: it must hold a node that comes up no later. And the
    /// counts, where the expiry of the key was and is another.
    #[inline]
    fn rewatch(
        &mut self,
        db: DbIndex,
        key: Key<'_>,
        location: Location,
        before: (Option<UnixMillis>, bool),
        new: Option<UnixMillis>,
        expiries: (Option<UnixMillis>, Option<UnixMillis>),
    ) {
        let (old, timed) = before;
        let covered = timed && matches!((old, new), (Some(old), Some(new)) if old <= new);
        if let Some(place) = self.stripe.db_mut(db) {
            place.table.entry_mut(location).set_timed(new.is_some());
            place.expiries.remove(expiries.0);
            place.expiries.add(expiries.1);
        }
        if let (Some(at), false) = (new, covered) {
            self.watch(db, key, at);
        }
    }

    /// Adds a wheel node for a key, and works off stale ones while there are too many.
    fn watch(&mut self, db: DbIndex, key: Key<'_>, at: UnixMillis) {
        let (now, positioner) = (self.moment.now, self.keyspace.positioner());
        let Some(place) = self.stripe.db_mut(db) else { return };
        let wheel = place.wheel.get_or_insert_with(|| Box::new(Wheel::new(epoch(self.index, now))));
        wheel.insert(key.position.fragment(), at);
        if wheel.len() > 2 * (place.expiries.keys + place.expiring_hashes) + WHEEL_SLACK {
            let table = &place.table;
            let _ = wheel.sweep(SWEEP_NODES, |fragment| expire::verdict(table, positioner, fragment));
        }
        let next_due = wheel.next_due();
        self.keyspace.bring_forward(self.index, next_due);
    }
}

/// Where a stripe's wheels count from: each stripe at another phase, so that they do not all cascade in the same tick.
fn epoch(stripe: usize, now: UnixMillis) -> UnixMillis {
    const PHASE_MILLIS: i64 = 16 * 16 * 16 * 16;
    now.saturating_add(-(stripe as i64 * 7919 % PHASE_MILLIS * 16))
}

pub(crate) fn renew_cas<S: SideState>(entry: &mut Entry, keyspace: &Keyspace<S>) {
    if entry.is_item() {
        let attributes = entry.attributes();
        if attributes.cas.is_some() {
            entry.set_attributes(&Attributes { cas: Some(keyspace.next_cas()), ..attributes });
        }
    }
}
