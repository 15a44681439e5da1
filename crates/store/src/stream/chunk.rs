//! A chunk of a stream: some entries that came one after the other.
//!
//! It begins with the names of its first entry's fields. An entry with these very fields has only their values; and its id
//! is written as what it has more than the one before it. So an entry of one short value takes little more than that.
//!
//! | an entry | |
//! |---|---|
//! | 1 byte | deleted or not; fields of its own or not; the form of the id |
//! | nothing, one number or two | how the id follows from the one before |
//! | fields of its own: a number, and so many names, each with its value | |
//! | or a value for each name of the chunk | |
//!
//! An entry that is deleted is only marked, until half of the chunk is such entries.

use std::ops::Range;

use super::encoding::{BESIDE_MAX, LONG, read_number, read_text, skip_text, write_number, write_text};
use super::id::StreamId;
use crate::element::{Digits, Element};
use crate::entry::Block;
use crate::size_class::size_class;
use crate::tree::{Fill, Leaf};

const DELETED: u8 = 1;
const OWN_FIELDS: u8 = 1 << 1;
const ID_FORM: u8 = 3 << 2;
/// One more than the one before.
const ID_NEXT: u8 = 0;
/// So many milliseconds later, with the sequence 0: a number.
const ID_LATER: u8 = 1 << 2;
/// So many milliseconds later; the sequence, or what it has more if the millisecond is the same: two numbers.
const ID_ANY: u8 = 2 << 2;
/// Bytes that an entry takes at most beside its texts.
const ENTRY_BYTES_MAX: usize = 1 + 2 * 10 + 10;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// What the id of the first entry is counted from: at most that id, and more than those of earlier chunks.
    base: StreamId,
    /// Of the last entry, though it may be deleted.
    last: StreamId,
    live: u32,
    /// How many were deleted or trimmed, marked or gone.
    deleted: u32,
    /// Where the entries begin, behind the names.
    start: u32,
    /// Bytes of entries that are marked as deleted.
    marked: u32,
    bytes: Vec<u8>,
    blocks: Vec<Block>,
}

/// An entry as it is read.
#[derive(Clone, Copy)]
pub struct StreamEntry<'a> {
    /// Its id.
    pub id: StreamId,
    chunk: &'a Chunk,
    fields: usize,
    /// Where the names are: those of the chunk, or before each value.
    own_fields: bool,
    at: usize,
}

impl<'a> StreamEntry<'a> {
    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields
    }

    /// Whether it has no fields, which none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// The fields with their values, in the order in which they were given.
    #[inline]
    pub fn fields(&self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> + Clone + use<'a> {
        let (chunk, own, fields) = (self.chunk, self.own_fields, self.fields);
        let (mut name_at, mut value_at) = (chunk.names_at(), self.at);
        (0..fields).map(move |_| {
            let name = chunk.text(if own { &mut value_at } else { &mut name_at });
            (name, chunk.text(&mut value_at))
        })
    }
}

impl Chunk {
    /// A chunk of one entry.
    pub(super) fn of<'f>(
        id: StreamId,
        fields: impl Iterator<Item = (Element<'f>, Element<'f>)> + Clone,
    ) -> Chunk {
        let mut chunk = Chunk {
            base: id,
            last: id,
            live: 0,
            deleted: 0,
            start: 0,
            marked: 0,
            bytes: Vec::new(),
            blocks: Vec::new(),
        };
        chunk.reserve(2 * BESIDE_MAX, fields.clone());
        write_number(&mut chunk.bytes, fields.clone().count() as u64);
        for (name, _) in fields.clone() {
            write_text(&mut chunk.bytes, &mut chunk.blocks, name);
        }
        chunk.start = chunk.bytes.len() as u32;
        chunk.append(id, fields);
        chunk
    }

    /// Adds an entry, whose id is larger than all.
    #[inline]
    pub(super) fn append<'f>(
        &mut self,
        id: StreamId,
        fields: impl Iterator<Item = (Element<'f>, Element<'f>)> + Clone,
    ) {
        self.reserve(ENTRY_BYTES_MAX, fields.clone());
        let own_fields = !self.has_names(fields.clone());
        self.write_head(id, if own_fields { OWN_FIELDS } else { 0 });
        if own_fields {
            write_number(&mut self.bytes, fields.clone().count() as u64);
        }
        for (name, value) in fields {
            if own_fields {
                write_text(&mut self.bytes, &mut self.blocks, name);
            }
            write_text(&mut self.bytes, &mut self.blocks, value);
        }
        self.last = id;
        self.live += 1;
    }

    #[inline]
    fn write_head(&mut self, id: StreamId, flags: u8) {
        let later = id.millis - self.last.millis;
        match (later, id.sequence) {
            (0, sequence) if sequence == self.last.sequence.wrapping_add(1) => {
                self.bytes.push(flags | ID_NEXT);
            }
            (1.., 0) => {
                self.bytes.push(flags | ID_LATER);
                write_number(&mut self.bytes, later);
            }
            (_, sequence) => {
                self.bytes.push(flags | ID_ANY);
                write_number(&mut self.bytes, later);
                write_number(
                    &mut self.bytes,
                    if later == 0 { sequence - self.last.sequence } else { sequence },
                );
            }
        }
    }

    /// Whether these are the names of the chunk.
    #[inline]
    fn has_names<'f>(&self, fields: impl Iterator<Item = (Element<'f>, Element<'f>)>) -> bool {
        let mut at = 0;
        let mut left = read_number(&self.bytes, &mut at);
        for (name, _) in fields {
            if left == 0 || !same(name, self.text(&mut at)) {
                return false;
            }
            left -= 1;
        }
        left == 0
    }

    /// Makes room for some fields, in a size class of the allocator.
    #[inline]
    fn reserve<'f>(&mut self, beside: usize, fields: impl Iterator<Item = (Element<'f>, Element<'f>)>) {
        let room = |text: Element<'_>| match text {
            Element::Bytes(bytes) if bytes.len() <= LONG => bytes.len() + BESIDE_MAX,
            _ => BESIDE_MAX,
        };
        let wanted =
            self.bytes.len() + beside + fields.map(|(name, value)| room(name) + room(value)).sum::<usize>();
        if wanted > self.bytes.capacity() {
            self.bytes.reserve_exact(size_class(wanted) - self.bytes.len());
        }
    }

    /// Of the last entry, though it may be deleted.
    pub(super) fn last(&self) -> StreamId {
        self.last
    }

    /// How many entries it was given.
    #[inline]
    pub(super) fn given(&self) -> u64 {
        u64::from(self.live) + u64::from(self.deleted)
    }

    /// Bytes that it has taken in.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.blocks.iter().map(|block| block.len()).sum::<usize>()
    }

    /// Where the first name is.
    #[inline]
    fn names_at(&self) -> usize {
        let mut at = 0;
        read_number(&self.bytes, &mut at);
        at
    }

    #[inline]
    fn text(&self, at: &mut usize) -> Element<'_> {
        read_text(&self.bytes, &self.blocks, at)
    }

    /// The entries, in order.
    #[inline]
    pub(super) fn entries(&self) -> Entries<'_> {
        let names = read_number(&self.bytes, &mut 0) as usize;
        Entries { chunk: self, names, at: self.start as usize, before: self.base, head: 0 }
    }

    /// How many entries have a smaller id.
    pub(super) fn rank(&self, id: StreamId) -> usize {
        self.entries().take_while(|entry| entry.id < id).count()
    }

    /// The entry of an id.
    pub(super) fn find(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        self.entries().find(|entry| entry.id >= id).filter(|entry| entry.id == id)
    }

    /// Deletes the entry of an id; says whether there was one.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let mut entries = self.entries();
        let Some(_) = entries.by_ref().find(|entry| entry.id >= id).filter(|entry| entry.id == id) else {
            return false;
        };
        let (head, end) = (entries.head, entries.at);
        self.bytes[head] |= DELETED;
        self.live -= 1;
        self.deleted += 1;
        self.marked += (end - head) as u32;
        if self.live > 0 && (self.marked as usize > self.bytes.len() / 2 || !self.blocks.is_empty()) {
            self.rebuild(|_| true);
        }
        true
    }

    /// Writes it anew with those entries whose numbers are wanted; there is one at least.
    fn rebuild(&mut self, mut wanted: impl FnMut(usize) -> bool) {
        let mut kept =
            self.entries().enumerate().filter(|(number, _)| wanted(*number)).map(|(_, entry)| entry);
        let Some(first) = kept.next() else { return };
        let mut new = Chunk::of(first.id, first.fields());
        kept.for_each(|entry| new.append(entry.id, entry.fields()));
        new.deleted = (self.given() - u64::from(new.live)) as u32;
        *self = new;
    }
}

/// Whether two texts are the same. What can be an integer is one.
#[inline]
fn same(one: Element<'_>, other: Element<'_>) -> bool {
    match (one, other) {
        (Element::Int(one), Element::Int(other)) => one == other,
        (Element::Int(_), _) | (_, Element::Int(_)) => false,
        (one, other) => one.text(&mut Digits::default()) == other.text(&mut Digits::default()),
    }
}

/// See [`Chunk::entries`].
#[derive(Clone)]
pub(super) struct Entries<'a> {
    chunk: &'a Chunk,
    /// How many names the chunk has.
    names: usize,
    /// Where the next entry begins.
    at: usize,
    /// The id of the entry before it.
    before: StreamId,
    /// Where the last one begins that was returned.
    head: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = StreamEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<StreamEntry<'a>> {
        let bytes = &self.chunk.bytes[..];
        while self.at < bytes.len() {
            self.head = self.at;
            let flags = bytes[self.at];
            self.at += 1;
            self.before = read_id(self.before, flags, bytes, &mut self.at);
            let own_fields = flags & OWN_FIELDS != 0;
            let fields = if own_fields { read_number(bytes, &mut self.at) as usize } else { self.names };
            let entry = StreamEntry { id: self.before, chunk: self.chunk, fields, own_fields, at: self.at };
            for _ in 0..if own_fields { 2 * fields } else { fields } {
                skip_text(bytes, &mut self.at);
            }
            if flags & DELETED == 0 {
                return Some(entry);
            }
        }
        None
    }
}

#[inline]
fn read_id(before: StreamId, flags: u8, bytes: &[u8], at: &mut usize) -> StreamId {
    match flags & ID_FORM {
        ID_NEXT => StreamId { sequence: before.sequence.wrapping_add(1), ..before },
        ID_LATER => StreamId { millis: before.millis + read_number(bytes, at), sequence: 0 },
        _ => match (read_number(bytes, at), read_number(bytes, at)) {
            (0, more) => StreamId { sequence: before.sequence + more, ..before },
            (later, sequence) => StreamId { millis: before.millis + later, sequence },
        },
    }
}

impl Leaf for Chunk {
    type Separator = StreamId;

    fn len(&self) -> usize {
        self.live as usize
    }

    /// Chunks end where the directives say, and are neither split nor joined: approximate trimming removes them whole.
    fn fill(&self) -> Fill {
        Fill::Fair
    }

    fn has_room_for(&self, _: &Chunk) -> bool {
        false
    }

    fn separator(&self) -> StreamId {
        self.base
    }

    fn split(&mut self) -> Chunk {
        let middle = self.len() / 2;
        let mut upper = self.clone();
        upper.rebuild(|number| number >= middle);
        self.rebuild(|number| number < middle);
        upper
    }

    fn append(&mut self, next: &Chunk) {
        next.entries().for_each(|entry| Chunk::append(self, entry.id, entry.fields()));
    }

    fn remove(&mut self, elements: Range<usize>) {
        if elements.start > 0 || !self.blocks.is_empty() {
            return self.rebuild(|number| !elements.contains(&number));
        }
        let mut entries = self.entries();
        let Some(last) = entries.by_ref().take(elements.len()).last() else { return };
        let (base, end) = (last.id, entries.at);
        self.base = base;
        self.live -= elements.len() as u32;
        self.deleted += elements.len() as u32;
        self.bytes.drain(self.start as usize..end);
        // Marked entries among those removed are still counted: the chunk is only written anew a little earlier.
    }

    fn memory_bytes(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(|block| size_class(block.capacity()) + 48).sum();
        size_class(self.bytes.capacity()) + size_class(self.blocks.capacity() * 8) + blocks
    }
}
