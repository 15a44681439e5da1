//! Keyspace notifications: what happens to keys, published on channels that are named after the key and after what happened.
//!
//! A message is published under the lock of the key's stripe, so those about one key come in the order of what happened to it. Reads
//! of memcached clients are no misses in this sense: only Redis's own are told of.

use std::sync::Arc;

use larder_config::Events;
use larder_store::{Change, DbIndex, Effect, EventClass, STRIPES};
use smallvec::SmallVec;

use crate::node::{Node, moment};
use crate::pubsub::PubSub;
use crate::sync::Ordering;

/// Which events are published, and where.
#[derive(Debug)]
pub(crate) struct Notifier {
    events: Events,
    pubsub: Arc<PubSub>,
}

impl Notifier {
    /// Publishes what has happened to a key.
    pub(crate) fn changed(&self, change: &Change<'_>) {
        if self.pubsub.is_empty() {
            return;
        }
        if change.effect == Effect::Created {
            self.publish(Events::NEW, change.db, change.key, "new");
        }
        if let Some(class) = class(change.event.class) {
            self.publish(class, change.db, change.key, change.event.name);
        }
    }

    /// Publishes that a key was asked for that is not there.
    pub(crate) fn missed(&self, db: DbIndex, key: &[u8]) {
        if !self.pubsub.is_empty() {
            self.publish(Events::KEY_MISS, db, key, "keymiss");
        }
    }

    fn publish(&self, class: Events, db: DbIndex, key: &[u8], name: &str) {
        if !self.events.contains(class) {
            return;
        }
        let channel = |kind: &str, of: &[u8]| {
            let mut channel = SmallVec::<[u8; 64]>::from_slice(b"__");
            channel.extend_from_slice(kind.as_bytes());
            channel.push(b'@');
            channel.extend_from_slice(itoa::Buffer::new().format(db.0).as_bytes());
            channel.extend_from_slice(b"__:");
            channel.extend_from_slice(of);
            channel
        };
        if self.events.contains(Events::KEYSPACE) {
            self.pubsub.publish(&channel("keyspace", key), name.as_bytes());
        }
        if self.events.contains(Events::KEYEVENT) {
            self.pubsub.publish(&channel("keyevent", name.as_bytes()), key);
        }
    }
}

/// The letter of the directive for a class of events.
fn class(class: EventClass) -> Option<Events> {
    Some(match class {
        EventClass::Generic => Events::GENERIC,
        EventClass::String => Events::STRING,
        EventClass::List => Events::LIST,
        EventClass::Set => Events::SET,
        EventClass::SortedSet => Events::SORTED_SET,
        EventClass::Hash => Events::HASH,
        EventClass::Stream => Events::STREAM,
        EventClass::Expired => Events::EXPIRED,
        EventClass::Evicted => Events::EVICTED,
        EventClass::Untold => return None,
    })
}

impl Node {
    /// Has all stripes publish the events that the settings name.
    pub(crate) fn follow_events(&self) {
        let settings = self.settings();
        let events = settings.notify_keyspace_events;
        let wanted = events.intersects(Events::KEYSPACE.union(Events::KEYEVENT));
        let notifier = wanted.then(|| Arc::new(Notifier { events, pubsub: Arc::clone(&self.pubsub) }));
        self.tells_misses.store(wanted && events.contains(Events::KEY_MISS), Ordering::Relaxed);
        let moment = moment(self.host.time().now, &settings);
        for stripe in 0..STRIPES {
            let mut guard = self.keyspace.lock(stripe, moment);
            guard.side().listeners().notifier.clone_from(&notifier);
            guard.side().forget_listeners();
        }
    }
}
