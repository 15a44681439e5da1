//! Where memory goes, as INFO and MEMORY tell it.

use std::sync::atomic::Ordering;

use larder_store::{DbIndex, STRIPES};

use crate::prelude::*;

/// Bytes of memory by what they are for.
pub(in crate::server) struct Figures {
    /// Allocated.
    pub(in crate::server) used: u64,
    /// The most that was ever allocated.
    pub(in crate::server) peak: u64,
    /// Of the process, in the machine's memory.
    pub(in crate::server) resident: u64,
    /// Allocated before there were clients or keys.
    pub(in crate::server) startup: u64,
    /// Tables and time indexes, by database; only those that have keys.
    pub(in crate::server) tables: Vec<(DbIndex, u64)>,
    /// Clients and their buffers.
    pub(in crate::server) clients: u64,
}

impl Figures {
    pub(in crate::server) fn of(cx: &Context<'_>) -> Figures {
        let host = &cx.node.host;
        Figures {
            used: host.used_memory(),
            peak: host.peak_memory(),
            resident: host.resident_memory(),
            startup: cx.node.startup_memory.load(Ordering::Relaxed),
            tables: table_bytes(cx),
            clients: client_bytes(cx),
        }
    }

    /// All tables together.
    pub(in crate::server) fn table_bytes(&self) -> u64 {
        self.tables.iter().map(|(_, bytes)| bytes).sum()
    }

    /// What is no data.
    pub(in crate::server) fn overhead(&self) -> u64 {
        self.startup + self.table_bytes() + self.clients
    }

    /// What is data.
    pub(in crate::server) fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// What was allocated since the start.
    pub(in crate::server) fn net(&self) -> u64 {
        self.used.saturating_sub(self.startup)
    }
}

fn table_bytes(cx: &Context<'_>) -> Vec<(DbIndex, u64)> {
    let keyspace = &cx.node.keyspace;
    let occupied = (0..keyspace.databases() as u32).map(DbIndex).filter(|db| keyspace.len(*db) > 0);
    let mut tables: Vec<(DbIndex, u64)> = occupied.map(|db| (db, 0)).collect();
    if !tables.is_empty() {
        for index in 0..STRIPES {
            let stripe = keyspace.lock(index, cx.moment);
            for (db, bytes) in &mut tables {
                *bytes += stripe.overhead_bytes(*db) as u64;
            }
        }
    }
    tables
}

fn client_bytes(cx: &Context<'_>) -> u64 {
    cx.node.clients.iter().map(|client| client.memory_bytes()).sum()
}
