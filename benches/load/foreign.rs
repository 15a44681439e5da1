//! The clients other people use, run beside ours for a second table: `memtier_benchmark` and `redis-benchmark`.
//!
//! Both cost more CPU per command than our client, so that they and not the server are often the limit; the server's
//! CPU time per command still compares. It is taken over the client's whole life, connecting included, which a
//! run of seconds makes negligible.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::interrupt;
use crate::measure::{self, CpuTime, Memory};
use crate::peers::{Guarded, Server, on_path, version_line};
use crate::results::{CpuCell, Latency};
use crate::wire::Wire;
use crate::work::CpuWork;

/// Numbers of keys as these clients see them: a `1` before the twelve digits.
const NUMBER_MIN: u64 = 1_000_000_000_000;

/// A foreign client may take so many times the light client's seconds.
const PATIENCE: u32 = 20;

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// memtier_benchmark.
    Memtier,
    /// redis-benchmark.
    RedisBenchmark,
}

impl Kind {
    /// Its name in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memtier => "memtier_benchmark",
            Self::RedisBenchmark => "redis-benchmark",
        }
    }
}

/// A foreign client that can be run.
#[derive(Clone, Debug)]
pub(crate) struct ForeignClient {
    /// Which one.
    pub(crate) kind: Kind,
    /// What it says of itself.
    pub(crate) version: String,
    program: PathBuf,
}

impl ForeignClient {
    /// The client at `given`, or on PATH, or none.
    pub(crate) fn find(kind: Kind, given: Option<&PathBuf>) -> Result<Option<Self>> {
        let Some(program) = given.cloned().or_else(|| on_path(kind.name())) else { return Ok(None) };
        let program = std::path::absolute(program)?;
        let version = version_line(&program)?;
        Ok(Some(Self { kind, version, program }))
    }

    /// Whether this client can do `work`: redis-benchmark sends one kind of command, and only in RESP.
    pub(crate) fn can_do(&self, work: &CpuWork, wire: Wire) -> bool {
        match self.kind {
            Kind::Memtier => true,
            Kind::RedisBenchmark => wire == Wire::Resp && (work.mix.gets == 0 || work.mix.sets == 0),
        }
    }

    /// Runs `work` for about as long as our own client did in `light`.
    pub(crate) fn cell(&self, server: &Server, work: &CpuWork, light: &CpuCell) -> Result<CpuCell> {
        // About 0.6 of the light client's rate is what these reach.
        let each = (light.operations as f64 * 0.6 / work.connections as f64) as u64;
        let each = each.next_multiple_of(work.pipeline as u64).max(work.pipeline as u64);
        let operations = each * work.connections as u64;
        let directory = tempfile::Builder::new().prefix("larder-load-").tempdir()?;
        let (output_path, json_path) =
            (directory.path().join("output"), directory.path().join("result.json"));
        let output = fs::File::create(&output_path)?;

        let (server_before, client_before) = (CpuTime::of(server.pid())?, measure::children_time()?);
        let (machine_before, started_at) = (measure::machine_time()?, Instant::now());
        // It inherits this thread's CPU.
        let child = Command::new(&self.program)
            .args(match self.kind {
                Kind::Memtier => memtier_arguments(server, work, each, &json_path),
                Kind::RedisBenchmark => redis_benchmark_arguments(server, work, operations),
            })
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let patience = Duration::from_secs_f64(light.seconds) * PATIENCE;
        let ended = wait(Guarded(child), patience);
        let seconds = started_at.elapsed().as_secs_f64();
        let server_used = CpuTime::of(server.pid())?.since(server_before);
        let printed = fs::read_to_string(&output_path).unwrap_or_default();
        ended.with_context(|| last_line(&printed))?;

        let latency = match self.kind {
            Kind::Memtier => memtier_latency(&fs::read_to_string(&json_path)?, operations)?,
            Kind::RedisBenchmark => redis_benchmark_latency(&printed)?,
        };
        let mut cell = CpuCell {
            work: work.name.to_owned(),
            server: server.peer.name.clone(),
            client: self.kind.name().to_owned(),
            round: light.round,
            operations,
            seconds,
            latency,
            server_run_seconds: 0.0,
            server_user_seconds: 0.0,
            server_system_seconds: 0.0,
            client_seconds: (measure::children_time()?.saturating_sub(client_before)).as_secs_f64(),
            machine_seconds: measure::machine_time()?.saturating_sub(machine_before).as_secs_f64(),
            memory: Memory::of(server.pid())?,
        };
        cell.set_server_time(server_used);
        Ok(cell)
    }
}

fn memtier_arguments(server: &Server, work: &CpuWork, each: u64, json: &std::path::Path) -> Vec<String> {
    let protocol = match server.peer.kind.wire() {
        Wire::Resp => "redis",
        Wire::MemcachedText => "memcache_text",
    };
    vec![
        "--server=127.0.0.1".to_owned(),
        format!("--port={}", server.address.port()),
        format!("--protocol={protocol}"),
        "--threads=1".to_owned(),
        format!("--clients={}", work.connections),
        format!("--requests={each}"),
        format!("--pipeline={}", work.pipeline),
        format!("--ratio={}:{}", work.mix.sets, work.mix.gets),
        format!("--data-size={}", work.data.size.of(0)),
        format!("--key-prefix={}", work.data.prefix[..3].escape_ascii()),
        format!("--key-minimum={NUMBER_MIN}"),
        format!("--key-maximum={}", NUMBER_MIN + work.data.keys - 1),
        "--key-pattern=R:R".to_owned(),
        "--distinct-client-seed".to_owned(),
        "--hide-histogram".to_owned(),
        format!("--json-out-file={}", json.display()),
    ]
}

fn redis_benchmark_arguments(server: &Server, work: &CpuWork, operations: u64) -> Vec<String> {
    let key = format!("{}__rand_int__", work.data.prefix.escape_ascii());
    let mut arguments: Vec<String> = [
        "-h",
        "127.0.0.1",
        "-p",
        &server.address.port().to_string(),
        "-n",
        &operations.to_string(),
        "-c",
        &work.connections.to_string(),
        "-P",
        &work.pipeline.to_string(),
        "-r",
        &work.data.keys.to_string(),
        "--csv",
    ]
    .map(str::to_owned)
    .to_vec();
    if work.mix.sets == 0 {
        arguments.extend(["GET".to_owned(), key]);
    } else {
        arguments.extend(["SET".to_owned(), key, "x".repeat(work.data.size.of(0) as usize)]);
    }
    arguments
}

fn wait(mut child: Guarded, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.0.try_wait()? {
            ensure!(status.success(), "it ended with {status}");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "it did not end within {} s", patience.as_secs());
        interrupt::check()?;
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn last_line(printed: &str) -> String {
    printed.lines().last().unwrap_or("it printed nothing").to_owned()
}

/// The totals of memtier's JSON; a miss means that it did not do the same work.
fn memtier_latency(json: &str, operations: u64) -> Result<Latency> {
    let document: Value = serde_json::from_str(json).context("memtier's result is not JSON")?;
    let totals = &document["ALL STATS"]["Totals"];
    let number = |value: &Value| value.as_f64().context("memtier's totals lack a figure");
    let misses = number(&totals["Misses/sec"])?;
    ensure!(misses == 0.0, "{misses} misses a second where every key is there");
    let count = number(&totals["Count"])?;
    ensure!(count == operations as f64, "{count} commands were answered in place of {operations}");
    let percentile = |name| Ok::<_, anyhow::Error>(number(&totals["Percentile Latencies"][name])? * 1e3);
    Ok(Latency {
        p50_us: percentile("p50.00")?,
        p99_us: percentile("p99.00")?,
        p999_us: Some(percentile("p99.90")?),
        max_us: number(&totals["Max Latency"])? * 1e3,
    })
}

/// The one data line of redis-benchmark's CSV, read by the names in its header.
fn redis_benchmark_latency(printed: &str) -> Result<Latency> {
    let mut lines = printed.lines().skip_while(|line| !line.starts_with("\"test\""));
    let (Some(header), Some(row)) = (lines.next(), lines.next()) else { bail!("no CSV: {printed:?}") };
    let fields = |line: &str| -> Vec<String> {
        // Counted from the end: the first field is the command, which may hold commas.
        line.rsplit(',').map(|field| field.trim_matches('"').to_owned()).collect()
    };
    let (names, values) = (fields(header), fields(row));
    let figure = |name: &str| -> Result<f64> {
        let place =
            names.iter().position(|other| other == name).context("redis-benchmark's CSV lacks a column")?;
        Ok(values.get(place).context("redis-benchmark's CSV line is short")?.parse::<f64>()? * 1e3)
    };
    Ok(Latency {
        p50_us: figure("p50_latency_ms")?,
        p99_us: figure("p99_latency_ms")?,
        p999_us: None,
        max_us: figure("max_latency_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memtier_json(misses: f64) -> String {
        format!(
            r#"{{"ALL STATS": {{"Totals": {{"Count": 1000, "Misses/sec": {misses}, "Max Latency": 0.463,
                "Percentile Latencies": {{"p50.00": 0.119, "p99.00": 0.399, "p99.90": 0.45}}}}}}}}"#
        )
    }

    #[test]
    fn memtier_totals_are_read_and_misses_refused() {
        let latency = memtier_latency(&memtier_json(0.0), 1000).unwrap();
        assert_eq!((latency.p50_us, latency.p999_us), (119.0, Some(450.0)));
        assert!(memtier_latency(&memtier_json(2.0), 1000).is_err());
        assert!(memtier_latency(&memtier_json(0.0), 999).is_err());
    }

    #[test]
    fn redis_benchmark_csv_is_read_by_column_names() {
        let printed = "\"test\",\"rps\",\"p50_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
                       \"GET a,b\",\"153846.16\",\"0.087\",\"0.239\",\"0.855\"\n";
        let latency = redis_benchmark_latency(printed).unwrap();
        assert_eq!((latency.p50_us, latency.max_us), (87.0, 855.0));
        assert!(redis_benchmark_latency("Could not connect").is_err());
    }
}
