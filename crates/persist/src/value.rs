//! Values as RDB has them, type by type.
//!
//! Packed collections are written as the bytes that they are. What is read is built element by element: so nothing enters that the
//! commands could not have made, whatever its bytes say, and the encoding is that of the directives in force here.

use larder_store::list::ListLimit;
use larder_store::set::SetLimits;
use larder_store::stream::ChunkLimits;
use larder_store::{Content, Entry, Large, PackedLimits, Type};

mod decode;
mod encode;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use decode::{Refused, decode};
pub(crate) use encode::{encode, number_of};

/// Numbers of the types, as RDB has them.
pub(crate) mod number {
    pub(crate) const STRING: u8 = 0;
    pub(crate) const LIST: u8 = 1;
    pub(crate) const SET: u8 = 2;
    pub(crate) const SORTED_SET_IN_DIGITS: u8 = 3;
    pub(crate) const HASH: u8 = 4;
    pub(crate) const SORTED_SET: u8 = 5;
    /// Of a module before modules were finished.
    pub(crate) const MODULE_OF_PREVIEWS: u8 = 6;
    pub(crate) const MODULE: u8 = 7;
    pub(crate) const HASH_ZIPMAP: u8 = 9;
    pub(crate) const LIST_ZIPLIST: u8 = 10;
    pub(crate) const SET_INTSET: u8 = 11;
    pub(crate) const SORTED_SET_ZIPLIST: u8 = 12;
    pub(crate) const HASH_ZIPLIST: u8 = 13;
    pub(crate) const LIST_OF_ZIPLISTS: u8 = 14;
    pub(crate) const STREAM: u8 = 15;
    pub(crate) const HASH_LISTPACK: u8 = 16;
    pub(crate) const SORTED_SET_LISTPACK: u8 = 17;
    pub(crate) const LIST_OF_LISTPACKS: u8 = 18;
    pub(crate) const STREAM_WITH_COUNTS: u8 = 19;
    pub(crate) const SET_LISTPACK: u8 = 20;
    pub(crate) const STREAM_WITH_ACTIVITY: u8 = 21;
    /// Valkey's; to Redis it means something else.
    pub(crate) const HASH_WITH_EXPIRIES: u8 = 22;
    /// Redis's, as is the next.
    pub(crate) const HASH_WITH_TTLS: u8 = 24;
    pub(crate) const HASH_LISTPACK_WITH_EXPIRIES: u8 = 25;
}

/// The version that is written unless the value needs a later one: what redis-server 7.0 reads.
pub(crate) const VERSION: u16 = 10;
/// From here on versions are Valkey's; those of Redis with hashes whose fields expire come between the two.
pub(crate) const VERSION_OF_VALKEY: u16 = 80;
/// What Valkey has in the place of the expiry of a field that stays.
const NEVER: i64 = -1;

/// The lowest version that has a type.
pub(crate) fn version_of(number: u8) -> u16 {
    if number == number::HASH_WITH_EXPIRIES { VERSION_OF_VALKEY } else { VERSION }
}

/// What a node of a list is.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Up to where collections are packed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of hashes.
    pub hash: PackedLimits,
    /// Of lists.
    pub list: ListLimit,
    /// Of sets.
    pub set: SetLimits,
    /// Of sorted sets.
    pub sorted_set: PackedLimits,
    /// Of the chunks of streams.
    pub stream: ChunkLimits,
}

/// A value to be written.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Its type.
    pub value_type: Type,
    /// What it is made of.
    pub content: Content<'a>,
}

impl<'a> From<&'a Entry> for View<'a> {
    fn from(entry: &'a Entry) -> View<'a> {
        View { value_type: entry.value_type(), content: entry.content() }
    }
}

impl<'a> From<&'a Large> for View<'a> {
    fn from(large: &'a Large) -> View<'a> {
        View { value_type: large.value_type(), content: Content::Large(large) }
    }
}
