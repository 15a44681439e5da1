//! What the connections of the memcached protocol share, beside keys and counters.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sync::{AtomicBool, Mutex, Ordering, RwLock};

/// What the connections of the memcached protocol share. See the fields' methods.
#[derive(Debug, Default)]
pub struct MemcacheShared {
    /// What is counted by the beginnings of keys.
    pub detail: Detail,
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

impl MemcacheShared {
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
    pub fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
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
