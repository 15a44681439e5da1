//! MGET, MSET, MSETEX and MSETNX: many strings at once.

use larder_store::Type;

use super::{reply_string, store};
use crate::condition::Condition;
use crate::lifetime::Lifetime;
use crate::logged;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[MGET, MSET, MSETEX, MSETNX];

const MGET: Command = Command {
    name: "mget",
    syntax: "key [key ...]",
    summary: "Returns the strings of several keys, and nothing for a key that has none.",
    group: Group::String,
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::all(Access::READ)],
    flags: Flags::READONLY.and(Flags::FAST),
    tips: &["request_policy:multi_shard"],
    run: mget,
    ..Command::PLAIN
};

const MSET: Command = Command {
    name: "mset",
    syntax: "key value [key value ...]",
    summary: "Stores strings under several keys, all at the same moment.",
    group: Group::String,
    since: "1.0.1",
    complexity: "O(N) where N is the number of keys",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::range(1, -1, 2, Access::OVERWRITE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    run: mset,
    ..Command::PLAIN
};

const MSETEX: Command = Command {
    name: "msetex",
    syntax: "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    summary: "Stores strings under several keys at the same moment, if all or none of them exist, with a time to live.",
    since: "9.1.0",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::counted(1, 2, Access::OVERWRITE)],
    logged: |_| Logged::ByValue,
    counts_from_now: |args| logged::has_time_to_live(args, 2),
    run: msetex,
    ..MSET
};

const MSETNX: Command = Command {
    name: "msetnx",
    summary: "Stores strings under several keys if none of them exists.",
    keys: &[KeySpec::range(1, -1, 2, Access::CREATE)],
    // Sharing it out among shards would take its point away.
    tips: &[],
    run: msetnx,
    ..MSET
};

fn mget(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let keys = cx.keys();
    cx.reply.array(keys.len());
    for key in keys {
        let entry = db.read(key).filter(|entry| entry.value_type() == Type::String);
        reply_string(&mut cx.reply, entry.as_deref());
    }
    Ok(Outcome::Reply)
}

fn mset(cx: &mut Context<'_>) -> CommandResult {
    let values = values(cx, 1, pairs(cx)?);

    let mut db = cx.lock()?;
    for (key, value) in cx.keys().zip(values) {
        store(&mut db, key, value, None);
    }

    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn msetnx(cx: &mut Context<'_>) -> CommandResult {
    let values = values(cx, 1, pairs(cx)?);

    let mut db = cx.lock()?;
    let holds = hold(Condition::Absent, cx, &mut db);
    if holds {
        for (key, value) in cx.keys().zip(values) {
            store(&mut db, key, value, None);
        }
    }

    cx.reply.integer(i64::from(holds));
    Ok(Outcome::Reply)
}

fn msetex(cx: &mut Context<'_>) -> CommandResult {
    let count = larder_store::parse_integer(cx.args.at(1))
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| (1..=i32::MAX as usize).contains(count))
        .ok_or(CommandError::line("ERR invalid numkeys value or out of range"))?;
    let options_start = 2 + 2 * count;
    if options_start > cx.args.len() {
        return Err(CommandError::Syntax);
    }
    let options = Options::parse(cx.args.from(options_start))?;
    let deadline = options.lifetime.deadline(cx.now(), cx.command.name)?;
    let values = values(cx, 2, count);

    let mut db = cx.lock()?;
    let holds = hold(options.condition, cx, &mut db);
    if holds {
        for (key, value) in cx.keys().zip(values) {
            let kept = match options.lifetime {
                Lifetime::Kept => db.inspect(key).and_then(|entry| entry.expires_at()),
                _ => None,
            };
            if kept.is_some() {
                db.put(key, &Attributes::expiring(kept), value, super::SET);
            } else {
                store(&mut db, key, value, deadline);
            }
        }
    }

    cx.reply.integer(i64::from(holds));
    Ok(Outcome::Reply)
}

/// The number of keys, each of which must have its value.
fn pairs(cx: &Context<'_>) -> Result<usize, CommandError> {
    match cx.args.len() {
        len if len % 2 == 1 => Ok(len / 2),
        _ => Err(CommandError::WrongArity(cx.command.name.into())),
    }
}

/// The values of `count` keys, the first of which is the argument at `first`: large ones are copied before any stripe is locked.
fn values<'a>(cx: &Context<'a>, first: usize, count: usize) -> Vec<NewValue<'a>> {
    (0..count).map(|pair| NewValue::of(cx.args.at(first + 1 + 2 * pair))).collect()
}

/// Whether a condition holds of all keys.
fn hold(condition: Condition, cx: &Context<'_>, db: &mut Locked<'_>) -> bool {
    condition == Condition::None || cx.keys().all(|key| condition.holds(db.touch(key).is_some()))
}

#[derive(Debug, Default)]
struct Options<'a> {
    condition: Condition,
    lifetime: Lifetime<'a>,
}

impl<'a> Options<'a> {
    fn parse(mut words: ArgsFrom<'a>) -> Result<Options<'a>, CommandError> {
        let mut options = Options::default();
        while let Some(word) = words.next() {
            if is_word(word, "nx") {
                options.condition.add(Condition::Absent)?;
            } else if is_word(word, "xx") {
                options.condition.add(Condition::Present)?;
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
