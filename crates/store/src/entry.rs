//! An entry: a key and everything known about it, in one allocation.
//!
//! Memory per key is the reason for this module. A string key of 16 bytes with a value of 100 bytes and a time to live takes
//! exactly the 128-byte size class: a header of 5 bytes, lengths of 1 byte each, an expiry of 5. What a key does not have
//! takes no room.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 1 | kind: type in the high nibble, encoding in the low one |
//! | 1 | 1 | flags, see below |
//! | 2 | 3 | access bits (see `access`) |
//! | 5 | 1, 3, 5 or 9 | length of the key: one byte up to 252, or 253, 254, 255 and then 2, 4, 8 bytes |
//! | | n | the key |
//! | | 0, 5 or 8 | expiry: milliseconds since 2020 in 40 bits, or since 1970 in 64 when that does not fit |
//! | | 0 or 5 | memcached's client flags (4) and item state (1), when either is not zero |
//! | | 0 or 8 | CAS unique, once a client has asked for it |
//! | | | the value: 8 bytes of integer; or a length as above and the bytes, of a string or of a packed collection; or a pointer, to a counted block or to a large collection |
//!
//! | flag | meaning |
//! |---|---|
//! | 0 | an expiry follows the key |
//! | 1 | ... in its 8-byte form |
//! | 2 | client flags and item state follow |
//! | 3 | a CAS unique follows |
//! | 4 | timed: the wheel holds a node that comes up no later than the expiry, or the first one of a hash's fields |
//! | 5 | preserved: the snapshot that is being made has it as it was, or does not have it (see `snapshot`) |
//! | 6 | fetched: read at least once since it was stored |
//! | 7 | reserved |
//!
//! The allocation's size is always the class of the content ([`class_bytes`]), so it can be computed again when the entry is
//! freed and the content may be rewritten in place while its class stays the same.
#![expect(unsafe_code, reason = "one hand-packed allocation per key; see the table above")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::UnixMillis;
use crate::large::Large;
use crate::size_class::size_class;
use crate::slab;
use crate::table::Thin;

mod length;
mod packed;
#[cfg(test)]
mod tests;
mod value;

pub use packed::Packed;
pub(crate) use packed::earlier;
pub use value::{
    BLOCK_MIN_BYTES, Block, Content, EMBSTR_MAX_BYTES, Encoding, NewValue, Packing, Type, Value, decimal_len,
    parse_integer,
};

/// Blocks above this are freed in the background: they are unmapped page by page.
pub(crate) const SLOW_TO_FREE_BYTES: usize = 64 * 1024;

const KIND: usize = 0;
const FLAGS: usize = 1;
const ACCESS: usize = 2;
const KEY_LENGTH: usize = 5;

const HAS_EXPIRY: u8 = 1;
const HAS_WIDE_EXPIRY: u8 = 1 << 1;
const HAS_ITEM: u8 = 1 << 2;
const HAS_CAS: u8 = 1 << 3;
const TIMED: u8 = 1 << 4;
const PRESERVED: u8 = 1 << 5;
const FETCHED: u8 = 1 << 6;
const OPTIONAL: u8 = HAS_EXPIRY | HAS_WIDE_EXPIRY | HAS_ITEM | HAS_CAS;

/// 2020-01-01T00:00:00Z: from here 40 bits of milliseconds reach to the end of 2054.
const NARROW_EPOCH: i64 = 1_577_836_800_000;
const NARROW_BITS: u32 = 40;

/// What a key may have beside its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// When the key expires.
    pub expires_at: Option<UnixMillis>,
    /// memcached's opaque client flags.
    pub client_flags: u32,
    /// memcached's item state bits (stale, win token handed out); the memcached commands give them meaning.
    pub item_state: u8,
    /// memcached's CAS unique; `None` until a client asked for one.
    pub cas: Option<u64>,
}

impl Attributes {
    /// With this expiry and nothing else.
    #[must_use]
    pub fn expiring(expires_at: Option<UnixMillis>) -> Attributes {
        Attributes { expires_at, ..Attributes::default() }
    }

    #[inline]
    fn flags(&self) -> u8 {
        let expiry = match self.expires_at {
            None => 0,
            Some(at) if fits_narrow(at) => HAS_EXPIRY,
            Some(_) => HAS_EXPIRY | HAS_WIDE_EXPIRY,
        };
        let item = if self.client_flags != 0 || self.item_state != 0 { HAS_ITEM } else { 0 };
        let cas = if self.cas.is_some() { HAS_CAS } else { 0 };
        expiry | item | cas
    }
}

/// An owned entry. One pointer wide; frees its allocation, and its hold on what the value points to, when dropped.
#[derive(Debug)]
#[repr(transparent)]
pub struct Entry {
    start: NonNull<u8>,
}

// SAFETY: an entry owns its allocation exclusively, and points to a `Block` or a `Large` at most, which are Send and Sync.
unsafe impl Send for Entry {}
// SAFETY: shared access reads only; all mutation goes through `&mut Entry`.
unsafe impl Sync for Entry {}

impl Entry {
    /// Creates an entry. Cost: one allocation (two when the value is a new block) and the copy.
    #[must_use]
    pub fn new(key: &[u8], access: u32, attributes: &Attributes, value: NewValue<'_>) -> Entry {
        let flags = attributes.flags();
        let key_start = KEY_LENGTH + length::size(key.len());
        let options = key_start + key.len();
        let mut entry = Entry::allocate(content_size(options, flags, &value));
        let [a, b, c, _] = access.to_le_bytes();
        entry.write(KIND, &[0, flags, a, b, c]);
        entry.write_length(KEY_LENGTH, key.len());
        entry.write(key_start, key);
        entry.write_rest(options, attributes, value);
        entry
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> &[u8] {
        let (start, len) = self.key_span();
        // SAFETY: `new` wrote the key there, and nothing moves it while the entry lives.
        unsafe { std::slice::from_raw_parts(self.at(start), len) }
    }

    /// The type of the value.
    #[inline]
    #[must_use]
    pub fn value_type(&self) -> Type {
        Type::ALL[usize::from(self.byte(KIND) >> 4)]
    }

    /// The encoding of the value.
    #[inline]
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        Encoding::of(self.byte(KIND) & 0xF)
    }

    /// What OBJECT ENCODING prints.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        self.encoding().name(self.value_type())
    }

    /// The value of a string. A large collection has none: it reads as an empty one.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Value<'_> {
        let (start, encoding) = (self.value_start(), self.encoding());
        if encoding.is_inline() {
            let (len, size) = self.length_at(start);
            // SAFETY: the value's length and then its bytes were written there.
            Value::Inline(unsafe { std::slice::from_raw_parts(self.at(start + size), len) })
        } else if encoding == Encoding::Int {
            Value::Int(i64::from_le_bytes(self.array(start)))
        } else if encoding.is_block() {
            // SAFETY: 8 bytes holding the `Block` that `write_rest` put there lie at `start`; an `Arc` is one pointer,
            // the copy read here is only borrowed out, and the place is aligned because `value_start` aligns it.
            Value::Block(unsafe { &*self.at(start).cast::<Block>() })
        } else {
            Value::Inline(&[])
        }
    }

    /// The value, whatever its type.
    #[must_use]
    pub fn content(&self) -> Content<'_> {
        match (self.large(), self.packed()) {
            (Some(large), _) => Content::Large(large),
            (_, Some((packing, bytes))) => Content::Packed(packing, bytes),
            _ => Content::String(self.value()),
        }
    }

    /// The large collection, if the value is one.
    #[inline]
    #[must_use]
    pub fn large(&self) -> Option<&Large> {
        if self.encoding() != Encoding::Large {
            return None;
        }
        // SAFETY: as for a block in `value`: a `Box<Large>` is one pointer, which `write_rest` put there.
        Some(unsafe { &*self.at(self.value_start()).cast::<Box<Large>>() })
    }

    /// The large collection, if the value is one.
    #[inline]
    #[must_use]
    pub fn large_mut(&mut self) -> Option<&mut Large> {
        if self.encoding() != Encoding::Large {
            return None;
        }
        // SAFETY: as in `large`; `&mut self` makes the access exclusive.
        Some(unsafe { &mut *self.at(self.value_start()).cast::<Box<Large>>() })
    }

    /// Length of the value as a string, in bytes.
    #[must_use]
    pub fn value_len(&self) -> usize {
        match self.value() {
            Value::Int(number) => decimal_len(number),
            Value::Inline(bytes) => bytes.len(),
            Value::Block(block) => block.len(),
        }
    }

    /// When the key expires.
    #[inline]
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixMillis> {
        let flags = self.byte(FLAGS);
        if flags & HAS_EXPIRY == 0 {
            return None;
        }
        let at = self.options_start();
        if flags & HAS_WIDE_EXPIRY != 0 {
            return Some(UnixMillis(i64::from_le_bytes(self.array(at))));
        }
        let narrow: [u8; 5] = self.array(at);
        let mut wide = [0; 8];
        wide[..5].copy_from_slice(&narrow);
        Some(UnixMillis(NARROW_EPOCH + i64::from_le_bytes(wide)))
    }

    /// Everything beside key, access bits and value.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        let flags = self.byte(FLAGS);
        let mut at = self.options_start() + optional_size(flags & (HAS_EXPIRY | HAS_WIDE_EXPIRY));
        let mut attributes = Attributes::expiring(self.expires_at());
        if flags & HAS_ITEM != 0 {
            attributes.client_flags = u32::from_le_bytes(self.array(at));
            attributes.item_state = self.byte(at + 4);
            at += 5;
        }
        if flags & HAS_CAS != 0 {
            attributes.cas = Some(u64::from_le_bytes(self.array(at)));
        }
        attributes
    }

    /// Whether anything but an expiry is attached: the common case can skip reading the attributes.
    #[inline]
    #[must_use]
    pub fn is_item(&self) -> bool {
        self.byte(FLAGS) & (HAS_ITEM | HAS_CAS) != 0
    }

    /// The 24 access bits.
    #[inline]
    #[must_use]
    pub fn access(&self) -> u32 {
        let [a, b, c] = self.array(ACCESS);
        u32::from_le_bytes([a, b, c, 0])
    }

    /// Sets the access bits; leaves memory untouched when they do not change.
    #[inline]
    pub fn set_access(&mut self, bits: u32) {
        if self.access() != bits {
            let [a, b, c, _] = bits.to_le_bytes();
            self.write(ACCESS, &[a, b, c]);
        }
    }

    /// Whether the entry was read since it was stored.
    #[must_use]
    pub fn is_fetched(&self) -> bool {
        self.byte(FLAGS) & FETCHED != 0
    }

    /// Notes that the entry was read.
    #[inline]
    pub fn set_fetched(&mut self) {
        if !self.is_fetched() {
            self.write(FLAGS, &[self.byte(FLAGS) | FETCHED]);
        }
    }

    /// Takes back that the entry was read.
    pub fn clear_fetched(&mut self) {
        if self.is_fetched() {
            self.write(FLAGS, &[self.byte(FLAGS) & !FETCHED]);
        }
    }

    /// Whether the wheel holds a node that comes up no later than the expiry, or the first one of a hash's fields.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.byte(FLAGS) & TIMED != 0
    }

    /// Notes whether the wheel holds such a node.
    #[inline]
    pub(crate) fn set_timed(&mut self, timed: bool) {
        if self.is_timed() != timed {
            self.write(FLAGS, &[self.byte(FLAGS) ^ TIMED]);
        }
    }

    /// Whether a snapshot that is being made needs nothing more of this entry.
    #[inline]
    #[must_use]
    pub(crate) fn is_preserved(&self) -> bool {
        self.byte(FLAGS) & PRESERVED != 0
    }

    /// Notes whether it does.
    #[inline]
    pub(crate) fn set_preserved(&mut self, preserved: bool) {
        if self.is_preserved() != preserved {
            self.write(FLAGS, &[self.byte(FLAGS) ^ PRESERVED]);
        }
    }

    /// Bytes of the entry's own allocation.
    #[must_use]
    pub(crate) fn allocated_bytes(&self) -> usize {
        class_bytes(self.content_bytes())
    }

    /// Whether it lies in a piece of memory that is being emptied.
    pub(crate) fn is_to_move(&self) -> bool {
        // SAFETY: what the slab takes was allocated there, and this entry is in use.
        slab::takes(self.content_bytes()) && unsafe { slab::is_emptying(self.start) }
    }

    /// The same entry, byte for byte, in another place of the slab, in which it lies. What the value points to stays where it is.
    pub(crate) fn moved(self) -> Entry {
        let size = self.content_bytes();
        debug_assert!(slab::takes(size));
        let old = ManuallyDrop::new(self).start;
        let start = slab::allocate_elsewhere(size);
        // SAFETY: both have this many bytes, and are apart.
        unsafe { start.copy_from_nonoverlapping(old, size) };
        // SAFETY: its only handle was forgotten. What the value points to is not let go of: the new place has it.
        unsafe { slab::free(old, size) };
        Entry { start }
    }

    /// Replaces value and attributes; keeps the key, the access bits, the timed and the preserved flag; clears the fetched flag. In
    /// place when the size class stays the same, which is the common overwrite.
    #[inline]
    pub fn replace(&mut self, attributes: &Attributes, value: NewValue<'_>) {
        let flags = attributes.flags();
        let options = self.options_start();
        if class_bytes(content_size(options, flags, &value)) == class_bytes(self.content_bytes()) {
            self.drop_pointee();
            self.write(FLAGS, &[flags | self.byte(FLAGS) & (TIMED | PRESERVED)]);
            self.write_rest(options, attributes, value);
        } else {
            let mut new = Entry::new(self.key(), self.access(), attributes, value);
            new.set_timed(self.is_timed());
            new.set_preserved(self.is_preserved());
            *self = new;
        }
    }

    /// Replaces the attributes only.
    pub fn set_attributes(&mut self, attributes: &Attributes) {
        if self.attributes() == *attributes {
            return;
        }
        if attributes.flags() == self.byte(FLAGS) & OPTIONAL {
            let options = self.options_start();
            self.write_attributes(options, attributes);
            return;
        }
        let fetched = self.is_fetched();
        let mut copy = smallvec::SmallVec::<[u8; 128]>::new();
        let value = match self.inline() {
            Some(bytes) => {
                copy.extend_from_slice(bytes);
                self.of_bytes(&copy)
            }
            None => self.of_pointee(),
        };
        self.replace(attributes, value);
        if fetched {
            self.set_fetched();
        }
    }

    /// The same entry under another key. What the value points to is shared, not copied.
    #[must_use]
    pub fn renamed(&self, key: &[u8]) -> Entry {
        let value = self.inline().map_or_else(|| self.of_pointee(), |bytes| self.of_bytes(bytes));
        Entry::new(key, self.access(), &self.attributes(), value)
    }

    /// Makes the value a raw string of at least `min_len` bytes, the new ones zero, and gives its bytes for modification. A
    /// shared block is copied first. Growth of a block is amortised; an inline value is copied when it leaves its size class.
    pub fn raw_mut(&mut self, min_len: usize) -> &mut [u8] {
        match self.encoding() {
            Encoding::Block => {}
            Encoding::Raw if self.value_len() >= min_len => {}
            _ => self.become_raw(min_len),
        }
        if self.encoding() != Encoding::Block {
            return self.inline_mut();
        }
        let bytes = self.block_mut().expect("the encoding says that it is a block");
        if bytes.len() < min_len {
            grow_zeroed(bytes, min_len);
        }
        bytes
    }

    /// Bytes of memory that the entry occupies: its allocation, and what the value points to.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let pointee = match (self.value(), self.large()) {
            (_, Some(large)) => large.memory_bytes(),
            (Value::Block(block), _) => size_class(block.capacity()) + size_class(size_of::<Vec<u8>>() + 16),
            _ => 0,
        };
        class_bytes(self.content_bytes()) + pointee
    }

    /// Whether the value lies elsewhere: in a block, or in a large collection.
    #[inline]
    #[must_use]
    pub(crate) fn is_pointer(&self) -> bool {
        self.encoding().is_pointer()
    }

    /// Whether freeing takes long enough to be left to the background.
    #[inline]
    #[must_use]
    pub fn is_slow_to_free(&self) -> bool {
        if !self.is_pointer() {
            return false;
        }
        match (self.value(), self.large()) {
            (_, Some(large)) => large.is_slow_to_free(),
            (Value::Block(block), _) => block.capacity() > SLOW_TO_FREE_BYTES,
            _ => false,
        }
    }

    /// The bytes of a value that lies in the entry.
    #[inline]
    fn inline(&self) -> Option<&[u8]> {
        match self.value() {
            Value::Inline(bytes) if self.encoding().is_inline() => Some(bytes),
            _ => None,
        }
    }

    /// These bytes as a value of the type and the encoding that an inline value has.
    fn of_bytes<'a>(&self, bytes: &'a [u8]) -> NewValue<'a> {
        match self.encoding().packing() {
            Some(packing) => NewValue::Packed(self.value_type(), packing, bytes),
            None => NewValue::Inline(bytes, self.encoding()),
        }
    }

    /// A value that does not lie in the entry, once more. What it points to is shared.
    fn of_pointee(&self) -> NewValue<'static> {
        match (self.large(), self.value(), self.encoding().packing()) {
            (Some(large), ..) => NewValue::Large(Box::new(large.clone())),
            (_, Value::Int(number), _) => NewValue::Int(number),
            (_, Value::Block(block), None) => NewValue::Block(Arc::clone(block)),
            (_, Value::Block(block), Some(packing)) => {
                NewValue::PackedBlock(self.value_type(), packing, Arc::clone(block))
            }
            (_, Value::Inline(_), _) => unreachable!("the value does not lie in the entry"),
        }
    }

    fn become_raw(&mut self, min_len: usize) {
        let attributes = self.attributes();
        let mut bytes = match self.value() {
            Value::Int(number) => number.to_string().into_bytes(),
            Value::Inline(bytes) => bytes.to_vec(),
            Value::Block(_) => return,
        };
        if bytes.len() < min_len {
            grow_zeroed(&mut bytes, min_len);
        }
        if bytes.len() < BLOCK_MIN_BYTES {
            self.replace(&attributes, NewValue::Inline(&bytes, Encoding::Raw));
        } else {
            self.replace(&attributes, NewValue::Block(Arc::new(bytes)));
        }
    }

    /// Writes kind, attributes and value behind the key. The allocation must be large enough.
    #[inline]
    fn write_rest(&mut self, options: usize, attributes: &Attributes, value: NewValue<'_>) {
        let encoding = value.encoding();
        self.write(KIND, &[(value.value_type() as u8) << 4 | encoding as u8]);
        let start = value_offset(self.write_attributes(options, attributes), encoding);
        match value {
            NewValue::Int(number) => self.write(start, &number.to_le_bytes()),
            NewValue::Inline(bytes, _) | NewValue::Packed(_, _, bytes) => {
                let size = self.write_length(start, bytes.len());
                self.write(start + size, bytes);
            }
            NewValue::Block(block) | NewValue::PackedBlock(_, _, block) => {
                // SAFETY: the allocation has 8 bytes at `start` (aligned by `value_offset`), which own nothing at present.
                unsafe { self.at(start).cast::<Block>().write(block) };
            }
            NewValue::Large(large) => {
                // SAFETY: as for a block.
                unsafe { self.at(start).cast::<Box<Large>>().write(large) };
            }
        }
    }

    /// Writes the optional fields; the flags byte must already say which. Returns where they end.
    #[inline]
    fn write_attributes(&mut self, options: usize, attributes: &Attributes) -> usize {
        let flags = attributes.flags();
        let end = options + optional_size(flags);
        if flags == 0 {
            return end;
        }
        let mut at = options;
        if let Some(expires_at) = attributes.expires_at {
            if flags & HAS_WIDE_EXPIRY != 0 {
                self.write(at, &expires_at.0.to_le_bytes());
                at += 8;
            } else {
                self.write(at, &(expires_at.0 - NARROW_EPOCH).to_le_bytes()[..5]);
                at += 5;
            }
        }
        if flags & HAS_ITEM != 0 {
            self.write(at, &attributes.client_flags.to_le_bytes());
            self.write(at + 4, &[attributes.item_state]);
            at += 5;
        }
        if let Some(cas) = attributes.cas {
            self.write(at, &cas.to_le_bytes());
        }
        end
    }

    /// Lets go of what the value points to, leaving the value unusable until it is written again.
    #[inline]
    fn drop_pointee(&mut self) {
        let encoding = self.encoding();
        if !encoding.is_pointer() {
            return;
        }
        let start = self.value_start();
        self.write(KIND, &[(Type::String as u8) << 4 | Encoding::Int as u8]);
        if encoding.is_block() {
            // SAFETY: the encoding said that a block lies there; it no longer does, so this is the only owner.
            drop(unsafe { self.at(start).cast::<Block>().read() });
        } else {
            // SAFETY: as for a block.
            drop(unsafe { self.at(start).cast::<Box<Large>>().read() });
        }
    }

    /// The block of a value that is one, for modification; copied first while it is shared.
    fn block_mut(&mut self) -> Option<&mut Vec<u8>> {
        if !self.encoding().is_block() {
            return None;
        }
        // SAFETY: as in `value`; `&mut self` makes the access exclusive.
        let block = unsafe { &mut *self.at(self.value_start()).cast::<Block>() };
        Some(Arc::make_mut(block))
    }

    /// The bytes of a value that lies in the entry, for modification.
    #[inline]
    fn inline_mut(&mut self) -> &mut [u8] {
        debug_assert!(self.encoding().is_inline());
        let start = self.value_start();
        let (len, size) = self.length_at(start);
        // SAFETY: the value's length and then its bytes were written there; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.at(start + size), len) }
    }

    /// Bytes in use, from the start of the allocation to the end of the value.
    #[inline]
    fn content_bytes(&self) -> usize {
        let start = self.value_start();
        let value = if self.encoding().is_inline() {
            let (len, size) = self.length_at(start);
            len + size
        } else {
            8
        };
        start + value
    }

    #[inline]
    fn allocate(size: usize) -> Entry {
        if slab::takes(size) {
            return Entry { start: slab::allocate(size) };
        }
        let layout = layout(size_class(size));
        // SAFETY: the layout's size is not zero: an entry has a header.
        let start = unsafe { alloc(layout) };
        Entry { start: NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout)) }
    }

    #[inline]
    fn options_start(&self) -> usize {
        let (start, len) = self.key_span();
        start + len
    }

    #[inline]
    fn value_start(&self) -> usize {
        value_offset(self.options_start() + optional_size(self.byte(FLAGS)), self.encoding())
    }

    /// Offset and length of the key.
    #[inline]
    fn key_span(&self) -> (usize, usize) {
        let (len, size) = self.length_at(KEY_LENGTH);
        (KEY_LENGTH + size, len)
    }

    /// The length written at an offset, and the bytes that it takes.
    #[inline]
    fn length_at(&self, at: usize) -> (usize, usize) {
        match self.byte(at) {
            short @ 0..=length::ONE_BYTE_MAX => (usize::from(short), 1),
            253 => (usize::from(u16::from_le_bytes(self.array(at + 1))), 3),
            254 => (u32::from_le_bytes(self.array(at + 1)) as usize, 5),
            255 => (u64::from_le_bytes(self.array(at + 1)) as usize, 9),
        }
    }

    /// A place in the allocation. Wrapping arithmetic is safe; it is the read or write there that needs a reason.
    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        self.start.as_ptr().wrapping_add(offset)
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        // SAFETY: callers ask for bytes that the layout table says are there.
        unsafe { *self.at(at) }
    }

    #[inline]
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        // SAFETY: callers ask for bytes that the layout table says are there; `[u8; N]` has no alignment.
        unsafe { self.at(at).cast::<[u8; N]>().read() }
    }

    #[inline]
    fn write(&mut self, at: usize, bytes: &[u8]) {
        // SAFETY: callers stay within the size they allocated, and `bytes` cannot overlap an allocation borrowed mutably.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(at), bytes.len()) }
    }

    /// Writes a length and returns the bytes that it takes.
    #[inline]
    fn write_length(&mut self, at: usize, len: usize) -> usize {
        let (bytes, size) = length::encode(len);
        self.write(at, &bytes[..size]);
        size
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let size = self.content_bytes();
        self.drop_pointee();
        if slab::takes(size) {
            // SAFETY: allocated by `allocate` from the slab for a content of the same class, which this was the only handle to.
            return unsafe { slab::free(self.start, size) };
        }
        // SAFETY: allocated by `allocate` with this layout: the size class of the content.
        unsafe { dealloc(self.start.as_ptr(), layout(size_class(size))) }
    }
}

// SAFETY: `into_pointer` gives up the only handle, `from_pointer` restores it; the allocation is 8-aligned.
unsafe impl Thin for Entry {
    fn into_pointer(self) -> NonNull<u8> {
        ManuallyDrop::new(self).start
    }

    unsafe fn from_pointer(pointer: NonNull<u8>) -> Entry {
        Entry { start: pointer }
    }

    #[inline]
    fn key(&self) -> &[u8] {
        Entry::key(self)
    }
}

/// Grows to `len` bytes with zeros. A large growth takes fresh zeroed pages from the allocator instead of writing zeros, so
/// that `SETRANGE key 500000000 x` does not hold its stripe for the time of clearing 500 MB.
fn grow_zeroed(bytes: &mut Vec<u8>, len: usize) {
    if len > 2 * bytes.len().max(32 * 1024) {
        let mut grown = vec![0; len];
        grown[..bytes.len()].copy_from_slice(bytes);
        *bytes = grown;
    } else {
        bytes.resize(len, 0);
    }
}

#[inline]
const fn optional_size(flags: u8) -> usize {
    const SIZES: [u8; 16] = {
        let mut sizes = [0; 16];
        let mut flags = 0;
        while flags < 16 {
            let expiry = match flags as u8 & (HAS_EXPIRY | HAS_WIDE_EXPIRY) {
                0 | HAS_WIDE_EXPIRY => 0,
                HAS_EXPIRY => 5,
                _ => 8,
            };
            let item = if flags as u8 & HAS_ITEM != 0 { 5 } else { 0 };
            let cas = if flags as u8 & HAS_CAS != 0 { 8 } else { 0 };
            sizes[flags] = expiry + item + cas;
            flags += 1;
        }
        sizes
    };
    SIZES[(flags & OPTIONAL) as usize] as usize
}

/// Bytes of an entry's content: what its allocation must hold.
#[inline]
fn content_size(options: usize, flags: u8, value: &NewValue<'_>) -> usize {
    value_offset(options + optional_size(flags), value.encoding()) + value.size()
}

/// Bytes that a content of this size occupies.
#[inline]
fn class_bytes(size: usize) -> usize {
    if slab::takes(size) { slab::object_bytes(size) } else { size_class(size) }
}

/// Where the value begins: behind the optional fields; a pointer at the next multiple of 8.
#[inline]
fn value_offset(optional_end: usize, encoding: Encoding) -> usize {
    if encoding.is_pointer() { (optional_end + 7) & !7 } else { optional_end }
}

#[inline]
fn fits_narrow(at: UnixMillis) -> bool {
    at.0 >= NARROW_EPOCH && (at.0 - NARROW_EPOCH) >> NARROW_BITS == 0
}

#[inline]
fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("an entry is far smaller than the address space")
}
