//! The events that befall one large collection while the probe looks on.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::client::{self, Draw as _, Each, Shape};
use crate::families::{Commands, Filling, Order, Size, Turns};
use crate::interrupt;
use crate::latency::{AFTERMATH, Cost, EVENT, QUIET_TIME, Until, fact, quiet};
use crate::peers::Server;
use crate::probe::Probe;
use crate::results::Fact;

/// The phase with the same requests, which find nothing.
const NOTHING_LEFT: &str = "same load, nothing left";

/// One collection of so many members.
fn size(members: u64) -> Size {
    Size { name: "one", collections: 1, elements: members }
}

/// Few requests in flight: the queue in front of a probe stays far below the stalls that are looked for.
fn shape(server: &Server, pipeline: usize) -> Shape {
    Shape { address: server.address, wire: server.peer.kind.wire(), connections: 4, pipeline }
}

fn fill(server: &Server, command: &str, family: &str, members: u64) -> Result<()> {
    let commands = Commands::new(&[command], family, size(members), Order::Filling, 0);
    client::drive(shape(server, 64), &commands, &mut Each(Filling::new(size(members))))
}

/// Pops members by chance until there are none; then goes on for a while.
pub(crate) fn spop_all(server: &Server, members: u64, probe: &mut Probe) -> Result<Vec<Fact>> {
    fill(server, "SADD {key} m{element}", "set", members)?;
    let commands = Commands::new(&["SPOP {key}"], "set", size(members), Order::Random, 0);
    quiet(probe)?;
    probe.enter(EVENT);
    let started_at = Instant::now();
    client::drive(shape(server, 16), &commands, &mut Each(Filling::new(size(members))))?;
    let seconds = started_at.elapsed().as_secs_f64();
    probe.pause();
    ensure!(!server.control()?.exists("set-one-000000000000")?, "members are left");
    probe.enter(NOTHING_LEFT);
    let mut turns = Turns::new(1, 0);
    let endless = Each(std::iter::repeat_with(move || turns.draw()));
    let mut again = Until::new(endless, Instant::now() + QUIET_TIME);
    client::drive(shape(server, 16), &commands, &mut again)?;
    probe.pause();
    Ok(vec![fact("kops/s", members as f64 / seconds / 1e3)])
}

/// Deletes it by one command.
pub(crate) fn zset_delete(server: &Server, members: u64, probe: &mut Probe) -> Result<Vec<Fact>> {
    fill(server, "ZADD {key} {score} m{element}", "zset", members)?;
    let mut control = server.control()?;
    let cost = Cost::after_quiet(server, probe)?;
    control.delete("zset-one-000000000000")?;
    let reply_seconds = cost.seconds();
    interrupt::sleep(AFTERMATH)?;
    let cost = cost.fact()?;
    probe.pause();
    Ok(vec![fact("reply ms", reply_seconds * 1e3), cost])
}
