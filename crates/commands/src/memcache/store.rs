//! The requests that carry a value: what each mode does with what is there, for the text and the meta protocol.

use larder_engine::Topics;
use larder_store::{Attributes, Event, NewValue, Position};
use memcache_parser::reply::Status;
use memcache_parser::{ErrorReply, Limits, Store, StoreMode};

use super::item::{Contended, Item, Lifetime, STALE, STORED, TOKEN_SENT};
use super::turn::Turn;

/// The event of bytes added behind a value.
const APPENDED: Event = Event::string("append");

/// A value to be stored, and on which conditions.
pub(super) struct Storing<'r> {
    pub(super) mode: StoreMode,
    /// The CAS value that the item must have. With [`StoreMode::Set`] and [`StoreMode::Replace`] there must be an item.
    pub(super) compare_cas: Option<u64>,
    /// What becomes of a value for an item that has changed since.
    pub(super) outdated: Outdated,
    /// The CAS value that the item shall have; a new one if not given.
    pub(super) new_cas: Option<u64>,
    /// The lifetime of an item made by [`StoreMode::Append`] or [`StoreMode::Prepend`] because there was none; without, none is
    /// made.
    pub(super) vivify: Option<Lifetime>,
    pub(super) client_flags: u32,
    pub(super) lifetime: Lifetime,
    pub(super) value: &'r [u8],
}

/// What becomes of a value that was computed from an older state of the item than is there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outdated {
    /// It is refused.
    Refuse,
    /// It is stored and marked stale, so that a client renews it.
    StoreStale,
}

/// What is known of an item that is to be replaced.
struct Old {
    attributes: Attributes,
    value_len: usize,
}

/// How the CAS value of a request relates to the item's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    NotAsked,
    Same,
    Older,
    Different,
}

impl Turn<'_> {
    /// Stores a value.
    #[inline]
    pub(super) fn store(&mut self, store: &Store<'_>, position: Position) -> Result<(), Contended> {
        let has_room = self.has_room();
        let mut item = self.item(store.key, position)?;
        self.note(store.key, |counts| counts.sets += 1);
        if !has_room {
            item.give_up_for(store.mode);
            self.error(ErrorReply::OutOfMemoryStoring, store.reply);
            return Ok(());
        }
        let storing = Storing {
            mode: store.mode,
            compare_cas: store.compare_cas,
            outdated: Outdated::Refuse,
            new_cas: None,
            vivify: None,
            client_flags: store.client_flags,
            lifetime: Lifetime::of(store.exptime, self.now()),
            value: store.value,
        };
        let status = self.put(&mut item, store.key.len(), &storing);
        self.status(status, store.reply);
        Ok(())
    }

    /// Stores a value if the conditions hold.
    #[inline]
    pub(super) fn put(&self, item: &mut Item<'_>, key_len: usize, storing: &Storing<'_>) -> Status {
        self.stats().cmd_set.add(1);
        let status = if storing.mode == StoreMode::Set && storing.compare_cas.is_none() {
            storing.replace(item);
            Status::Stored
        } else {
            self.put_conditionally(item, key_len, storing)
        };
        if status == Status::Stored {
            self.stats().items_stored.add(1);
        }
        if self.watched.meet(Topics::MUTATIONS) {
            self.log_store(item, storing, status);
        }
        status
    }

    fn put_conditionally(&self, item: &mut Item<'_>, key_len: usize, storing: &Storing<'_>) -> Status {
        let stats = self.stats();
        let old =
            item.look().map(|entry| Old { attributes: entry.attributes(), value_len: entry.value_len() });
        let swaps =
            storing.compare_cas.is_some() && matches!(storing.mode, StoreMode::Set | StoreMode::Replace);
        let Some(old) = old else {
            if swaps {
                stats.cas_misses.add(1);
                return Status::NotFound;
            }
            return storing.create(item);
        };
        let comparison = storing.compare(item, &old);
        match storing.mode {
            StoreMode::Add => Status::NotStored,
            StoreMode::Append | StoreMode::Prepend => match comparison {
                Comparison::NotAsked | Comparison::Same => storing.extend(item, &old, key_len, &self.limits),
                Comparison::Older | Comparison::Different => Status::Exists,
            },
            StoreMode::Set | StoreMode::Replace if !swaps => {
                storing.replace(item);
                Status::Stored
            }
            StoreMode::Set | StoreMode::Replace => match comparison {
                Comparison::Same => {
                    stats.cas_hits.add(1);
                    storing.replace(item);
                    Status::Stored
                }
                Comparison::Older => {
                    stats.cas_hits.add(1);
                    storing.replace_stale(item, &old);
                    Status::Stored
                }
                Comparison::NotAsked | Comparison::Different => {
                    stats.cas_badval.add(1);
                    Status::Exists
                }
            },
        }
    }
}

impl Storing<'_> {
    /// Stores the value over whatever is there.
    #[inline]
    fn replace(&self, item: &mut Item<'_>) {
        item.put(&self.attributes(), self.lifetime, NewValue::of(self.value), STORED);
    }

    /// Stores the value, which is stale from the start. It keeps the old one's lifetime, and the win that was given away.
    fn replace_stale(&self, item: &mut Item<'_>, old: &Old) {
        let item_state = STALE | old.attributes.item_state & TOKEN_SENT;
        let expires_at = old.attributes.expires_at;
        let attributes = Attributes { item_state, expires_at, ..self.attributes() };
        item.put_value(&attributes, NewValue::of(self.value), STORED);
    }

    /// Stores the value where there is no item. What is there of another type is left alone: only who asks for it by a plain
    /// `set` destroys it.
    fn create(&self, item: &mut Item<'_>) -> Status {
        let lifetime = match self.mode {
            StoreMode::Set | StoreMode::Add => Some(self.lifetime),
            StoreMode::Append | StoreMode::Prepend => self.vivify,
            StoreMode::Replace => None,
        };
        match lifetime {
            Some(lifetime) if !item.is_of_another_type() => {
                item.put(&self.attributes(), lifetime, NewValue::of(self.value), STORED);
                Status::Stored
            }
            _ => Status::NotStored,
        }
    }

    /// Adds the value to the one that is there. In memcached this makes a new item, so nobody has read it yet, and it is neither
    /// stale nor about to be renewed.
    fn extend(&self, item: &mut Item<'_>, old: &Old, key_len: usize, limits: &Limits) -> Status {
        let (old_len, len) = (old.value_len, old.value_len + self.value.len());
        if !limits.admit(key_len, old.attributes.client_flags, len) {
            return Status::NotStored;
        }
        if self.mode == StoreMode::Append {
            item.change(len, APPENDED, |bytes| bytes[old_len..].copy_from_slice(self.value));
        } else {
            item.change(len, STORED, |bytes| {
                bytes.copy_within(..old_len, self.value.len());
                bytes[..self.value.len()].copy_from_slice(self.value);
            });
        }
        if old.attributes.item_state != 0 || self.new_cas.is_some() {
            item.mark_attributes(|attributes| {
                attributes.item_state = 0;
                attributes.cas = self.new_cas.or(attributes.cas);
            });
        }
        item.mark(larder_store::Entry::clear_fetched);
        Status::Stored
    }

    /// Compares CAS values. An item that has none was changed since any that a client may know; 0 asks for no comparison.
    fn compare(&self, item: &mut Item<'_>, old: &Old) -> Comparison {
        match self.compare_cas {
            None | Some(0) => Comparison::NotAsked,
            same if same == old.attributes.cas => Comparison::Same,
            Some(known) if self.outdated == Outdated::StoreStale && Some(known) < item.cas() => {
                Comparison::Older
            }
            Some(_) => Comparison::Different,
        }
    }

    fn attributes(&self) -> Attributes {
        Attributes { client_flags: self.client_flags, cas: self.new_cas, ..Attributes::default() }
    }
}
