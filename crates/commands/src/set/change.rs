//! SADD, SREM and SMOVE: members come and go.

use larder_store::set::{self, SetMut};
use larder_store::{Entry, Missing, Type};

use super::{change, limits};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[SADD, SMOVE, SREM];

const ADDED: Event = Event::set("sadd");
const REMOVED: Event = Event::set("srem");

const SADD: Command = Command {
    name: "sadd",
    syntax: "key member [member ...]",
    summary: "Adds members to a set; a missing set is created.",
    group: Group::Set,
    since: "1.0.0",
    complexity: "O(N) where N is the number of members given",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::ADD)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    history: &[("2.4.0", "Accepts several members.")],
    run: sadd,
    ..Command::PLAIN
};

const SREM: Command = Command {
    name: "srem",
    summary: "Removes members from a set, and the set with its last member.",
    keys: &[KeySpec::one(Access::REMOVE_PART)],
    flags: Flags::WRITE.and(Flags::FAST),
    run: srem,
    ..SADD
};

const SMOVE: Command = Command {
    name: "smove",
    syntax: "source destination member",
    summary: "Moves a member from one set to another.",
    complexity: "O(1)",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::READ_AND_DELETE), KeySpec::at(2, Access::ADD)],
    flags: Flags::WRITE.and(Flags::FAST),
    history: &[],
    run: smove,
    ..SADD
};

fn sadd(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let (members, limits) = (cx.args.from(2), limits(cx.settings));
    let missing = Missing::Create(set::empty(cx.args.at(2)));
    let added = db.change_collection(cx.key(0), Type::Set, missing, |entry: &mut Entry| {
        let mut set = SetMut::of(entry, limits);
        set.expect(members.len());
        let added = members.filter(|member| set.add(member)).count();
        (added, (added > 0).then_some(ADDED))
    })?;
    cx.reply.integer(added.unwrap_or(0) as i64);
    Ok(Outcome::Reply)
}

fn srem(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let members = cx.args.from(2);
    let removed = change(&mut db, cx.key(0), limits(cx.settings), |set| {
        let removed = members.filter(|member| set.remove(member)).count();
        (removed, (removed > 0).then_some(REMOVED))
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(Outcome::Reply)
}

fn smove(cx: &mut Context<'_>) -> CommandResult {
    let (limits, member) = (limits(cx.settings), cx.args.at(3));
    let mut db = cx.lock()?;
    let (source, destination) = (cx.key(0), cx.key(1));
    let is_member = super::read_quietly(&mut db, source, |set| set.map(|set| set.contains(member)))?;
    // As in Redis, the destination's type matters only when there is a source.
    let Some(is_member) = is_member else {
        cx.reply.integer(0);
        return Ok(Outcome::Reply);
    };
    db.find_type(destination, Type::Set)?;
    if is_member && source.bytes != destination.bytes {
        change(&mut db, source, limits, |set| (set.remove(member), Some(REMOVED)))?;
        let missing = Missing::Create(set::empty(member));
        db.change_collection(destination, Type::Set, missing, |entry| {
            let added = SetMut::of(entry, limits).add(member);
            ((), added.then_some(ADDED))
        })?;
    }
    cx.reply.integer(i64::from(is_member));
    Ok(Outcome::Reply)
}
