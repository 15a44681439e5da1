//! Reading a log: command by command, each as the bytes that it is.

use std::io::{self, Read};
use std::ops::Range;

use super::{Error, Fault};
use crate::snapshot;

/// Longest line that says how many arguments there are, or how long one is.
const HEADER_BYTES_MAX: usize = 127;
/// Longest annotation, its end counted.
const ANNOTATION_BYTES_MAX: usize = 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// A buffer that grew above this for one command is given back.
const BUFFER_BYTES_MAX: usize = 1024 * 1024;

/// Reads a log, or what follows the snapshot that it begins with. Memory for one command is taken, as its bytes come.
pub struct Reader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where in the buffer the command begins that was returned last.
    start: usize,
    /// Up to where the buffer was read.
    at: usize,
    /// Bytes of the log before those in the buffer.
    before: u64,
    arguments: Vec<Range<usize>>,
    in_transaction: bool,
    intact: u64,
    lines: u64,
    /// Where the line or argument begins that was looked at last.
    mark: u64,
}

/// What a log has, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A command.
    Command(Command<'a>),
    /// What follows was done at this time, in seconds.
    Timestamp(i64),
    /// An annotation that says something else, as it stands there without the end of its line.
    Annotation(&'a [u8]),
}

/// A command, in the bytes of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// The request as it stands there.
    pub request: &'a [u8],
    arguments: &'a [Range<usize>],
}

impl<'a> Command<'a> {
    /// Its name and arguments; there is at least one.
    pub fn arguments(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.arguments.iter().map(move |range| &self.request[range.clone()])
    }
}

/// How a log begins, with all of its bytes still to read.
pub enum Opened<R> {
    /// With a snapshot. What follows it is to be read by [`Reader::after`].
    Snapshot(Unread<R>),
    /// With commands.
    Commands(Unread<R>),
}

/// What was read to see how a log begins, and the rest.
pub type Unread<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// Looks how a log begins.
///
/// # Errors
/// Reading failed.
pub fn open<R: Read>(mut input: R) -> io::Result<Opened<R>> {
    let mut first = Vec::new();
    input.by_ref().take(snapshot::SIGNATURE_BYTES as u64).read_to_end(&mut first)?;
    let is_snapshot = snapshot::is_signature(&first);
    let unread = io::Cursor::new(first).chain(input);
    Ok(if is_snapshot { Opened::Snapshot(unread) } else { Opened::Commands(unread) })
}

impl<R: Read> Reader<R> {
    /// Reads a log that begins with commands.
    pub fn new(input: R) -> Reader<R> {
        Reader::after(0, input)
    }

    /// Reads what follows a snapshot of so many bytes.
    pub fn after(offset: u64, input: R) -> Reader<R> {
        Reader {
            input,
            buffer: Vec::new(),
            start: 0,
            at: 0,
            before: offset,
            arguments: Vec::new(),
            in_transaction: false,
            intact: offset,
            lines: 0,
            mark: offset,
        }
    }

    /// How many bytes were read.
    pub fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    /// Up to where the log is intact: behind the last command that is whole, or before the transaction that is not.
    pub fn intact_up_to(&self) -> u64 {
        self.intact
    }

    /// How many lines of commands were read.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// The log is damaged, or breaks off.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, Error> {
        self.release();
        let Some(first) = self.peek()? else {
            let fault = Fault::OpenTransaction;
            return if self.in_transaction { Err(self.fault(fault)) } else { Ok(None) };
        };
        if first == b'#' {
            return self.annotation().map(Some);
        }
        if first != b'*' {
            self.mark = self.offset();
            return Err(self.fault(Fault::NoCommand));
        }
        self.command()?;
        let request = &self.buffer[self.start..self.at];
        Ok(Some(Item::Command(Command { request, arguments: &self.arguments })))
    }

    /// Whether a transaction has begun and not ended.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn fault(&self, fault: Fault) -> Error {
        Error { offset: self.mark, fault }
    }

    /// Forgets the command that was returned last.
    fn release(&mut self) {
        self.arguments.clear();
        self.start = self.at;
        if self.start == self.buffer.len() || self.start >= READ_BYTES {
            self.buffer.drain(..self.start);
            self.before += self.start as u64;
            (self.start, self.at) = (0, 0);
        }
        if self.buffer.capacity() > BUFFER_BYTES_MAX && self.buffer.len() < BUFFER_BYTES_MAX / 2 {
            self.buffer.shrink_to(BUFFER_BYTES_MAX / 2);
        }
        if self.arguments.capacity() > READ_BYTES {
            self.arguments = Vec::new();
        }
    }

    /// Reads until there are so many bytes ahead, or no more; says how many there are, up to that.
    fn ahead(&mut self, len: u64) -> Result<u64, Error> {
        loop {
            let here = (self.buffer.len() - self.at) as u64;
            if here >= len {
                return Ok(len);
            }
            let read = self.input.by_ref().take(READ_BYTES as u64).read_to_end(&mut self.buffer);
            match read {
                Ok(0) => return Ok(here),
                Ok(_) => {}
                Err(error) => return Err(self.fault(Fault::Io(error))),
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, Error> {
        Ok(if self.ahead(1)? == 0 { None } else { self.buffer.get(self.at).copied() })
    }

    /// Length of the next line, its `\n` counted, or of what of it is there; at most so many bytes are looked at.
    fn line_len(&mut self, max: usize) -> Result<usize, Error> {
        // Most lines are short, and their bytes have been read.
        let mut wanted = 32;
        loop {
            let here = self.ahead(wanted.min(max) as u64)? as usize;
            let bytes = &self.buffer[self.at..self.at + here];
            if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                return Ok(end + 1);
            }
            if here < wanted {
                return Ok(here);
            }
            wanted *= 2;
        }
    }

    fn annotation(&mut self) -> Result<Item<'_>, Error> {
        self.mark = self.offset();
        let len = self.line_len(ANNOTATION_BYTES_MAX)?;
        let line = &self.buffer[self.at..self.at + len];
        let Some(text) = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")) else {
            let broken_off = len < ANNOTATION_BYTES_MAX;
            return Err(self.fault(if broken_off { Fault::End } else { Fault::Annotation }));
        };
        let text = self.at..self.at + text.len();
        let time = match self.buffer[text.clone()].strip_prefix(b"#TS:").map(larder_store::parse_integer) {
            Some(None) => return Err(self.fault(Fault::Annotation)),
            time => time.flatten(),
        };
        self.at += len;
        self.mark_intact();
        Ok(time.map_or(Item::Annotation(&self.buffer[text]), Item::Timestamp))
    }

    fn mark_intact(&mut self) {
        if !self.in_transaction {
            self.intact = self.offset();
        }
    }

    fn command(&mut self) -> Result<(), Error> {
        let count = self.header(b'*')?;
        if count < 1 {
            return Err(self.fault(Fault::NoArguments));
        }
        for number in 0..count {
            let argument = self.argument()?;
            if number == 0 {
                self.follow_transaction(&argument)?;
            }
            self.arguments.push(argument.start - self.start..argument.end - self.start);
        }
        self.mark_intact();
        Ok(())
    }

    fn follow_transaction(&mut self, name: &Range<usize>) -> Result<(), Error> {
        let text = &self.buffer[name.clone()];
        let (begins, ends) = (text.eq_ignore_ascii_case(b"multi"), text.eq_ignore_ascii_case(b"exec"));
        match (begins, ends, self.in_transaction) {
            (true, _, true) => Err(self.fault(Fault::NestedMulti)),
            (_, true, false) => Err(self.fault(Fault::ExecWithoutMulti)),
            _ => {
                self.in_transaction = (self.in_transaction || begins) && !ends;
                Ok(())
            }
        }
    }

    /// The number of a line that begins with this byte.
    fn header(&mut self, prefix: u8) -> Result<i64, Error> {
        self.mark = self.offset();
        let len = self.line_len(HEADER_BYTES_MAX)?;
        let line = &self.buffer[self.at..self.at + len];
        let (first, text) = line.split_first().ok_or_else(|| self.fault(Fault::End))?;
        if *first != prefix {
            return Err(self.fault(Fault::Prefix { expected: prefix, found: *first }));
        }
        let (sign, digits) = if let Some(rest) = text.strip_prefix(b"-") { (-1, rest) } else { (1, text) };
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        let (digits, rest) = digits.split_at(end);
        let number = digits.iter().fold(0_i64, |number, digit| {
            number.saturating_mul(10).saturating_add(sign * i64::from(digit - b'0'))
        });
        if rest != b"\r\n" {
            let found = [0, 1].map(|at| rest.get(at).copied().unwrap_or(0));
            // One that could still go on breaks off.
            let goes_on = len < HEADER_BYTES_MAX && b"\r\n".starts_with(rest);
            let fault = if goes_on { Fault::BrokenLine(found) } else { Fault::LineEnd(found) };
            return Err(self.fault(fault));
        }
        self.at += len;
        self.lines += 1;
        Ok(number)
    }

    /// Where in the buffer the next argument is.
    fn argument(&mut self) -> Result<Range<usize>, Error> {
        let declared = self.header(b'$')?;
        let len = u64::try_from(declared).ok().filter(|_| declared < i64::MAX - 2);
        let len = len.ok_or_else(|| self.fault(Fault::Length(declared)))?;
        self.mark = self.offset();
        let (expected, found) = (len + 2, self.ahead(len + 2)?);
        if found < expected {
            return Err(self.fault(Fault::Short { expected, found }));
        }
        let argument = self.at..self.at + len as usize;
        let end = [self.buffer[argument.end], self.buffer[argument.end + 1]];
        if end != *b"\r\n" {
            return Err(self.fault(Fault::LineEnd(end)));
        }
        self.at = argument.end + 2;
        self.lines += 1;
        Ok(argument)
    }
}
