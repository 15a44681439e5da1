//! XRANGE, XREVRANGE and XLEN: looking at entries.

use larder_store::stream::{Direction, Stream};

use super::reply::Entries;
use super::{id, read};
use crate::parts::reply_in_parts;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XLEN, XRANGE, XREVRANGE];

const XRANGE: Command = Command {
    name: "xrange",
    syntax: "key start:string end:string [COUNT count]",
    summary: "Returns the entries of a stream with ids from one to another.",
    complexity: "O(log N + M) where N is the number of entries and M the number of those returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    history: &[("6.2.0", "Accepts intervals without their ends.")],
    run: xrange,
    ..super::PLAIN
};

const XREVRANGE: Command = Command {
    name: "xrevrange",
    syntax: "key end:string start:string [COUNT count]",
    summary: "Returns the entries of a stream with ids from one to another, the newest first.",
    run: xrevrange,
    ..XRANGE
};

const XLEN: Command = Command {
    name: "xlen",
    syntax: "key",
    summary: "Returns the number of entries of a stream.",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::INSPECT)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: xlen,
    ..super::PLAIN
};

fn xrange(cx: &mut Context<'_>) -> CommandResult {
    range(cx, Direction::Ascending)
}

fn xrevrange(cx: &mut Context<'_>) -> CommandResult {
    range(cx, Direction::Descending)
}

fn range(cx: &mut Context<'_>, order: Direction) -> CommandResult {
    let (start, end) = if order == Direction::Ascending { (2, 3) } else { (3, 2) };
    let range = (id::parse_start(cx.args.at(start))?, id::parse_end(cx.args.at(end))?);
    let count = parse_count(cx.args.from(4))?;
    let mut entries = Entries { range, order, count: count.unwrap_or(usize::MAX) };
    let mut db = cx.lock()?;
    let view = read(&mut db, cx.key(0), |stream| match stream {
        None => {
            cx.reply.array(0);
            None
        }
        Some(_) if count == Some(0) => {
            cx.reply.null_array();
            None
        }
        Some(stream) => {
            let many = entries.reply_if_few(&mut cx.reply, stream).err()?;
            Some((many, stream.clone()))
        }
    })?;
    drop(db);
    let Some((many, view)) = view else { return Ok(Outcome::Reply) };
    cx.reply.array(many);
    reply_in_parts(cx, move |reply| entries.reply_some(reply, &view))
}

/// COUNT; what is negative is 0.
fn parse_count(mut words: ArgsFrom<'_>) -> Result<Option<usize>, CommandError> {
    let mut count = None;
    while let Some(word) = words.next() {
        if !is_word(word, "count") {
            return Err(CommandError::Syntax);
        }
        count = Some(usize::try_from(words.integer()?).unwrap_or(0));
    }
    Ok(count)
}

fn xlen(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let len = read(&mut db, cx.key(0), |stream| stream.map_or(0, Stream::len))?;
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}
