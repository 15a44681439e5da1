//! HGETEX: the values of fields, and another expiry for them.

use larder_store::hash::HashMut;

use super::named_fields::OptionsAndFields;
use super::{EXPIRE, PERSIST, change_existing, limits, read};
use crate::element::{reply_found, reply_nulls};
use crate::lifetime::Lifetime;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HGETEX];

const HGETEX: Command = Command {
    name: "hgetex",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]",
    summary: "Returns the values of fields of a hash, and lets them expire, or stay for good.",
    group: Group::Hash,
    since: "9.0.0",
    complexity: "O(N) where N is the number of fields given; O(N*log M) where M fields expire and expiries change",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(Access::READ_AND_CACHE)],
    flags: Flags::WRITE.and(Flags::FAST),
    counts_from_now: |args| crate::logged::has_time_to_live(args, 2),
    run: hgetex,
    ..Command::PLAIN
};

fn hgetex(cx: &mut Context<'_>) -> CommandResult {
    let words = OptionsAndFields::find(cx.args, 2)?;
    let (mut lifetime, mut options) = (Lifetime::Unsaid, words.options);
    while let Some(word) = options.next() {
        lifetime.add(word, &mut options)?;
    }
    if lifetime == Lifetime::Kept {
        return Err(CommandError::Syntax);
    }
    let fields = words.fields(1)?;

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let found = read(&mut db, key, |hash| hash.is_some())?;
    let deadline = lifetime.field_deadline(cx.now(), cx.command.name)?;

    if !found {
        reply_nulls(&mut cx.reply, fields.len());
        return Ok(Outcome::Reply);
    }
    let (now, limits, reply) = (db.now(), limits(cx.settings), &mut cx.reply);
    let mut expired = 0;
    change_existing(&mut db, key, limits, |hash| {
        let mut told = None;
        reply.array(fields.len());
        for field in fields {
            reply_found(reply, hash.as_ref().value(field));
            let event = match deadline {
                Some(at) if at <= now => hash.remove(field).then_some(Event::FIELDS_EXPIRED),
                Some(at) => put_expiry(hash, field, Some(at)).then_some(EXPIRE),
                None if lifetime == Lifetime::Unlimited => put_expiry(hash, field, None).then_some(PERSIST),
                None => None,
            };
            expired += usize::from(event == Some(Event::FIELDS_EXPIRED));
            told = told.or(event);
        }
        ((), told)
    })?;
    db.fields_expired(key, expired);
    let options = 2..cx.args.len() - fields.len() - 2;
    crate::logged::log_with_deadline(&mut db, cx.args, options, deadline);
    Ok(Outcome::Reply)
}

/// Gives a field an expiry, or takes one away; says whether it could: the field is there, and has one to lose.
fn put_expiry(hash: &mut HashMut<'_>, field: &[u8], expires_at: Option<UnixMillis>) -> bool {
    let found = hash.as_ref().find(field);
    let could = found.is_some_and(|found| expires_at.or(found.expires_at).is_some());
    if could {
        hash.put_expiry(field, expires_at);
    }
    could
}
