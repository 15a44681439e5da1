//! The largest of what was seen within the last seconds, for INFO's `client_recent_max_*`.
//!
//! A worker raises its own peaks where a buffer grows at all; once a tenth of a second they are collected into the present of
//! eight slots, each of which stands for a second.

use crate::sync::{AtomicU64, Mutex, Ordering};

/// Seconds that are remembered.
const SLOTS: usize = 8;
/// Collections within a second.
const PER_SLOT: usize = 10;

/// The largest number since it was last collected. One worker raises it.
#[derive(Debug, Default)]
pub struct Peak(AtomicU64);

impl Peak {
    /// Raises it to a number, if it is lower.
    #[inline]
    pub fn raise(&self, to: usize) {
        if self.0.load(Ordering::Relaxed) < to as u64 {
            self.0.store(to as u64, Ordering::Relaxed);
        }
    }

    /// The largest number since it was last collected.
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes it down to 0. A worker that raises it at this moment may be missed until it does so again.
    pub(crate) fn take(&self) -> u64 {
        if self.0.load(Ordering::Relaxed) == 0 { 0 } else { self.0.swap(0, Ordering::Relaxed) }
    }
}

/// The peaks of the last seconds: of input and of output.
#[derive(Debug, Default)]
pub(crate) struct RecentPeaks(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    collections: usize,
    slots: [(u64, u64); SLOTS],
}

impl RecentPeaks {
    /// Adds what was seen since the last call; to be called ten times a second.
    pub(crate) fn collect(&self, input: u64, output: u64) {
        let mut slots = self.0.lock();
        slots.collections += 1;
        let present = slots.collections / PER_SLOT % SLOTS;
        if slots.collections.is_multiple_of(PER_SLOT) {
            slots.slots[present] = (0, 0);
        }
        let slot = &mut slots.slots[present];
        *slot = (slot.0.max(input), slot.1.max(output));
    }

    /// The longest input and the longest output of the last seconds.
    pub(crate) fn longest(&self) -> (u64, u64) {
        let slots = self.0.lock().slots;
        slots.iter().fold((0, 0), |longest, slot| (longest.0.max(slot.0), longest.1.max(slot.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_forgotten_after_some_seconds() {
        let (peak, recent) = (Peak::default(), RecentPeaks::default());
        peak.raise(7);
        peak.raise(3);
        recent.collect(peak.take(), 5);
        assert_eq!(peak.take(), 0);
        for _ in 0..SLOTS * PER_SLOT - PER_SLOT {
            recent.collect(0, 0);
            assert_eq!(recent.longest(), (7, 5));
        }
        for _ in 0..PER_SLOT {
            recent.collect(0, 0);
        }
        assert_eq!(recent.longest(), (0, 0));
    }
}
