//! What an entry can hold: types, encodings, and values as they are read and stored.

use std::sync::Arc;

use super::length;
use crate::large::Large;

/// A large value: counted, so that a reply can be sent from it after the stripe is unlocked; copied on write while shared.
pub type Block = Arc<Vec<u8>>;

/// Values from this many bytes on live in a [`Block`] of their own; shorter ones inside the entry.
pub const BLOCK_MIN_BYTES: usize = 4096;
/// Longest value that OBJECT ENCODING calls embstr, as in Redis.
pub const EMBSTR_MAX_BYTES: usize = 44;

/// What kind of value a key holds, as TYPE prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Type {
    /// A byte string.
    String = 0,
    /// A sequence of elements.
    List = 1,
    /// Members without order.
    Set = 2,
    /// Members with scores, in their order.
    SortedSet = 3,
    /// Fields with values.
    Hash = 4,
    /// A log of entries with ids.
    Stream = 5,
}

impl Type {
    /// All types, in the order of their numbers.
    pub const ALL: [Type; 6] =
        [Type::String, Type::List, Type::Set, Type::SortedSet, Type::Hash, Type::Stream];

    /// What TYPE prints.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::SortedSet => "zset",
            Type::Hash => "hash",
            Type::Stream => "stream",
        }
    }
}

/// How a value is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// An integer of 64 bits.
    Int = 0,
    /// A short string that was stored whole.
    Embstr = 1,
    /// A longer string, or one that was modified.
    Raw = 2,
    /// A collection packed into a listpack.
    Listpack = 3,
    /// A set packed into an intset.
    Intset = 4,
    /// A string in a counted block.
    Block = 5,
    /// A listpack in a counted block.
    ListpackBlock = 6,
    /// An intset in a counted block.
    IntsetBlock = 7,
    /// A collection too large to be packed.
    Large = 8,
}

impl Encoding {
    const ALL: [Encoding; 9] = [
        Encoding::Int,
        Encoding::Embstr,
        Encoding::Raw,
        Encoding::Listpack,
        Encoding::Intset,
        Encoding::Block,
        Encoding::ListpackBlock,
        Encoding::IntsetBlock,
        Encoding::Large,
    ];

    /// The encoding with this number.
    #[inline]
    pub(super) fn of(number: u8) -> Encoding {
        Encoding::ALL[usize::from(number)]
    }

    /// What OBJECT ENCODING prints for a value of this type.
    #[must_use]
    pub fn name(self, of: Type) -> &'static str {
        match (self, of) {
            (Encoding::Int, _) => "int",
            (Encoding::Embstr, _) => "embstr",
            (Encoding::Raw | Encoding::Block, _) => "raw",
            (Encoding::Listpack | Encoding::ListpackBlock, _) => "listpack",
            (Encoding::Intset | Encoding::IntsetBlock, _) => "intset",
            (Encoding::Large, Type::List) => "quicklist",
            (Encoding::Large, Type::SortedSet) => "skiplist",
            (Encoding::Large, Type::Stream) => "stream",
            (Encoding::Large, Type::String | Type::Set | Type::Hash) => "hashtable",
        }
    }

    /// Whether the value is a counted block.
    #[inline]
    pub(super) fn is_block(self) -> bool {
        matches!(self, Encoding::Block | Encoding::ListpackBlock | Encoding::IntsetBlock)
    }

    /// Whether the value is a pointer to what holds it: a block, or a large collection.
    #[inline]
    pub(super) fn is_pointer(self) -> bool {
        self as u8 >= Encoding::Block as u8
    }

    /// Whether the value is bytes with their length in front.
    #[inline]
    pub(super) fn is_inline(self) -> bool {
        !self.is_pointer() && self != Encoding::Int
    }

    /// How the bytes of a packed collection are to be read.
    pub(super) fn packing(self) -> Option<Packing> {
        match self {
            Encoding::Listpack | Encoding::ListpackBlock => Some(Packing::Listpack),
            Encoding::Intset | Encoding::IntsetBlock => Some(Packing::Intset),
            _ => None,
        }
    }
}

/// The format of a packed collection: Redis's own, byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Any elements, one after the other.
    Listpack,
    /// Integers in order.
    Intset,
}

impl Packing {
    /// The bytes of an empty collection.
    #[must_use]
    pub const fn empty(self) -> &'static [u8] {
        match self {
            Packing::Listpack => &[7, 0, 0, 0, 0, 0, 0xFF],
            Packing::Intset => &[2, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// How many of these bytes are the collection: there may be room behind it.
    #[inline]
    pub(super) fn used(self, bytes: &[u8]) -> usize {
        let number = |at: usize| {
            let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
            four.map_or(0, u32::from_le_bytes) as usize
        };
        let used = match self {
            Packing::Listpack => number(0),
            Packing::Intset => 8 + number(0) * number(4),
        };
        used.min(bytes.len())
    }

    /// Whether these bytes are those of a collection without elements.
    #[inline]
    pub(super) fn is_empty(self, bytes: &[u8]) -> bool {
        self.used(bytes) == self.empty().len()
    }

    fn inline(self) -> Encoding {
        match self {
            Packing::Listpack => Encoding::Listpack,
            Packing::Intset => Encoding::Intset,
        }
    }

    fn block(self) -> Encoding {
        match self {
            Packing::Listpack => Encoding::ListpackBlock,
            Packing::Intset => Encoding::IntsetBlock,
        }
    }
}

/// A string as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer; its string form is its decimal digits.
    Int(i64),
    /// Bytes inside the entry.
    Inline(&'a [u8]),
    /// Bytes in a counted block.
    Block(&'a Block),
}

/// A value of any type as it is read.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A string.
    String(Value<'a>),
    /// A packed collection: its bytes, and how to read them.
    Packed(Packing, &'a [u8]),
    /// A large collection.
    Large(&'a Large),
}

/// A value to be stored.
#[derive(Clone, Debug)]
pub enum NewValue<'a> {
    /// An integer.
    Int(i64),
    /// Bytes to copy, with the encoding to show: embstr or raw.
    Inline(&'a [u8], Encoding),
    /// A block to keep.
    Block(Block),
    /// A packed collection of this type to copy.
    Packed(Type, Packing, &'a [u8]),
    /// A packed collection in a block to keep.
    PackedBlock(Type, Packing, Block),
    /// A large collection.
    Large(Box<Large>),
}

impl<'a> NewValue<'a> {
    /// Chooses the encoding as Redis does for a string that arrives whole: int for the canonical decimal form of an `i64`,
    /// embstr up to 44 bytes, raw above; from [`BLOCK_MIN_BYTES`] on, a block.
    #[inline]
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> NewValue<'a> {
        if let Some(number) = parse_integer(bytes) {
            NewValue::Int(number)
        } else if bytes.len() <= EMBSTR_MAX_BYTES {
            NewValue::Inline(bytes, Encoding::Embstr)
        } else {
            NewValue::raw(bytes)
        }
    }

    /// Bytes that are to be shown as raw, whatever they are.
    #[inline]
    #[must_use]
    pub fn raw(bytes: &'a [u8]) -> NewValue<'a> {
        if bytes.len() < BLOCK_MIN_BYTES {
            NewValue::Inline(bytes, Encoding::Raw)
        } else {
            NewValue::Block(Arc::new(bytes.to_vec()))
        }
    }

    /// A packed collection: inside the entry while it is short.
    #[must_use]
    pub fn packed(of: Type, packing: Packing, bytes: &'a [u8]) -> NewValue<'a> {
        if bytes.len() < BLOCK_MIN_BYTES {
            NewValue::Packed(of, packing, bytes)
        } else {
            NewValue::PackedBlock(of, packing, Arc::new(bytes.to_vec()))
        }
    }

    #[inline]
    pub(super) fn value_type(&self) -> Type {
        match self {
            NewValue::Int(_) | NewValue::Inline(..) | NewValue::Block(_) => Type::String,
            NewValue::Packed(of, ..) | NewValue::PackedBlock(of, ..) => *of,
            NewValue::Large(large) => large.value_type(),
        }
    }

    #[inline]
    pub(super) fn encoding(&self) -> Encoding {
        match self {
            NewValue::Int(_) => Encoding::Int,
            NewValue::Inline(_, encoding) => *encoding,
            NewValue::Block(_) => Encoding::Block,
            NewValue::Packed(_, packing, _) => packing.inline(),
            NewValue::PackedBlock(_, packing, _) => packing.block(),
            NewValue::Large(_) => Encoding::Large,
        }
    }

    #[inline]
    pub(super) fn size(&self) -> usize {
        match self {
            NewValue::Inline(bytes, _) | NewValue::Packed(_, _, bytes) => {
                length::size(bytes.len()) + bytes.len()
            }
            NewValue::Int(_) | NewValue::Block(_) | NewValue::PackedBlock(..) | NewValue::Large(_) => 8,
        }
    }
}

/// The canonical decimal form of an `i64` ("-0", "+1" and "007" are not), as Redis's int encoding takes it.
#[inline]
#[must_use]
pub fn parse_integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut magnitude: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
    }
    // 19 digits stay below 10^19, which fits in 64 bits: no wrap happened above.
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Number of characters in the decimal form.
#[must_use]
pub fn decimal_len(number: i64) -> usize {
    let digits = number.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
    digits + usize::from(number < 0)
}
