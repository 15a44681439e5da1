//! The hash table: owning pointers in the order of their positions, prefetchable, grown a segment at a time.
//!
//! A table is a directory over segments. A segment is an array of 8-byte slots, each a 45-bit pointer (shifted by its
//! alignment) under a 19-bit tag, and holds the entries of one range of positions: those whose top `depth` bits are the same.
//! Directory entry `i` serves the positions whose top bits are `i`; while a segment's depth is less than the directory's,
//! several entries name it (extendible hashing).
//!
//! Within a segment, slots are sorted by tag, the 19 position bits below the segment's prefix. A tag's home slot is the tag
//! scaled to the segment's length, so it needs no division by powers of two, and an entry lies at its home or a few slots
//! after it (ordered linear probing). From this follows all that the table is for:
//!
//! - Walking slots in turn is walking positions in order: SCAN's cursor is a position, and splits do not disturb it.
//! - A miss ends at the first larger tag; about one entry in 500,000 lookups is compared in vain.
//! - A segment grows by a block of 64 slots, rebuilt from its tags alone, without touching an entry: 89 % of the slots are in
//!   use on average, about 9 bytes per key. At [`CAPACITY_MAX`] it splits in two; only then are its keys, less than a thousand,
//!   hashed again. No operation moves more than that, except that the directory (16 bytes per segment) doubles by copying.
//! - A lookup touches the directory, one or two lines of slots, and the entry, each of which can be prefetched once the one
//!   before it is there.
#![expect(
    unsafe_code,
    reason = "tagged pointers: a slot is a third of what an enum of owned boxes and hashes would take"
)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

mod segment;
#[cfg(test)]
mod tests;

use segment::{Segment, TAG_BITS};

pub use segment::CAPACITY_MAX;
pub(crate) use segment::prefetch;

/// The directory stops doubling here; beyond it, segments grow instead. Reached by 10^10 keys, or by none but colliding ones.
const DEPTH_MAX: u32 = 26;

/// An owning pointer, one word wide, to something that has a key.
///
/// # Safety
/// `into_pointer` must give up ownership and return a pointer aligned to 8 whose address fits in 48 bits; `from_pointer` must
/// restore exactly that value.
pub unsafe trait Thin {
    /// Gives up ownership.
    fn into_pointer(self) -> NonNull<u8>;
    /// Takes ownership back.
    ///
    /// # Safety
    /// `pointer` must come from `into_pointer`, and be used by one live value at a time.
    unsafe fn from_pointer(pointer: NonNull<u8>) -> Self;
    /// The key under which the value is found.
    fn key(&self) -> &[u8];
}

/// Turns a key into its 64 left-aligned position bits. The table calls it only when a segment splits, merges or is scanned
/// from a finer cursor.
pub trait Order {
    /// The position bits of a key.
    fn within(&self, key: &[u8]) -> u64;
}

impl<F: Fn(&[u8]) -> u64> Order for F {
    fn within(&self, key: &[u8]) -> u64 {
        self(key)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Table<E: Thin> {
    /// Empty while the table is; else `1 << depth` entries.
    directory: Vec<Segment>,
    depth: u32,
    len: usize,
    owned: PhantomData<E>,
}

/// Where an entry lies, until the table changes.
#[derive(Clone, Copy, Debug)]
pub struct Location {
    segment: usize,
    slot: usize,
}

/// An entry borrowed from the table.
#[derive(Debug)]
pub struct Borrowed<'a, E: Thin> {
    entry: ManuallyDrop<E>,
    table: PhantomData<&'a E>,
}

/// An entry borrowed for modification; it may become another allocation, and the slot follows when this is dropped.
#[derive(Debug)]
pub struct BorrowedMut<'a, E: Thin> {
    table: &'a mut Table<E>,
    location: Location,
    /// What the slot holds meanwhile.
    before: NonNull<u8>,
    entry: ManuallyDrop<E>,
}

impl<E: Thin> Default for Table<E> {
    fn default() -> Self {
        Table { directory: Vec::new(), depth: 0, len: 0, owned: PhantomData }
    }
}

impl<E: Thin> Table<E> {
    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none; then the table holds no memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Finds the entry with this key, whose position bits are `within`.
    #[inline]
    #[must_use]
    pub fn find(&self, within: u64, key: &[u8]) -> Option<(Location, Borrowed<'_, E>)> {
        let segment = self.segment_of(within)?;
        let place = self.directory[segment];
        let tag = tag_of(within, place.depth());
        let mut slot = place.home(tag);
        while let Some((found, pointer)) = place.slot(slot) {
            if found > tag {
                return None;
            }
            if found == tag {
                // SAFETY: the pointer was put into the slot by `insert`, and is only borrowed here.
                let entry = ManuallyDrop::new(unsafe { E::from_pointer(pointer) });
                if entry.key() == key {
                    return Some((Location { segment, slot }, Borrowed { entry, table: PhantomData }));
                }
            }
            slot += 1;
        }
        None
    }

    /// The entry at a location.
    #[inline]
    #[must_use]
    pub fn entry(&self, location: Location) -> Borrowed<'_, E> {
        // SAFETY: the pointer was put into the slot by `insert`; ManuallyDrop keeps the table its owner.
        let entry = ManuallyDrop::new(unsafe { E::from_pointer(self.pointer(location)) });
        Borrowed { entry, table: PhantomData }
    }

    /// The entry at a location, for modification. Its key must stay the same.
    #[inline]
    #[must_use]
    pub fn entry_mut(&mut self, location: Location) -> BorrowedMut<'_, E> {
        let before = self.pointer(location);
        // SAFETY: the pointer was put into the slot by `insert`; the slot takes the entry over again when this is dropped.
        let entry = ManuallyDrop::new(unsafe { E::from_pointer(before) });
        BorrowedMut { table: self, location, before, entry }
    }

    /// Adds an entry whose key is not in the table.
    pub fn insert(&mut self, within: u64, entry: E, order: &impl Order) {
        let pointer = entry.into_pointer();
        if self.directory.is_empty() {
            self.directory.push(Segment::with_room_for(0, 1));
        }
        loop {
            let index = (within >> 32 >> (32 - self.depth)) as usize;
            let mut segment = self.directory[index];
            let tag = tag_of(within, segment.depth());
            if segment.has_room() && segment.insert(tag, pointer) {
                self.len += 1;
                return;
            }
            if segment.may_grow() || segment.tags_are_equal() || segment.depth() >= DEPTH_MAX {
                segment = segment.resized(segment.len() + 1);
                self.name(index, segment);
            } else {
                self.split(index, order);
            }
        }
    }

    /// Takes out the entry at a location.
    pub fn remove(&mut self, location: Location) -> E {
        let segment = self.directory[location.segment];
        // SAFETY: the slot's pointer leaves the table here, so the value is the only owner.
        let entry = unsafe { E::from_pointer(segment.remove(location.slot)) };
        self.len -= 1;
        if self.len == 0 {
            self.release();
        } else if segment.is_sparse() {
            let smaller = segment.resized(segment.len());
            self.name(location.segment, smaller);
            self.merge(location.segment);
        }
        entry
    }

    /// Visits, in the order of their positions, the entries at and after `from`: whole groups of equal tags until at least
    /// `count` were visited. Returns the position bits at which to go on, or nothing at the end of the table.
    pub fn scan(
        &self,
        from: u64,
        count: usize,
        order: &impl Order,
        mut visit: impl FnMut(Borrowed<'_, E>),
    ) -> Option<u64> {
        let mut index = self.segment_of(from)?;
        let mut visited = 0;
        let mut from = from;
        loop {
            let segment = self.directory[index];
            let first_tag = tag_of(from, segment.depth());
            let finer = from << segment.depth() << TAG_BITS != 0;
            let mut slot = segment.first_at(first_tag);
            let mut group = first_tag;
            while let Some((at, tag, pointer)) = segment.next_occupied(slot) {
                if visited >= count && tag != group {
                    return Some(position_of(index, self.depth, segment.depth(), tag));
                }
                group = tag;
                segment.prefetch_entry_after(at);
                // SAFETY: the pointer was put into the slot by `insert`, and is only borrowed here.
                let entry = ManuallyDrop::new(unsafe { E::from_pointer(pointer) });
                if !(finer && tag == first_tag && order.within(entry.key()) < from) {
                    visit(Borrowed { entry, table: PhantomData });
                    visited += 1;
                }
                slot = at + 1;
            }
            (index, from) = self.segment_behind(index)?;
            if visited >= count {
                return Some(from);
            }
        }
    }

    /// Goes over the slots at and after `from`, and has `renew` give another allocation of those entries whose addresses `wanted` picks
    /// out: whole groups of equal tags until `effort` is spent, of which a slot costs 1 and an entry that was
    /// picked `PICKED_EFFORT`. Returns the position bits at which to go on, or nothing at the end of the table. Entries that are not
    /// picked are not touched.
    pub fn renew(
        &mut self,
        from: u64,
        effort: usize,
        wanted: impl Fn(NonNull<u8>) -> bool,
        mut renew: impl FnMut(E) -> E,
    ) -> Option<u64> {
        const PICKED_EFFORT: usize = 64;
        let mut index = self.segment_of(from)?;
        let (mut from, mut spent) = (from, 0);
        loop {
            let segment = self.directory[index];
            let mut group = tag_of(from, segment.depth());
            let mut slot = segment.first_at(group);
            while let Some((at, tag, pointer)) = segment.next_occupied(slot) {
                if spent >= effort && tag != group {
                    return Some(position_of(index, self.depth, segment.depth(), tag));
                }
                group = tag;
                spent += 1;
                if wanted(pointer) {
                    // SAFETY: the slot is the pointer's only holder, and gets the one that takes its place.
                    let renewed = renew(unsafe { E::from_pointer(pointer) });
                    segment.replace(at, renewed.into_pointer());
                    spent += PICKED_EFFORT;
                }
                slot = at + 1;
            }
            (index, from) = self.segment_behind(index)?;
            if spent >= effort {
                return Some(from);
            }
        }
    }

    /// The first entry at or after a location's place in the order whose position starts with `fragment` (32 bits), if
    /// `accept` says so.
    pub fn find_fragment(&self, fragment: u32, mut accept: impl FnMut(&E) -> bool) -> Option<Location> {
        let low = u64::from(fragment) << 32;
        let segment = self.segment_of(low)?;
        let place = self.directory[segment];
        let (first, last) = (tag_of(low, place.depth()), tag_of(low | u64::from(u32::MAX), place.depth()));
        let mut slot = place.first_at(first);
        while let Some((at, tag, pointer)) = place.next_occupied(slot) {
            if tag > last {
                return None;
            }
            // SAFETY: the pointer was put into the slot by `insert`, and is only borrowed here.
            if accept(&ManuallyDrop::new(unsafe { E::from_pointer(pointer) })) {
                return Some(Location { segment, slot: at });
            }
            slot = at + 1;
        }
        None
    }

    /// The slot that two random numbers choose, if it is in use: the position at which to look, and the slot within its segment.
    #[must_use]
    pub fn sample(&self, within: u64, random: u64) -> Option<Location> {
        let segment = self.segment_of(within)?;
        let place = self.directory[segment];
        let slot = ((u128::from(random) * place.capacity() as u128) >> 64) as usize;
        place.slot(slot).map(|_| Location { segment, slot })
    }

    /// A random entry, given two random numbers as in [`Table::sample`]; behind free slots the next one that is in use.
    #[must_use]
    pub fn random(&self, within: u64, random: u64) -> Option<Location> {
        let start = self.segment_of(within)?;
        let (mut index, segments) = (start, self.directory.len());
        loop {
            let segment = self.directory[index];
            if segment.len() > 0 {
                let capacity = segment.capacity() as u64;
                let from = ((u128::from(random) * u128::from(capacity)) >> 64) as usize;
                let found = segment.next_occupied(from).or_else(|| segment.next_occupied(0));
                return found.map(|(slot, ..)| Location { segment: index, slot });
            }
            index = (index + 1) % segments;
            if index == start {
                return None;
            }
        }
    }

    /// Up to `count` entries that are neighbours in a segment, from a place that two random numbers choose as in [`Table::sample`].
    #[must_use]
    pub fn neighbours(&self, within: u64, random: u64, count: usize) -> Vec<Location> {
        let Some(first) = self.random(within, random) else { return Vec::new() };
        let segment = self.directory[first.segment];
        let mut found = Vec::with_capacity(count);
        let (mut slot, mut wrapped) = (first.slot, false);
        while found.len() < count {
            match segment.next_occupied(slot) {
                Some((at, ..)) if wrapped && at >= first.slot => break,
                Some((at, ..)) => {
                    found.push(Location { segment: first.segment, slot: at });
                    slot = at + 1;
                }
                None if wrapped => break,
                None => (slot, wrapped) = (0, true),
            }
        }
        found
    }

    /// Asks the processor for an entry.
    #[inline]
    pub fn prefetch_location(&self, at: Location) {
        if let Some((_, pointer)) = self.directory[at.segment].slot(at.slot) {
            prefetch(pointer.as_ptr());
        }
    }

    /// Asks the processor for the slots where a key would lie.
    #[inline]
    pub fn prefetch_slot(&self, within: u64) {
        if let Some(index) = self.segment_of(within) {
            let segment = self.directory[index];
            segment.prefetch_slot(segment.home(tag_of(within, segment.depth())));
        }
    }

    /// Asks the processor for the entry that a key's tag leads to. Wants the slots in cache.
    #[inline]
    pub fn prefetch_entry(&self, within: u64) {
        if let Some(index) = self.segment_of(within) {
            let segment = self.directory[index];
            let tag = tag_of(within, segment.depth());
            let mut slot = segment.home(tag);
            while let Some((found, pointer)) = segment.slot(slot) {
                if found >= tag {
                    if found == tag {
                        prefetch(pointer.as_ptr());
                        // An entry rarely begins a line and mostly ends in the next one.
                        prefetch(pointer.as_ptr().wrapping_add(64));
                    }
                    return;
                }
                slot += 1;
            }
        }
    }

    /// Bytes of memory held by directory and segments.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let mut bytes = self.directory.capacity() * size_of::<Segment>();
        let mut index = 0;
        while let Some(segment) = self.directory.get(index) {
            bytes += segment.memory_bytes();
            index += 1 << (self.depth - segment.depth());
        }
        bytes
    }

    #[inline]
    fn segment_of(&self, within: u64) -> Option<usize> {
        let index = (within >> 32 >> (32 - self.depth)) as usize;
        if index < self.directory.len() { Some(index) } else { None }
    }

    /// How many directory entries name a segment, one behind the other.
    fn names(&self, segment: Segment) -> usize {
        1 << (self.depth - segment.depth())
    }

    /// The first directory entry that names the segment behind this one, and the position bits at which that begins.
    fn segment_behind(&self, index: usize) -> Option<(usize, u64)> {
        let next = (index | (self.names(self.directory[index]) - 1)) + 1;
        (next < self.directory.len()).then(|| (next, (next as u64) << 32 << (32 - self.depth)))
    }

    #[inline]
    fn pointer(&self, location: Location) -> NonNull<u8> {
        let slot = self.directory[location.segment].slot(location.slot);
        slot.expect("a location is used before the table changes, so its slot is occupied").1
    }

    /// Lets every directory entry of a segment name `segment` instead.
    fn name(&mut self, index: usize, segment: Segment) {
        let names = self.names(segment);
        let first = index & !(names - 1);
        self.directory[first..first + names].fill(segment);
    }

    fn split(&mut self, index: usize, order: &impl Order) {
        let segment = self.directory[index];
        let mut index = index;
        if segment.depth() == self.depth {
            self.directory = self.directory.iter().flat_map(|segment| [*segment, *segment]).collect();
            self.depth += 1;
            index *= 2;
        }
        let (low, high) = segment.split(|pointer| {
            // SAFETY: the pointer was put into the slot by `insert`, and is only borrowed here.
            order.within(ManuallyDrop::new(unsafe { E::from_pointer(pointer) }).key())
        });
        let names = self.names(segment);
        let first = index & !(names - 1);
        self.name(first, low);
        self.name(first + names / 2, high);
    }

    /// Unites a segment with its neighbour of the same parent while both together are well below what one may hold; halves the
    /// directory when no segment needs its last bit any more.
    fn merge(&mut self, index: usize) {
        let mut index = index;
        loop {
            let segment = self.directory[index];
            if segment.depth() == 0 {
                return;
            }
            let names = self.names(segment);
            let buddy = (index ^ names) & !(names - 1);
            let other = self.directory[buddy];
            if other.depth() != segment.depth() || segment.len() + other.len() > CAPACITY_MAX / 4 {
                break;
            }
            let (low, high) = if index < buddy { (segment, other) } else { (other, segment) };
            let merged = Segment::merged(low, high);
            index &= buddy;
            self.name(index, merged);
        }
        while self.depth > 0 && self.directory.iter().all(|segment| segment.depth() < self.depth) {
            self.directory = self.directory.iter().step_by(2).copied().collect();
            self.depth -= 1;
        }
    }

    /// Gives back all memory; the segments must be empty.
    fn release(&mut self) {
        let mut index = 0;
        while let Some(segment) = self.directory.get(index) {
            index += 1 << (self.depth - segment.depth());
            segment.free();
        }
        self.directory = Vec::new();
        self.depth = 0;
    }
}

impl<E: Thin> Drop for Table<E> {
    fn drop(&mut self) {
        let mut index = 0;
        while let Some(segment) = self.directory.get(index) {
            let mut slot = 0;
            while let Some((at, _, pointer)) = segment.next_occupied(slot) {
                segment.prefetch_entry_after(at);
                // SAFETY: the slot is not looked at again, so the value is the only owner.
                drop(unsafe { E::from_pointer(pointer) });
                slot = at + 1;
            }
            index += 1 << (self.depth - segment.depth());
        }
        self.release();
    }
}

impl<E: Thin> Deref for Borrowed<'_, E> {
    type Target = E;
    #[inline]
    fn deref(&self) -> &E {
        &self.entry
    }
}

impl<E: Thin> Deref for BorrowedMut<'_, E> {
    type Target = E;
    #[inline]
    fn deref(&self) -> &E {
        &self.entry
    }
}

impl<E: Thin> DerefMut for BorrowedMut<'_, E> {
    #[inline]
    fn deref_mut(&mut self) -> &mut E {
        &mut self.entry
    }
}

impl<E: Thin> Drop for BorrowedMut<'_, E> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the value is not used after this; the slot takes it over again.
        let after = unsafe { ManuallyDrop::take(&mut self.entry) }.into_pointer();
        // Nothing is written when it is the same, so that a read access does not make the line of slots dirty.
        if after != self.before {
            self.table.directory[self.location.segment].replace(self.location.slot, after);
        }
    }
}

/// The tag of a position within a segment of this depth.
#[inline]
fn tag_of(within: u64, depth: u32) -> u32 {
    (within << depth >> (64 - TAG_BITS)) as u32
}

/// The first position with this tag in the segment that directory entry `index` names.
fn position_of(index: usize, directory_depth: u32, segment_depth: u32, tag: u32) -> u64 {
    let prefix = (index >> (directory_depth - segment_depth)) as u64;
    // A depth of 0 has no prefix; shifting in two steps keeps the shift below 64.
    let prefix = prefix << 32 << (32 - segment_depth);
    prefix | u64::from(tag) << (64 - TAG_BITS) >> segment_depth
}
