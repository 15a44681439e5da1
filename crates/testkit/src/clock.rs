//! The clock of a node in process, and the rest of what the engine asks of a process.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use larder_config::Settings;
use larder_engine::{Host, Time};
use larder_store::UnixMillis;

/// What the clock shows at first: a day in late 2025, so that times given absolutely lie in the past or the future as they do for
/// a real server.
const START: UnixMillis = UnixMillis(1_764_000_000_000);

/// A clock that stands still until the test moves it.
#[derive(Debug)]
pub struct Clock {
    now: AtomicI64,
    /// What readings have moved the steady clock on by so far.
    read_nanos: AtomicU64,
    /// What one reading moves it on by: a nanosecond, so that no two are equal, or as the test says.
    reading_nanos: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        Clock {
            now: AtomicI64::new(START.0),
            read_nanos: AtomicU64::new(0),
            reading_nanos: AtomicU64::new(1),
        }
    }
}

impl Clock {
    /// What it shows.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        UnixMillis(self.now.load(Ordering::SeqCst))
    }

    /// Moves it on.
    pub fn advance(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// Lets the steady clock move on by so much with each reading from now on: whatever looks at it between two steps of its work
    /// takes each step for that long.
    pub fn set_reading_nanos(&self, nanos: u64) {
        self.reading_nanos.store(nanos, Ordering::SeqCst);
    }

    /// Moves it on to a moment, unless that has passed.
    pub fn advance_to(&self, moment: UnixMillis) {
        self.now.fetch_max(moment.0, Ordering::SeqCst);
    }
}

impl Host for Clock {
    fn time(&self) -> Time {
        let now = self.now();
        let reading_nanos = self.reading_nanos.load(Ordering::SeqCst);
        let read_nanos = self.read_nanos.fetch_add(reading_nanos, Ordering::SeqCst);
        let nanos = (now.0 - START.0).unsigned_abs().saturating_mul(1_000_000);
        Time { now, nanos: nanos.saturating_add(read_nanos) }
    }

    fn shut_down(&self) {}

    fn apply(&self, _settings: &mut Settings) -> Result<(), String> {
        Ok(())
    }

    fn rewrite_file(&self, path: &str, _change: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<(), String> {
        Err(format!("there is no {path} in a node without a process"))
    }

    fn used_memory(&self) -> u64 {
        1 << 20
    }

    fn peak_memory(&self) -> u64 {
        1 << 20
    }

    fn resident_memory(&self) -> u64 {
        1 << 21
    }

    fn cpu_seconds(&self) -> (f64, f64) {
        (0.0, 0.0)
    }

    fn sleep_until(&self, until: UnixMillis) {
        self.advance_to(until);
    }
}
