//! One segment: a sorted run of tagged pointers with gaps.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::size_class::size_class;

/// Bits of a tag.
pub(super) const TAG_BITS: u32 = 19;
const POINTER_BITS: u32 = 64 - TAG_BITS;
const ALIGN_BITS: u32 = 3;

/// Slots of the largest segment that is not made of colliding keys; with its header it takes 4 KiB.
pub const CAPACITY_MAX: usize = 511;

/// A handle to a segment's memory: copied freely between directory entries, freed once.
///
/// The memory is a header word (the number of entries) and `capacity` slots. Homes reach only to `homes`; the slots behind
/// them take what the last homes displace, so that nothing ever wraps around.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    words: NonNull<*mut u8>,
    capacity: u32,
    depth: u8,
}

// SAFETY: a segment is a plain piece of memory reached only through the table that owns it.
unsafe impl Send for Segment {}
// SAFETY: as above; `&Segment` methods that write are called by the table under `&mut self` only.
unsafe impl Sync for Segment {}

impl Segment {
    /// An empty segment of a depth with comfortable room for `len` entries.
    pub(super) fn with_room_for(depth: u32, len: usize) -> Segment {
        Segment::allocate(depth, capacity_for(len))
    }

    fn allocate(depth: u32, capacity: usize) -> Segment {
        let layout = layout(capacity);
        // SAFETY: the layout's size is not zero.
        let words = unsafe { alloc_zeroed(layout) };
        let words = NonNull::new(words.cast()).unwrap_or_else(|| handle_alloc_error(layout));
        Segment {
            words,
            capacity: u32::try_from(capacity).expect("a segment of 2^32 entries"),
            depth: depth as u8,
        }
    }

    /// Gives the memory back. No copy of the handle may be used afterwards.
    pub(super) fn free(self) {
        // SAFETY: allocated by `allocate` with this layout; the table calls this once per segment.
        unsafe { dealloc(self.words.as_ptr().cast(), layout(self.capacity())) }
    }

    #[inline]
    pub(super) fn depth(self) -> u32 {
        u32::from(self.depth)
    }

    #[inline]
    pub(super) fn capacity(self) -> usize {
        self.capacity as usize
    }

    pub(super) fn memory_bytes(self) -> usize {
        layout(self.capacity()).size()
    }

    /// Number of entries.
    #[inline]
    pub(super) fn len(self) -> usize {
        // SAFETY: the header word is always there.
        unsafe { *self.words.as_ptr() }.addr()
    }

    fn set_len(self, len: usize) {
        // SAFETY: the header word is always there.
        unsafe { *self.words.as_ptr() = std::ptr::without_provenance_mut(len) }
    }

    /// Whether one more entry keeps the load below seven eighths.
    pub(super) fn has_room(self) -> bool {
        (self.len() + 1) * 8 <= self.capacity() * 7
    }

    /// Whether it is still below the size at which segments split.
    pub(super) fn may_grow(self) -> bool {
        self.capacity() < CAPACITY_MAX
    }

    /// Whether it would do with less than half of its slots.
    pub(super) fn is_sparse(self) -> bool {
        self.capacity() > 7 && self.len() * 4 < self.capacity()
    }

    /// Whether all entries have the same tag: splitting would not part them.
    pub(super) fn tags_are_equal(self) -> bool {
        let first = self.next_occupied(0).map(|(_, tag, _)| tag);
        let last = (0..self.capacity()).rev().find_map(|slot| self.slot(slot)).map(|(tag, _)| tag);
        first == last
    }

    /// The slot at which a tag belongs when nothing displaces it.
    #[inline]
    pub(super) fn home(self, tag: u32) -> usize {
        let homes = u64::from(self.capacity - self.capacity / 16 - 1);
        ((u64::from(tag) * homes) >> TAG_BITS) as usize
    }

    /// Tag and pointer of a slot, if it is occupied. Behind the last slot there is an empty one.
    #[inline]
    pub(super) fn slot(self, slot: usize) -> Option<(u32, NonNull<u8>)> {
        if slot >= self.capacity() { None } else { unpack(self.word(slot)) }
    }

    /// The first occupied slot at or after this one.
    #[inline]
    pub(super) fn next_occupied(self, slot: usize) -> Option<(usize, u32, NonNull<u8>)> {
        (slot..self.capacity()).find_map(|at| unpack(self.word(at)).map(|(tag, pointer)| (at, tag, pointer)))
    }

    /// The first slot from which walking on meets every entry with this tag or a larger one.
    pub(super) fn first_at(self, tag: u32) -> usize {
        let mut slot = self.home(tag);
        while self.slot(slot).is_some_and(|(found, _)| found < tag) {
            slot += 1;
        }
        slot
    }

    /// Puts a pointer in its place; false when that would push an entry off the end.
    pub(super) fn insert(self, tag: u32, pointer: NonNull<u8>) -> bool {
        let mut place = self.home(tag);
        while self.slot(place).is_some_and(|(found, _)| found <= tag) {
            place += 1;
        }
        let mut free = place;
        while self.slot(free).is_some() {
            free += 1;
        }
        if free >= self.capacity() {
            return false;
        }
        while free > place {
            self.set_word(free, self.word(free - 1));
            free -= 1;
        }
        self.set_word(place, pack(tag, pointer));
        self.set_len(self.len() + 1);
        true
    }

    /// Empties a slot and moves displaced followers one slot nearer to their homes.
    pub(super) fn remove(self, slot: usize) -> NonNull<u8> {
        let (_, removed) = self.slot(slot).expect("the table removes what it has found");
        let mut hole = slot;
        while let Some((tag, _)) = self.slot(hole + 1) {
            if self.home(tag) > hole {
                break;
            }
            self.set_word(hole, self.word(hole + 1));
            hole += 1;
        }
        self.set_word(hole, std::ptr::null_mut());
        self.set_len(self.len() - 1);
        removed
    }

    /// Replaces the pointer in an occupied slot; the tag stays. Writes nothing when it is the same, so that a read access does
    /// not make the line of slots dirty.
    #[inline]
    pub(super) fn replace(self, slot: usize, pointer: NonNull<u8>) {
        if let Some((tag, present)) = self.slot(slot)
            && present != pointer
        {
            self.set_word(slot, pack(tag, pointer));
        }
    }

    /// This segment's entries in new memory with room for `len`; frees the old. Touches no entry.
    pub(super) fn regrown(self, len: usize) -> Segment {
        let mut capacity = capacity_for(len);
        if len > self.len() {
            capacity = capacity.max(next_capacity(self.capacity()));
        }
        loop {
            let new = Segment::allocate(self.depth(), capacity);
            if self.iter().all(|(tag, pointer)| new.append(tag, pointer)) {
                self.free();
                return new;
            }
            new.free();
            capacity = next_capacity(capacity);
        }
    }

    /// Parts the entries by the next bit of their positions; frees the old memory. `within` gives an entry's position bits.
    pub(super) fn split(self, within: impl Fn(NonNull<u8>) -> u64) -> (Segment, Segment) {
        let half = 1 << (TAG_BITS - 1);
        let low_len = self.iter().filter(|(tag, _)| *tag < half).count();
        let depth = self.depth() + 1;
        let mut halves = [
            Segment::with_room_for(depth, low_len + 1),
            Segment::with_room_for(depth, self.len() - low_len + 1),
        ];
        for (slot, (tag, pointer)) in self.iter_slots() {
            self.prefetch_entry_after(slot);
            let side = usize::from(tag >= half);
            let tag = (within(pointer) << depth >> (64 - TAG_BITS)) as u32;
            while !halves[side].insert(tag, pointer) {
                halves[side] = halves[side].regrown(halves[side].len() + 1);
            }
        }
        self.free();
        (halves[0], halves[1])
    }

    /// One segment of two neighbours; frees both. Touches no entry: a tag loses its last bit and gains its side.
    pub(super) fn merged(low: Segment, high: Segment) -> Segment {
        let side = 1 << (TAG_BITS - 1);
        let mut merged = Segment::with_room_for(low.depth() - 1, low.len() + high.len() + 1);
        let entries = low.iter().map(|(tag, pointer)| (tag >> 1, pointer));
        let entries = entries.chain(high.iter().map(|(tag, pointer)| (side | tag >> 1, pointer)));
        for (tag, pointer) in entries {
            while !merged.append(tag, pointer) {
                merged = merged.regrown(merged.len() + 1);
            }
        }
        low.free();
        high.free();
        merged
    }

    #[inline]
    pub(super) fn prefetch_slot(self, slot: usize) {
        prefetch(self.words.as_ptr().wrapping_add(slot + 1).cast());
    }

    /// Asks for the entry a few slots further on: what a walk over the segment will want soon.
    #[inline]
    pub(super) fn prefetch_entry_after(self, slot: usize) {
        const AHEAD: usize = 8;
        if let Some((_, pointer)) = self.slot(slot + AHEAD) {
            prefetch(pointer.as_ptr());
        }
    }

    fn iter(self) -> impl Iterator<Item = (u32, NonNull<u8>)> {
        self.iter_slots().map(|(_, entry)| entry)
    }

    fn iter_slots(self) -> impl Iterator<Item = (usize, (u32, NonNull<u8>))> {
        (0..self.capacity()).filter_map(move |slot| Some((slot, self.slot(slot)?)))
    }

    /// Inserts a tag not smaller than all others. The same as `insert`, found from the other end.
    fn append(self, tag: u32, pointer: NonNull<u8>) -> bool {
        self.insert(tag, pointer)
    }

    #[inline]
    fn word(self, slot: usize) -> *mut u8 {
        debug_assert!(slot < self.capacity());
        let word = self.words.as_ptr().wrapping_add(slot + 1);
        // SAFETY: the slot is below the capacity, and the memory has that many words behind the header.
        unsafe { *word }
    }

    #[inline]
    fn set_word(self, slot: usize, value: *mut u8) {
        debug_assert!(slot < self.capacity());
        let word = self.words.as_ptr().wrapping_add(slot + 1);
        // SAFETY: the slot is below the capacity, and the memory has that many words behind the header.
        unsafe { *word = value }
    }
}

/// Asks the processor to load a cache line. A hint: any address will do.
#[inline]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch does not fault, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[inline]
fn pack(tag: u32, pointer: NonNull<u8>) -> *mut u8 {
    debug_assert!(pointer.addr().get() >> 48 == 0 && pointer.addr().get().trailing_zeros() >= ALIGN_BITS);
    pointer.as_ptr().map_addr(|address| address >> ALIGN_BITS | (tag as usize) << POINTER_BITS)
}

#[inline]
fn unpack(word: *mut u8) -> Option<(u32, NonNull<u8>)> {
    let tag = word.addr() >> POINTER_BITS;
    let pointer = word.map_addr(|address| address << TAG_BITS >> (TAG_BITS - ALIGN_BITS));
    NonNull::new(pointer).map(|pointer| (tag as u32, pointer))
}

/// Slots of a segment that holds `len` entries with some room for more.
fn capacity_for(len: usize) -> usize {
    capacity_of_class(len + len / 4 + 2)
}

/// The next larger size: a quarter more, or double while small.
fn next_capacity(capacity: usize) -> usize {
    capacity_of_class(capacity + (capacity / 8).max(capacity.min(8)))
}

/// At least this many slots, filling an allocation class together with the header.
fn capacity_of_class(slots: usize) -> usize {
    size_class((slots + 1) * 8).max(32) / 8 - 1
}

fn layout(capacity: usize) -> Layout {
    Layout::array::<*mut u8>(capacity + 1).expect("a segment is far smaller than the address space")
}
