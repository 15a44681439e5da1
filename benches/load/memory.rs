//! The rows that measure memory: bytes per key, bytes per idle connection.

use std::time::Duration;

use anyhow::Result;

use crate::client;
use crate::cpu;
use crate::families::FamilyWork;
use crate::interrupt;
use crate::measure::Memory;
use crate::peers::Server;
use crate::results::{ConnectionsCell, MemoryCell};
use crate::wire::{KEY_BYTES, Life, Requests, ValueSize};
use crate::work::MemoryWork;

/// Servers do their housekeeping in cycles of at most a second, and give an idle connection's buffers back after
/// a few.
const SETTLING: Duration = Duration::from_secs(1);
const CONNECTIONS_SETTLING: Duration = Duration::from_secs(6);

/// Fills a server that has just been started, and weighs it before and after.
///
/// Between filling and weighing every key is read once. That proves that all of them are there, and lets a server
/// that grows its table step by step, with each command, come to the end of it: its old table is not counted.
pub(crate) fn keys_cell(server: &Server, work: &MemoryWork, round: u32) -> Result<MemoryCell> {
    interrupt::sleep(SETTLING)?;
    let empty = Memory::of(server.pid())?;
    cpu::load_data(server, work.data, work.life)?;
    cpu::verify_data(server, work.data)?;
    interrupt::sleep(SETTLING)?;
    let values: u64 = match work.data.size {
        ValueSize::Fixed(size) => u64::from(size) * work.data.keys,
        size => (0..work.data.keys).map(|number| u64::from(size.of(number))).sum(),
    };
    Ok(MemoryCell {
        work: work.name.to_owned(),
        server: server.peer.name.clone(),
        round,
        keys: work.data.keys,
        payload_bytes: values + KEY_BYTES as u64 * work.data.keys,
        empty,
        full: Memory::of(server.pid())?,
    })
}

/// Fills a server that has just been started with collections, and weighs it before and after.
pub(crate) fn members_cell(server: &Server, work: &FamilyWork, round: u32) -> Result<MemoryCell> {
    interrupt::sleep(SETTLING)?;
    let empty = Memory::of(server.pid())?;
    cpu::load_family(server, work)?;
    interrupt::sleep(SETTLING)?;
    Ok(MemoryCell {
        work: work.memory_name(),
        server: server.peer.name.clone(),
        round,
        keys: work.size.members(),
        payload_bytes: work.payload_bytes(),
        empty,
        full: Memory::of(server.pid())?,
    })
}

/// Opens connections to a server that has just been started, and weighs it before and after.
pub(crate) fn connections_cell(server: &Server, connections: u64, round: u32) -> Result<ConnectionsCell> {
    let wire = server.peer.kind.wire();
    let requests = Requests::new(wire, *b"key1", ValueSize::Fixed(100), Life::Unbounded);
    interrupt::sleep(SETTLING)?;
    let before = Memory::of(server.pid())?;
    let open = client::idle_connections(server.address, wire, &requests, connections as usize)?;
    interrupt::sleep(CONNECTIONS_SETTLING)?;
    let after = Memory::of(server.pid())?;
    drop(open);
    Ok(ConnectionsCell { server: server.peer.name.clone(), round, connections, before, after })
}
