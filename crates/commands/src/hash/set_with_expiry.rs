//! HSETEX: values for fields that are to expire, on conditions.

use larder_store::hash::HashRef;

use super::named_fields::OptionsAndFields;
use super::{EXPIRE, SET, change, change_existing, limits, look};
use crate::condition::Condition;
use crate::lifetime::Lifetime;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HSETEX];

const HSETEX: Command = Command {
    name: "hsetex",
    syntax: "key [NX | XX] [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]",
    summary: "Gives fields of a hash values and lets them expire, perhaps only if the hash, or the fields, are there or are not.",
    group: Group::Hash,
    since: "9.0.0",
    complexity: "O(N*log M) where N is the number of fields given and M the number of those that expire",
    arity: Arity::AtLeast(6),
    keys: &[KeySpec::one(Access::ADD)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    counts_from_now: |args| crate::logged::has_time_to_live(args, 2),
    run: hsetex,
    ..Command::PLAIN
};

/// What was asked beside the fields.
#[derive(Debug, Default)]
struct Options<'a> {
    key: Condition,
    fields: Condition,
    lifetime: Lifetime<'a>,
}

impl<'a> Options<'a> {
    fn parse(mut words: ArgsFrom<'a>) -> Result<Options<'a>, CommandError> {
        let mut options = Options::default();
        while let Some(word) = words.next() {
            if is_word(word, "nx") {
                options.key.add(Condition::Absent)?;
            } else if is_word(word, "xx") {
                options.key.add(Condition::Present)?;
            } else if is_word(word, "fnx") {
                options.fields.add(Condition::Absent)?;
            } else if is_word(word, "fxx") {
                options.fields.add(Condition::Present)?;
            } else {
                options.lifetime.add(word, &mut words)?;
            }
        }
        if options.lifetime == Lifetime::Unlimited {
            return Err(CommandError::Syntax);
        }
        Ok(options)
    }
}

fn hsetex(cx: &mut Context<'_>) -> CommandResult {
    let words = OptionsAndFields::find(cx.args, 2)?;
    let options = Options::parse(words.options)?;
    let pairs = words.fields(2)?;
    let pairs_len = pairs.len() / 2;

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let is_there = look(&mut db, key, |hash| hash.is_some())?;
    if !options.key.holds(is_there) {
        cx.reply.integer(0);
        return Ok(Outcome::Reply);
    }
    let deadline = options.lifetime.field_deadline(cx.now(), cx.command.name)?;
    if !look(&mut db, key, |hash| all_hold(options.fields, hash, pairs))? {
        cx.reply.integer(0);
        return Ok(Outcome::Reply);
    }

    if deadline.is_some_and(|at| at <= db.now()) {
        expire_at_once(cx, &mut db, pairs)?;
    } else {
        set(cx, &mut db, pairs, options.lifetime, deadline)?;
    }
    let options = 2..cx.args.len() - 2 * pairs_len - 2;
    crate::logged::log_with_deadline(&mut db, cx.args, options, deadline);
    cx.reply.integer(1);
    Ok(Outcome::Reply)
}

fn all_hold(condition: Condition, hash: Option<HashRef<'_>>, mut pairs: ArgsFrom<'_>) -> bool {
    if condition == Condition::None {
        return true;
    }
    while let (Some(field), Some(_)) = (pairs.next(), pairs.next()) {
        if !condition.holds(hash.is_some_and(|hash| hash.find(field).is_some())) {
            return false;
        }
    }
    true
}

fn set(
    cx: &Context<'_>,
    db: &mut Locked<'_>,
    mut pairs: ArgsFrom<'_>,
    lifetime: Lifetime<'_>,
    deadline: Option<UnixMillis>,
) -> Result<(), CommandError> {
    change(db, cx.key(0), limits(cx.settings), |hash| {
        while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
            if lifetime == Lifetime::Kept {
                hash.update(field, value);
            } else {
                hash.put(field, value, deadline);
            }
        }
        ((), std::iter::once(SET).chain(deadline.map(|_| EXPIRE)))
    })?;
    Ok(())
}

/// Removes fields that were to be set with an expiry that is not to come. All is told as if they had been set, and then had expired.
fn expire_at_once(
    cx: &Context<'_>,
    db: &mut Locked<'_>,
    mut pairs: ArgsFrom<'_>,
) -> Result<(), CommandError> {
    const EVENTS: [Event; 3] = [SET, EXPIRE, Event::FIELDS_EXPIRED];
    let (key, fields) = (cx.key(0), pairs.len() / 2);
    let changed = change_existing(db, key, limits(cx.settings), |hash| {
        let mut removed = false;
        while let (Some(field), Some(_)) = (pairs.next(), pairs.next()) {
            removed |= hash.remove(field);
        }
        (removed, removed.then_some(EVENTS).into_iter().flatten())
    })?;
    if changed != Some(true) {
        EVENTS.into_iter().for_each(|event| db.note(key, event));
    }
    if changed.is_none() {
        db.note(key, Event::DELETED);
    }
    db.fields_expired(key, fields);
    Ok(())
}
