//! Scripts and functions: EVAL and its kin, SCRIPT, FCALL, FUNCTION.

mod call;
mod evaluate;
mod function;
mod function_payload;
mod function_report;
mod interpreters;
mod library;
mod program;
mod script;

use larder_engine::OUT_OF_MEMORY;
use larder_lua::ScriptFlags;

use crate::prelude::*;

pub(crate) const COMMANDS: &[&[Command]] =
    &[evaluate::COMMANDS, call::COMMANDS, script::COMMANDS, function::COMMANDS];

/// What runs a program has in common.
const RUNS: Command = Command {
    group: Group::Scripting,
    arity: Arity::AtLeast(3),
    keys: &[KeySpec {
        notes: "What the keys are used for cannot be told, so the most is assumed.",
        ..KeySpec::counted(2, 1, Access::READ_AND_UPDATE)
    }],
    flags: PROGRAM_FLAGS.and(Flags::MAY_REPLICATE),
    ..Command::PLAIN
};

/// The same of those that only read.
const READS: Command = Command {
    since: "7.0.0",
    keys: &[KeySpec::counted(2, 1, Access::READ)],
    flags: PROGRAM_FLAGS.and(Flags::READONLY),
    ..RUNS
};

const PROGRAM_FLAGS: Flags = Flags::NO_SCRIPT
    .and(Flags::SKIP_MONITOR)
    .and(Flags::NO_MANDATORY_KEYS)
    .and(Flags::STALE)
    .and(Flags::RUNS_PROGRAM);

/// Whether what is run may change keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    ReadWrite,
    ReadOnly,
}

/// Whether a script or function may need memory, by what it declares; refuses one that does where there is none. A script without
/// declarations may run as far as its first command that needs memory.
fn may_grow(cx: &Context<'_>, flags: Option<ScriptFlags>) -> Result<bool, CommandError> {
    let exempt = |flags: ScriptFlags| flags.has(ScriptFlags::ALLOW_OOM) || flags.has(ScriptFlags::NO_WRITES);
    match flags {
        _ if cx.settings.maxmemory == 0 || !cx.node.is_short_of_memory() => Ok(true),
        None => Ok(false),
        Some(flags) if exempt(flags) => Ok(flags.has(ScriptFlags::ALLOW_OOM)),
        Some(_) => Err(OUT_OF_MEMORY),
    }
}

/// Reads how many of the arguments from the fourth on are keys.
fn key_count(args: Args<'_>, count: Option<i64>, not_a_number: CommandError) -> Result<usize, CommandError> {
    let count = count.ok_or(not_a_number)?;
    if count > (args.len() - 3) as i64 {
        return Err(CommandError::line("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(count).map_err(|_| CommandError::line("ERR Number of keys can't be negative"))
}

/// What a program that writes is told where only reading is allowed.
const WRITES_FROM_READ_ONLY: CommandError =
    CommandError::line("ERR Can not execute a script with write flag using *_ro command.");

/// The word for a way to flush, which makes no difference: what is large is freed elsewhere always.
fn is_flush_mode(word: &[u8]) -> bool {
    is_word(word, "sync") || is_word(word, "async")
}
