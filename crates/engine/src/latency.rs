//! What took longer than `latency-monitor-threshold`: for each kind of happening its last 160 samples (LATENCY).
//!
//! While the directive is 0 nothing comes here. A sample is a second and the longest time within it.

use std::collections::BTreeMap;

use larder_config::Settings;
use larder_store::UnixMillis;

use crate::sync::Mutex;

/// Samples that are kept of each kind.
pub const SAMPLES_MAX: usize = 160;

/// What may take long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// A command.
    Command,
    /// A command that is to take constant or logarithmic time.
    FastCommand,
    /// A turn of removing keys whose time has come.
    ExpireCycle,
    /// A turn of evicting keys.
    EvictionCycle,
}

impl Happening {
    const ALL: [(Happening, &'static str); 4] = [
        (Happening::Command, "command"),
        (Happening::FastCommand, "fast-command"),
        (Happening::ExpireCycle, "expire-cycle"),
        (Happening::EvictionCycle, "eviction-cycle"),
    ];

    /// The name that LATENCY uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        Happening::ALL[self as usize].1
    }

    /// The happening of a name; case does not matter.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Happening> {
        let named = |entry: &&(Happening, &str)| entry.1.as_bytes().eq_ignore_ascii_case(name);
        Happening::ALL.iter().find(named).map(|entry| entry.0)
    }
}

/// The longest time within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencySample {
    /// Seconds since 1970.
    pub second: i64,
    /// Milliseconds that it took.
    pub millis: u64,
}

/// What is kept of one kind of happening.
#[derive(Clone, Debug, Default)]
pub struct LatencySeries {
    /// The oldest first.
    pub samples: std::collections::VecDeque<LatencySample>,
    /// The longest that was ever seen, in milliseconds.
    pub max_millis: u64,
}

/// The series of a node; see the module's documentation.
#[derive(Debug, Default)]
pub struct LatencyMonitor(Mutex<BTreeMap<Happening, LatencySeries>>);

/// Nanoseconds from which on something is kept; `None` while nothing is.
pub(crate) fn threshold_nanos(settings: &Settings) -> Option<u64> {
    let millis = settings.latency_monitor_threshold;
    (millis > 0).then(|| millis.saturating_mul(1_000_000))
}

impl LatencyMonitor {
    /// Keeps a happening if it took long enough.
    pub(crate) fn note(&self, happening: Happening, nanos: u64, now: UnixMillis, settings: &Settings) {
        if threshold_nanos(settings).is_none_or(|threshold| nanos < threshold) {
            return;
        }
        let sample = LatencySample { second: now.0 / 1000, millis: nanos / 1_000_000 };
        let mut all = self.0.lock();
        let series = all.entry(happening).or_default();
        series.max_millis = series.max_millis.max(sample.millis);
        match series.samples.back_mut() {
            Some(last) if last.second == sample.second => last.millis = last.millis.max(sample.millis),
            _ => {
                if series.samples.len() == SAMPLES_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(sample);
            }
        }
    }

    /// All series, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(Happening, LatencySeries)> {
        self.0.lock().iter().map(|(happening, series)| (*happening, series.clone())).collect()
    }

    /// The series of one kind of happening, if there is one.
    #[must_use]
    pub fn find(&self, happening: Happening) -> Option<LatencySeries> {
        self.0.lock().get(&happening).cloned()
    }

    /// Forgets series: those of these kinds, or all. Returns how many there were.
    pub fn reset(&self, happenings: Option<&[Happening]>) -> usize {
        let mut all = self.0.lock();
        let before = all.len();
        all.retain(|happening, _| happenings.is_some_and(|named| !named.contains(happening)));
        before - all.len()
    }
}
