//! The rows in which keys expire: many in the same second, and more and more a second.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};

use crate::control::Control;
use crate::cpu;
use crate::interrupt;
use crate::latency::{AFTERMATH, Cost, QUIET_TIME, fact};
use crate::peers::Server;
use crate::probe::Probe;
use crate::results::Fact;
use crate::wire::{Life, Ramp};
use crate::work::Data;

/// How long expired keys may stay before we stop counting.
const LAG_MAX: Duration = Duration::from_secs(30);

/// How often the keys left are counted after a storm.
const STORM_INTERVAL: Duration = Duration::from_millis(50);

/// How often they are on a ramp.
const RAMP_INTERVAL: Duration = Duration::from_millis(10);

/// How long a ramp takes: with 5 M keys it ends at 2 M a second.
const RAMP_TIME: Duration = Duration::from_secs(5);

/// A key that is gone so long after its time is on time: the bar.
const ON_TIME_MILLIS: f64 = 100.0;

/// All keys expire in one second.
pub(crate) fn storm(server: &Server, data: Data, probe: &mut Probe) -> Result<Vec<Fact>> {
    let end = Duration::from_secs(time_for_filling(server, data)?.as_secs() + 2);
    let mut control = fill(server, data, Life::UntilUnixSecond(end.as_secs()), end)?;
    let cost = Cost::after_quiet(server, probe)?;
    let lag = watch_storm(&mut control, data.keys, end)?;
    interrupt::sleep(AFTERMATH)?;
    let mut facts = vec![cost.fact()?];
    probe.pause();
    facts.extend(lag.half.map(|lag| fact("half gone after s", lag.as_secs_f64())));
    facts.extend(lag.all.map(|lag| fact("all gone after s", lag.as_secs_f64())));
    if lag.left > 0 {
        facts.push(fact(&format!("keys still counted after {} s", LAG_MAX.as_secs()), lag.left as f64));
    }
    Ok(facts)
}

/// Keys expire at a rate that grows evenly.
pub(crate) fn ramp(server: &Server, data: Data, probe: &mut Probe) -> Result<Vec<Fact>> {
    let begin = time_for_filling(server, data)?;
    let from_unix_millis = u64::try_from(begin.as_millis())?;
    let millis = u64::try_from(RAMP_TIME.as_millis())?;
    let ramp = Ramp { from_unix_millis, millis, keys: data.keys };
    let mut control = fill(server, data, Life::Ramp(ramp), Duration::from_millis(from_unix_millis))?;
    let cost = Cost::after_quiet(server, probe)?;
    let seen = watch_ramp(&mut control, ramp)?;
    let cost = cost.fact()?;
    probe.pause();
    let bar = format!("kexpirations/s at <= {ON_TIME_MILLIS} ms of lag");
    Ok(vec![cost, fact(&bar, seen.on_time_per_second / 1e3), fact("longest lag ms", seen.longest_lag_millis)])
}

/// A time since 1970 at which the keys will be there and the probe will have been alone. It has to be named before the first
/// key is written: a tenth of them tells how long all will take, and twice that is left.
fn time_for_filling(server: &Server, data: Data) -> Result<Duration> {
    let started_at = Instant::now();
    cpu::load_data(server, Data { keys: data.keys / 10, ..data }, Life::Unbounded)?;
    Ok(unix_time()? + started_at.elapsed() * 20 + QUIET_TIME)
}

/// Writes the keys, and waits until only the probe's quiet time is left before `event`.
fn fill(server: &Server, data: Data, life: Life, event: Duration) -> Result<Control> {
    cpu::load_data(server, data, life)?;
    let rest = event.checked_sub(unix_time()?).and_then(|rest| rest.checked_sub(QUIET_TIME));
    let Some(rest) = rest else { bail!("filling it took more than twice as long as was expected") };
    let mut control = server.control()?;
    let stored = control.count()?;
    ensure!(stored == data.keys, "it counts {stored} keys, {} were stored", data.keys);
    interrupt::sleep(rest)?;
    Ok(control)
}

fn unix_time() -> Result<Duration> {
    SystemTime::UNIX_EPOCH.elapsed().context("the clock stands before 1970")
}

/// How long expired keys were still counted.
struct Lag {
    half: Option<Duration>,
    all: Option<Duration>,
    left: u64,
}

fn watch_storm(control: &mut Control, keys: u64, end: Duration) -> Result<Lag> {
    let mut lag = Lag { half: None, all: None, left: keys };
    loop {
        interrupt::sleep(STORM_INTERVAL)?;
        let left = control.count()?;
        let late = unix_time()?.saturating_sub(end);
        lag.left = left;
        if left <= keys / 2 {
            lag.half.get_or_insert(late);
        }
        if left == 0 {
            lag.all = Some(late);
            return Ok(lag);
        }
        if late > LAG_MAX {
            return Ok(lag);
        }
    }
}

/// How late keys went on a ramp.
struct Lateness {
    /// The rate up to which none was later than [`ON_TIME_MILLIS`].
    on_time_per_second: f64,
    longest_lag_millis: f64,
}

fn watch_ramp(control: &mut Control, ramp: Ramp) -> Result<Lateness> {
    let begin = Duration::from_millis(ramp.from_unix_millis);
    let mut seen = Lateness { on_time_per_second: 0.0, longest_lag_millis: 0.0 };
    loop {
        interrupt::sleep(RAMP_INTERVAL)?;
        let left = control.count()?;
        let millis = unix_time()?.saturating_sub(begin).as_secs_f64() * 1e3;
        // The first that is still counted ought to have gone so long ago.
        let lag = if left == 0 { 0.0 } else { millis - ramp.end_of(ramp.keys - left) };
        seen.longest_lag_millis = seen.longest_lag_millis.max(lag);
        if seen.longest_lag_millis <= ON_TIME_MILLIS {
            seen.on_time_per_second = ramp.keys_per_second(millis);
        }
        if left == 0 || lag > LAG_MAX.as_secs_f64() * 1e3 {
            return Ok(seen);
        }
    }
}
