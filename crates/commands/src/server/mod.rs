//! Commands about the server as a whole.

use crate::prelude::*;

mod keyspace;

pub(crate) const COMMANDS: &[&[Command]] = &[keyspace::COMMANDS];
