//! HSET, HMSET, HSETNX and HDEL: changing fields.

use larder_store::hash::{FieldSet, HashMut};
use larder_store::{Missing, Type};

use super::{change, limits};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HDEL, HMSET, HSET, HSETNX];

const SET: Event = Event::hash("hset");
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
    let (fields, limits) = (cx.args.from(2), limits(cx.settings));
    let removed = db.change_collection(cx.key(0), Type::Hash, Missing::Leave, |entry| {
        let mut hash = HashMut::of(entry, limits);
        let removed = fields.filter(|field| hash.remove(field)).count();
        (removed, (removed > 0).then_some(DELETED))
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(Outcome::Reply)
}
