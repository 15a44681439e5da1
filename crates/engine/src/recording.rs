//! How a request gets into the append log: as it was sent where that does the same at any time, otherwise as what it came to.

use std::cell::RefCell;

use larder_persist::log::write_command;
use larder_store::{Attributes, DbIndex, Digits, Element, Entry, Key, Type, UnixMillis, Value};
use smallvec::SmallVec;

use crate::append_log::Record;
use crate::args::Args;
use crate::locked::Locked;

/// As what a request that has changed something stands in the append log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logged {
    /// As it was sent, for it does the same to the same keys at any time.
    AsSent,
    /// As what it has made of its keys, which are strings.
    ByValue,
    /// As when its keys expire now.
    ByExpiry,
    /// As its handler says, by [`Locked::log_as`].
    AsSaid,
}

/// What a locked request is recorded as before its stripes are unlocked.
pub(crate) struct Recording<'a> {
    form: Form<'a>,
    /// What it is part of.
    within: Option<&'a RefCell<Record>>,
    db: DbIndex,
    /// What the stripes had counted before.
    changes: u64,
    /// What its handler has said, and how many commands that are.
    said: Vec<u8>,
    commands: usize,
    /// Whether fields of hashes had expired in its eyes that are still there.
    needs_time: bool,
}

enum Form<'a> {
    AsSent(Args<'a>),
    Values(SmallVec<[Key<'a>; 1]>),
    Expiries(SmallVec<[Key<'a>; 1]>),
    AsSaid,
}

impl<'a> Locked<'a> {
    /// Has the request be recorded.
    pub(crate) fn record_as(
        &mut self,
        logged: Logged,
        args: Args<'a>,
        keys: impl Iterator<Item = Key<'a>>,
        within: Option<&'a RefCell<Record>>,
    ) {
        let form = match logged {
            Logged::AsSent => Form::AsSent(args),
            Logged::ByValue => Form::Values(keys.collect()),
            Logged::ByExpiry => Form::Expiries(keys.collect()),
            Logged::AsSaid => Form::AsSaid,
        };
        self.begin_recording(form, within);
    }

    /// Has what becomes of an item be recorded as its value.
    pub fn log_value_of(&mut self, key: Key<'a>) {
        if self.node().append_log.is_on() {
            self.begin_recording(Form::Values(SmallVec::from_iter([key])), None);
        }
    }

    /// Has what handlers say be recorded.
    pub(crate) fn record_what_is_said(&mut self) {
        if self.node().append_log.is_on() {
            self.begin_recording(Form::AsSaid, None);
        }
    }

    fn begin_recording(&mut self, form: Form<'a>, within: Option<&'a RefCell<Record>>) {
        let (db, changes) = (self.db(), self.changes());
        let said = Vec::new();
        let recording = Recording { form, within, db, changes, said, commands: 0, needs_time: false };
        self.recording = Some(recording);
    }

    /// Has the request stand in the append log as this command, instead of as it was sent; called again, as these commands.
    pub fn log_as(&mut self, words: &[&[u8]]) {
        if let Some(recording) = &mut self.recording {
            write_command(&mut recording.said, words.iter().copied());
            recording.commands += 1;
        }
    }

    /// Whether it matters what is said by [`Locked::log_as`].
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.recording.is_some()
    }

    /// Notes that the request took fields for expired that were still there.
    pub(crate) fn note_overdue_fields(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.needs_time = true;
        }
    }

    /// Records the request, if it has changed anything.
    #[cold]
    pub(crate) fn record(&mut self) {
        let Some(Recording { form, within, db, changes, said, commands, needs_time }) = self.recording.take()
        else {
            return;
        };
        let log = &self.node().append_log;
        let time = if needs_time { Some(self.now()) } else { None };
        if self.changes() == changes {
            return;
        }
        if commands > 0 {
            return log.record(within, db, commands, |out| {
                write_time(out, time);
                out.extend_from_slice(&said);
            });
        }
        self.select(db);
        match form {
            Form::AsSaid => {}
            Form::AsSent(args) => log.record(within, db, 1, |out| {
                write_time(out, time);
                write_command(out, args.iter());
            }),
            Form::Values(keys) => log.record(within, db, keys.len(), |out| {
                keys.into_iter().for_each(|key| self.write_value(out, key));
            }),
            Form::Expiries(keys) => log.record(within, db, keys.len(), |out| {
                keys.into_iter().for_each(|key| self.write_expiry(out, key));
            }),
        }
    }

    fn write_value(&mut self, out: &mut Vec<u8>, key: Key<'_>) {
        match self.inspect(key) {
            Some(entry) if entry.value_type() == Type::String => write_string(out, &entry),
            _ => self.write_expiry(out, key),
        }
    }

    fn write_expiry(&mut self, out: &mut Vec<u8>, key: Key<'_>) {
        match self.inspect(key).map(|entry| entry.expires_at()) {
            None => write_command(out, [b"DEL", key.bytes].into_iter()),
            Some(None) => write_command(out, [b"PERSIST", key.bytes].into_iter()),
            Some(Some(at)) => {
                let mut digits = Digits::default();
                write_command(out, [b"PEXPIREAT", key.bytes, millis(at, &mut digits)].into_iter());
            }
        }
    }
}

/// The commands that make a string what it is. What only memcached's clients see of it stands in an annotation, which peers pass over.
pub fn write_string(out: &mut Vec<u8>, entry: &Entry) {
    let Attributes { expires_at, client_flags, item_state, .. } = entry.attributes();
    if client_flags != 0 || item_state != 0 {
        out.extend_from_slice(format!("#ITEM:{client_flags} {item_state}\r\n").as_bytes());
    }
    let mut digits = (Digits::default(), Digits::default());
    let value = match entry.value() {
        Value::Int(number) => Element::Int(number).text(&mut digits.0),
        Value::Inline(bytes) => bytes,
        Value::Block(block) => block.as_slice(),
    };
    match expires_at {
        None => write_command(out, [b"SET", entry.key(), value].into_iter()),
        Some(at) => {
            let at = millis(at, &mut digits.1);
            write_command(out, [b"SET", entry.key(), value, b"PXAT", at].into_iter());
        }
    }
}

/// The time at which what follows was done, where that matters to it.
fn write_time(out: &mut Vec<u8>, time: Option<UnixMillis>) {
    if let Some(UnixMillis(millis)) = time {
        out.extend_from_slice(format!("#NOW:{millis}\r\n").as_bytes());
    }
}

fn millis(at: UnixMillis, digits: &mut Digits) -> &[u8] {
    Element::Int(at.0).text(digits)
}
