//! A chunk of a large list: a listpack, or one element that is too long for it.

use std::ops::Range;

use crate::element::Element;
use crate::entry::{Block, Packing};
use crate::listpack::{self, Listpack};
use crate::size_class::size_class;
use crate::tree::{Fill, Leaf};

/// Most bytes of a listpack.
const FULL: usize = 4096;
/// A listpack of fewer bytes is joined with a neighbour.
const SPARSE: usize = 1024;
/// Two neighbours are joined when they have no more bytes together.
const JOINED: usize = 3072;
/// Bytes that an element takes beside its own at most.
const BESIDE_MAX: usize = 8;
/// An element of more bytes is a chunk by itself.
const LONG: usize = 2048;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// A listpack.
    Packed(Vec<u8>),
    /// One element.
    Long(Block),
}

/// One of the two ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Left, where ranks begin.
    Head,
    /// Right.
    Tail,
}

impl Chunk {
    /// A chunk of one element at an end of a list, to which more will come.
    pub(super) fn growing(element: Element<'_>) -> Chunk {
        let mut chunk = Chunk::of(element);
        if let Chunk::Packed(bytes) = &mut chunk {
            bytes.reserve_exact(FULL - bytes.len());
        }
        chunk
    }

    /// A chunk of one element.
    pub(super) fn of(element: Element<'_>) -> Chunk {
        match element {
            Element::Block(block) if block.len() > LONG => Chunk::Long(Block::clone(block)),
            element if element.len() > LONG => Chunk::Long(Block::new(element.to_vec())),
            element => Chunk::Packed(listpack::from_elements([element])),
        }
    }

    /// Adds an element at an end if there is room.
    #[inline]
    pub(super) fn push(&mut self, end: End, element: Element<'_>) -> bool {
        let Chunk::Packed(bytes) = self else { return false };
        let len = element.len();
        if len > LONG || bytes.len() + len + BESIDE_MAX > FULL {
            return false;
        }
        let at = match end {
            End::Head => Listpack::new(bytes).first(),
            End::Tail => Listpack::new(bytes).end(),
        };
        listpack::insert(bytes, at, [element]);
        true
    }

    /// Puts an element in the place of one, or before it; what no longer fits becomes chunks that follow. (A long element among
    /// others splits the chunk.)
    pub(super) fn put(&mut self, number: usize, replaced: usize, element: Element<'_>) -> Vec<Chunk> {
        if let Chunk::Packed(bytes) = self
            && element.len() <= LONG
        {
            let at = offset_of(bytes, number);
            if replaced == 1 {
                listpack::replace(bytes, at, element);
            } else {
                listpack::insert(bytes, at, [element]);
            }
            let full = bytes.len() > FULL && self.len() > 1;
            return if full { vec![self.split()] } else { Vec::new() };
        }
        let before = self.part(0..number);
        let after = self.part(number + replaced..self.len());
        let mut parts = before.into_iter().chain([Chunk::of(element)]).chain(after);
        *self = parts.next().expect("the element is a chunk at least");
        parts.collect()
    }

    /// Bytes that the elements take: so many more a listpack of them would be longer than an empty one.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        match self {
            Chunk::Packed(bytes) => bytes.len() - Packing::Listpack.empty().len(),
            Chunk::Long(block) => block.len(),
        }
    }

    /// Bytes that some of the elements take.
    pub(super) fn bytes_of(&self, numbers: Range<usize>) -> usize {
        match self {
            Chunk::Packed(bytes) if numbers.len() < self.len() => {
                let listpack = Listpack::new(bytes);
                let at = |number: usize| offset_of(bytes, number);
                if numbers.end == self.len() {
                    listpack.end() - at(numbers.start)
                } else {
                    at(numbers.end) - at(numbers.start)
                }
            }
            _ => self.bytes(),
        }
    }

    /// The element of a number.
    #[inline]
    pub(super) fn at(&self, number: usize) -> Element<'_> {
        match self {
            Chunk::Packed(bytes) => Listpack::new(bytes).at(offset_of(bytes, number)),
            Chunk::Long(block) => Element::Block(block),
        }
    }

    /// Some of the elements, unless they are none.
    fn part(&self, numbers: Range<usize>) -> Option<Chunk> {
        match self {
            _ if numbers.is_empty() => None,
            Chunk::Long(_) => Some(self.clone()),
            Chunk::Packed(bytes) => {
                let elements = Listpack::new(bytes).iter().map(|(_, element)| element);
                Some(Chunk::Packed(listpack::from_elements(elements.skip(numbers.start).take(numbers.len()))))
            }
        }
    }
}

fn offset_of(bytes: &[u8], number: usize) -> usize {
    let listpack = Listpack::new(bytes);
    listpack.offset_of(number as i64).unwrap_or(listpack.end())
}

impl Leaf for Chunk {
    type Separator = ();

    #[inline]
    fn len(&self) -> usize {
        match self {
            Chunk::Packed(bytes) => Listpack::new(bytes).len(),
            Chunk::Long(_) => 1,
        }
    }

    fn fill(&self) -> Fill {
        match self {
            Chunk::Packed(bytes) if bytes.len() > FULL + LONG => Fill::Full,
            Chunk::Packed(bytes) if bytes.len() < SPARSE => Fill::Sparse,
            _ => Fill::Fair,
        }
    }

    fn has_room_for(&self, next: &Chunk) -> bool {
        match (self, next) {
            (Chunk::Packed(one), Chunk::Packed(next)) => one.len() + next.len() <= JOINED,
            _ => false,
        }
    }

    fn separator(&self) {}

    fn split(&mut self) -> Chunk {
        let half = self.len() / 2;
        let upper = self.part(half..self.len());
        self.remove(half..self.len());
        upper.expect("there are two elements at least")
    }

    fn append(&mut self, next: &Chunk) {
        if let (Chunk::Packed(one), Chunk::Packed(next)) = (self, next) {
            listpack::push_back(one, Listpack::new(next).iter().map(|(_, element)| element));
        }
    }

    fn remove(&mut self, elements: Range<usize>) {
        match self {
            Chunk::Packed(bytes) => {
                let at = offset_of(bytes, elements.start);
                listpack::remove(bytes, at, elements.len());
            }
            // All that there is: an empty listpack takes its place until the tree removes it.
            Chunk::Long(_) => *self = Chunk::Packed(Packing::Listpack.empty().to_vec()),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Chunk::Packed(bytes) => size_class(bytes.capacity()),
            Chunk::Long(block) => size_class(block.capacity()) + 48,
        }
    }
}
