//! HGET, HMGET, HLEN, HSTRLEN and HEXISTS: looking at fields.

use larder_store::hash::HashRef;

use super::read;
use crate::element::reply_found;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HEXISTS, HGET, HLEN, HMGET, HSTRLEN];

const HGET: Command = Command {
    name: "hget",
    syntax: "key field",
    summary: "Returns the value of a field of a hash.",
    group: Group::Hash,
    since: "2.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: hget,
    ..Command::PLAIN
};

const HMGET: Command = Command {
    name: "hmget",
    syntax: "key field [field ...]",
    summary: "Returns the values of several fields of a hash.",
    complexity: "O(N) where N is the number of fields asked for",
    arity: Arity::AtLeast(3),
    run: hmget,
    ..HGET
};

const HLEN: Command = Command {
    name: "hlen",
    syntax: "key",
    summary: "Returns the number of fields of a hash; one whose time has come counts as long as it is there.",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::INSPECT)],
    run: hlen,
    ..HGET
};

const HSTRLEN: Command = Command {
    name: "hstrlen",
    summary: "Returns the length of the value of a field of a hash.",
    since: "3.2.0",
    keys: &[KeySpec::one(Access::INSPECT)],
    run: hstrlen,
    ..HGET
};

const HEXISTS: Command = Command {
    name: "hexists",
    summary: "Says whether a hash has a field.",
    keys: &[KeySpec::one(Access::INSPECT)],
    run: hexists,
    ..HGET
};

fn hget(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |hash| {
        reply_found(&mut cx.reply, hash.and_then(|hash| hash.value(cx.args.at(2))));
    })?;
    Ok(Outcome::Reply)
}

fn hmget(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |hash| {
        let fields = cx.args.from(2);
        cx.reply.array(fields.len());
        for field in fields {
            reply_found(&mut cx.reply, hash.and_then(|hash| hash.value(field)));
        }
    })?;
    Ok(Outcome::Reply)
}

fn hlen(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let len = read(&mut db, cx.key(0), |hash| hash.map_or(0, HashRef::len))?;
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}

fn hstrlen(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let len = read(&mut db, cx.key(0), |hash| {
        hash.and_then(|hash| hash.value(cx.args.at(2))).map_or(0, |value| value.len())
    })?;
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}

fn hexists(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let found =
        read(&mut db, cx.key(0), |hash| hash.is_some_and(|hash| hash.value(cx.args.at(2)).is_some()))?;
    cx.reply.integer(i64::from(found));
    Ok(Outcome::Reply)
}
