//! REPLICAOF and ROLE: the node's part in replication, which is to be on its own.

use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[REPLICAOF, ROLE, SLAVEOF];

const REPLICAOF: Command = Command {
    name: "replicaof",
    syntax: "<host port | NO ONE>",
    summary: "Makes the node a replica of another, or none; only the latter is possible yet.",
    group: Group::Server,
    since: "5.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    flags: Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::STALE).and(Flags::NO_ASYNC_LOADING),
    run: replicaof,
    ..Command::PLAIN
};

const SLAVEOF: Command =
    Command { name: "slaveof", since: "1.0.0", deprecated: Some(("5.0.0", "`REPLICAOF`")), ..REPLICAOF };

const ROLE: Command = Command {
    name: "role",
    summary: "Tells the node's part in replication.",
    group: Group::Server,
    since: "2.8.12",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    flags: Flags::NO_SCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST),
    acl: &["admin", "dangerous"],
    run: role,
    ..Command::PLAIN
};

fn replicaof(cx: &mut Context<'_>) -> CommandResult {
    if !(is_word(cx.args.at(1), "no") && is_word(cx.args.at(2), "one")) {
        let port = larder_store::parse_integer(cx.args.at(2));
        if port.is_none_or(|port| !(0..=65_535).contains(&port)) {
            return Err(CommandError::line("ERR Invalid master port"));
        }
        return Err(CommandError::line("ERR this version of Larder cannot be a replica of another node"));
    }
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn role(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.array(3);
    cx.reply.bulk(b"master");
    cx.reply.integer(0);
    cx.reply.array(0);
    Ok(Outcome::Reply)
}
