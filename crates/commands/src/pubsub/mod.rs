//! Publish and subscribe.

use crate::prelude::*;

mod inspect;
mod publish;
mod subscribe;

pub(crate) const COMMANDS: &[&[Command]] = &[inspect::COMMANDS, publish::COMMANDS, subscribe::COMMANDS];
