//! Commands that take keys of any type.

use crate::prelude::*;

mod delete;
mod dump;
mod exists;
mod expire;
mod object;
mod relocate;
mod scan;
mod sort;
mod ttl;
mod wait;
mod walk;

pub(crate) use dump::compression;
pub(crate) use scan::parse_cursor;

pub(crate) const COMMANDS: &[&[Command]] = &[
    delete::COMMANDS,
    dump::COMMANDS,
    exists::COMMANDS,
    expire::COMMANDS,
    object::COMMANDS,
    relocate::COMMANDS,
    scan::COMMANDS,
    sort::COMMANDS,
    ttl::COMMANDS,
    wait::COMMANDS,
];

/// Tips of a command whose keys may be spread over nodes, which each count their own.
const COUNTED_PER_SHARD: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
