//! MEMORY: what keys cost.

use larder_store::Touch;

use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[MEMORY];

const MEMORY: Command = Command {
    name: "memory",
    summary: "Tells where memory goes.",
    group: Group::Server,
    since: "4.0.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[Command { group: Group::Server, since: "4.0.0", ..help::HELP }, USAGE],
    ..Command::PLAIN
};

const USAGE: Command = Command {
    name: "usage",
    syntax: "key [SAMPLES count]",
    summary: "Returns the bytes of memory that a key takes with its value and its place in the table.",
    group: Group::Server,
    since: "4.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::at(2, Access::INSPECT)],
    flags: Flags::READONLY,
    acl: &["read"],
    run: usage,
    ..Command::PLAIN
};

/// Bytes of the slot that leads to an entry.
const SLOT_BYTES: usize = 8;

fn usage(cx: &mut Context<'_>) -> CommandResult {
    check_samples(cx.args.from(3))?;

    let mut db = cx.lock_touching(Touch::No)?;
    match db.inspect(cx.key(0)) {
        Some(entry) => cx.reply.integer((entry.memory_bytes() + SLOT_BYTES) as i64),
        None => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}

/// How many elements to look at is of no interest: a value's bytes are known.
fn check_samples(mut words: ArgsFrom<'_>) -> Result<(), CommandError> {
    while let Some(word) = words.next() {
        if !is_word(word, "samples") || words.integer()? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    Ok(())
}
