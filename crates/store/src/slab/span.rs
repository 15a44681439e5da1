//! A span: equal objects behind a header.
//!
//! Objects that were never used are handed out in the order of their addresses, so that a span takes real memory only as far as
//! it was used; freed ones form a list through their first words and are handed out again first.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{HEADER_BYTES, SPAN_BYTES};

/// What freed objects are filled with where debug assertions are on, to catch writes to them.
const FREED: u8 = 0xD9;

/// A handle to a span. Copied freely; whoever uses it holds the lock of the span's class, but for [`Span::of`],
/// [`Span::arena`] and [`Span::is_emptying`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(NonNull<Header>);

// SAFETY: a span is a plain piece of memory; the lock of its class orders all access, `arena` does not change.
unsafe impl Send for Span {}

#[derive(Debug)]
struct Header {
    /// The object freed last, or null.
    free: Cell<*mut u8>,
    /// Objects that were handed out at least once.
    touched: Cell<u32>,
    /// Objects that are in use.
    used: Cell<u32>,
    previous: Cell<Option<Span>>,
    next: Cell<Option<Span>>,
    region: u32,
    arena: u32,
    /// Nothing is taken of it, and its objects are to be moved.
    emptying: AtomicBool,
}

const _: () = assert!(size_of::<Header>() <= HEADER_BYTES);

impl Span {
    /// Makes an empty span.
    ///
    /// # Safety
    /// At `start`, a multiple of [`SPAN_BYTES`], there are as many bytes that nobody else uses until the span is given up.
    pub(super) unsafe fn new(start: NonNull<u8>, region: u32, arena: u32) -> Span {
        debug_assert!(start.addr().get().is_multiple_of(SPAN_BYTES));
        let header = Header {
            free: Cell::new(std::ptr::null_mut()),
            touched: Cell::new(0),
            used: Cell::new(0),
            previous: Cell::new(None),
            next: Cell::new(None),
            region,
            arena,
            emptying: AtomicBool::new(false),
        };
        let start = start.cast::<Header>();
        // SAFETY: the caller gives the memory, which is large enough and aligned.
        unsafe { start.write(header) };
        Span(start)
    }

    /// The span in which an object lies.
    ///
    /// # Safety
    /// The object was handed out by a span that still exists, and its pointer may be used for all of the span.
    #[inline]
    pub(super) unsafe fn of(object: NonNull<u8>) -> Span {
        let start = object.as_ptr().map_addr(|address| address & !(SPAN_BYTES - 1));
        // SAFETY: a span's address is not zero, and no smaller than the mask's.
        Span(unsafe { NonNull::new_unchecked(start) }.cast())
    }

    /// Whose span it is.
    #[inline]
    pub(super) fn arena(self) -> usize {
        self.header().arena as usize
    }

    /// Whether it is being emptied.
    #[inline]
    pub(super) fn is_emptying(self) -> bool {
        self.header().emptying.load(Ordering::Relaxed)
    }

    /// Notes whether it is.
    pub(super) fn set_emptying(self, emptying: bool) {
        self.header().emptying.store(emptying, Ordering::Relaxed);
    }

    /// Objects that were handed out at least once: as far as it may hold memory.
    pub(super) fn touched(self) -> u32 {
        self.header().touched.get()
    }

    /// The region that it is a part of.
    pub(super) fn region(self) -> u32 {
        self.header().region
    }

    /// Objects in use.
    #[inline]
    pub(super) fn used(self) -> u32 {
        self.header().used.get()
    }

    /// Where it begins: what [`Span::new`] was given.
    pub(super) fn start(self) -> NonNull<u8> {
        self.0.cast()
    }

    /// Hands out an object of `size` bytes. The span must not be full.
    #[inline]
    pub(super) fn take(self, size: usize) -> NonNull<u8> {
        let header = self.header();
        header.used.set(header.used.get() + 1);
        if let Some(object) = NonNull::new(header.free.get()) {
            check_freed(object, size);
            // SAFETY: a freed object holds the next one in its first word, which is aligned as all objects are.
            header.free.set(unsafe { object.cast::<*mut u8>().read() });
            return object;
        }
        let touched = header.touched.get();
        header.touched.set(touched + 1);
        let offset = HEADER_BYTES + touched as usize * size;
        debug_assert!(offset + size <= SPAN_BYTES);
        // SAFETY: the span is not full, so the object lies within it.
        unsafe { self.0.cast::<u8>().add(offset) }
    }

    /// Takes an object back.
    ///
    /// # Safety
    /// It is one of this span's, of this size, and not used any more.
    #[inline]
    pub(super) unsafe fn put(self, object: NonNull<u8>, size: usize) {
        let header = self.header();
        if cfg!(debug_assertions) {
            // SAFETY: the caller gives up the object and its bytes.
            unsafe { object.write_bytes(FREED, size) };
        }
        // SAFETY: the object's first word is aligned, and nobody else uses it.
        unsafe { object.cast::<*mut u8>().write(header.free.get()) };
        header.free.set(object.as_ptr());
        header.used.set(header.used.get() - 1);
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the header was written by `new`, and handles are not used after the span is given up.
        unsafe { self.0.as_ref() }
    }
}

/// Spans in a list: those of a class that have room.
#[derive(Debug, Default)]
pub(super) struct List {
    first: Option<Span>,
}

impl List {
    pub(super) const fn new() -> List {
        List { first: None }
    }

    #[inline]
    pub(super) fn first(&self) -> Option<Span> {
        self.first
    }

    /// The spans, from the first on, as long as none is unlinked.
    pub(super) fn iter(&self) -> impl Iterator<Item = Span> {
        std::iter::successors(self.first, |span| span.header().next.get())
    }

    /// Adds a span that is in no list behind the first.
    pub(super) fn push_second(&mut self, span: Span) {
        let first = self.first;
        if let Some(first) = first {
            self.unlink(first);
        }
        self.push(span);
        if let Some(first) = first {
            self.push(first);
        }
    }

    /// Adds a span that is in no list.
    pub(super) fn push(&mut self, span: Span) {
        let header = span.header();
        header.previous.set(None);
        header.next.set(self.first);
        if let Some(second) = self.first {
            second.header().previous.set(Some(span));
        }
        self.first = Some(span);
    }

    /// Takes a span out of this list, in which it must be.
    pub(super) fn unlink(&mut self, span: Span) {
        let header = span.header();
        match header.previous.get() {
            Some(previous) => previous.header().next.set(header.next.get()),
            None => self.first = header.next.get(),
        }
        if let Some(next) = header.next.get() {
            next.header().previous.set(header.previous.get());
        }
    }
}

/// Panics where debug assertions are on if a free object was written to.
#[inline]
fn check_freed(object: NonNull<u8>, size: usize) {
    if cfg!(debug_assertions) {
        // SAFETY: `put` filled all of the object when it was freed.
        let bytes = unsafe { std::slice::from_raw_parts(object.as_ptr(), size) };
        assert!(bytes[8..].iter().all(|byte| *byte == FREED), "an entry was written to after it was freed");
    }
}
