//! Times as commands give them, turned into the moment at which a key or a field expires, and back.

use crate::prelude::*;

/// The event of a key that was given an expiry.
pub(crate) const EXPIRE: Event = Event::generic("expire");
/// The event of a key that lost its expiry.
pub(crate) const PERSIST: Event = Event::generic("persist");

/// The unit of a time in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Millis,
}

/// What a time in a request counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    Now,
    Epoch,
}

/// The options EX, PX, EXAT and PXAT: their unit and what they count from.
pub(crate) fn option(word: &[u8]) -> Option<(Unit, Since)> {
    let options = [
        ("ex", Unit::Seconds, Since::Now),
        ("px", Unit::Millis, Since::Now),
        ("exat", Unit::Seconds, Since::Epoch),
        ("pxat", Unit::Millis, Since::Epoch),
    ];
    options.into_iter().find(|(name, ..)| is_word(word, name)).map(|(_, unit, since)| (unit, since))
}

/// The moment that a time means, or nothing when it is out of range. It may lie in the past.
pub(crate) fn moment(time: i64, unit: Unit, since: Since, now: UnixMillis) -> Option<UnixMillis> {
    let millis = match unit {
        Unit::Seconds => time.checked_mul(1000)?,
        Unit::Millis => time,
    };
    match since {
        Since::Now => millis.checked_add(now.0).map(UnixMillis),
        Since::Epoch => Some(UnixMillis(millis)),
    }
}

/// As [`moment`], for a command that stores a value: the time must be positive.
pub(crate) fn deadline(
    time: i64,
    (unit, since): (Unit, Since),
    now: UnixMillis,
    command: &'static str,
) -> Result<UnixMillis, CommandError> {
    if time <= 0 {
        return Err(CommandError::InvalidExpire(command));
    }
    moment(time, unit, since, now).ok_or(CommandError::InvalidExpire(command))
}

/// As [`moment`], for a field of a hash: the time must not be negative.
pub(crate) fn field_deadline(
    time: i64,
    (unit, since): (Unit, Since),
    now: UnixMillis,
    command: &'static str,
) -> Result<UnixMillis, CommandError> {
    let moment = if time < 0 { None } else { moment(time, unit, since, now) };
    moment.ok_or(CommandError::InvalidExpire(command))
}

/// What is told of something that does not exist.
pub(crate) const MISSING: i64 = -2;
/// What is told of something that does not expire.
const NEVER: i64 = -1;

/// What is told of an expiry: how much time is left, or when it is.
pub(crate) fn told(expires_at: Option<UnixMillis>, unit: Unit, since: Since, now: UnixMillis) -> i64 {
    let origin = if since == Since::Now { now } else { UnixMillis(0) };
    expires_at.map_or(NEVER, |at| in_unit(at.saturating_millis_since(origin), unit))
}

/// Milliseconds in a unit, to the nearest; half a second is one.
fn in_unit(millis: i64, unit: Unit) -> i64 {
    match unit {
        Unit::Millis => millis,
        Unit::Seconds => millis / 1000 + i64::from(millis % 1000 >= 500),
    }
}

/// What must hold of the present expiry for a new one to be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
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
    pub(crate) fn parse(words: ArgsFrom<'_>) -> Result<Conditions, CommandError> {
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

    pub(crate) fn hold(self, old: Option<UnixMillis>, new: UnixMillis) -> bool {
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

    #[test]
    fn seconds_are_rounded_to_the_nearest() {
        for (millis, seconds) in
            [(0, 0), (499, 0), (500, 1), (1499, 1), (1500, 2), (i64::MAX, i64::MAX / 1000 + 1)]
        {
            assert_eq!(in_unit(millis, Unit::Seconds), seconds);
        }
    }
}
