//! Client-side caching: clients keep what they have read, and are told when it changes.
//!
//! Two ways. A client's reads are **remembered**, under the lock of the key's stripe, and so is forgotten who is told; or it names
//! **prefixes**, and is told of all changes of keys that begin like that, which costs the node no memory per key. What is to be told of
//! prefixes is collected, and told once a batch.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use larder_resp::{Output, Protocol, Reply};
use larder_store::STRIPES;
use smallvec::SmallVec;

use crate::client::SharedClient;
use crate::inbox::Letter;
use crate::node::{Node, moment};
use crate::sync::{AtomicBool, AtomicU32, AtomicUsize, Mutex, Ordering};

/// Keys that may be forgotten to remember one more beyond the limit.
const FORGOTTEN_EACH: usize = 2;

/// What clients ask for with CLIENT TRACKING.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CachingOptions {
    /// Prefixes, of all of whose keys it is told; otherwise, those that it reads.
    pub prefixes: Option<Vec<Box<[u8]>>>,
    /// Which reads are remembered.
    pub remembered: Remembered,
    /// Whether it is not told of its own changes.
    pub no_loop: bool,
    /// Who is told in its place.
    pub redirect: Option<u64>,
}

/// Which reads of a client are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remembered {
    /// All.
    #[default]
    All,
    /// Those of a request after CLIENT CACHING YES.
    OptedIn,
    /// All but those of a request after CLIENT CACHING NO.
    NotOptedOut,
}

/// What the clients of a node that cache have in common.
#[derive(Debug, Default)]
pub struct Caching {
    clients: AtomicUsize,
    /// Keys that somebody is to be told of, and how many are to be told, each key counted.
    keys: AtomicUsize,
    items: AtomicUsize,
    prefixes: Mutex<Vec<Prefix>>,
    /// How many prefixes there are.
    prefix_count: AtomicUsize,
    /// Whether something is to be told of prefixes.
    pending: AtomicBool,
}

/// A prefix, who wants to hear of it, and what there is to tell: keys, and who has changed them.
#[derive(Debug)]
struct Prefix {
    bytes: Box<[u8]>,
    clients: Vec<Weak<SharedClient>>,
    changed: BTreeMap<Box<[u8]>, u64>,
}

impl Caching {
    /// Whether more keys are remembered than that; 0 is no limit.
    fn exceeds(&self, keys_max: u64) -> bool {
        keys_max != 0 && self.keys.load(Ordering::Relaxed) as u64 > keys_max
    }

    /// Whether somebody caches.
    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        self.clients.load(Ordering::Relaxed) > 0
    }

    /// Keys that somebody is to be told of, how many are to be told, and prefixes.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        (count(&self.keys), count(&self.items), count(&self.prefix_count))
    }

    fn note_changed(&self, key: &[u8], by: u64) {
        for prefix in self.prefixes.lock().iter_mut().filter(|prefix| key.starts_with(&prefix.bytes)) {
            prefix.changed.insert(key.into(), by);
            self.pending.store(true, Ordering::Release);
        }
    }

    /// Tells what has been collected of prefixes: once a batch.
    #[inline]
    pub(crate) fn tell_pending(&self) {
        if self.pending.load(Ordering::Relaxed) {
            self.tell_prefixes();
        }
    }

    #[cold]
    fn tell_prefixes(&self) {
        self.pending.store(false, Ordering::Relaxed);
        for prefix in self.prefixes.lock().iter_mut() {
            let changed = std::mem::take(&mut prefix.changed);
            for client in prefix.clients.iter().filter_map(Weak::upgrade) {
                let own = client.caching.has(CachingState::NO_LOOP).then_some(client.id);
                let keys: Vec<&[u8]> =
                    changed.iter().filter(|(_, by)| Some(**by) != own).map(|(key, _)| &**key).collect();
                if !keys.is_empty() {
                    client.invalidate(Some(&keys));
                }
            }
        }
    }
}

/// Whom to tell of the keys of one stripe.
#[derive(Default)]
pub(crate) struct CachedKeys {
    shared: Arc<Caching>,
    readers: HashMap<Box<[u8]>, Readers>,
    /// Whether there are prefixes.
    has_prefixes: bool,
    /// The client that is at work.
    actor: u64,
}

type Readers = SmallVec<[Weak<SharedClient>; 1]>;

impl CachedKeys {
    pub(crate) fn is_empty(&self) -> bool {
        self.readers.is_empty() && !self.has_prefixes
    }

    pub(crate) fn set_actor(&mut self, actor: u64) {
        self.actor = actor;
    }

    pub(crate) fn changed(&mut self, key: &[u8]) {
        if self.has_prefixes {
            self.shared.note_changed(key, self.actor);
        }
        self.forget(key, self.actor);
    }

    fn forget(&mut self, key: &[u8], actor: u64) {
        if let Some(readers) = self.readers.remove(key) {
            self.shared.keys.fetch_sub(1, Ordering::Relaxed);
            self.shared.items.fetch_sub(readers.len(), Ordering::Relaxed);
            for reader in readers.iter().filter_map(Weak::upgrade) {
                let own = reader.id == actor && reader.caching.has(CachingState::NO_LOOP);
                if reader.caching.has(CachingState::ON)
                    && !reader.caching.has(CachingState::BY_PREFIX)
                    && !own
                {
                    reader.invalidate(Some(&[key]));
                }
            }
        }
    }

    /// Remembers that a client has read a key; while there are more than so many in all, others are forgotten.
    pub(crate) fn remember(
        &mut self,
        shared: &Arc<Caching>,
        key: &[u8],
        reader: &Arc<SharedClient>,
        keys_max: u64,
    ) {
        if self.is_empty() {
            self.shared = Arc::clone(shared);
        }
        if let Some(readers) = self.readers.get_mut(key) {
            if readers.iter().any(|other| std::ptr::eq(other.as_ptr(), Arc::as_ptr(reader))) {
                return;
            }
            // Of those who have gone nobody need be told.
            let before = readers.len();
            readers.retain(|reader| reader.strong_count() > 0);
            self.shared.items.fetch_sub(before - readers.len(), Ordering::Relaxed);
            readers.push(Arc::downgrade(reader));
        } else {
            self.shared.keys.fetch_add(1, Ordering::Relaxed);
            self.readers.insert(key.into(), SmallVec::from_iter([Arc::downgrade(reader)]));
        }
        self.shared.items.fetch_add(1, Ordering::Relaxed);
        for _ in 0..FORGOTTEN_EACH {
            if !shared.exceeds(keys_max) {
                return;
            }
            let Some(other) = self.readers.keys().find(|other| ***other != *key).cloned() else { return };
            self.forget(&other, 0);
        }
    }

    /// Forgets keys, and tells who has read them, until no more are remembered than that, or none here.
    pub(crate) fn forget_beyond(&mut self, shared: &Caching, keys_max: u64) {
        while shared.exceeds(keys_max)
            && let Some(key) = self.readers.keys().next().cloned()
        {
            self.forget(&key, 0);
        }
    }

    /// Forgets all, without telling.
    pub(crate) fn clear(&mut self) {
        for readers in std::mem::take(&mut self.readers).values() {
            self.shared.keys.fetch_sub(1, Ordering::Relaxed);
            self.shared.items.fetch_sub(readers.len(), Ordering::Relaxed);
        }
    }

    /// Begins to tell of prefixes, or no longer.
    pub(crate) fn set_prefixes(&mut self, shared: &Arc<Caching>, any: bool) {
        self.shared = Arc::clone(shared);
        self.has_prefixes = any;
    }
}

impl Node {
    /// Forgets what is remembered beyond a limit that has just been set.
    pub(crate) fn follow_caching_limit(&self) {
        let settings = self.settings();
        let moment = moment(self.host.time().now, &settings);
        for stripe in (0..STRIPES).take_while(|_| self.caching.exceeds(settings.tracking_table_max_keys)) {
            let mut guard = self.keyspace.lock(stripe, moment);
            let cached = &mut guard.side().listeners().cached;
            cached.forget_beyond(&self.caching, settings.tracking_table_max_keys);
            guard.side().forget_listeners();
        }
    }
}

/// How a client caches, as others see it.
#[derive(Debug, Default)]
pub struct CachingState {
    bits: AtomicU32,
    redirect: Mutex<Option<Redirect>>,
}

/// Who is told in a client's place.
#[derive(Debug)]
struct Redirect {
    id: u64,
    client: Weak<SharedClient>,
}

impl CachingState {
    /// It does.
    pub const ON: u32 = 1;
    /// By prefixes.
    pub const BY_PREFIX: u32 = 1 << 1;
    /// It is not told of its own changes.
    pub const NO_LOOP: u32 = 1 << 2;
    /// Who is to be told in its place has gone.
    pub const BROKEN: u32 = 1 << 3;

    /// Whether all of these bits are set.
    #[must_use]
    pub fn has(&self, bits: u32) -> bool {
        self.bits.load(Ordering::Relaxed) & bits == bits
    }

    /// The number of the client that is told: -1 while it does not cache, 0 when it is told itself.
    #[must_use]
    pub fn redirect_id(&self) -> i64 {
        if !self.has(CachingState::ON) {
            return -1;
        }
        self.redirect.lock().as_ref().map_or(0, |redirect| redirect.id as i64)
    }
}

impl SharedClient {
    /// Tells it, or who is to be told in its place, of these keys; of all if none are given.
    fn invalidate(&self, keys: Option<&[&[u8]]>) {
        let redirect = self.caching.redirect.lock();
        match &*redirect {
            None => self.tell_invalid(keys, false),
            Some(redirect) => match redirect.client.upgrade().filter(|client| !client.is_ended()) {
                Some(client) => client.tell_invalid(keys, true),
                None => {
                    self.caching.bits.fetch_or(CachingState::BROKEN, Ordering::Relaxed);
                    self.deliver(Letter::Push(written(|reply| {
                        reply.push(2);
                        reply.bulk(b"tracking-redir-broken");
                        reply.integer(redirect.id as i64);
                    })));
                }
            },
        }
    }

    fn tell_invalid(&self, keys: Option<&[&[u8]]>, for_another: bool) {
        if self.speaks() == Protocol::Resp3 || for_another && self.is_subscriber() {
            let keys = keys.map(|keys| {
                written(|reply| {
                    reply.array(keys.len());
                    keys.iter().for_each(|key| reply.bulk(key));
                })
            });
            self.deliver(Letter::Invalidation { keys, for_another });
        }
    }
}

/// Bytes that are the same in both versions of RESP, or are for RESP3 only.
fn written(write: impl FnOnce(&mut Reply<'_>)) -> Bytes {
    let mut output = Output::default();
    write(&mut Reply { out: &mut output, protocol: Protocol::Resp3 });
    Bytes::from(output.to_vec())
}

/// A client's own side of it. When this is dropped, it caches no longer.
pub struct ClientCaching {
    node: Arc<Node>,
    shared: Arc<SharedClient>,
    /// What it has asked for.
    pub options: CachingOptions,
    /// Whether CLIENT CACHING was given for the next request.
    pub given: bool,
    /// Bytes of memory that its prefixes take.
    prefix_bytes: usize,
}

impl ClientCaching {
    /// Has a client cache.
    #[must_use]
    pub fn new(node: &Arc<Node>, shared: &Arc<SharedClient>) -> ClientCaching {
        node.caching.clients.fetch_add(1, Ordering::Relaxed);
        let (node, shared) = (Arc::clone(node), Arc::clone(shared));
        ClientCaching { node, shared, options: CachingOptions::default(), given: false, prefix_bytes: 0 }
    }

    /// Takes over what the client asks for; prefixes come in addition to those before.
    pub fn set(&mut self, options: CachingOptions) {
        let mut bits = CachingState::ON;
        bits |= if options.no_loop { CachingState::NO_LOOP } else { 0 };
        bits |= if options.prefixes.is_some() { CachingState::BY_PREFIX } else { 0 };
        let redirect = options.redirect.map(|id| {
            let client = self.node.clients.get(&id).map(|client| Arc::downgrade(&client));
            Redirect { id, client: client.unwrap_or_default() }
        });
        *self.shared.caching.redirect.lock() = redirect;
        self.shared.caching.bits.store(bits, Ordering::Relaxed);
        let mut prefixes = self.options.prefixes.take();
        if let Some(new) = &options.prefixes {
            new.iter().for_each(|prefix| self.add_prefix(prefix));
            let all = prefixes.get_or_insert_default();
            all.extend(
                new.iter()
                    .filter(|prefix| !self.options.prefixes.iter().flatten().any(|one| one == *prefix))
                    .cloned(),
            );
            all.sort();
            all.dedup();
        }
        let each = size_of::<Box<[u8]>>() + size_of::<Prefix>();
        self.prefix_bytes = prefixes.iter().flatten().map(|prefix| each + 2 * prefix.len()).sum();
        self.options = CachingOptions { prefixes, ..options };
    }

    /// Bytes of memory that the prefixes take, here and where they are looked for.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.prefix_bytes
    }

    /// Whether the reads of a request are remembered now.
    #[must_use]
    pub fn remembers(&self) -> bool {
        let by_reads = self.options.prefixes.is_none();
        by_reads
            && match self.options.remembered {
                Remembered::All => true,
                Remembered::OptedIn => self.given,
                Remembered::NotOptedOut => !self.given,
            }
    }

    fn add_prefix(&self, bytes: &[u8]) {
        let mut prefixes = self.node.caching.prefixes.lock();
        let client = Arc::downgrade(&self.shared);
        match prefixes.iter_mut().find(|prefix| *prefix.bytes == *bytes) {
            Some(prefix) if prefix.clients.iter().any(|other| other.ptr_eq(&client)) => {}
            Some(prefix) => prefix.clients.push(client),
            None => {
                let place = prefixes.partition_point(|prefix| *prefix.bytes < *bytes);
                let prefix = Prefix { bytes: bytes.into(), clients: vec![client], changed: BTreeMap::new() };
                prefixes.insert(place, prefix);
            }
        }
        let first = prefixes.len() == 1;
        self.node.caching.prefix_count.store(prefixes.len(), Ordering::Relaxed);
        drop(prefixes);
        if first {
            self.node.listen_for_prefixes();
        }
    }
}

impl Drop for ClientCaching {
    fn drop(&mut self) {
        self.node.caching.clients.fetch_sub(1, Ordering::Relaxed);
        self.shared.caching.bits.store(0, Ordering::Relaxed);
        *self.shared.caching.redirect.lock() = None;
        if self.options.prefixes.is_some() {
            let own = Arc::as_ptr(&self.shared);
            let mut prefixes = self.node.caching.prefixes.lock();
            for prefix in prefixes.iter_mut() {
                prefix.clients.retain(|client| !std::ptr::eq(client.as_ptr(), own));
            }
            prefixes.retain(|prefix| !prefix.clients.is_empty());
            let none = prefixes.is_empty();
            self.node.caching.prefix_count.store(prefixes.len(), Ordering::Relaxed);
            drop(prefixes);
            if none {
                self.node.listen_for_prefixes();
            }
        }
    }
}

impl Node {
    /// Has all stripes tell of changes of keys, or no longer, as there are prefixes.
    fn listen_for_prefixes(&self) {
        let moment = moment(self.host.time().now, &self.settings());
        for stripe in 0..larder_store::STRIPES {
            let mut guard = self.keyspace.lock(stripe, moment);
            // Looked at under the lock: somebody else may have been faster.
            let any = self.caching.prefix_count.load(Ordering::Relaxed) > 0;
            guard.side().listeners().cached.set_prefixes(&self.caching, any);
            guard.side().forget_listeners();
        }
    }

    /// Tells everybody who caches that all keys have gone, or may have. Nobody else may be at work.
    pub fn invalidate_all(&self) {
        if !self.caching.is_any() {
            return;
        }
        let moment = moment(self.host.time().now, &self.settings());
        for stripe in 0..larder_store::STRIPES {
            let mut guard = self.keyspace.lock(stripe, moment);
            guard.side().listeners().cached.clear();
            guard.side().forget_listeners();
        }
        for client in self.clients.iter().filter(|client| client.caching.has(CachingState::ON)) {
            client.invalidate(None);
        }
    }
}

impl fmt::Debug for CachedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedKeys").field("keys", &self.readers.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientCaching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCaching").field("options", &self.options).finish_non_exhaustive()
    }
}
