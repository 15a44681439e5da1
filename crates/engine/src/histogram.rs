//! How long things took: counts in buckets that widen with the value, for percentiles.
//!
//! Values are nanoseconds. Up to 32 each has a bucket of its own; above, each power of two is cut into 32 buckets, so a bucket is
//! never wider than a thirty-second of its values. The last one takes whatever is longer than 17 seconds. A histogram that was
//! never written to owns no memory; one that was takes 8 KiB.

use std::sync::OnceLock;

use crate::stats::Counter;

/// Buckets per power of two, as an exponent.
const FINE_BITS: u32 = 5;
const FINE: usize = 1 << FINE_BITS;
/// Values of this many bits and more are counted as the largest one below.
const VALUE_BITS: u32 = 34;
const BUCKETS: usize = (VALUE_BITS - FINE_BITS + 1) as usize * FINE;

/// One worker's counts; see the module's documentation.
#[derive(Debug, Default)]
pub struct Histogram(OnceLock<Box<[Counter]>>);

impl Histogram {
    /// Counts a value so many times; only the worker that owns the histogram may.
    #[inline]
    pub fn record(&self, nanos: u64, times: u64) {
        let counts = self.0.get_or_init(|| (0..BUCKETS).map(|_| Counter::default()).collect());
        counts[bucket(nanos)].add(times);
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        for count in self.0.get().into_iter().flatten() {
            count.reset();
        }
    }
}

/// The counts of several histograms together.
#[derive(Clone, Debug)]
pub struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Latencies {
    /// Adds up histograms.
    #[must_use]
    pub fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Latencies {
        let mut sum = Latencies { counts: vec![0; BUCKETS], total: 0 };
        for counts in histograms.filter_map(|histogram| histogram.0.get()) {
            for (sum, count) in sum.counts.iter_mut().zip(counts) {
                *sum += count.value();
            }
        }
        sum.total = sum.counts.iter().sum();
        sum
    }

    /// How many values were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many values are at most so many nanoseconds, those of the bucket in which the limit lies left out: a thirty-second more
    /// or less of the limit.
    #[must_use]
    pub fn up_to(&self, nanos: u64) -> u64 {
        let whole = (0..BUCKETS).take_while(|bucket| last_of(*bucket) <= nanos).count();
        self.counts[..whole].iter().sum()
    }

    /// The sum of all values, each counted as the largest of its bucket.
    #[must_use]
    pub fn sum_nanos(&self) -> u64 {
        self.counts.iter().enumerate().map(|(index, count)| count * last_of(index)).sum()
    }

    /// Steps of doubling length: microseconds, and how many values do not exceed them; only steps that add values. The first are 1, 2,
    /// 4, 8, 16, 33, 66: steps double from 1,024 nanoseconds on, and are named as
    /// Redis does, whose buckets are a 128th wide.
    #[must_use]
    pub fn doubling_micros(&self) -> Vec<(u64, u64)> {
        let (mut steps, mut seen, mut index) = (Vec::new(), 0, 0);
        for limit in (10..=VALUE_BITS).map(|power| 1 << power) {
            let end = bucket(limit);
            let added: u64 = self.counts[index..=end].iter().sum();
            index = end + 1;
            if added > 0 {
                seen += added;
                steps.push(((limit + limit / 128 - 1) / 1000, seen));
            }
        }
        steps
    }

    /// The nanoseconds that this percentage of the values does not exceed, rounded up to the end of a bucket; 0 without values.
    #[must_use]
    pub fn percentile_nanos(&self, percent: f64) -> u64 {
        let wanted = (percent / 100.0 * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                return last_of(index);
            }
        }
        0
    }
}

#[inline]
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << VALUE_BITS) - 1);
    match (nanos >> FINE_BITS).checked_ilog2() {
        None => nanos as usize,
        Some(power) => (power as usize + 1) * FINE + ((nanos >> power) as usize - FINE),
    }
}

/// The largest value that falls into a bucket.
fn last_of(bucket: usize) -> u64 {
    match (bucket / FINE).checked_sub(1) {
        None => bucket as u64,
        Some(power) => (((bucket % FINE + FINE + 1) as u64) << power) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        let mut before = 0;
        for nanos in
            (0..100_000).chain((17..36).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1]))
        {
            let found = bucket(nanos);
            assert!(
                found == before
                    || nanos < 100_000 && found == before + 1
                    || nanos >= 100_000 && found > before
            );
            before = found;
            if nanos < 1 << VALUE_BITS {
                assert!(last_of(found) >= nanos && last_of(found) - nanos <= nanos / 32, "{nanos}");
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_those_of_all_workers() {
        let (one, other) = (Histogram::default(), Histogram::default());
        assert_eq!(Latencies::of([&one].into_iter()).percentile_nanos(50.0), 0);
        for nanos in 1..=20 {
            one.record(nanos, 1);
            other.record(nanos + 1000, 1);
        }
        let sum = Latencies::of([&one, &other].into_iter());
        assert_eq!(sum.total(), 40);
        assert_eq!(sum.percentile_nanos(25.0), 10);
        assert_eq!(sum.percentile_nanos(50.0), 20);
        assert_eq!(sum.percentile_nanos(100.0), 1023);
        assert_eq!(sum.percentile_nanos(0.0), 1);
        assert_eq!([0, 1, 20, 1000, 1023, u64::MAX].map(|nanos| sum.up_to(nanos)), [0, 1, 20, 20, 40, 40]);
        assert_eq!(sum.sum_nanos(), (1..=20).sum::<u64>() + 7 * 1007 + 13 * 1023);
        assert_eq!(sum.doubling_micros(), [(1, 40)]);
        other.record(40_000, 2);
        let sum = Latencies::of([&one, &other].into_iter());
        assert_eq!(sum.doubling_micros(), [(1, 40), (66, 42)]);
        one.reset();
        assert_eq!(Latencies::of([&one].into_iter()).total(), 0);
    }
}
