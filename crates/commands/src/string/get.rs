//! GET, GETDEL and GETEX: reading one string.

use super::reply_string;
use crate::expiry;
use crate::lifetime::Lifetime;
use crate::logged;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[GET, GETDEL, GETEX];

const GET: Command = Command {
    name: "get",
    syntax: "key",
    summary: "Returns the string value of a key.",
    group: Group::String,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: get,
    ..Command::PLAIN
};

const GETDEL: Command = Command {
    name: "getdel",
    summary: "Returns the string value of a key and deletes the key.",
    since: "6.2.0",
    keys: &[KeySpec::one(Access::READ_AND_DELETE)],
    flags: Flags::WRITE.and(Flags::FAST),
    run: getdel,
    ..GET
};

const GETEX: Command = Command {
    name: "getex",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    summary: "Returns the string value of a key and changes when the key expires.",
    since: "6.2.0",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec {
        notes: "Updates the key in that it may change its expiry.",
        ..KeySpec::one(Access::READ_AND_UPDATE)
    }],
    flags: Flags::WRITE.and(Flags::FAST),
    logged: |_| Logged::ByExpiry,
    counts_from_now: |args| logged::has_time_to_live(args, 2),
    run: getex,
    ..GET
};

fn get(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let entry = db.read_string(cx.key(0))?;
    reply_string(&mut cx.reply, entry.as_deref());
    Ok(Outcome::Reply)
}

fn getdel(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let key = cx.key(0);
    let entry = db.read_string(key)?;
    reply_string(&mut cx.reply, entry.as_deref());
    db.delete(key, Event::DELETED);
    Ok(Outcome::Reply)
}

fn getex(cx: &mut Context<'_>) -> CommandResult {
    let mut lifetime = Lifetime::Unsaid;
    let mut words = cx.args.from(2);
    while let Some(word) = words.next() {
        lifetime.add(word, &mut words)?;
    }
    if lifetime == Lifetime::Kept {
        return Err(CommandError::Syntax);
    }
    let deadline = lifetime.deadline(cx.now(), cx.command.name)?;

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let entry = db.read_string(key)?;
    reply_string(&mut cx.reply, entry.as_deref());
    let Some(expires_at) = entry.map(|entry| entry.expires_at()) else { return Ok(Outcome::Reply) };
    match deadline {
        Some(at) if at <= db.now() => {
            db.delete(key, Event::EXPIRED);
        }
        Some(at) => {
            db.put_expiry(key, Some(at), expiry::EXPIRE);
        }
        None if lifetime == Lifetime::Unlimited && expires_at.is_some() => {
            db.put_expiry(key, None, expiry::PERSIST);
        }
        None => {}
    }
    Ok(Outcome::Reply)
}
