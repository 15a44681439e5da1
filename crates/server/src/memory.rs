//! The allocator: mimalloc, counted.
//!
//! Every allocation is charged with the bytes of its size class, so that `used_memory` is exact at any moment without asking
//! the allocator. Each thread counts in a cell of its own: an allocation costs a few instructions more and no shared line.
//!
//! The slab for entries takes whole regions through here; what of them is not in use at the moment is taken off again. So
//! `used_memory` is what keys occupy, each with its class, and falls with each key that goes; the slab's free objects show in
//! the difference from `used_memory_rss`.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

mod reserve;

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use larder_store::{add_held_back, discard_free_spans, size_class, slab_unused_bytes};
use mimalloc::MiMalloc;
use rustix::mm::{Advice, madvise};

pub(crate) use reserve::{Pages, use_pages};

/// A thread moves what it has counted to the common sum when it exceeds this many bytes in either direction.
const SLACK_BYTES: u64 = 64 * 1024;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes allocated, less what threads still hold back.
static USED: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Bytes allocated less bytes freed by this thread that are not yet part of the sum.
    static HELD_BACK: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

/// Bytes of memory allocated, each block with its whole size class. Exact to 64 KiB per thread.
pub(crate) fn used() -> u64 {
    let used = used_now();
    PEAK.fetch_max(used, Ordering::Relaxed);
    used
}

/// The same without noting the peak.
pub(crate) fn used_now() -> u64 {
    let allocated = u64::try_from(USED.load(Ordering::Relaxed)).unwrap_or(0);
    allocated.saturating_sub(slab_unused_bytes() as u64)
}

/// The most that was allocated whenever somebody looked.
pub(crate) fn peak() -> u64 {
    used();
    PEAK.load(Ordering::Relaxed)
}

/// Free spans that are purged at once: a GiB, for which the caller works some ten milliseconds.
const PURGED_SPANS: usize = 4096;

/// Gives back to the system what the allocator does not need, as far as the calling thread can see to that.
pub(crate) fn purge() {
    // SAFETY: it may be called at any time, from any thread.
    unsafe { libmimalloc_sys::mi_collect(true) };
    reserve::purge();
    give_back_spans(PURGED_SPANS);
}

/// Gives the memory of up to so many free spans of the slab to the system; returns how many there were.
pub(crate) fn give_back_spans(limit: usize) -> usize {
    discard_free_spans(limit, |start, bytes| {
        // SAFETY: nobody uses what lies there, and the addresses stay.
        let _ = unsafe { madvise(start.as_ptr().cast(), bytes, Advice::LinuxDontNeed) };
    })
}

#[inline]
fn count(bytes: i64) {
    add_held_back(&HELD_BACK, &USED, SLACK_BYTES, bytes);
}

#[inline]
fn charged(size: usize) -> i64 {
    size_class(size) as i64
}

// SAFETY: every call is passed on to mimalloc unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(charged(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(charged(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-charged(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(charged(new_size) - charged(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { MiMalloc.realloc(pointer, layout, new_size) }
    }
}
