//! What a file is read from: bytes by a buffer, whose checksum is kept, and of which what belongs to a record is kept whole.

use std::io;

use super::{Error, Fault};
use crate::checksum::{self, Running};
use crate::reader::{Input, Length, length};

const BUFFER_BYTES: usize = 64 * 1024;

/// Reads from the front. Nothing is reserved for bytes that are not there yet.
pub(super) struct Source<R> {
    input: R,
    buffer: Box<[u8]>,
    /// What of the buffer is not read yet.
    start: usize,
    end: usize,
    /// Bytes before those in the buffer.
    before: u64,
    /// Up to where the bytes in the buffer are in the checksum and in what is kept.
    settled: usize,
    running: Running,
    kept: Option<Vec<u8>>,
}

impl<R: io::Read> Source<R> {
    pub(super) fn new(input: R) -> Source<R> {
        Source {
            input,
            buffer: vec![0; BUFFER_BYTES].into(),
            start: 0,
            end: 0,
            before: 0,
            settled: 0,
            running: checksum::running(),
            kept: None,
        }
    }

    /// How many bytes were read.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.start as u64
    }

    pub(super) fn fault(&self, fault: Fault) -> Error {
        Error { offset: self.offset(), fault }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        self.array().map(|[byte]| byte)
    }

    /// A number of elements, or some other that is written the same way.
    pub(super) fn len(&mut self) -> Result<u64, Error> {
        match length(self)? {
            Length::Of(len) => Ok(len),
            Length::Special(kind) => Err(self.fault(Fault::UnknownString(kind))),
        }
    }

    /// Goes over so many bytes. An error is where they begin.
    pub(super) fn skip(&mut self, mut len: u64) -> Result<(), Error> {
        let begin = self.offset();
        loop {
            let step = len.min((self.end - self.start) as u64);
            self.start += step as usize;
            len -= step;
            if len == 0 {
                return Ok(());
            }
            self.fill().map_err(|error| Error { offset: begin, ..error })?;
        }
    }

    /// From here on, what is read is kept.
    pub(super) fn keep(&mut self) {
        self.settle();
        self.kept = Some(Vec::new());
    }

    /// What was kept.
    pub(super) fn kept(&mut self) -> Vec<u8> {
        self.settle();
        self.kept.take().unwrap_or_default()
    }

    /// The checksum of all that was read.
    pub(super) fn checksum(&mut self) -> u64 {
        self.settle();
        self.running.clone().finalize()
    }

    /// What was not read, and where more comes from.
    pub(super) fn into_rest(self) -> (Vec<u8>, R) {
        (self.buffer[self.start..self.end].to_vec(), self.input)
    }

    fn settle(&mut self) {
        let read = &self.buffer[self.settled..self.start];
        self.running.update(read);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(read);
        }
        self.settled = self.start;
    }

    /// Moves what is not read to the front, and reads at least a byte more.
    fn fill(&mut self) -> Result<(), Error> {
        self.settle();
        self.before += self.start as u64;
        self.buffer.copy_within(self.start..self.end, 0);
        (self.end, self.start, self.settled) = (self.end - self.start, 0, 0);
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Err(self.fault(Fault::UnexpectedEnd)),
                Ok(len) => {
                    self.end += len;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(Fault::Io(error))),
            }
        }
    }
}

impl<R: io::Read> Input for Source<R> {
    type Stop = Error;

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        loop {
            if let Some(array) = self.buffer[self.start..self.end].first_chunk() {
                self.start += N;
                return Ok(*array);
            }
            self.fill()?;
        }
    }

    fn no_length(&self, first: u8) -> Error {
        self.fault(Fault::UnknownLength(first))
    }
}
