//! TTL, PTTL, EXPIRETIME and PEXPIRETIME: when a key goes.

use larder_store::Touch;

use crate::expiry::{self, Since, Unit};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[EXPIRETIME, PEXPIRETIME, PTTL, TTL];

const TTL: Command = Command {
    name: "ttl",
    syntax: "key",
    summary: "Tells in how many seconds a key expires: -1 is never, -2 is no such key.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY.and(Flags::FAST),
    tips: &["nondeterministic_output"],
    history: &[("2.8.0", "Answers -2 for a key that does not exist.")],
    run: ttl,
    ..Command::PLAIN
};

const PTTL: Command = Command {
    name: "pttl",
    summary: "Tells in how many milliseconds a key expires: -1 is never, -2 is no such key.",
    since: "2.6.0",
    run: pttl,
    ..TTL
};

const EXPIRETIME: Command = Command {
    name: "expiretime",
    summary: "Tells the Unix time in seconds at which a key expires: -1 is never, -2 is no such key.",
    since: "7.0.0",
    tips: &[],
    history: &[],
    run: expiretime,
    ..TTL
};

const PEXPIRETIME: Command = Command {
    name: "pexpiretime",
    summary: "Tells the Unix time in milliseconds at which a key expires: -1 is never, -2 is no such key.",
    run: pexpiretime,
    ..EXPIRETIME
};

fn ttl(cx: &mut Context<'_>) -> CommandResult {
    reply_expiry(cx, Unit::Seconds, Since::Now)
}

fn pttl(cx: &mut Context<'_>) -> CommandResult {
    reply_expiry(cx, Unit::Millis, Since::Now)
}

fn expiretime(cx: &mut Context<'_>) -> CommandResult {
    reply_expiry(cx, Unit::Seconds, Since::Epoch)
}

fn pexpiretime(cx: &mut Context<'_>) -> CommandResult {
    reply_expiry(cx, Unit::Millis, Since::Epoch)
}

fn reply_expiry(cx: &mut Context<'_>, unit: Unit, since: Since) -> CommandResult {
    let mut db = cx.lock_touching(Touch::No)?;
    let found = db.read(cx.key(0)).map(|entry| entry.expires_at());
    cx.reply.integer(found.map_or(expiry::MISSING, |at| expiry::told(at, unit, since, cx.now())));
    Ok(Outcome::Reply)
}
