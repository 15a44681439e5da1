//! What an attack leaves behind.

use std::fs;

use crate::client::Client;
use crate::server::{Server, eventually};

/// What a server holds while one client looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holdings {
    pub(crate) used: u64,
    pub(crate) resident: u64,
    pub(crate) descriptors: usize,
    pub(crate) clients: u64,
}

impl Holdings {
    pub(crate) fn of(server: &Server, client: &mut Client) -> Holdings {
        let used = client.info("used_memory");
        Holdings {
            used,
            resident: resident(server),
            descriptors: descriptors(server),
            clients: client.info("connected_clients"),
        }
    }

    /// Waits until clients, files and (to within some bytes) memory are back where they were.
    pub(crate) fn regained(self, server: &Server, client: &mut Client, slack: u64) {
        eventually("clients, files and memory as before", || {
            let now = Holdings::of(server, client);
            let same = now.clients == self.clients && now.descriptors == self.descriptors;
            same && now.used <= self.used + slack
        });
    }
}

/// Open files of the process.
pub(crate) fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

/// Bytes of memory that the process has.
pub(crate) fn resident(server: &Server) -> u64 {
    status(server, "VmRSS:") * 1024
}

/// Clock ticks that the process has computed.
pub(crate) fn cpu_ticks(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// A field of what the system tells of the process; in kilobytes, if it is memory.
pub(crate) fn status(server: &Server, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
