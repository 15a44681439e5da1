//! The safepoint: how one worker gets the keyspace to itself without a thousand mutexes.
//!
//! Every worker says that it is running before it touches the keyspace and that it is not once the batch is done: one store and
//! one load per batch. Who wants everything sets a flag and waits until no other worker runs; a worker that finds the flag set
//! does not start, and tries again in its next turn. Only one worker can set the flag; a second one gets a refusal and backs
//! off like from a stripe in use, so two of them cannot wait for each other.

use crate::sync::{AtomicBool, AtomicUsize, Ordering, spin_loop, yield_now};

/// Nobody wants everything.
const FREE: usize = 0;
/// How often a running worker is looked at before it is given this worker's processor, which it may lack: some microseconds.
const SPINS: u32 = 1000;

/// See the module's documentation.
#[derive(Debug)]
pub struct Safepoint {
    running: Box<[Flag]>,
    /// One more than the number of the worker that has, or is about to get, the keyspace to itself.
    owner: AtomicUsize,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Flag(AtomicBool);

/// While it lives, its worker may touch the keyspace, stripe by stripe.
#[derive(Debug)]
pub struct Running<'a> {
    safepoint: &'a Safepoint,
    worker: usize,
}

/// While it lives, no other worker touches the keyspace.
#[derive(Debug)]
pub struct Exclusive<'a> {
    /// None when the same worker has the keyspace to itself for longer than this.
    safepoint: Option<&'a Safepoint>,
}

impl Safepoint {
    /// For so many workers.
    #[must_use]
    pub fn new(workers: usize) -> Safepoint {
        Safepoint { running: (0..workers).map(|_| Flag::default()).collect(), owner: AtomicUsize::new(FREE) }
    }

    /// Starts a batch, unless somebody has the keyspace to itself.
    #[inline]
    #[must_use]
    pub fn enter(&self, worker: usize) -> Option<Running<'_>> {
        let flag = &self.running[worker].0;
        // The store must be seen before the load: with the mirror image in `exclusive`, at least one side sees the other.
        flag.store(true, Ordering::SeqCst);
        if self.owner.load(Ordering::SeqCst) == FREE {
            return Some(Running { safepoint: self, worker });
        }
        flag.store(false, Ordering::Release);
        None
    }
}

impl Running<'_> {
    /// The worker's number.
    #[must_use]
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// Waits until no other worker runs, for as long as their present batches take; `None` when another worker was first. A worker that
    /// has the keyspace to itself gets it once more at once.
    #[must_use]
    pub fn exclusive(&self) -> Option<Exclusive<'_>> {
        let safepoint = self.safepoint;
        let claim = self.worker + 1;
        match safepoint.owner.compare_exchange(FREE, claim, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => {}
            Err(owner) if owner == claim => return Some(Exclusive { safepoint: None }),
            Err(_) => return None,
        }
        for (worker, flag) in safepoint.running.iter().enumerate() {
            let mut spins = 0;
            while worker != self.worker && flag.0.load(Ordering::SeqCst) {
                spins += 1;
                if spins % SPINS == 0 { yield_now() } else { spin_loop() }
            }
        }
        Some(Exclusive { safepoint: Some(safepoint) })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.safepoint.running[self.worker].0.store(false, Ordering::Release);
    }
}

impl Drop for Exclusive<'_> {
    fn drop(&mut self) {
        if let Some(safepoint) = self.safepoint {
            safepoint.owner.store(FREE, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_enters_while_one_has_everything() {
        let safepoint = Safepoint::new(2);
        let first = safepoint.enter(0).expect("free");
        let exclusive = first.exclusive().expect("nobody else runs");
        drop(first.exclusive().expect("it has everything already"));
        assert!(safepoint.enter(1).is_none());
        drop(exclusive);
        let second = safepoint.enter(1).expect("free again");
        drop(second);
        assert!(first.exclusive().is_some());
    }

    #[test]
    fn exclusive_sections_do_not_overlap_with_others() {
        let safepoint = Safepoint::new(2);
        let inside = AtomicUsize::new(0);
        let work = |worker: usize| {
            let (mut rounds, mut own) = (0, 0);
            while rounds < 20_000 {
                let Some(running) = safepoint.enter(worker) else { continue };
                rounds += 1;
                if rounds % 16 == worker
                    && let Some(_exclusive) = running.exclusive()
                {
                    assert_eq!(inside.load(Ordering::SeqCst), 0, "somebody else is at work");
                    own += 1;
                    continue;
                }
                inside.fetch_add(1, Ordering::SeqCst);
                inside.fetch_sub(1, Ordering::SeqCst);
            }
            own
        };
        let total: usize = std::thread::scope(|scope| {
            let threads = [scope.spawn(|| work(0)), scope.spawn(|| work(1))];
            threads.into_iter().map(|thread| thread.join().expect("no assertion failed")).sum()
        });
        assert!(total > 0);
    }
}
