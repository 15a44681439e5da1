//! A page: some hundred records of a hashtable, packed.
//!
//! Records lie in one buffer in the order in which they came; two small arrays, sorted by tag, say where. A tag is 32 bits of the
//! keyed hash of the member and gives the order of the whole hashtable. What is removed leaves a gap, and the page is packed
//! anew when a quarter is gaps. Texts of more than [`LONG`] bytes lie outside, in counted blocks.
//!
//! | bytes of a text | |
//! |---|---|
//! | 0 to 251, and so many bytes | a short one |
//! | 252, 2 bytes of length, and so many bytes | a longer one |
//! | 253, 2 bytes | the number of a block |

use std::ops::Range;
use std::sync::Arc;

use crate::element::Element;
use crate::entry::Block;
use crate::size_class::size_class;
use crate::tree::{Fill, Leaf};

use super::Kind;

/// Longest text that lies in a page.
pub(super) const LONG: usize = 1024;
/// A page of more bytes is split.
const FULL: usize = 4096;
/// A page of fewer bytes is joined with a neighbour.
const SPARSE: usize = 1024;
/// Two neighbours are joined when they have no more bytes together.
const JOINED: usize = 3072;
/// Bytes of a record's tag and place.
const INDEX_BYTES: usize = 6;

const SHORT_MAX: u8 = 251;
pub(super) const LONGER: u8 = 252;
const BLOCK: u8 = 253;
/// The first code that a text does not use.
pub(super) const CODES: u8 = 254;

/// Bytes that lie in a page, or in a block.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// In a page; or anywhere, on their way into one.
    Bytes(&'a [u8]),
    /// In a block.
    Block(&'a Block),
}

impl<'a> Text<'a> {
    /// The bytes.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Text::Bytes(bytes) => bytes,
            Text::Block(block) => block,
        }
    }
}

impl<'a> From<Text<'a>> for Element<'a> {
    fn from(text: Text<'a>) -> Element<'a> {
        match text {
            Text::Bytes(bytes) => Element::Bytes(bytes),
            Text::Block(block) => Element::Block(block),
        }
    }
}

/// What a record is written to: the buffer, and the blocks of its long texts.
#[derive(Clone, Debug, Default)]
pub struct Store {
    pub(super) bytes: Vec<u8>,
    pub(super) blocks: Vec<Block>,
}

impl Store {
    /// Writes a text, which becomes a block if it is long.
    #[inline]
    pub(super) fn write_text(&mut self, text: Text<'_>) {
        let block = match text {
            Text::Bytes(bytes) if bytes.len() <= usize::from(SHORT_MAX) => {
                self.bytes.push(bytes.len() as u8);
                return self.bytes.extend_from_slice(bytes);
            }
            Text::Bytes(bytes) if bytes.len() <= LONG => {
                self.bytes.push(LONGER);
                self.bytes.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
                return self.bytes.extend_from_slice(bytes);
            }
            Text::Bytes(bytes) => Arc::new(bytes.to_vec()),
            Text::Block(block) => Arc::clone(block),
        };
        self.bytes.push(BLOCK);
        self.bytes.extend_from_slice(&(self.blocks.len() as u16).to_le_bytes());
        self.blocks.push(block);
    }

    /// The text at a place, and where it ends.
    #[inline]
    pub(super) fn text(&self, at: usize) -> (Text<'_>, usize) {
        let number = || usize::from(u16::from_le_bytes([self.bytes[at + 1], self.bytes[at + 2]]));
        match self.bytes[at] {
            short @ 0..=SHORT_MAX => {
                let end = at + 1 + usize::from(short);
                (Text::Bytes(&self.bytes[at + 1..end]), end)
            }
            LONGER => {
                let end = at + 3 + number();
                (Text::Bytes(&self.bytes[at + 3..end]), end)
            }
            _ => (Text::Block(&self.blocks[number()]), at + 3),
        }
    }

    /// Makes room for a record, in a size class of the allocator.
    #[inline]
    fn reserve(&mut self, more: usize) {
        let wanted = self.bytes.len() + more;
        if wanted > self.bytes.capacity() {
            self.bytes.reserve_exact(size_class(wanted) - self.bytes.len());
        }
    }
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Page<K> {
    /// In ascending order.
    tags: Vec<u32>,
    /// Where the records of these tags begin.
    places: Vec<u16>,
    store: Store,
    /// Bytes of the buffer that belong to no record.
    gaps: usize,
    kind: std::marker::PhantomData<K>,
}

impl<K> Default for Page<K> {
    fn default() -> Page<K> {
        Page {
            tags: Vec::new(),
            places: Vec::new(),
            store: Store::default(),
            gaps: 0,
            kind: std::marker::PhantomData,
        }
    }
}

impl<K: Kind> Page<K> {
    /// Number of the record of a member.
    #[inline]
    pub(super) fn find(&self, tag: u32, member: &[u8]) -> Option<usize> {
        let first = self.tags.partition_point(|other| *other < tag);
        let equal = self.tags[first..].iter().take_while(|other| **other == tag).count();
        (first..first + equal).find(|number| self.member(*number).bytes() == member)
    }

    /// Number of the first record whose tag is not smaller.
    #[inline]
    pub(super) fn first_from(&self, tag: u32) -> usize {
        self.tags.partition_point(|other| *other < tag)
    }

    #[inline]
    pub(super) fn tag(&self, number: usize) -> u32 {
        self.tags[number]
    }

    #[inline]
    pub(super) fn member(&self, number: usize) -> Text<'_> {
        self.store.text(usize::from(self.places[number])).0
    }

    /// Member and value of a record.
    #[inline]
    pub(super) fn record(&self, number: usize) -> (Text<'_>, K::Value<'_>) {
        let (member, end) = self.store.text(usize::from(self.places[number]));
        (member, K::read(&self.store, end).0)
    }

    /// Adds a record whose member is not there.
    #[inline]
    pub(super) fn insert(&mut self, tag: u32, member: Text<'_>, value: K::Value<'_>) {
        let number = self.tags.partition_point(|other| *other <= tag);
        let place = self.store.bytes.len() as u16;
        self.write(member, value);
        reserve(&mut self.tags);
        reserve(&mut self.places);
        self.tags.insert(number, tag);
        self.places.insert(number, place);
    }

    /// Gives the record of a member another value: in place if it takes as many bytes.
    #[inline]
    pub(super) fn replace(&mut self, number: usize, value: K::Value<'_>) {
        let place = usize::from(self.places[number]);
        let (_, from) = self.store.text(place);
        let (_, to) = K::read(&self.store, from);
        if K::overwrite(&mut self.store.bytes[from..to], value) {
            return;
        }
        let member = self.store.bytes[place..from].to_vec();
        let new = self.store.bytes.len();
        self.store.reserve(member.len() + K::len(value));
        self.store.bytes.extend_from_slice(&member);
        K::write(&mut self.store, value);
        self.places[number] = new as u16;
        self.gaps += to - place;
        self.tidy();
    }

    /// Removes a record.
    #[inline]
    pub(super) fn remove_at(&mut self, number: usize) {
        let place = usize::from(self.places[number]);
        let end = self.end_of(place);
        self.tags.remove(number);
        self.places.remove(number);
        if end == self.store.bytes.len() {
            self.store.bytes.truncate(place);
        } else {
            self.gaps += end - place;
        }
        self.tidy();
    }

    fn end_of(&self, place: usize) -> usize {
        let (_, end) = self.store.text(place);
        K::read(&self.store, end).1
    }

    #[inline]
    fn write(&mut self, member: Text<'_>, value: K::Value<'_>) {
        self.store.reserve(member.bytes().len().min(LONG) + 3 + K::len(value));
        self.store.write_text(member);
        K::write(&mut self.store, value);
    }

    /// Packs the page anew if it has many gaps; or blocks, of which nobody knows whether they are in use.
    #[inline]
    fn tidy(&mut self) {
        if self.gaps > 64 + self.store.bytes.len() / 4 || !self.store.blocks.is_empty() {
            *self = self.part(0..self.tags.len());
        }
    }

    /// A page of some of the records.
    #[cold]
    fn part(&self, numbers: Range<usize>) -> Page<K> {
        let mut part = Page { tags: self.tags[numbers.clone()].to_vec(), ..Page::default() };
        part.places.reserve_exact(numbers.len());
        let bytes: usize = numbers.clone().map(|number| self.len_of(number)).sum();
        part.store.reserve(bytes);
        for number in numbers {
            part.copy(self, number);
        }
        part
    }

    fn len_of(&self, number: usize) -> usize {
        let place = usize::from(self.places[number]);
        self.end_of(place) - place
    }

    /// Takes over a record of another page; its tag is there.
    fn copy(&mut self, from: &Page<K>, number: usize) {
        self.places.push(self.store.bytes.len() as u16);
        if from.store.blocks.is_empty() {
            let place = usize::from(from.places[number]);
            self.store.bytes.extend_from_slice(&from.store.bytes[place..from.end_of(place)]);
        } else {
            let (member, value) = from.record(number);
            self.write(member, value);
        }
    }

    /// Bytes that its records need.
    #[inline]
    fn used(&self) -> usize {
        self.store.bytes.len() - self.gaps + INDEX_BYTES * self.tags.len()
    }
}

/// Makes room for one more, a few at a time.
#[inline]
fn reserve<T>(vector: &mut Vec<T>) {
    if vector.len() == vector.capacity() {
        let bytes = size_class((vector.len() + 1) * size_of::<T>());
        vector.reserve_exact(bytes / size_of::<T>() - vector.len());
    }
}

impl<K: Kind> Leaf for Page<K> {
    type Separator = u32;

    #[inline]
    fn len(&self) -> usize {
        self.tags.len()
    }

    #[inline]
    fn fill(&self) -> Fill {
        match self.used() {
            0..SPARSE => Fill::Sparse,
            // Records of one tag stay together: a seeded hash does not give so many.
            FULL.. if self.tags.first() != self.tags.last() => Fill::Full,
            _ => Fill::Fair,
        }
    }

    fn has_room_for(&self, next: &Page<K>) -> bool {
        self.used() + next.used() <= JOINED
    }

    fn separator(&self) -> u32 {
        self.tags[0]
    }

    fn split(&mut self) -> Page<K> {
        let (first, middle) = (self.tags[0], self.tags[self.tags.len() / 2]);
        let boundary = if middle == first { first + 1 } else { middle };
        let number = self.first_from(boundary);
        let upper = self.part(number..self.tags.len());
        *self = self.part(0..number);
        upper
    }

    fn append(&mut self, next: &Page<K>) {
        for number in 0..next.tags.len() {
            self.tags.push(next.tags[number]);
            self.copy(next, number);
        }
    }

    fn remove(&mut self, elements: Range<usize>) {
        let mut rest = self.part(0..elements.start);
        rest.append(&self.part(elements.end..self.tags.len()));
        *self = rest;
    }

    fn memory_bytes(&self) -> usize {
        let index = size_class(self.tags.capacity() * 4) + size_class(self.places.capacity() * 2);
        let blocks: usize = self.store.blocks.iter().map(|block| size_class(block.capacity()) + 48).sum();
        index
            + size_class(self.store.bytes.capacity())
            + size_class(self.store.blocks.capacity() * 8)
            + blocks
    }
}
