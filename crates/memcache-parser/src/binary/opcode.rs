//! What the second byte of a header asks for.

use crate::command::{Direction, StoreMode};

/// What is asked for, apart from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get { key_returned: bool },
    GetAndTouch { key_returned: bool },
    Touch,
    Store(StoreMode),
    Concatenate(StoreMode),
    Delete,
    Arithmetic(Direction),
    Quit,
    Flush,
    Noop,
    Version,
    Stat,
    SaslMechanisms,
    SaslStart,
    SaslStep,
    ConfigGet,
    ConfigSet,
    ConfigDelete,
}

/// The verb of an opcode, and whether it is the quiet form; none if there is no such opcode. memcached knows no 0x1b (verbosity),
/// which its documentation has.
#[inline]
pub(super) fn verb(opcode: u8) -> Option<(Verb, bool)> {
    use Direction::{Decrement, Increment};
    use StoreMode::{Add, Append, Prepend, Replace, Set};
    Some(match opcode {
        0x00 => (Verb::Get { key_returned: false }, false),
        0x01 => (Verb::Store(Set), false),
        0x02 => (Verb::Store(Add), false),
        0x03 => (Verb::Store(Replace), false),
        0x04 => (Verb::Delete, false),
        0x05 => (Verb::Arithmetic(Increment), false),
        0x06 => (Verb::Arithmetic(Decrement), false),
        0x07 => (Verb::Quit, false),
        0x08 => (Verb::Flush, false),
        0x09 => (Verb::Get { key_returned: false }, true),
        0x0a => (Verb::Noop, false),
        0x0b => (Verb::Version, false),
        0x0c => (Verb::Get { key_returned: true }, false),
        0x0d => (Verb::Get { key_returned: true }, true),
        0x0e => (Verb::Concatenate(Append), false),
        0x0f => (Verb::Concatenate(Prepend), false),
        0x10 => (Verb::Stat, false),
        0x11 => (Verb::Store(Set), true),
        0x12 => (Verb::Store(Add), true),
        0x13 => (Verb::Store(Replace), true),
        0x14 => (Verb::Delete, true),
        0x15 => (Verb::Arithmetic(Increment), true),
        0x16 => (Verb::Arithmetic(Decrement), true),
        0x17 => (Verb::Quit, true),
        0x18 => (Verb::Flush, true),
        0x19 => (Verb::Concatenate(Append), true),
        0x1a => (Verb::Concatenate(Prepend), true),
        0x1c => (Verb::Touch, false),
        0x1d => (Verb::GetAndTouch { key_returned: false }, false),
        0x1e => (Verb::GetAndTouch { key_returned: false }, true),
        0x20 => (Verb::SaslMechanisms, false),
        0x21 => (Verb::SaslStart, false),
        0x22 => (Verb::SaslStep, false),
        0x23 => (Verb::GetAndTouch { key_returned: true }, false),
        0x24 => (Verb::GetAndTouch { key_returned: true }, true),
        0x60 => (Verb::ConfigGet, false),
        0x64 => (Verb::ConfigSet, false),
        0x66 => (Verb::ConfigDelete, false),
        _ => return None,
    })
}

/// Whether a request of this opcode is about who the client is: such a one is heard from anybody.
pub fn is_about_sasl(opcode: u8) -> bool {
    matches!(opcode, 0x20..=0x22)
}
