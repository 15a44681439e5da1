//! Who waits for news of keys of a stripe: clients that watch some, that are blocked for some, or that cache some; and subscribers to
//! events.

use std::sync::Arc;

use larder_store::{Change, DbIndex, Effect};

use crate::blocking::BlockedKeys;
use crate::caching::CachedKeys;
use crate::notifications::Notifier;
use crate::watch::WatchedKeys;

/// See the module's documentation. A stripe has one only while somebody waits.
#[derive(Debug, Default)]
pub struct Listeners {
    pub(crate) watched: WatchedKeys,
    pub(crate) blocked: BlockedKeys,
    pub(crate) cached: CachedKeys,
    pub(crate) notifier: Option<Arc<Notifier>>,
}

impl Listeners {
    pub(crate) fn is_empty(&self) -> bool {
        self.watched.is_empty()
            && self.blocked.is_empty()
            && self.cached.is_empty()
            && self.notifier.is_none()
    }

    pub(crate) fn changed(&mut self, change: &Change<'_>) {
        if change.effect != Effect::Noted {
            self.watched.touch(change.db, change.key);
            self.blocked.changed(change);
            self.cached.changed(change.key);
        }
        if let Some(notifier) = &self.notifier {
            notifier.changed(change);
        }
    }

    pub(crate) fn flushed(&mut self, db: DbIndex, had: &dyn Fn(&[u8]) -> bool) {
        self.watched.touch_all(|of, key| of == db && had(key));
        self.blocked.flushed(db, had);
    }

    pub(crate) fn swapped(&mut self, (one, other): (DbIndex, DbIndex), has: &dyn Fn(DbIndex, &[u8]) -> bool) {
        let is_either = |db| db == one || db == other;
        self.watched.touch_all(|of, key| is_either(of) && (has(one, key) || has(other, key)));
        self.blocked.note_all(|of, _| is_either(of));
    }
}
