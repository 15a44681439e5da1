//! DEBUG DIGEST and DIGEST-VALUE: signatures of the data, the same as Redis makes of the same data.
//!
//! A signature is 20 bytes to which others are added in two ways: mixed in, where the order matters, or only combined, where it does
//! not, as among the keys of a database.

use std::ops::ControlFlow;

use larder_store::hash::HashRef;
use larder_store::list::{End, ListRef};
use larder_store::set::SetRef;
use larder_store::stream::{Stream, StreamId};
use larder_store::zset::{Direction, SortedSetRef};
use larder_store::{DbIndex, Digits, Element, Entry, Touch, Type};
use sha1::{Digest as _, Sha1};

use crate::prelude::*;
use crate::server::survey::Survey;
use crate::sorted_set::general;

/// The number by which Redis knows a type.
fn number_of(of: Type) -> u32 {
    match of {
        Type::String => 0,
        Type::List => 1,
        Type::Set => 2,
        Type::SortedSet => 3,
        Type::Hash => 4,
        Type::Stream => 6,
    }
}

/// See the module's documentation.
#[derive(Clone, Copy, Default)]
struct Signature([u8; 20]);

impl Signature {
    fn combine(&mut self, bytes: &[u8]) {
        for (byte, hashed) in self.0.iter_mut().zip(Sha1::digest(bytes)) {
            *byte ^= hashed;
        }
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.combine(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn mix_element(&mut self, element: Element<'_>) {
        self.mix(element.text(&mut Digits::default()));
    }

    /// Combines with what belongs together.
    fn combine_pair(&mut self, element: Element<'_>, value: &[u8]) {
        let mut pair = Signature::default();
        pair.mix_element(element);
        pair.mix(value);
        self.combine(&pair.0);
    }

    /// Adds a value: its type, its elements as of now, and whether it expires.
    fn add_value(&mut self, entry: &Entry, now: UnixMillis) {
        self.mix(&number_of(entry.value_type()).to_be_bytes());
        match entry.value_type() {
            Type::String => match entry.value() {
                Value::Int(number) => self.mix(itoa::Buffer::new().format(number).as_bytes()),
                Value::Inline(bytes) => self.mix(bytes),
                Value::Block(block) => self.mix(block),
            },
            Type::List => ListRef::of(entry).each_while(0..usize::MAX, End::Head, |_, element| {
                self.mix_element(element);
                true
            }),
            Type::Set => SetRef::of(entry).each(0, usize::MAX, |member| {
                self.combine(member.text(&mut Digits::default()));
            }),
            Type::SortedSet => {
                SortedSetRef::of(entry).each(0..usize::MAX, Direction::Ascending, |member, score| {
                    self.combine_pair(member, general(score).as_bytes());
                });
            }
            Type::Hash => HashRef::of(entry, now).each(0, usize::MAX, |field, value| {
                self.combine_pair(field, value.text(&mut Digits::default()));
            }),
            Type::Stream => self.mix_entries(Stream::of(entry)),
        }
        if entry.expires_at().is_some() {
            self.combine(b"!!expire!!");
        }
    }

    fn mix_entries(&mut self, stream: &Stream) {
        stream.each((StreamId::MIN, StreamId::MAX), Direction::Ascending, usize::MAX, |entry| {
            self.mix(format!("{}.{}", entry.id.millis, entry.id.sequence).as_bytes());
            for (name, value) in entry.fields() {
                self.mix_element(name);
                self.mix_element(value);
            }
        });
    }

    fn text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

pub(super) fn digest(cx: &mut Context<'_>) -> CommandResult {
    let mut survey = Survey::new();
    let (mut all, mut last_db) = (Signature::default(), None::<DbIndex>);
    let mut step = move |cx: &mut Context<'_>| {
        let now = cx.now();
        let progress = survey.advance(cx, |db, entry| {
            if last_db.replace(db) != Some(db) {
                all.mix(&db.0.to_be_bytes());
            }
            let mut signature = Signature::default();
            signature.mix(entry.key());
            signature.add_value(entry, now);
            all.combine(&signature.0);
        });
        if progress.is_break() {
            cx.reply.simple(&all.text());
        }
        progress
    };
    match step(cx) {
        ControlFlow::Break(()) => Ok(Outcome::Reply),
        ControlFlow::Continue(()) => Ok(Outcome::in_steps(move |cx| Ok(step(cx)))),
    }
}

pub(super) fn digest_value(cx: &mut Context<'_>) -> CommandResult {
    let mut signatures = Vec::new();
    for bytes in cx.args.from(2) {
        let key = cx.node.keyspace.key(bytes);
        let stripe = cx.node.keyspace.try_lock(key.position.stripe(), cx.moment);
        let mut stripe = stripe.ok_or(CommandError::Contended)?;
        let mut signature = Signature::default();
        if let Some(entry) = stripe.find(cx.client.db, key, Touch::No) {
            signature.add_value(&entry, cx.now());
        }
        signatures.push(signature);
    }
    cx.reply.array(signatures.len());
    signatures.iter().for_each(|signature| cx.reply.simple(&signature.text()));
    Ok(Outcome::Reply)
}
