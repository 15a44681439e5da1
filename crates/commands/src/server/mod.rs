//! Commands about the server as a whole.

use crate::prelude::*;

mod command;
mod config;
mod info;
mod keyspace;

pub(crate) const COMMANDS: &[&[Command]] =
    &[command::COMMANDS, config::COMMANDS, info::COMMANDS, keyspace::COMMANDS];

/// The version of Redis whose clients need not notice a difference.
pub(crate) const COMPATIBLE_VERSION: &str = "7.2.4";
