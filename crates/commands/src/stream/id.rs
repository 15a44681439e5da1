//! The ids of entries as arguments.

use larder_store::stream::StreamId;

use crate::prelude::*;

const INVALID: CommandError =
    CommandError::line("ERR Invalid stream ID specified as stream command argument");
/// No id is written with more characters.
const LEN_MAX: usize = 127;

/// An id; one without a sequence gets this one.
pub(super) fn parse(word: &[u8], missing_sequence: u64) -> Result<StreamId, CommandError> {
    try_parse(word, missing_sequence).ok_or(INVALID)
}

/// As [`parse`], where something else may stand instead.
pub(super) fn try_parse(word: &[u8], missing_sequence: u64) -> Option<StreamId> {
    let (millis, sequence) = split(word)?;
    let sequence = match sequence {
        Some(sequence) => number(sequence)?,
        None => missing_sequence,
    };
    Some(StreamId { millis: number(millis)?, sequence })
}

/// An id, or `-` and `+` for the smallest and the largest.
pub(super) fn parse_or_end(word: &[u8], missing_sequence: u64) -> Result<StreamId, CommandError> {
    match word {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        id => parse(id, missing_sequence),
    }
}

/// Where an interval begins: an id that belongs to it, or one behind `(` that does not.
pub(super) fn parse_start(word: &[u8]) -> Result<StreamId, CommandError> {
    match word {
        [b'(', id @ ..] if !id.is_empty() => {
            parse(id, 0)?.next().ok_or(CommandError::line("ERR invalid start ID for the interval"))
        }
        id => parse_or_end(id, 0),
    }
}

/// Where an interval ends, as [`parse_start`].
pub(super) fn parse_end(word: &[u8]) -> Result<StreamId, CommandError> {
    match word {
        [b'(', id @ ..] if !id.is_empty() => {
            parse(id, u64::MAX)?.previous().ok_or(CommandError::line("ERR invalid end ID for the interval"))
        }
        id => parse_or_end(id, u64::MAX),
    }
}

/// The id of an entry to be added.
#[derive(Clone, Copy, Debug)]
pub(super) enum NewId {
    /// From the time.
    Automatic,
    /// The next sequence of a millisecond.
    AutomaticSequence(u64),
    /// This one.
    Given(StreamId),
}

impl NewId {
    pub(super) fn parse(word: &[u8]) -> Result<NewId, CommandError> {
        if word == b"*" {
            return Ok(NewId::Automatic);
        }
        match split(word) {
            Some((millis, Some(b"*"))) => number(millis).map(NewId::AutomaticSequence).ok_or(INVALID),
            _ => parse(word, 0).map(NewId::Given),
        }
    }

    /// The id after the last one, if there is one that is larger.
    pub(super) fn after(self, last: StreamId, now: UnixMillis) -> Option<StreamId> {
        let id = match self {
            NewId::Automatic => {
                let millis = u64::try_from(now.0).unwrap_or_default();
                if millis > last.millis { StreamId { millis, sequence: 0 } } else { last.next()? }
            }
            NewId::AutomaticSequence(millis) if millis == last.millis => {
                StreamId { sequence: last.sequence.checked_add(1)?, ..last }
            }
            NewId::AutomaticSequence(millis) => StreamId { millis, sequence: 0 },
            NewId::Given(id) => id,
        };
        (id > last).then_some(id)
    }
}

/// Milliseconds, and the sequence if there is one.
fn split(word: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if word.len() > LEN_MAX {
        return None;
    }
    match word.iter().position(|byte| *byte == b'-') {
        Some(dash) => Some((&word[..dash], Some(&word[dash + 1..]))),
        None => Some((word, None)),
    }
}

/// A number of 64 bits. As in Redis, it may have zeros or a plus sign in front.
fn number(digits: &[u8]) -> Option<u64> {
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read() {
        let id = |millis, sequence| Some(StreamId { millis, sequence });
        assert_eq!(try_parse(b"5-7", 9), id(5, 7));
        assert_eq!(try_parse(b"5", 9), id(5, 9));
        assert_eq!(try_parse(b"18446744073709551615-0", 9), id(u64::MAX, 0));
        for wrong in [&b"-"[..], b"5-", b"-5", b"", b"5-7-1", b"5--7", b"x", b"18446744073709551616", b"5-*"]
        {
            assert_eq!(try_parse(wrong, 0), None, "{wrong:?}");
        }
        assert!(try_parse(&[b'0'; 128], 0).is_none());
    }

    #[test]
    fn new_ids_are_larger() {
        let last = StreamId { millis: 10, sequence: 5 };
        let after = |word: &[u8], now| NewId::parse(word).unwrap().after(last, UnixMillis(now));
        assert_eq!(after(b"*", 11), Some(StreamId { millis: 11, sequence: 0 }));
        assert_eq!(after(b"*", 9), Some(StreamId { millis: 10, sequence: 6 }));
        assert_eq!(after(b"10-*", 9), Some(StreamId { millis: 10, sequence: 6 }));
        assert_eq!(after(b"12-*", 9), Some(StreamId { millis: 12, sequence: 0 }));
        assert_eq!(after(b"9-*", 9), None);
        assert_eq!(after(b"10-5", 9), None);
        let full = StreamId { millis: 10, sequence: u64::MAX };
        assert_eq!(NewId::parse(b"10-*").unwrap().after(full, UnixMillis(0)), None);
        assert_eq!(NewId::Automatic.after(StreamId::MAX, UnixMillis(0)), None);
    }
}
