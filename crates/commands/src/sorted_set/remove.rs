//! ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE and ZREMRANGEBYLEX: members go.

use larder_store::Missing;
use larder_store::zset::Direction;

use super::bounds::{Limit, Span};
use super::{change, limits};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[ZREM, ZREMRANGEBYLEX, ZREMRANGEBYRANK, ZREMRANGEBYSCORE];

const ZREM: Command = Command {
    name: "zrem",
    syntax: "key member [member ...]",
    summary: "Removes members from a sorted set, and the set with its last member.",
    group: Group::SortedSet,
    since: "1.2.0",
    complexity: "O(M*log N) where N is the number of members and M the number of those given",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::REMOVE_PART)],
    flags: Flags::WRITE.and(Flags::FAST),
    history: &[("2.4.0", "Accepts several members.")],
    run: zrem,
    ..Command::PLAIN
};

const ZREMRANGEBYRANK: Command = Command {
    name: "zremrangebyrank",
    syntax: "key start:integer stop:integer",
    summary: "Removes the members of a sorted set from one rank to another.",
    since: "2.0.0",
    complexity: "O(log N + M) where N is the number of members and M the number of those removed",
    arity: Arity::Exactly(4),
    flags: Flags::WRITE,
    history: &[],
    run: zremrangebyrank,
    ..ZREM
};

const ZREMRANGEBYSCORE: Command = Command {
    name: "zremrangebyscore",
    syntax: "key min:double max:double",
    summary: "Removes the members of a sorted set from one score to another.",
    since: "1.2.0",
    run: zremrangebyscore,
    ..ZREMRANGEBYRANK
};

const ZREMRANGEBYLEX: Command = Command {
    name: "zremrangebylex",
    syntax: "key min:string max:string",
    summary: "Removes the members of a sorted set, all of one score, from one to another.",
    since: "2.8.9",
    run: zremrangebylex,
    ..ZREMRANGEBYRANK
};

fn zrem(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let members = cx.args.from(2);
    let removed = change(&mut db, cx.key(0), limits(cx.settings), Missing::Leave, |set| {
        let removed = members.filter(|member| set.remove(member).is_some()).count();
        (removed, (removed > 0).then_some(Event::sorted_set("zrem")))
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(Outcome::Reply)
}

fn zremrangebyrank(cx: &mut Context<'_>) -> CommandResult {
    let span = Span::parse_ranks(cx.args, 2)?;
    remove(cx, span, Event::sorted_set("zremrangebyrank"))
}

fn zremrangebyscore(cx: &mut Context<'_>) -> CommandResult {
    let span = Span::parse_scores(cx.args, 2, Direction::Ascending)?;
    remove(cx, span, Event::sorted_set("zremrangebyscore"))
}

fn zremrangebylex(cx: &mut Context<'_>) -> CommandResult {
    let span = Span::parse_members(cx.args, 2, Direction::Ascending)?;
    remove(cx, span, Event::sorted_set("zremrangebylex"))
}

fn remove(cx: &mut Context<'_>, span: Span<'_>, event: Event) -> CommandResult {
    let mut db = cx.lock()?;
    let removed = change(&mut db, cx.key(0), limits(cx.settings), Missing::Leave, |set| {
        let ranks = span.ranks(set.as_ref(), Direction::Ascending, Limit::NONE);
        let removed = ranks.len();
        set.remove_ranks(ranks);
        (removed, (removed > 0).then_some(event))
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(Outcome::Reply)
}
