//! EXISTS, TOUCH and TYPE: what can be said of keys without their values.

use larder_store::Touch;

use super::COUNTED_PER_SHARD;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[EXISTS, TOUCH, TYPE];

const EXISTS: Command = Command {
    name: "exists",
    syntax: "key [key ...]",
    summary: "Counts how many of the keys exist; a key given twice counts twice.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::all(Access::INSPECT)],
    flags: Flags::READONLY.and(Flags::FAST),
    tips: COUNTED_PER_SHARD,
    history: &[("3.0.3", "Takes several keys.")],
    run: exists,
    ..Command::PLAIN
};

const TOUCH: Command = Command {
    name: "touch",
    summary: "Counts how many of the keys exist, and counts as a use of them.",
    since: "3.2.1",
    history: &[],
    run: touch,
    ..EXISTS
};

const TYPE: Command = Command {
    name: "type",
    syntax: "key",
    summary: "Names the type of the value of a key.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::INSPECT)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: value_type,
    ..Command::PLAIN
};

fn exists(cx: &mut Context<'_>) -> CommandResult {
    count(cx, Touch::No)
}

fn touch(cx: &mut Context<'_>) -> CommandResult {
    // Whatever CLIENT NO-TOUCH says: this is what the command is for.
    count(cx, Touch::Yes)
}

fn count(cx: &mut Context<'_>, touch: Touch) -> CommandResult {
    let mut db = cx.lock_touching(touch)?;
    let found = cx.keys().filter(|key| db.read(*key).is_some()).count();
    cx.reply.unsigned(found as u64);
    Ok(Outcome::Reply)
}

fn value_type(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock_touching(Touch::No)?;
    cx.reply.simple(db.read(cx.key(0)).map_or("none", |entry| entry.value_type().name()));
    Ok(Outcome::Reply)
}
