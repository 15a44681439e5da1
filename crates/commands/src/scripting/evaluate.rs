//! EVAL, EVALSHA, EVAL_RO and EVALSHA_RO: scripts that clients bring along, or name by their digests.

use std::sync::Arc;

use larder_engine::{Kill, Launch, Node, RunningProgram, Script, ScriptOrigin};
use larder_lua::{ScriptDigest, ScriptFlags, Start, script_header};

use super::interpreters::Interpreters;
use super::program::ScriptProgram;
use super::{Mode, READS, RUNS, WRITES_FROM_READ_ONLY, key_count, may_grow};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[EVAL, EVALSHA, EVAL_RO, EVALSHA_RO];

const EVAL: Command = Command {
    name: "eval",
    syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
    summary: "Runs a script.",
    since: "2.6.0",
    complexity: "That of the script",
    only_reads: source_only_reads,
    run: |cx| run_source(cx, Mode::ReadWrite),
    ..RUNS
};

const EVALSHA: Command = Command {
    name: "evalsha",
    syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
    summary: "Runs a script that the server has already, named by its SHA-1.",
    since: "2.6.0",
    complexity: "That of the script",
    only_reads: digest_only_reads,
    run: |cx| run_digest(cx, Mode::ReadWrite),
    ..RUNS
};

const EVAL_RO: Command = Command {
    name: "eval_ro",
    syntax: EVAL.syntax,
    summary: "Runs a script that changes no keys.",
    complexity: "That of the script",
    run: |cx| run_source(cx, Mode::ReadOnly),
    ..READS
};

const EVALSHA_RO: Command = Command {
    name: "evalsha_ro",
    syntax: EVALSHA.syntax,
    summary: "Runs a script that changes no keys, and that the server has already, named by its SHA-1.",
    complexity: "That of the script",
    run: |cx| run_digest(cx, Mode::ReadOnly),
    ..READS
};

/// Whether a script says that it changes no keys.
fn reads_by_flags(flags: Option<ScriptFlags>) -> bool {
    flags.is_some_and(|flags| flags.has(ScriptFlags::NO_WRITES))
}

fn source_only_reads(_: &Node, args: Args<'_>) -> bool {
    args.find(1).is_some_and(|source| script_header(source).is_ok_and(|header| reads_by_flags(header.flags)))
}

fn digest_only_reads(node: &Node, args: Args<'_>) -> bool {
    let digest = args.find(1).and_then(ScriptDigest::parse);
    let script = digest.and_then(|digest| node.scripts.script(digest));
    script.is_some_and(|script| reads_by_flags(script.flags))
}

/// What is said of a digest that no script has.
pub(super) const NO_SCRIPT: CommandError =
    CommandError::line("NOSCRIPT No matching script. Please use EVAL.");

fn run_source(cx: &mut Context<'_>, mode: Mode) -> CommandResult {
    let keys = script_keys(cx)?;
    let source = cx.args.at(1);
    let digest = ScriptDigest::of(source);
    let script = match cx.node.scripts.script(digest) {
        Some(script) => script,
        None => add(cx, digest, source, ScriptOrigin::Eval)?,
    };
    run(cx, &script, keys, mode)
}

fn run_digest(cx: &mut Context<'_>, mode: Mode) -> CommandResult {
    let digest = cx.args.at(1);
    if digest.len() != 40 {
        return Err(NO_SCRIPT);
    }
    let keys = script_keys(cx)?;
    let script = ScriptDigest::parse(digest).and_then(|digest| cx.node.scripts.script(digest));
    let script = script.ok_or(NO_SCRIPT)?;
    run(cx, &script, keys, mode)
}

fn script_keys(cx: &Context<'_>) -> Result<usize, CommandError> {
    key_count(cx.args, cx.args.integer(2).ok(), CommandError::NotAnInteger)
}

/// Adds a script to those that the server has, if it can be compiled.
pub(super) fn add(
    cx: &mut Context<'_>,
    digest: ScriptDigest,
    source: &[u8],
    origin: ScriptOrigin,
) -> Result<Arc<Script>, CommandError> {
    let header = script_header(source).map_err(|fault| CommandError::Line(format!("ERR {fault}").into()))?;
    let (body_at, flags) = (source.len() - header.body.len(), header.flags);
    let node = cx.share_node();
    let mut interpreter = cx.belongings::<Interpreters>().take(&node)?;
    let loaded = interpreter.load(digest, header.body);
    cx.belongings::<Interpreters>().put_back(interpreter);
    loaded?;
    let script = Script { digest, source: source.into(), body_at, flags };
    Ok(cx.node.scripts.add_script(script, origin))
}

fn run(cx: &mut Context<'_>, script: &Script, keys: usize, mode: Mode) -> CommandResult {
    let writes = !reads_by_flags(script.flags);
    if mode == Mode::ReadOnly && script.flags.is_some() && writes {
        return Err(WRITES_FROM_READ_ONLY);
    }
    let grows = may_grow(cx, script.flags)?;
    let token = cx.claim_program()?;
    let node = cx.share_node();
    let home = cx.belongings::<Interpreters>();
    let mut interpreter = home.take(&node)?;
    interpreter.load(script.digest, &script.source[script.body_at..])?;
    let name = script.digest.hex();
    let args = cx.args;
    let start = Start {
        keys: (3..3 + keys).map(|index| args.at(index)),
        arguments: (3 + keys..args.len()).map(|index| args.at(index)),
        protocol: cx.reply.protocol,
        name: &name,
    };
    let writes = writes && mode == Mode::ReadWrite;
    let program = ScriptProgram::new(node, cx.settings.loglevel, writes, grows);
    let program = interpreter.start_script(script.digest, start, program)?;
    // FUNCTION STATS tells of functions only.
    token.tell(|| RunningProgram { ended_by: Kill::Script, name: Vec::new(), request: Vec::new() });
    Ok(Outcome::Program(Launch::new(program, token)))
}
