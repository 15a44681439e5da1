//! Packed collections: Redis's own bytes, inside the entry while they are short and in a block of their own above.
//!
//! What is edited in place may have room behind it, so that not every new element moves the entry: a sixteenth of its length when
//! it grows, and what its size class leaves unused. The formats tell themselves where they end.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{BLOCK_MIN_BYTES, Content, Entry, NewValue, Packing, Type, Value, class_bytes, length};
use crate::UnixMillis;
use crate::buffer::Buffer;
use crate::intset::Intset;
use crate::large::Large;
use crate::listpack::Listpack;

/// Room behind a collection that is given up when it shrinks: this many bytes, and a quarter of its length.
const ROOM_MAX_BYTES: usize = 64;

/// The bytes of a packed collection, for modification.
#[derive(Debug)]
pub struct Packed<'a> {
    entry: &'a mut Entry,
    packing: Packing,
    /// Length of the collection; until the next time, when it tells itself.
    used: usize,
}

impl Entry {
    /// The bytes of a packed collection, and how to read them.
    #[inline]
    #[must_use]
    pub fn packed(&self) -> Option<(Packing, &[u8])> {
        let packing = self.encoding().packing()?;
        let bytes = match self.value() {
            Value::Inline(bytes) => bytes,
            Value::Block(block) => block.as_slice(),
            Value::Int(_) => return None,
        };
        Some((packing, &bytes[..packing.used(bytes)]))
    }

    /// The bytes of a packed collection, for modification.
    #[inline]
    #[must_use]
    pub fn packed_mut(&mut self) -> Option<Packed<'_>> {
        let (packing, bytes) = self.packed()?;
        let used = bytes.len();
        Some(Packed { entry: self, packing, used })
    }

    /// Packs the collection into these bytes, whatever it was held in before.
    pub fn become_packed(&mut self, packing: Packing, bytes: &[u8]) {
        let of = self.value_type();
        self.replace(&self.attributes(), NewValue::packed(of, packing, bytes));
    }

    /// Holds the collection as a large one, of the same type, whatever it was held in before.
    pub fn become_large(&mut self, large: Large) {
        debug_assert_eq!(large.value_type(), self.value_type(), "a conversion keeps the type");
        self.replace(&self.attributes(), NewValue::Large(Box::new(large)));
    }

    /// How large the value is as people count: the bytes of a string, the elements of a collection.
    #[must_use]
    pub fn size(&self) -> usize {
        match (self.content(), self.value_type()) {
            (Content::String(_), _) => self.value_len(),
            (Content::Packed(Packing::Listpack, bytes), Type::Hash | Type::SortedSet) => {
                Listpack::new(bytes).len() / 2
            }
            (Content::Packed(Packing::Listpack, bytes), _) => Listpack::new(bytes).len(),
            (Content::Packed(Packing::Intset, bytes), _) => Intset::new(bytes).len(),
            (Content::Large(large), _) => large.len(),
        }
    }

    /// When the first field of a hash expires, if this is a hash with such fields.
    #[inline]
    #[must_use]
    pub fn next_field_expiry(&self) -> Option<UnixMillis> {
        match self.large() {
            Some(Large::Hash(hash)) => hash.next_expiry(),
            _ => None,
        }
    }

    /// When it has to be looked at: the time of the key, or that of its first field to expire.
    #[inline]
    pub(crate) fn wakes_at(&self) -> Option<UnixMillis> {
        earlier(self.expires_at(), self.next_field_expiry())
    }

    /// Removes fields of a hash whose time has come, `limit` at most; returns how many.
    pub fn remove_due_fields(&mut self, now: UnixMillis, limit: usize, each: impl FnMut(&[u8])) -> usize {
        match self.large_mut() {
            Some(Large::Hash(hash)) => hash.remove_due(now, limit, each),
            _ => 0,
        }
    }

    /// Whether this is a collection that has lost its last element, and so has to go. A stream may be empty.
    #[inline]
    #[must_use]
    pub fn is_spent(&self) -> bool {
        match (self.packed(), self.large()) {
            (Some((packing, bytes)), _) => packing.is_empty(bytes),
            (_, Some(large)) => large.value_type() != Type::Stream && large.is_empty(),
            _ => false,
        }
    }

    /// The bytes of a packed collection with the room behind them.
    #[inline]
    fn room_mut(&mut self) -> &mut [u8] {
        if self.encoding().is_inline() {
            return self.inline_mut();
        }
        self.block_mut().expect("what is packed lies in the entry or in a block")
    }

    /// Makes the value these bytes, with some room behind them.
    fn repack(&mut self, packing: Packing, mut bytes: SmallVec<[u8; 512]>) {
        let room = self.room_for(bytes.len());
        if room < BLOCK_MIN_BYTES {
            bytes.resize(room, 0);
            return self.become_packed(packing, &bytes);
        }
        let of = self.value_type();
        self.replace(&self.attributes(), NewValue::PackedBlock(of, packing, Arc::new(bytes.into_vec())));
    }

    /// How many bytes to keep for a packed collection of this length, which has grown: it fills its size class.
    fn room_for(&self, len: usize) -> usize {
        let wanted = len + len / 16;
        let in_front = self.options_start() + super::optional_size(self.byte(super::FLAGS));
        let content = in_front + length::size(wanted) + wanted;
        // A long name makes the classes coarse.
        let room = (wanted + class_bytes(content) - content).min(len + len / 4 + ROOM_MAX_BYTES);
        if length::size(room) == length::size(wanted) { room } else { wanted }
    }
}

/// The earlier of two times, if there are any.
#[inline]
pub(crate) fn earlier(one: Option<UnixMillis>, other: Option<UnixMillis>) -> Option<UnixMillis> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Packed<'_> {
    /// How to read the bytes.
    #[must_use]
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// Whether a collection of `len` bytes may stay where it lies.
    #[inline]
    fn fits(room: usize, len: usize) -> bool {
        len <= room && room - len <= ROOM_MAX_BYTES + len / 4
    }
}

impl Buffer for Packed<'_> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self.entry.value() {
            Value::Inline(bytes) => &bytes[..self.used],
            Value::Block(block) => &block[..self.used],
            Value::Int(_) => &[],
        }
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        let used = self.used;
        &mut self.entry.room_mut()[..used]
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        let used = self.used;
        let len = used - range.len() + with.len();
        self.used = len;
        if let Some(block) = self.entry.block_mut()
            && len >= BLOCK_MIN_BYTES / 2
        {
            block.truncate(used);
            return Buffer::splice(block, range, with);
        }
        let bytes = self.entry.room_mut();
        if Packed::fits(bytes.len(), len) {
            bytes.copy_within(range.end..used, range.start + with.len());
            bytes[range.start..range.start + with.len()].copy_from_slice(with);
            return;
        }
        let mut new = SmallVec::<[u8; 512]>::with_capacity(len + len / 8);
        new.extend_from_slice(&bytes[..range.start]);
        new.extend_from_slice(with);
        new.extend_from_slice(&bytes[range.end..used]);
        self.entry.repack(self.packing, new);
    }
}
