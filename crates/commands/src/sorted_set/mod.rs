//! Sorted sets: members with scores, in their order.

use larder_config::Settings;
use larder_resp::{Protocol, Reply};
use larder_store::zset::{self, SortedSetMut, SortedSetRef};
use larder_store::{Element, Entry, Missing, PackedLimits, Type, WrongType};

use crate::element::reply_element;
use crate::prelude::*;

pub(crate) mod add;
mod block;
mod bounds;
mod combine;
mod look;
mod pop;
mod random;
mod range;
mod remove;
mod scan;
mod score;

pub(crate) use score::{general, parse as parse_score, parse_weight};

pub(crate) const COMMANDS: &[&[Command]] = &[
    add::COMMANDS,
    block::COMMANDS,
    combine::COMMANDS,
    look::COMMANDS,
    pop::COMMANDS,
    random::COMMANDS,
    range::COMMANDS,
    remove::COMMANDS,
    scan::COMMANDS,
];

/// Up to where a sorted set is packed.
pub(crate) fn limits(settings: &Settings) -> PackedLimits {
    PackedLimits {
        entries: usize::try_from(settings.zset_max_listpack_entries).unwrap_or(usize::MAX),
        value_bytes: usize::try_from(settings.zset_max_listpack_value).unwrap_or(usize::MAX),
    }
}

/// Reads a sorted set on behalf of a client.
#[inline]
fn read<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    read: impl FnOnce(Option<SortedSetRef<'_>>) -> R,
) -> Result<R, WrongType> {
    let entry = db.read_type(key, Type::SortedSet)?;
    Ok(read(entry.as_deref().map(SortedSetRef::of)))
}

/// The number of members of a sorted set that is about to be changed, if it is there.
fn len(db: &mut Locked<'_>, key: Key<'_>) -> Result<Option<usize>, WrongType> {
    let entry = db.find_type(key, Type::SortedSet)?;
    Ok(entry.as_deref().map(|entry| SortedSetRef::of(entry).len()))
}

/// Changes a sorted set; one that is not there is created if `missing` says so.
#[inline]
fn change<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    limits: PackedLimits,
    missing: Missing<'_>,
    change: impl FnOnce(&mut SortedSetMut<'_>) -> (R, Option<Event>),
) -> Result<Option<R>, WrongType> {
    let change = |entry: &mut Entry| change(&mut SortedSetMut::of(entry, limits));
    db.change_collection(key, Type::SortedSet, missing, change)
}

/// The value of a key that is not there.
pub(crate) fn new() -> Missing<'static> {
    Missing::Create(zset::empty())
}

/// Whether scores are wanted beside members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scores {
    With,
    Without,
}

impl Scores {
    /// Writes the header of an array of so many elements. RESP3 has a pair for each with its score.
    fn header(self, reply: &mut Reply<'_>, len: usize) {
        reply.array(self.values(reply.protocol, len));
    }

    /// How many values an array of so many elements has.
    fn values(self, protocol: Protocol, len: usize) -> usize {
        if self == Scores::With && protocol == Protocol::Resp2 { len.saturating_mul(2) } else { len }
    }

    #[inline]
    fn write(self, reply: &mut Reply<'_>, member: Element<'_>, score: f64) {
        if self == Scores::With && reply.protocol == Protocol::Resp3 {
            reply.array(2);
        }
        reply_element(reply, member);
        if self == Scores::With {
            reply.double(score);
        }
    }
}
