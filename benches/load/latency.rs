//! The rows that measure a probe's latency during an event, and in the same run without it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::client::{self, Pass, Plan, Shape};
use crate::collection;
use crate::cpu;
use crate::expiry;
use crate::interrupt;
use crate::measure::CpuTime;
use crate::peers::Server;
use crate::probe::Probe;
use crate::results::{Fact, LatencyCell};
use crate::wire::{Life, Requests, ValueSize, Wire};
use crate::work::{Data, Event, LatencyWork};

/// A phase without the event, the probe alone.
const QUIET: &str = "quiet";
/// The phase with the event.
pub(crate) const EVENT: &str = "event";
/// The same writes, to keys that are there already.
const OVERWRITE: &str = "same load, no growth";

/// How long the probe is alone before an event.
pub(crate) const QUIET_TIME: Duration = Duration::from_secs(4);

/// Events that are over in no time are watched a little longer, since their work may come after the reply.
pub(crate) const AFTERMATH: Duration = Duration::from_secs(3);

/// Longest time spent scanning.
const SCAN_TIME_MAX: Duration = Duration::from_secs(15);

/// Whether the server has what the work needs.
pub(crate) fn is_offered(server: &Server, work: &LatencyWork) -> bool {
    let for_all = matches!(work.event, Event::Fill | Event::Flushall | Event::ExpireStorm);
    for_all || server.peer.kind.wire() == Wire::Resp
}

/// Runs the event on a server that has just been started.
pub(crate) fn cell(server: &Server, work: &LatencyWork, round: u32) -> Result<LatencyCell> {
    let data = Data { prefix: *b"key1", keys: work.keys, size: ValueSize::Fixed(100) };
    if matches!(work.event, Event::Flushall | Event::Scan) {
        cpu::load_data(server, data, Life::Unbounded)?;
    }
    let mut probe = Probe::start(server, data)?;
    let facts = match work.event {
        Event::Fill => fill(server, data, &mut probe),
        Event::Flushall => flushall(server, &mut probe),
        Event::ExpireStorm => expiry::storm(server, data, &mut probe),
        Event::ExpireRamp => expiry::ramp(server, data, &mut probe),
        Event::Scan => scan(server, data, &mut probe),
        Event::SpopAll => collection::spop_all(server, work.keys, &mut probe),
        Event::ZsetDelete => collection::zset_delete(server, work.keys, &mut probe),
    }?;
    Ok(LatencyCell {
        work: work.name.to_owned(),
        server: server.peer.name.clone(),
        round,
        keys: work.keys,
        phases: probe.finish()?,
        facts,
    })
}

/// What the event costs the server, without what the probe costs it anyway.
pub(crate) struct Cost {
    pid: u32,
    probe_share: f64,
    begun: (CpuTime, Instant),
}

impl Cost {
    /// Watches the probe alone for a while, then lets the event begin.
    pub(crate) fn after_quiet(server: &Server, probe: &mut Probe) -> Result<Self> {
        let (pid, started_at) = (server.pid(), Instant::now());
        let before = CpuTime::of(pid)?;
        quiet(probe)?;
        let quiet_seconds = CpuTime::of(pid)?.since(before).run.as_secs_f64();
        let probe_share = quiet_seconds / started_at.elapsed().as_secs_f64();
        probe.enter(EVENT);
        Ok(Self { pid, probe_share, begun: (CpuTime::of(pid)?, Instant::now()) })
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.begun.1.elapsed().as_secs_f64()
    }

    fn cpu_seconds(&self) -> Result<f64> {
        let used = CpuTime::of(self.pid)?.since(self.begun.0).run.as_secs_f64();
        Ok((used - self.probe_share * self.seconds()).max(0.0))
    }

    pub(crate) fn fact(&self) -> Result<Fact> {
        Ok(fact("server CPU ms", self.cpu_seconds()? * 1e3))
    }
}

/// Watches the probe alone for a while.
pub(crate) fn quiet(probe: &mut Probe) -> Result<()> {
    probe.enter(QUIET);
    interrupt::sleep(QUIET_TIME)?;
    probe.pause();
    Ok(())
}

fn fill(server: &Server, data: Data, probe: &mut Probe) -> Result<Vec<Fact>> {
    let wire = server.peer.kind.wire();
    let requests = Requests::new(wire, data.prefix, data.size, Life::Unbounded);
    // Few requests in flight: the queue in front of a probe stays far below the stalls that are looked for.
    let shape = Shape { address: server.address, wire, connections: 4, pipeline: 16 };
    quiet(probe)?;
    probe.enter(EVENT);
    let started_at = Instant::now();
    client::drive(shape, &requests, &mut Pass::write(data.keys))?;
    let seconds = started_at.elapsed().as_secs_f64();
    probe.pause();
    probe.enter(OVERWRITE);
    let mut again = Until::new(Pass::write(data.keys), Instant::now() + QUIET_TIME);
    client::drive(shape, &requests, &mut again)?;
    probe.pause();
    let counted = server.control()?.count()?;
    ensure!(counted == data.keys, "it counts {counted} keys, {} were stored", data.keys);
    Ok(vec![fact("kops/s", data.keys as f64 / seconds / 1e3)])
}

fn flushall(server: &Server, probe: &mut Probe) -> Result<Vec<Fact>> {
    let mut control = server.control()?;
    let cost = Cost::after_quiet(server, probe)?;
    control.flush()?;
    let reply_seconds = cost.seconds();
    interrupt::sleep(AFTERMATH)?;
    let cost = cost.fact()?;
    probe.pause();
    // memcached only marks its items; they are counted until somebody meets them.
    if server.peer.kind.wire() == Wire::Resp {
        let left = control.count()?;
        ensure!(left == 0, "{left} keys are left");
    }
    Ok(vec![fact("reply ms", reply_seconds * 1e3), cost])
}

fn scan(server: &Server, data: Data, probe: &mut Probe) -> Result<Vec<Fact>> {
    let mut control = server.control()?;
    let cost = Cost::after_quiet(server, probe)?;
    let (mut cursor, mut calls, mut seen) = ("0".to_owned(), 0_u64, 0_u64);
    loop {
        let keys;
        (cursor, keys) = control.scan(&cursor, 10)?;
        calls += 1;
        seen += keys;
        if cursor == "0" {
            ensure!(seen >= data.keys, "a whole scan returned {seen} of {} keys", data.keys);
            break;
        }
        if calls.is_multiple_of(256) {
            interrupt::check()?;
            if cost.seconds() > SCAN_TIME_MAX.as_secs_f64() {
                break;
            }
        }
    }
    let (seconds, used) = (cost.seconds(), cost.cpu_seconds()?);
    probe.pause();
    Ok(vec![
        fact("server CPU us/call", used * 1e6 / calls as f64),
        fact("keys/call", seen as f64 / calls as f64),
        fact("server CPU us/key", used * 1e6 / seen as f64),
        fact("kcalls/s", calls as f64 / seconds / 1e3),
    ])
}

/// A figure beside the latencies.
pub(crate) fn fact(name: &str, value: f64) -> Fact {
    Fact { name: name.to_owned(), value }
}

/// A plan that ends at a time, or by itself before.
pub(crate) struct Until<P> {
    inner: P,
    end: Instant,
    is_over: bool,
}

impl<P> Until<P> {
    pub(crate) fn new(inner: P, end: Instant) -> Self {
        Self { inner, end, is_over: false }
    }
}

impl<O, P: Plan<O>> Plan<O> for Until<P> {
    fn next(&mut self) -> Option<O> {
        if self.is_over { None } else { self.inner.next() }
    }

    fn answered(&mut self, now: Instant, count: u64, latency: Duration) -> Result<()> {
        self.is_over |= now >= self.end;
        self.inner.answered(now, count, latency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Operation;

    #[test]
    fn a_plan_with_an_end_asks_no_more_after_it() {
        let now = Instant::now();
        let mut plan = Until::new(Pass::write(100), now);
        assert_eq!(plan.next(), Some(Operation::Set(0)));
        plan.answered(now, 1, Duration::ZERO).unwrap();
        assert_eq!(plan.next(), None);
    }
}
