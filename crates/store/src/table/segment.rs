//! One segment: a sorted run of tagged pointers with gaps.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::size_class::size_class;

/// Bits of a tag.
pub(super) const TAG_BITS: u32 = 19;
const POINTER_BITS: u32 = 64 - TAG_BITS;
const ALIGN_BITS: u32 = 3;

/// Slots of a block. Blocks of one size are what keeps memory from fragmenting: while a table grows, its segments pass through
/// many lengths, and stragglers of each length would hold on to allocator pages that nobody else can use.
const BLOCK_SLOTS: usize = 64;
/// Slots of the largest segment that is not made of colliding keys.
pub const CAPACITY_MAX: usize = 16 * BLOCK_SLOTS;
/// Slots behind the last home, which take what the last homes displace, so that nothing ever wraps around.
const OVERFLOW_SLOTS: u32 = 16;

/// A handle to a segment's memory: copied freely between directory entries, freed once.
///
/// The memory is a header and `capacity` slots in blocks. The header is the number of entries and then a pointer to each block.
/// A segment of less than one block has a single shorter one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    header: NonNull<*mut u8>,
    capacity: u32,
    depth: u8,
}

// SAFETY: a segment is a plain piece of memory reached only through the table that owns it.
unsafe impl Send for Segment {}
// SAFETY: as above; `&Segment` methods that write are called by the table under `&mut self` only.
unsafe impl Sync for Segment {}

impl Segment {
    /// An empty segment of a depth with room for `len` entries.
    pub(super) fn with_room_for(depth: u32, len: usize) -> Segment {
        Segment::allocate(depth, capacity_for(len))
    }

    fn allocate(depth: u32, capacity: usize) -> Segment {
        let blocks = blocks(capacity);
        let header = allocate_words(1 + blocks);
        let capacity_field = u32::try_from(capacity).expect("a segment of 2^32 entries");
        let segment = Segment { header, capacity: capacity_field, depth: depth as u8 };
        for block in 0..blocks {
            segment.set_header_word(1 + block, allocate_words(capacity.min(BLOCK_SLOTS)).as_ptr().cast());
        }
        segment
    }

    /// Gives the memory back. No copy of the handle may be used afterwards.
    pub(super) fn free(self) {
        for block in 0..blocks(self.capacity()) {
            free_words(self.header_word(1 + block).cast(), self.capacity().min(BLOCK_SLOTS));
        }
        free_words(self.header.as_ptr(), 1 + blocks(self.capacity()));
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
        let blocks = blocks(self.capacity());
        size_class((1 + blocks) * 8) + blocks * size_class(self.capacity().min(BLOCK_SLOTS) * 8)
    }

    /// Number of entries.
    #[inline]
    pub(super) fn len(self) -> usize {
        self.header_word(0).addr()
    }

    fn set_len(self, len: usize) {
        self.set_header_word(0, std::ptr::without_provenance_mut(len));
    }

    /// Whether one more entry keeps the load within bounds.
    pub(super) fn has_room(self) -> bool {
        self.len() < load_max(self.capacity())
    }

    /// Whether it is still below the size at which segments split.
    pub(super) fn may_grow(self) -> bool {
        self.capacity() < CAPACITY_MAX
    }

    /// Whether it would do with less than half of its slots.
    pub(super) fn is_sparse(self) -> bool {
        self.capacity() > 4 && self.len() * 2 < self.capacity()
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
        let homes = u64::from(self.capacity - OVERFLOW_SLOTS.min(self.capacity / 4));
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

    /// Replaces the pointer in an occupied slot; the tag stays.
    pub(super) fn replace(self, slot: usize, pointer: NonNull<u8>) {
        if let Some((tag, _)) = self.slot(slot) {
            self.set_word(slot, pack(tag, pointer));
        }
    }

    /// This segment with room for `len` entries, spread out or drawn together. Touches no entry. The handle given is void.
    pub(super) fn resized(self, len: usize) -> Segment {
        let mut capacity = capacity_for(len);
        if len > self.len() {
            capacity = capacity.max(next_capacity(self.capacity()));
        }
        let entries: Vec<_> = self.iter().collect();
        let mut segment = self;
        loop {
            segment = segment.emptied(capacity);
            if entries.iter().all(|(tag, pointer)| segment.insert(*tag, *pointer)) {
                return segment;
            }
            capacity = next_capacity(capacity);
        }
    }

    /// An empty segment of another capacity in the memory of this one: whole blocks are kept, missing ones added.
    fn emptied(self, capacity: usize) -> Segment {
        let (old, new) = (blocks(self.capacity()), blocks(capacity));
        let header = allocate_words(1 + new);
        let segment = Segment { header, capacity: capacity as u32, depth: self.depth };
        let keep = if self.capacity().is_multiple_of(BLOCK_SLOTS) && capacity.is_multiple_of(BLOCK_SLOTS) {
            old.min(new)
        } else {
            0
        };
        for block in 0..old.max(new) {
            if block < keep {
                segment.set_header_word(1 + block, self.header_word(1 + block));
                continue;
            }
            if block < old {
                free_words(self.header_word(1 + block).cast(), self.capacity().min(BLOCK_SLOTS));
            }
            if block < new {
                segment.set_header_word(1 + block, allocate_words(capacity.min(BLOCK_SLOTS)).as_ptr().cast());
            }
        }
        free_words(self.header.as_ptr(), 1 + old);
        for slot in 0..keep * BLOCK_SLOTS {
            segment.set_word(slot, std::ptr::null_mut());
        }
        segment
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
                halves[side] = halves[side].resized(halves[side].len() + 1);
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
            while !merged.insert(tag, pointer) {
                merged = merged.resized(merged.len() + 1);
            }
        }
        low.free();
        high.free();
        merged
    }

    #[inline]
    pub(super) fn prefetch_slot(self, slot: usize) {
        let address = self.block_of(slot).wrapping_add(slot % BLOCK_SLOTS);
        prefetch(address.cast());
        // An entry lies some slots behind its home.
        prefetch(address.wrapping_add(8).cast());
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

    #[inline]
    fn word(self, slot: usize) -> *mut u8 {
        let word = self.block_of(slot).wrapping_add(slot % BLOCK_SLOTS);
        // SAFETY: the slot is below the capacity, so its block has it.
        unsafe { *word }
    }

    #[inline]
    fn set_word(self, slot: usize, value: *mut u8) {
        let word = self.block_of(slot).wrapping_add(slot % BLOCK_SLOTS);
        // SAFETY: the slot is below the capacity, so its block has it.
        unsafe { *word = value }
    }

    #[inline]
    fn block_of(self, slot: usize) -> *mut *mut u8 {
        debug_assert!(slot < self.capacity());
        self.header_word(1 + slot / BLOCK_SLOTS).cast()
    }

    #[inline]
    fn header_word(self, index: usize) -> *mut u8 {
        let word = self.header.as_ptr().wrapping_add(index);
        // SAFETY: the header has a word for the length and one for each block, and callers ask for no other.
        unsafe { *word }
    }

    fn set_header_word(self, index: usize, value: *mut u8) {
        let word = self.header.as_ptr().wrapping_add(index);
        // SAFETY: the header has a word for the length and one for each block, and callers set no other.
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

/// Most entries of a segment with this many slots: 15 of 16, when it has several blocks.
fn load_max(capacity: usize) -> usize {
    capacity - capacity.div_ceil(if capacity <= BLOCK_SLOTS { 8 } else { 16 })
}

/// Slots of a segment that holds `len` entries with some room for more.
fn capacity_for(len: usize) -> usize {
    let mut capacity = 4;
    while load_max(capacity) < len + len / 16 {
        capacity = next_capacity(capacity);
    }
    capacity
}

/// The next larger size: double while small, then a block more.
fn next_capacity(capacity: usize) -> usize {
    if capacity < BLOCK_SLOTS { capacity * 2 } else { (capacity / BLOCK_SLOTS + 1) * BLOCK_SLOTS }
}

fn blocks(capacity: usize) -> usize {
    capacity.div_ceil(BLOCK_SLOTS)
}

/// Zeroed memory.
fn allocate_words(words: usize) -> NonNull<*mut u8> {
    let layout = layout(words);
    // SAFETY: the layout's size is not zero: no caller asks for no words.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

fn free_words(memory: *mut *mut u8, words: usize) {
    // SAFETY: allocated by `allocate_words` with this number of words, and freed once.
    unsafe { dealloc(memory.cast(), layout(words)) }
}

fn layout(words: usize) -> Layout {
    Layout::array::<*mut u8>(words).expect("a segment is far smaller than the address space")
}
