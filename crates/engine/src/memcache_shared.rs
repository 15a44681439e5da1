//! What the connections of the memcached protocol share, beside keys and counters.

use std::collections::BTreeMap;
use std::sync::Arc;

use larder_config::Settings;

use crate::memcache_watch::Watchers;
use crate::sync::{AtomicBool, AtomicU32, Mutex, Ordering, RwLock};

/// What the connections of the memcached protocol share. See the fields' methods.
#[derive(Debug, Default)]
pub struct MemcacheShared {
    /// What is counted by the beginnings of keys.
    pub detail: Detail,
    /// Who is sent lines about items and connections.
    pub watchers: Watchers,
    /// How memcached's search for expired items is set.
    pub crawler: Crawler,
    /// The configurations that clients have stored.
    pub configs: Configs,
    users: RwLock<Arc<[MemcacheUser]>>,
}

/// Somebody who may be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemcacheUser {
    /// What the user is called.
    pub name: Box<[u8]>,
    /// The password, as it is given.
    pub password: Box<[u8]>,
}

/// Which way something is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl MemcacheShared {
    /// What they share at first on a node with these settings.
    #[must_use]
    pub(crate) fn new(settings: &Settings) -> MemcacheShared {
        let shared = MemcacheShared::default();
        if settings.memcached_detail {
            shared.detail.switch(Switch::On);
        }
        shared
    }

    /// The users of the file that the directive memcached-auth-file names.
    #[must_use]
    pub fn users(&self) -> Arc<[MemcacheUser]> {
        Arc::clone(&self.users.read())
    }

    /// Takes over what the file now says. Whoever is let in already stays.
    pub fn set_users(&self, users: Vec<MemcacheUser>) {
        *self.users.write() = users.into();
    }
}

/// How memcached's search for expired items is set. Here expired items go by themselves: whether it is on decides whether items may
/// be dumped, and the rest is told to whoever asks.
#[derive(Debug)]
pub struct Crawler {
    on: AtomicBool,
    /// How long it pauses after an item.
    pub sleep_micros: AtomicU32,
    /// After how many items it stops; 0 is never.
    pub items_max: AtomicU32,
}

impl Default for Crawler {
    fn default() -> Crawler {
        Crawler { on: AtomicBool::new(true), sleep_micros: AtomicU32::new(100), items_max: AtomicU32::new(0) }
    }
}

impl Crawler {
    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Switches it on or off; says whether that was a change.
    pub fn switch(&self, to: Switch) -> bool {
        let on = to == Switch::On;
        self.on.swap(on, Ordering::Relaxed) != on
    }
}

/// Most configurations, as in ElastiCache.
const CONFIGS_MAX: usize = 16;

/// Configurations that clients have stored, by their names, and what is told where none is.
#[derive(Debug, Default)]
pub struct Configs {
    stored: Mutex<BTreeMap<Box<[u8]>, StoredConfig>>,
    /// What the directive memcached-cluster-nodes last said, and which version of it that was.
    nodes: Mutex<(String, u64)>,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConfig {
    /// What clients are told with it.
    pub client_flags: u32,
    /// It, for the clients to understand.
    pub value: Box<[u8]>,
}

impl Configs {
    /// How many are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stored.lock().len()
    }

    /// Whether none is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The one of this name.
    #[must_use]
    pub fn stored(&self, name: &[u8]) -> Option<StoredConfig> {
        self.stored.lock().get(name).cloned()
    }

    /// Stores one; says whether there was room for it.
    pub fn store(&self, name: &[u8], config: StoredConfig) -> bool {
        let mut stored = self.stored.lock();
        let fits = stored.len() < CONFIGS_MAX || stored.contains_key(name);
        if fits {
            stored.insert(name.into(), config);
        }
        fits
    }

    /// Removes one; says whether there was one.
    pub fn delete(&self, name: &[u8]) -> bool {
        self.stored.lock().remove(name).is_some()
    }

    /// Which version of the directive memcached-cluster-nodes this is. It rises whenever that says something else than before; the
    /// first is that of the time at which the node started, so that it is higher than any before.
    pub fn version_of(&self, nodes: &str, started_seconds: u64) -> u64 {
        let mut last = self.nodes.lock();
        if last.1 == 0 {
            *last = (nodes.to_owned(), started_seconds.max(1));
        } else if last.0 != nodes {
            *last = (nodes.to_owned(), last.1 + 1);
        }
        last.1
    }
}

/// Most beginnings of keys that are counted, as in memcached: clients make them up.
const PREFIXES_MAX: usize = 1 << 16;

/// Requests counted by what their keys have before a colon (`stats detail`). Off unless somebody asks for it: then all workers share
/// a lock.
#[derive(Debug, Default)]
pub struct Detail {
    on: AtomicBool,
    prefixes: Mutex<BTreeMap<Box<[u8]>, PrefixCounts>>,
}

/// What was done with the keys of one beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrefixCounts {
    /// Keys asked for.
    pub gets: u64,
    /// ... that were there.
    pub hits: u64,
    /// Values sent to be stored.
    pub sets: u64,
    /// Keys to be deleted.
    pub deletes: u64,
}

impl Detail {
    /// Whether it is on.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Switches it on or off; what was counted stays.
    pub fn switch(&self, to: Switch) {
        self.on.store(to == Switch::On, Ordering::Relaxed);
    }

    /// Counts a request for a key, if the key has a beginning.
    pub fn count(&self, key: &[u8], count: impl FnOnce(&mut PrefixCounts)) {
        let Some(colon) = key.iter().position(|byte| *byte == b':') else { return };
        let mut prefixes = self.prefixes.lock();
        if let Some(counts) = prefixes.get_mut(&key[..colon]) {
            count(counts);
        } else if prefixes.len() < PREFIXES_MAX {
            count(prefixes.entry(key[..colon].into()).or_default());
        }
    }

    /// What was counted, by the beginnings in their order.
    #[must_use]
    pub fn counts(&self) -> Vec<(Box<[u8]>, PrefixCounts)> {
        self.prefixes.lock().iter().map(|(prefix, counts)| (prefix.clone(), *counts)).collect()
    }

    /// Forgets what was counted.
    pub fn reset(&self) {
        self.prefixes.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_nodes_has_a_version() {
        let configs = Configs::default();
        let versions = ["a", "a", "b", "b", "a"].map(|nodes| configs.version_of(nodes, 100));
        assert_eq!(versions, [100, 100, 101, 101, 102]);
    }

    #[test]
    fn there_is_room_for_some_configurations() {
        let configs = Configs::default();
        let config = StoredConfig { client_flags: 1, value: b"v"[..].into() };
        for name in 0..CONFIGS_MAX as u8 {
            assert!(configs.store(&[name], config.clone()));
        }
        assert!(configs.store(&[0], config.clone()) && !configs.store(b"more", config.clone()));
        assert!(configs.delete(&[0]) && !configs.delete(&[0]));
        assert!(configs.store(b"more", config.clone()));
        assert_eq!((configs.stored(b"more"), configs.stored(&[0])), (Some(config), None));
    }

    #[test]
    fn requests_are_counted_by_what_is_before_the_colon() {
        let detail = Detail::default();
        detail.count(b"a:1:2", |counts| counts.gets += 1);
        detail.count(b"a:2", |counts| counts.sets += 1);
        detail.count(b"none", |counts| counts.gets += 1);
        let counts = PrefixCounts { gets: 1, sets: 1, ..PrefixCounts::default() };
        assert_eq!(detail.counts(), [(b"a"[..].into(), counts)]);
        for number in 0..2 * PREFIXES_MAX {
            detail.count(format!("{number}:x").as_bytes(), |counts| counts.gets += 1);
        }
        assert_eq!(detail.counts().len(), PREFIXES_MAX);
        detail.reset();
        assert_eq!(detail.counts(), []);
    }
}
