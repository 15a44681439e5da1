//! Commands that take a string as an array of bits. Bit 0 is the highest bit of byte 0; what lies beyond the end is zero.

use larder_store::Encoding;

use crate::prelude::*;

mod bit;
mod bits;
mod combine;
mod field;
mod fields;
mod operation;
mod range;
mod scan;

pub(crate) const COMMANDS: &[&[Command]] =
    &[bit::COMMANDS, fields::COMMANDS, operation::COMMANDS, scan::COMMANDS];

/// The event of a string in which bits were changed.
const SETBIT_EVENT: Event = Event::string("setbit");

const INVALID_OFFSET: CommandError = CommandError::line("ERR bit offset is not an integer or out of range");

/// Bytes that a command looks at in one go: 0.1 to 0.3 ms. Beyond this it goes on after other clients had their turn.
const STEP_BYTES: usize = 2 << 20;

/// Leaves a string whose bits were to be changed and are right already: nobody is told, no block is copied though a reader may
/// hold it. It counts as used; and it is no longer an integer's or an embedded one, as in Redis.
fn leave_as_is(db: &mut Locked<'_>, key: Key<'_>) {
    let entry = db.touch(key);
    if entry.is_some_and(|entry| matches!(entry.encoding(), Encoding::Int | Encoding::Embstr)) {
        db.mark(key, |entry| {
            entry.raw_mut(0);
        });
    }
}

/// The bytes of a string; the digits of an integer are written where `digits` says.
fn bytes<'a>(value: Value<'a>, digits: &'a mut itoa::Buffer) -> &'a [u8] {
    match value {
        Value::Int(number) => digits.format(number).as_bytes(),
        Value::Inline(bytes) => bytes,
        Value::Block(block) => block,
    }
}

/// Reads the offset of a bit, which must lie within the longest string that there may be.
fn offset(argument: &[u8], settings: &larder_config::Settings) -> Result<u64, CommandError> {
    within(larder_store::parse_integer(argument), settings)
}

/// Checks an offset that was read as `None` if it was no number.
fn within(offset: Option<i64>, settings: &larder_config::Settings) -> Result<u64, CommandError> {
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    offset.filter(|offset| offset / 8 < settings.proto_max_bulk_len).ok_or(INVALID_OFFSET)
}
