//! Inline requests: a line of words, as a person types it into telnet.
//!
//! The words are what Redis makes of the line. Blanks separate them. In double quotes `\n`, `\r`, `\t`, `\b`,
//! `\a` and `\xHH` stand for a byte, and a backslash before anything else stands for that; in single quotes
//! only `\'` is special. A quote may open within a word, and must close at its end.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::cell::Cell;

use crate::{ProtocolError, Span};

/// Splits a line (without its end) into words, pushed onto `args` as if the line began at `start`.
///
/// Words are unescaped where they stand: a word never grows by that, so what is written stays behind what is
/// still to be read.
///
/// # Errors
/// A quote does not close, or not at a word's end.
pub fn split(line: &mut [u8], start: usize, args: &mut Vec<Span>) -> Result<(), ProtocolError> {
    let end = start.saturating_add(line.len());
    let mut unread = Cell::from_mut(line).as_slice_of_cells();
    loop {
        while let [blank, rest @ ..] = unread
            && is_space(blank.get())
        {
            unread = rest;
        }
        if unread.is_empty() {
            return Ok(());
        }
        let mut word = Word { unread, unwritten: unread };
        word.unescape()?;
        let len = unread.len().saturating_sub(word.unwritten.len());
        args.push(Span::new(end.saturating_sub(unread.len()), len));
        unread = word.unread;
    }
}

/// What C's `isspace` says in the locale that the peers run in.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// A word being unescaped. Both slices end with the line; `unwritten` begins at or before `unread`.
struct Word<'a> {
    unread: &'a [Cell<u8>],
    unwritten: &'a [Cell<u8>],
}

impl Word<'_> {
    fn unescape(&mut self) -> Result<(), ProtocolError> {
        while let Some(byte) = self.next() {
            match byte {
                // Vertical tab and form feed are skipped before a word but do not end one: so it is in the
                // peers.
                b' ' | b'\n' | b'\r' | b'\t' => break,
                b'"' => return self.double_quoted(),
                b'\'' => return self.single_quoted(),
                byte => self.keep(byte),
            }
        }
        Ok(())
    }

    fn double_quoted(&mut self) -> Result<(), ProtocolError> {
        loop {
            match self.next() {
                None => return Err(ProtocolError::UnbalancedQuotes),
                Some(b'"') => return self.close(),
                Some(b'\\') => self.escape(),
                Some(byte) => self.keep(byte),
            }
        }
    }

    fn single_quoted(&mut self) -> Result<(), ProtocolError> {
        loop {
            match self.next() {
                None => return Err(ProtocolError::UnbalancedQuotes),
                Some(b'\'') => return self.close(),
                Some(b'\\') if self.unread.first().is_some_and(|quote| quote.get() == b'\'') => {
                    self.next();
                    self.keep(b'\'');
                }
                Some(byte) => self.keep(byte),
            }
        }
    }

    /// What follows a backslash in double quotes. At the line's end nothing does: the missing quote is found
    /// next.
    fn escape(&mut self) {
        if let [letter, high, low, rest @ ..] = self.unread
            && letter.get() == b'x'
            && let (Some(high), Some(low)) = (hex_digit(high.get()), hex_digit(low.get()))
        {
            self.unread = rest;
            return self.keep(high << 4 | low);
        }
        match self.next() {
            None => {}
            Some(b'n') => self.keep(b'\n'),
            Some(b'r') => self.keep(b'\r'),
            Some(b't') => self.keep(b'\t'),
            Some(b'b') => self.keep(0x08),
            Some(b'a') => self.keep(0x07),
            Some(byte) => self.keep(byte),
        }
    }

    /// After a closing quote the word ends.
    fn close(&self) -> Result<(), ProtocolError> {
        match self.unread.first() {
            Some(byte) if !is_space(byte.get()) => Err(ProtocolError::UnbalancedQuotes),
            _ => Ok(()),
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.unread.split_first()?;
        self.unread = rest;
        Some(byte.get())
    }

    fn keep(&mut self, byte: u8) {
        if let [cell, rest @ ..] = self.unwritten {
            cell.set(byte);
            self.unwritten = rest;
        }
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
