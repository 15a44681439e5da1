//! SCRIPT: the scripts that the server has.

use larder_engine::{Kill, ScriptOrigin};
use larder_lua::ScriptDigest;

use super::evaluate::{NO_SCRIPT, add};
use super::is_flush_mode;
use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[SCRIPT];

const SCRIPT: Command = Command {
    name: "script",
    summary: "Tells of the scripts that the server has, and changes which they are.",
    group: Group::Scripting,
    since: "2.6.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[DEBUG, EXISTS, FLUSH, Command { group: Group::Scripting, ..help::HELP }, KILL, LOAD, SHOW],
    ..Command::PLAIN
};

const PLAIN: Command =
    Command { group: Group::Scripting, since: "2.6.0", flags: Flags::NO_SCRIPT, ..Command::PLAIN };

const DEBUG: Command = Command {
    name: "debug",
    syntax: "<YES | SYNC | NO>",
    summary: "Says whether the client's scripts are to be debugged, for which there is no debugger here.",
    since: "3.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    run: debug,
    ..PLAIN
};

const EXISTS: Command = Command {
    name: "exists",
    syntax: "sha1 [sha1 ...]",
    summary: "Tells which scripts the server has, named by their SHA-1.",
    complexity: "O(N) where N is the number of scripts asked for",
    arity: Arity::AtLeast(3),
    tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
    run: exists,
    ..PLAIN
};

const FLUSH: Command = Command {
    name: "flush",
    syntax: "[ASYNC | SYNC]",
    summary: "Forgets all scripts.",
    complexity: "O(N) where N is the number of scripts",
    arity: Arity::AtLeast(2),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    history: &[("6.2.0", "Added the options ASYNC and SYNC.")],
    run: flush,
    ..PLAIN
};

const KILL: Command = Command {
    name: "kill",
    summary: "Ends the script that is running, unless it has changed keys.",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: PLAIN.flags.and(Flags::ALLOW_BUSY),
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    run: kill,
    ..PLAIN
};

const LOAD: Command = Command {
    name: "load",
    syntax: "script",
    summary: "Keeps a script for EVALSHA, and returns its SHA-1.",
    complexity: "O(N) where N is the length of the script",
    arity: Arity::Exactly(3),
    flags: PLAIN.flags.and(Flags::STALE),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: load,
    ..PLAIN
};

const SHOW: Command = Command {
    name: "show",
    syntax: "sha1",
    summary: "Returns the source of a script.",
    since: "8.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    run: show,
    ..PLAIN
};

fn debug(cx: &mut Context<'_>) -> CommandResult {
    let mode = cx.args.at(2);
    if is_word(mode, "no") {
        cx.reply.ok();
        return Ok(Outcome::Reply);
    }
    Err(if is_word(mode, "yes") || is_word(mode, "sync") {
        CommandError::line("ERR There is no debugger for scripts")
    } else {
        CommandError::line("ERR Use SCRIPT DEBUG YES/SYNC/NO")
    })
}

fn exists(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.array(cx.args.len() - 2);
    for digest in cx.args.iter().skip(2) {
        let exists = ScriptDigest::parse(digest).is_some_and(|digest| cx.node.scripts.has_script(digest));
        cx.reply.integer(exists.into());
    }
    Ok(Outcome::Reply)
}

fn flush(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 3 || cx.args.find(2).is_some_and(|word| !is_flush_mode(word)) {
        return Err(CommandError::line("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    cx.node.scripts.flush_scripts();
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn kill(cx: &mut Context<'_>) -> CommandResult {
    cx.node.programs.end(Kill::Script)?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn load(cx: &mut Context<'_>) -> CommandResult {
    let source = cx.args.at(2);
    let script = add(cx, ScriptDigest::of(source), source, ScriptOrigin::Load)?;
    cx.reply.bulk(&script.digest.hex());
    Ok(Outcome::Reply)
}

fn show(cx: &mut Context<'_>) -> CommandResult {
    let script = ScriptDigest::parse(cx.args.at(2)).and_then(|digest| cx.node.scripts.script(digest));
    cx.reply.bulk(&script.ok_or(NO_SCRIPT)?.source);
    Ok(Outcome::Reply)
}
