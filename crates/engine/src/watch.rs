//! WATCH: which clients are to be told that a key changed before their EXEC.
//!
//! A client has one mark. Whoever changes a key that it watches sets the mark under the stripe's lock; EXEC, which holds the stripes of all
//! watched keys, looks at it. So no change comes between the look and the execution.

use std::fmt;
use std::sync::Arc;

use larder_store::{DbIndex, Key, Position};

use crate::key_map::KeyMap;
use crate::node::{Node, moment};
use crate::stats::StripeStats;
use crate::sync::{AtomicBool, Ordering};

/// Set once one of the keys that a client watches has changed.
type Mark = Arc<AtomicBool>;

/// The watched keys of one stripe, and the marks of those who watch them.
#[derive(Debug, Default)]
pub(crate) struct WatchedKeys(KeyMap<Vec<Mark>>);

impl WatchedKeys {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn touch(&mut self, db: DbIndex, key: &[u8]) {
        if let Some(marks) = self.0.find(db, key) {
            marks.iter().for_each(|mark| mark.store(true, Ordering::Relaxed));
        }
    }

    /// Sets the marks for all keys of which `changed` says so.
    pub(crate) fn touch_all(&self, changed: impl Fn(DbIndex, &[u8]) -> bool) {
        let changed = self.0.iter().filter(|(db, key, _)| changed(*db, key));
        changed.flat_map(|(_, _, marks)| marks).for_each(|mark| mark.store(true, Ordering::Relaxed));
    }

    fn add(&mut self, db: DbIndex, key: &[u8], mark: &Mark) {
        match self.0.find(db, key) {
            Some(marks) => marks.push(Arc::clone(mark)),
            None => self.0.put(db, key, vec![Arc::clone(mark)]),
        }
    }

    fn remove(&mut self, db: DbIndex, key: &[u8], mark: &Mark) {
        if let Some(marks) = self.0.find(db, key) {
            marks.retain(|other| !Arc::ptr_eq(other, mark));
            if marks.is_empty() {
                self.0.take(db, key);
            }
        }
    }
}

/// What a client watches. When this is dropped, which must happen while its stripes are not locked by the same thread, it no longer
/// does.
pub struct Watch {
    node: Arc<Node>,
    mark: Mark,
    keys: Vec<WatchedKey>,
    /// Bytes of their names.
    key_bytes: usize,
}

/// One of its keys.
pub(crate) struct WatchedKey {
    pub(crate) db: DbIndex,
    pub(crate) position: Position,
    bytes: Box<[u8]>,
}

impl WatchedKey {
    pub(crate) fn key(&self) -> Key<'_> {
        Key { bytes: &self.bytes, position: self.position }
    }
}

impl Watch {
    pub(crate) fn new(node: &Arc<Node>) -> Watch {
        Watch { node: Arc::clone(node), mark: Mark::default(), keys: Vec::new(), key_bytes: 0 }
    }

    /// Watches another key, whose stripe is locked and has this side state.
    pub(crate) fn add(&mut self, db: DbIndex, key: Key<'_>, side: &mut StripeStats) {
        if self.keys.iter().any(|watched| watched.db == db && &*watched.bytes == key.bytes) {
            return;
        }
        side.listeners().watched.add(db, key.bytes, &self.mark);
        self.key_bytes += key.bytes.len();
        self.keys.push(WatchedKey { db, position: key.position, bytes: key.bytes.into() });
    }

    /// The keys.
    pub(crate) fn keys(&self) -> &[WatchedKey] {
        &self.keys
    }

    /// Bytes of memory that they take, here and where they are looked for.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.keys.len() * (size_of::<WatchedKey>() + size_of::<Mark>()) + 2 * self.key_bytes
    }

    /// Whether one of them has changed.
    pub(crate) fn is_touched(&self) -> bool {
        self.mark.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let moment = moment(self.node.host.time().now, &self.node.settings());
        for key in &self.keys {
            let mut stripe = self.node.keyspace.lock(key.position.stripe(), moment);
            let side = stripe.side();
            side.listeners().watched.remove(key.db, &key.bytes, &self.mark);
            side.forget_listeners();
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}
