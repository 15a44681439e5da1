//! ZRANGE in all its forms, and ZRANGESTORE: parts of a sorted set.

use std::ops::ControlFlow;

use larder_store::zset::{self, Direction, SortedSetMut, SortedSetRef};
use larder_store::{Attributes, Digits, Entry};

use super::bounds::{Limit, Span};
use super::{Scores, limits, read};
use crate::parts::{AT_ONCE_MAX, reply_in_parts};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] =
    &[ZRANGE, ZRANGEBYLEX, ZRANGEBYSCORE, ZRANGESTORE, ZREVRANGE, ZREVRANGEBYLEX, ZREVRANGEBYSCORE];

/// Elements written between two looks at the clock.
const STEP: usize = 64;

const ZRANGE: Command = Command {
    name: "zrange",
    syntax: "key start:string stop:string [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    summary: "Returns the members of a sorted set in a range: of ranks, of scores, or of members.",
    group: Group::SortedSet,
    since: "1.2.0",
    complexity: "O(log N + M) where N is the number of members and M the number of those returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    history: &[("6.2.0", "Added the options REV, BYSCORE, BYLEX and LIMIT.")],
    run: zrange,
    ..Command::PLAIN
};

const ZREVRANGE: Command = Command {
    name: "zrevrange",
    syntax: "key start:integer stop:integer [WITHSCORES]",
    summary: "Returns the members of a sorted set from one rank to another, the highest first.",
    history: &[],
    deprecated: Some(("6.2.0", "`ZRANGE` with the option REV")),
    run: zrevrange,
    ..ZRANGE
};

const ZRANGEBYSCORE: Command = Command {
    name: "zrangebyscore",
    syntax: "key min:double max:double [WITHSCORES] [LIMIT offset count]",
    summary: "Returns the members of a sorted set from one score to another.",
    since: "1.0.5",
    history: &[("2.0.0", "Added the option WITHSCORES.")],
    deprecated: Some(("6.2.0", "`ZRANGE` with the option BYSCORE")),
    run: zrangebyscore,
    ..ZRANGE
};

const ZREVRANGEBYSCORE: Command = Command {
    name: "zrevrangebyscore",
    syntax: "key max:double min:double [WITHSCORES] [LIMIT offset count]",
    summary: "Returns the members of a sorted set from one score to another, the highest first.",
    since: "2.2.0",
    history: &[("2.1.6", "`min` and `max` may be excluded.")],
    deprecated: Some(("6.2.0", "`ZRANGE` with the options REV and BYSCORE")),
    run: zrevrangebyscore,
    ..ZRANGE
};

const ZRANGEBYLEX: Command = Command {
    name: "zrangebylex",
    syntax: "key min:string max:string [LIMIT offset count]",
    summary: "Returns the members of a sorted set, all of one score, from one to another.",
    since: "2.8.9",
    history: &[],
    deprecated: Some(("6.2.0", "`ZRANGE` with the option BYLEX")),
    run: zrangebylex,
    ..ZRANGE
};

const ZREVRANGEBYLEX: Command = Command {
    name: "zrevrangebylex",
    syntax: "key max:string min:string [LIMIT offset count]",
    summary: "Returns the members of a sorted set, all of one score, from one to another, the last first.",
    deprecated: Some(("6.2.0", "`ZRANGE` with the options REV and BYLEX")),
    run: zrevrangebylex,
    ..ZRANGEBYLEX
};

const ZRANGESTORE: Command = Command {
    name: "zrangestore",
    syntax: "dst src min:string max:string [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    summary: "Stores the members of a sorted set in a range as another one.",
    since: "6.2.0",
    complexity: "O(log N + M) where N is the number of members and M the number of those stored",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(Access::OVERWRITE), KeySpec::at(2, Access::READ)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    history: &[],
    run: zrangestore,
    ..ZRANGE
};

/// By what a range is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What a command says itself; the rest is up to options.
#[derive(Clone, Copy)]
struct Form {
    by: Option<By>,
    direction: Option<Direction>,
    /// Where the bounds are.
    first: usize,
}

const FREE: Form = Form { by: None, direction: None, first: 2 };

/// A range as it was asked for.
struct Request<'a> {
    span: Span<'a>,
    direction: Direction,
    limit: Limit,
    scores: Scores,
}

impl<'a> Request<'a> {
    fn parse(args: Args<'a>, form: Form) -> Result<Request<'a>, CommandError> {
        let (mut by, mut direction) = (form.by, form.direction);
        let (mut limit, mut scores) = (Limit::NONE, Scores::Without);
        let mut words = args.from(form.first + 2);
        while let Some(word) = words.next() {
            if form.first == 2 && is_word(word, "withscores") {
                scores = Scores::With;
            } else if is_word(word, "limit") && words.len() >= 2 {
                limit = Limit { offset: words.integer()?, count: words.integer()? };
            } else if direction.is_none() && is_word(word, "rev") {
                direction = Some(Direction::Descending);
            } else if by.is_none() && is_word(word, "bylex") {
                by = Some(By::Member);
            } else if by.is_none() && is_word(word, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let (by, direction) = (by.unwrap_or(By::Rank), direction.unwrap_or(Direction::Ascending));
        if by == By::Rank && limit.count != Limit::NONE.count {
            return Err(CommandError::line(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if by == By::Member && scores == Scores::With {
            return Err(CommandError::line(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let span = match by {
            By::Rank => Span::parse_ranks(args, form.first),
            By::Score => Span::parse_scores(args, form.first, direction),
            By::Member => Span::parse_members(args, form.first, direction),
        }?;
        // Where it may be given and means nothing.
        let limit = if by == By::Rank { Limit::NONE } else { limit };
        Ok(Request { span, direction, limit, scores })
    }
}

fn zrange(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, FREE)
}

fn zrevrange(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Form { by: Some(By::Rank), direction: Some(Direction::Descending), ..FREE })
}

fn zrangebyscore(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Form { by: Some(By::Score), direction: Some(Direction::Ascending), ..FREE })
}

fn zrevrangebyscore(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Form { by: Some(By::Score), direction: Some(Direction::Descending), ..FREE })
}

fn zrangebylex(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Form { by: Some(By::Member), direction: Some(Direction::Ascending), ..FREE })
}

fn zrevrangebylex(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Form { by: Some(By::Member), direction: Some(Direction::Descending), ..FREE })
}

fn reply(cx: &mut Context<'_>, form: Form) -> CommandResult {
    let Request { span, direction, limit, scores } = Request::parse(cx.args, form)?;
    let mut db = cx.lock()?;
    let rest = read(&mut db, cx.key(0), |set| {
        let ranks = set.map_or(0..0, |set| span.ranks(set, direction, limit));
        scores.header(&mut cx.reply, ranks.len());
        match set {
            Some(SortedSetRef::Large(set)) if ranks.len() > AT_ONCE_MAX => return Some((set.clone(), ranks)),
            Some(set) => {
                set.each(ranks, direction, |member, score| scores.write(&mut cx.reply, member, score));
            }
            None => {}
        }
        None
    })?;
    drop(db);
    let Some((view, mut ranks)) = rest else { return Ok(Outcome::Reply) };
    reply_in_parts(cx, move |reply| {
        let step = STEP.min(ranks.len());
        let next = match direction {
            Direction::Ascending => ranks.start..ranks.start + step,
            Direction::Descending => ranks.end - step..ranks.end,
        };
        ranks = match direction {
            Direction::Ascending => next.end..ranks.end,
            Direction::Descending => ranks.start..next.start,
        };
        let set = SortedSetRef::Large(&view);
        set.each(next, direction, |member, score| scores.write(reply, member, score));
        if ranks.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

fn zrangestore(cx: &mut Context<'_>) -> CommandResult {
    let Request { span, direction, limit, .. } = Request::parse(cx.args, Form { first: 3, ..FREE })?;
    let mut db = cx.lock()?;
    let (destination, limits) = (cx.key(0), limits(cx.settings));
    let mut result = Entry::new(destination.bytes, 0, &Attributes::default(), zset::empty());
    let len = read(&mut db, cx.key(1), |set| {
        let Some(set) = set else { return 0 };
        let ranks = span.ranks(set, direction, limit);
        let (len, mut new) = (ranks.len(), SortedSetMut::of(&mut result, limits));
        set.each(ranks, direction, |member, score| {
            new.put(member.text(&mut Digits::default()), score);
        });
        len
    })?;
    if len > 0 {
        db.place(destination, result, Event::sorted_set("zrangestore"));
    } else {
        db.delete(destination, Event::DELETED);
    }
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}
