//! The pool that the memory of clients has for itself: `maxmemory-clients`.
//!
//! Each client has an **account** of the bytes that it takes: its buffers, what it has queued, what it watches and subscribes to. What
//! changes an account changes the sum of its worker with it, so the sums are exact at any time; an idle client, and one whose requests
//! and replies come and go whole, changes nothing. While there is a limit, clients are kept in size classes, each twice as large
//! as the one before, and whoever makes the sums reach the limit says so in one flag, which workers look at after each turn. Then the
//! clients of the largest class go, those first that have been in it for longest. No data is ever given up for clients.
//!
//! No change is lost where several threads change an account: its number and what exempts it are one atomic, and classes, which
//! are changed under a lock, are told from what it is then.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use larder_config::Settings;

use crate::client::SharedClient;
use crate::client_line::ClientLine;
use crate::node::Node;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};

/// Below so many bytes all clients are in one class; as in Valkey, like the number of classes.
const CLASS_BYTES_MIN: u64 = 1 << 15;
const CLASSES: usize = 19;

/// A smaller limit is taken for this one, as in Valkey: somebody must be able to set another.
const LIMIT_MIN: u64 = 128 << 10;
/// The limit when there is none.
const UNLIMITED: u64 = u64::MAX;

/// Clients disconnected before others have their turn.
const EVICTED_PER_TURN: usize = 64;

/// The bits of an account that say why it is not counted; the bytes are above them.
const SPARED: u64 = 1;
const CLOSED: u64 = 2;
const UNCOUNTED: u64 = SPARED | CLOSED;
const BYTE: u64 = 4;

/// See the module's documentation.
#[derive(Debug)]
pub struct ClientPool {
    /// What the clients of each worker take, in lines of memory of their own.
    sums: Box<[Sums]>,
    limit: AtomicU64,
    /// Whether the sums may have reached the limit.
    pressed: AtomicBool,
    classes: Mutex<Classes>,
    /// Held by who disconnects clients.
    evicting: Mutex<()>,
    /// Clients that were disconnected.
    evicted: AtomicU64,
}

#[repr(align(64))]
#[derive(Debug, Default)]
struct Sums {
    /// Of those who are counted.
    counted: AtomicU64,
    /// Of those who are spared.
    spared: AtomicU64,
}

/// Clients by size class, then by when they came into it. Empty while there is no limit.
#[derive(Debug, Default)]
struct Classes {
    order: BTreeSet<Place>,
    places: HashMap<u64, Place>,
    arrivals: u64,
}

type Place = (usize, Reverse<u64>, u64);

/// What one client takes.
#[derive(Debug)]
pub(crate) struct Account {
    pool: Option<Arc<ClientPool>>,
    worker: usize,
    state: AtomicU64,
}

/// One size class, for whoever wants to see them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientClass {
    /// The fewest bytes that a client in it takes.
    pub from: u64,
    /// How many are in it.
    pub clients: u64,
    /// What they take together.
    pub bytes: u64,
}

fn class_of(bytes: u64) -> usize {
    let doublings = (bytes / CLASS_BYTES_MIN).checked_ilog2().map_or(0, |log| log as usize + 1);
    doublings.min(CLASSES - 1)
}

/// The bytes that all clients together must not reach under these settings.
fn limit_of(settings: &Settings) -> u64 {
    match settings.maxmemory_clients.bytes(settings.maxmemory) {
        0 => UNLIMITED,
        bytes => bytes.max(LIMIT_MIN),
    }
}

impl ClientPool {
    /// For so many workers.
    pub(crate) fn new(workers: usize) -> ClientPool {
        ClientPool {
            sums: (0..workers.max(1)).map(|_| Sums::default()).collect(),
            limit: AtomicU64::new(UNLIMITED),
            pressed: AtomicBool::new(false),
            classes: Mutex::default(),
            evicting: Mutex::default(),
            evicted: AtomicU64::new(0),
        }
    }

    /// What is counted of all clients together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.total(|sums| sums.counted.load(Ordering::SeqCst))
    }

    /// The same with those who are spared: what is none of the memory of keys.
    #[must_use]
    pub fn all_bytes(&self) -> u64 {
        self.total(|sums| {
            sums.counted.load(Ordering::SeqCst).wrapping_add(sums.spared.load(Ordering::SeqCst))
        })
    }

    fn total(&self, of: impl Fn(&Sums) -> u64) -> u64 {
        // A single sum may fall below zero for a moment, if a client's bytes go before they came.
        let sum = self.sums.iter().fold(0_u64, |sum, one| sum.wrapping_add(of(one)));
        if sum > i64::MAX as u64 { 0 } else { sum }
    }

    /// The bytes that they must not reach, if there is a limit.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        Some(self.limit.load(Ordering::SeqCst)).filter(|limit| *limit != UNLIMITED)
    }

    /// Clients that were disconnected because of it.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    pub(crate) fn reset_evicted(&self) {
        self.evicted.store(0, Ordering::Relaxed);
    }

    /// The size classes from the smallest on, if there is a limit.
    #[must_use]
    pub fn classes(&self, bytes_of: impl Fn(u64) -> u64) -> Option<Vec<ClientClass>> {
        self.limit()?;
        let from = |class: usize| class.checked_sub(1).map_or(0, |doublings| CLASS_BYTES_MIN << doublings);
        let mut found: Vec<_> =
            (0..CLASSES).map(|class| ClientClass { from: from(class), ..ClientClass::default() }).collect();
        let places: Vec<Place> = self.classes.lock().order.iter().copied().collect();
        for (class, _, client) in places {
            found[class].clients += 1;
            found[class].bytes += bytes_of(client);
        }
        Some(found)
    }

    /// Whether clients may have to go.
    #[inline]
    fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    fn is_exhausted(&self) -> bool {
        self.bytes() >= self.limit.load(Ordering::SeqCst)
    }

    fn press(&self) {
        if self.is_exhausted() {
            self.pressed.store(true, Ordering::SeqCst);
        }
    }

    /// Sets the limit. Without one nobody is in a class; says whether all clients must be put into theirs.
    fn set_limit(&self, limit: u64) -> bool {
        let mut classes = self.classes.lock();
        let before = self.limit.swap(limit, Ordering::SeqCst);
        if limit == UNLIMITED {
            *classes = Classes::default();
        }
        before == UNLIMITED && limit != UNLIMITED
    }

    /// Puts a client where it belongs.
    #[cold]
    fn place(&self, client: u64, account: &Account) {
        let mut classes = self.classes.lock();
        if self.limit.load(Ordering::SeqCst) == UNLIMITED {
            return;
        }
        let state = account.state.load(Ordering::SeqCst);
        if state & UNCOUNTED != 0 {
            classes.remove(client);
        } else {
            classes.put(client, class_of(state / BYTE));
        }
    }

    /// The client to go next, if one must.
    fn victim(&self) -> Option<u64> {
        // In this order: who grows in between presses anew.
        self.pressed.store(false, Ordering::SeqCst);
        if !self.is_exhausted() {
            return None;
        }
        self.pressed.store(true, Ordering::SeqCst);
        let (_, _, client) = *self.classes.lock().order.last()?;
        Some(client)
    }
}

impl Classes {
    fn put(&mut self, client: u64, class: usize) {
        if self.places.get(&client).is_some_and(|place| place.0 == class) {
            return;
        }
        self.remove(client);
        self.arrivals += 1;
        let place = (class, Reverse(self.arrivals), client);
        self.order.insert(place);
        self.places.insert(client, place);
    }

    fn remove(&mut self, client: u64) {
        if let Some(place) = self.places.remove(&client) {
            self.order.remove(&place);
        }
    }
}

impl Account {
    /// Of a client that takes so many bytes from the beginning, and is not in the pool.
    pub(crate) fn new(bytes: usize) -> Account {
        Account { pool: None, worker: 0, state: AtomicU64::new((bytes as u64 * BYTE) | CLOSED) }
    }

    /// Says whose it is to be once it is opened.
    pub(crate) fn assign(&mut self, pool: &Arc<ClientPool>, worker: usize) {
        (self.pool, self.worker) = (Some(Arc::clone(pool)), worker);
    }

    /// Bytes that the client takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.load(Ordering::Relaxed) / BYTE
    }

    /// Notes that something of the client, which took `before` bytes, takes `after`.
    pub(crate) fn change(&self, client: u64, before: u64, after: u64) {
        let difference = after.wrapping_sub(before);
        let state = self.state.fetch_add(difference.wrapping_mul(BYTE), Ordering::SeqCst);
        let Some(pool) = self.pool.as_ref().filter(|_| state & CLOSED == 0) else { return };
        let sums = &pool.sums[self.worker];
        if state & SPARED != 0 {
            sums.spared.fetch_add(difference, Ordering::SeqCst);
            return;
        }
        sums.counted.fetch_add(difference, Ordering::SeqCst);
        if pool.limit.load(Ordering::SeqCst) == UNLIMITED {
            return;
        }
        let (old, new) = (state / BYTE, state.wrapping_add(difference.wrapping_mul(BYTE)) / BYTE);
        if class_of(old) != class_of(new) {
            pool.place(client, self);
        }
        if after > before {
            pool.press();
        }
    }

    /// Counts it, or no longer, for one of the reasons.
    fn except(&self, client: u64, reason: u64, holds: bool) {
        let Some(pool) = &self.pool else { return };
        let state = if holds {
            self.state.fetch_or(reason, Ordering::SeqCst)
        } else {
            self.state.fetch_and(!reason, Ordering::SeqCst)
        };
        let now = if holds { state | reason } else { state & !reason };
        let bytes = |state: u64, exempted: u64| if state & UNCOUNTED == exempted { state / BYTE } else { 0 };
        let difference = |exempted| bytes(now, exempted).wrapping_sub(bytes(state, exempted));
        let sums = &pool.sums[self.worker];
        sums.counted.fetch_add(difference(0), Ordering::SeqCst);
        sums.spared.fetch_add(difference(SPARED), Ordering::SeqCst);
        if pool.limit.load(Ordering::SeqCst) != UNLIMITED {
            pool.place(client, self);
            pool.press();
        }
    }

    /// Spares the client, or no longer.
    pub(crate) fn spare(&self, client: u64, spared: bool) {
        self.except(client, SPARED, spared);
    }

    pub(crate) fn open(&self, client: u64) {
        self.except(client, CLOSED, false);
    }

    /// What the client still takes is given back in a moment.
    pub(crate) fn close(&self, client: u64) {
        self.except(client, CLOSED, true);
    }
}

impl Node {
    /// Enters a client, which a worker serves, into the registry; its memory is the pool's from now on.
    pub fn add_client(&self, mut client: SharedClient, worker: usize) -> Arc<SharedClient> {
        client.account.assign(&self.pool, worker);
        let client = Arc::new(client);
        self.clients.insert(client.id, Arc::clone(&client));
        client.account.open(client.id);
        client
    }

    /// Takes over the limit that the settings say, and disconnects whom it leaves no room.
    pub(crate) fn limit_clients(&self) {
        {
            // Who went now might not be the largest.
            let _nobody_goes = self.pool.evicting.lock();
            if self.pool.set_limit(limit_of(&self.settings())) {
                self.clients.iter().for_each(|client| self.pool.place(client.id, &client.account));
            }
        }
        self.pool.press();
        self.evict_clients();
    }

    /// Disconnects clients while all together take too much, those that take most first: after each turn. Nothing of the caller may be
    /// locked that a client's going needs.
    #[inline]
    pub fn evict_clients(&self) {
        if self.pool.is_pressed() {
            self.evict_largest();
        }
    }

    #[cold]
    fn evict_largest(&self) {
        // Somebody who is at it already goes on.
        let Some(_one_at_a_time) = self.pool.evicting.try_lock() else { return };
        for _ in 0..EVICTED_PER_TURN {
            let Some(id) = self.pool.victim() else { return };
            let client = self.clients.get(&id).map(|client| Arc::clone(&client));
            let Some(client) = client.filter(|client| !client.is_ended()) else {
                // It is going or has gone.
                self.pool.classes.lock().remove(id);
                continue;
            };
            let mut line = ClientLine::new(&self.table, &client, self.host.time().now);
            line.redacted = self.settings().hide_user_data_from_log;
            self.host.notice(&format!("Evicting client: {line}"));
            self.pool.evicted.fetch_add(1, Ordering::Relaxed);
            client.disconnect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(pool: &Arc<ClientPool>, client: u64, bytes: usize) -> Account {
        let mut account = Account::new(bytes);
        account.assign(pool, 0);
        account.open(client);
        account
    }

    #[test]
    fn classes_are_valkeys() {
        for (bytes, class) in
            [(0, 0), (32_767, 0), (32_768, 1), (65_535, 1), (65_536, 2), (u64::MAX / BYTE, 18)]
        {
            assert_eq!(class_of(bytes), class, "{bytes}");
        }
    }

    #[test]
    fn sums_follow_the_accounts_and_the_largest_goes_first() {
        let pool = Arc::new(ClientPool::new(1));
        let small = account(&pool, 1, 1000);
        let large = account(&pool, 2, 1000);
        large.change(2, 0, 200_000);
        assert!(pool.set_limit(202_000), "there was none before");
        pool.place(1, &small);
        pool.place(2, &large);
        assert_eq!((pool.bytes(), pool.victim()), (202_000, Some(2)), "a limit that is reached is too much");
        large.spare(2, true);
        assert_eq!((pool.bytes(), pool.victim()), (1000, None));
        large.change(2, 200_000, 300_000);
        assert_eq!((pool.bytes(), pool.all_bytes()), (1000, 302_000), "who is spared is not counted");
        large.spare(2, false);
        assert!(pool.is_pressed());
        assert_eq!(pool.victim(), Some(2));
        large.close(2);
        large.change(2, 300_000, 0);
        assert_eq!((pool.bytes(), pool.all_bytes(), pool.victim()), (1000, 1000, None));
        small.change(1, 1000, 0);
        assert_eq!((pool.bytes(), small.bytes()), (0, 0));
    }

    #[test]
    fn among_equals_who_came_into_the_class_first_goes_first() {
        let pool = Arc::new(ClientPool::new(1));
        pool.set_limit(LIMIT_MIN);
        let accounts: Vec<Account> = (0..4).map(|client| account(&pool, client, 0)).collect();
        for client in [2, 0, 3, 1] {
            accounts[client].change(client as u64, 0, 50_000);
        }
        accounts[0].change(0, 50_000, 60_000);
        let mut gone = Vec::new();
        while let Some(client) = pool.victim() {
            accounts[client as usize].close(client);
            gone.push(client);
        }
        assert_eq!(gone, [2, 0], "two have room");
        let classes = pool.classes(|client| accounts[client as usize].bytes()).unwrap_or_default();
        assert_eq!(classes[1], ClientClass { from: 32_768, clients: 2, bytes: 100_000 });
        assert!(!pool.set_limit(UNLIMITED));
        assert_eq!(pool.classes(|_| 0), None);
    }
}
