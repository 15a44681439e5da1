//! What happens per second just now: the speeds that INFO shows.
//!
//! Ten times a second the totals are compared with those before, and the speeds of the last 16 comparisons are averaged, as in
//! Redis. Counting itself costs nothing for it.

use crate::sync::Mutex;

/// Comparisons that are averaged.
const SAMPLES: usize = 16;
/// How many things are measured: as many as [`Rate`] has.
const RATES: usize = 5;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Requests executed.
    Commands,
    /// Bytes read from clients.
    InputBytes,
    /// Bytes written to clients.
    OutputBytes,
    /// Rounds of workers.
    Rounds,
    /// Nanoseconds of processor time.
    CpuNanos,
}

/// The speeds of one node.
#[derive(Debug, Default)]
pub struct Rates(Mutex<Measured>);

#[derive(Debug, Default)]
struct Measured {
    /// When the totals were last compared, in nanoseconds of the steady clock.
    at_nanos: u64,
    /// For each [`Rate`].
    meters: [Meter; RATES],
    /// Which sample the next comparison replaces.
    next: usize,
}

#[derive(Debug, Default)]
struct Meter {
    total: u64,
    per_second: [f64; SAMPLES],
}

impl Rates {
    /// Compares the totals, one for each [`Rate`], with those before.
    pub fn sample(&self, nanos: u64, totals: [u64; RATES]) {
        let mut measured = self.0.lock();
        let elapsed = nanos.saturating_sub(measured.at_nanos);
        if elapsed == 0 {
            return;
        }
        let next = measured.next;
        for (meter, total) in measured.meters.iter_mut().zip(totals) {
            // Totals fall when statistics are reset.
            let increase = total.saturating_sub(meter.total);
            meter.per_second[next] = increase as f64 * 1e9 / elapsed as f64;
            meter.total = total;
        }
        measured.at_nanos = nanos;
        measured.next = (next + 1) % SAMPLES;
    }

    /// The present speed, per second.
    #[must_use]
    pub fn per_second(&self, rate: Rate) -> f64 {
        let measured = self.0.lock();
        measured.meters[rate as usize].per_second.iter().sum::<f64>() / SAMPLES as f64
    }

    /// Forgets all speeds; what was counted so far does not count as an increase.
    pub(crate) fn reset(&self) {
        for meter in &mut self.0.lock().meters {
            meter.per_second = [0.0; SAMPLES];
            // Whatever comes next is no increase.
            meter.total = u64::MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_speed_is_shown_once_there_are_enough_samples() {
        let rates = Rates::default();
        for step in 1..=SAMPLES as u64 {
            rates.sample(step * 100_000_000, [step * 50, 0, step, 0, 0]);
        }
        assert_eq!(rates.per_second(Rate::Commands).round(), 500.0);
        assert_eq!(rates.per_second(Rate::InputBytes), 0.0);
        assert_eq!(rates.per_second(Rate::OutputBytes).round(), 10.0);
        rates.sample(SAMPLES as u64 * 100_000_000, [9, 9, 9, 9, 9]);
        assert_eq!(rates.per_second(Rate::Commands).round(), 500.0, "no time has passed");
        rates.reset();
        assert_eq!(rates.per_second(Rate::Commands), 0.0);
    }
}
