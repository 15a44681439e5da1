//! GETBIT and SETBIT: one bit.

use super::{SETBIT_EVENT, bits, bytes, leave_as_is, offset};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[GETBIT, SETBIT];

const GETBIT: Command = Command {
    name: "getbit",
    syntax: "key offset",
    summary: "Returns one bit of a string.",
    group: Group::Bitmap,
    since: "2.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: getbit,
    ..Command::PLAIN
};

const SETBIT: Command = Command {
    name: "setbit",
    syntax: "key offset value:integer",
    summary: "Sets or clears one bit of a string and returns what it was. Makes the string longer if need be.",
    group: Group::Bitmap,
    since: "2.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::READ_AND_UPDATE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: setbit,
    ..Command::PLAIN
};

fn getbit(cx: &mut Context<'_>) -> CommandResult {
    let offset = offset(cx.args.at(2), cx.settings)?;

    let mut db = cx.lock()?;
    let entry = db.read_string(cx.key(0))?;
    let mut digits = itoa::Buffer::new();
    let bit = entry.and_then(|entry| bits::get(bytes(entry.value(), &mut digits), offset));

    cx.reply.integer(i64::from(bit.unwrap_or(false)));
    Ok(Outcome::Reply)
}

fn setbit(cx: &mut Context<'_>) -> CommandResult {
    let offset = offset(cx.args.at(2), cx.settings)?;
    let bit = match larder_store::parse_integer(cx.args.at(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(CommandError::line("ERR bit is not an integer or out of range")),
    };

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let mut digits = itoa::Buffer::new();
    let old = db.string(key)?.and_then(|entry| bits::get(bytes(entry.value(), &mut digits), offset));
    if old == Some(bit) {
        leave_as_is(&mut db, key);
    } else {
        let min_len = offset as usize / 8 + 1;
        db.change_string(key, min_len, SETBIT_EVENT, |bytes| bits::put(bytes, offset, bit))?;
    }

    cx.reply.integer(i64::from(old.unwrap_or(false)));
    Ok(Outcome::Reply)
}
