//! Commands about the server as a whole.

use crate::prelude::*;

mod command;
mod config;
mod debug;
mod info;
mod keyspace;
mod lolwut;
mod memory;
mod process;

pub(crate) const COMMANDS: &[&[Command]] = &[
    command::COMMANDS,
    config::COMMANDS,
    debug::COMMANDS,
    info::COMMANDS,
    keyspace::COMMANDS,
    lolwut::COMMANDS,
    memory::COMMANDS,
    process::COMMANDS,
];

/// The version of Redis whose clients need not notice a difference.
pub const COMPATIBLE_VERSION: &str = "7.2.4";
