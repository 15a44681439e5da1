//! The order of things: which servers run when, and what is kept of a cell that fails.
//!
//! The CPU rows keep all servers running with their data and visit them in turn, each round beginning with another
//! one, so that what disturbs the machine for a while falls on all alike. Rows that fill a server to its brim start
//! it for the cell and end it after.

use std::fmt::Display;

use anyhow::{Result, bail};

use crate::cpu::{self, Timing};
use crate::families::{self, FamilyWork};
use crate::foreign::ForeignClient;
use crate::interrupt;
use crate::latency;
use crate::machine::Machine;
use crate::memory;
use crate::peers::{Kind, Peer, Server};
use crate::progress::Progress;
use crate::results::{
    CpuCell, CpuWorkNote, Failure, ForeignNote, LatencyCell, MemoryCell, Phase, Run, Started,
};
use crate::wire::Life;
use crate::work::{
    CPU_WORKS, Choice, CpuWork, Data, IDLE_CONNECTIONS, LATENCY_WORKS, LatencyWork, MEMORY_WORKS, scaled,
};

/// Connections of the works on collections.
const FAMILY_CONNECTIONS: usize = 50;

/// An event of minutes is not repeated as often as a cell of seconds.
const LATENCY_ROUNDS_MAX: u32 = 5;

/// How large and how long a run is.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    /// Rounds of the CPU rows.
    pub(crate) rounds: u32,
    /// Length of their cells.
    pub(crate) timing: Timing,
    /// Multiplies numbers of keys.
    pub(crate) scale: f64,
    /// Connections of the CPU rows, if not their own number.
    pub(crate) connections: Option<usize>,
    /// The one CPU that servers run on while CPU time and memory are measured, as `taskset` takes it.
    pub(crate) server_cpu: String,
    /// The CPUs they run on while a probe's latency is measured: all but the client's, so that where there are more
    /// than two, background work need not push the foreground aside.
    pub(crate) server_cpus: String,
}

/// Where a server may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cpus {
    One,
    AllButTheClients,
}

/// A run in progress.
pub(crate) struct Bench {
    peers: Vec<Peer>,
    foreign: Vec<ForeignClient>,
    extent: Extent,
    progress: Progress,
    run: Run,
}

impl Bench {
    /// A run of `peers`, nothing of it done.
    pub(crate) fn new(peers: Vec<Peer>, foreign: Vec<ForeignClient>, extent: Extent) -> Self {
        let run = Run {
            machine: Machine::describe(),
            command_line: std::env::args().collect(),
            servers: Vec::new(),
            foreign_clients: foreign.iter().map(describe).collect(),
            cpu_works: Vec::new(),
            cpu: Vec::new(),
            memory: Vec::new(),
            connections: Vec::new(),
            latency: Vec::new(),
            failures: Vec::new(),
        };
        Self { peers, foreign, extent, progress: Progress::start(), run }
    }

    /// What was found up to now.
    pub(crate) fn results(&self) -> &Run {
        &self.run
    }

    /// Runs the chosen works.
    pub(crate) fn run(&mut self, choices: &[Choice]) -> Result<()> {
        let chosen = |group, name: &str| choices.iter().any(|choice| choice.includes(group, name));
        let cpu = CPU_WORKS.into_iter().filter(|work| chosen(Choice::Cpu, work.name));
        let cpu: Vec<CpuWork> = cpu.map(|work| self.sized(work)).collect();
        if !cpu.is_empty() {
            self.cpu_rows(&cpu)?;
        }
        let families = families::works(chosen, self.extent.scale);
        if !families.is_empty() {
            self.family_rows(&families)?;
            self.member_rows(&families)?;
        }
        if chosen(Choice::Memory, "memory") {
            self.memory_rows()?;
        }
        if chosen(Choice::Connections, "connections") {
            self.connections_row()?;
        }
        let latency = LATENCY_WORKS.into_iter().filter(|work| chosen(Choice::Latency, work.name));
        self.latency_rows(&latency.collect::<Vec<_>>())
    }

    fn sized(&self, mut work: CpuWork) -> CpuWork {
        work.data.keys = scaled(work.data.keys, self.extent.scale);
        work.connections = self.extent.connections.unwrap_or(work.connections);
        work
    }

    fn cpu_rows(&mut self, works: &[CpuWork]) -> Result<()> {
        self.run.cpu_works.extend(works.iter().map(note));
        let mut servers = self.start_all(works)?;
        for round in 1..=self.extent.rounds {
            for work in works {
                for turn in 0..servers.len() {
                    let place = (turn + round as usize - 1) % servers.len();
                    self.cpu_cells(&mut servers[place], work, round)?;
                }
            }
        }
        Ok(())
    }

    fn family_rows(&mut self, works: &[FamilyWork]) -> Result<()> {
        let connections = self.extent.connections.unwrap_or(FAMILY_CONNECTIONS);
        self.run.cpu_works.extend(works.iter().map(|work| CpuWorkNote {
            name: work.name.clone(),
            about: work.about(),
            keys: work.size.collections,
            connections,
        }));
        let mut servers = self.start_filled(Kind::has_collections, |server| {
            distinct(works).try_for_each(|work| cpu::load_family(server, work))
        })?;
        for round in 1..=self.extent.rounds {
            for work in works {
                for turn in 0..servers.len() {
                    let place = (turn + round as usize - 1) % servers.len();
                    let (server, timing) = (&mut servers[place], self.extent.timing);
                    let name = server.peer.name.clone();
                    if self.has_failed(&work.name, &name) {
                        continue;
                    }
                    let cell = cpu::family_cell(server, work, connections, round, timing);
                    let cell = server.check_alive().and(cell);
                    if let Some(cell) = self.keep_failure(&work.name, &name, round, cell)? {
                        self.keep_cpu_cell(cell);
                    }
                }
            }
        }
        Ok(())
    }

    fn member_rows(&mut self, works: &[FamilyWork]) -> Result<()> {
        for work in distinct(works).filter(|work| work.family.weighed) {
            let name = work.memory_name();
            self.on_fresh_servers(&name, 1, Cpus::One, |server, round, bench| {
                if !server.peer.kind.has_collections() {
                    return Ok(());
                }
                bench.keep_memory_cell(memory::members_cell(server, work, round)?);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn keep_memory_cell(&mut self, cell: MemoryCell) {
        let bytes = cell.rss_bytes_per_key();
        self.progress
            .say(format_args!("memory {:<24} {:<16} {bytes:7.1} bytes each", cell.work, cell.server));
        self.run.memory.push(cell);
    }

    /// One server at one work in one round: under our client, then under each foreign one.
    fn cpu_cells(&mut self, server: &mut Server, work: &CpuWork, round: u32) -> Result<()> {
        let name = server.peer.name.clone();
        if self.has_failed(work.name, &name) {
            return Ok(());
        }
        let cell = cpu::cell(server, work, round, self.extent.timing);
        let cell = server.check_alive().and(cell);
        let Some(light) = self.keep_failure(work.name, &name, round, cell)? else { return Ok(()) };
        self.keep_cpu_cell(light.clone());
        for client in self.foreign.clone() {
            let label = format!("{} by {}", work.name, client.kind.name());
            if client.can_do(work, server.peer.kind.wire()) && !self.has_failed(&label, &name) {
                let cell = client.cell(server, work, &light);
                if let Some(cell) = self.keep_failure(&label, &name, round, cell)? {
                    self.keep_cpu_cell(cell);
                }
            }
        }
        Ok(())
    }

    fn keep_cpu_cell(&mut self, cell: CpuCell) {
        self.progress.say(line(&cell));
        self.run.cpu.push(cell);
    }

    fn memory_rows(&mut self) -> Result<()> {
        for mut work in MEMORY_WORKS {
            work.data.keys = scaled(work.data.keys, self.extent.scale);
            self.on_fresh_servers(work.name, 1, Cpus::One, |server, round, bench| {
                bench.keep_memory_cell(memory::keys_cell(server, &work, round)?);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn connections_row(&mut self) -> Result<()> {
        let connections = scaled(IDLE_CONNECTIONS, self.extent.scale);
        self.on_fresh_servers("connections", 1, Cpus::One, |server, round, bench| {
            let cell = memory::connections_cell(server, connections, round)?;
            let bytes = cell.bytes_per_connection();
            bench.progress.say(format_args!("connections {:<16} {bytes:7.0} bytes each", cell.server));
            bench.run.connections.push(cell);
            Ok(())
        })
    }

    fn latency_rows(&mut self, works: &[LatencyWork]) -> Result<()> {
        for &(mut work) in works {
            work.keys = scaled(work.keys, self.extent.scale);
            let rounds = self.extent.rounds.min(LATENCY_ROUNDS_MAX);
            self.on_fresh_servers(work.name, rounds, Cpus::AllButTheClients, |server, round, bench| {
                if !latency::is_offered(server, &work) {
                    bench.progress.say(format_args!("{}: {} is not offered", server.peer.name, work.name));
                    return Ok(());
                }
                let cell = latency::cell(server, &work, round)?;
                for phase in &cell.phases {
                    bench.progress.say(phase_line(&cell, phase));
                }
                bench.run.latency.push(cell);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Visits every server in turn for some rounds, started for the visit and ended after it.
    fn on_fresh_servers(
        &mut self,
        work: &str,
        rounds: u32,
        cpus: Cpus,
        mut visit: impl FnMut(&Server, u32, &mut Self) -> Result<()>,
    ) -> Result<()> {
        for round in 1..=rounds {
            for turn in 0..self.peers.len() {
                let peer = self.peers[(turn + round as usize - 1) % self.peers.len()].clone();
                if self.has_failed(work, &peer.name) {
                    continue;
                }
                let outcome = self.start(&peer, cpus).and_then(|mut server| {
                    let visited = visit(&server, round, self);
                    server.check_alive().and(visited)
                });
                self.keep_failure(work, &peer.name, round, outcome)?;
            }
        }
        Ok(())
    }

    /// Starts every server and loads the data of `works` into it; those that fail are left out.
    fn start_all(&mut self, works: &[CpuWork]) -> Result<Vec<Server>> {
        let mut data: Vec<Data> = Vec::new();
        for work in works {
            if !data.contains(&work.data) {
                data.push(work.data);
            }
        }
        self.start_filled(
            |_| true,
            |server| data.iter().try_for_each(|&data| cpu::load_data(server, data, Life::Unbounded)),
        )
    }

    /// Starts every server of the kinds that are wanted and fills it; those that fail are left out.
    fn start_filled(
        &mut self,
        wanted: impl Fn(Kind) -> bool,
        fill: impl Fn(&Server) -> Result<()>,
    ) -> Result<Vec<Server>> {
        let mut servers = Vec::new();
        for peer in self.peers.clone().into_iter().filter(|peer| wanted(peer.kind)) {
            let started = self.start(&peer, Cpus::One).and_then(|server| {
                self.progress.say(format_args!("{}: loading", peer.name));
                fill(&server)?;
                Ok(server)
            });
            servers.extend(self.keep_failure("load", &peer.name, 1, started)?);
        }
        if servers.is_empty() {
            bail!("no server could be started and loaded");
        }
        Ok(servers)
    }

    fn start(&mut self, peer: &Peer, cpus: Cpus) -> Result<Server> {
        let cpus = match cpus {
            Cpus::One => &self.extent.server_cpu,
            Cpus::AllButTheClients => &self.extent.server_cpus,
        };
        let server = Server::start(peer, cpus)?;
        if !self.run.servers.iter().any(|started| started.name == peer.name) {
            self.run.servers.push(Started {
                name: peer.name.clone(),
                kind: peer.kind,
                version: peer.version.clone(),
                command_line: server.command_line.clone(),
            });
        }
        Ok(server)
    }

    fn has_failed(&self, work: &str, server: &str) -> bool {
        self.run.failures.iter().any(|failure| failure.work == work && failure.server == server)
    }

    /// Notes an error and goes on without the cell; only Ctrl-C ends the run.
    fn keep_failure<T>(
        &mut self,
        work: &str,
        server: &str,
        round: u32,
        outcome: Result<T>,
    ) -> Result<Option<T>> {
        interrupt::check()?;
        match outcome {
            Ok(found) => Ok(Some(found)),
            Err(error) => {
                self.progress.say(format_args!("{server}: {work} FAILED: {error:#}"));
                self.run.failures.push(Failure {
                    work: work.to_owned(),
                    server: server.to_owned(),
                    round,
                    reason: format!("{error:#}"),
                });
                Ok(None)
            }
        }
    }
}

/// One work of each family and size.
fn distinct(works: &[FamilyWork]) -> impl Iterator<Item = &FamilyWork> {
    let same =
        |one: &FamilyWork, other: &FamilyWork| (one.family.name, one.size) == (other.family.name, other.size);
    works.chunk_by(same).filter_map(<[FamilyWork]>::first)
}

fn describe(client: &ForeignClient) -> ForeignNote {
    ForeignNote { name: client.kind.name().to_owned(), version: client.version.clone() }
}

fn note(work: &CpuWork) -> CpuWorkNote {
    CpuWorkNote {
        name: work.name.to_owned(),
        about: work.about.to_owned(),
        keys: work.data.keys,
        connections: work.connections,
    }
}

fn line(cell: &CpuCell) -> impl Display {
    format!(
        "round {} {:<12} {:<16} {:<15} {:7.2} us/op {:8.0} kops/s  server {:.2} client {:.2} others {:.2}",
        cell.round,
        cell.work,
        cell.server,
        cell.client,
        cell.cpu_us_per_operation(),
        cell.kilo_operations_per_second(),
        cell.server_share(),
        cell.client_share(),
        cell.others_share()
    )
}

fn phase_line(cell: &LatencyCell, phase: &Phase) -> impl Display {
    format!(
        "round {} {:<12} {:<16} {:<20} p50 {:7.3} p99 {:7.3} p99.9 {:7.3} max {:8.3} ms",
        cell.round,
        cell.work,
        cell.server,
        phase.name,
        phase.p50_us / 1e3,
        phase.p99_us / 1e3,
        phase.p999_us / 1e3,
        phase.max_us / 1e3
    )
}
