//! Requests: bytes of a connection in, argument spans out.
//!
//! What is accepted and refused, and when, is what redis-server 7.0 does, down to its laxness: the byte after
//! a header's carriage return and the two bytes after an argument are skipped unseen, and a zero byte in a
//! header or in an inline request hides the line's end behind it. Where redis-server's answer depends on how
//! the bytes fell into reads (a line longer than the limit whose end arrives together with the byte that
//! breaks it), the request is refused, so that the same bytes always get the same answer.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::{Limits, ProtocolError, inline};

/// An argument's place in the input buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the argument's first byte stands.
    pub start: u32,
    /// How many bytes it has.
    pub len: u32,
}

impl Span {
    /// The argument's bytes, `input` being the buffer that was parsed.
    ///
    /// # Panics
    /// If `input` is shorter than the buffer that was parsed.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "two u32 do not overflow a usize"
    )]
    pub fn of(self, input: &[u8]) -> &[u8] {
        &input[self.start as usize..self.start as usize + self.len as usize]
    }

    /// Both numbers fit because the parser looks at no more than [`INPUT_LEN_MAX`] bytes.
    #[inline]
    pub(crate) fn new(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }
}

/// What the parser found at the start of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request; its arguments have been pushed.
    Request {
        /// Where in the input the next request starts.
        end: usize,
    },
    /// Nothing to execute and nothing to answer: a blank line, `*0` or a negative count.
    Empty {
        /// Where in the input the next request starts.
        end: usize,
    },
    /// The request's end has not arrived.
    Incomplete {
        /// Before this many bytes are there, counted from the request's first byte, it is no use calling
        /// again.
        needed: usize,
    },
}

/// How much of an input buffer is looked at: a [`Span`] reaches no further. An argument that would end behind
/// it in a buffer of its own is refused.
const INPUT_LEN_MAX: usize = u32::MAX as usize;

/// With fewer arguments parsed than this, an incomplete request is parsed again from its start: that is
/// cheaper than remembering them, and keeps what most connections ever send off the heap.
const ARGS_REMEMBERED_MIN: usize = 16;

/// A connection's request parser.
///
/// A request usually arrives whole; then the parser holds nothing before and after it, and its arguments go
/// straight to the caller. When a request's end is missing, the arguments found so far are remembered (once
/// they are more than a handful), and the next call goes on behind them, so that a request costs time in
/// proportion to its length however small the reads are. Remembered positions count from the request's first
/// byte, so the caller may move the bytes between calls. All memory taken is in proportion to bytes that have
/// arrived; what a header declares takes none.
#[derive(Debug, Default)]
pub struct RequestParser {
    partial: Option<Box<Partial>>,
}

/// The part of a long request that has arrived. Positions count from the request's first byte.
#[derive(Debug)]
struct Partial {
    spans: Vec<Span>,
    /// Where the next argument's header starts.
    position: usize,
    /// How many arguments are still to come.
    remaining: u64,
}

impl RequestParser {
    /// Whether the beginning of a request is remembered.
    #[inline]
    pub fn is_partial(&self) -> bool {
        self.partial.is_some()
    }

    /// Parses one request that starts at `input[start..]`, and pushes its argument spans (absolute in
    /// `input`) onto `args`.
    ///
    /// After [`Parsed::Incomplete`] the same request must be offered again, with more bytes behind those
    /// already seen; the caller may have moved them to another place or buffer. Bytes behind the first 4 GiB
    /// of `input` are not looked at, so a request of that size must be moved to the front. Without a request
    /// `args` is as it was. After an error the connection's remaining bytes have no meaning.
    ///
    /// An inline request is unescaped where it stands, so its bytes must not be parsed a second time.
    #[inline]
    pub fn parse(
        &mut self,
        input: &mut [u8],
        start: usize,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        let end = input.len().min(INPUT_LEN_MAX);
        let bytes = input.get_mut(start..end).unwrap_or_default();
        if self.partial.is_some() {
            return self.resume(bytes, start, limits, args);
        }
        match bytes {
            [] => Ok(Parsed::Incomplete { needed: 1 }),
            [b'*', ..] => self.multibulk(bytes, start, limits, args),
            _ => inline_request(bytes, start, limits, args),
        }
    }

    #[inline]
    fn multibulk(
        &mut self,
        bytes: &[u8],
        start: usize,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        let (count, rest) = match bytes {
            [b'*', digit @ b'1'..=b'9', b'\r', _, rest @ ..] if limits.args_cap() >= 9 => {
                (u64::from(digit & 0x0f), rest)
            }
            _ => match long_count(bytes, limits)? {
                None => return Ok(Parsed::Incomplete { needed: bytes.len().saturating_add(1) }),
                Some((0, rest)) => {
                    return Ok(Parsed::Empty { end: position(bytes, rest).wrapping_add(start) });
                }
                Some(found) => found,
            },
        };
        let first = args.len();
        let end = bytes.len().wrapping_add(start);
        match arguments(rest, end, count, limits, args) {
            Ok(Progress::Done { rest }) => Ok(Parsed::Request { end: end.wrapping_sub(rest.len()) }),
            Ok(Progress::Short { rest, remaining, needed }) => {
                self.remember(bytes, rest, remaining, start, args, first);
                incomplete(bytes, rest, needed)
            }
            Err(error) => {
                args.truncate(first);
                Err(error)
            }
        }
    }

    /// Takes the arguments found so far back from the caller, and keeps them if there are many.
    #[cold]
    fn remember(
        &mut self,
        bytes: &[u8],
        rest: &[u8],
        remaining: u64,
        start: usize,
        args: &mut Vec<Span>,
        first: usize,
    ) {
        if args.len().saturating_sub(first) >= ARGS_REMEMBERED_MIN {
            let relative = |span: Span| Span { start: span.start.wrapping_sub(start as u32), ..span };
            let spans = args.drain(first..).map(relative).collect();
            self.partial = Some(Box::new(Partial { spans, position: position(bytes, rest), remaining }));
        }
        args.truncate(first);
    }

    /// Goes on with a request that has been remembered.
    #[cold]
    fn resume(
        &mut self,
        bytes: &[u8],
        start: usize,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        // Taken out, so that an error forgets the request.
        let mut partial = self.partial.take().expect("the caller has seen that there is one");
        let rest = bytes.get(partial.position..).unwrap_or_default();
        match arguments(rest, bytes.len(), partial.remaining, limits, &mut partial.spans)? {
            Progress::Done { rest } => {
                let absolute = |span: &Span| Span { start: span.start.wrapping_add(start as u32), ..*span };
                args.extend(partial.spans.iter().map(absolute));
                Ok(Parsed::Request { end: position(bytes, rest).wrapping_add(start) })
            }
            Progress::Short { rest, remaining, needed } => {
                // Of an input that has become shorter than it was, nothing is believed but what was seen
                // before.
                partial.position = partial.position.max(position(bytes, rest));
                partial.remaining = remaining;
                self.partial = Some(partial);
                incomplete(bytes, rest, needed)
            }
        }
    }
}

/// How far the arguments of a request have come. `rest` is what follows the last whole argument.
enum Progress<'a> {
    Done { rest: &'a [u8] },
    Short { rest: &'a [u8], remaining: u64, needed: usize },
}

/// Parses `remaining` arguments from the start of `rest`, which ends at position `end`, and pushes their
/// spans.
#[inline]
fn arguments<'a>(
    mut rest: &'a [u8],
    end: usize,
    mut remaining: u64,
    limits: &Limits,
    args: &mut Vec<Span>,
) -> Result<Progress<'a>, ProtocolError> {
    let bulk_len_cap = limits.bulk_len_cap();
    while remaining > 0 {
        let (len, body) = match short_length(rest) {
            Some((len, body)) if len <= bulk_len_cap => (len, body),
            _ => match long_length(rest, limits)? {
                Some(found) => found,
                None => {
                    return Ok(Progress::Short { rest, remaining, needed: rest.len().saturating_add(1) });
                }
            },
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let Some((_, after)) = body.split_at_checked(len.saturating_add(2)) else {
            let needed = position(rest, body).saturating_add(len).saturating_add(2);
            return Ok(Progress::Short { rest, remaining, needed });
        };
        args.push(Span::new(end.wrapping_sub(body.len()), len));
        rest = after;
        remaining = remaining.wrapping_sub(1);
    }
    Ok(Progress::Done { rest })
}

/// An argument's header as nearly all are, below 1,000 bytes, and what follows it; anything else is `None`.
#[inline]
fn short_length(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digit = |byte: &u8| u64::from(byte & 0x0f);
    match bytes {
        [b'$', ones @ b'0'..=b'9', b'\r', _, body @ ..] => Some((digit(ones), body)),
        [b'$', tens @ b'1'..=b'9', ones @ b'0'..=b'9', b'\r', _, body @ ..] => {
            Some((digit(tens).wrapping_mul(10).wrapping_add(digit(ones)), body))
        }
        [b'$', hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'\r', _, body @ ..] => {
            let tens = digit(hundreds).wrapping_mul(10).wrapping_add(digit(tens));
            Some((tens.wrapping_mul(10).wrapping_add(digit(ones)), body))
        }
        _ => None,
    }
}

/// Any header of a request, and what follows it. A count below zero is none at all.
#[cold]
fn long_count<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Option<(u64, &'a [u8])>, ProtocolError> {
    let Some((line, rest)) = header(bytes, limits, ProtocolError::MultibulkCountTooLong)? else {
        return Ok(None);
    };
    let count = line.get(1..).and_then(decimal).ok_or(ProtocolError::InvalidMultibulkLength)?;
    let count = u64::try_from(count).unwrap_or(0);
    if count > limits.args_max {
        Err(ProtocolError::InvalidMultibulkLength)
    } else if count > limits.args_cap() {
        Err(ProtocolError::UnauthenticatedMultibulkLength)
    } else {
        Ok(Some((count, rest)))
    }
}

/// Any header of an argument, and what follows it.
fn long_length<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Option<(u64, &'a [u8])>, ProtocolError> {
    let Some((line, body)) = header(bytes, limits, ProtocolError::BulkCountTooLong)? else {
        return Ok(None);
    };
    let digits = match line {
        [b'$', digits @ ..] => digits,
        // The line is empty: what stands in the place of the `$` is the carriage return behind it.
        _ => return Err(ProtocolError::ExpectedBulk { found: line.first().copied().unwrap_or(b'\r') }),
    };
    let len =
        decimal(digits).and_then(|len| u64::try_from(len).ok()).ok_or(ProtocolError::InvalidBulkLength)?;
    if len > limits.bulk_len_max {
        Err(ProtocolError::InvalidBulkLength)
    } else if len > limits.bulk_len_cap() {
        Err(ProtocolError::UnauthenticatedBulkLength)
    } else {
        Ok(Some((len, body)))
    }
}

/// The bytes before a line's end, and those after it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The line up to a carriage return, and what follows the byte after that.
fn header<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    too_long: ProtocolError,
) -> Result<Option<Split<'a>>, ProtocolError> {
    match line_len(b'\r', bytes, limits, too_long)? {
        Some(len) => Ok(bytes
            .split_at_checked(len)
            .and_then(|(line, after)| after.split_at_checked(2).map(|(_, rest)| (line, rest)))),
        None => Ok(None),
    }
}

/// How many bytes stand before the line's end, which is to be found within the limit and before any zero
/// byte.
fn line_len(
    line_end: u8,
    bytes: &[u8],
    limits: &Limits,
    too_long: ProtocolError,
) -> Result<Option<usize>, ProtocolError> {
    let window = bytes.get(..=limits.inline_len_max).unwrap_or(bytes);
    match memchr::memchr2(line_end, 0, window) {
        Some(len) if window.get(len) == Some(&line_end) => Ok(Some(len)),
        _ if bytes.len() > limits.inline_len_max => Err(too_long),
        _ => Ok(None),
    }
}

/// An integer as Redis writes it: no plus sign, no leading zero, no blank.
fn decimal(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        b"0" => return Some(0),
        [b'-', digits @ ..] => (-1i64, digits),
        digits => (1, digits),
    };
    if !matches!(digits, [b'1'..=b'9', ..]) {
        return None;
    }
    digits.iter().try_fold(0i64, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(sign.checked_mul(i64::from(digit))?)
    })
}

/// Parses an inline request, if its line is complete.
#[cold]
fn inline_request(
    bytes: &mut [u8],
    start: usize,
    limits: &Limits,
    args: &mut Vec<Span>,
) -> Result<Parsed, ProtocolError> {
    let Some(len) = line_len(b'\n', bytes, limits, ProtocolError::InlineTooLong)? else {
        return Ok(Parsed::Incomplete { needed: bytes.len().saturating_add(1) });
    };
    let line = match bytes.get_mut(..len).unwrap_or_default() {
        [line @ .., b'\r'] => line,
        line => line,
    };
    let first = args.len();
    inline::split(line, start, args).inspect_err(|_| args.truncate(first))?;
    let end = start.saturating_add(len).saturating_add(1);
    Ok(if args.len() == first { Parsed::Empty { end } } else { Parsed::Request { end } })
}

/// The answer for a request whose next argument starts at `rest` and needs so many bytes from there.
#[cold]
fn incomplete(bytes: &[u8], rest: &[u8], needed: usize) -> Result<Parsed, ProtocolError> {
    let needed = position(bytes, rest).saturating_add(needed);
    if needed > INPUT_LEN_MAX {
        Err(ProtocolError::InvalidBulkLength)
    } else {
        Ok(Parsed::Incomplete { needed })
    }
}

/// Where `rest`, the end of `bytes`, starts.
#[inline]
fn position(bytes: &[u8], rest: &[u8]) -> usize {
    bytes.len().wrapping_sub(rest.len())
}

#[cfg(test)]
mod tests;
