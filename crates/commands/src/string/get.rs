//! GET and SET, the two that everything else is measured by.

use super::reply_string;
use crate::expiry::{self, Since, Unit};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[GET, SET];

/// The event of a string that was stored whole.
pub(super) const SET_EVENT: Event = Event::string("set");

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

const SET: Command = Command {
    name: "set",
    syntax: "key value [NX | XX | IFEQ comparison-value] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    summary: "Stores a string under a key, over any value of any type; conditions and a time to live are options.",
    group: Group::String,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::OVERWRITE.and(Access::READ_AND_UPDATE))
        .varying(set_access, "Reads the key only with GET or IFEQ; else it overwrites it.")],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    history: &[
        ("2.6.12", "Added the options EX, PX, NX and XX."),
        ("6.0.0", "Added the option KEEPTTL."),
        ("6.2.0", "Added the options GET, EXAT and PXAT."),
        ("7.0.0", "NX and GET may be given together."),
        ("8.1.0", "Added the option IFEQ."),
    ],
    run: set,
    ..Command::PLAIN
};

fn get(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let entry = db.read_string(cx.key(0))?;
    reply_string(&mut cx.reply, entry.as_deref());
    Ok(Outcome::Reply)
}

fn set(cx: &mut Context<'_>) -> CommandResult {
    let options = SetOptions::parse(cx.args.from(3), cx.now())?;
    let value = cx.args.at(2);

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let mut expires_at = options.expires_at;
    if !options.is_plain() {
        let old = if options.returns_old { db.read_string(key)? } else { db.inspect(key) };
        let holds = options.condition.holds(old.as_deref())?;
        if options.keeps_ttl {
            expires_at = old.as_ref().and_then(|entry| entry.expires_at());
        }
        if options.returns_old {
            reply_string(&mut cx.reply, old.as_deref());
        }
        if !holds {
            if !options.returns_old {
                cx.reply.null();
            }
            return Ok(Outcome::Reply);
        }
    }
    db.put(key, &Attributes::expiring(expires_at), NewValue::of(value), SET_EVENT);
    if options.expires_at.is_some() {
        db.note(key, expiry::EXPIRE);
    }

    if !options.returns_old {
        cx.reply.ok();
    }
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
    fn holds(self, old: Option<&larder_store::Entry>) -> Result<bool, CommandError> {
        match (self, old) {
            (Condition::None, _) => Ok(true),
            (Condition::Absent, old) => Ok(old.is_none()),
            (Condition::Present, old) => Ok(old.is_some()),
            (Condition::Equal(_), None) => Ok(false),
            (Condition::Equal(wanted), Some(old)) => super::equals(old, wanted),
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
    fn parse(mut words: ArgsFrom<'a>, now: UnixMillis) -> Result<SetOptions<'a>, CommandError> {
        let mut options = SetOptions::default();
        let mut time = None;
        while let Some(word) = words.next() {
            let unconditional = options.condition == Condition::None;
            // As in Redis, the same kind of time may come twice: the later counts.
            let is_timely = |kind: &(Unit, Since)| {
                !options.keeps_ttl && time.is_none_or(|(_, earlier)| earlier == *kind) && !words.is_empty()
            };
            if is_word(word, "nx") && (unconditional || options.condition == Condition::Absent) {
                options.condition = Condition::Absent;
            } else if is_word(word, "xx") && (unconditional || options.condition == Condition::Present) {
                options.condition = Condition::Present;
            } else if is_word(word, "ifeq") && unconditional && !words.is_empty() {
                options.condition = Condition::Equal(words.value()?);
            } else if is_word(word, "get") {
                options.returns_old = true;
            } else if is_word(word, "keepttl") && time.is_none() {
                options.keeps_ttl = true;
            } else if let Some(kind) = expiry::option(word).filter(is_timely) {
                time = Some((words.value()?, kind));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if let Some((number, kind)) = time {
            let number = larder_store::parse_integer(number).ok_or(CommandError::NotAnInteger)?;
            options.expires_at = Some(expiry::deadline(number, kind, now, "set")?);
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
