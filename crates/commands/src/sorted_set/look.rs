//! ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCOUNT and ZLEXCOUNT: looking at members.

use larder_store::zset::{Direction, SortedSetRef};

use super::bounds::{Limit, Span};
use super::read;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[ZCARD, ZCOUNT, ZLEXCOUNT, ZMSCORE, ZRANK, ZREVRANK, ZSCORE];

const ZCARD: Command = Command {
    name: "zcard",
    syntax: "key",
    summary: "Returns the number of members of a sorted set.",
    group: Group::SortedSet,
    since: "1.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::INSPECT)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: zcard,
    ..Command::PLAIN
};

const ZSCORE: Command = Command {
    name: "zscore",
    syntax: "key member",
    summary: "Returns the score of a member of a sorted set.",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::one(Access::READ)],
    run: zscore,
    ..ZCARD
};

const ZMSCORE: Command = Command {
    name: "zmscore",
    syntax: "key member [member ...]",
    summary: "Returns the scores of several members of a sorted set.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of members asked for",
    arity: Arity::AtLeast(3),
    run: zmscore,
    ..ZSCORE
};

const ZRANK: Command = Command {
    name: "zrank",
    syntax: "key member [WITHSCORE]",
    summary: "Returns how many members of a sorted set come before one.",
    since: "2.0.0",
    complexity: "O(log N) where N is the number of members",
    arity: Arity::AtLeast(3),
    history: &[("7.2.0", "Added the option WITHSCORE.")],
    run: zrank,
    ..ZSCORE
};

const ZREVRANK: Command = Command {
    name: "zrevrank",
    summary: "Returns how many members of a sorted set come after one.",
    run: zrevrank,
    ..ZRANK
};

const ZCOUNT: Command = Command {
    name: "zcount",
    syntax: "key min:double max:double",
    summary: "Returns how many members of a sorted set have scores from one to another.",
    since: "2.0.0",
    complexity: "O(log N) where N is the number of members",
    arity: Arity::Exactly(4),
    run: zcount,
    ..ZSCORE
};

const ZLEXCOUNT: Command = Command {
    name: "zlexcount",
    syntax: "key min:string max:string",
    summary: "Returns how many members of a sorted set, all of one score, lie from one to another.",
    since: "2.8.9",
    run: zlexcount,
    ..ZCOUNT
};

fn zcard(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let len = read(&mut db, cx.key(0), |set| set.map_or(0, SortedSetRef::len))?;
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}

fn zscore(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let score = read(&mut db, cx.key(0), |set| set.and_then(|set| set.score(cx.args.at(2))))?;
    match score {
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}

fn zmscore(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |set| {
        let members = cx.args.from(2);
        cx.reply.array(members.len());
        for member in members {
            match set.and_then(|set| set.score(member)) {
                Some(score) => cx.reply.double(score),
                None => cx.reply.null(),
            }
        }
    })?;
    Ok(Outcome::Reply)
}

fn zrank(cx: &mut Context<'_>) -> CommandResult {
    rank(cx, Direction::Ascending)
}

fn zrevrank(cx: &mut Context<'_>) -> CommandResult {
    rank(cx, Direction::Descending)
}

fn rank(cx: &mut Context<'_>, direction: Direction) -> CommandResult {
    let with_score = match (cx.args.len(), cx.args.find(3)) {
        (3, _) => false,
        (4, Some(word)) if is_word(word, "withscore") => true,
        (4, _) => return Err(CommandError::Syntax),
        _ => return Err(cx.wrong_arity()),
    };
    let mut db = cx.lock()?;
    let found = read(&mut db, cx.key(0), |set| {
        let set = set?;
        let (rank, score) = set.rank(cx.args.at(2))?;
        Some((if direction == Direction::Ascending { rank } else { set.len() - 1 - rank }, score))
    })?;
    match found {
        Some((rank, score)) if with_score => {
            cx.reply.array(2);
            cx.reply.integer(rank as i64);
            cx.reply.double(score);
        }
        Some((rank, _)) => cx.reply.integer(rank as i64),
        None if with_score => cx.reply.null_array(),
        None => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}

fn zcount(cx: &mut Context<'_>) -> CommandResult {
    let span = Span::parse_scores(cx.args, 2, Direction::Ascending)?;
    count(cx, span)
}

fn zlexcount(cx: &mut Context<'_>) -> CommandResult {
    let span = Span::parse_members(cx.args, 2, Direction::Ascending)?;
    count(cx, span)
}

fn count(cx: &mut Context<'_>, span: Span<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let count = read(&mut db, cx.key(0), |set| {
        set.map_or(0, |set| span.ranks(set, Direction::Ascending, Limit::NONE).len())
    })?;
    cx.reply.integer(count as i64);
    Ok(Outcome::Reply)
}
