//! Sets: members without order under one key.

use larder_config::Settings;
use larder_store::set::{SetLimits, SetMut, SetRef};
use larder_store::{Entry, Missing, PackedLimits, Type, WrongType};

use crate::prelude::*;

mod change;
mod combine;
mod look;
mod pop;
mod random;
mod scan;

pub(crate) const COMMANDS: &[&[Command]] =
    &[change::COMMANDS, combine::COMMANDS, look::COMMANDS, pop::COMMANDS, random::COMMANDS, scan::COMMANDS];

/// Members written between two looks at the clock.
const STEP: usize = 64;

/// Up to where a set is what.
pub(crate) fn limits(settings: &Settings) -> SetLimits {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    SetLimits {
        // As in Redis, an intset never has more than 2^30 members.
        intset_entries: size(settings.set_max_intset_entries).min(1 << 30),
        packed: PackedLimits {
            entries: size(settings.set_max_listpack_entries),
            value_bytes: size(settings.set_max_listpack_value),
        },
    }
}

/// Reads a set on behalf of a client.
#[inline]
fn read<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    read: impl FnOnce(Option<SetRef<'_>>) -> R,
) -> Result<R, WrongType> {
    let entry = db.read_type(key, Type::Set)?;
    Ok(read(entry.as_deref().map(SetRef::of)))
}

/// Looks at a set that is about to be changed, without leaving a trace.
fn read_quietly<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    read: impl FnOnce(Option<SetRef<'_>>) -> R,
) -> Result<R, WrongType> {
    let entry = db.find_type(key, Type::Set)?;
    Ok(read(entry.as_deref().map(SetRef::of)))
}

/// Changes a set that is there.
#[inline]
fn change<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    limits: SetLimits,
    change: impl FnOnce(&mut SetMut<'_>) -> (R, Option<Event>),
) -> Result<Option<R>, WrongType> {
    let change = |entry: &mut Entry| change(&mut SetMut::of(entry, limits));
    db.change_collection(key, Type::Set, Missing::Leave, change)
}
