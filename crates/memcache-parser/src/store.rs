//! The requests that carry a value: the storage commands of the text protocol, and what `ms` shares with them.

use crate::command::{Command, ReplyMode, Store, StoreMode};
use crate::error::{Error, ErrorReply};
use crate::key::Key;
use crate::limits::Limits;
use crate::line::Line;
use crate::number;
use crate::parse::{Outcome, Stop};
use crate::tokens::Tokens;

/// Whether the line names a CAS value to compare with.
#[derive(Clone, Copy)]
pub(crate) enum Compare {
    No,
    Cas,
}

/// `<key> <flags> <exptime> <length> [<cas>] [noreply]`, the line end, the value, and a line end again.
pub(crate) fn store<'a>(
    line: &Line<'a>,
    tokens: Tokens<'a>,
    limits: &Limits,
    mode: StoreMode,
    compare: Compare,
) -> Outcome<'a> {
    let Some(Arguments { key, client_flags, exptime, length, compare_cas, reply }) =
        Arguments::read(tokens, compare)
    else {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    };
    let Some(block) = DataBlock::new(line, length, reply) else {
        return Err(silenced(line.refuse(ErrorReply::BadCommandLine), reply));
    };
    let (Some(client_flags), Some(exptime), Some(compare_cas)) = (client_flags, exptime, compare_cas) else {
        return Err(block.refuse(ErrorReply::BadCommandLine));
    };
    if key.len() > limits.key_bytes {
        return Err(block.refuse(ErrorReply::BadCommandLine));
    }
    // Cut down to 32 bits, as memcached does.
    let client_flags = client_flags as u32;
    if !limits.admit(key.len(), client_flags, block.length) {
        let outdated = (mode == StoreMode::Set && compare_cas.is_none()).then(|| Key::plain(key));
        return Err(block.refuse_too_large(outdated));
    }
    let (value, end) = block.read()?;
    Ok((Command::Store(Store { mode, compare_cas, key, client_flags, exptime, value, reply }), end))
}

/// The words of a storage command; what is none is not the number it should be.
struct Arguments<'a> {
    key: &'a [u8],
    client_flags: Option<u64>,
    exptime: Option<i64>,
    length: Option<i64>,
    compare_cas: Option<Option<u64>>,
    reply: ReplyMode,
}

impl<'a> Arguments<'a> {
    /// None if there are too few words or too many.
    fn read(mut tokens: Tokens<'a>, compare: Compare) -> Option<Self> {
        let (key, flags, exptime, length) = (tokens.next()?, tokens.next()?, tokens.next()?, tokens.next()?);
        let cas = match compare {
            Compare::No => None,
            // One that is missing is no number: memcached 1.6.18 refuses the line and runs the value as a command.
            Compare::Cas => Some(tokens.next().unwrap_or_default()),
        };
        let extra = tokens.next();
        tokens.is_empty().then(|| Self {
            key,
            client_flags: number::unsigned(flags),
            exptime: number::signed(exptime),
            length: number::signed(length),
            compare_cas: cas.map_or(Some(None), |token| number::unsigned(token).map(Some)),
            reply: ReplyMode::from_last(extra.or(cas).unwrap_or(length)),
        })
    }
}

/// The value that follows a line, whether it has arrived or not.
pub(crate) struct DataBlock<'l, 'a> {
    line: &'l Line<'a>,
    /// Without the line end behind it.
    pub(crate) length: usize,
    reply: ReplyMode,
}

impl<'l, 'a> DataBlock<'l, 'a> {
    /// None if no value can have this length: what follows the line is then taken for a request.
    #[inline]
    pub(crate) fn new(line: &'l Line<'a>, length: Option<i64>, reply: ReplyMode) -> Option<Self> {
        // The longest value that memcached can count, line end included.
        const LENGTH_MAX: i64 = i32::MAX as i64 - 2;
        let length = length.filter(|length| (0..=LENGTH_MAX).contains(length))?;
        Some(Self { line, length: length as usize, reply })
    }

    /// The value, and where the request ends.
    #[inline]
    pub(crate) fn read(&self) -> Result<(&'a [u8], usize), Stop<'a>> {
        let needed = self.line.end + self.length + 2;
        let Some(block) = self.line.input.get(self.line.end..needed) else {
            return Err(Stop::Incomplete { needed });
        };
        match block.strip_suffix(b"\r\n") {
            Some(value) => Ok((value, needed)),
            None => Err(self.refuse(ErrorReply::BadDataChunk)),
        }
    }

    /// A refusal of the request, whose value is skipped.
    #[cold]
    pub(crate) fn refuse(&self, reply: ErrorReply) -> Stop<'a> {
        let swallow = self.length as u64 + 2;
        let error = Error { reply: Some(reply), end: self.line.end, swallow, close: false, unlink: None };
        silenced(Stop::Error(error), self.reply)
    }

    /// A refusal of the request for the length of its value, and the key whose old value it outdates.
    #[cold]
    pub(crate) fn refuse_too_large(&self, outdated: Option<Key<'a>>) -> Stop<'a> {
        match self.refuse(ErrorReply::ObjectTooLarge) {
            Stop::Error(error) => Stop::Error(Error { unlink: outdated, ..error }),
            stop @ Stop::Incomplete { .. } => stop,
        }
    }
}

/// The refusal without its reply, if the request asked for none.
#[cold]
pub(crate) fn silenced(stop: Stop<'_>, reply: ReplyMode) -> Stop<'_> {
    match (stop, reply) {
        (Stop::Error(error), ReplyMode::Suppress) => Stop::Error(Error { reply: None, ..error }),
        (stop, _) => stop,
    }
}
