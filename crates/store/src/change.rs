//! What happens to keys, told to whoever listens.

use crate::DbIndex;

/// A keyspace notification's class: one letter of the directive notify-keyspace-events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// `g`: commands that work on any type.
    Generic,
    /// `$`: string commands.
    String,
    /// `l`: list commands.
    List,
    /// `s`: set commands.
    Set,
    /// `z`: sorted set commands.
    SortedSet,
    /// `h`: hash commands.
    Hash,
    /// `t`: stream commands.
    Stream,
    /// `x`: a key expired.
    Expired,
    /// `e`: a key was evicted.
    Evicted,
    /// Nobody hears of it.
    Untold,
}

/// A keyspace notification: class and name, such as `$` and `incrby`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which clients want to hear of it.
    pub class: EventClass,
    /// What they are told.
    pub name: &'static str,
}

impl Event {
    /// An event of the generic class.
    #[must_use]
    pub const fn generic(name: &'static str) -> Event {
        Event { class: EventClass::Generic, name }
    }

    /// An event of the string class.
    #[must_use]
    pub const fn string(name: &'static str) -> Event {
        Event { class: EventClass::String, name }
    }

    /// An event of the list class.
    #[must_use]
    pub const fn list(name: &'static str) -> Event {
        Event { class: EventClass::List, name }
    }

    /// An event of the set class.
    #[must_use]
    pub const fn set(name: &'static str) -> Event {
        Event { class: EventClass::Set, name }
    }

    /// An event of the sorted set class.
    #[must_use]
    pub const fn sorted_set(name: &'static str) -> Event {
        Event { class: EventClass::SortedSet, name }
    }

    /// An event of the hash class.
    #[must_use]
    pub const fn hash(name: &'static str) -> Event {
        Event { class: EventClass::Hash, name }
    }

    /// An event of the stream class.
    #[must_use]
    pub const fn stream(name: &'static str) -> Event {
        Event { class: EventClass::Stream, name }
    }

    /// The event of a key that expired.
    pub const EXPIRED: Event = Event { class: EventClass::Expired, name: "expired" };
    /// The event of an evicted key.
    pub const EVICTED: Event = Event { class: EventClass::Evicted, name: "evicted" };
    /// No event: the key has changed, but the peers tell nobody (an acknowledgement of a stream's entry).
    pub const UNTOLD: Event = Event { class: EventClass::Untold, name: "" };
    /// The event of a hash some of whose fields expired.
    pub const FIELDS_EXPIRED: Event = Event::hash("hexpired");
    /// The event of a deleted key.
    pub const DELETED: Event = Event::generic("del");
}

/// How a key changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It did not exist before.
    Created,
    /// Its value or its expiry is another.
    Modified,
    /// It is gone: by command, or because its time had come.
    Removed,
    /// No further change: one more notification of the change just told.
    Noted,
}

/// One change of one key.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The numbered database.
    pub db: DbIndex,
    /// The key.
    pub key: &'a [u8],
    /// How it changed.
    pub effect: Effect,
    /// The notification that belongs to it.
    pub event: Event,
}

/// What a stripe keeps beside its part of the keyspace on behalf of the engine. It is told of every change, whatever its cause,
/// while the stripe is locked; so it must be quick.
pub trait SideState: Default + Send {
    /// A key changed.
    fn changed(&mut self, change: Change<'_>);
    /// So many fields of a hash expired; the change of its key is told as any other.
    fn fields_expired(&mut self, fields: usize);
    /// A key is about to go by itself, because its time has come or for want of memory; its change is told as any other.
    fn goes_by_itself(&mut self, _db: DbIndex, _key: &[u8]) {}
    /// Whether it is to be told which fields of hashes expire by themselves.
    fn notes_fields(&self) -> bool {
        false
    }
    /// These fields of a hash have expired by themselves.
    fn note_fields(&mut self, _db: DbIndex, _key: &[u8], _fields: &[Vec<u8>]) {}
    /// All keys of a database in this stripe (so many) were removed at once; `had` says whether a key was among them.
    fn flushed(&mut self, db: DbIndex, keys: usize, had: &dyn Fn(&[u8]) -> bool);
    /// Two databases were exchanged; `has` says whether one of them has a key now.
    fn swapped(&mut self, dbs: (DbIndex, DbIndex), has: &dyn Fn(DbIndex, &[u8]) -> bool);
}
