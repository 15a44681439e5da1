//! Hashes: fields with values under one key.

use larder_config::Settings;
use larder_store::hash::{self, HashMut, HashRef};
use larder_store::{Entry, Missing, PackedLimits, Type, WrongType};

use crate::prelude::*;

mod get;
mod list;
mod number;
mod random;
mod scan;
mod set;

pub(crate) const COMMANDS: &[&[Command]] =
    &[get::COMMANDS, list::COMMANDS, number::COMMANDS, random::COMMANDS, scan::COMMANDS, set::COMMANDS];

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
    let entry = db.read_type(key, Type::Hash)?;
    Ok(read(entry.as_deref().map(HashRef::of)))
}

/// Changes a hash, which is created if it is not there.
#[inline]
fn change<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    limits: PackedLimits,
    change: impl FnOnce(&mut HashMut<'_>) -> (R, Option<Event>),
) -> Result<R, WrongType> {
    let change = |entry: &mut Entry| change(&mut HashMut::of(entry, limits));
    let result = db.change_collection(key, Type::Hash, Missing::Create(hash::empty()), change)?;
    Ok(result.expect("what is not there was created"))
}
