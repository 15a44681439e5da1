//! Commands about the server as a whole.

use crate::prelude::*;

mod command;
mod command_log;
mod config;
mod debug;
mod hot_keys;
mod info;
mod keyspace;
mod latency;
mod lolwut;
mod memory;
mod monitor;
mod process;
mod replication;
mod save;
mod survey;

pub(crate) const COMMANDS: &[&[Command]] = &[
    command::COMMANDS,
    command_log::COMMANDS,
    config::COMMANDS,
    debug::COMMANDS,
    hot_keys::COMMANDS,
    info::COMMANDS,
    keyspace::COMMANDS,
    latency::COMMANDS,
    lolwut::COMMANDS,
    memory::COMMANDS,
    monitor::COMMANDS,
    process::COMMANDS,
    replication::COMMANDS,
    save::COMMANDS,
];

/// The version of Redis whose clients need not notice a difference.
pub const COMPATIBLE_VERSION: &str = "7.2.4";
