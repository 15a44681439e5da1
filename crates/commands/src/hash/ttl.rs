//! HTTL, HPTTL, HEXPIRETIME and HPEXPIRETIME: when fields go.

use super::named_fields::fields_at;
use super::read;
use crate::expiry::{self, Since, Unit};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HEXPIRETIME, HPEXPIRETIME, HPTTL, HTTL];

const HTTL: Command = Command {
    name: "httl",
    syntax: "key FIELDS numfields field [field ...]",
    summary: "Tells in how many seconds fields of a hash expire: -1 is never, -2 is no such field.",
    group: Group::Hash,
    since: "9.0.0",
    complexity: "O(N) where N is the number of fields asked about",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: httl,
    ..Command::PLAIN
};

const HPTTL: Command = Command {
    name: "hpttl",
    summary: "Tells in how many milliseconds fields of a hash expire: -1 is never, -2 is no such field.",
    run: hpttl,
    ..HTTL
};

const HEXPIRETIME: Command = Command {
    name: "hexpiretime",
    summary: "Tells the Unix time in seconds at which fields of a hash expire: -1 is never, -2 is no such field.",
    run: hexpiretime,
    ..HTTL
};

const HPEXPIRETIME: Command = Command {
    name: "hpexpiretime",
    summary: "Tells the Unix time in milliseconds at which fields of a hash expire: -1 is never, -2 is no such field.",
    run: hpexpiretime,
    ..HTTL
};

fn httl(cx: &mut Context<'_>) -> CommandResult {
    reply_expiries(cx, Unit::Seconds, Since::Now)
}

fn hpttl(cx: &mut Context<'_>) -> CommandResult {
    reply_expiries(cx, Unit::Millis, Since::Now)
}

fn hexpiretime(cx: &mut Context<'_>) -> CommandResult {
    reply_expiries(cx, Unit::Seconds, Since::Epoch)
}

fn hpexpiretime(cx: &mut Context<'_>) -> CommandResult {
    reply_expiries(cx, Unit::Millis, Since::Epoch)
}

fn reply_expiries(cx: &mut Context<'_>, unit: Unit, since: Since) -> CommandResult {
    let fields = fields_at(cx.args, 2, CommandError::Syntax)?;
    let mut db = cx.lock()?;
    let now = db.now();
    read(&mut db, cx.key(0), |hash| {
        cx.reply.array(fields.len());
        for field in fields {
            let found = hash.and_then(|hash| hash.find(field));
            let told =
                found.map_or(expiry::MISSING, |found| expiry::told(found.expires_at, unit, since, now));
            cx.reply.integer(told);
        }
    })?;
    Ok(Outcome::Reply)
}
