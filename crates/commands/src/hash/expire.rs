//! HEXPIRE and its kin, and HPERSIST: when fields are to go.

use larder_store::hash::HashMut;

use super::named_fields::{COUNT, OptionsAndFields, fields_at};
use super::{EXPIRE, PERSIST, change_existing, limits};
use crate::expiry::{self, Conditions, MISSING, Since, Unit};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HEXPIRE, HEXPIREAT, HPERSIST, HPEXPIRE, HPEXPIREAT];

/// The answer for a field that has another expiry now.
const CHANGED: i64 = 1;
/// The answer for a field for which a condition does not hold.
const UNCHANGED: i64 = 0;
/// The answer for a field that has no expiry to lose.
const LASTING: i64 = -1;
/// The answer for a field that is gone because its time is not to come.
const EXPIRED: i64 = 2;

const HEXPIRE: Command = Command {
    name: "hexpire",
    syntax: "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    summary: "Lets fields of a hash expire after so many seconds; after none they are removed at once.",
    group: Group::Hash,
    since: "9.0.0",
    complexity: "O(N*log M) where N is the number of fields given and M the number of those that expire",
    arity: Arity::AtLeast(6),
    keys: &[KeySpec::one(Access::UPDATE_ONLY)],
    flags: Flags::WRITE.and(Flags::FAST),
    counts_from_now: |_| true,
    run: hexpire,
    ..Command::PLAIN
};

const HEXPIREAT: Command = Command {
    name: "hexpireat",
    syntax: "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    summary: "Lets fields of a hash expire at a Unix time in seconds; in the past, they are removed at once.",
    counts_from_now: |_| false,
    run: hexpireat,
    ..HEXPIRE
};

const HPEXPIRE: Command = Command {
    name: "hpexpire",
    syntax: "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    summary: "Lets fields of a hash expire after so many milliseconds; after none they are removed at once.",
    run: hpexpire,
    ..HEXPIRE
};

const HPEXPIREAT: Command = Command {
    name: "hpexpireat",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    summary: "Lets fields of a hash expire at a Unix time in milliseconds; in the past, they are removed at once.",
    counts_from_now: |_| false,
    run: hpexpireat,
    ..HEXPIRE
};

const HPERSIST: Command = Command {
    name: "hpersist",
    syntax: "key FIELDS numfields field [field ...]",
    summary: "Lets fields of a hash stay for good: removes their expiries.",
    arity: Arity::AtLeast(5),
    counts_from_now: |_| false,
    run: hpersist,
    ..HEXPIRE
};

fn hexpire(cx: &mut Context<'_>) -> CommandResult {
    put_expiries(cx, Unit::Seconds, Since::Now)
}

fn hexpireat(cx: &mut Context<'_>) -> CommandResult {
    put_expiries(cx, Unit::Seconds, Since::Epoch)
}

fn hpexpire(cx: &mut Context<'_>) -> CommandResult {
    put_expiries(cx, Unit::Millis, Since::Now)
}

fn hpexpireat(cx: &mut Context<'_>) -> CommandResult {
    put_expiries(cx, Unit::Millis, Since::Epoch)
}

fn put_expiries(cx: &mut Context<'_>, unit: Unit, since: Since) -> CommandResult {
    let words = OptionsAndFields::find(cx.args, 3)?;
    let conditions = Conditions::parse(words.options)?;
    let fields = words.fields(1)?;
    let at = expiry::field_deadline(cx.args.integer(2)?, (unit, since), cx.now(), cx.command.name)?;

    let mut db = cx.lock()?;
    let (now, mut expired) = (db.now(), 0);
    reply_each(cx, &mut db, fields, |hash, field| {
        let Some(found) = hash.as_ref().find(field) else { return (MISSING, None) };
        if !conditions.hold(found.expires_at, at) {
            return (UNCHANGED, None);
        }
        if at <= now {
            hash.remove(field);
            expired += 1;
            return (EXPIRED, Some(Event::FIELDS_EXPIRED));
        }
        hash.put_expiry(field, Some(at));
        (CHANGED, Some(EXPIRE))
    })?;
    db.fields_expired(cx.key(0), expired);
    log_with_deadline(&mut db, cx.args, at);
    Ok(Outcome::Reply)
}

/// Logs the request with its time as a moment.
fn log_with_deadline(db: &mut Locked<'_>, args: Args<'_>, at: UnixMillis) {
    if db.is_logged() {
        let at = at.0.to_string();
        let first = [&b"HPEXPIREAT"[..], args.at(1), at.as_bytes()];
        let words: Vec<&[u8]> = first.into_iter().chain(args.from(3)).collect();
        db.log_as(&words);
    }
}

fn hpersist(cx: &mut Context<'_>) -> CommandResult {
    let fields = fields_at(cx.args, 2, COUNT)?;
    let mut db = cx.lock()?;
    reply_each(cx, &mut db, fields, |hash, field| {
        let Some(found) = hash.as_ref().find(field) else { return (MISSING, None) };
        if found.expires_at.is_none() {
            return (LASTING, None);
        }
        hash.put_expiry(field, None);
        (CHANGED, Some(PERSIST))
    })?;
    Ok(Outcome::Reply)
}

/// Replies what `change` says of each field, and tells of what it has done to any.
fn reply_each(
    cx: &mut Context<'_>,
    db: &mut Locked<'_>,
    fields: ArgsFrom<'_>,
    mut change: impl FnMut(&mut HashMut<'_>, &[u8]) -> (i64, Option<Event>),
) -> Result<(), CommandError> {
    let (key, limits, reply) = (cx.key(0), limits(cx.settings), &mut cx.reply);
    let found = change_existing(db, key, limits, |hash| {
        let mut told = None;
        reply.array(fields.len());
        for field in fields {
            let (answer, event) = change(hash, field);
            told = told.or(event);
            reply.integer(answer);
        }
        ((), told)
    })?;
    if found.is_none() {
        reply.array(fields.len());
        fields.for_each(|_| reply.integer(MISSING));
    }
    Ok(())
}
