//! Times as commands give them, turned into the moment at which a key expires.

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
