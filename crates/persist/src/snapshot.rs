//! Snapshots: whole files of RDB, written from a keyspace and read back.
//!
//! | in a file, one after the other | |
//! |---|---|
//! | magic and version, 9 bytes | `REDIS0010` or `VALKEY080` |
//! | opcode, and what belongs to it | facts, functions, databases, and what stands before a key |
//! | type, key, value | as often as there are keys |
//! | opcode of the end, checksum | the checksum from version 5 on; 0 is none |
//!
//! Neither side holds more than a part of a file: a large value is written in parts, and a key is read by going over its bytes
//! without making a value of them. That is left to whoever has the record, so that several threads can do it.

pub mod check;
mod error;
mod reader;
mod record;
mod skip;
mod source;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{Error, Fault};
pub use reader::{Item, Reader, SlotImport, Verdict};
pub use record::{Record, Unusable, Usage};
pub use writer::{Checksum, Format, Key, Writer};

/// What stands where a key could begin.
mod opcode {
    pub(super) use crate::functions::{LIBRARY, LIBRARY_OF_PREVIEWS};

    /// Valkey's: slots that were being moved in.
    pub(super) const SLOT_IMPORT: u8 = 243;
    pub(super) const SLOT_INFO: u8 = 244;
    pub(super) const MODULE_AUX: u8 = 247;
    pub(super) const IDLE: u8 = 248;
    pub(super) const FREQUENCY: u8 = 249;
    pub(super) const AUX: u8 = 250;
    pub(super) const SIZES: u8 = 251;
    pub(super) const EXPIRES_AT_MILLIS: u8 = 252;
    pub(super) const EXPIRES_AT_SECONDS: u8 = 253;
    pub(super) const DATABASE: u8 = 254;
    pub(super) const END: u8 = 255;
}

/// What tells a file apart from a log: so many bytes of its beginning.
pub(crate) const SIGNATURE_BYTES: usize = 6;

/// Whether a file begins as a snapshot does.
pub(crate) fn is_signature(first: &[u8]) -> bool {
    first.starts_with(b"REDIS") || first.starts_with(b"VALKEY")
}

/// Versions that Redis wrote and that are read.
const VERSIONS_OF_REDIS: std::ops::RangeInclusive<u16> = 1..=12;
/// The first version with a checksum at the end.
const CHECKED_FROM: u16 = 5;
/// A fact that belongs to the next key: memcached's client flags and item state. The peers ignore facts that they do not know.
const ITEM: &[u8] = b"larder-item";
