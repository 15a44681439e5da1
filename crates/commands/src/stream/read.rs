//! XREAD: what was added to streams after an id.

use larder_engine::{Readiness, Wait};
use larder_resp::Reply;
use larder_store::Type;
use larder_store::stream::{Direction, Stream, StreamId};
use smallvec::SmallVec;

use super::delivery::{Delivery, deliver, deliver_one};
use super::id;
use super::read_syntax::{ReadSyntax, keys};
use super::reply::Entries;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XREAD];

const XREAD: Command = Command {
    name: "xread",
    syntax: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    summary: "Returns the entries of streams with ids larger than those given.",
    complexity: "For each stream O(log N + M) where N is the number of its entries and M the number of those returned",
    arity: Arity::AtLeast(4),
    keys: &[keys(1)],
    flags: Flags::READONLY.and(Flags::BLOCKING),
    run: xread,
    ..super::PLAIN
};

const ONLY_WITH_GROUP: CommandError = CommandError::line(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);

fn xread(cx: &mut Context<'_>) -> CommandResult {
    let syntax = ReadSyntax::parse(cx)?;
    let mut db = cx.lock()?;
    let mut after = SmallVec::<[StreamId; 4]>::new();
    for number in 0..syntax.streams {
        let entry = db.find_type(cx.key(number), Type::Stream)?;
        after.push(parse_after(syntax.id(number), entry.as_deref().map(Stream::of))?);
    }
    let mut deliveries = Vec::new();
    for (number, after) in after.iter().enumerate() {
        let found =
            super::read(&mut db, cx.key(number), |stream| entries_after(stream, *after, syntax.count))?;
        deliveries.extend(found.map(|entries| (number, Delivery::Entries(entries))));
    }
    match syntax.block {
        Some(until) if deliveries.is_empty() => {
            let after = after.into_iter().enumerate();
            let after = after.map(|(number, after)| (cx.key(number).bytes.into(), after)).collect();
            let all: Vec<usize> = (0..syntax.streams).collect();
            cx.block(db, &all, until, NewEntries { after, count: syntax.count })
        }
        _ => deliver(cx, db, deliveries),
    }
}

/// At most `count` entries behind an id, if there are any.
fn entries_after(stream: Option<&Stream>, after: StreamId, count: usize) -> Option<Entries> {
    let (from, stream) = (after.next()?, stream?);
    let range = (from, StreamId::MAX);
    let has_any = stream.last_id >= from && stream.each(range, Direction::Ascending, 1, |_| ()) > 0;
    has_any.then_some(Entries { range, order: Direction::Ascending, count })
}

/// Entries that are awaited.
struct NewEntries {
    /// Behind which id of which stream.
    after: Vec<(Box<[u8]>, StreamId)>,
    /// Most of them.
    count: usize,
}

impl NewEntries {
    /// What a stream has of them.
    fn of(&self, key: &[u8], stream: &Stream) -> Option<Entries> {
        let mut after = self.after.iter().filter(|(of, _)| **of == *key);
        after.find_map(|(_, after)| entries_after(Some(stream), *after, self.count))
    }
}

impl Wait for NewEntries {
    fn readiness(&self, db: &mut Locked<'_>, key: Key<'_>) -> Readiness {
        match db.find_type(key, Type::Stream) {
            Ok(Some(entry)) if self.of(key.bytes, Stream::of(&entry)).is_some() => Readiness::Ready,
            _ => Readiness::NotYet,
        }
    }

    fn serve(
        &mut self,
        db: &mut Locked<'_>,
        key: Key<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), CommandError> {
        if let Some(entry) = db.read_type(key, Type::Stream)?
            && let Some(entries) = self.of(key.bytes, Stream::of(&entry))
        {
            deliver_one(reply, key.bytes, Delivery::Entries(entries), Stream::of(&entry));
        }
        Ok(())
    }

    fn give_up(&self, reply: &mut Reply<'_>) {
        reply.null_array();
    }
}

/// The id after which entries are wanted.
fn parse_after(word: &[u8], stream: Option<&Stream>) -> Result<StreamId, CommandError> {
    match word {
        b"$" => Ok(stream.map_or(StreamId::MIN, |stream| stream.last_id)),
        // The last entry.
        b"+" => Ok(stream.and_then(Stream::last_entry_id).and_then(StreamId::previous).unwrap_or_default()),
        b">" => Err(ONLY_WITH_GROUP),
        word => id::parse(word, 0),
    }
}
