//! Lists: elements in the order in which they were put.
//!
//! A small one is a listpack; a large one, which OBJECT ENCODING calls a quicklist as Redis does, a tree by rank whose leaves are
//! listpacks of up to 4 KiB, or single elements that are too long for them.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::element::Element;
use crate::entry::{Content, Entry, NewValue, Packing, Type};
use crate::large::{Large, PACKED_BYTES_MAX};
use crate::listpack::{self, Listpack};
use crate::tree::{Leaf, Tree};

mod chunk;
#[cfg(test)]
mod tests;

pub use chunk::{Chunk, End};

/// Most bytes of a packed list whose limit is a number of elements, as in Redis.
const COUNTED_BYTES_MAX: usize = 8192;

/// Up to where a list is packed.
#[derive(Clone, Copy, Debug)]
pub enum ListLimit {
    /// So many elements.
    Elements(usize),
    /// So many bytes.
    Bytes(usize),
}

impl ListLimit {
    /// The limit that a value of the directive list-max-listpack-size stands for: a number of elements, 0 as 1, or -1 to -5 for 4 to 64 KiB.
    #[must_use]
    pub fn of(directive: i32) -> ListLimit {
        match usize::try_from(directive) {
            Ok(elements) => ListLimit::Elements(elements.max(1)),
            Err(_) => ListLimit::Bytes(2048 << directive.unsigned_abs().min(5)),
        }
    }

    /// Whether a listpack of so many elements and bytes is short enough.
    #[inline]
    fn allows(self, elements: usize, bytes: usize) -> bool {
        match self {
            ListLimit::Elements(most) => elements <= most && bytes <= COUNTED_BYTES_MAX,
            ListLimit::Bytes(most) => bytes <= most && bytes <= PACKED_BYTES_MAX,
        }
    }

    /// The limit below which a large list becomes packed again: half, so that it does not go to and fro.
    fn halved(self) -> ListLimit {
        match self {
            ListLimit::Elements(most) => ListLimit::Elements(most / 2),
            ListLimit::Bytes(most) => ListLimit::Bytes(most / 2),
        }
    }
}

/// A large list.
#[derive(Clone, Default)]
pub struct List {
    chunks: Tree<Chunk>,
    /// Bytes that the elements take in listpacks.
    bytes: usize,
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl List {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The chunks in order.
    pub fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.chunks.leaves()
    }

    /// Bytes of memory that it holds, estimated from `sample` of its leaves if it has more.
    #[must_use]
    pub fn memory_bytes(&self, sample: usize) -> usize {
        self.chunks.memory_bytes(sample)
    }

    #[inline]
    fn push(&mut self, end: End, element: Element<'_>) {
        let push = |chunk: &mut Chunk| {
            let before = chunk.bytes();
            chunk.push(end, element).then(|| chunk.bytes() - before)
        };
        let pushed = match end {
            End::Head => self.chunks.change(|_| 0, push),
            End::Tail => self.chunks.change(|all| all.len() - 1, push),
        };
        if let Some(Some(bytes)) = pushed {
            self.bytes += bytes;
            return;
        }
        let chunk = Chunk::growing(element);
        self.bytes += chunk.bytes();
        match end {
            End::Head => self.chunks.push_front(chunk),
            End::Tail => self.chunks.push_back(chunk),
        }
    }

    /// Puts an element before the one of a rank, or in its place.
    fn put(&mut self, rank: usize, replaced: usize, element: Element<'_>) {
        let bytes = &mut self.bytes;
        self.chunks.divide_at(rank, |chunk, number| {
            let before = chunk.bytes();
            let parts = chunk.put(number, replaced, element);
            *bytes = *bytes + chunk.bytes() + parts.iter().map(Chunk::bytes).sum::<usize>() - before;
            parts
        });
    }

    fn remove(&mut self, ranks: Range<usize>) {
        let (chunks, first) = self.chunks.leaves_at(ranks.start);
        let (mut start, mut bytes) = (ranks.start - first, 0);
        for chunk in chunks {
            if start >= ranks.end {
                break;
            }
            let end = start + chunk.len();
            bytes += chunk.bytes_of(ranks.start.max(start) - start..ranks.end.min(end) - start);
            start = end;
        }
        self.bytes -= bytes;
        self.chunks.remove(ranks);
    }
}

/// A list to be read.
#[derive(Clone, Copy)]
pub enum ListRef<'a> {
    /// A small one.
    Packed(Listpack<'a>),
    /// A large one.
    Large(&'a List),
}

impl<'a> ListRef<'a> {
    /// The list of an entry, which is of that type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a Entry) -> ListRef<'a> {
        match entry.content() {
            Content::Packed(_, bytes) => ListRef::Packed(Listpack::new(bytes)),
            Content::Large(Large::List(list)) => ListRef::Large(list),
            _ => unreachable!("the type was looked at before"),
        }
    }

    /// Number of elements.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(elements) => elements.len(),
            ListRef::Large(list) => list.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The element of a rank.
    #[must_use]
    pub fn at(self, rank: usize) -> Option<Element<'a>> {
        match self {
            ListRef::Packed(elements) => {
                elements.offset_of(i64::try_from(rank).ok()?).map(|at| elements.at(at))
            }
            ListRef::Large(list) => list.chunks.leaf_at(rank).map(|(chunk, number)| chunk.at(number)),
        }
    }

    /// Gives the elements of some ranks, as far as there are any, to `visit`, from one end, as long as it says that it wants more.
    pub fn each_while(
        self,
        ranks: Range<usize>,
        from: End,
        mut visit: impl FnMut(usize, Element<'a>) -> bool,
    ) {
        let ranks = ranks.start..ranks.end.min(self.len());
        if ranks.is_empty() {
            return;
        }
        match (self, from) {
            (ListRef::Packed(elements), _) => {
                walk(elements, ranks.clone(), from, &mut visit);
            }
            (ListRef::Large(list), End::Head) => {
                let (chunks, first) = list.chunks.leaves_at(ranks.start);
                let mut start = ranks.start - first;
                for chunk in chunks {
                    let wanted = ranks.start.max(start) - start..ranks.end.min(start + chunk.len()) - start;
                    if !each_of(chunk, wanted, from, |number, element| visit(start + number, element)) {
                        return;
                    }
                    start += chunk.len();
                    if start >= ranks.end {
                        return;
                    }
                }
            }
            (ListRef::Large(list), End::Tail) => {
                let (mut chunks, last) = list.chunks.leaves_at(ranks.end - 1);
                let mut end = None;
                while let Some(chunk) = chunks.previous() {
                    let start = end.map_or(ranks.end - 1 - last, |end: usize| end - chunk.len());
                    let wanted = ranks.start.max(start) - start..ranks.end.min(start + chunk.len()) - start;
                    if !each_of(chunk, wanted, from, |number, element| visit(start + number, element)) {
                        return;
                    }
                    end = Some(start);
                    if start <= ranks.start {
                        return;
                    }
                }
            }
        }
    }

    /// The rank of the first element from the head that equals this one.
    #[must_use]
    pub fn find(self, wanted: &[u8]) -> Option<usize> {
        let wanted = Wanted::of(wanted);
        let mut found = None;
        self.each_while(0..self.len(), End::Head, |rank, element| {
            found = wanted.is(element).then_some(rank);
            found.is_none()
        });
        found
    }
}

/// What elements are compared with.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    bytes: &'a [u8],
    element: Element<'a>,
}

impl<'a> Wanted<'a> {
    /// A string.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Wanted<'a> {
        Wanted { bytes, element: Element::of(bytes) }
    }

    /// Whether an element is this string.
    #[inline]
    #[must_use]
    pub fn is(self, element: Element<'_>) -> bool {
        match element {
            Element::Block(block) => block.as_slice() == self.bytes,
            short => short == self.element,
        }
    }
}

/// Walks over some elements of a listpack; says whether `visit` still wants more.
fn walk<'a>(
    elements: Listpack<'a>,
    numbers: Range<usize>,
    from: End,
    mut visit: impl FnMut(usize, Element<'a>) -> bool,
) -> bool {
    let first = match from {
        End::Head => numbers.start,
        End::Tail => numbers.end.wrapping_sub(1),
    };
    let Some(mut offset) = elements.offset_of(first as i64) else { return true };
    for step in 0..numbers.len() {
        let number = match from {
            End::Head => first + step,
            End::Tail => first - step,
        };
        if !visit(number, elements.at(offset)) {
            return false;
        }
        offset = match from {
            End::Head => elements.next(offset),
            End::Tail => elements.previous(offset).unwrap_or(offset),
        };
    }
    true
}

fn each_of<'a>(
    chunk: &'a Chunk,
    numbers: Range<usize>,
    from: End,
    mut visit: impl FnMut(usize, Element<'a>) -> bool,
) -> bool {
    match chunk {
        Chunk::Packed(bytes) => walk(Listpack::new(bytes), numbers, from, visit),
        Chunk::Long(block) => visit(0, Element::Block(block)),
    }
}

/// A list to be changed.
pub struct ListMut<'a> {
    entry: &'a mut Entry,
    limit: ListLimit,
}

impl<'a> ListMut<'a> {
    /// The list of an entry, which is of that type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a mut Entry, limit: ListLimit) -> ListMut<'a> {
        ListMut { entry, limit }
    }

    /// To be read.
    #[inline]
    #[must_use]
    pub fn as_ref(&self) -> ListRef<'_> {
        ListRef::of(self.entry)
    }

    /// Makes ready for so many elements of so many bytes to be added.
    #[inline]
    pub fn expect(&mut self, elements: usize, bytes: usize) {
        if let ListRef::Packed(list) = self.as_ref()
            && !self.limit.allows(list.len() + elements, list.bytes().len() + bytes)
        {
            self.grow();
        }
    }

    /// Adds an element at an end. Room for it was asked for by [`ListMut::expect`].
    #[inline]
    pub fn push(&mut self, end: End, element: Element<'_>) {
        if let Some(list) = self.large() {
            return list.push(end, element);
        }
        let Some(mut packed) = self.entry.packed_mut() else { return };
        let list = Listpack::new(packed.bytes());
        let at = match end {
            End::Head => list.first(),
            End::Tail => list.end(),
        };
        listpack::insert(&mut packed, at, [element]);
    }

    /// Takes an element from an end, and shows it to `take` before.
    #[inline]
    pub fn pop<R>(&mut self, end: End, take: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        if let Some(list) = self.large() {
            let pop = |chunk: &mut Chunk| {
                let number = if end == End::Head { 0 } else { chunk.len() - 1 };
                let (before, result) = (chunk.bytes(), take(chunk.at(number)));
                chunk.remove(number..number + 1);
                (before - chunk.bytes(), result)
            };
            let popped = match end {
                End::Head => list.chunks.change(|_| 0, pop),
                End::Tail => list.chunks.change(|all| all.len() - 1, pop),
            };
            let (bytes, result) = popped?;
            list.bytes -= bytes;
            return Some(result);
        }
        let mut packed = self.entry.packed_mut()?;
        let list = Listpack::new(packed.bytes());
        let last = list.last()?;
        let at = if end == End::Head { list.first() } else { last };
        let result = take(list.at(at));
        listpack::remove(&mut packed, at, 1);
        Some(result)
    }

    /// Puts an element in the place of the one of a rank, which there is.
    pub fn set(&mut self, rank: usize, element: Element<'_>) {
        self.expect(0, element.len());
        self.put(rank, 1, element);
        self.settle();
    }

    /// Puts an element before the one of a rank; at most the length.
    pub fn insert(&mut self, rank: usize, element: Element<'_>) {
        self.expect(1, element.len());
        if rank == self.as_ref().len() {
            return self.push(End::Tail, element);
        }
        self.put(rank, 0, element);
    }

    fn put(&mut self, rank: usize, replaced: usize, element: Element<'_>) {
        if let Some(list) = self.large() {
            return list.put(rank, replaced, element);
        }
        let Some(mut packed) = self.entry.packed_mut() else { return };
        let Some(at) = Listpack::new(packed.bytes()).offset_of(rank as i64) else { return };
        if replaced == 1 {
            listpack::replace(&mut packed, at, element);
        } else {
            listpack::insert(&mut packed, at, [element]);
        }
    }

    /// Removes elements that equal a string, `count` at most, from one end; returns how many there were.
    pub fn remove_equal(&mut self, wanted: &[u8], count: usize, from: End) -> usize {
        let wanted = Wanted::of(wanted);
        let mut ranks = Vec::new();
        let list = self.as_ref();
        list.each_while(0..list.len(), from, |rank, element| {
            ranks.extend(wanted.is(element).then_some(rank));
            ranks.len() < count
        });
        // From behind, so that the other ranks stay what they are.
        ranks.sort_unstable();
        for rank in ranks.iter().rev() {
            self.remove(*rank..*rank + 1);
        }
        self.settle();
        ranks.len()
    }

    /// Keeps the elements of these ranks only.
    pub fn trim(&mut self, kept: Range<usize>) {
        let len = self.as_ref().len();
        self.remove(kept.end..len);
        self.remove(0..kept.start);
        self.settle();
    }

    fn remove(&mut self, ranks: Range<usize>) {
        if ranks.is_empty() {
            return;
        }
        if let Some(list) = self.large() {
            return list.remove(ranks);
        }
        let Some(mut packed) = self.entry.packed_mut() else { return };
        if let Some(at) = Listpack::new(packed.bytes()).offset_of(ranks.start as i64) {
            listpack::remove(&mut packed, at, ranks.len());
        }
    }

    #[inline]
    fn large(&mut self) -> Option<&mut List> {
        match self.entry.large_mut() {
            Some(Large::List(list)) => Some(list),
            _ => None,
        }
    }

    /// Makes a packed list a large one.
    #[cold]
    fn grow(&mut self) {
        let mut list = List::default();
        let packed = self.as_ref();
        packed.each_while(0..packed.len(), End::Head, |_, element| {
            list.push(End::Tail, element);
            true
        });
        self.entry.become_large(Large::List(list));
    }

    /// Makes a large list that has become short a packed one. To be called after elements were taken.
    #[inline]
    pub fn settle(&mut self) {
        let limit = self.limit.halved();
        if let Some(list) = self.large()
            && !list.is_empty()
            && limit.allows(list.len(), list.bytes + Packing::Listpack.empty().len())
        {
            let mut elements = Vec::with_capacity(list.len());
            ListRef::Large(list).each_while(0..list.len(), End::Head, |_, element| {
                elements.push(element);
                true
            });
            let bytes = listpack::from_elements(elements);
            self.entry.become_packed(Packing::Listpack, &bytes);
        }
    }
}

/// An empty list.
#[must_use]
pub fn empty() -> NewValue<'static> {
    crate::empty(Type::List, Packing::Listpack)
}
