//! What a run found, round by round, as it is written to JSON and read by the reports.

use serde::Serialize;

use crate::machine::Machine;
use crate::measure::{CpuTime, Memory};
use crate::stats::Spread;

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    /// Where and when.
    pub(crate) machine: Machine,
    /// What was asked for.
    pub(crate) command_line: Vec<String>,
    /// The servers.
    pub(crate) servers: Vec<Started>,
    /// Other clients run beside ours, as they name themselves.
    pub(crate) foreign_clients: Vec<ForeignNote>,
    /// The works on CPU time, with what they do and the keys they used.
    pub(crate) cpu_works: Vec<CpuWorkNote>,
    /// CPU time per command.
    pub(crate) cpu: Vec<CpuCell>,
    /// Memory per key.
    pub(crate) memory: Vec<MemoryCell>,
    /// Memory per idle connection.
    pub(crate) connections: Vec<ConnectionsCell>,
    /// A probe's latency during events.
    pub(crate) latency: Vec<LatencyCell>,
    /// What could not be measured, and why.
    pub(crate) failures: Vec<Failure>,
}

/// A server that took part.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Started {
    /// Its name in tables.
    pub(crate) name: String,
    /// Its kind.
    pub(crate) kind: crate::peers::Kind,
    /// What it says of itself.
    pub(crate) version: String,
    /// How it was started.
    pub(crate) command_line: String,
}

/// A client that is not ours.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ForeignNote {
    /// Its name.
    pub(crate) name: String,
    /// What it says of itself.
    pub(crate) version: String,
}

/// A work as it was run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CpuWorkNote {
    /// Its name.
    pub(crate) name: String,
    /// What it does.
    pub(crate) about: String,
    /// Keys, after scaling.
    pub(crate) keys: u64,
    /// Connections.
    pub(crate) connections: usize,
}

/// Latencies in microseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    /// Median.
    pub(crate) p50_us: f64,
    /// 99th percentile.
    pub(crate) p99_us: f64,
    /// 99.9th percentile, where the client tells it.
    pub(crate) p999_us: Option<f64>,
    /// The longest.
    pub(crate) max_us: f64,
}

/// One server at one work in one round, driven by one client.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CpuCell {
    /// The work.
    pub(crate) work: String,
    /// The server.
    pub(crate) server: String,
    /// The client: `light`, or a foreign client's name.
    pub(crate) client: String,
    /// The round, from 1.
    pub(crate) round: u32,
    /// Requests answered in the measured time.
    pub(crate) operations: u64,
    /// The measured time.
    pub(crate) seconds: f64,
    /// Latencies as this client measures them.
    pub(crate) latency: Latency,
    /// CPU time of the server: scheduler's run time.
    pub(crate) server_run_seconds: f64,
    /// CPU time of the server: user-mode ticks.
    pub(crate) server_user_seconds: f64,
    /// CPU time of the server: kernel ticks.
    pub(crate) server_system_seconds: f64,
    /// CPU time of the client.
    pub(crate) client_seconds: f64,
    /// CPU time of the whole machine, theft by the host included.
    pub(crate) machine_seconds: f64,
    /// Memory of the server after the cell.
    pub(crate) memory: Memory,
}

/// Which side set the pace of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The server's thread had no time left.
    Server,
    /// The client's thread had no time left.
    Client,
    /// Neither was busy throughout.
    Neither,
}

impl CpuCell {
    /// Thousands of requests a second.
    pub(crate) fn kilo_operations_per_second(&self) -> f64 {
        self.operations as f64 / self.seconds / 1e3
    }

    /// The server's CPU time per request, in microseconds.
    pub(crate) fn cpu_us_per_operation(&self) -> f64 {
        self.server_run_seconds * 1e6 / self.operations as f64
    }

    /// The part of it spent in user mode.
    pub(crate) fn user_us_per_operation(&self) -> f64 {
        let ticks = self.server_user_seconds + self.server_system_seconds;
        if ticks == 0.0 { 0.0 } else { self.cpu_us_per_operation() * self.server_user_seconds / ticks }
    }

    /// The client's CPU time per request, in microseconds.
    pub(crate) fn client_us_per_operation(&self) -> f64 {
        self.client_seconds * 1e6 / self.operations as f64
    }

    /// CPUs the server kept busy.
    pub(crate) fn server_share(&self) -> f64 {
        self.server_run_seconds / self.seconds
    }

    /// CPUs the client kept busy.
    pub(crate) fn client_share(&self) -> f64 {
        self.client_seconds / self.seconds
    }

    /// CPUs that everything else on the machine kept busy. By ticks, so a few hundredths mean nothing.
    pub(crate) fn others_share(&self) -> f64 {
        (self.machine_seconds - self.server_run_seconds - self.client_seconds).max(0.0) / self.seconds
    }

    /// Puts the server's and client's CPU time in.
    pub(crate) fn set_server_time(&mut self, used: CpuTime) {
        self.server_run_seconds = used.run.as_secs_f64();
        self.server_user_seconds = used.user.as_secs_f64();
        self.server_system_seconds = used.system.as_secs_f64();
    }
}

impl Limit {
    /// The busier side, if it was busy throughout.
    pub(crate) fn of(server_share: f64, client_share: f64) -> Self {
        const BUSY: f64 = 0.9;
        if server_share.max(client_share) < BUSY {
            Self::Neither
        } else if server_share >= client_share {
            Self::Server
        } else {
            Self::Client
        }
    }

    /// As it stands in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Neither => "neither",
        }
    }
}

/// Memory of one server filled with one kind of keys.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MemoryCell {
    /// The work.
    pub(crate) work: String,
    /// The server.
    pub(crate) server: String,
    /// The round, from 1.
    pub(crate) round: u32,
    /// Keys stored.
    pub(crate) keys: u64,
    /// Bytes of all their names and values.
    pub(crate) payload_bytes: u64,
    /// Before the first key.
    pub(crate) empty: Memory,
    /// After the last, every key having been read once.
    pub(crate) full: Memory,
}

impl MemoryCell {
    /// Growth of the resident set per key.
    pub(crate) fn rss_bytes_per_key(&self) -> f64 {
        self.full.rss_bytes.saturating_sub(self.empty.rss_bytes) as f64 / self.keys as f64
    }

    /// Growth of the proportional set per key.
    pub(crate) fn pss_bytes_per_key(&self) -> f64 {
        self.full.pss_bytes.saturating_sub(self.empty.pss_bytes) as f64 / self.keys as f64
    }

    /// Name and value of a key, on average.
    pub(crate) fn payload_bytes_per_key(&self) -> f64 {
        self.payload_bytes as f64 / self.keys as f64
    }
}

/// Memory of one server with many idle connections.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ConnectionsCell {
    /// The server.
    pub(crate) server: String,
    /// The round, from 1.
    pub(crate) round: u32,
    /// Connections opened.
    pub(crate) connections: u64,
    /// Before the first.
    pub(crate) before: Memory,
    /// After the last has been silent for a while.
    pub(crate) after: Memory,
}

impl ConnectionsCell {
    /// Growth of the resident set per connection. The kernel's socket buffers are not in it.
    pub(crate) fn bytes_per_connection(&self) -> f64 {
        self.after.rss_bytes.saturating_sub(self.before.rss_bytes) as f64 / self.connections as f64
    }
}

/// A probe's latency on one server, phase by phase.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LatencyCell {
    /// The work.
    pub(crate) work: String,
    /// The server.
    pub(crate) server: String,
    /// The round, from 1.
    pub(crate) round: u32,
    /// Keys concerned.
    pub(crate) keys: u64,
    /// The phases, with the event and without.
    pub(crate) phases: Vec<Phase>,
    /// What else the event showed.
    pub(crate) facts: Vec<Fact>,
}

/// What the probe saw in one phase.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Phase {
    /// `event`, or a phase without it.
    pub(crate) name: String,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Probes answered.
    pub(crate) probes: u64,
    /// Median, microseconds.
    pub(crate) p50_us: f64,
    /// 99th percentile.
    pub(crate) p99_us: f64,
    /// 99.9th percentile.
    pub(crate) p999_us: f64,
    /// 99.99th percentile.
    pub(crate) p9999_us: f64,
    /// The longest.
    pub(crate) max_us: f64,
}

/// A figure beside the latencies.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fact {
    /// What it is, with its unit.
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
}

/// A cell that gave no figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failure {
    /// The work.
    pub(crate) work: String,
    /// The server.
    pub(crate) server: String,
    /// The round, from 1.
    pub(crate) round: u32,
    /// What went wrong.
    pub(crate) reason: String,
}

impl Run {
    /// One figure of the cells of a server at a work under a client, by round.
    pub(crate) fn cpu_rounds(
        &self,
        work: &str,
        server: &str,
        client: &str,
        figure: fn(&CpuCell) -> f64,
    ) -> Vec<(u32, f64)> {
        let wanted = |cell: &&CpuCell| cell.work == work && cell.server == server && cell.client == client;
        self.cpu.iter().filter(wanted).map(|cell| (cell.round, figure(cell))).collect()
    }

    /// The same, as a spread.
    pub(crate) fn cpu_spread(
        &self,
        work: &str,
        server: &str,
        client: &str,
        figure: fn(&CpuCell) -> f64,
    ) -> Option<Spread> {
        Spread::of(self.cpu_rounds(work, server, client, figure).into_iter().map(|(_, value)| value))
    }

    /// The latency works that were run, in their order.
    pub(crate) fn latency_works(&self) -> Vec<&str> {
        let mut works: Vec<&str> = Vec::new();
        for cell in &self.latency {
            if !works.contains(&cell.work.as_str()) {
                works.push(&cell.work);
            }
        }
        works
    }

    /// CPUs that neither server nor client kept busy, over all cells.
    pub(crate) fn disturbance(&self) -> Option<Spread> {
        Spread::of(self.cpu.iter().map(CpuCell::others_share))
    }

    /// Bytes per key of a server at a memory work, by round.
    pub(crate) fn memory_rounds(&self, work: &str, server: &str) -> Vec<(u32, f64)> {
        let wanted = |cell: &&MemoryCell| cell.work == work && cell.server == server;
        self.memory.iter().filter(wanted).map(|cell| (cell.round, cell.rss_bytes_per_key())).collect()
    }
}

/// Runs made up for tests.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use crate::peers::Kind;

    /// A run of these servers without a cell.
    pub(crate) fn run(servers: &[(&str, Kind)]) -> Run {
        let started = |&(name, kind): &(&str, Kind)| Started {
            name: name.to_owned(),
            kind,
            version: format!("{name} 1.0"),
            command_line: name.to_owned(),
        };
        Run {
            machine: Machine::default(),
            command_line: vec!["load".to_owned()],
            servers: servers.iter().map(started).collect(),
            foreign_clients: Vec::new(),
            cpu_works: Vec::new(),
            cpu: Vec::new(),
            memory: Vec::new(),
            connections: Vec::new(),
            latency: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// A cell of a million commands at `cpu_us` each, on a server busy throughout.
    pub(crate) fn cpu_cell(work: &str, server: &str, round: u32, cpu_us: f64) -> CpuCell {
        CpuCell {
            work: work.to_owned(),
            server: server.to_owned(),
            client: crate::cpu::LIGHT.to_owned(),
            round,
            operations: 1_000_000,
            seconds: cpu_us,
            latency: Latency { p50_us: 300.0, p99_us: 600.0, p999_us: Some(900.0), max_us: 2000.0 },
            server_run_seconds: cpu_us,
            server_user_seconds: cpu_us / 4.0,
            server_system_seconds: cpu_us / 4.0 * 3.0,
            client_seconds: cpu_us / 2.0,
            machine_seconds: cpu_us * 1.5,
            memory: Memory::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busier_side_is_the_limit_if_it_is_busy() {
        assert_eq!(Limit::of(0.99, 0.60), Limit::Server);
        assert_eq!(Limit::of(0.93, 0.99), Limit::Client);
        assert_eq!(Limit::of(0.70, 0.85), Limit::Neither);
    }

    #[test]
    fn bytes_per_key_are_growth_over_keys() {
        let memory = |rss_bytes| Memory { rss_bytes, pss_bytes: rss_bytes };
        let cell = MemoryCell {
            work: "8 B".to_owned(),
            server: "one".to_owned(),
            round: 1,
            keys: 1000,
            payload_bytes: 24_000,
            empty: memory(10_000),
            full: memory(110_000),
        };
        assert_eq!(cell.rss_bytes_per_key(), 100.0);
        assert_eq!(cell.payload_bytes_per_key(), 24.0);
    }
}
