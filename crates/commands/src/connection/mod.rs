//! Commands about the connection itself.

use crate::prelude::*;

mod ping;

pub(crate) const COMMANDS: &[&[Command]] = &[ping::COMMANDS];
