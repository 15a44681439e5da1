//! SCARD, SISMEMBER, SMISMEMBER and SMEMBERS: looking at members.

use std::ops::ControlFlow;

use larder_store::set::SetRef;

use super::{STEP, read};
use crate::element::reply_element;
use crate::parts::{AT_ONCE_MAX, reply_in_parts};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[SCARD, SISMEMBER, SMEMBERS, SMISMEMBER];

const SCARD: Command = Command {
    name: "scard",
    syntax: "key",
    summary: "Returns the number of members of a set.",
    group: Group::Set,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::INSPECT)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: scard,
    ..Command::PLAIN
};

const SISMEMBER: Command = Command {
    name: "sismember",
    syntax: "key member",
    summary: "Says whether a set has a member.",
    arity: Arity::Exactly(3),
    run: sismember,
    ..SCARD
};

const SMISMEMBER: Command = Command {
    name: "smismember",
    syntax: "key member [member ...]",
    summary: "Says of several members whether a set has them.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of members asked for",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::READ)],
    run: smismember,
    ..SCARD
};

const SMEMBERS: Command = Command {
    name: "smembers",
    summary: "Returns all members of a set.",
    complexity: "O(N) where N is the number of members",
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output_order"],
    run: smembers,
    ..SCARD
};

fn scard(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let len = read(&mut db, cx.key(0), |set| set.map_or(0, SetRef::len))?;
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}

fn sismember(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let found = read(&mut db, cx.key(0), |set| set.is_some_and(|set| set.contains(cx.args.at(2))))?;
    cx.reply.integer(i64::from(found));
    Ok(Outcome::Reply)
}

fn smismember(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |set| {
        let members = cx.args.from(2);
        cx.reply.array(members.len());
        for member in members {
            cx.reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
        }
    })?;
    Ok(Outcome::Reply)
}

fn smembers(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let view = read(&mut db, cx.key(0), |set| {
        cx.reply.set(set.map_or(0, SetRef::len));
        match set {
            Some(SetRef::Large(members)) if members.len() > AT_ONCE_MAX => return Some(members.clone()),
            Some(set) => set.each(0, usize::MAX, |member| reply_element(&mut cx.reply, member)),
            None => {}
        }
        None
    })?;
    drop(db);
    let Some(view) = view else { return Ok(Outcome::Reply) };
    let mut rank = 0;
    reply_in_parts(cx, move |reply| {
        SetRef::Large(&view).each(rank, STEP, |member| reply_element(reply, member));
        rank += STEP;
        if rank < view.len() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}
