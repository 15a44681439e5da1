//! How long a command may wait, as its arguments say.

use crate::prelude::*;

/// Milliseconds, not negative; what they mean when they are 0 is for the command to say.
fn millis(argument: &[u8]) -> Result<i64, CommandError> {
    match larder_store::parse_integer(argument) {
        None => Err(CommandError::line("ERR timeout is not an integer or out of range")),
        Some(..0) => Err(CommandError::line("ERR timeout is negative")),
        Some(millis) => Ok(millis),
    }
}

/// Milliseconds until a deadline; 0 is none.
pub(crate) fn deadline(argument: &[u8], now: UnixMillis) -> Result<Option<UnixMillis>, CommandError> {
    let millis = millis(argument)?;
    if millis.checked_add(now.0).is_none() {
        return Err(CommandError::line("ERR timeout is out of range"));
    }
    Ok((millis > 0).then(|| now.saturating_add(millis)))
}
