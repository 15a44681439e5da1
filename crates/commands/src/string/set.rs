//! SET and those that store, or delete, one string under some condition: DELIFEQ, GETSET, PSETEX, SETEX, SETNX.

use larder_store::Entry;

use super::{equals, reply_string, store};
use crate::expiry::{self, Since, Unit};
use crate::lifetime::Lifetime;
use crate::logged;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[DELIFEQ, GETSET, PSETEX, SET, SETEX, SETNX];

const DELIFEQ: Command = Command {
    name: "delifeq",
    syntax: "key value",
    summary: "Deletes a key if it holds this string.",
    group: Group::String,
    since: "9.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::one(Access::REMOVE)],
    flags: Flags::WRITE.and(Flags::FAST),
    logged: |_| Logged::ByValue,
    run: delifeq,
    ..Command::PLAIN
};

const GETSET: Command = Command {
    name: "getset",
    syntax: "key value",
    summary: "Stores a string under a key and returns the one that was there.",
    group: Group::String,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::one(Access::READ_AND_UPDATE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    deprecated: Some(("6.2.0", "`SET` with the `!GET` argument")),
    run: getset,
    ..Command::PLAIN
};

const SET: Command = Command {
    name: "set",
    syntax: "key value [NX | XX | IFEQ comparison-value] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    summary: "Stores a string under a key, over any value of any type; conditions and a time to live are options.",
    group: Group::String,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::READ_AND_UPDATE)
        .varying(set_access, "Reads the key only with GET or IFEQ; else it overwrites it.")],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::BRIEF),
    history: &[
        ("2.6.12", "Added the options EX, PX, NX and XX."),
        ("6.0.0", "Added the option KEEPTTL."),
        ("6.2.0", "Added the options GET, EXAT and PXAT."),
        ("7.0.0", "NX and GET may be given together."),
        ("8.1.0", "Added the option IFEQ."),
    ],
    logged: logged::by_value_unless_plain,
    counts_from_now: |args| logged::has_time_to_live(args, 3),
    run: set,
    ..Command::PLAIN
};

const SETEX: Command = Command {
    name: "setex",
    syntax: "key seconds value",
    summary: "Stores a string under a key and lets the key expire after so many seconds.",
    group: Group::String,
    since: "2.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::OVERWRITE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::BRIEF),
    deprecated: Some(("2.6.12", "`SET` with the `EX` argument")),
    logged: |_| Logged::ByValue,
    counts_from_now: |_| true,
    run: setex,
    ..Command::PLAIN
};

const PSETEX: Command = Command {
    name: "psetex",
    syntax: "key milliseconds value",
    summary: "Stores a string under a key and lets the key expire after so many milliseconds.",
    since: "2.6.0",
    deprecated: Some(("2.6.12", "`SET` with the `PX` argument")),
    run: psetex,
    ..SETEX
};

const SETNX: Command = Command {
    name: "setnx",
    syntax: "key value",
    summary: "Stores a string under a key that does not exist.",
    group: Group::String,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::one(Access::CREATE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    deprecated: Some(("2.6.12", "`SET` with the `NX` argument")),
    run: setnx,
    ..Command::PLAIN
};

fn set(cx: &mut Context<'_>) -> CommandResult {
    let options = SetOptions::parse(cx.args.from(3), cx.now(), cx.command.name)?;
    let value = NewValue::of(cx.args.at(2));

    let mut db = cx.lock()?;
    let key = cx.key(0);
    if options.is_plain() {
        store(&mut db, key, value, options.expires_at);
        cx.reply.ok();
        return Ok(Outcome::Reply);
    }
    let old = if options.returns_old { db.read_string(key)? } else { db.touch(key) };
    let old = old.as_deref();
    let holds = options.condition.holds(old)?;
    let kept = old.and_then(Entry::expires_at).filter(|_| options.keeps_ttl);
    match (options.returns_old, holds) {
        (true, _) => reply_string(&mut cx.reply, old),
        (false, true) => cx.reply.ok(),
        (false, false) => cx.reply.null(),
    }
    if holds && kept.is_some() {
        db.put(key, &Attributes::expiring(kept), value, super::SET);
    } else if holds {
        store(&mut db, key, value, options.expires_at);
    }
    Ok(Outcome::Reply)
}

fn setex(cx: &mut Context<'_>) -> CommandResult {
    set_for(cx, Unit::Seconds)
}

fn psetex(cx: &mut Context<'_>) -> CommandResult {
    set_for(cx, Unit::Millis)
}

fn set_for(cx: &mut Context<'_>, unit: Unit) -> CommandResult {
    let deadline = expiry::deadline(cx.args.integer(2)?, (unit, Since::Now), cx.now(), cx.command.name)?;
    let value = NewValue::of(cx.args.at(3));

    let mut db = cx.lock()?;
    store(&mut db, cx.key(0), value, Some(deadline));

    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn setnx(cx: &mut Context<'_>) -> CommandResult {
    let value = NewValue::of(cx.args.at(2));

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let absent = db.touch(key).is_none();
    if absent {
        store(&mut db, key, value, None);
    }

    cx.reply.integer(i64::from(absent));
    Ok(Outcome::Reply)
}

fn getset(cx: &mut Context<'_>) -> CommandResult {
    let value = NewValue::of(cx.args.at(2));

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let old = db.read_string(key)?;
    reply_string(&mut cx.reply, old.as_deref());
    store(&mut db, key, value, None);
    Ok(Outcome::Reply)
}

fn delifeq(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let key = cx.key(0);
    let holds = Condition::Equal(cx.args.at(2)).holds(db.touch(key).as_deref())?;
    if holds {
        db.delete(key, Event::DELETED);
    }

    cx.reply.integer(i64::from(holds));
    Ok(Outcome::Reply)
}

/// What must hold of the old value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Condition<'a> {
    #[default]
    None,
    Absent,
    Present,
    Equal(&'a [u8]),
}

impl Condition<'_> {
    fn holds(self, old: Option<&Entry>) -> Result<bool, CommandError> {
        match (self, old) {
            (Condition::None, _) => Ok(true),
            (Condition::Absent, old) => Ok(old.is_none()),
            (Condition::Present, old) => Ok(old.is_some()),
            (Condition::Equal(_), None) => Ok(false),
            (Condition::Equal(wanted), Some(old)) => equals(old, wanted),
        }
    }
}

#[derive(Debug, Default)]
struct SetOptions<'a> {
    condition: Condition<'a>,
    returns_old: bool,
    keeps_ttl: bool,
    expires_at: Option<UnixMillis>,
}

impl<'a> SetOptions<'a> {
    #[inline]
    fn parse(
        mut words: ArgsFrom<'a>,
        now: UnixMillis,
        command: &'static str,
    ) -> Result<SetOptions<'a>, CommandError> {
        let mut options = SetOptions::default();
        if words.is_empty() {
            return Ok(options);
        }
        let mut lifetime = Lifetime::Unsaid;
        while let Some(word) = words.next() {
            let unconditional = options.condition == Condition::None;
            if is_word(word, "nx") && (unconditional || options.condition == Condition::Absent) {
                options.condition = Condition::Absent;
            } else if is_word(word, "xx") && (unconditional || options.condition == Condition::Present) {
                options.condition = Condition::Present;
            } else if is_word(word, "ifeq") && unconditional {
                options.condition = Condition::Equal(words.value()?);
            } else if is_word(word, "get") {
                options.returns_old = true;
            } else {
                lifetime.add(word, &mut words)?;
            }
        }
        match lifetime {
            Lifetime::Unlimited => return Err(CommandError::Syntax),
            Lifetime::Kept => options.keeps_ttl = true,
            lifetime => options.expires_at = lifetime.deadline(now, command)?,
        }
        Ok(options)
    }

    /// Whether the old value does not matter.
    fn is_plain(&self) -> bool {
        self.condition == Condition::None && !self.returns_old && !self.keeps_ttl
    }
}

fn set_access(args: Args<'_>) -> Access {
    let reads = args.iter().skip(3).any(|word| is_word(word, "get") || is_word(word, "ifeq"));
    if reads { Access::READ_AND_UPDATE } else { Access::OVERWRITE }
}
