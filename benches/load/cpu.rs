//! The rows that measure CPU time per command: one cell is one server, driven for a few seconds.

use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::client::{self, Ask, Draw, Each, Pass, Plan, Shape, Uniform};
use crate::families::{Commands, FamilyWork, Filling, Order, Size, Turns};
use crate::measure::{self, CpuTime, Memory};
use crate::peers::Server;
use crate::results::{CpuCell, Latency};
use crate::wire::{Life, Requests};
use crate::work::{CpuWork, Data};

/// The name of our own client in results.
pub(crate) const LIGHT: &str = "light";

/// How long a cell takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// Driven, but not measured.
    pub(crate) warm_up: Duration,
    /// Measured.
    pub(crate) measured: Duration,
}

/// Writes the keys of `data`, once each.
pub(crate) fn load_data(server: &Server, data: Data, life: Life) -> Result<()> {
    pass(server, data, life, &mut Pass::write(data.keys))
}

/// Reads the keys of `data`, once each; one that is missing or of another size is an error.
pub(crate) fn verify_data(server: &Server, data: Data) -> Result<()> {
    pass(server, data, Life::Unbounded, &mut Pass::read(data.keys))
}

fn pass(server: &Server, data: Data, life: Life, pass: &mut Pass) -> Result<()> {
    let wire = server.peer.kind.wire();
    // About 64 KiB in flight: enough to keep the server busy, little enough to leave no buffers behind in it.
    let pipeline = if data.size.of(0) > 1024 { 4 } else { 64 };
    let shape = Shape { address: server.address, wire, connections: 4, pipeline };
    client::drive(shape, &Requests::new(wire, data.prefix, data.size, life), pass)
}

/// Drives `server` with `work` and measures.
pub(crate) fn cell(server: &Server, work: &CpuWork, round: u32, timing: Timing) -> Result<CpuCell> {
    let wire = server.peer.kind.wire();
    let requests = Requests::new(wire, work.data.prefix, work.data.size, Life::Unbounded);
    let shape =
        Shape { address: server.address, wire, connections: work.connections, pipeline: work.pipeline };
    // The seed depends on the round only, so every server is asked for the same keys.
    let draws = Uniform::new(work.mix, work.data.keys, u64::from(round));
    measured(server, work.name, round, timing, (shape, &requests, draws))
}

/// Fills the collections that works of a family share.
pub(crate) fn load_family(server: &Server, work: &FamilyWork) -> Result<()> {
    let FamilyWork { family, size, .. } = work;
    let commands = Commands::new(&[family.fill], family.name, *size, Order::Filling, 0);
    let shape =
        Shape { address: server.address, wire: server.peer.kind.wire(), connections: 4, pipeline: 64 };
    client::drive(shape, &commands, &mut Each(Filling::new(*size)))?;
    for text in family.prepare {
        let once = Commands::new(&[text], family.name, *size, Order::Filling, 0);
        client::drive(shape, &once, &mut Each(Filling::new(Size { elements: 1, collections: 1, ..*size })))?;
    }
    Ok(())
}

/// Drives `server` with a work on collections and measures.
pub(crate) fn family_cell(
    server: &Server,
    work: &FamilyWork,
    connections: usize,
    round: u32,
    timing: Timing,
) -> Result<CpuCell> {
    let seed = u64::from(round);
    let commands = Commands::new(work.commands, work.family.name, work.size, Order::Random, seed);
    let (address, wire) = (server.address, server.peer.kind.wire());
    let shape = Shape { address, wire, connections, pipeline: work.pipeline };
    let draws = Turns::new(work.commands.len(), seed);
    measured(server, &work.name, round, timing, (shape, &commands, draws))
}

/// Drives `server` with what is drawn and measures.
fn measured<A: Ask>(
    server: &Server,
    work: &str,
    round: u32,
    timing: Timing,
    (shape, requests, draws): (Shape, &A, impl Draw<Operation = A::Operation>),
) -> Result<CpuCell> {
    let mut timed = Timed::new(draws, server.pid(), timing)?;
    client::drive(shape, requests, &mut timed)?;
    let (before, after) = timed.window()?;

    let mut cell = CpuCell {
        work: work.to_owned(),
        server: server.peer.name.clone(),
        client: LIGHT.to_owned(),
        round,
        operations: timed.operations,
        seconds: (after.at - before.at).as_secs_f64(),
        latency: latency_of(&timed.histogram),
        server_run_seconds: 0.0,
        server_user_seconds: 0.0,
        server_system_seconds: 0.0,
        client_seconds: (after.client - before.client).as_secs_f64(),
        machine_seconds: after.machine.saturating_sub(before.machine).as_secs_f64(),
        memory: Memory::of(server.pid())?,
    };
    cell.set_server_time(after.server.since(before.server));
    Ok(cell)
}

/// A histogram of nanoseconds, exact to 0.1 %.
pub(crate) fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1_000_000_000_000, 3)
        .expect("the bounds and precision are within the crate's")
}

/// Microseconds at a quantile of a histogram of nanoseconds.
pub(crate) fn quantile_us(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

fn latency_of(histogram: &Histogram<u64>) -> Latency {
    Latency {
        p50_us: quantile_us(histogram, 0.5),
        p99_us: quantile_us(histogram, 0.99),
        p999_us: Some(quantile_us(histogram, 0.999)),
        max_us: histogram.max() as f64 / 1e3,
    }
}

/// The counters at one end of the measured time.
#[derive(Clone, Copy)]
struct Snapshot {
    at: Instant,
    server: CpuTime,
    client: Duration,
    machine: Duration,
}

impl Snapshot {
    fn take(pid: u32) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            server: CpuTime::of(pid)?,
            client: measure::thread_time(),
            machine: measure::machine_time()?,
        })
    }
}

/// A plan of three stretches: warm-up, the measured time, and the drain of what is still in flight.
struct Timed<D> {
    draws: D,
    pid: u32,
    timing: Timing,
    created_at: Instant,
    before: Option<Snapshot>,
    after: Option<Snapshot>,
    operations: u64,
    histogram: Histogram<u64>,
}

impl<D> Timed<D> {
    fn new(draws: D, pid: u32, timing: Timing) -> Result<Self> {
        Ok(Self {
            draws,
            pid,
            timing,
            created_at: Instant::now(),
            before: None,
            after: None,
            operations: 0,
            histogram: latency_histogram(),
        })
    }

    fn window(&self) -> Result<(Snapshot, Snapshot)> {
        self.before.zip(self.after).ok_or_else(|| anyhow::anyhow!("the measured time never began or ended"))
    }
}

impl<D: Draw> Plan<D::Operation> for Timed<D> {
    fn next(&mut self) -> Option<D::Operation> {
        self.after.is_none().then(|| self.draws.draw())
    }

    fn answered(&mut self, now: Instant, count: u64, latency: Duration) -> Result<()> {
        match (self.before, self.after) {
            (None, _) => {
                if now - self.created_at >= self.timing.warm_up {
                    self.before = Some(Snapshot::take(self.pid)?);
                }
            }
            (Some(before), None) => {
                self.operations += count;
                self.histogram.saturating_record_n(latency.as_nanos() as u64, count);
                // A clock read before the snapshot may lie before it.
                if now.saturating_duration_since(before.at) >= self.timing.measured {
                    self.after = Some(Snapshot::take(self.pid)?);
                }
            }
            (Some(_), Some(_)) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Mix;

    #[test]
    fn only_the_measured_time_is_counted() {
        let timing = Timing { warm_up: Duration::from_secs(1), measured: Duration::from_secs(2) };
        let draws = Uniform::new(Mix { gets: 1, sets: 0 }, 10, 1);
        let mut timed = Timed::new(draws, std::process::id(), timing).unwrap();
        let start = timed.created_at;
        let at = |seconds| start + Duration::from_secs(seconds);
        timed.answered(start, 100, Duration::from_micros(5)).unwrap();
        timed.answered(at(1), 100, Duration::from_micros(5)).unwrap();
        assert!(timed.window().is_err(), "the window has begun and not ended");
        timed.answered(at(2), 7, Duration::from_micros(50)).unwrap();
        assert!(timed.next().is_some());
        timed.answered(at(9), 3, Duration::from_micros(500)).unwrap();
        timed.answered(at(10), 100, Duration::from_micros(5)).unwrap();
        assert!(timed.next().is_none());
        assert_eq!(timed.operations, 10);
        assert!(timed.window().is_ok());
        let latency = latency_of(&timed.histogram);
        assert!((latency.p50_us - 50.0).abs() < 0.1, "{latency:?}");
        assert!((latency.max_us - 500.0).abs() < 1.0, "{latency:?}");
    }
}
