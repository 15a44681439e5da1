//! XREADGROUP: what a consumer of a group is given, or was given and has not acknowledged.

use larder_engine::{Readiness, Wait};
use larder_resp::Reply;
use larder_store::Type;
use larder_store::stream::{ConsumerNumber, Direction, Pending, Stream, StreamId};

use super::delivery::{Delivery, deliver, deliver_one};
use super::logged::{Delivered, log_delivered};
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
    logged: |_| Logged::AsSaid,
    counts_from_now: |_| true,
    run: xreadgroup,
    ..super::PLAIN
};

const IN_XREADGROUP: &str = " in XREADGROUP with GROUP option";

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
    let (group_name, consumer_name) = syntax.group.unwrap_or_default();
    let reading =
        Reading { group: group_name, consumer: consumer_name, count: syntax.count, no_ack: syntax.no_ack };
    let mut db = cx.lock()?;
    let mut wanted = Vec::with_capacity(syntax.streams);
    for number in 0..syntax.streams {
        let key = cx.key(number);
        let entry = db.find_type(key, Type::Stream)?;
        let stream = entry.as_deref().map(Stream::of);
        group(stream, group_name, || no_group(key.bytes, group_name, IN_XREADGROUP))?;
        wanted.push(parse_wanted(syntax.id(number))?);
    }
    let mut deliveries = Vec::new();
    for (number, wanted) in wanted.into_iter().enumerate() {
        let found = change(&mut db, cx.key(number), |stream| serve(stream, reading, wanted, cx.now()))?;
        let found = found.flatten();
        log(&mut db, cx.key(number), reading, found.as_ref());
        deliveries.extend(found.map(|delivery| (number, delivery)));
    }
    match syntax.block {
        Some(until) if deliveries.is_empty() => {
            let all: Vec<usize> = (0..syntax.streams).collect();
            cx.block(db, &all, until, WaitingConsumer::new(reading))
        }
        _ => deliver(cx, db, deliveries),
    }
}

/// Who reads, and how.
#[derive(Clone, Copy)]
struct Reading<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    /// Most entries of each stream.
    count: usize,
    /// Whether what is delivered counts as acknowledged.
    no_ack: bool,
}

/// A consumer that waits for entries that nobody of its group was given.
struct WaitingConsumer {
    group: Box<[u8]>,
    consumer: Box<[u8]>,
    count: usize,
    no_ack: bool,
}

impl WaitingConsumer {
    fn new(reading: Reading<'_>) -> WaitingConsumer {
        let Reading { group, consumer, count, no_ack } = reading;
        WaitingConsumer { group: group.into(), consumer: consumer.into(), count, no_ack }
    }

    fn reading(&self) -> Reading<'_> {
        Reading { group: &self.group, consumer: &self.consumer, count: self.count, no_ack: self.no_ack }
    }
}

impl Wait for WaitingConsumer {
    fn readiness(&self, db: &mut Locked<'_>, key: Key<'_>) -> Readiness {
        // What cannot come any more is told at once.
        let Ok(Some(entry)) = db.find_type(key, Type::Stream) else { return Readiness::Ready };
        let stream = Stream::of(&entry);
        let Some(group) = stream.group(&self.group) else { return Readiness::Ready };
        let has_any = group.last_id.next().is_some_and(|from| {
            stream.last_id >= from && stream.each((from, StreamId::MAX), Direction::Ascending, 1, |_| ()) > 0
        });
        if has_any { Readiness::Ready } else { Readiness::NotYet }
    }

    fn serve(
        &mut self,
        db: &mut Locked<'_>,
        key: Key<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), CommandError> {
        let (reading, now) = (self.reading(), db.now());
        let missing = || no_group(key.bytes, &self.group, IN_XREADGROUP);
        group(db.find_type(key, Type::Stream)?.as_deref().map(Stream::of), &self.group, missing)?;
        let delivery = change(db, key, |stream| serve(stream, reading, Wanted::New, now))?.flatten();
        log(db, key, reading, delivery.as_ref());
        if let Some(delivery) = delivery
            && let Some(entry) = db.find_type(key, Type::Stream)?
        {
            deliver_one(reply, key.bytes, delivery, Stream::of(&entry));
        }
        Ok(())
    }

    fn give_up(&self, reply: &mut Reply<'_>) {
        reply.null_array();
    }

    fn minds_removal(&self) -> bool {
        true
    }
}

/// Logs what has come of it, at least that the consumer is there.
fn log(db: &mut Locked<'_>, key: Key<'_>, reading: Reading<'_>, delivery: Option<&Delivery>) {
    if !db.is_logged() {
        return;
    }
    let (moves_on, ids) = match delivery {
        None => (false, Vec::new()),
        Some(Delivery::Pending(ids)) => (false, ids.clone()),
        Some(Delivery::Entries(_)) if reading.no_ack => (true, Vec::new()),
        Some(Delivery::Entries(entries)) => (true, ids_of(db, key, entries.range)),
    };
    let Reading { group, consumer, .. } = reading;
    log_delivered(db, key, &Delivered { group, consumer, ids: &ids, moves_on });
}

fn ids_of(db: &mut Locked<'_>, key: Key<'_>, range: (StreamId, StreamId)) -> Vec<StreamId> {
    let mut ids = Vec::new();
    if let Ok(Some(entry)) = db.find_type(key, Type::Stream) {
        Stream::of(&entry).each(range, Direction::Ascending, usize::MAX, |entry| ids.push(entry.id));
    }
    ids
}

/// Gives a consumer what it wants of a stream.
fn serve(
    stream: &mut Stream,
    reading: Reading<'_>,
    wanted: Wanted,
    now: UnixMillis,
) -> (Option<Delivery>, Option<Event>) {
    let Some(group) = stream.group_mut(reading.group) else { return (None, None) };
    let (consumer, created) = consumer(group, reading.consumer, now);
    let delivery = match wanted {
        Wanted::New => serve_new(stream, reading, consumer, now).map(Delivery::Entries),
        Wanted::PendingAfter(after) => {
            serve_pending(stream, reading, (consumer, after), now).map(Delivery::Pending)
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
    reading: Reading<'_>,
    consumer: ConsumerNumber,
    now: UnixMillis,
) -> Option<Entries> {
    let group = stream.group(reading.group)?;
    let (from, mut entries_read) = (group.last_id.next()?, group.entries_read);
    let mut ids = Vec::new();
    stream.each((from, StreamId::MAX), Direction::Ascending, reading.count, |entry| ids.push(entry.id));
    let range = (*ids.first()?, *ids.last()?);
    for id in &ids {
        entries_read = stream.read_count_after(entries_read, *id);
    }
    let group = stream.group_mut(reading.group)?;
    (group.last_id, group.entries_read) = (range.1, entries_read);
    if !reading.no_ack {
        for id in &ids {
            group.put_pending(Pending { id: *id, consumer, delivered_at: now, deliveries: 1 });
        }
        group.consumer_mut(consumer).active_at = Some(now);
    }
    Some(Entries { range, order: Direction::Ascending, count: ids.len() })
}

fn serve_pending(
    stream: &mut Stream,
    reading: Reading<'_>,
    (consumer, after): (ConsumerNumber, StreamId),
    now: UnixMillis,
) -> Option<Vec<StreamId>> {
    let (group, entries) = stream.group_beside_entries(reading.group)?;
    let Some(from) = after.next() else { return Some(Vec::new()) };
    let pending: Vec<Pending> = group.pending_of(consumer, from).take(reading.count).collect();
    for pending in pending.iter().filter(|pending| entries.contains(pending.id)) {
        group.put_pending(Pending { delivered_at: now, deliveries: pending.deliveries + 1, ..*pending });
    }
    Some(pending.into_iter().map(|pending| pending.id).collect())
}
