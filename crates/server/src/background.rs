//! Threads that work behind the workers' backs.
#![expect(unsafe_code, reason = "one system call that no crate offers")]

use std::io;
use std::thread::{self, Thread};

use rustix::process::getpriority_process;

/// How long such a thread may keep a worker from a processor that they share, in nanoseconds: the shortest time that the kernel permits.
/// It gets no less of the processor for it.
const SLICE_NANOS: u64 = 100_000;

/// The kernel's `struct sched_attr`, as of Linux 5.3.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_nanos: u64,
    deadline_nanos: u64,
    period_nanos: u64,
    utilization_min: u32,
    utilization_max: u32,
}

/// Starts a thread.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        take_short_turns();
        work();
    })?;
    Ok(thread.thread().clone())
}

/// Has the calling thread let others have the processor soon. Kernels before 6.12 do not know how, and give turns of milliseconds.
pub(crate) fn take_short_turns() {
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        flags: 0,
        nice: getpriority_process(None).unwrap_or(0),
        priority: 0,
        runtime_nanos: SLICE_NANOS,
        deadline_nanos: 0,
        period_nanos: 0,
        utilization_min: 0,
        utilization_max: 0,
    };
    // SAFETY: the kernel reads as many bytes as `size` says, all of which are there.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}
