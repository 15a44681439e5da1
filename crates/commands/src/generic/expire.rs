//! EXPIRE and its kin, and PERSIST: when keys are to go.

use crate::expiry::{self, Conditions, Since, Unit};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[EXPIRE, EXPIREAT, PERSIST, PEXPIRE, PEXPIREAT];

const EXPIRE: Command = Command {
    name: "expire",
    syntax: "key seconds [NX | XX | GT | LT]",
    summary: "Lets a key expire after so many seconds; after none or less it is deleted at once.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::UPDATE_ONLY)],
    flags: Flags::WRITE.and(Flags::FAST),
    history: &[("7.0.0", "Added the options NX, XX, GT and LT.")],
    logged: |_| Logged::ByExpiry,
    counts_from_now: |_| true,
    run: expire,
    ..Command::PLAIN
};

const EXPIREAT: Command = Command {
    name: "expireat",
    syntax: "key unix-time-seconds [NX | XX | GT | LT]",
    summary: "Lets a key expire at a Unix time in seconds; in the past, it is deleted at once.",
    since: "1.2.0",
    counts_from_now: |_| false,
    run: expireat,
    ..EXPIRE
};

const PERSIST: Command = Command {
    name: "persist",
    syntax: "key",
    summary: "Lets a key stay for good: removes its expiry.",
    since: "2.2.0",
    arity: Arity::Exactly(2),
    history: &[],
    counts_from_now: |_| false,
    run: persist,
    ..EXPIRE
};

const PEXPIRE: Command = Command {
    name: "pexpire",
    syntax: "key milliseconds [NX | XX | GT | LT]",
    summary: "Lets a key expire after so many milliseconds; after none or less it is deleted at once.",
    since: "2.6.0",
    run: pexpire,
    ..EXPIRE
};

const PEXPIREAT: Command = Command {
    name: "pexpireat",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT]",
    summary: "Lets a key expire at a Unix time in milliseconds; in the past, it is deleted at once.",
    since: "2.6.0",
    counts_from_now: |_| false,
    run: pexpireat,
    ..EXPIRE
};

fn expire(cx: &mut Context<'_>) -> CommandResult {
    put_expiry(cx, Unit::Seconds, Since::Now)
}

fn expireat(cx: &mut Context<'_>) -> CommandResult {
    put_expiry(cx, Unit::Seconds, Since::Epoch)
}

fn pexpire(cx: &mut Context<'_>) -> CommandResult {
    put_expiry(cx, Unit::Millis, Since::Now)
}

fn pexpireat(cx: &mut Context<'_>) -> CommandResult {
    put_expiry(cx, Unit::Millis, Since::Epoch)
}

fn put_expiry(cx: &mut Context<'_>, unit: Unit, since: Since) -> CommandResult {
    let conditions = Conditions::parse(cx.args.from(3))?;
    let at = expiry::moment(cx.args.integer(2)?, unit, since, cx.now())
        .ok_or(CommandError::InvalidExpire(cx.command.name))?;

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let old = db.touch(key).map(|entry| entry.expires_at());
    let changes = old.is_some_and(|old| conditions.hold(old, at));
    if changes && at <= db.now() {
        db.delete(key, Event::DELETED);
    } else if changes {
        db.put_expiry(key, Some(at), expiry::EXPIRE);
    }

    cx.reply.integer(i64::from(changes));
    Ok(Outcome::Reply)
}

fn persist(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let key = cx.key(0);
    let expires = db.touch(key).is_some_and(|entry| entry.expires_at().is_some());
    if expires {
        db.put_expiry(key, None, expiry::PERSIST);
    }

    cx.reply.integer(i64::from(expires));
    Ok(Outcome::Reply)
}
