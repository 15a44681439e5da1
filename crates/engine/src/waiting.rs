//! Whether a client waits within a request, and the one step in which somebody else ends that.
//!
//! Who postpones a request says so and then looks whether the pause is still in force; who ends the pause looks for those that
//! are postponed afterwards. With one order of all four steps (`SeqCst`), one of the two sees the other.

use crate::sync::{AtomicU32, Ordering};

/// How a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Waiting {
    /// It does not.
    No,
    /// For the end of CLIENT PAUSE.
    Postponed,
    /// In a blocking command, without an end.
    Blocked,
    /// In a blocking command, until a deadline at the latest.
    BlockedUntil,
    /// In a blocking command that CLIENT UNBLOCK has ended as if its time were over.
    TimedOut,
    /// In a blocking command that CLIENT UNBLOCK has ended with an error.
    Refused,
    /// In a blocking command for which somebody has done what it waited for.
    Served,
    /// Its connection has ended while it waited.
    Gone,
}

impl Waiting {
    /// Whether it waits in a blocking command whose end nobody has decided.
    #[must_use]
    pub fn is_blocked(self) -> bool {
        matches!(self, Waiting::Blocked | Waiting::BlockedUntil)
    }

    /// Whether somebody has decided how its waiting in a blocking command ends.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Waiting::TimedOut | Waiting::Refused | Waiting::Served | Waiting::Gone)
    }
}

/// How a client waits, as others see it and may change it.
#[derive(Debug)]
pub(crate) struct WaitState(AtomicU32);

impl WaitState {
    pub(crate) fn new() -> WaitState {
        WaitState(AtomicU32::new(Waiting::No as u32))
    }

    pub(crate) fn get(&self) -> Waiting {
        let number = self.0.load(Ordering::SeqCst);
        let all = [
            Waiting::No,
            Waiting::Postponed,
            Waiting::Blocked,
            Waiting::BlockedUntil,
            Waiting::TimedOut,
            Waiting::Refused,
            Waiting::Served,
            Waiting::Gone,
        ];
        all[number as usize]
    }

    pub(crate) fn set(&self, waiting: Waiting) {
        self.0.store(waiting as u32, Ordering::SeqCst);
    }

    /// Ends the waiting of a client in a blocking command; says whether it was in one. Of several that try, one succeeds.
    pub(crate) fn end(&self, by: Waiting) -> bool {
        [Waiting::Blocked, Waiting::BlockedUntil].into_iter().any(|from| {
            let (from, by) = (from as u32, by as u32);
            self.0.compare_exchange(from, by, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }
}
