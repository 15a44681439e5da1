//! Where locks and atomics of the engine come from: one place, so that a model checker's can be put in theirs.
//!
//! With `--cfg shuttle` they are shuttle's, whose scheduler decides at each of them which thread goes on.

#[cfg(not(shuttle))]
mod chosen {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use std::thread::yield_now;

    pub(crate) use parking_lot::{Mutex, RwLock};
}

#[cfg(shuttle)]
mod chosen {
    pub(crate) use shuttle::hint::spin_loop;
    pub(crate) use shuttle::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
    pub(crate) use shuttle::thread::yield_now;

    pub(crate) use shuttle_parking_lot::{Mutex, RwLock};
}

pub(crate) use chosen::*;
