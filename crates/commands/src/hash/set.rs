//! HSET, HMSET, HSETNX, HDEL and HGETDEL: changing fields.

use larder_store::hash::FieldSet;

use super::named_fields::{COUNT, fields_at};
use super::{SET, change, change_existing, limits};
use crate::element::{reply_found, reply_nulls};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HDEL, HGETDEL, HMSET, HSET, HSETNX];

const DELETED: Event = Event::hash("hdel");

const HSET: Command = Command {
    name: "hset",
    syntax: "key field value [field value ...]",
    summary: "Gives fields of a hash values; a missing hash is created.",
    group: Group::Hash,
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields given",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(Access::UPDATE_ONLY)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    history: &[("4.0.0", "Accepts several fields with their values.")],
    run: hset,
    ..Command::PLAIN
};

const HMSET: Command = Command {
    name: "hmset",
    summary: "Gives fields of a hash values.",
    history: &[],
    deprecated: Some(("4.0.0", "`HSET` with several fields and values")),
    run: hmset,
    ..HSET
};

const HSETNX: Command = Command {
    name: "hsetnx",
    syntax: "key field value",
    summary: "Gives a field of a hash a value unless it has one.",
    complexity: "O(1)",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::ADD)],
    history: &[],
    run: hsetnx,
    ..HSET
};

const HDEL: Command = Command {
    name: "hdel",
    syntax: "key field [field ...]",
    summary: "Removes fields from a hash, and the hash with its last field.",
    complexity: "O(N) where N is the number of fields given",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::REMOVE_PART)],
    flags: Flags::WRITE.and(Flags::FAST),
    history: &[("2.4.0", "Accepts several fields.")],
    run: hdel,
    ..HSET
};

const HGETDEL: Command = Command {
    name: "hgetdel",
    syntax: "key FIELDS numfields field [field ...]",
    summary: "Returns the values of fields and removes them, and the hash with its last field.",
    since: "8.0.0",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(Access::READ_AND_DELETE)],
    history: &[],
    run: hgetdel,
    ..HDEL
};

fn hset(cx: &mut Context<'_>) -> CommandResult {
    let created = set_all(cx)?;
    cx.reply.integer(created);
    Ok(Outcome::Reply)
}

fn hmset(cx: &mut Context<'_>) -> CommandResult {
    set_all(cx)?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

/// Gives all fields their values; returns how many are new.
fn set_all(cx: &mut Context<'_>) -> Result<i64, CommandError> {
    let mut words = cx.args.from(2);
    if words.len() % 2 == 1 {
        return Err(cx.wrong_arity());
    }
    let mut db = cx.lock()?;
    let created = change(&mut db, cx.key(0), limits(cx.settings), |hash| {
        let mut created = 0;
        while let (Some(field), Some(value)) = (words.next(), words.next()) {
            created += i64::from(hash.set(field, value) == FieldSet::Created);
        }
        (created, Some(SET))
    })?;
    Ok(created)
}

fn hsetnx(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let (field, value) = (cx.args.at(2), cx.args.at(3));
    let set = change(&mut db, cx.key(0), limits(cx.settings), |hash| {
        if hash.as_ref().value(field).is_some() {
            return (false, None);
        }
        hash.set(field, value);
        (true, Some(SET))
    })?;
    cx.reply.integer(i64::from(set));
    Ok(Outcome::Reply)
}

fn hdel(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let fields = cx.args.from(2);
    let removed = change_existing(&mut db, cx.key(0), limits(cx.settings), |hash| {
        let removed = fields.filter(|field| hash.remove(field)).count();
        (removed, (removed > 0).then_some(DELETED))
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(Outcome::Reply)
}

fn hgetdel(cx: &mut Context<'_>) -> CommandResult {
    let fields = fields_at(cx.args, 2, COUNT)?;
    let mut db = cx.lock()?;
    let (key, limits, reply) = (cx.key(0), limits(cx.settings), &mut cx.reply);
    let found = change_existing(&mut db, key, limits, |hash| {
        let mut removed = false;
        reply.array(fields.len());
        for field in fields {
            reply_found(reply, hash.as_ref().value(field));
            removed |= hash.remove(field);
        }
        ((), removed.then_some(DELETED))
    })?;
    if found.is_none() {
        reply_nulls(&mut cx.reply, fields.len());
    }
    Ok(Outcome::Reply)
}
