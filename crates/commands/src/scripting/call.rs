//! FCALL and FCALL_RO: functions of libraries.

use larder_engine::{Kill, Launch, Node, RunningProgram};
use larder_lua::{ScriptFlags, Start};
use larder_store::parse_integer;

use super::interpreters::Interpreters;
use super::program::ScriptProgram;
use super::{Mode, READS, RUNS, WRITES_FROM_READ_ONLY, key_count, library, may_grow};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[FCALL, FCALL_RO];

const FCALL: Command = Command {
    name: "fcall",
    syntax: "function numkeys [key [key ...]] [arg [arg ...]]",
    summary: "Calls a function.",
    since: "7.0.0",
    complexity: "That of the function",
    only_reads,
    run: |cx| call(cx, Mode::ReadWrite),
    ..RUNS
};

const FCALL_RO: Command = Command {
    name: "fcall_ro",
    syntax: FCALL.syntax,
    summary: "Calls a function that changes no keys.",
    complexity: "That of the function",
    run: |cx| call(cx, Mode::ReadOnly),
    ..READS
};

/// Whether a function says that it changes no keys.
fn only_reads(node: &Node, args: Args<'_>) -> bool {
    let libraries = node.scripts.libraries();
    let function = args.find(1).and_then(|name| libraries.function(name));
    function.is_some_and(|(_, function)| function.flags.has(ScriptFlags::NO_WRITES))
}

fn call(cx: &mut Context<'_>, mode: Mode) -> CommandResult {
    let name = cx.args.at(1);
    let libraries = cx.node.scripts.libraries();
    let (library, function) = libraries.function(name).ok_or(CommandError::line("ERR Function not found"))?;
    let keys = key_count(
        cx.args,
        parse_integer(cx.args.at(2)),
        CommandError::line("ERR Bad number of keys provided"),
    )?;
    let writes = !function.flags.has(ScriptFlags::NO_WRITES);
    if mode == Mode::ReadOnly && writes {
        return Err(WRITES_FROM_READ_ONLY);
    }
    let grows = may_grow(cx, Some(function.flags))?;
    let token = cx.claim_program()?;
    let node = cx.share_node();
    let interpreter = cx.belongings::<Interpreters>().take(&node)?;
    let interpreter = library::ready(cx, interpreter, library)?;
    let args = cx.args;
    let start = Start {
        keys: (3..3 + keys).map(|index| args.at(index)),
        arguments: (3 + keys..args.len()).map(|index| args.at(index)),
        protocol: cx.reply.protocol,
        name: &function.name,
    };
    let program = ScriptProgram::new(node, cx.settings.loglevel, writes, grows);
    let program = interpreter.start_function(library, start, program)?;
    token.tell(|| RunningProgram {
        ended_by: Kill::Function,
        name: function.name.clone(),
        request: args.iter().map(<[u8]>::to_vec).collect(),
    });
    Ok(Outcome::Program(Launch::new(program, token)))
}
