//! Where mimalloc's memory comes from and goes to: huge pages without their pauses, and memory given back to the system by nobody who
//! is waited for.
//!
//! Memory in pages of 2 MiB saves a tenth of the processor time: a random key of a large keyspace costs one miss of the TLB less
//! or two. But the kernel clears a huge page when it is first touched, and whoever touches it waits, for milliseconds on a virtual
//! machine whose host has to find the memory first.
//!
//! So mimalloc is given a *reserve*: addresses for all of the machine's memory, without memory behind them, and a function that it
//! calls when it begins to use some of them. The reserve is divided into *granules* of 2 MiB, for which the kernel is told to use
//! small pages. When a granule is touched, a thread that does nothing else, the *follower*, makes the next one ready: it asks for a
//! huge page there and has it cleared. A worker that gets there first, because memory grows faster than pages can be cleared, finds
//! small pages as everybody does without huge ones, and does not wait, unless the follower is just then at work on that very
//! granule. Without huge pages (`disable-thp yes`) it only does what follows.
//!
//! What mimalloc gives back, a second after it became free, the system takes from the process page by page: some milliseconds for each
//! hundred MB. The follower sees to that, too. Until it comes to it the memory is *given*; who wants it again meanwhile just takes it.
//! A granule of which everything was given has small pages again.
//!
//! Ready memory that is not yet in use is resident: one granule for each place where memory grows, of which there are two or three
//! per worker (mimalloc keeps small and large objects apart). It is given back when memory has not grown for a second.

use std::ffi::c_void;
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::ptr::{self, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

use crate::background;

/// Bytes of a granule: a huge page of x86-64, and of other processors with small pages of 4 KiB.
const GRANULE: usize = 2 << 20;
/// Granules of one of mimalloc's chunks, within which it fills memory upwards.
const CHUNK: usize = 16;
/// Bytes of a slice, of which mimalloc takes and gives back one or several.
const SLICE: usize = 64 << 10;
/// Bytes of the arenas into which the reserve is divided: mimalloc's own notes on one of 16 GiB would not fit a chunk.
const ARENA: usize = 8 << 30;
/// Granules that must be in use before any is made ready: a small server stays small.
const SMALL: usize = 16;
/// How long memory must not have grown before what is ready is given back.
const PAUSE: Duration = Duration::from_secs(1);

/// `PR_THP_DISABLE_EXCEPT_ADVISED` of Linux 6.18.
const EXCEPT_ADVISED: libc::c_ulong = 1 << 1;

/// States of a granule, as bits. Some of it is in use.
const TOUCHED: u8 = 1;
/// It is a huge page, in use or not.
const READY: u8 = 2;
/// It was touched, and what comes next was made ready.
const FOLLOWED: u8 = 4;
/// It was ready for nothing and is being given back: whoever is about to use it waits.
const LEAVING: u8 = 8;
/// Some of its slices are given.
const HAS_GIVEN: u8 = 16;

/// States of a slice: nothing particular.
const KEPT: u8 = 0;
/// mimalloc has given it back, and the system has yet to take it.
const GIVEN: u8 = 1;
/// The system is taking it: whoever is about to use it waits.
const GOING: u8 = 2;

/// Which pages memory is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Those of the processor's smallest size.
    Small,
    /// Huge ones where they are ready in time.
    Huge,
}

static RESERVE: Reserve = Reserve::nothing();

/// Run before `main`, and so before anything is allocated: mimalloc fills its arenas in the order in which it got them.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = reserve;

struct Reserve {
    /// Address of the first granule.
    start: AtomicUsize,
    granules: AtomicUsize,
    /// A state for each granule.
    states: AtomicPtr<AtomicU8>,
    /// A state for each slice.
    slices: AtomicPtr<AtomicU8>,
    /// Granules are made ready.
    huge: AtomicBool,
    /// One more than the highest granule that was ever touched or ready.
    top: AtomicUsize,
    /// The follower may be waiting for a granule to be touched.
    asleep: AtomicBool,
    follower: OnceLock<Thread>,
}

type CommitFunction = extern "C" fn(bool, *mut c_void, usize, *mut bool, *mut c_void) -> bool;

unsafe extern "C" {
    fn mi_process_init();
    fn mi_manage_memory(
        start: *mut c_void,
        size: usize,
        is_committed: bool,
        is_pinned: bool,
        is_zero: bool,
        numa_node: i32,
        exclusive: bool,
        commit: CommitFunction,
        argument: *mut c_void,
        arena: *mut *mut c_void,
    ) -> bool;
}

/// Starts the follower, with huge pages or without.
pub(crate) fn use_pages(pages: Pages) -> io::Result<()> {
    if pages == Pages::Huge {
        // SAFETY: only sets a property of the process. It leaves huge pages to the addresses that ask for them; kernels before 6.18
        // do not know how, and where they give huge pages unasked, they do so to what mimalloc maps outside of the reserve.
        unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, EXCEPT_ADVISED, 0, 0) };
        RESERVE.huge.store(true, Ordering::Relaxed);
    } else if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::warn!("Huge pages cannot be disabled: {error}");
    }
    let follower = background::spawn("memory", || RESERVE.follow())?;
    let _ = RESERVE.follower.set(follower);
    Ok(())
}

/// Has the system take at once what mimalloc has given back.
pub(super) fn purge() {
    RESERVE.purge_given();
}

/// Gives mimalloc the reserve. Where that many addresses are not to be had, mimalloc asks the system for memory itself.
extern "C" fn reserve() {
    if addresses_are_counted() {
        return;
    }
    let memory = rustix::system::sysinfo();
    let machine = (memory.totalram as usize).saturating_mul(memory.mem_unit as usize);
    let chunk = CHUNK * GRANULE;
    let granules = machine.div_ceil(chunk) * CHUNK;
    let bytes = granules * GRANULE;
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
    let states = granules + bytes / SLICE;
    // SAFETY: a new mapping at an address of the kernel's choice. It is never unmapped.
    let Ok(mapping) = (unsafe { mmap_anonymous(null_mut(), bytes + chunk + states, access, flags) }) else {
        return;
    };
    let start = mapping.map_addr(|address| address.next_multiple_of(chunk));
    RESERVE.begin(start, granules, start.wrapping_byte_add(bytes).cast());
    // SAFETY: may be called at any time.
    unsafe { mi_process_init() };
    for offset in (0..bytes).step_by(ARENA) {
        let (start, size) = (start.wrapping_byte_add(offset), ARENA.min(bytes - offset));
        // SAFETY: the addresses are mimalloc's from here on.
        unsafe {
            mi_manage_memory(start, size, false, false, true, -1, false, committed, null_mut(), null_mut())
        };
    }
}

/// Whether the system lets processes have no more addresses than there is memory (`vm.overcommit_memory` is 2): then the reserve would
/// take from others what it does not use.
fn addresses_are_counted() -> bool {
    let mut mode = [0];
    let read = File::open("/proc/sys/vm/overcommit_memory").and_then(|mut file| file.read(&mut mode));
    read.is_ok() && mode == *b"2"
}

/// Called by mimalloc, on whichever thread allocates or frees, before it uses addresses of the reserve and after it has used
/// them. Must not allocate. Returns whether that was done.
extern "C" fn committed(commit: bool, start: *mut c_void, size: usize, _: *mut bool, _: *mut c_void) -> bool {
    if commit {
        RESERVE.taken(start, size);
        return true;
    }
    RESERVE.given_back(start, size)
}

/// Tells the kernel how memory will be used, in a way that does not change what is in it; true when it agreed.
fn advise(start: *mut c_void, size: usize, advice: Advice) -> bool {
    debug_assert!(!matches!(advice, Advice::LinuxDontNeed | Advice::LinuxFree));
    // SAFETY: contents stay.
    unsafe { madvise(start, size, advice) }.is_ok()
}

impl Reserve {
    const fn nothing() -> Reserve {
        Reserve {
            start: AtomicUsize::new(0),
            granules: AtomicUsize::new(0),
            states: AtomicPtr::new(null_mut()),
            slices: AtomicPtr::new(null_mut()),
            huge: AtomicBool::new(false),
            top: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            follower: OnceLock::new(),
        }
    }

    /// Takes over so many granules of addresses, and a zero for the state of each of them and then of each slice. None of this must
    /// ever be unmapped.
    fn begin(&self, start: *mut c_void, granules: usize, states: *mut AtomicU8) {
        advise(start, granules * GRANULE, Advice::LinuxNoHugepage);
        self.states.store(states, Ordering::Relaxed);
        self.slices.store(states.wrapping_add(granules), Ordering::Relaxed);
        self.granules.store(granules, Ordering::Relaxed);
        self.start.store(start.expose_provenance(), Ordering::Relaxed);
    }

    fn taken(&self, start: *mut c_void, size: usize) {
        self.keep(self.parts_of(start, size, SLICE));
        let touched = self.parts_of(start, size, GRANULE);
        let mut fresh = false;
        for granule in touched.clone() {
            let state = &self.states()[granule];
            let before = state.fetch_or(TOUCHED, Ordering::SeqCst);
            fresh |= before & TOUCHED == 0;
            while before & LEAVING != 0 && state.load(Ordering::SeqCst) & LEAVING != 0 {
                thread::yield_now();
            }
        }
        if fresh {
            self.top.fetch_max(touched.end, Ordering::SeqCst);
            self.wake();
        }
    }

    /// Takes slices back that were given; waits for those that are going.
    fn keep(&self, slices: Range<usize>) {
        for slice in &self.slices()[slices] {
            while slice.load(Ordering::SeqCst) != KEPT
                && slice.compare_exchange(GIVEN, KEPT, Ordering::SeqCst, Ordering::SeqCst).is_err()
            {
                thread::yield_now();
            }
        }
    }

    fn given_back(&self, start: *mut c_void, size: usize) -> bool {
        if self.follower.get().is_none() {
            // SAFETY: mimalloc does not use these addresses any more.
            return unsafe { madvise(start, size, Advice::LinuxDontNeed) }.is_ok();
        }
        self.slices()[self.parts_of(start, size, SLICE)]
            .iter()
            .for_each(|slice| slice.store(GIVEN, Ordering::SeqCst));
        self.states()[self.parts_of(start, size, GRANULE)].iter().for_each(|state| {
            state.fetch_or(HAS_GIVEN, Ordering::SeqCst);
        });
        self.wake();
        true
    }

    fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst)
            && let Some(follower) = self.follower.get()
        {
            follower.unpark();
        }
    }

    /// The life of the follower.
    fn follow(&self) {
        // What was touched before there was a follower stays in small pages.
        for state in self.used_states() {
            let touched = state.load(Ordering::Relaxed) & TOUCHED != 0;
            state.fetch_or(if touched { FOLLOWED } else { 0 }, Ordering::Relaxed);
        }
        loop {
            self.asleep.store(true, Ordering::SeqCst);
            if self.follow_touched() | self.purge_given() {
                continue;
            }
            thread::park_timeout(PAUSE);
            if self.asleep.load(Ordering::SeqCst) {
                self.give_back_ready();
                thread::park();
            }
        }
    }

    /// Makes ready what comes after the granules that were touched lately; false when there was none.
    fn follow_touched(&self) -> bool {
        if !self.huge.load(Ordering::Relaxed) {
            return false;
        }
        let states = self.used_states();
        let touched = |state: &&AtomicU8| state.load(Ordering::SeqCst) & TOUCHED != 0;
        if states.iter().filter(touched).count() <= SMALL {
            return false;
        }
        let mut any = false;
        for (granule, state) in states.iter().enumerate() {
            if state.load(Ordering::SeqCst) & (TOUCHED | FOLLOWED) == TOUCHED {
                any = true;
                state.fetch_or(FOLLOWED, Ordering::SeqCst);
                self.make_ready(self.after(granule));
            }
        }
        any
    }

    /// The granule that is likely to be touched after one: mimalloc fills a chunk, then takes the first that was never used.
    fn after(&self, granule: usize) -> usize {
        let next = granule + 1;
        if next.is_multiple_of(CHUNK) { self.used_states().len().next_multiple_of(CHUNK) } else { next }
    }

    fn make_ready(&self, granule: usize) {
        let Some(state) = self.states().get(granule) else { return };
        if state.load(Ordering::Relaxed) != 0 {
            return;
        }
        let start = self.granule(granule);
        if !advise(start, GRANULE, Advice::LinuxHugepage) {
            return;
        }
        if advise(start, GRANULE, Advice::LinuxPopulateWrite) {
            state.fetch_or(READY, Ordering::SeqCst);
            self.top.fetch_max(granule + 1, Ordering::SeqCst);
        } else {
            // A kernel before 5.14: whoever touched it would have to clear it.
            self.make_small(granule);
        }
    }

    /// Gives back what was made ready and is not in use.
    fn give_back_ready(&self) {
        for (granule, state) in self.used_states().iter().enumerate() {
            if state.compare_exchange(READY, LEAVING, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                self.make_small(granule);
                // SAFETY: nobody uses it before it has left.
                let _ = unsafe { madvise(self.granule(granule), GRANULE, Advice::LinuxDontNeed) };
                state.fetch_and(!LEAVING, Ordering::SeqCst);
            }
        }
    }

    /// Has the system take what was given; false when that was nothing.
    fn purge_given(&self) -> bool {
        let mut any = false;
        for (granule, state) in self.used_states().iter().enumerate() {
            if state.load(Ordering::SeqCst) & HAS_GIVEN != 0 {
                any = true;
                // Before its slices are looked at: one that is given meanwhile is met next time.
                state.fetch_and(!HAS_GIVEN, Ordering::SeqCst);
                self.purge(granule);
            }
        }
        any
    }

    /// Has the system take the slices of a granule that were given, those beside each other at once.
    fn purge(&self, granule: usize) {
        let first = granule * (GRANULE / SLICE);
        let slices = &self.slices()[first..first + GRANULE / SLICE];
        let claim = |slice: &AtomicU8| {
            slice.compare_exchange(GIVEN, GOING, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        };
        let mut next = 0;
        while next < slices.len() {
            let run = slices[next..].iter().take_while(|slice| claim(slice)).count();
            if run == slices.len() {
                // Nobody can be using any of it, or giving any of it back.
                let before = self.states()[granule].fetch_and(LEAVING, Ordering::SeqCst);
                if before & READY != 0 {
                    self.make_small(granule);
                }
            }
            if run > 0 {
                let start = self.granule(granule).wrapping_byte_add(next * SLICE);
                // SAFETY: who wants to use these addresses waits until they have gone.
                let _ = unsafe { madvise(start, run * SLICE, Advice::LinuxDontNeed) };
                slices[next..next + run].iter().for_each(|slice| slice.store(KEPT, Ordering::SeqCst));
            }
            next += run + 1;
        }
    }

    fn make_small(&self, granule: usize) {
        advise(self.granule(granule), GRANULE, Advice::LinuxNoHugepage);
    }

    /// The states of the granules up to the last that was ever used or ready.
    fn used_states(&self) -> &[AtomicU8] {
        &self.states()[..self.top.load(Ordering::SeqCst)]
    }

    fn states(&self) -> &[AtomicU8] {
        self.array(&self.states, 1)
    }

    fn slices(&self) -> &[AtomicU8] {
        self.array(&self.slices, GRANULE / SLICE)
    }

    /// States, so many for each granule.
    fn array(&self, states: &AtomicPtr<AtomicU8>, each: usize) -> &[AtomicU8] {
        match states.load(Ordering::Relaxed) {
            states if states.is_null() => &[],
            // SAFETY: as many bytes were mapped for good, and zero is a state.
            states => unsafe {
                &*ptr::slice_from_raw_parts(states, each * self.granules.load(Ordering::Relaxed))
            },
        }
    }

    fn granule(&self, granule: usize) -> *mut c_void {
        ptr::with_exposed_provenance_mut(self.start.load(Ordering::Relaxed) + granule * GRANULE)
    }

    /// The numbers of the granules or slices in which addresses lie.
    fn parts_of(&self, start: *mut c_void, size: usize, part: usize) -> Range<usize> {
        let offset = start.addr() - self.start.load(Ordering::Relaxed);
        offset / part..(offset + size).div_ceil(part)
    }
}

#[cfg(test)]
mod tests;
