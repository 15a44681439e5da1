//! How fast a snapshot is written, and what it may cost in memory.

use std::time::Duration;

/// What is let pass between two keys (directives `rdb-key-save-delay` and `key-load-delay`).
#[derive(Debug)]
pub(crate) struct Pace {
    delay: Duration,
    /// So many keys are written at once.
    keys: u32,
    written: u32,
}

impl Pace {
    /// Microseconds after each key; below 0, one after so many keys.
    pub(crate) fn new(directive: i32) -> Pace {
        let delay = if directive < 0 { 1 } else { directive.unsigned_abs() };
        let keys = if directive < 0 { directive.unsigned_abs() } else { 1 };
        Pace { delay: Duration::from_micros(delay.into()), keys, written: 0 }
    }

    /// How long to wait after one more key.
    pub(crate) fn after_key(&mut self) -> Duration {
        self.written += 1;
        if self.written < self.keys {
            return Duration::ZERO;
        }
        self.written = 0;
        self.delay
    }
}

/// How many bytes of pre-images may wait to be written.
///
/// They are written before anything else. So they pile up only where keys are changed faster than the disk takes them, each key once
/// at most: without an end they would take what all keys took at the cut, as the pages do that a forked process makes copied. Who
/// changes keys is never held up. Rather, beyond the first bound nothing waits by design any more, and beyond the second there is no
/// snapshot: it fails, and what is kept for it is freed at once.
///
/// Not counted is what views keep from being freed: of a large collection that is changed all over, twice its memory may be in use
/// until it is written. Nor are databases that were emptied; they are freed later than they might be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    waiting: u64,
    all: u64,
}

impl Bounds {
    /// For a process that uses so many bytes of memory. The first bound is what snapshots are to cost at most, a twentieth, and the
    /// second half of all; where little is used, what no machine misses.
    pub(super) fn of(used_memory: u64) -> Bounds {
        Bounds { waiting: (used_memory / 20).max(64 << 20), all: (used_memory / 2).max(256 << 20) }
    }

    /// Whether whoever writes may wait a while with so many bytes there.
    pub(super) fn permit_waiting(self, preserved: u64) -> bool {
        preserved <= self.waiting
    }

    /// Says what is wrong if they are too many.
    pub(super) fn check(self, preserved: u64) -> Result<(), String> {
        if preserved <= self.all {
            return Ok(());
        }
        let (preserved, all) = (preserved >> 20, self.all >> 20);
        Err(format!(
            "keys are changed faster than they can be written: {preserved} MiB of them are kept as they were, and {all} MiB is the limit"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directive_is_of_each_key_or_of_several() {
        let micros = |directive, keys: usize| {
            let mut pace = Pace::new(directive);
            (0..keys).map(|_| pace.after_key().as_micros()).collect::<Vec<_>>()
        };
        assert_eq!(micros(0, 2), [0, 0]);
        assert_eq!(micros(200, 3), [200, 200, 200]);
        assert_eq!(micros(-3, 7), [0, 0, 1, 0, 0, 1, 0]);
        assert_eq!(micros(i32::MIN, 1), [0]);
    }

    #[test]
    fn the_bounds_grow_with_what_is_used() {
        let (small, large) = (Bounds::of(1 << 20), Bounds::of(100 << 30));
        assert!(small.permit_waiting(64 << 20) && !small.permit_waiting((64 << 20) + 1));
        assert!(large.permit_waiting(5 << 30) && !large.permit_waiting(6 << 30));
        assert!(small.check(256 << 20).is_ok() && large.check(50 << 30).is_ok());
        let told = small.check(300 << 20).expect_err("too much");
        assert!(told.contains("300 MiB") && told.contains("256 MiB"), "{told}");
    }
}
