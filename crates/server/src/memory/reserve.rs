//! Huge pages without their pauses.
//!
//! Memory in pages of 2 MiB saves a tenth of the processor time: a random key of a large keyspace costs one miss of the TLB less
//! or two. But the kernel clears a huge page when it is first touched, and whoever touches it waits, for milliseconds on a virtual
//! machine whose host has to find the memory first.
//!
//! So mimalloc is given a *reserve*: addresses for all of the machine's memory, without memory behind them, and a function that it
//! calls when it begins to use some of them. The reserve is divided into *granules* of 2 MiB, for which the kernel is told to use
//! small pages. When a granule is touched, a thread that does nothing else makes the next ones ready: it asks for a huge page there
//! and has it cleared. A worker that gets there first, because memory grows faster than pages can be cleared, finds small pages as
//! everybody does without huge ones, and does not wait. What mimalloc gives back becomes small pages again.
//!
//! Ready memory that is not yet in use is resident: one granule for each place where memory grows, of which there are two or three
//! per worker (mimalloc keeps small and large objects apart). It is given back when memory has not grown for a second.

use std::ffi::c_void;
use std::io;
use std::ops::Range;
use std::ptr::{self, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

/// Bytes of a granule: a huge page of x86-64, and of other processors with small pages of 4 KiB.
const GRANULE: usize = 2 << 20;
/// Granules of one of mimalloc's chunks, within which it fills memory upwards.
const CHUNK: usize = 16;
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

static RESERVE: Reserve = Reserve {
    start: AtomicUsize::new(0),
    granules: AtomicUsize::new(0),
    states: AtomicPtr::new(null_mut()),
    top: AtomicUsize::new(0),
    asleep: AtomicBool::new(false),
    follower: OnceLock::new(),
};

/// Run before `main`, and so before anything is allocated: mimalloc fills its arenas in the order in which it got them.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = reserve;

struct Reserve {
    /// Address of the first granule.
    start: AtomicUsize,
    granules: AtomicUsize,
    states: AtomicPtr<AtomicU8>,
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

/// Starts the thread that makes huge pages ready. Without it memory is in small pages.
pub(crate) fn use_huge_pages() -> io::Result<()> {
    // SAFETY: only sets a property of the process. It leaves huge pages to the addresses that ask for them; kernels before 6.18
    // do not know how, and where they give huge pages unasked, they do so to what mimalloc maps outside of the reserve.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, EXCEPT_ADVISED, 0, 0) };
    let thread = thread::Builder::new().name("pages".to_owned()).spawn(|| RESERVE.follow())?;
    let _ = RESERVE.follower.set(thread.thread().clone());
    Ok(())
}

/// Gives mimalloc the reserve. Where that many addresses are not to be had, mimalloc asks the system for memory itself.
extern "C" fn reserve() {
    let memory = rustix::system::sysinfo();
    let machine = (memory.totalram as usize).saturating_mul(memory.mem_unit as usize);
    let chunk = CHUNK * GRANULE;
    let granules = machine.div_ceil(chunk) * CHUNK;
    let bytes = granules * GRANULE;
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
    // SAFETY: a new mapping at an address of the kernel's choice. It is never unmapped.
    let Ok(mapping) = (unsafe { mmap_anonymous(null_mut(), bytes + chunk + granules, access, flags) }) else {
        return;
    };
    let start = mapping.map_addr(|address| address.next_multiple_of(chunk));
    let states = start.wrapping_byte_add(bytes);
    advise(start, bytes, Advice::LinuxNoHugepage);
    RESERVE.states.store(states.cast(), Ordering::Relaxed);
    RESERVE.granules.store(granules, Ordering::Relaxed);
    RESERVE.start.store(start.expose_provenance(), Ordering::Relaxed);
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
    fn taken(&self, start: *mut c_void, size: usize) {
        let touched = self.granules_of(start, size);
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
            if self.asleep.swap(false, Ordering::SeqCst)
                && let Some(follower) = self.follower.get()
            {
                follower.unpark();
            }
        }
    }

    fn given_back(&self, start: *mut c_void, size: usize) -> bool {
        let whole = self.whole_granules_of(start, size);
        for granule in whole {
            // All of it belongs to the caller, so that nobody else touches it meanwhile.
            if self.states()[granule].swap(0, Ordering::Relaxed) & READY != 0 {
                self.make_small(granule);
            }
        }
        // SAFETY: mimalloc does not use these addresses any more, and will find zeros there.
        unsafe { madvise(start, size, Advice::LinuxDontNeed) }.is_ok()
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
            if self.follow_touched() {
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
        let (mut any, mut in_use) = (false, 0);
        for (granule, state) in self.used_states().iter().enumerate() {
            let bits = state.load(Ordering::SeqCst);
            in_use += usize::from(bits & TOUCHED != 0);
            if in_use > SMALL && bits & (TOUCHED | FOLLOWED) == TOUCHED {
                any = true;
                state.fetch_or(FOLLOWED, Ordering::Relaxed);
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
        if advise(start, GRANULE, Advice::LinuxHugepage) && advise(start, GRANULE, Advice::LinuxPopulateWrite)
        {
            state.fetch_or(READY, Ordering::Relaxed);
            self.top.fetch_max(granule + 1, Ordering::SeqCst);
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

    fn make_small(&self, granule: usize) {
        advise(self.granule(granule), GRANULE, Advice::LinuxNoHugepage);
    }

    /// The states of the granules up to the last that was ever used or ready.
    fn used_states(&self) -> &[AtomicU8] {
        &self.states()[..self.top.load(Ordering::SeqCst)]
    }

    fn states(&self) -> &[AtomicU8] {
        // SAFETY: as many bytes were mapped for good, and zero is a state. Before that there are none.
        unsafe {
            match self.states.load(Ordering::Relaxed) {
                states if states.is_null() => &[],
                states => &*ptr::slice_from_raw_parts(states, self.granules.load(Ordering::Relaxed)),
            }
        }
    }

    fn granule(&self, granule: usize) -> *mut c_void {
        ptr::with_exposed_provenance_mut(self.start.load(Ordering::Relaxed) + granule * GRANULE)
    }

    fn granules_of(&self, start: *mut c_void, size: usize) -> Range<usize> {
        let offset = start.addr() - self.start.load(Ordering::Relaxed);
        offset / GRANULE..(offset + size).div_ceil(GRANULE)
    }

    fn whole_granules_of(&self, start: *mut c_void, size: usize) -> Range<usize> {
        let offset = start.addr() - self.start.load(Ordering::Relaxed);
        offset.div_ceil(GRANULE)..(offset + size) / GRANULE
    }
}
