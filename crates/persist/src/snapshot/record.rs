//! A key as it stands in a file.

use std::fmt::{Display, Formatter};
use std::ops::Range;

use larder_store::{Attributes, Entry, UnixMillis};

use super::skip::module_name;
use crate::reader;
use crate::value::{Limits, Refused, decode, number};

/// How a key was used, as the policy of eviction counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// Nothing is said.
    #[default]
    Unknown,
    /// So long ago last.
    IdleSeconds(u64),
    /// So often, as LFU counts.
    Frequency(u8),
}

/// A key with its value, of which is known where it ends, and no more.
#[derive(Clone, Debug)]
pub struct Record {
    /// Number of the type, key, value.
    pub(super) bytes: Vec<u8>,
    pub(super) key: RecordKey,
    pub(super) value_at: usize,
    pub(super) version: u16,
    pub(super) attributes: Attributes,
    pub(super) usage: Usage,
}

#[derive(Clone, Debug)]
pub(super) enum RecordKey {
    /// In the bytes.
    At(Range<usize>),
    /// It was an integer, or packed.
    Unpacked(Vec<u8>),
}

impl RecordKey {
    /// The key, given the bytes of the record.
    pub(super) fn in_bytes<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        match self {
            RecordKey::At(range) => &bytes[range.clone()],
            RecordKey::Unpacked(key) => key,
        }
    }
}

/// Why a record makes no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is a collection without elements. Old versions of the peers wrote some by mistake; they may be passed over.
    Empty,
    /// It is a value of this module.
    Module(String),
    /// Its bytes make no value.
    Damaged,
}

impl Record {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.key.in_bytes(&self.bytes)
    }

    /// The number of the value's type in the format.
    #[must_use]
    pub fn type_number(&self) -> u8 {
        self.bytes[0]
    }

    /// When the key expires.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixMillis> {
        self.attributes.expires_at
    }

    /// How the key was used. An entry that is decoded does not know it.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Bytes that the record takes in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The entry, with its expiry and what memcached's clients see. Fields of hashes that have expired are there too.
    ///
    /// # Errors
    /// It makes none.
    pub fn decode(&self, limits: &Limits) -> Result<Entry, Unusable> {
        let mut reader = reader::Reader::new(&self.bytes[self.value_at..]);
        if self.type_number() == number::MODULE {
            return Err(Unusable::Module(module_name(reader.len().unwrap_or_default())));
        }
        let entry =
            decode(self.type_number(), &mut reader, self.version, self.key(), &self.attributes, limits);
        match entry {
            Ok(entry) if reader.is_empty() => Ok(entry),
            Err(Refused::Empty) => Err(Unusable::Empty),
            Ok(_) | Err(Refused::Damaged) => Err(Unusable::Damaged),
        }
    }
}

impl Display for Unusable {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Unusable::Empty => f.write_str("a collection without elements"),
            Unusable::Module(name) => {
                write!(f, "The RDB file contains module data I can't load: no matching module type '{name}'")
            }
            Unusable::Damaged => f.write_str("Bad data format"),
        }
    }
}

impl std::error::Error for Unusable {}
