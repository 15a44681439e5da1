//! Streams: entries with fields, in the order in which they were added, and groups of consumers that read them.

use larder_config::Settings;
use larder_store::stream::{self, ChunkLimits, ConsumerNumber, Stream};
use larder_store::{Missing, Type, WrongType};

use crate::prelude::*;

mod acknowledge;
mod add;
mod claim;
mod delete;
mod delivery;
mod group;
mod id;
mod info;
mod info_full;
mod logged;
mod pending;
mod range;
mod read;
mod read_group;
mod read_syntax;
mod reply;
mod set_id;
mod trim;

pub(crate) const COMMANDS: &[&[Command]] = &[
    acknowledge::COMMANDS,
    add::COMMANDS,
    claim::COMMANDS,
    delete::COMMANDS,
    group::COMMANDS,
    info::COMMANDS,
    pending::COMMANDS,
    range::COMMANDS,
    read::COMMANDS,
    read_group::COMMANDS,
    set_id::COMMANDS,
    trim::COMMANDS,
];

/// What most rows have in common.
const PLAIN: Command = Command {
    group: Group::Stream,
    since: "5.0.0",
    complexity: "O(1)",
    keys: &[KeySpec::one(Access::UPDATE_ONLY)],
    flags: Flags::WRITE.and(Flags::FAST),
    ..Command::PLAIN
};

/// The event of a consumer that was created, by whichever command.
const CONSUMER_CREATED: Event = Event::stream("xgroup-createconsumer");

/// When a chunk is full.
pub(crate) fn limits(settings: &Settings) -> ChunkLimits {
    ChunkLimits {
        bytes: usize::try_from(settings.stream_node_max_bytes).unwrap_or(usize::MAX),
        entries: settings.stream_node_max_entries,
    }
}

/// Reads a stream on behalf of a client.
#[inline]
fn read<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    read: impl FnOnce(Option<&Stream>) -> R,
) -> Result<R, WrongType> {
    let entry = db.read_type(key, Type::Stream)?;
    Ok(read(entry.as_deref().map(Stream::of)))
}

/// Changes a stream that is there.
#[inline]
fn change<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    change: impl FnOnce(&mut Stream) -> (R, Option<Event>),
) -> Result<Option<R>, WrongType> {
    db.change_collection(key, Type::Stream, Missing::Leave, |entry| change(Stream::of_mut(entry)))
}

/// Changes a stream, which is created if it is not there.
fn change_or_create<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    change: impl FnOnce(&mut Stream) -> (R, Option<Event>),
) -> Result<R, WrongType> {
    let missing = match db.find_type(key, Type::Stream)? {
        Some(_) => Missing::Leave,
        None => Missing::Create(Stream::default().into_value()),
    };
    let change = |entry: &mut larder_store::Entry| change(Stream::of_mut(entry));
    let result = db.change_collection(key, Type::Stream, missing, change)?;
    Ok(result.expect("what is not there was created"))
}

/// A group of a stream that is there.
///
/// # Errors
/// One of them is not there: `missing` is the error.
fn group<'s>(
    stream: Option<&'s Stream>,
    name: &[u8],
    missing: impl FnOnce() -> CommandError,
) -> Result<&'s stream::Group, CommandError> {
    stream.and_then(|stream| stream.group(name)).ok_or_else(missing)
}

/// The error of a group that is not there, with the key's name and the group's.
fn no_group(key: &[u8], group: &[u8], rest: &str) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    CommandError::Line(format!("NOGROUP No such key '{key}' or consumer group '{group}'{rest}").into())
}

/// The error of a group that a stream does not have.
fn no_group_of_key(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    CommandError::Line(format!("NOGROUP No such consumer group '{group}' for key name '{key}'").into())
}

/// A consumer, which is created if it is not there, and has now been seen. Says also whether it was created.
fn consumer(group: &mut stream::Group, name: &[u8], now: UnixMillis) -> (ConsumerNumber, bool) {
    match group.number_of(name) {
        Some(number) => {
            group.consumer_mut(number).seen_at = now;
            (number, false)
        }
        None => (group.add_consumer(name, now), true),
    }
}
