//! A leaf of packed records: members with values, a hundred or two of them.
//!
//! Records lie in one buffer in the order in which they came; two small arrays, in the order of the records, hold an index of each (the
//! hash of a member, or its score) and say where it lies. What is removed leaves a gap, and all is packed anew when a quarter
//! is gaps.

use std::marker::PhantomData;
use std::ops::Range;

use crate::size_class::size_class;
use crate::texts::{LONG, Store, Text};
use crate::tree::{Fill, Leaf};

/// A leaf of more bytes is split.
const FULL: usize = 4096;
/// A leaf of fewer bytes is joined with a neighbour.
const SPARSE: usize = 1024;
/// Two neighbours are joined when they have no more bytes together.
const JOINED: usize = 3072;

/// By what records are ordered.
pub(crate) trait Index: Copy {
    /// What tells where a leaf begins.
    type Separator: Clone;
    /// Where a leaf begins whose first record has this index and this member.
    fn separator(self, member: &[u8]) -> Self::Separator;
    /// Whether a leaf may begin between two records.
    fn parts(self, next: Self) -> bool;
}

/// A hash: records of one hash stay together.
impl Index for u32 {
    type Separator = u32;

    fn separator(self, _: &[u8]) -> u32 {
        self
    }

    fn parts(self, next: u32) -> bool {
        self != next
    }
}

/// A score, then a member.
impl Index for f64 {
    type Separator = (f64, Box<[u8]>);

    fn separator(self, member: &[u8]) -> (f64, Box<[u8]>) {
        (self, member.into())
    }

    fn parts(self, _: f64) -> bool {
        true
    }
}

/// What a record holds for its member.
pub trait Kind: Clone {
    /// A value.
    type Value<'a>: Copy;

    /// Bytes that writing it takes at most.
    fn len(value: Self::Value<'_>) -> usize;
    /// Writes it.
    fn write(store: &mut Store, value: Self::Value<'_>);
    /// The value at a place, and where it ends.
    fn read(store: &Store, at: usize) -> (Self::Value<'_>, usize);
    /// Puts it in the place of another if it takes as many bytes, and says whether it does.
    fn overwrite(place: &mut [u8], value: Self::Value<'_>) -> bool;
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Records<I, K> {
    /// In ascending order.
    indexes: Vec<I>,
    /// The smallest and the largest index that there may be: those of records that are gone meanwhile may be among them.
    bounds: Option<(I, I)>,
    /// Where the records of these indexes begin.
    places: Vec<u16>,
    store: Store,
    /// Bytes of the buffer that belong to no record.
    gaps: usize,
    kind: PhantomData<K>,
}

impl<I, K> Default for Records<I, K> {
    fn default() -> Records<I, K> {
        Records {
            indexes: Vec::new(),
            bounds: None,
            places: Vec::new(),
            store: Store::default(),
            gaps: 0,
            kind: PhantomData,
        }
    }
}

impl<I: Index, K: Kind> Records<I, K> {
    /// The indexes, in ascending order.
    #[inline]
    pub(crate) fn indexes(&self) -> &[I] {
        &self.indexes
    }

    /// The smallest and the largest index, or what was beyond them before records were removed.
    #[inline]
    pub(crate) fn bounds(&self) -> Option<(I, I)> {
        self.bounds
    }

    /// Asks the processor for the place of a record, ahead of its use.
    #[inline]
    pub(crate) fn prefetch_place(&self, number: usize) {
        crate::table::prefetch(self.places.as_ptr().wrapping_add(number).cast());
    }

    #[inline]
    pub(crate) fn member(&self, number: usize) -> Text<'_> {
        self.store.text(usize::from(self.places[number])).0
    }

    /// Member and value of a record.
    #[inline]
    pub(crate) fn record(&self, number: usize) -> (Text<'_>, K::Value<'_>) {
        let (member, end) = self.store.text(usize::from(self.places[number]));
        (member, K::read(&self.store, end).0)
    }

    /// Adds a record, which gets this number.
    #[inline]
    pub(crate) fn insert(&mut self, number: usize, index: I, member: Text<'_>, value: K::Value<'_>) {
        let place = self.store.bytes.len() as u16;
        self.write(member, value);
        reserve(&mut self.indexes);
        reserve(&mut self.places);
        self.widen(number, index);
        self.indexes.insert(number, index);
        self.places.insert(number, place);
    }

    /// Has the bounds take in the index of a record that gets this number.
    #[inline]
    fn widen(&mut self, number: usize, index: I) {
        let (low, high) = self.bounds.unwrap_or((index, index));
        let (first, last) = (number == 0, number == self.indexes.len());
        self.bounds = Some((if first { index } else { low }, if last { index } else { high }));
    }

    /// Gives a record another value: in place if it takes as many bytes.
    #[inline]
    pub(crate) fn replace(&mut self, number: usize, value: K::Value<'_>) {
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
    pub(crate) fn remove_at(&mut self, number: usize) {
        let place = usize::from(self.places[number]);
        let end = self.end_of(place);
        self.indexes.remove(number);
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

    /// Packs it anew if it has many gaps; or blocks, of which nobody knows whether they are in use.
    #[inline]
    fn tidy(&mut self) {
        if self.gaps > 64 + self.store.bytes.len() / 4 || !self.store.blocks.is_empty() {
            *self = self.part(0..self.indexes.len());
        }
    }

    /// A leaf of some of the records.
    #[cold]
    fn part(&self, numbers: Range<usize>) -> Records<I, K> {
        let indexes = self.indexes[numbers.clone()].to_vec();
        let bounds = indexes.first().copied().zip(indexes.last().copied());
        let mut part = Records { indexes, bounds, ..Records::default() };
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

    /// Takes over a record of another leaf; its index is there.
    fn copy(&mut self, from: &Records<I, K>, number: usize) {
        self.places.push(self.store.bytes.len() as u16);
        if from.store.blocks.is_empty() {
            let place = usize::from(from.places[number]);
            self.store.bytes.extend_from_slice(&from.store.bytes[place..from.end_of(place)]);
        } else {
            let (member, value) = from.record(number);
            self.write(member, value);
        }
    }

    /// The number nearest to the middle at which another leaf may begin. (With a seeded hash it is the middle.)
    #[inline]
    fn boundary(&self) -> Option<usize> {
        let middle = self.indexes.len() / 2;
        let parts = |number: &usize| self.indexes[*number - 1].parts(self.indexes[*number]);
        (middle.max(1)..self.indexes.len()).find(parts).or_else(|| (1..middle).rev().find(parts))
    }

    /// Bytes that its records need.
    #[inline]
    fn used(&self) -> usize {
        self.store.bytes.len() - self.gaps + (size_of::<I>() + size_of::<u16>()) * self.indexes.len()
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

impl<I: Index, K: Kind> Leaf for Records<I, K> {
    type Separator = I::Separator;

    #[inline]
    fn len(&self) -> usize {
        self.indexes.len()
    }

    #[inline]
    fn fill(&self) -> Fill {
        match self.used() {
            0..SPARSE => Fill::Sparse,
            FULL.. if self.boundary().is_some() => Fill::Full,
            _ => Fill::Fair,
        }
    }

    fn has_room_for(&self, next: &Records<I, K>) -> bool {
        self.used() + next.used() <= JOINED
    }

    fn separator(&self) -> I::Separator {
        self.indexes[0].separator(self.member(0).bytes())
    }

    fn split(&mut self) -> Records<I, K> {
        let number = self.boundary().expect("it is only full if it can be split");
        let upper = self.part(number..self.indexes.len());
        *self = self.part(0..number);
        upper
    }

    fn append(&mut self, next: &Records<I, K>) {
        for number in 0..next.indexes.len() {
            self.widen(self.indexes.len(), next.indexes[number]);
            self.indexes.push(next.indexes[number]);
            self.copy(next, number);
        }
    }

    fn remove(&mut self, elements: Range<usize>) {
        let mut rest = self.part(0..elements.start);
        rest.append(&self.part(elements.end..self.indexes.len()));
        *self = rest;
    }

    fn memory_bytes(&self) -> usize {
        let index =
            size_class(self.indexes.capacity() * size_of::<I>()) + size_class(self.places.capacity() * 2);
        let blocks: usize = self.store.blocks.iter().map(|block| size_class(block.capacity()) + 48).sum();
        index
            + size_class(self.store.bytes.capacity())
            + size_class(self.store.blocks.capacity() * 8)
            + blocks
    }
}
