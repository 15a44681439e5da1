//! ZPOPMIN, ZPOPMAX and ZMPOP: the lowest or highest members are taken.

use larder_resp::{Protocol, Reply};
use larder_store::zset::Direction;
use larder_store::{Missing, PackedLimits, WrongType};

use super::{Scores, change, len, limits};
use crate::element::reply_element;
use crate::members::parse_first_of_many;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[ZMPOP, ZPOPMAX, ZPOPMIN];

const ZPOPMIN: Command = Command {
    name: "zpopmin",
    syntax: "key [count]",
    summary: "Takes the members with the lowest scores from a sorted set and returns them with their scores.",
    group: Group::SortedSet,
    since: "5.0.0",
    complexity: "O(M*log N) where N is the number of members and M the number of those returned",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ_AND_DELETE)],
    flags: Flags::WRITE.and(Flags::FAST),
    run: zpopmin,
    ..Command::PLAIN
};

const ZPOPMAX: Command = Command {
    name: "zpopmax",
    summary: "Takes the members with the highest scores from a sorted set and returns them with their scores.",
    run: zpopmax,
    ..ZPOPMIN
};

const ZMPOP: Command = Command {
    name: "zmpop",
    syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    summary: "Takes the lowest or highest members from the first of several sorted sets that has any.",
    since: "7.0.0",
    complexity: "O(K) + O(M*log N) where K is the number of sets, N the number of members and M the number of those returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::counted(1, 1, Access::READ_AND_DELETE)],
    flags: Flags::WRITE,
    run: zmpop,
    ..ZPOPMIN
};

fn zpopmin(cx: &mut Context<'_>) -> CommandResult {
    pop(cx, Direction::Ascending)
}

fn zpopmax(cx: &mut Context<'_>) -> CommandResult {
    pop(cx, Direction::Descending)
}

fn pop(cx: &mut Context<'_>, from: Direction) -> CommandResult {
    let count = match (cx.args.len(), cx.args.find(2)) {
        (2, _) => None,
        (3, Some(word)) => {
            let count = larder_store::parse_integer(word).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(CommandError::line("ERR value is out of range, must be positive"))?)
        }
        _ => return Err(CommandError::Syntax),
    };
    let mut db = cx.lock()?;
    let (key, limits) = (cx.key(0), limits(cx.settings));
    let taken = count.unwrap_or(1).min(len(&mut db, key)?.unwrap_or(0));
    // Without a count there is no need for a pair of its own.
    if count.is_none() && cx.reply.protocol == Protocol::Resp3 {
        cx.reply.array(2 * taken);
        pop_into(&mut db, key, (from, limits), taken, (&mut cx.reply, Pairs::Flat))?;
    } else {
        Scores::With.header(&mut cx.reply, taken);
        pop_into(&mut db, key, (from, limits), taken, (&mut cx.reply, Pairs::AsUsual))?;
    }
    Ok(Outcome::Reply)
}

/// How members and their scores stand in a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pairs {
    /// One after the other.
    Flat,
    /// Each pair an array.
    Nested,
    /// Nested in RESP3 only.
    AsUsual,
}

/// Pops `count` members, which there are, and writes them.
fn pop_into(
    db: &mut Locked<'_>,
    key: Key<'_>,
    (from, limits): (Direction, PackedLimits),
    count: usize,
    (reply, pairs): (&mut Reply<'_>, Pairs),
) -> Result<(), WrongType> {
    if count == 0 {
        return Ok(());
    }
    let event = match from {
        Direction::Ascending => Event::sorted_set("zpopmin"),
        Direction::Descending => Event::sorted_set("zpopmax"),
    };
    change(db, key, limits, Missing::Leave, |set| {
        for _ in 0..count {
            set.pop(from, |member, score| {
                if pairs == Pairs::AsUsual {
                    return Scores::With.write(reply, member, score);
                }
                if pairs == Pairs::Nested {
                    reply.array(2);
                }
                reply_element(reply, member);
                reply.double(score);
            });
        }
        ((), Some(event))
    })?;
    Ok(())
}

fn zmpop(cx: &mut Context<'_>) -> CommandResult {
    let (from, count) = parse_many(cx.args)?;
    let pop = Pop { from, count: Some(count), limits: limits(cx.settings) };
    let mut db = cx.lock()?;
    for key in cx.keys() {
        if pop.pop(&mut db, key, &mut cx.reply)? {
            return Ok(Outcome::Reply);
        }
    }
    cx.reply.null_array();
    Ok(Outcome::Reply)
}

/// What is popped from the first of several sorted sets that has any.
#[derive(Clone, Copy)]
pub(super) struct Pop {
    pub(super) from: Direction,
    /// How many at most; a single one, without an array around it, if not given.
    pub(super) count: Option<usize>,
    pub(super) limits: PackedLimits,
}

impl Pop {
    /// Pops from a sorted set if it is there, and writes its key and what was popped; says whether it was.
    pub(super) fn pop(
        self,
        db: &mut Locked<'_>,
        key: Key<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<bool, WrongType> {
        let Some(len) = len(db, key)? else { return Ok(false) };
        let count = self.count.unwrap_or(1).min(len);
        reply.array(if self.count.is_some() { 2 } else { 3 });
        reply.bulk(key.bytes);
        let pairs = if self.count.is_some() { Pairs::Nested } else { Pairs::Flat };
        if self.count.is_some() {
            reply.array(count);
        }
        pop_into(db, key, (self.from, self.limits), count, (reply, pairs))?;
        let name: &[u8] = if self.from == Direction::Ascending { b"ZPOPMIN" } else { b"ZPOPMAX" };
        db.log_as(&[name, key.bytes, count.to_string().as_bytes()]);
        Ok(true)
    }
}

/// Which end, and how many at most.
pub(super) fn parse_many(args: Args<'_>) -> Result<(Direction, usize), CommandError> {
    let (word, count) = parse_first_of_many(args)?;
    match word {
        word if is_word(word, "min") => Ok((Direction::Ascending, count)),
        word if is_word(word, "max") => Ok((Direction::Descending, count)),
        _ => Err(CommandError::Syntax),
    }
}
