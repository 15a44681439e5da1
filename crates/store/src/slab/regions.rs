//! Where spans come from: regions of several, taken from the global allocator and given back to it whole.
//!
//! A region costs the global allocator one aligned allocation, of which it may have to leave up to a span unused for the sake
//! of the alignment; memory that is not touched is not resident. mimalloc maps blocks of such an alignment by themselves and
//! not within its arenas, for which it asks for huge pages: a region is made of small pages unless the system gives huge ones
//! unasked. That saves what the partly used spans of all classes would take in whole huge pages, and costs misses of the TLB:
//! 1.3 to 1.7 times the time of an overwrite where entries are read at random without prefetching (`crates/store/benches/entry.rs`), nothing
//! that could be measured in a server, which prefetches. One free region is kept, so that a keyspace that breathes does not ask
//! for it and return it all the time. Spans are taken from the region with the lowest number that has one, so that the last
//! regions have a chance to become free.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::collections::BTreeSet;
use std::ptr::NonNull;

use super::SPAN_BYTES;
use super::span::Span;

/// Spans of a region. With the room for its alignment it takes 4 MiB of addresses. The global allocator may map each region by
/// itself, and Linux allows a process 65,530 mappings: at this size they do for 200 GiB.
pub(super) const REGION_SPANS: usize = 14;
/// Bytes of a region: one of mimalloc's size classes.
pub(super) const REGION_BYTES: usize = REGION_SPANS * SPAN_BYTES;
const LAYOUT: Layout = match Layout::from_size_align(REGION_BYTES, SPAN_BYTES) {
    Ok(layout) => layout,
    Err(_) => panic!("the alignment is a power of two"),
};
const ALL_FREE: u16 = (1 << REGION_SPANS) - 1;

/// All regions of a slab.
#[derive(Debug)]
pub(super) struct Regions {
    regions: Vec<Region>,
    /// Regions with free spans.
    roomy: BTreeSet<u32>,
    /// Regions with free spans that may hold memory.
    soiled: BTreeSet<u32>,
    /// Numbers not in use.
    vacant: Vec<u32>,
    /// Regions held, and those of them that are wholly free.
    held: usize,
    idle: usize,
}

#[derive(Debug)]
struct Region {
    start: Option<NonNull<u8>>,
    /// A bit for each span that is free.
    free: u16,
    /// A bit for each of those that may hold memory: they were used since they were new or discarded.
    soiled: u16,
}

// SAFETY: a region is plain memory, reached only through `Regions` and the spans that it has given away.
unsafe impl Send for Region {}

/// A region to be given back to the global allocator, by dropping it: after all locks are released.
#[derive(Debug)]
pub(super) struct Returned(NonNull<u8>);

/// A free span that somebody else has for the moment.
#[derive(Debug)]
pub(super) struct Lent {
    start: NonNull<u8>,
    number: u32,
    index: usize,
}

impl Lent {
    /// Where it begins; its length is that of a span.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Regions {
    pub(super) const fn new() -> Regions {
        Regions {
            regions: Vec::new(),
            roomy: BTreeSet::new(),
            soiled: BTreeSet::new(),
            vacant: Vec::new(),
            held: 0,
            idle: 0,
        }
    }

    /// Number of regions held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// An empty span for an arena.
    pub(super) fn take(&mut self, arena: u32) -> Span {
        let number = self.roomy.first().copied().unwrap_or_else(|| self.add());
        let index = self.regions[number as usize].free.trailing_zeros() as usize;
        let lent = self.lend(number, index);
        // SAFETY: nobody uses what was lent, and its bit is set again only when it is given up.
        unsafe { Span::new(lent.start, number, arena) }
    }

    /// A free span that may hold memory, which is not given to anybody before it is taken back.
    pub(super) fn lend_soiled(&mut self) -> Option<Lent> {
        let number = self.soiled.first().copied()?;
        let index = self.regions[number as usize].soiled.trailing_zeros() as usize;
        Some(self.lend(number, index))
    }

    fn lend(&mut self, number: u32, index: usize) -> Lent {
        let region = &mut self.regions[number as usize];
        if region.free == ALL_FREE {
            self.idle -= 1;
        }
        region.free &= !(1 << index);
        region.soiled &= !(1 << index);
        if region.free == 0 {
            self.roomy.remove(&number);
        }
        if region.soiled == 0 {
            self.soiled.remove(&number);
        }
        let start = region.start.expect("a region with free spans has memory");
        // SAFETY: the index is below the region's number of spans.
        Lent { start: unsafe { start.add(index * SPAN_BYTES) }, number, index }
    }

    /// Takes back a span whose objects are all free. No handle to it may be used afterwards.
    pub(super) fn give(&mut self, span: Span) -> Option<Returned> {
        let number = span.region();
        let region = &mut self.regions[number as usize];
        let first = region.start.expect("a region that has given a span away has memory");
        let start = span.start();
        let index = (start.addr().get() - first.addr().get()) / SPAN_BYTES;
        region.soiled |= 1 << index;
        self.soiled.insert(number);
        self.take_back(Lent { start, number, index })
    }

    /// Takes back what was lent, of which nobody uses anything.
    pub(super) fn take_back(&mut self, lent: Lent) -> Option<Returned> {
        let Lent { number, index, .. } = lent;
        let region = &mut self.regions[number as usize];
        let start = region.start.expect("a region that has lent a span has memory");
        region.free |= 1 << index;
        self.roomy.insert(number);
        if region.free != ALL_FREE {
            return None;
        }
        if self.idle == 0 {
            self.idle = 1;
            return None;
        }
        region.start = None;
        region.free = 0;
        region.soiled = 0;
        self.roomy.remove(&number);
        self.soiled.remove(&number);
        self.vacant.push(number);
        self.held -= 1;
        Some(Returned(start))
    }

    /// A new region, wholly free.
    fn add(&mut self) -> u32 {
        let number = self.vacant.pop().unwrap_or_else(|| {
            self.regions.push(Region { start: None, free: 0, soiled: 0 });
            u32::try_from(self.regions.len() - 1).expect("four billion regions")
        });
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc(LAYOUT) };
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(LAYOUT));
        self.regions[number as usize] = Region { start: Some(start), free: ALL_FREE, soiled: 0 };
        self.roomy.insert(number);
        self.held += 1;
        self.idle += 1;
        number
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        for region in &self.regions {
            let unused = region.start.is_none() || region.free == ALL_FREE;
            debug_assert!(unused || std::thread::panicking(), "an object outlives its slab");
            drop(region.start.map(Returned));
        }
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        // SAFETY: allocated by `add` with this layout; all spans are free, and the region is forgotten.
        unsafe { dealloc(self.0.as_ptr(), LAYOUT) }
    }
}
