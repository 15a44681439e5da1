//! Larder and its peers side by side: the same work on each, interleaved round by round, and a report of ratios.
//!
//! `load --help` lists the works and options; `benches/README.md` says what each figure means.

mod bars;
mod client;
mod collection;
mod control;
mod cpu;
mod expiry;
mod families;
mod foreign;
mod interrupt;
mod latency;
mod machine;
mod measure;
mod memory;
mod peers;
mod probe;
mod progress;
mod report;
mod results;
mod rounds;
mod stats;
mod wire;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cpu::Timing;
use crate::foreign::ForeignClient;
use crate::peers::{Given, Kind, Peer};
use crate::rounds::{Bench, Extent};
use crate::work::Choice;

/// Drives Larder and every peer found with the same work and reports medians and ratios.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Options {
    /// Works or groups of works to run.
    #[arg(value_enum, default_values_t = [Choice::Cpu])]
    works: Vec<Choice>,

    /// Directory for report.md, results.json and the plots.
    #[arg(long)]
    out: PathBuf,

    /// The larder program: [NAME=]PATH [ARGUMENT ...]. As for all programs: may be repeated, is looked for on PATH if
    /// not given.
    #[arg(long, value_name = "PROGRAM")]
    larder: Vec<Given>,

    /// The redis-server program.
    #[arg(long, value_name = "PROGRAM")]
    redis: Vec<Given>,

    /// The valkey-server program.
    #[arg(long, value_name = "PROGRAM")]
    valkey: Vec<Given>,

    /// The memcached program.
    #[arg(long, value_name = "PROGRAM")]
    memcached: Vec<Given>,

    /// The pogocache program; runs in its io_uring mode and in its epoll mode.
    #[arg(long, value_name = "PROGRAM")]
    pogocache: Vec<Given>,

    /// Drive Larder's memcached port too, as a server of its own.
    #[arg(long)]
    larder_memcached: bool,

    /// The memtier_benchmark program, to run beside our client at the CPU works; looked for on PATH if not given.
    #[arg(long, value_name = "PATH")]
    memtier: Option<PathBuf>,

    /// The redis-benchmark program, likewise.
    #[arg(long, value_name = "PATH")]
    redis_benchmark: Option<PathBuf>,

    /// Leave both out.
    #[arg(long)]
    light_only: bool,

    /// Only these servers, by their names in tables.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,

    /// Rounds; memory works take one, latency works at most five.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Measured seconds of a CPU cell.
    #[arg(long, default_value_t = 2.5)]
    seconds: f64,

    /// Seconds a CPU cell is driven before it is measured.
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,

    /// Multiplies every number of keys.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,

    /// A smoke run: two rounds, cells of 0.3 s, a hundredth of the keys. Its figures mean nothing.
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "warm_up", "scale"])]
    quick: bool,

    /// Connections of the CPU works, in place of 50.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    connections: Option<u16>,

    /// The CPU that servers run on.
    #[arg(long, default_value_t = 0)]
    server_cpu: usize,

    /// The CPU that clients run on.
    #[arg(long, default_value_t = 1)]
    client_cpu: usize,
}

impl Options {
    fn extent(&self) -> Result<Extent> {
        let (rounds, seconds, warm_up, scale) = if self.quick {
            (2, 0.3, 0.1, 0.01)
        } else {
            (self.rounds, self.seconds, self.warm_up, self.scale)
        };
        ensure!(scale > 0.0 && scale <= 100.0, "--scale takes a number above 0, up to 100");
        let timing = Timing {
            warm_up: Duration::try_from_secs_f64(warm_up).context("--warm-up")?,
            measured: Duration::try_from_secs_f64(seconds).context("--seconds")?,
        };
        // This program may itself be confined, so the CPUs are counted before it binds itself to one.
        let cpus = (0..std::thread::available_parallelism()?.get()).filter(|&cpu| cpu != self.client_cpu);
        let cpus: Vec<String> = cpus.map(|cpu| cpu.to_string()).collect();
        Ok(Extent {
            rounds,
            timing,
            scale,
            connections: self.connections.map(usize::from),
            server_cpu: self.server_cpu.to_string(),
            server_cpus: cpus.join(","),
        })
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    ensure!(options.server_cpu != options.client_cpu, "servers and clients need a CPU each");
    interrupt::listen()?;
    let peers = find_peers(options)?;
    let mut bench = Bench::new(peers, find_foreign_clients(options)?, options.extent()?);
    // Fails early if either CPU is not ours to use.
    measure::pin_to_cpu(options.server_cpu)?;
    measure::pin_to_cpu(options.client_cpu)?;
    raise_file_limit()?;
    let outcome = bench.run(&options.works);
    // What was measured before a failure or Ctrl-C is kept.
    report::write(bench.results(), &options.out)?;
    outcome?;
    let failures = bench.results().failures.len();
    ensure!(failures == 0, "{failures} cells could not be measured; see the end of report.md");
    Ok(())
}

/// Allows this program, and the servers that inherit from it, as many open files as may be had.
fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).context("the limit of open files")
}

fn find_peers(options: &Options) -> Result<Vec<Peer>> {
    let larder: &[Kind] =
        if options.larder_memcached { &[Kind::Larder, Kind::LarderMemcached] } else { &[Kind::Larder] };
    let mut peers = Peer::find(larder, &options.larder)?;
    peers.extend(Peer::find(&[Kind::Redis], &options.redis)?);
    peers.extend(Peer::find(&[Kind::Valkey], &options.valkey)?);
    peers.extend(Peer::find(&[Kind::Memcached], &options.memcached)?);
    peers.extend(Peer::find(&[Kind::PogocacheUring, Kind::PogocacheEpoll], &options.pogocache)?);
    for wanted in &options.only {
        let names = || peers.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>().join(", ");
        ensure!(
            peers.iter().any(|peer| peer.name == *wanted),
            "there is no server {wanted} among {}",
            names()
        );
    }
    if !options.only.is_empty() {
        peers.retain(|peer| options.only.contains(&peer.name));
    }
    ensure!(!peers.is_empty(), "no server was found; name one, for example --redis PATH");
    for (index, peer) in peers.iter().enumerate() {
        let is_first = peers.iter().position(|other| other.name == peer.name) == Some(index);
        ensure!(is_first, "two servers are called {}; tell them apart by NAME=PATH", peer.name);
    }
    Ok(peers)
}

fn find_foreign_clients(options: &Options) -> Result<Vec<ForeignClient>> {
    if options.light_only {
        return Ok(Vec::new());
    }
    let memtier = ForeignClient::find(foreign::Kind::Memtier, options.memtier.as_ref())?;
    let redis_benchmark =
        ForeignClient::find(foreign::Kind::RedisBenchmark, options.redis_benchmark.as_ref())?;
    Ok(memtier.into_iter().chain(redis_benchmark).collect())
}
