//! CLIENT CACHING, GETREDIR and TRACKINGINFO: what they answer to a client that has nothing tracked.

use super::FLAGS;
use crate::prelude::*;

pub(super) const CACHING: Command = Command {
    name: "caching",
    syntax: "<YES | NO>",
    summary: "Says whether the keys of the next command are tracked; is refused, for nothing is.",
    group: Group::Connection,
    since: "6.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    flags: FLAGS,
    run: caching,
    ..Command::PLAIN
};

pub(super) const GETREDIR: Command = Command {
    name: "getredir",
    syntax: "",
    summary: "Returns the number of the client to which invalidations are sent; -1 while nothing is tracked.",
    arity: Arity::Exactly(2),
    flags: FLAGS.and(Flags::ALLOW_BUSY),
    run: getredir,
    ..CACHING
};

pub(super) const TRACKINGINFO: Command = Command {
    name: "trackinginfo",
    syntax: "",
    summary: "Tells what is tracked for the client: nothing.",
    since: "6.2.0",
    arity: Arity::Exactly(2),
    run: trackinginfo,
    ..CACHING
};

fn caching(_: &mut Context<'_>) -> CommandResult {
    Err(CommandError::line(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))
}

fn getredir(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(-1);
    Ok(Outcome::Reply)
}

fn trackinginfo(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.map(3);
    cx.reply.bulk(b"flags");
    cx.reply.set(1);
    cx.reply.bulk(b"off");
    cx.reply.bulk(b"redirect");
    cx.reply.integer(-1);
    cx.reply.bulk(b"prefixes");
    cx.reply.array(0);
    Ok(Outcome::Reply)
}
