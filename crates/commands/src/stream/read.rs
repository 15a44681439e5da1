//! XREAD: what was added to streams after an id.

use larder_store::Type;
use larder_store::stream::{Direction, Stream, StreamId};
use smallvec::SmallVec;

use super::delivery::{Delivery, deliver};
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
    for (number, after) in after.into_iter().enumerate() {
        let Some(from) = after.next() else { continue };
        let range = (from, StreamId::MAX);
        let has_any = super::read(&mut db, cx.key(number), |stream| {
            stream.is_some_and(|stream| {
                stream.last_id >= from && stream.each(range, Direction::Ascending, 1, |_| ()) > 0
            })
        })?;
        if has_any {
            let entries = Entries { range, order: Direction::Ascending, count: syntax.count };
            deliveries.push((number, Delivery::Entries(entries)));
        }
    }
    deliver(cx, db, &syntax, deliveries)
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
