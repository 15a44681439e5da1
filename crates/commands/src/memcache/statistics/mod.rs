//! `stats`: what the server has done with memcached clients, and how it is set.
//!
//! Every line says something that is true of this server; what memcached tells of parts that have no counterpart here is left out,
//! and what never happens here is zero. Counters are of the memcached protocol alone, but for those of the keyspace, which both
//! protocols fill. Memory is not cut into slabs: all items are in one class, the first, as `me` says too.

mod connections;
mod detail;
mod general;
mod settings;
mod slabs;

use std::fmt::Display;

use memcache_parser::binary::{self, Head};
use memcache_parser::reply::{self, Sink, Status};
use memcache_parser::{ErrorReply, ReplyMode};

use super::dump::{Dump, Format};
use super::turn::{Ended, Turn};

/// memcached sorts items into classes by their size, of which this server has none.
pub(super) const ONLY_CLASS: u32 = 1;

/// How many classes memcached can number.
pub(super) const CLASSES: u32 = 64;

/// A number of 32 bits.
pub(super) fn number(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The name of a statistic, and how it is found out.
type Line = (&'static str, fn(&Turn<'_>) -> String);

/// How a statistic is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// As a line.
    Text,
    /// As a binary reply to this request.
    Binary(Head),
}

impl Turn<'_> {
    /// Answers a `stats` line, of which one is a dump.
    pub(super) fn text_statistics(&mut self, line: &[u8]) -> Ended {
        let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        self.executed += 1;
        match words.next() {
            Some(word) if b"cachedump".starts_with(word) => self.cachedump(words),
            _ => {
                self.statistics(line, Form::Text);
                Ended::Done
            }
        }
    }

    /// `cachedump <class> <lines, 0 being all>`
    fn cachedump<'w>(&mut self, mut words: impl Iterator<Item = &'w [u8]>) -> Ended {
        if !self.settings.memcached_dump {
            self.output.put(b"CLIENT_ERROR stats cachedump not allowed\r\n");
            return Ended::Done;
        }
        let (Some(class), Some(lines)) = (words.next(), words.next()) else {
            self.output.put(b"CLIENT_ERROR bad command line\r\n");
            return Ended::Done;
        };
        let (Some(class), Some(lines)) = (number(class), number(lines)) else {
            self.error(ErrorReply::BadCommandLine, ReplyMode::Send);
            return Ended::Done;
        };
        match class {
            class if class == ONLY_CLASS => {
                let lines_max = (lines > 0).then_some(lines.into());
                Ended::Dump(Dump::new(Format::Cachedump, lines_max))
            }
            0..CLASSES => {
                reply::end(&mut self.output);
                Ended::Done
            }
            _ => {
                self.output.put(b"CLIENT_ERROR Illegal slab id\r\n");
                Ended::Done
            }
        }
    }

    /// Answers with statistics, or puts them back to zero. As in memcached the beginning of a word will do for the word, for
    /// those that it looks at first; a binary request must spell them out.
    pub(super) fn statistics(&mut self, words: &[u8], form: Form) {
        let mut words = words.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let Some(which) = words.next() else {
            self.general(form);
            return self.end_of_statistics(form);
        };
        let is = |word: &str| match form {
            Form::Text => word.as_bytes().starts_with(which),
            Form::Binary(_) => which.starts_with(word.as_bytes()),
        };
        if is("reset") {
            self.node.stats.iter().for_each(|worker| worker.memcache.reset());
            self.node.memcache.detail.reset();
            match form {
                Form::Text => self.status(Status::Reset, ReplyMode::Send),
                Form::Binary(_) => self.end_of_statistics(form),
            }
        } else if is("detail") {
            self.detail(words.next(), form);
        } else if is("settings") {
            self.settings_report(form);
            self.end_of_statistics(form);
        } else if matches!(form, Form::Text) && is("conns") {
            self.connections(form);
            self.end_of_statistics(form);
        } else {
            self.about_slabs(which, form);
        }
    }

    /// The statistics that memcached keeps by class of size.
    fn about_slabs(&mut self, which: &[u8], form: Form) {
        match which {
            b"items" => self.items(form),
            b"slabs" => self.slabs(form),
            b"sizes" => self.stat(form, "sizes_status", "disabled"),
            _ => return self.refuse_statistics(form, ErrorReply::UnknownCommand.line()),
        }
        self.end_of_statistics(form);
    }

    /// Says one of them.
    fn stat(&mut self, form: Form, name: &str, value: impl Display) {
        let value = value.to_string();
        match form {
            Form::Text => reply::stat(&mut self.output, name, value.as_bytes()),
            Form::Binary(head) => {
                binary::reply::stat(&mut self.output, head, name.as_bytes(), value.as_bytes());
            }
        }
    }

    fn end_of_statistics(&mut self, form: Form) {
        match form {
            Form::Text => reply::end(&mut self.output),
            Form::Binary(head) => binary::reply::value(&mut self.output, head, 0, b""),
        }
    }

    /// A binary client is told no more than that there are no such statistics.
    fn refuse_statistics(&mut self, form: Form, line: &[u8]) {
        match form {
            Form::Text => self.output.put(line),
            Form::Binary(head) => {
                binary::reply::error(&mut self.output, head, binary::reply::Status::NotFound);
            }
        }
    }
}
