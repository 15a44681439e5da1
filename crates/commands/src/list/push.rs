//! LPUSH, RPUSH, LPUSHX and RPUSHX: elements come at the ends.

use larder_store::Missing;
use larder_store::list::End;

use super::{limit, new, push};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[LPUSH, LPUSHX, RPUSH, RPUSHX];

const LPUSH: Command = Command {
    name: "lpush",
    syntax: "key element [element ...]",
    summary: "Adds elements at the head of a list, one after the other; a missing list is created.",
    group: Group::List,
    since: "1.0.0",
    complexity: "O(N) where N is the number of elements given",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::ADD)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    history: &[("2.4.0", "Accepts several elements.")],
    run: lpush,
    ..Command::PLAIN
};

const RPUSH: Command = Command {
    name: "rpush",
    summary: "Adds elements at the tail of a list; a missing list is created.",
    run: rpush,
    ..LPUSH
};

const LPUSHX: Command = Command {
    name: "lpushx",
    summary: "Adds elements at the head of a list if there is one.",
    since: "2.2.0",
    history: &[("4.0.0", "Accepts several elements.")],
    run: lpushx,
    ..LPUSH
};

const RPUSHX: Command = Command {
    name: "rpushx",
    summary: "Adds elements at the tail of a list if there is one.",
    run: rpushx,
    ..LPUSHX
};

fn lpush(cx: &mut Context<'_>) -> CommandResult {
    push_all(cx, End::Head, new())
}

fn rpush(cx: &mut Context<'_>) -> CommandResult {
    push_all(cx, End::Tail, new())
}

fn lpushx(cx: &mut Context<'_>) -> CommandResult {
    push_all(cx, End::Head, Missing::Leave)
}

fn rpushx(cx: &mut Context<'_>) -> CommandResult {
    push_all(cx, End::Tail, Missing::Leave)
}

fn push_all(cx: &mut Context<'_>, end: End, missing: Missing<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let len = push(&mut db, cx.key(0), (end, limit(cx.settings)), missing, cx.args.from(2))?;
    cx.reply.integer(len.unwrap_or(0) as i64);
    Ok(Outcome::Reply)
}
