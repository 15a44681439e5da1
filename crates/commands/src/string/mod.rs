//! Commands that take a value as a string of bytes.

use larder_resp::Reply;
use larder_store::{Block, Entry, Type};

use crate::expiry;
use crate::prelude::*;

mod extended;
mod get;
mod increment;
mod lcs;
mod many;
mod range;
mod set;

pub(crate) use extended::Extended;

pub(crate) const COMMANDS: &[&[Command]] =
    &[get::COMMANDS, increment::COMMANDS, lcs::COMMANDS, many::COMMANDS, range::COMMANDS, set::COMMANDS];

/// The event of a string that was stored whole.
const SET: Event = Event::string("set");

/// Writes the value of a string, or null. A large one is sent from where it is, after the stripe is unlocked.
#[inline]
pub(crate) fn reply_string(reply: &mut Reply<'_>, entry: Option<&Entry>) {
    match entry.map(Entry::value) {
        None => reply.null(),
        Some(Value::Inline(bytes)) => reply.bulk(bytes),
        Some(Value::Int(number)) => reply.bulk_integer(number),
        Some(Value::Block(block)) => reply.block(shared(block)),
    }
}

/// Stores a string over whatever the key held. Under a deadline that has passed nothing is stored: what was there expires.
#[inline]
fn store(db: &mut Locked<'_>, key: Key<'_>, value: NewValue<'_>, deadline: Option<UnixMillis>) {
    if deadline.is_some_and(|at| at <= db.now()) {
        db.delete(key, Event::EXPIRED);
        return;
    }
    db.put(key, &Attributes::expiring(deadline), value, SET);
    if deadline.is_some() {
        db.note(key, expiry::EXPIRE);
    }
}

/// A block as bytes that an output can hold.
pub(crate) fn shared(block: &Block) -> bytes::Bytes {
    struct Owner(Block);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    bytes::Bytes::from_owner(Owner(Block::clone(block)))
}

/// Whether a string equals these bytes.
fn equals(entry: &Entry, bytes: &[u8]) -> Result<bool, CommandError> {
    if entry.value_type() != Type::String {
        return Err(CommandError::WrongType);
    }
    Ok(match entry.value() {
        Value::Int(number) => larder_store::parse_integer(bytes) == Some(number),
        Value::Inline(value) => value == bytes,
        Value::Block(block) => block.as_slice() == bytes,
    })
}
