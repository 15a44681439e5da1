//! APPEND, GETRANGE, SETRANGE, STRLEN and SUBSTR: parts of strings, and their length.

use larder_resp::Reply;
use larder_store::{BLOCK_MIN_BYTES, Entry};

use super::shared;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[APPEND, GETRANGE, SETRANGE, STRLEN, SUBSTR];

const APPENDED: Event = Event::string("append");
const RANGE_SET: Event = Event::string("setrange");

const APPEND: Command = Command {
    name: "append",
    syntax: "key value",
    summary: "Adds bytes to the end of a string; a missing key is created.",
    group: Group::String,
    since: "2.0.0",
    complexity: "O(1) for a short value; long strings grow in proportion, so that many additions cost no more than the bytes added",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::one(Access::ADD)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    run: append,
    ..Command::PLAIN
};

const GETRANGE: Command = Command {
    name: "getrange",
    syntax: "key start end",
    summary: "Returns the bytes of a string from one offset to another, both included; negative ones count from the end.",
    group: Group::String,
    since: "2.4.0",
    complexity: "O(N) where N is the length of the part; O(1) when it is long, as it is not copied",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY.and(Flags::BRIEF),
    run: getrange,
    ..Command::PLAIN
};

const SETRANGE: Command = Command {
    name: "setrange",
    syntax: "key offset value",
    summary: "Overwrites a string from an offset on; what is missing before it is filled with zero bytes.",
    group: Group::String,
    since: "2.2.0",
    complexity: "O(N) where N is the length of the value, and of the gap before it",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::UPDATE_ONLY)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: setrange,
    ..Command::PLAIN
};

const STRLEN: Command = Command {
    name: "strlen",
    syntax: "key",
    summary: "Returns the length of a string in bytes.",
    group: Group::String,
    since: "2.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::INSPECT)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: strlen,
    ..Command::PLAIN
};

const SUBSTR: Command =
    Command { name: "substr", since: "1.0.0", deprecated: Some(("2.0.0", "`GETRANGE`")), ..GETRANGE };

fn append(cx: &mut Context<'_>) -> CommandResult {
    let addition = cx.args.at(2);

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let len = match db.string(key)?.map(|entry| entry.value_len()) {
        None => {
            db.put(key, &Attributes::default(), NewValue::of(addition), APPENDED);
            addition.len()
        }
        Some(old) => {
            let len = checked_len(cx, old, addition.len())?;
            db.change_string(key, len, APPENDED, |bytes| bytes[old..].copy_from_slice(addition))?;
            len
        }
    };

    cx.reply.unsigned(len as u64);
    Ok(Outcome::Reply)
}

fn setrange(cx: &mut Context<'_>) -> CommandResult {
    let offset =
        usize::try_from(cx.args.integer(2)?).map_err(|_| CommandError::line("ERR offset is out of range"))?;
    let value = cx.args.at(3);

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let old = db.string(key)?.map_or(0, |entry| entry.value_len());
    let mut len = old;
    if !value.is_empty() {
        let end = checked_len(cx, offset, value.len())?;
        len = db.change_string(key, end, RANGE_SET, |bytes| {
            bytes[offset..end].copy_from_slice(value);
            bytes.len()
        })?;
    }

    cx.reply.unsigned(len as u64);
    Ok(Outcome::Reply)
}

fn strlen(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let len = db.read_string(cx.key(0))?.map_or(0, |entry| entry.value_len());
    cx.reply.unsigned(len as u64);
    Ok(Outcome::Reply)
}

fn getrange(cx: &mut Context<'_>) -> CommandResult {
    let (start, end) = (cx.args.integer(2)?, cx.args.integer(3)?);

    let mut db = cx.lock()?;
    match db.read_string(cx.key(0))? {
        Some(entry) => reply_part(&mut cx.reply, &entry, start, end),
        None => cx.reply.bulk(b""),
    }
    Ok(Outcome::Reply)
}

/// Writes a part of a string. A long one is sent from where it is; a short one is copied, lest it keep a long string in memory.
fn reply_part(reply: &mut Reply<'_>, entry: &Entry, start: i64, end: i64) {
    let part = part(entry.value_len(), start, end);
    match entry.value() {
        Value::Inline(bytes) => reply.bulk(&bytes[part]),
        Value::Int(number) => reply.bulk(&number.to_string().as_bytes()[part]),
        Value::Block(block) if part.len() < BLOCK_MIN_BYTES => reply.bulk(&block[part]),
        Value::Block(block) => reply.block(shared(block).slice(part)),
    }
}

/// The part of `len` bytes that two offsets mean. As in Redis, an offset that lies before the beginning means the beginning, but
/// two negative ones in the wrong order mean nothing at all.
fn part(len: usize, start: i64, end: i64) -> std::ops::Range<usize> {
    let len = len as i64;
    let absolute = |offset: i64| if offset < 0 { (len + offset).max(0) } else { offset };
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let (start, end) = (absolute(start), absolute(end).min(len - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

/// The length of two parts together, which must not exceed that of an argument.
fn checked_len(cx: &Context<'_>, before: usize, added: usize) -> Result<usize, CommandError> {
    before
        .checked_add(added)
        .filter(|len| *len as u64 <= cx.settings.proto_max_bulk_len)
        .ok_or(CommandError::StringTooLong)
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn offsets_count_from_either_end() {
        for (len, start, end, expected) in [
            (3, 0, -1, 0..3),
            (3, 0, 0, 0..1),
            (3, -2, -1, 1..3),
            (3, 1, 100, 1..3),
            (3, 3, 5, 0..0),
            (3, 2, 1, 0..0),
            (3, -1, -2, 0..0),
            (3, -100, -50, 0..1),
            (3, 0, -50, 0..1),
            (3, 1, -50, 0..0),
            (3, i64::MIN, i64::MAX, 0..3),
            (3, i64::MAX, i64::MIN, 0..0),
            (0, 0, -1, 0..0),
            (0, -5, 5, 0..0),
            (0, 0, 0, 0..0),
        ] {
            assert_eq!(part(len, start, end), expected, "{start} to {end} of {len}");
        }
    }
}
