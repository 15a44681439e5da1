//! Writing the answers.
//!
//! Every function appends to a [`Sink`] and writes nothing else than it says. What the request decides (whether
//! to answer, which fields) is the caller's to know, except for the flags of the meta protocol:
//! [`MetaReply::returned`] writes the ones that were asked for.

mod meta;

pub use meta::{DebugFacts, MetaFacts, MetaReply, MetaStatus, RemainingTtl, meta_debug};

use crate::error::ErrorReply;

/// Where replies go.
pub trait Sink {
    /// Appends these bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The answers of the text protocol that are always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The value was stored.
    Stored,
    /// It was not, because there was such an item, or none.
    NotStored,
    /// It was not, because the item has changed.
    Exists,
    /// There is no such item.
    NotFound,
    /// The item was deleted.
    Deleted,
    /// The item has a new expiry time.
    Touched,
    /// It was done.
    Ok,
    /// The statistics were reset.
    Reset,
}

impl Status {
    /// The line with its line end.
    pub const fn line(self) -> &'static [u8] {
        match self {
            Self::Stored => b"STORED\r\n",
            Self::NotStored => b"NOT_STORED\r\n",
            Self::Exists => b"EXISTS\r\n",
            Self::NotFound => b"NOT_FOUND\r\n",
            Self::Deleted => b"DELETED\r\n",
            Self::Touched => b"TOUCHED\r\n",
            Self::Ok => b"OK\r\n",
            Self::Reset => b"RESET\r\n",
        }
    }
}

/// One of the answers that are always the same.
pub fn status(sink: &mut impl Sink, status: Status) {
    sink.put(status.line());
}

/// An error line.
pub fn error(sink: &mut impl Sink, error: ErrorReply) {
    sink.put(error.line());
}

/// An item that was found: the line about it, and its value. `cas` is for `gets` and `gats`.
pub fn value(sink: &mut impl Sink, key: &[u8], client_flags: u32, value: &[u8], cas: Option<u64>) {
    value_line(sink, key, client_flags, value.len(), cas);
    sink.put(value);
    sink.put(b"\r\n");
}

/// The line before a value, if the value and the line end behind it are sent by other means.
pub fn value_line(sink: &mut impl Sink, key: &[u8], client_flags: u32, value_bytes: usize, cas: Option<u64>) {
    sink.put(b"VALUE ");
    sink.put(key);
    sink.put(b" ");
    decimal(sink, client_flags.into());
    sink.put(b" ");
    decimal(sink, value_bytes as u64);
    if let Some(cas) = cas {
        sink.put(b" ");
        decimal(sink, cas);
    }
    sink.put(b"\r\n");
}

/// A configuration that was found, of which there is one at most: so the end follows.
pub fn config(sink: &mut impl Sink, name: &[u8], client_flags: u32, value: &[u8]) {
    sink.put(b"CONFIG ");
    sink.put(name);
    sink.put(b" ");
    decimal(sink, client_flags.into());
    sink.put(b" ");
    decimal(sink, value.len() as u64);
    sink.put(b"\r\n");
    sink.put(value);
    sink.put(b"\r\n");
    end(sink);
}

/// The end of what was found, or of the statistics.
pub fn end(sink: &mut impl Sink) {
    sink.put(b"END\r\n");
}

/// What a counter is now.
pub fn counter(sink: &mut impl Sink, value: u64) {
    decimal(sink, value);
    sink.put(b"\r\n");
}

/// The answer to `version`.
pub fn version(sink: &mut impl Sink, version: &str) {
    sink.put(b"VERSION ");
    sink.put(version.as_bytes());
    sink.put(b"\r\n");
}

/// A line of statistics.
pub fn stat(sink: &mut impl Sink, name: &str, value: &[u8]) {
    sink.put(b"STAT ");
    sink.put(name.as_bytes());
    sink.put(b" ");
    sink.put(value);
    sink.put(b"\r\n");
}

/// The answer to `mn`.
pub fn meta_noop(sink: &mut impl Sink) {
    sink.put(b"MN\r\n");
}

/// A number in decimal digits.
fn decimal(sink: &mut impl Sink, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    sink.put(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut output = Vec::new();
        write(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn lines_of_the_text_protocol() {
        assert_eq!(written(|to| value(to, b"k", 5, b"abc", None)), "VALUE k 5 3\r\nabc\r\n");
        assert_eq!(written(|to| value(to, b"k", 0, b"", Some(9))), "VALUE k 0 0 9\r\n\r\n");
        assert_eq!(written(|to| value_line(to, b"k", 1, 100, None)), "VALUE k 1 100\r\n");
        assert_eq!(written(end), "END\r\n");
        assert_eq!(written(|to| config(to, b"c", 1, b"2\n")), "CONFIG c 1 2\r\n2\n\r\nEND\r\n");
        assert_eq!(written(|to| counter(to, 0)), "0\r\n");
        assert_eq!(written(|to| counter(to, u64::MAX)), "18446744073709551615\r\n");
        assert_eq!(written(|to| version(to, "1.6.18")), "VERSION 1.6.18\r\n");
        assert_eq!(written(|to| stat(to, "pid", b"7")), "STAT pid 7\r\n");
        assert_eq!(written(meta_noop), "MN\r\n");
        assert_eq!(written(|to| error(to, ErrorReply::UnknownCommand)), "ERROR\r\n");
    }

    #[test]
    fn every_status_has_its_line() {
        let all = [
            (Status::Stored, "STORED\r\n"),
            (Status::NotStored, "NOT_STORED\r\n"),
            (Status::Exists, "EXISTS\r\n"),
            (Status::NotFound, "NOT_FOUND\r\n"),
            (Status::Deleted, "DELETED\r\n"),
            (Status::Touched, "TOUCHED\r\n"),
            (Status::Ok, "OK\r\n"),
            (Status::Reset, "RESET\r\n"),
        ];
        for (one, line) in all {
            assert_eq!(written(|to| status(to, one)), line);
        }
    }
}
