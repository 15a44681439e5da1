//! SLOWLOG and COMMANDLOG: commands that took long, or had a large request or reply.

use larder_engine::{LogKind, LoggedCommand};

use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[COMMANDLOG, SLOWLOG];

const SLOWLOG: Command = Command {
    name: "slowlog",
    summary: "Tells which commands took long.",
    group: Group::Server,
    since: "2.2.12",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[
        SLOWLOG_GET,
        Command { group: Group::Server, since: "6.2.0", ..help::HELP },
        SLOWLOG_LEN,
        SLOWLOG_RESET,
    ],
    ..Command::PLAIN
};

const SLOWLOG_GET: Command = Command {
    name: "get",
    syntax: "[count]",
    summary: "Returns the latest slow commands, 10 unless told otherwise, all for -1: for each its number, when it ended,\n\
              the microseconds that it took, its arguments, the client's address and name.",
    group: Group::Server,
    since: "2.2.12",
    complexity: "O(N) where N is the number of entries returned",
    arity: Arity::AtLeast(2),
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    history: &[("4.0.0", "Added the client's address and name.")],
    run: slowlog_get,
    ..Command::PLAIN
};

const SLOWLOG_LEN: Command = Command {
    name: "len",
    summary: "Returns how many slow commands are kept.",
    group: Group::Server,
    since: "2.2.12",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    run: slowlog_len,
    ..Command::PLAIN
};

const SLOWLOG_RESET: Command = Command {
    name: "reset",
    summary: "Forgets the slow commands.",
    group: Group::Server,
    since: "2.2.12",
    complexity: "O(N) where N is the number of entries",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: slowlog_reset,
    ..Command::PLAIN
};

const COMMANDLOG: Command = Command {
    name: "commandlog",
    summary: "Tells which commands took long, or had a large request or reply.",
    group: Group::Server,
    since: "8.1.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[
        Command {
            syntax: "count <SLOW | LARGE-REQUEST | LARGE-REPLY>",
            summary: "Returns the latest commands of a log, all for -1: for each its number, when it ended, the microseconds\n\
                      or bytes that it took, its arguments, the client's address and name.",
            since: "8.1.0",
            arity: Arity::Exactly(4),
            history: &[],
            run: commandlog_get,
            ..SLOWLOG_GET
        },
        Command { group: Group::Server, since: "8.1.0", ..help::HELP },
        Command {
            syntax: "<SLOW | LARGE-REQUEST | LARGE-REPLY>",
            summary: "Returns how many commands a log keeps.",
            since: "8.1.0",
            arity: Arity::Exactly(3),
            run: commandlog_len,
            ..SLOWLOG_LEN
        },
        Command {
            syntax: "<SLOW | LARGE-REQUEST | LARGE-REPLY>",
            summary: "Forgets the commands of a log.",
            since: "8.1.0",
            arity: Arity::Exactly(3),
            run: commandlog_reset,
            ..SLOWLOG_RESET
        },
    ],
    ..Command::PLAIN
};

const FLAGS: Flags = Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE);

/// Entries that SLOWLOG GET returns when it is not told how many.
const COUNT: usize = 10;

const COUNT_REFUSED: CommandError = CommandError::line("ERR count should be greater than or equal to -1");

fn slowlog_get(cx: &mut Context<'_>) -> CommandResult {
    let count = match cx.args.len() {
        2 => COUNT,
        3 => count(cx.args.at(2))?,
        _ => return Err(CommandError::subcommand_syntax(cx.args)),
    };
    get(cx, LogKind::Slow, count)
}

fn slowlog_len(cx: &mut Context<'_>) -> CommandResult {
    len(cx, LogKind::Slow)
}

fn slowlog_reset(cx: &mut Context<'_>) -> CommandResult {
    reset(cx, LogKind::Slow)
}

fn commandlog_get(cx: &mut Context<'_>) -> CommandResult {
    let count = count(cx.args.at(2))?;
    get(cx, kind(cx.args.at(3))?, count)
}

fn commandlog_len(cx: &mut Context<'_>) -> CommandResult {
    len(cx, kind(cx.args.at(2))?)
}

fn commandlog_reset(cx: &mut Context<'_>) -> CommandResult {
    reset(cx, kind(cx.args.at(2))?)
}

fn kind(name: &[u8]) -> Result<LogKind, CommandError> {
    let kinds = [
        ("slow", LogKind::Slow),
        ("large-request", LogKind::LargeRequest),
        ("large-reply", LogKind::LargeReply),
    ];
    let found = kinds.into_iter().find(|(known, _)| is_word(name, known));
    found.map(|(_, kind)| kind).ok_or(CommandError::line(
        "ERR type should be one of the following: slow, large-request, large-reply",
    ))
}

/// How many entries are wanted; -1 is all.
fn count(argument: &[u8]) -> Result<usize, CommandError> {
    match larder_store::parse_integer(argument).ok_or(COUNT_REFUSED)? {
        -1 => Ok(usize::MAX),
        count => usize::try_from(count).map_err(|_| COUNT_REFUSED),
    }
}

fn get(cx: &mut Context<'_>, kind: LogKind, count: usize) -> CommandResult {
    let entries = cx.node.command_logs.latest(kind, count, cx.settings);
    cx.reply.array(entries.len());
    for LoggedCommand { id, at, amount, args, address, name } in &entries {
        cx.reply.array(6);
        cx.reply.unsigned(*id);
        cx.reply.integer(at.0 / 1000);
        cx.reply.unsigned(*amount);
        cx.reply.array(args.len());
        args.iter().for_each(|argument| cx.reply.bulk(argument));
        cx.reply.bulk(address.as_bytes());
        cx.reply.bulk(name.as_bytes());
    }
    Ok(Outcome::Reply)
}

fn len(cx: &mut Context<'_>, kind: LogKind) -> CommandResult {
    cx.reply.integer(cx.node.command_logs.len(kind, cx.settings) as i64);
    Ok(Outcome::Reply)
}

fn reset(cx: &mut Context<'_>, kind: LogKind) -> CommandResult {
    cx.node.command_logs.clear(kind);
    cx.reply.ok();
    Ok(Outcome::Reply)
}
