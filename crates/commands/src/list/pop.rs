//! LPOP, RPOP and LMPOP: elements are taken from the ends.

use larder_resp::Reply;
use larder_store::WrongType;
use larder_store::list::{End, ListLimit};

use super::{change, len, limit, parse_end, pop_into, popped};
use crate::element::reply_element;
use crate::members::parse_first_of_many;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[LMPOP, LPOP, RPOP];

const LPOP: Command = Command {
    name: "lpop",
    syntax: "key [count]",
    summary: "Takes elements from the head of a list and returns them; the list goes with its last element.",
    group: Group::List,
    since: "1.0.0",
    complexity: "O(N) where N is the number of elements returned",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ_AND_DELETE)],
    flags: Flags::WRITE.and(Flags::FAST),
    history: &[("6.2.0", "Added the argument count.")],
    run: lpop,
    ..Command::PLAIN
};

const RPOP: Command = Command {
    name: "rpop",
    summary: "Takes elements from the tail of a list and returns them; the list goes with its last element.",
    run: rpop,
    ..LPOP
};

const LMPOP: Command = Command {
    name: "lmpop",
    syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    summary: "Takes elements from the first of several lists that has any.",
    since: "7.0.0",
    complexity: "O(N+M) where N is the number of lists and M the number of elements returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::counted(1, 1, Access::READ_AND_DELETE)],
    flags: Flags::WRITE,
    history: &[],
    run: lmpop,
    ..LPOP
};

fn lpop(cx: &mut Context<'_>) -> CommandResult {
    pop(cx, End::Head)
}

fn rpop(cx: &mut Context<'_>) -> CommandResult {
    pop(cx, End::Tail)
}

fn pop(cx: &mut Context<'_>, end: End) -> CommandResult {
    match cx.args.len() {
        2 => pop_one(cx, end),
        3 => pop_many(cx, end),
        _ => Err(cx.wrong_arity()),
    }
}

fn pop_one(cx: &mut Context<'_>, end: End) -> CommandResult {
    let mut db = cx.lock()?;
    let popped = change(&mut db, cx.key(0), limit(cx.settings), |list| {
        list.pop(end, |element| reply_element(&mut cx.reply, element));
        list.settle();
        ((), Some(popped(end)))
    })?;
    if popped.is_none() {
        cx.reply.null();
    }
    Ok(Outcome::Reply)
}

fn pop_many(cx: &mut Context<'_>, end: End) -> CommandResult {
    let count = cx.args.integer(2).ok().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(CommandError::line("ERR value is out of range, must be positive"))?;
    let mut db = cx.lock()?;
    let key = cx.key(0);
    let Some(len) = len(&mut db, key)? else {
        cx.reply.null_array();
        return Ok(Outcome::Reply);
    };
    let count = count.min(len);
    cx.reply.array(count);
    if count > 0 {
        pop_into(&mut db, key, (end, limit(cx.settings)), count, &mut cx.reply)?;
    }
    Ok(Outcome::Reply)
}

fn lmpop(cx: &mut Context<'_>) -> CommandResult {
    let (end, count) = parse_many(cx.args)?;
    let pop = Pop { end, count: Some(count), limit: limit(cx.settings) };
    let mut db = cx.lock()?;
    for key in cx.keys() {
        if pop.pop(&mut db, key, &mut cx.reply)? {
            return Ok(Outcome::Reply);
        }
    }
    cx.reply.null_array();
    Ok(Outcome::Reply)
}

/// What is popped from the first of several lists that has any.
#[derive(Clone, Copy)]
pub(super) struct Pop {
    pub(super) end: End,
    /// How many at most; a single one, without an array around it, if not given.
    pub(super) count: Option<usize>,
    pub(super) limit: ListLimit,
}

impl Pop {
    /// Pops from a list if it is there, and writes its key and what was popped; says whether it was.
    pub(super) fn pop(
        self,
        db: &mut Locked<'_>,
        key: Key<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<bool, WrongType> {
        let Some(len) = len(db, key)? else { return Ok(false) };
        let count = self.count.unwrap_or(1).min(len);
        reply.array(2);
        reply.bulk(key.bytes);
        if self.count.is_some() {
            reply.array(count);
        }
        pop_into(db, key, (self.end, self.limit), count, reply)?;
        let name: &[u8] = if self.end == End::Head { b"LPOP" } else { b"RPOP" };
        db.log_as(&[name, key.bytes, count.to_string().as_bytes()]);
        Ok(true)
    }
}

/// The end, and how many at most.
pub(super) fn parse_many(args: Args<'_>) -> Result<(End, usize), CommandError> {
    let (end, count) = parse_first_of_many(args)?;
    Ok((parse_end(end)?, count))
}
