//! How long a command may wait, as its arguments say.

use crate::prelude::*;
use crate::string::Extended;

/// Milliseconds, not negative; what they mean when they are 0 is for the command to say.
fn millis(argument: &[u8]) -> Result<i64, CommandError> {
    match larder_store::parse_integer(argument) {
        None => Err(CommandError::line("ERR timeout is not an integer or out of range")),
        Some(..0) => Err(NEGATIVE),
        Some(millis) => Ok(millis),
    }
}

/// Milliseconds until a deadline; 0 is none.
pub(crate) fn deadline(argument: &[u8], now: UnixMillis) -> Result<Option<UnixMillis>, CommandError> {
    after(millis(argument)?, now)
}

/// Seconds until a deadline, and parts of them, of which a millisecond begun counts as one; 0 is none.
pub(crate) fn deadline_in_seconds(
    argument: &[u8],
    now: UnixMillis,
) -> Result<Option<UnixMillis>, CommandError> {
    let seconds = Extended::parse(argument)
        .map(Extended::to_f64)
        .ok_or(CommandError::line("ERR timeout is not a float or out of range"))?;
    let millis = (seconds * 1000.0).ceil();
    if millis > i64::MAX as f64 {
        return Err(OUT_OF_RANGE);
    }
    if millis < 0.0 {
        return Err(NEGATIVE);
    }
    after(millis as i64, now)
}

fn after(millis: i64, now: UnixMillis) -> Result<Option<UnixMillis>, CommandError> {
    let at = millis.checked_add(now.0).ok_or(OUT_OF_RANGE)?;
    Ok((millis > 0).then_some(UnixMillis(at)))
}

const NEGATIVE: CommandError = CommandError::line("ERR timeout is negative");
const OUT_OF_RANGE: CommandError = CommandError::line("ERR timeout is out of range");
