//! COMMAND GETKEYS and GETKEYSANDFLAGS: the keys of a request, for clients that do not want to know where they are.

use larder_engine::Row;

use super::FLAGS;
use super::info::words;
use crate::prelude::*;

pub(super) const GETKEYS: Command = Command {
    name: "getkeys",
    syntax: "command [arg [arg ...]]",
    summary: "Returns the keys of a request.",
    group: Group::Server,
    since: "2.8.13",
    complexity: "O(N) where N is the number of arguments",
    arity: Arity::AtLeast(3),
    flags: FLAGS,
    acl: super::ACL,
    run: getkeys,
    ..Command::PLAIN
};

pub(super) const GETKEYSANDFLAGS: Command = Command {
    name: "getkeysandflags",
    syntax: "command [arg [arg ...]]",
    summary: "Returns the keys of a request, each with what happens to it.",
    group: Group::Server,
    since: "7.0.0",
    complexity: "O(N) where N is the number of arguments",
    arity: Arity::AtLeast(3),
    flags: FLAGS,
    acl: super::ACL,
    run: getkeysandflags,
    ..Command::PLAIN
};

fn getkeys(cx: &mut Context<'_>) -> CommandResult {
    let keys = keys(cx)?;
    cx.reply.array(keys.len());
    for (key, _) in keys {
        cx.reply.bulk(key);
    }
    Ok(Outcome::Reply)
}

fn getkeysandflags(cx: &mut Context<'_>) -> CommandResult {
    let keys = keys(cx)?;
    cx.reply.array(keys.len());
    for (key, access) in keys {
        cx.reply.array(2);
        cx.reply.bulk(key);
        words(&mut cx.reply, &access.names().collect::<Vec<_>>());
    }
    Ok(Outcome::Reply)
}

/// The keys of the request that begins at the third argument.
fn keys<'a>(cx: &Context<'a>) -> Result<Vec<(&'a [u8], Access)>, CommandError> {
    let request = cx.args.starting_at(2);
    let command = row(cx, request).ok_or(CommandError::line("ERR Invalid command specified"))?.command;
    if command.keys.is_empty() {
        return Err(CommandError::line("ERR The command has no key arguments"));
    }
    if !command.arity.accepts(request.len()) {
        return Err(CommandError::line("ERR Invalid number of arguments specified for command"));
    }
    let mut keys = Vec::new();
    for spec in command.keys {
        match spec.indices(request) {
            Ok(indices) => keys.extend(indices.map(|index| (request.at(index), spec.access_in(request)))),
            Err(_) if command.flags.has(Flags::NO_MANDATORY_KEYS) => {}
            Err(_) => return Err(CommandError::line("ERR Invalid arguments specified for command")),
        }
    }
    Ok(keys)
}

/// The row that a request names, subcommand included.
fn row<'a>(cx: &Context<'a>, request: Args<'_>) -> Option<&'a Row> {
    let table = &cx.node.table;
    let row = table.find(request.at(0))?;
    match request.find(1) {
        Some(name) if !row.command.subcommands.is_empty() => table.find_subcommand(row, name),
        _ => Some(row),
    }
}
