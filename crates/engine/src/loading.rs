//! While a node reads what is on disk: who asks for keys is told to come again, and how far it has come.

use larder_store::UnixMillis;

use crate::error::CommandError;
use crate::sync::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// What a client is told that asks for keys.
pub(crate) const LOADING: CommandError = CommandError::line("LOADING Redis is loading the dataset in memory");

/// See the module's documentation. Only one thread changes it, the one that reads.
#[derive(Debug, Default)]
pub struct Loading {
    active: AtomicBool,
    began_at: AtomicI64,
    loaded: AtomicU64,
    total: AtomicU64,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadingReport {
    /// When it began.
    pub began_at: UnixMillis,
    /// Bytes of the files that are read.
    pub loaded_bytes: u64,
    /// All their bytes.
    pub total_bytes: u64,
    /// How much of all that is, in percent.
    pub percent: f64,
    /// Seconds that the rest takes, if it takes as long as what came before.
    pub eta_seconds: u64,
}

impl Loading {
    /// Whether keys are being read. Until they are, nothing else is to change any: none expires, none is evicted.
    #[inline]
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// Begins.
    pub fn begin(&self, now: UnixMillis) {
        self.began_at.store(now.0, Ordering::Relaxed);
        self.active.store(true, Ordering::Release);
    }

    /// Takes over how many bytes there are to be read.
    pub fn expect(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }

    /// Counts bytes that were read.
    pub fn advance(&self, bytes: u64) {
        self.loaded.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Ends: from now on keys are served.
    pub fn end(&self) {
        self.active.store(false, Ordering::Release);
    }

    /// How far it has come; none while nothing is read.
    #[must_use]
    pub fn report(&self, now: UnixMillis) -> Option<LoadingReport> {
        if !self.is_active() {
            return None;
        }
        let began_at = UnixMillis(self.began_at.load(Ordering::Relaxed));
        let (loaded, total) = (self.loaded.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let share = if total == 0 { 0.0 } else { loaded as f64 / total as f64 };
        let elapsed = now.saturating_millis_since(began_at).max(0) as u64;
        let left = u128::from(elapsed) * u128::from(total.saturating_sub(loaded));
        let eta = left / (u128::from(loaded) + 1) / 1000;
        Some(LoadingReport {
            began_at,
            loaded_bytes: loaded,
            total_bytes: total,
            percent: 100.0 * share,
            eta_seconds: u64::try_from(eta).unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_reckoned_from_bytes_and_time() {
        let loading = Loading::default();
        assert_eq!(loading.report(UnixMillis(0)), None);
        loading.begin(UnixMillis(1000));
        assert_eq!(loading.report(UnixMillis(1000)).map(|report| report.percent), Some(0.0));
        loading.expect(4000);
        loading.advance(999);
        let report = loading.report(UnixMillis(11_000)).expect("it has begun");
        assert_eq!((report.loaded_bytes, report.total_bytes, report.eta_seconds), (999, 4000, 30));
        loading.end();
        assert_eq!(loading.report(UnixMillis(12_000)), None);
    }
}
