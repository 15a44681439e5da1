//! DEL and UNLINK. They are the same here: what takes long to free is freed in the background.

use super::COUNTED_PER_SHARD;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[DEL, UNLINK];

const DEL: Command = Command {
    name: "del",
    syntax: "key [key ...]",
    summary: "Deletes keys.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys; large values are freed in the background",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::all(Access::REMOVE)],
    flags: Flags::WRITE,
    tips: COUNTED_PER_SHARD,
    run: delete,
    ..Command::PLAIN
};

const UNLINK: Command = Command {
    name: "unlink",
    summary: "Deletes keys and leaves it to the background to free their values.",
    since: "4.0.0",
    flags: Flags::WRITE.and(Flags::FAST),
    ..DEL
};

fn delete(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let deleted = cx.keys().filter(|key| db.delete(*key, Event::DELETED)).count();
    cx.reply.unsigned(deleted as u64);
    Ok(Outcome::Reply)
}
