//! The keys of a request, locked.

use larder_store::{
    Attributes, DbIndex, Entry, Event, Key, Keyspace, Missing, Moment, NewValue, Position, SideState as _,
    StripeGuard, Touch, Type, UnixMillis, WrongType, table::Borrowed,
};
use smallvec::SmallVec;

use crate::blocking::Ready;
use crate::error::CommandError;
use crate::held::Held;
use crate::node::Node;
use crate::recording::Recording;
use crate::stats::{StripeStats, WorkerStats};
use crate::sync::{Ordering, spin_loop};

/// How often a stripe in use is tried before the whole request backs off: a few hundred nanoseconds, about what a command
/// holds one for.
const SPINS: usize = 64;

/// In ascending order; nearly always one.
pub(crate) type Stripes<'a> = SmallVec<[StripeGuard<'a, StripeStats>; 1]>;

/// The stripes of a request's keys, locked until this is dropped, seen through one numbered database.
///
/// All were taken before the first effect, in ascending order. Methods take keys of the request only. Before the stripes are
/// unlocked, clients that are blocked for keys that have changed are served.
pub struct Locked<'a> {
    stripes: Stripes<'a>,
    then: Then<'a>,
    /// Whether the stripes have been told who is at work.
    acting: bool,
    /// What it is recorded as in the append log, while there is one.
    pub(crate) recording: Option<Recording<'a>>,
    node: &'a Node,
    stats: &'a WorkerStats,
    touch: Touch,
    db: DbIndex,
    moment: Moment,
}

/// What becomes of the stripes afterwards.
#[derive(Clone, Copy)]
enum Then<'a> {
    /// Clients that are blocked for keys that have changed are served, and the stripes are unlocked.
    Serve,
    /// They are unlocked; who is blocked is served later.
    Unlock,
    /// They stay locked.
    Keep(&'a Held<'a>),
}

impl<'a> Locked<'a> {
    /// Locks the stripes of the keys at these positions; if one stays in use, lets go of all.
    ///
    /// # Errors
    /// [`CommandError::Contended`], which has the request tried again.
    #[inline]
    pub fn new(
        node: &'a Node,
        stats: &'a WorkerStats,
        mut keys: impl ExactSizeIterator<Item = Position>,
        moment: Moment,
        touch: Touch,
        db: DbIndex,
    ) -> Result<Locked<'a>, CommandError> {
        let one = if keys.len() == 1 { keys.next() } else { None };
        let stripes = match one {
            Some(key) => lock(&node.keyspace, key.stripe(), moment)
                .map(|stripe| SmallVec::from_buf([stripe]))
                .ok_or(CommandError::Contended)?,
            None => Locked::lock_all(node, keys, moment)?,
        };
        let (then, acting, recording) = (Then::Serve, false, None);
        Ok(Locked { stripes, then, acting, recording, node, stats, touch, db, moment })
    }

    /// Serves nobody when the stripes are unlocked: that is done later.
    pub(crate) fn without_serving(self) -> Locked<'a> {
        let mut locked = self;
        locked.then = Then::Unlock;
        locked
    }

    /// Takes up the stripes of keys that stay locked when this is dropped.
    pub(crate) fn within(
        node: &'a Node,
        stats: &'a WorkerStats,
        held: &'a Held<'a>,
        keys: impl Iterator<Item = Position>,
        moment: Moment,
        touch: Touch,
        db: DbIndex,
    ) -> Locked<'a> {
        let stripes = held.take_up(keys.map(Position::stripe), moment);
        let (then, acting, recording) = (Then::Keep(held), false, None);
        Locked { stripes, then, acting, recording, node, stats, touch, db, moment }
    }

    /// What these guards, in ascending order, have locked.
    pub(crate) fn of(
        node: &'a Node,
        stats: &'a WorkerStats,
        stripes: Stripes<'a>,
        moment: Moment,
        touch: Touch,
    ) -> Locked<'a> {
        let (then, acting, recording, db) = (Then::Serve, false, None, DbIndex(0));
        Locked { stripes, then, acting, recording, node, stats, touch, db, moment }
    }

    /// The guards of the stripes of these positions, in ascending order.
    pub(crate) fn lock_all(
        node: &'a Node,
        positions: impl Iterator<Item = Position>,
        moment: Moment,
    ) -> Result<Stripes<'a>, CommandError> {
        let mut wanted: SmallVec<[usize; 8]> = positions.map(Position::stripe).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let lock = |stripe| lock(&node.keyspace, stripe, moment).ok_or(CommandError::Contended);
        wanted.into_iter().map(lock).collect()
    }

    /// Locks the stripe of another key if it is free: for what is done on behalf of a client that was blocked. Says whether it is locked.
    pub fn lock_also(&mut self, key: Position) -> bool {
        let wanted = key.stripe();
        let Err(place) = self.stripes.binary_search_by_key(&wanted, StripeGuard::index) else { return true };
        // Out of order, but nobody waits for it.
        let found = lock(&self.node.keyspace, wanted, self.moment);
        let locked = found.is_some();
        self.stripes.extend(found);
        let last = self.stripes.len() - 1;
        if locked {
            self.stripes[place..=last].rotate_right(1);
        }
        locked
    }

    /// The database that the methods below work in.
    #[must_use]
    pub fn db(&self) -> DbIndex {
        self.db
    }

    /// Looks at another database from now on.
    pub fn select(&mut self, db: DbIndex) {
        self.db = db;
    }

    /// The time at which the request runs.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.moment.now
    }

    pub(crate) fn node(&self) -> &'a Node {
        self.node
    }

    pub(crate) fn side(&mut self, key: Key<'_>) -> &mut StripeStats {
        self.stripe(key).side()
    }

    /// Changes of keys that the stripes have counted, without those that happened by themselves.
    pub(crate) fn changes(&mut self) -> u64 {
        let by_request = |stripe: &mut StripeGuard<'_, StripeStats>| {
            let side = stripe.side();
            side.changes.wrapping_sub(side.gone_by_themselves)
        };
        self.stripes.iter_mut().map(by_request).fold(0, u64::wrapping_add)
    }

    /// Tells the stripes who is at work, where that matters.
    pub(crate) fn act_for(&mut self, client: u64) {
        self.acting = true;
        self.stripes.iter_mut().for_each(|stripe| stripe.side().set_actor(client));
    }

    /// The first key that has changed and that clients are blocked for.
    pub(crate) fn take_ready(&mut self) -> Option<Ready> {
        let numbered =
            |stripe: &mut StripeGuard<'_, StripeStats>| Some((stripe.side().first_ready()?, stripe.index()));
        let (_, first) = self.stripes.iter_mut().filter_map(numbered).min()?;
        self.stripes.iter_mut().find(|stripe| stripe.index() == first)?.side().take_ready()
    }

    /// Reads a key on behalf of a client: counts a hit or a miss, and counts as a use of the key.
    #[inline]
    pub fn read(&mut self, key: Key<'_>) -> Option<Borrowed<'_, Entry>> {
        let (db, touch, stats) = (self.db, self.touch, self.stats);
        if self.node.tells_misses.load(Ordering::Relaxed) {
            self.tell_miss(key);
        }
        let found = self.stripe(key).find(db, key, touch);
        if found.is_some() {
            stats.hits.add(1)
        } else {
            stats.misses.add(1)
        }
        found
    }

    /// Tells subscribers if a key is not there.
    #[cold]
    fn tell_miss(&mut self, key: Key<'_>) {
        let db = self.db;
        let stripe = self.stripe(key);
        if !stripe.contains(db, key) {
            stripe.side().missed(db, key.bytes);
        }
    }

    /// Reads a string on behalf of a client, as [`Locked::read`].
    ///
    /// # Errors
    /// The key holds another type.
    #[inline]
    pub fn read_string(&mut self, key: Key<'_>) -> Result<Option<Borrowed<'_, Entry>>, WrongType> {
        self.read_type(key, Type::String)
    }

    /// Reads a value of one type on behalf of a client, as [`Locked::read`].
    ///
    /// # Errors
    /// The key holds another type.
    #[inline]
    pub fn read_type(&mut self, key: Key<'_>, of: Type) -> Result<Option<Borrowed<'_, Entry>>, WrongType> {
        match self.read(key) {
            Some(entry) if entry.value_type() != of => Err(WrongType),
            found => Ok(found),
        }
    }

    /// Looks at a key on behalf of a write: counts as a use of the key, but neither as a hit nor as a miss.
    pub fn touch(&mut self, key: Key<'_>) -> Option<Borrowed<'_, Entry>> {
        let (db, touch) = (self.db, self.touch);
        self.stripe(key).find(db, key, touch)
    }

    /// Looks at a key without leaving a trace.
    #[inline]
    pub fn inspect(&mut self, key: Key<'_>) -> Option<Borrowed<'_, Entry>> {
        let db = self.db;
        self.stripe(key).find(db, key, Touch::No)
    }

    /// Looks at a string that is about to be changed, without leaving a trace.
    ///
    /// # Errors
    /// The key holds another type.
    #[inline]
    pub fn string(&mut self, key: Key<'_>) -> Result<Option<Borrowed<'_, Entry>>, WrongType> {
        let db = self.db;
        self.stripe(key).find_string(db, key, Touch::No)
    }

    /// Looks at a value of one type that is about to be changed, without leaving a trace.
    ///
    /// # Errors
    /// The key holds another type.
    #[inline]
    pub fn find_type(&mut self, key: Key<'_>, of: Type) -> Result<Option<Borrowed<'_, Entry>>, WrongType> {
        let db = self.db;
        self.stripe(key).find_type(db, key, of, Touch::No)
    }

    /// Gives the entry of a collection to `change`, which returns its result and the events of what it did; see
    /// [`StripeGuard::change_collection`].
    ///
    /// # Errors
    /// The key holds another type.
    pub fn change_collection<R, E: IntoIterator<Item = Event>>(
        &mut self,
        key: Key<'_>,
        of: Type,
        missing: Missing<'_>,
        change: impl FnOnce(&mut Entry) -> (R, E),
    ) -> Result<Option<R>, WrongType> {
        let db = self.db;
        self.stripe(key).change_collection(db, key, of, missing, change)
    }

    /// Whether a key exists. Leaves no trace.
    pub fn contains(&mut self, key: Key<'_>) -> bool {
        let db = self.db;
        self.stripe(key).contains(db, key)
    }

    /// Stores a value with these attributes, over whatever the key held.
    #[inline]
    pub fn put(&mut self, key: Key<'_>, attributes: &Attributes, value: NewValue<'_>, event: Event) {
        let db = self.db;
        self.stripe(key).put(db, key, attributes, value, event);
    }

    /// Stores a value and keeps expiry and attributes of the key.
    pub fn put_value(&mut self, key: Key<'_>, value: NewValue<'_>, event: Event) {
        let db = self.db;
        self.stripe(key).put_value(db, key, value, event);
    }

    /// Gives a string's bytes, at least `min_len` of them (missing ones are zeros; a missing key is created), to `change`.
    ///
    /// # Errors
    /// The key holds another type.
    pub fn change_string<R>(
        &mut self,
        key: Key<'_>,
        min_len: usize,
        event: Event,
        change: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, WrongType> {
        let db = self.db;
        self.stripe(key).change_string(db, key, min_len, event, change)
    }

    /// Sets or removes the expiry of a key; says whether the key exists.
    pub fn put_expiry(&mut self, key: Key<'_>, expires_at: Option<UnixMillis>, event: Event) -> bool {
        let db = self.db;
        self.stripe(key).put_expiry(db, key, expires_at, event)
    }

    /// Changes the attributes of a key; says whether it exists.
    pub fn put_attributes(&mut self, key: Key<'_>, attributes: &Attributes, event: Event) -> bool {
        let db = self.db;
        self.stripe(key).put_attributes(db, key, attributes, event)
    }

    /// The CAS unique of a key; attached now if it had none.
    pub fn cas(&mut self, key: Key<'_>) -> Option<u64> {
        let db = self.db;
        self.stripe(key).cas(db, key)
    }

    /// Changes what is not the key's content: access bits, the fetched mark. Nobody is told.
    pub fn mark(&mut self, key: Key<'_>, mark: impl FnOnce(&mut Entry)) {
        let db = self.db;
        self.stripe(key).mark(db, key, mark);
    }

    /// Tells of the change just made under one more name (`expire` after `set`).
    #[inline]
    pub fn note(&mut self, key: Key<'_>, event: Event) {
        let db = self.db;
        self.stripe(key).note(db, key, event);
    }

    /// Counts fields of a hash that a command has let expire.
    #[inline]
    pub fn fields_expired(&mut self, key: Key<'_>, fields: usize) {
        if fields > 0 {
            self.stripe(key).side().fields_expired(fields);
            self.note_overdue_fields();
        }
    }

    /// Deletes a key; says whether it existed.
    pub fn delete(&mut self, key: Key<'_>, event: Event) -> bool {
        let db = self.db;
        self.stripe(key).delete(db, key, event)
    }

    /// Takes a key out of the keyspace.
    pub fn take(&mut self, key: Key<'_>, event: Event) -> Option<Entry> {
        let db = self.db;
        self.stripe(key).take(db, key, event)
    }

    /// Puts an entry taken or copied elsewhere under a key, over whatever was there.
    pub fn place(&mut self, key: Key<'_>, entry: Entry, event: Event) {
        let db = self.db;
        self.stripe(key).place(db, key, entry, event);
    }

    #[inline]
    fn stripe(&mut self, key: Key<'_>) -> &mut StripeGuard<'a, StripeStats> {
        let wanted = key.position.stripe();
        let place = match self.stripes.len() {
            1 => 0,
            _ => {
                let found = self.stripes.binary_search_by_key(&wanted, StripeGuard::index);
                found.expect("the key is one of the request's, whose stripes are all locked")
            }
        };
        &mut self.stripes[place]
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.acting {
            self.act_for(0);
        }
        if self.recording.is_some() {
            self.record();
        }
        match self.then {
            Then::Serve if self.node.blocking.is_any() => self.serve_blocked(),
            Then::Serve | Then::Unlock => {}
            Then::Keep(held) => held.put_back(std::mem::take(&mut self.stripes)),
        }
    }
}

#[inline]
fn lock(
    keyspace: &Keyspace<StripeStats>,
    stripe: usize,
    moment: Moment,
) -> Option<StripeGuard<'_, StripeStats>> {
    for _ in 0..SPINS {
        if let Some(guard) = keyspace.try_lock(stripe, moment) {
            return Some(guard);
        }
        spin_loop();
    }
    None
}
