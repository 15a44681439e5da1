//! CLIENT: what clients are called, who is there, and what a client wants.

use crate::help;
use crate::prelude::*;

mod filter;
mod line;
mod list;
mod modes;
mod names;
mod pause;
mod tracking;

pub(super) use names::{NAME_REFUSED, is_proper_name};

pub(super) const COMMANDS: &[Command] = &[CLIENT];

const CLIENT: Command = Command {
    name: "client",
    summary: "Asks about clients and directs them.",
    group: Group::Connection,
    since: "2.4.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[
        tracking::CACHING,
        modes::CAPA,
        names::GETNAME,
        tracking::GETREDIR,
        Command { group: Group::Connection, ..help::HELP },
        names::ID,
        list::INFO,
        list::KILL,
        list::LIST,
        modes::NO_EVICT,
        modes::NO_TOUCH,
        pause::PAUSE,
        modes::REPLY,
        names::SETINFO,
        names::SETNAME,
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        pause::UNBLOCK,
        pause::UNPAUSE,
    ],
    ..Command::PLAIN
};

/// What most subcommands have in common.
const FLAGS: Flags = Flags::NO_SCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::KEEPS_CACHING);
