//! Places on earth: sorted sets whose scores are geohashes.

use larder_store::zset::SortedSetRef;
use larder_store::{Type, WrongType};

use crate::prelude::*;

mod add;
mod area;
mod look;
mod place;
mod search;
mod syntax;
mod unit;

pub(crate) const COMMANDS: &[&[Command]] = &[add::COMMANDS, look::COMMANDS, search::COMMANDS];

/// Reads a sorted set on behalf of a client.
fn read<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    read: impl FnOnce(Option<SortedSetRef<'_>>) -> R,
) -> Result<R, WrongType> {
    let entry = db.read_type(key, Type::SortedSet)?;
    Ok(read(entry.as_deref().map(SortedSetRef::of)))
}
