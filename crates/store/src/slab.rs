//! The allocator of entries above 128 bytes: size classes so close together that little is wasted.
//!
//! The global allocator has four classes per doubling, which leaves a tenth of an entry of random size unused. Here a class is
//! about 1.5 % larger than the one before (see `classes`), and an entry wastes half of that. A **span** of 256 KiB holds equal
//! objects of one class behind a header that its objects find by masking their addresses; its objects are so many that
//! dividing it leaves hardly a tail, and it takes real memory only as far as it was used. Spans with room form a list per
//! class, and allocating is taking the first free object of the first span. A span that a free makes roomy comes to the front,
//! so that the fullest ones are filled first and the others have a chance to become empty. An empty span goes back to its
//! **region**, for any class to use; an empty region to the global allocator.
//!
//! Entries are allocated under stripe locks by all workers and freed by them and in the background, so each class has a lock.
//! To keep workers apart there are several **arenas**, each with a lock and a list per class. A thread takes objects from its
//! own arena, mostly without meeting anybody, and gives an object back to the arena that its span belongs to. An arena costs up
//! to a partly used span per class. The order of locks is class, regions; no allocation is made within the global allocator
//! while it calls here, so nothing can be locked twice.
//!
//! When keys of other sizes take over, or a limit is lowered, spans stay behind of which little is in use. Such **sparse** spans
//! can be chosen to be emptied (see `sparse`): nothing more is put into them, and what lies in them is moved by its owners.
//!
//! Up to 128 bytes the global allocator's classes are 16 bytes apart, and it stays in charge; as it does for what names of
//! several hundred bytes make too large.
#![expect(unsafe_code, reason = "an allocator: objects find their span by masking their addresses")]

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};

use parking_lot::Mutex;

mod classes;
mod regions;
mod span;
mod sparse;
#[cfg(test)]
mod tests;

use crate::held_back::add_held_back;
use crate::size_class::size_class;

use classes::{CLASSES, SLAB_MAX_BYTES, class_of, objects_of_class, size_of_class};
use regions::{REGION_BYTES, Regions};
use span::{List, Span};

pub use sparse::Emptying;

/// Contents up to this size are left to the global allocator.
const SMALL_MAX_BYTES: usize = 128;
/// Bytes of a span. Larger ones leave finer classes (with 64 KiB an entry of 4 KiB wastes 3 %), smaller ones are emptied sooner.
const SPAN_BYTES: usize = 256 * 1024;
/// Bytes in front of a span's objects.
const HEADER_BYTES: usize = 64;
const SPAN_PAYLOAD_BYTES: usize = SPAN_BYTES - HEADER_BYTES;
/// Threads beyond this number share arenas.
const ARENAS: usize = 16;

static SLAB: Slab = Slab::new();

/// Counts the threads that allocated, to deal them to arenas in turn.
static THREADS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// One more than the arena from which this thread takes objects; 0 before it took any.
    static ARENA: Cell<u32> = const { Cell::new(0) };
    /// Bytes of objects taken less those of objects given back by this thread that are not yet part of the sum.
    static HELD_BACK: Cell<i64> = const { Cell::new(0) };
}

/// A thread moves what it has counted to the sum when it exceeds this many bytes in either direction.
/// Tests have slabs of their own, which must not get what was counted for another.
const SLACK_BYTES: u64 = if cfg!(test) { 0 } else { 16 * 1024 };

/// What slabs hold from the global allocator beyond the objects that are in use, in bytes: exact to 16 KiB per thread. Costs two loads.
#[must_use]
pub fn slab_unused_bytes() -> usize {
    SLAB.unused_bytes()
}

/// Whether a content of this size is the slab's.
#[inline]
pub(crate) fn takes(size: usize) -> bool {
    size.wrapping_sub(SMALL_MAX_BYTES + 1) < SLAB_MAX_BYTES - SMALL_MAX_BYTES
}

/// Bytes that a content of this size occupies in the slab, which takes it.
#[inline]
pub(crate) fn object_bytes(size: usize) -> usize {
    size_of_class(class_of(size))
}

/// Memory for a content of this size, which the slab takes, aligned to 8. Not inlined, so that small entries do not carry its
/// code about.
#[inline(never)]
pub(crate) fn allocate(size: usize) -> NonNull<u8> {
    SLAB.allocate(class_of(size))
}

/// Frees what [`allocate`] gave.
///
/// # Safety
/// `object` came from [`allocate`] for a size of the same class, with the same provenance, and nobody uses it any more.
#[inline(never)]
pub(crate) unsafe fn free(object: NonNull<u8>, size: usize) {
    // SAFETY: the caller's promises are passed on.
    unsafe { SLAB.free(object, class_of(size)) }
}

/// The same memory for a content that lies in a span that is being emptied: from any arena that has room, so that what is sparse
/// comes together.
pub(crate) fn allocate_elsewhere(size: usize) -> NonNull<u8> {
    SLAB.allocate_elsewhere(class_of(size))
}

/// Whether an object lies in a span that is being emptied.
///
/// # Safety
/// `object` came from [`allocate`] and is in use.
pub(crate) unsafe fn is_emptying(object: NonNull<u8>) -> bool {
    // SAFETY: the span exists as long as the object is in use.
    unsafe { Span::of(object) }.is_emptying()
}

/// Chooses sparse spans to be emptied, the sparsest first, until about so many bytes would become free; none where that would free
/// nothing. Those chosen before are no longer. Costs some microseconds for each class, during which it is locked.
#[must_use]
pub fn begin_emptying(wanted_bytes: usize) -> Option<Emptying> {
    SLAB.end_emptying();
    SLAB.begin_emptying(wanted_bytes)
}

/// Lets what was chosen and is not empty be filled again.
pub fn end_emptying() {
    SLAB.end_emptying();
}

/// Shows up to `limit` free spans that may hold memory to `discard`, which gives their memory to the system and leaves them
/// their addresses; returns how many there were.
pub fn discard_free_spans(limit: usize, mut discard: impl FnMut(NonNull<u8>, usize)) -> usize {
    (0..limit).take_while(|_| SLAB.discard_free_span(&mut discard)).count()
}

struct Slab {
    arenas: [Arena; ARENAS],
    regions: Mutex<Regions>,
    /// Regions held: read without the lock.
    regions_held: AtomicUsize,
    /// Bytes of the objects in use, less what threads still hold back.
    used: AtomicI64,
}

struct Arena {
    classes: [Class; CLASSES],
}

/// One lock and what it protects, on a cache line of its own.
#[repr(align(64))]
struct Class {
    lists: Mutex<Lists>,
}

/// The spans of a class that have room.
struct Lists {
    roomy: List,
    /// Those of which nothing is taken, because they are being emptied.
    emptying: List,
}

impl Class {
    const fn new() -> Class {
        Class { lists: parking_lot::const_mutex(Lists { roomy: List::new(), emptying: List::new() }) }
    }
}

impl Lists {
    fn unlink(&mut self, span: Span) {
        if span.is_emptying() { self.emptying.unlink(span) } else { self.roomy.unlink(span) }
    }

    /// Hands out an object of the first span, if there is any.
    #[inline]
    fn take(&mut self, class: usize) -> Option<NonNull<u8>> {
        let span = self.roomy.first()?;
        let object = span.take(size_of_class(class));
        if span.used() == objects_of_class(class) {
            self.roomy.unlink(span);
        }
        Some(object)
    }
}

impl Slab {
    const fn new() -> Slab {
        Slab {
            arenas: [const { Arena { classes: [const { Class::new() }; CLASSES] } }; ARENAS],
            regions: parking_lot::const_mutex(Regions::new()),
            regions_held: AtomicUsize::new(0),
            used: AtomicI64::new(0),
        }
    }

    #[inline]
    fn allocate(&self, class: usize) -> NonNull<u8> {
        let arena = arena_of_thread();
        let mut lists = self.arenas[arena].classes[class].lists.lock();
        let object = match lists.take(class) {
            Some(object) => object,
            None => self.take_of_new_span(arena, class, &mut lists),
        };
        drop(lists);
        self.count(size_of_class(class) as i64);
        object
    }

    fn allocate_elsewhere(&self, class: usize) -> NonNull<u8> {
        let own = arena_of_thread();
        let others = (0..ARENAS).filter(|arena| *arena != own);
        let take = |arena: usize| self.arenas[arena].classes[class].lists.lock().take(class);
        match std::iter::once(own).chain(others).find_map(take) {
            Some(object) => {
                self.count(size_of_class(class) as i64);
                object
            }
            None => self.allocate(class),
        }
    }

    /// # Safety
    /// As for the function [`free`], of this slab.
    #[inline]
    unsafe fn free(&self, object: NonNull<u8>, class: usize) {
        // SAFETY: the slab handed the object out, from a span that exists as long as the object is in use.
        let span = unsafe { Span::of(object) };
        let place = &self.arenas[span.arena()].classes[class];
        let mut lists = place.lists.lock();
        let was_full = span.used() == objects_of_class(class);
        // SAFETY: the caller gives up the object, which is of this class; the lock is held.
        unsafe { span.put(object, size_of_class(class)) };
        if was_full {
            lists.roomy.push(span);
        }
        if span.used() == 0 {
            lists.unlink(span);
            drop(lists);
            self.remove_span(span);
        } else {
            drop(lists);
        }
        self.count(-(size_of_class(class) as i64));
    }

    #[inline]
    fn count(&self, bytes: i64) {
        add_held_back(&HELD_BACK, &self.used, SLACK_BYTES, bytes);
    }

    #[cold]
    fn take_of_new_span(&self, arena: usize, class: usize, lists: &mut Lists) -> NonNull<u8> {
        let mut regions = self.regions.lock();
        let span = regions.take(arena as u32);
        self.regions_held.store(regions.held(), Ordering::Relaxed);
        drop(regions);
        lists.roomy.push(span);
        span.take(size_of_class(class))
    }

    #[cold]
    fn remove_span(&self, span: Span) {
        let mut regions = self.regions.lock();
        let returned = regions.give(span);
        self.regions_held.store(regions.held(), Ordering::Relaxed);
        drop(regions);
        drop(returned);
    }

    /// Shows a free span to `discard`, if one may hold memory. It is nobody's meanwhile.
    fn discard_free_span(&self, discard: &mut impl FnMut(NonNull<u8>, usize)) -> bool {
        let Some(lent) = self.regions.lock().lend_soiled() else { return false };
        discard(lent.start(), SPAN_BYTES);
        let mut regions = self.regions.lock();
        let returned = regions.take_back(lent);
        self.regions_held.store(regions.held(), Ordering::Relaxed);
        drop(regions);
        drop(returned);
        true
    }

    fn unused_bytes(&self) -> usize {
        let held = self.regions_held.load(Ordering::Relaxed) * size_class(REGION_BYTES);
        held.saturating_sub(usize::try_from(self.used.load(Ordering::Relaxed)).unwrap_or(0))
    }
}

#[inline]
fn arena_of_thread() -> usize {
    let arena = ARENA.get();
    let arena = if arena == 0 { deal_arena() } else { arena };
    arena as usize - 1
}

#[cold]
fn deal_arena() -> u32 {
    let arena = THREADS.fetch_add(1, Ordering::Relaxed) % ARENAS as u32 + 1;
    ARENA.set(arena);
    arena
}
