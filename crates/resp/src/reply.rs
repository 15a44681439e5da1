//! Replies: values in, bytes of the connection's protocol out.

use std::fmt::{self, Display, Write as _};

use bytes::Bytes;

use crate::output::Mark;
use crate::{Output, ProtocolError, double};

/// Which protocol a connection speaks: RESP2 until it asks for RESP3 with HELLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What every client understands: five types, to which the others are mapped as the peers do.
    #[default]
    Resp2,
    /// Maps, sets, doubles, booleans, one null, pushes and attributes have types of their own.
    Resp3,
}

/// Writes replies for a connection.
///
/// A method writes one value; the aggregates write the header, after which that many values must follow.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Where to.
    pub out: &'a mut Output,
    /// In which protocol.
    pub protocol: Protocol,
}

/// An aggregate whose header is still missing. It must be finished before anything of the output is consumed.
#[derive(Debug)]
#[must_use = "an aggregate without its header makes the reply unreadable"]
pub struct Deferred(Mark);

impl Reply<'_> {
    /// `OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.raw(b"+OK\r\n");
    }

    /// A status. Line ends in it become spaces.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error: its code and text (`ERR syntax error`). Line ends in it become spaces, those at its ends go.
    pub fn error(&mut self, line: &str) {
        self.line(b'-', line.trim_matches(['\r', '\n']).as_bytes());
    }

    /// The answer to a request that could not be read.
    pub fn protocol_error(&mut self, error: &ProtocolError) {
        let (text, found) = error.parts();
        let out = self.out.copied_mut();
        out.extend_from_slice(b"-ERR ");
        out.extend_from_slice(text.as_bytes());
        // A byte that may not be ASCII is sent as it is.
        out.extend(found.into_iter().flat_map(|found| [found, b'\'']));
        out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.header(b':', value),
            Err(_) => self.digits(b':', itoa::Buffer::new().format(value)),
        }
    }

    /// An integer that is not negative. Above `i64::MAX` clients may not be able to read it.
    #[inline]
    pub fn unsigned(&mut self, value: u64) {
        self.header(b':', value);
    }

    /// A string, copied.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        // One growth at most: the type, 20 digits and two line ends.
        self.out.copied_mut().reserve(value.len() + 25);
        self.header(b'$', value.len() as u64);
        self.out.raw(value);
        self.out.raw(b"\r\n");
    }

    /// What a value displays as, as a string.
    pub fn bulk_display(&mut self, value: impl Display) {
        let mark = self.out.mark();
        let written = write!(Appender(self.out.copied_mut()), "{value}");
        // What refuses to be displayed is cut where it did: the reply stays readable.
        debug_assert!(written.is_ok(), "appending to memory does not fail");
        self.finish_bulk(mark);
    }

    /// A string that is the decimal form of a number.
    #[inline]
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A string, sent from where it is.
    pub fn block(&mut self, value: Bytes) {
        self.header(b'$', value.len() as u64);
        self.out.push_block(value);
        self.out.raw(b"\r\n");
    }

    /// The absence of a value where there would be a string.
    #[inline]
    pub fn null(&mut self) {
        self.out.raw(self.either(b"$-1\r\n", b"_\r\n"));
    }

    /// The absence of a value where there would be an array.
    #[inline]
    pub fn null_array(&mut self) {
        self.out.raw(self.either(b"*-1\r\n", b"_\r\n"));
    }

    /// An array of `len` values.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as u64);
    }

    /// A map of `pairs` keys, each followed by its value. RESP2: an array of them all.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        let (kind, len) = self.map_header(pairs);
        self.header(kind, len);
    }

    /// A set of `len` values. RESP2: an array.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.header(self.either(b'*', b'~'), len as u64);
    }

    /// A message of `len` values that answers no request. RESP2: an array.
    #[inline]
    pub fn push(&mut self, len: usize) {
        self.header(self.either(b'*', b'>'), len as u64);
    }

    /// Begins `pairs` keys and values that say something about the reply that follows. RESP2 has no such
    /// thing: nothing is written, `false` is returned, and the pairs must be left out.
    #[must_use = "in RESP2 the pairs must not be written"]
    pub fn attribute(&mut self, pairs: usize) -> bool {
        match self.protocol {
            Protocol::Resp2 => false,
            Protocol::Resp3 => {
                self.header(b'|', pairs as u64);
                true
            }
        }
    }

    /// A floating point number, by the fewest digits that identify it. RESP2: a string.
    pub fn double(&mut self, value: f64) {
        let mark = self.out.mark();
        double::append(self.out.copied_mut(), value);
        match self.protocol {
            Protocol::Resp2 => self.finish_bulk(mark),
            Protocol::Resp3 => {
                self.out.insert(mark, b",");
                self.out.raw(b"\r\n");
            }
        }
    }

    /// A floating point number, given by its digits. RESP2: a string.
    pub fn double_text(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b',', digits.as_bytes()),
        }
    }

    /// A truth value. RESP2: 1 or 0.
    #[inline]
    pub fn boolean(&mut self, value: bool) {
        let text = if value { self.either(b":1\r\n", b"#t\r\n") } else { self.either(b":0\r\n", b"#f\r\n") };
        self.out.raw(text);
    }

    /// An integer of any size, given by its digits. RESP2: a string.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// A text for people, with its format (`txt`, `mkd`). RESP2: a string.
    pub fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() as u64 + 4);
                self.out.raw(&format);
                self.out.raw(b":");
                self.out.raw(text);
                self.out.raw(b"\r\n");
            }
        }
    }

    /// Begins an aggregate whose length is known only when its values have been written.
    ///
    /// To finish it costs a move of its bytes if they are few, else a block of its own; what can count
    /// beforehand should.
    pub fn deferred_array(&mut self) -> Deferred {
        Deferred(self.out.mark())
    }

    /// Begins a string that becomes known only when more has been written: finish it after what was begun later.
    pub fn deferred_bulk(&mut self) -> Deferred {
        Deferred(self.out.mark())
    }

    /// Finishes a string that is the decimal form of a number.
    pub fn finish_bulk_integer(&mut self, Deferred(mark): Deferred, value: u64) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(value);
        self.out.insert(mark, format!("${}\r\n{digits}\r\n", digits.len()).as_bytes());
    }

    /// Finishes an aggregate as an array of `len` values.
    pub fn finish_array(&mut self, deferred: Deferred, len: usize) {
        self.finish(deferred, b'*', len as u64);
    }

    /// Finishes an aggregate as a map of `pairs` keys and values. RESP2: an array of them all.
    pub fn finish_map(&mut self, deferred: Deferred, pairs: usize) {
        let (kind, len) = self.map_header(pairs);
        self.finish(deferred, kind, len);
    }

    /// Finishes an aggregate as a set of `len` values. RESP2: an array.
    pub fn finish_set(&mut self, deferred: Deferred, len: usize) {
        self.finish(deferred, self.either(b'*', b'~'), len as u64);
    }

    fn map_header(&self, pairs: usize) -> (u8, u64) {
        self.either((b'*', pairs as u64 * 2), (b'%', pairs as u64))
    }

    fn finish(&mut self, Deferred(mark): Deferred, kind: u8, len: u64) {
        let mut header = Header::default();
        self.out.insert(mark, header.write(kind, len));
    }

    /// Makes what has been copied since the mark a string.
    fn finish_bulk(&mut self, mark: Mark) {
        let mut header = Header::default();
        self.out.insert(mark, header.write(b'$', self.out.copied_since(mark) as u64));
        self.out.raw(b"\r\n");
    }

    /// A line of its kind, without line ends in it.
    fn line(&mut self, kind: u8, text: &[u8]) {
        let out = self.out.copied_mut();
        out.reserve(text.len() + 3);
        out.push(kind);
        out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
        out.extend_from_slice(b"\r\n");
    }

    /// A line of its kind with a number.
    #[inline]
    fn header(&mut self, kind: u8, value: u64) {
        match value {
            // Most lengths and many integers are this small, and then it is one store.
            0..=9 => self.out.raw(&[kind, b'0' + value as u8, b'\r', b'\n']),
            10..=99 => {
                self.out.raw(&[kind, b'0' + (value / 10) as u8, b'0' + (value % 10) as u8, b'\r', b'\n']);
            }
            _ => self.digits(kind, itoa::Buffer::new().format(value)),
        }
    }

    /// Three appends behind one reserve: a line made on the stack and appended at once measured slower, and
    /// so did digits without itoa.
    fn digits(&mut self, kind: u8, digits: &str) {
        let out = self.out.copied_mut();
        out.reserve(digits.len() + 3);
        out.push(kind);
        out.extend_from_slice(digits.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn either<T>(&self, resp2: T, resp3: T) -> T {
        match self.protocol {
            Protocol::Resp2 => resp2,
            Protocol::Resp3 => resp3,
        }
    }
}

/// A header on its way to a place that is not the end.
#[derive(Default)]
struct Header([u8; 23]);

impl Header {
    fn write(&mut self, kind: u8, value: u64) -> &[u8] {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(value).as_bytes();
        let end = 1 + digits.len();
        self.0[0] = kind;
        self.0[1..end].copy_from_slice(digits);
        self.0[end..end + 2].copy_from_slice(b"\r\n");
        &self.0[..end + 2]
    }
}

/// Lets `write!` append to bytes.
struct Appender<'a>(&'a mut Vec<u8>);

impl fmt::Write for Appender<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
