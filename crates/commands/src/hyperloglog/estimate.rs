//! From registers to a number of elements: Ertl's improved raw estimator, as in Redis.

use super::REGISTERS;

/// Bits of a hash that count zeros.
const BITS: usize = 50;
/// 1 / (2 ln 2)
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// How many registers have each count.
pub(super) struct Histogram([u32; 64]);

impl Histogram {
    pub(super) fn empty() -> Histogram {
        Histogram([0; 64])
    }

    pub(super) fn of(registers: &[u8; REGISTERS]) -> Histogram {
        let mut histogram = Histogram::empty();
        registers.iter().for_each(|count| histogram.add(*count, 1));
        histogram
    }

    #[inline]
    pub(super) fn add(&mut self, count: u8, registers: usize) {
        self.0[usize::from(count & 63)] += registers as u32;
    }

    pub(super) fn estimate(&self) -> u64 {
        let m = REGISTERS as f64;
        let mut z = m * tau((m - f64::from(self.0[BITS + 1])) / m);
        for count in (1..=BITS).rev() {
            z = (z + f64::from(self.0[count])) * 0.5;
        }
        z += m * sigma(f64::from(self.0[0]) / m);
        (ALPHA * m * m / z).round() as u64
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if before == z {
            return z / 3.0;
        }
    }
}
