//! The probe: a thread that asks for one random key every half millisecond and notes how long the answer took.
//!
//! It shares the client's CPU with whatever drives the event, so it runs in the real-time class where it may (as
//! root), and is then let in at once. Between two probes it sleeps. When an answer takes longer than the interval,
//! the probes it kept from being sent are counted as well, each with the wait it would have had: otherwise a stall
//! of 30 ms would weigh no more than one slow reply among thousands.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;

use crate::client;
use crate::cpu::{latency_histogram, quantile_us};
use crate::peers::Server;
use crate::results::Phase;
use crate::wire::{Expected, Life, Requests, Wire};
use crate::work::Data;

/// Time between two probes.
const INTERVAL: Duration = Duration::from_micros(500);

/// Longer than any stall worth a figure.
const REPLY_TIME_MAX: Duration = Duration::from_secs(120);

/// Not counted: between phases, or before the first.
const PAUSED: usize = usize::MAX;

/// Ends the thread.
const STOPPED: usize = usize::MAX - 1;

/// A running probe.
pub(crate) struct Probe {
    /// Index of the phase that runs, or one of the two marks above.
    phase: Arc<AtomicUsize>,
    names: Vec<(&'static str, Instant, Option<Instant>)>,
    thread: Option<JoinHandle<Result<Vec<Histogram<u64>>>>>,
}

impl Probe {
    /// Starts to ask `server` for keys of `data`, of which some may be missing.
    pub(crate) fn start(server: &Server, data: Data) -> Result<Self> {
        let phase = Arc::new(AtomicUsize::new(PAUSED));
        let (seen, address, wire) = (Arc::clone(&phase), server.address, server.peer.kind.wire());
        let thread = thread::Builder::new()
            .name("probe".to_owned())
            .spawn(move || probe(address, wire, data, &seen))
            .context("the probe's thread")?;
        Ok(Self { phase, names: Vec::new(), thread: Some(thread) })
    }

    /// From now on probes count for the phase `name`.
    pub(crate) fn enter(&mut self, name: &'static str) {
        self.names.push((name, Instant::now(), None));
        self.phase.store(self.names.len() - 1, Ordering::Release);
    }

    /// From now on probes count for nothing.
    pub(crate) fn pause(&mut self) {
        self.phase.store(PAUSED, Ordering::Release);
        if let Some((_, _, end @ None)) = self.names.last_mut() {
            *end = Some(Instant::now());
        }
    }

    /// Ends the probe.
    pub(crate) fn finish(mut self) -> Result<Vec<Phase>> {
        self.pause();
        self.phase.store(STOPPED, Ordering::Release);
        let thread = self.thread.take().expect("only this function takes it, and it takes self");
        let mut histograms = thread.join().map_err(|_| anyhow!("the probe panicked"))??;
        histograms.resize_with(self.names.len(), latency_histogram);
        let phases = self.names.iter().zip(&histograms);
        Ok(phases.map(|((name, start, end), histogram)| phase(name, *start, *end, histogram)).collect())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.phase.store(STOPPED, Ordering::Release);
    }
}

fn phase(name: &str, start: Instant, end: Option<Instant>, histogram: &Histogram<u64>) -> Phase {
    Phase {
        name: name.to_owned(),
        seconds: (end.unwrap_or(start) - start).as_secs_f64(),
        probes: histogram.len(),
        p50_us: quantile_us(histogram, 0.5),
        p99_us: quantile_us(histogram, 0.99),
        p999_us: quantile_us(histogram, 0.999),
        p9999_us: quantile_us(histogram, 0.9999),
        max_us: histogram.max() as f64 / 1e3,
    }
}

/// The thread: one histogram a phase.
fn probe(address: SocketAddr, wire: Wire, data: Data, phase: &AtomicUsize) -> Result<Vec<Histogram<u64>>> {
    prefer_this_thread();
    let requests = Requests::new(wire, data.prefix, data.size, Life::Unbounded);
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(REPLY_TIME_MAX))?;
    let mut random = fastrand::Rng::with_seed(7);
    let mut histograms: Vec<Histogram<u64>> = Vec::new();
    let (mut request, mut buffer) = (Vec::new(), vec![0; 4096]);
    let mut due = Instant::now();
    loop {
        due = (due + INTERVAL).max(Instant::now());
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let current = phase.load(Ordering::Acquire);
        if current == STOPPED {
            return Ok(histograms);
        }
        let number = random.u64(..data.keys);
        request.clear();
        requests.append_get(&mut request, number);
        let sent_at = Instant::now();
        stream.write_all(&request)?;
        let expected = Expected::HitOrMiss(requests.value_size(number));
        client::read_one(&mut stream, wire, expected, &mut buffer).context("the probe")?;
        let taken = sent_at.elapsed();
        if current != PAUSED {
            if histograms.len() <= current {
                histograms.resize_with(current + 1, latency_histogram);
            }
            let (taken, interval) = (taken.as_nanos() as u64, INTERVAL.as_nanos() as u64);
            histograms[current].record_correct(taken, interval).context("a latency beyond the histogram")?;
        }
    }
}

/// Puts the calling thread into the real-time class, whose threads do not wait for others and whose sleeps are not
/// rounded up. Without the right to do so it stays as it is, and is let in a little later.
fn prefer_this_thread() {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let _ = Command::new("chrt").args(["--fifo", "--pid", "10", &thread]).stderr(Stdio::null()).status();
}
