//! CLIENT PAUSE, UNPAUSE and UNBLOCK: keeping clients waiting, and ending their waiting.

use larder_engine::{Paused, Waiting};

use super::FLAGS;
use crate::prelude::*;
use crate::timeout;

pub(super) const PAUSE: Command = Command {
    name: "pause",
    syntax: "timeout:integer [WRITE | ALL]",
    summary: "Keeps clients waiting for so many milliseconds: all of them, or those that want to write.",
    group: Group::Connection,
    since: "3.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    flags: FLAGS.and(Flags::ADMIN),
    history: &[("6.2.0", "Added the options WRITE and ALL.")],
    run: pause,
    ..Command::PLAIN
};

pub(super) const UNPAUSE: Command = Command {
    name: "unpause",
    summary: "Has the clients go on that CLIENT PAUSE keeps waiting.",
    group: Group::Connection,
    since: "6.2.0",
    complexity: "O(N) where N is the number of clients",
    arity: Arity::Exactly(2),
    flags: FLAGS.and(Flags::ADMIN),
    run: unpause,
    ..Command::PLAIN
};

pub(super) const UNBLOCK: Command = Command {
    name: "unblock",
    syntax: "client-id [TIMEOUT | ERROR]",
    summary: "Ends the waiting of a client in a blocking command: as if its time were over, or with an error.",
    group: Group::Connection,
    since: "5.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    flags: FLAGS.and(Flags::ADMIN),
    run: unblock,
    ..Command::PLAIN
};

fn pause(cx: &mut Context<'_>) -> CommandResult {
    let paused = match cx.args.len() {
        3 => Paused::All,
        4 if is_word(cx.args.at(3), "all") => Paused::All,
        4 if is_word(cx.args.at(3), "write") => Paused::Writes,
        4 => return Err(CommandError::line("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(CommandError::subcommand_syntax(cx.args)),
    };
    let until = timeout::deadline(cx.args.at(2), cx.now())?.unwrap_or(cx.now());

    cx.node.pause.begin(paused, until, cx.now());
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn unpause(cx: &mut Context<'_>) -> CommandResult {
    cx.node.end_pause();
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn unblock(cx: &mut Context<'_>) -> CommandResult {
    let by = match (cx.args.len(), cx.args.find(3)) {
        (3, _) => Waiting::TimedOut,
        (4, Some(word)) if is_word(word, "timeout") => Waiting::TimedOut,
        (4, Some(word)) if is_word(word, "error") => Waiting::Refused,
        (4, _) => return Err(CommandError::line("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(CommandError::subcommand_syntax(cx.args)),
    };
    let id = cx.args.integer(2)?;

    let client = u64::try_from(id).ok().and_then(|id| cx.node.clients.get(&id));
    let ended = client.is_some_and(|client| client.unblock(by));
    cx.reply.integer(i64::from(ended));
    Ok(Outcome::Reply)
}
