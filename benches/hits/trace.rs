//! Requests like those that caches get, the same ones at each run.

use std::ops::Range;

/// Keys that are asked for again and again; those of scans come on top.
pub(crate) const KEYS: u32 = 100_000;
/// All keys that may occur.
pub(crate) const KEYS_MAX: u32 = 8 * KEYS;
/// Requests from the start of one scan to that of the next, and those of them that are the scan.
const SCAN_PERIOD: usize = 40_000;
const SCAN_LEN: usize = 10_000;
/// Requests between two shifts, and the keys by which favour moves on.
const SHIFT_PERIOD: usize = 50_000;
const SHIFT: u32 = KEYS / 20;
/// Bytes of a key.
pub(crate) const KEY_BYTES: u32 = 16;

/// One request: the key asked for, by its number.
pub(crate) type Request = u32;

/// How requests are distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    /// By Zipf's law with this exponent.
    Zipf(f64),
    /// By Zipf's law, a quarter of the time interrupted by scans of keys that are asked for once.
    Scans(f64),
    /// By Zipf's law, favour moving on from keys to others.
    Shifting(f64),
}

impl Shape {
    /// All that are measured.
    pub(crate) const ALL: [Shape; 6] = [
        Shape::Zipf(0.8),
        Shape::Zipf(1.0),
        Shape::Zipf(1.2),
        Shape::Scans(0.8),
        Shape::Scans(1.0),
        Shape::Shifting(1.0),
    ];

    /// As tables call it.
    pub(crate) fn name(self) -> String {
        match self {
            Shape::Zipf(exponent) => format!("Zipf {exponent:.1}"),
            Shape::Scans(exponent) => format!("Zipf {exponent:.1} + scans"),
            Shape::Shifting(exponent) => format!("Zipf {exponent:.1}, shifting"),
        }
    }

    fn exponent(self) -> f64 {
        match self {
            Shape::Zipf(exponent) | Shape::Scans(exponent) | Shape::Shifting(exponent) => exponent,
        }
    }
}

/// So many requests of a shape.
pub(crate) fn trace(shape: Shape, requests: usize) -> Vec<Request> {
    let mut random = fastrand::Rng::with_seed(11);
    let cumulated = cumulated(shape.exponent());
    let total = cumulated[cumulated.len() - 1];
    let mut scanned = 0;
    let next = |at: usize| {
        let wanted = random.f64() * total;
        let rank = cumulated.partition_point(|sum| *sum < wanted) as u32;
        match shape {
            Shape::Scans(_) if at % SCAN_PERIOD >= SCAN_PERIOD - SCAN_LEN => {
                scanned += 1;
                KEYS + scanned % (KEYS_MAX - KEYS)
            }
            Shape::Shifting(_) => (rank + (at / SHIFT_PERIOD) as u32 * SHIFT) % KEYS,
            _ => rank,
        }
    };
    (0..requests).map(next).collect()
}

fn cumulated(exponent: f64) -> Vec<f64> {
    let weights = (1..=KEYS).map(|rank| f64::from(rank).powf(-exponent));
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

/// Which requests count: those after a third, in which caches warm up.
pub(crate) fn counted(requests: usize) -> Range<usize> {
    requests / 3..requests
}

/// Bytes of a key's value: log-uniform from 64 to 1024, always the same for a key.
pub(crate) fn value_bytes(key: u32) -> u32 {
    let chance = fastrand::Rng::with_seed(u64::from(key)).f64();
    (64.0 * 16_f64.powf(chance)) as u32
}

/// Bytes of a key and its value.
pub(crate) fn bytes(key: u32) -> u32 {
    KEY_BYTES + value_bytes(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn favour_is_as_uneven_as_the_law_says() {
        let requests = trace(Shape::Zipf(1.0), 100_000);
        let first = requests.iter().filter(|key| **key == 0).count();
        // The harmonic number of 100,000 is 12.09.
        assert!((8000..8600).contains(&first), "{first}");
        assert!(requests.iter().all(|key| *key < KEYS));
    }

    #[test]
    fn scans_ask_for_other_keys_once() {
        let requests = trace(Shape::Scans(1.0), 200_000);
        let mut scanned: Vec<u32> = requests.into_iter().filter(|key| *key >= KEYS).collect();
        assert_eq!(scanned.len(), 50_000);
        scanned.dedup();
        assert_eq!(scanned.len(), 50_000);
    }
}
