//! EXPIRE and its kin, and PERSIST: when keys are to go.

use crate::expiry::{self, Since, Unit};
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
    run: expire,
    ..Command::PLAIN
};

const EXPIREAT: Command = Command {
    name: "expireat",
    syntax: "key unix-time-seconds [NX | XX | GT | LT]",
    summary: "Lets a key expire at a Unix time in seconds; in the past, it is deleted at once.",
    since: "1.2.0",
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

/// What must hold of the present expiry for a new one to be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Conditions {
    /// NX: there is none.
    absent: bool,
    /// XX: there is one.
    present: bool,
    /// GT: the new one is later; never is later still.
    later: bool,
    /// LT: the new one is earlier.
    earlier: bool,
}

impl Conditions {
    fn parse(words: ArgsFrom<'_>) -> Result<Conditions, CommandError> {
        let mut conditions = Conditions::default();
        for word in words {
            if is_word(word, "nx") {
                conditions.absent = true;
            } else if is_word(word, "xx") {
                conditions.present = true;
            } else if is_word(word, "gt") {
                conditions.later = true;
            } else if is_word(word, "lt") {
                conditions.earlier = true;
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(CommandError::Line(format!("ERR Unsupported option {word}").into()));
            }
        }
        let Conditions { absent, present, later, earlier } = conditions;
        if absent && (present || later || earlier) {
            return Err(CommandError::line(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if later && earlier {
            return Err(CommandError::line("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    fn hold(self, old: Option<UnixMillis>, new: UnixMillis) -> bool {
        match old {
            None => !self.present && !self.later,
            Some(old) => !self.absent && (!self.later || new > old) && (!self.earlier || new < old),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_expiry_stays_for_ever() {
        let conditions = |absent, present, later, earlier| Conditions { absent, present, later, earlier };
        let (early, late) = (UnixMillis(1), UnixMillis(2));
        for (conditions, never, same, to_later, to_earlier) in [
            (conditions(false, false, false, false), true, true, true, true),
            (conditions(true, false, false, false), true, false, false, false),
            (conditions(false, true, false, false), false, true, true, true),
            (conditions(false, false, true, false), false, false, true, false),
            (conditions(false, false, false, true), true, false, false, true),
            (conditions(false, true, true, false), false, false, true, false),
            (conditions(false, true, false, true), false, false, false, true),
        ] {
            assert_eq!(conditions.hold(None, early), never, "{conditions:?} over none");
            assert_eq!(conditions.hold(Some(early), early), same, "{conditions:?} over the same");
            assert_eq!(conditions.hold(Some(early), late), to_later, "{conditions:?} to a later time");
            assert_eq!(conditions.hold(Some(late), early), to_earlier, "{conditions:?} to an earlier time");
        }
    }
}
