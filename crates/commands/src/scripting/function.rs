//! FUNCTION: the libraries that the server has.

use larder_engine::{Kill, Libraries};

use super::function_payload::{dump, restore};
use super::function_report::{list, stats};
use super::{is_flush_mode, library};
use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[FUNCTION];

const FUNCTION: Command = Command {
    name: "function",
    summary: "Tells of the libraries of functions that the server has, and changes which they are.",
    group: Group::Scripting,
    since: "7.0.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[
        DELETE,
        DUMP,
        FLUSH,
        Command { group: Group::Scripting, since: "7.0.0", ..help::HELP },
        KILL,
        LIST,
        LOAD,
        RESTORE,
        STATS,
    ],
    ..Command::PLAIN
};

const PLAIN: Command =
    Command { group: Group::Scripting, since: "7.0.0", flags: Flags::NO_SCRIPT, ..Command::PLAIN };

/// On every shard, all of which must succeed.
const ON_ALL: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

const DELETE: Command = Command {
    name: "delete",
    syntax: "library-name",
    summary: "Removes a library with its functions.",
    complexity: "O(N) where N is the number of functions that stay",
    arity: Arity::Exactly(3),
    flags: PLAIN.flags.and(Flags::WRITE),
    tips: ON_ALL,
    run: delete,
    ..PLAIN
};

const DUMP: Command = Command {
    name: "dump",
    summary: "Returns all libraries as bytes, from which FUNCTION RESTORE makes them again.",
    complexity: "O(N) where N is the length of the libraries",
    arity: Arity::Exactly(2),
    run: dump,
    ..PLAIN
};

const FLUSH: Command = Command {
    name: "flush",
    syntax: "[ASYNC | SYNC]",
    summary: "Removes all libraries.",
    complexity: "O(N) where N is the number of functions",
    arity: Arity::AtLeast(2),
    flags: PLAIN.flags.and(Flags::WRITE),
    tips: ON_ALL,
    run: flush,
    ..PLAIN
};

const KILL: Command = Command {
    name: "kill",
    summary: "Ends the function that is running, unless it has changed keys.",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: PLAIN.flags.and(Flags::ALLOW_BUSY),
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    run: kill,
    ..PLAIN
};

const LIST: Command = Command {
    name: "list",
    syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
    summary: "Returns all libraries with their functions.",
    complexity: "O(N) where N is the number of functions",
    arity: Arity::AtLeast(2),
    tips: &["nondeterministic_output_order"],
    run: list,
    ..PLAIN
};

const LOAD: Command = Command {
    name: "load",
    syntax: "[REPLACE] function-code",
    summary: "Adds a library, and returns its name.",
    complexity: "That of the library",
    arity: Arity::AtLeast(3),
    flags: PLAIN.flags.and(Flags::WRITE).and(Flags::DENY_OOM),
    tips: ON_ALL,
    run: load,
    ..PLAIN
};

const RESTORE: Command = Command {
    name: "restore",
    syntax: "serialized-value [FLUSH | APPEND | REPLACE]",
    summary: "Adds the libraries that FUNCTION DUMP has returned.",
    complexity: "That of the libraries",
    arity: Arity::AtLeast(3),
    flags: PLAIN.flags.and(Flags::WRITE).and(Flags::DENY_OOM),
    tips: ON_ALL,
    run: restore,
    ..PLAIN
};

const STATS: Command = Command {
    name: "stats",
    summary: "Tells which function is running, and how many there are.",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: PLAIN.flags.and(Flags::ALLOW_BUSY),
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    run: stats,
    ..PLAIN
};

fn delete(cx: &mut Context<'_>) -> CommandResult {
    let name = cx.args.at(2);
    cx.node.scripts.change_libraries(|libraries| {
        let mut libraries = libraries.clone();
        let removed = libraries.remove(name);
        removed.then_some(libraries).ok_or(CommandError::line("ERR Library not found"))
    })?;
    cx.log_request();
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn flush(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 3 {
        return Err(CommandError::subcommand_syntax(cx.args));
    }
    if cx.args.find(2).is_some_and(|word| !is_flush_mode(word)) {
        return Err(CommandError::line("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    cx.node.scripts.change_libraries(|_| Ok::<_, CommandError>(Libraries::default()))?;
    cx.log_request();
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn kill(cx: &mut Context<'_>) -> CommandResult {
    cx.node.programs.end(Kill::Function)?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn load(cx: &mut Context<'_>) -> CommandResult {
    let last = cx.args.len() - 1;
    let mut replace = false;
    for option in (2..last).map(|index| cx.args.at(index)) {
        if !is_word(option, "replace") {
            let option = String::from_utf8_lossy(option);
            return Err(CommandError::Line(format!("ERR Unknown option given: {option}").into()));
        }
        replace = true;
    }
    let present = cx.node.scripts.libraries();
    let library = library::read(cx, cx.args.at(last), |name| !replace && present.library(name).is_some())?;
    let name = library.name.clone();
    cx.node.scripts.change_libraries(|libraries| {
        // Another worker may have loaded one meanwhile.
        if !replace && libraries.library(&library.name).is_some() {
            return Err(library::exists(&library.name));
        }
        let mut libraries = libraries.clone();
        libraries.insert(library).map_err(|function| function_exists(&function))?;
        Ok(libraries)
    })?;
    cx.log_request();
    cx.reply.bulk(&name);
    Ok(Outcome::Reply)
}

/// What is said of a function that another library has.
pub(super) fn function_exists(name: &[u8]) -> CommandError {
    CommandError::Line(format!("ERR Function {} already exists", String::from_utf8_lossy(name)).into())
}
