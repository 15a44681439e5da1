//! Commands about the connection itself.

use crate::prelude::*;

mod client;
mod ping;
mod session;

pub(crate) const COMMANDS: &[&[Command]] = &[client::COMMANDS, ping::COMMANDS, session::COMMANDS];
