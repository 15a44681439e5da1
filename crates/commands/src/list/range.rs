//! LRANGE and LTRIM: parts of a list.

use std::ops::ControlFlow;

use larder_store::list::{End, ListRef};

use super::{change, limit, ranks_of, read};
use crate::element::reply_element;
use crate::parts::{AT_ONCE_MAX, reply_in_parts};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[LRANGE, LTRIM];

/// Elements written between two looks at the clock.
const STEP: usize = 64;

const LRANGE: Command = Command {
    name: "lrange",
    syntax: "key start stop",
    summary: "Returns the elements of a list from one index to another.",
    group: Group::List,
    since: "1.0.0",
    complexity: "O(log N + M) where N is the number of elements and M the number of those returned",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    run: lrange,
    ..Command::PLAIN
};

const LTRIM: Command = Command {
    name: "ltrim",
    summary: "Keeps the elements of a list from one index to another only.",
    complexity: "O(M) where M is the number of elements removed, of which most are removed many at a time",
    keys: &[KeySpec::one(Access::REMOVE_PART)],
    flags: Flags::WRITE,
    run: ltrim,
    ..LRANGE
};

fn lrange(cx: &mut Context<'_>) -> CommandResult {
    let (start, stop) = (cx.args.integer(2)?, cx.args.integer(3)?);
    let mut db = cx.lock()?;
    let rest = read(&mut db, cx.key(0), |list| {
        let ranks = ranks_of(start, stop, list.map_or(0, ListRef::len));
        cx.reply.array(ranks.len());
        match list {
            Some(ListRef::Large(list)) if ranks.len() > AT_ONCE_MAX => return Some((list.clone(), ranks)),
            Some(list) => list.each_while(ranks, End::Head, |_, element| {
                reply_element(&mut cx.reply, element);
                true
            }),
            None => {}
        }
        None
    })?;
    drop(db);
    let Some((view, mut ranks)) = rest else { return Ok(Outcome::Reply) };
    reply_in_parts(cx, move |reply| {
        let end = ranks.end.min(ranks.start + STEP);
        ListRef::Large(&view).each_while(ranks.start..end, End::Head, |_, element| {
            reply_element(reply, element);
            true
        });
        ranks.start = end;
        if ranks.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

fn ltrim(cx: &mut Context<'_>) -> CommandResult {
    let (start, stop) = (cx.args.integer(2)?, cx.args.integer(3)?);
    let mut db = cx.lock()?;
    change(&mut db, cx.key(0), limit(cx.settings), |list| {
        let kept = ranks_of(start, stop, list.as_ref().len());
        list.trim(kept);
        ((), Some(Event::list("ltrim")))
    })?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}
