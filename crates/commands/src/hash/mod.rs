//! Hashes: fields with values under one key.

use larder_config::Settings;
use larder_store::hash::{self, HashMut, HashRef};
use larder_store::{Missing, PackedLimits, Type, WrongType};

use crate::prelude::*;

mod expire;
mod get;
mod get_with_expiry;
mod list;
mod named_fields;
mod number;
mod random;
mod scan;
mod set;
mod set_with_expiry;
mod ttl;

pub(crate) const COMMANDS: &[&[Command]] = &[
    expire::COMMANDS,
    get::COMMANDS,
    get_with_expiry::COMMANDS,
    list::COMMANDS,
    number::COMMANDS,
    random::COMMANDS,
    scan::COMMANDS,
    set::COMMANDS,
    set_with_expiry::COMMANDS,
    ttl::COMMANDS,
];

/// The event of fields that were given values.
const SET: Event = Event::hash("hset");
/// The event of fields that were given an expiry.
const EXPIRE: Event = Event::hash("hexpire");
/// The event of fields that lost their expiry.
const PERSIST: Event = Event::hash("hpersist");

/// Up to where a hash is packed.
pub(crate) fn limits(settings: &Settings) -> PackedLimits {
    PackedLimits {
        entries: usize::try_from(settings.hash_max_listpack_entries).unwrap_or(usize::MAX),
        value_bytes: usize::try_from(settings.hash_max_listpack_value).unwrap_or(usize::MAX),
    }
}

/// Reads a hash on behalf of a client.
#[inline]
fn read<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    read: impl FnOnce(Option<HashRef<'_>>) -> R,
) -> Result<R, WrongType> {
    let now = db.now();
    let entry = db.read_type(key, Type::Hash)?;
    Ok(read(entry.as_deref().map(|entry| HashRef::of(entry, now))))
}

/// Looks at a hash that is about to be changed.
fn look<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    look: impl FnOnce(Option<HashRef<'_>>) -> R,
) -> Result<R, WrongType> {
    let now = db.now();
    let entry = db.find_type(key, Type::Hash)?;
    Ok(look(entry.as_deref().map(|entry| HashRef::of(entry, now))))
}

/// Changes a hash, which is created if it is not there; `change` returns its result and the events of what it did.
#[inline]
fn change<R, E: IntoIterator<Item = Event>>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    limits: PackedLimits,
    change: impl FnOnce(&mut HashMut<'_>) -> (R, E),
) -> Result<R, WrongType> {
    let result = change_or_leave(db, key, limits, Missing::Create(hash::empty()), change)?;
    Ok(result.expect("what is not there was created"))
}

/// Changes a hash that is there.
#[inline]
fn change_existing<R, E: IntoIterator<Item = Event>>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    limits: PackedLimits,
    change: impl FnOnce(&mut HashMut<'_>) -> (R, E),
) -> Result<Option<R>, WrongType> {
    change_or_leave(db, key, limits, Missing::Leave, change)
}

#[inline]
fn change_or_leave<R, E: IntoIterator<Item = Event>>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    limits: PackedLimits,
    missing: Missing<'_>,
    change: impl FnOnce(&mut HashMut<'_>) -> (R, E),
) -> Result<Option<R>, WrongType> {
    let now = db.now();
    let mut overdue = 0;
    let result = db.change_collection(key, Type::Hash, missing, |entry| {
        let mut hash = HashMut::of(entry, limits, now);
        let (result, events) = change(&mut hash);
        overdue = hash.overdue();
        // What was set in the place of a field whose time had come let that one expire.
        let expired = (overdue > 0).then_some(Event::FIELDS_EXPIRED);
        (result, expired.into_iter().chain(events))
    })?;
    db.fields_expired(key, overdue);
    Ok(result)
}
