//! XREADGROUP: what a consumer of a group is given, or was given and has not acknowledged.

use larder_store::Type;
use larder_store::stream::{ConsumerNumber, Direction, Pending, Stream, StreamId};

use super::delivery::{Delivery, deliver};
use super::read_syntax::{ReadSyntax, keys};
use super::reply::Entries;
use super::{CONSUMER_CREATED, change, consumer, group, id, no_group};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XREADGROUP];

const XREADGROUP: Command = Command {
    name: "xreadgroup",
    syntax: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
    summary: "Gives a consumer of a group entries of streams that nobody of the group was given; or returns those that it has not acknowledged.",
    complexity: "For each stream O(M*log N) where N is the number of its entries and M the number of those returned",
    arity: Arity::AtLeast(7),
    keys: &[keys(4)],
    flags: Flags::WRITE.and(Flags::BLOCKING),
    run: xreadgroup,
    ..super::PLAIN
};

/// What is wanted of a stream.
#[derive(Clone, Copy)]
enum Wanted {
    /// What nobody of the group was given.
    New,
    /// What the consumer has not acknowledged, after this id.
    PendingAfter(StreamId),
}

fn meaningless(symbol: char) -> CommandError {
    let line = format!(
        "ERR The {symbol} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer \
         by specifying a proper ID, or use the > ID to get new messages. The {symbol} ID would just return an empty \
         result set."
    );
    CommandError::Line(line.into())
}

fn parse_wanted(word: &[u8]) -> Result<Wanted, CommandError> {
    match word {
        b"$" => Err(meaningless('$')),
        b"+" => Err(meaningless('+')),
        b">" => Ok(Wanted::New),
        word => match id::parse(word, 0)? {
            // As in Redis, the largest id stands for what is new.
            StreamId::MAX => Ok(Wanted::New),
            after => Ok(Wanted::PendingAfter(after)),
        },
    }
}

fn xreadgroup(cx: &mut Context<'_>) -> CommandResult {
    let syntax = ReadSyntax::parse(cx)?;
    let (group_name, _) = syntax.group.unwrap_or_default();
    let mut db = cx.lock()?;
    let mut wanted = Vec::with_capacity(syntax.streams);
    for number in 0..syntax.streams {
        let key = cx.key(number);
        let entry = db.find_type(key, Type::Stream)?;
        let stream = entry.as_deref().map(Stream::of);
        group(stream, group_name, || no_group(key.bytes, group_name, " in XREADGROUP with GROUP option"))?;
        wanted.push(parse_wanted(syntax.id(number))?);
    }
    let mut deliveries = Vec::new();
    for (number, wanted) in wanted.into_iter().enumerate() {
        let found = change(&mut db, cx.key(number), |stream| serve(stream, &syntax, wanted, cx.now()))?;
        deliveries.extend(found.flatten().map(|delivery| (number, delivery)));
    }
    deliver(cx, db, &syntax, deliveries)
}

/// Gives a consumer what it wants of a stream.
fn serve(
    stream: &mut Stream,
    syntax: &ReadSyntax<'_>,
    wanted: Wanted,
    now: UnixMillis,
) -> (Option<Delivery>, Option<Event>) {
    let (group_name, consumer_name) = syntax.group.unwrap_or_default();
    let Some(group) = stream.group_mut(group_name) else { return (None, None) };
    let (consumer, created) = consumer(group, consumer_name, now);
    let delivery = match wanted {
        Wanted::New => serve_new(stream, syntax, consumer, now).map(Delivery::Entries),
        Wanted::PendingAfter(after) => {
            serve_pending(stream, syntax, (consumer, after), now).map(Delivery::Pending)
        }
    };
    let event = match (created, &delivery) {
        (true, _) => Some(CONSUMER_CREATED),
        (false, Some(_)) => Some(Event::UNTOLD),
        (false, None) => None,
    };
    (delivery, event)
}

fn serve_new(
    stream: &mut Stream,
    syntax: &ReadSyntax<'_>,
    consumer: ConsumerNumber,
    now: UnixMillis,
) -> Option<Entries> {
    let (group_name, _) = syntax.group?;
    let group = stream.group(group_name)?;
    let (from, mut entries_read) = (group.last_id.next()?, group.entries_read);
    let mut ids = Vec::new();
    stream.each((from, StreamId::MAX), Direction::Ascending, syntax.count, |entry| ids.push(entry.id));
    let range = (*ids.first()?, *ids.last()?);
    for id in &ids {
        entries_read = stream.read_count_after(entries_read, *id);
    }
    let group = stream.group_mut(group_name)?;
    (group.last_id, group.entries_read) = (range.1, entries_read);
    if !syntax.no_ack {
        for id in &ids {
            group.put_pending(Pending { id: *id, consumer, delivered_at: now, deliveries: 1 });
        }
        group.consumer_mut(consumer).active_at = Some(now);
    }
    Some(Entries { range, order: Direction::Ascending, count: ids.len() })
}

fn serve_pending(
    stream: &mut Stream,
    syntax: &ReadSyntax<'_>,
    (consumer, after): (ConsumerNumber, StreamId),
    now: UnixMillis,
) -> Option<Vec<StreamId>> {
    let (group_name, _) = syntax.group?;
    let (group, entries) = stream.group_beside_entries(group_name)?;
    let Some(from) = after.next() else { return Some(Vec::new()) };
    let pending: Vec<Pending> = group.pending_of(consumer, from).take(syntax.count).collect();
    for pending in pending.iter().filter(|pending| entries.contains(pending.id)) {
        group.put_pending(Pending { delivered_at: now, deliveries: pending.deliveries + 1, ..*pending });
    }
    Some(pending.into_iter().map(|pending| pending.id).collect())
}
