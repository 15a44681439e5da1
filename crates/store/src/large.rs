//! Collections too large to be packed, whatever their type.

use crate::entry::{NewValue, Packing, SLOW_TO_FREE_BYTES, Type};
use crate::hash::LargeHash;
use crate::hashtable::{Hashtable, Members};
use crate::list::List;
use crate::stream::Stream;
use crate::zset::SortedSet;

/// Leaves looked at to tell how much memory a collection takes.
const SAMPLE: usize = 64;

/// Up to where a collection is packed, by the directives of its type.
#[derive(Clone, Copy, Debug)]
pub struct PackedLimits {
    /// Most elements.
    pub entries: usize,
    /// Most bytes of an element.
    pub value_bytes: usize,
}

/// No packed collection has more bytes, whatever the directives say.
pub(crate) const PACKED_BYTES_MAX: usize = 1 << 30;

/// A collection of one of the types. Cloning it takes a view: cheap whatever its size, and untouched by later changes.
#[derive(Clone, Debug)]
pub enum Large {
    /// A hash.
    Hash(LargeHash),
    /// A list.
    List(List),
    /// A set.
    Set(Hashtable<Members>),
    /// A sorted set.
    SortedSet(SortedSet),
    /// A stream, which is larger than the others.
    Stream(Box<Stream>),
}

impl Large {
    /// The type.
    #[inline]
    #[must_use]
    pub fn value_type(&self) -> Type {
        match self {
            Large::Hash(_) => Type::Hash,
            Large::List(_) => Type::List,
            Large::Set(_) => Type::Set,
            Large::SortedSet(_) => Type::SortedSet,
            Large::Stream(_) => Type::Stream,
        }
    }

    /// Number of elements: fields, members, entries.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Large::Hash(hash) => hash.len(),
            Large::List(list) => list.len(),
            Large::Set(members) => members.len(),
            Large::SortedSet(set) => set.len(),
            Large::Stream(stream) => stream.len(),
        }
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that it occupies, its own box included; estimated from a sample where counting would take long.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let elements = match self {
            Large::Hash(hash) => hash.memory_bytes(SAMPLE),
            Large::List(list) => list.memory_bytes(SAMPLE),
            Large::Set(members) => members.memory_bytes(SAMPLE),
            Large::SortedSet(set) => set.memory_bytes(SAMPLE),
            Large::Stream(stream) => stream.memory_bytes(SAMPLE),
        };
        crate::size_class(size_of::<Large>()) + elements
    }

    /// Whether freeing it takes long enough to be left to the background.
    #[must_use]
    pub fn is_slow_to_free(&self) -> bool {
        /// Freeing so many takes about as long as unmapping a block of that size.
        const ELEMENTS: usize = 1024;
        self.len() > ELEMENTS || self.memory_bytes() > SLOW_TO_FREE_BYTES
    }
}

/// An empty collection, packed.
#[must_use]
pub fn empty(of: Type, packing: Packing) -> NewValue<'static> {
    NewValue::Packed(of, packing, packing.empty())
}
