//! The order of things: which servers run when, and what is kept of a cell that fails.
//!
//! The CPU rows keep all servers running with their data and visit them in turn, each round beginning with another
//! one, so that what disturbs the machine for a while falls on all alike. Rows that fill a server to its brim start
//! it for the cell and end it after.

use std::fmt::Display;

use anyhow::{Result, bail};

use crate::cpu::{self, Timing};
use crate::interrupt;
use crate::machine::Machine;
use crate::peers::{Peer, Server};
use crate::progress::Progress;
use crate::results::{CpuCell, CpuWorkNote, Failure, Run, Started};
use crate::wire::Life;
use crate::work::{CPU_WORKS, Choice, CpuWork, Data, scaled};

/// How large and how long a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Rounds of the CPU rows.
    pub(crate) rounds: u32,
    /// Length of their cells.
    pub(crate) timing: Timing,
    /// Multiplies numbers of keys.
    pub(crate) scale: f64,
    /// Connections of the CPU rows, if not their own number.
    pub(crate) connections: Option<usize>,
    /// The CPU that servers run on.
    pub(crate) server_cpu: usize,
}

/// A run in progress.
pub(crate) struct Bench {
    peers: Vec<Peer>,
    extent: Extent,
    progress: Progress,
    run: Run,
}

impl Bench {
    /// A run of `peers`, nothing of it done.
    pub(crate) fn new(peers: Vec<Peer>, extent: Extent) -> Self {
        let run = Run {
            machine: Machine::describe(),
            command_line: std::env::args().collect(),
            servers: Vec::new(),
            foreign_clients: Vec::new(),
            cpu_works: Vec::new(),
            cpu: Vec::new(),
            memory: Vec::new(),
            connections: Vec::new(),
            latency: Vec::new(),
            failures: Vec::new(),
        };
        Self { peers, extent, progress: Progress::start(), run }
    }

    /// What was found up to now.
    pub(crate) fn results(&self) -> &Run {
        &self.run
    }

    /// Runs the chosen works.
    pub(crate) fn run(&mut self, choices: &[Choice]) -> Result<()> {
        let chosen = |group, name| choices.iter().any(|choice| choice.includes(group, name));
        let works: Vec<CpuWork> = CPU_WORKS
            .into_iter()
            .filter(|work| chosen(Choice::Cpu, work.name))
            .map(|work| self.sized(work))
            .collect();
        if !works.is_empty() {
            self.cpu_rows(&works)?;
        }
        Ok(())
    }

    fn sized(&self, mut work: CpuWork) -> CpuWork {
        work.data.keys = scaled(work.data.keys, self.extent.scale);
        work.connections = self.extent.connections.unwrap_or(work.connections);
        work
    }

    fn cpu_rows(&mut self, works: &[CpuWork]) -> Result<()> {
        self.run.cpu_works = works.iter().map(note).collect();
        let mut servers = self.start_all(works)?;
        for round in 1..=self.extent.rounds {
            for work in works {
                for turn in 0..servers.len() {
                    let place = (turn + round as usize - 1) % servers.len();
                    let server = &mut servers[place];
                    if self.has_failed(work.name, &server.peer.name) {
                        continue;
                    }
                    let cell = cpu::cell(server, work, round, self.extent.timing);
                    let cell = cell.and_then(|cell| server.check_alive().map(|()| cell));
                    let name = server.peer.name.clone();
                    if let Some(cell) = self.keep_failure(work.name, &name, round, cell)? {
                        self.progress.say(line(&cell));
                        self.run.cpu.push(cell);
                    }
                }
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
        let mut servers = Vec::new();
        for peer in self.peers.clone() {
            let started = self.start(&peer).and_then(|server| {
                self.progress.say(format_args!("{}: loading", peer.name));
                data.iter().try_for_each(|&data| cpu::load_data(&server, data, Life::Unbounded))?;
                Ok(server)
            });
            servers.extend(self.keep_failure("load", &peer.name, 1, started)?);
        }
        if servers.is_empty() {
            bail!("no server could be started and loaded");
        }
        Ok(servers)
    }

    fn start(&mut self, peer: &Peer) -> Result<Server> {
        let server = Server::start(peer, self.extent.server_cpu)?;
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
