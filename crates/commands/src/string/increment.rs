//! INCR, INCRBY, INCRBYFLOAT, DECR and DECRBY: strings that are numbers.

use larder_store::{EMBSTR_MAX_BYTES, Encoding, Entry, parse_integer};

use super::extended::Extended;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[DECR, DECRBY, INCR, INCRBY, INCRBYFLOAT];

const INCREMENTED: Event = Event::string("incrby");
const INCREMENTED_BY_FLOAT: Event = Event::string("incrbyfloat");

const INCR: Command = Command {
    name: "incr",
    syntax: "key",
    summary: "Adds one to the integer of a key; a missing key counts as 0.",
    group: Group::String,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::READ_AND_UPDATE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    run: incr,
    ..Command::PLAIN
};

const DECR: Command = Command {
    name: "decr",
    summary: "Subtracts one from the integer of a key; a missing key counts as 0.",
    run: decr,
    ..INCR
};

const INCRBY: Command = Command {
    name: "incrby",
    syntax: "key increment",
    summary: "Adds to the integer of a key; a missing key counts as 0.",
    arity: Arity::Exactly(3),
    run: incrby,
    ..INCR
};

const DECRBY: Command = Command {
    name: "decrby",
    syntax: "key decrement",
    summary: "Subtracts from the integer of a key; a missing key counts as 0.",
    run: decrby,
    ..INCRBY
};

const INCRBYFLOAT: Command = Command {
    name: "incrbyfloat",
    syntax: "key increment:double",
    summary: "Adds a number with a fraction to the number of a key; a missing key counts as 0.",
    since: "2.6.0",
    logged: |_| Logged::ByValue,
    run: incrbyfloat,
    ..INCRBY
};

fn incr(cx: &mut Context<'_>) -> CommandResult {
    add(cx, 1)
}

fn decr(cx: &mut Context<'_>) -> CommandResult {
    add(cx, -1)
}

fn incrby(cx: &mut Context<'_>) -> CommandResult {
    add(cx, cx.args.integer(2)?)
}

fn decrby(cx: &mut Context<'_>) -> CommandResult {
    let decrement = cx.args.integer(2)?;
    add(cx, decrement.checked_neg().ok_or(CommandError::line("ERR decrement would overflow"))?)
}

fn add(cx: &mut Context<'_>, increment: i64) -> CommandResult {
    let mut db = cx.lock()?;
    let key = cx.key(0);
    let old = db.string(key)?.map_or(Some(0), |entry| integer(&entry)).ok_or(CommandError::NotAnInteger)?;
    let new =
        old.checked_add(increment).ok_or(CommandError::line("ERR increment or decrement would overflow"))?;
    db.put_value(key, NewValue::Int(new), INCREMENTED);

    cx.reply.integer(new);
    Ok(Outcome::Reply)
}

fn incrbyfloat(cx: &mut Context<'_>) -> CommandResult {
    let increment = Extended::parse(cx.args.at(2));

    let mut db = cx.lock()?;
    let key = cx.key(0);
    // As in Redis, the key is looked at before the increment is found to be wrong.
    let old = match db.string(key)?.as_deref().map(Entry::value) {
        None => Some(Extended::of(0)),
        Some(Value::Int(number)) => Some(Extended::of(number)),
        Some(Value::Inline(bytes)) => Extended::parse(bytes),
        Some(Value::Block(block)) => Extended::parse(block),
    };
    let (Some(old), Some(increment)) = (old, increment) else { return Err(CommandError::NotAFloat) };
    let new = old
        .plus(increment)
        .ok_or(CommandError::line("ERR increment would produce NaN or Infinity"))?
        .to_string();
    db.put_value(key, text(new.as_bytes()), INCREMENTED_BY_FLOAT);

    cx.reply.bulk(new.as_bytes());
    Ok(Outcome::Reply)
}

/// A string as an integer of 64 bits.
fn integer(entry: &Entry) -> Option<i64> {
    match entry.value() {
        Value::Int(number) => Some(number),
        Value::Inline(bytes) => parse_integer(bytes),
        Value::Block(_) => None,
    }
}

/// A string that keeps the encoding of a text, even if it could be an integer.
fn text(bytes: &[u8]) -> NewValue<'_> {
    if bytes.len() <= EMBSTR_MAX_BYTES {
        NewValue::Inline(bytes, Encoding::Embstr)
    } else {
        NewValue::raw(bytes)
    }
}
