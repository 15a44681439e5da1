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
#[cfg(test)]
mod tests;

use crate::held_back::add_held_back;
use crate::size_class::size_class;

use classes::{CLASSES, SLAB_MAX_BYTES, class_of, objects_of_class, size_of_class};
use regions::{REGION_BYTES, Regions};
use span::{List, Span};

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
    roomy: Mutex<List>,
}

impl Class {
    const fn new() -> Class {
        Class { roomy: parking_lot::const_mutex(List::new()) }
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
        let place = &self.arenas[arena].classes[class];
        let mut roomy = place.roomy.lock();
        let span = match roomy.first() {
            Some(span) => span,
            None => self.add_span(arena, &mut roomy),
        };
        let object = span.take(size_of_class(class));
        if span.used() == objects_of_class(class) {
            roomy.unlink(span);
        }
        drop(roomy);
        self.count(size_of_class(class) as i64);
        object
    }

    /// # Safety
    /// As for the function [`free`], of this slab.
    #[inline]
    unsafe fn free(&self, object: NonNull<u8>, class: usize) {
        // SAFETY: the slab handed the object out, from a span that exists as long as the object is in use.
        let span = unsafe { Span::of(object) };
        let place = &self.arenas[span.arena()].classes[class];
        let mut roomy = place.roomy.lock();
        let was_full = span.used() == objects_of_class(class);
        // SAFETY: the caller gives up the object, which is of this class; the lock is held.
        unsafe { span.put(object, size_of_class(class)) };
        if was_full {
            roomy.push(span);
        }
        if span.used() == 0 {
            roomy.unlink(span);
            drop(roomy);
            self.remove_span(span);
        } else {
            drop(roomy);
        }
        self.count(-(size_of_class(class) as i64));
    }

    #[inline]
    fn count(&self, bytes: i64) {
        add_held_back(&HELD_BACK, &self.used, SLACK_BYTES, bytes);
    }

    #[cold]
    fn add_span(&self, arena: usize, roomy: &mut List) -> Span {
        let mut regions = self.regions.lock();
        let span = regions.take(arena as u32);
        self.regions_held.store(regions.held(), Ordering::Relaxed);
        roomy.push(span);
        span
    }

    #[cold]
    fn remove_span(&self, span: Span) {
        let mut regions = self.regions.lock();
        let returned = regions.give(span);
        self.regions_held.store(regions.held(), Ordering::Relaxed);
        drop(regions);
        drop(returned);
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
