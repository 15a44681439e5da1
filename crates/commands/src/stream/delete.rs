//! XDEL and XDELEX: entries go.

use larder_store::stream::{Stream, StreamId};
use smallvec::SmallVec;

use super::{change, id};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XDEL, XDELEX];

/// The event of entries that were deleted.
pub(super) const DELETED: Event = Event::stream("xdel");

const XDEL: Command = Command {
    name: "xdel",
    syntax: "key id [id ...]",
    summary: "Deletes entries of a stream and returns how many there were.",
    complexity: "O(log N) for each id, where N is the number of entries",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::REMOVE_PART)],
    run: xdel,
    ..super::PLAIN
};

const XDELEX: Command = Command {
    name: "xdelex",
    syntax: "key [KEEPREF | DELREF | ACKED] IDS numids:integer id [id ...]",
    summary: "Deletes entries of a stream, and what is pending of them or only what is not; says of each what became of it.",
    since: "8.2.0",
    arity: Arity::AtLeast(5),
    run: xdelex,
    ..XDEL
};

/// Ids of entries, one after the other.
pub(super) fn parse_ids(
    words: impl Iterator<Item = impl AsRef<[u8]>>,
) -> Result<SmallVec<[StreamId; 8]>, CommandError> {
    words.map(|word| id::parse(word.as_ref(), 0)).collect()
}

/// What becomes of groups that have been given an entry which is to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum References {
    /// It stays pending.
    #[default]
    Keep,
    /// It is no longer pending.
    Delete,
    /// Nothing: the entry is only deleted if every group has acknowledged it.
    None,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deletion {
    /// It was not there, or not pending.
    NotFound,
    /// It is deleted.
    Deleted,
    /// Some group has not acknowledged it.
    Kept,
    /// It was pending, but deleted long ago.
    Gone,
}

impl Deletion {
    /// What became of an entry that was just acknowledged.
    pub(super) fn acknowledged(self) -> Deletion {
        if self == Deletion::NotFound { Deletion::Gone } else { self }
    }
}

impl References {
    /// Reads options and ids, which are returned.
    pub(super) fn parse(
        mut words: ArgsFrom<'_>,
    ) -> Result<(References, impl Iterator<Item = &[u8]>), CommandError> {
        let (mut references, mut ids) = (None, None);
        while let Some(word) = words.next() {
            let named = match () {
                () if is_word(word, "keepref") => Some(References::Keep),
                () if is_word(word, "delref") => Some(References::Delete),
                () if is_word(word, "acked") => Some(References::None),
                () => None,
            };
            if named.is_some() && references.is_none() {
                references = named;
            } else if is_word(word, "ids") && !words.is_empty() {
                let count =
                    larder_store::parse_integer(words.value()?).and_then(|count| usize::try_from(count).ok());
                let count = count
                    .filter(|count| *count > 0)
                    .ok_or(CommandError::line("ERR Number of IDs must be a positive integer"))?;
                if count > words.len() {
                    let line = "ERR The `numids` parameter must match the number of arguments";
                    return Err(CommandError::line(line));
                }
                ids = Some(words.take(count));
                words.by_ref().take(count).for_each(drop);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let ids = ids.ok_or(CommandError::line("ERR IDS option is required"))?;
        Ok((references.unwrap_or_default(), ids))
    }

    /// Deletes an entry, unless it has to be kept.
    pub(super) fn delete(self, stream: &mut Stream, id: StreamId) -> Deletion {
        if stream.find(id).is_none() {
            return Deletion::NotFound;
        }
        let waited_for =
            |group: &larder_store::stream::Group| group.last_id < id || group.find_pending(id).is_some();
        match self {
            References::None if stream.groups().any(|(_, group)| waited_for(group)) => return Deletion::Kept,
            References::Delete => stream.groups_mut().for_each(|group| {
                group.acknowledge(id);
            }),
            References::Keep | References::None => {}
        }
        stream.delete(id);
        Deletion::Deleted
    }
}

/// Replies what became of some entries, or that none was there.
pub(super) fn reply_deletions(cx: &mut Context<'_>, done: Option<Vec<Deletion>>, asked: usize) {
    let done = done.unwrap_or_else(|| vec![Deletion::NotFound; asked]);
    cx.reply.array(done.len());
    for deletion in done {
        cx.reply.integer(match deletion {
            Deletion::NotFound => -1,
            Deletion::Deleted | Deletion::Gone => 1,
            Deletion::Kept => 2,
        });
    }
}

fn xdel(cx: &mut Context<'_>) -> CommandResult {
    let ids = parse_ids(cx.args.from(2));
    let mut db = cx.lock()?;
    let deleted = change(&mut db, cx.key(0), |stream| {
        // As in Redis, ids that make no sense do not matter without the key.
        let ids = match ids {
            Ok(ids) => ids,
            Err(wrong) => return (Err(wrong), None),
        };
        let count = ids.into_iter().filter(|id| stream.delete(*id)).count();
        (Ok(count), (count > 0).then_some(DELETED))
    })?;
    cx.reply.integer(deleted.unwrap_or(Ok(0))? as i64);
    Ok(Outcome::Reply)
}

fn xdelex(cx: &mut Context<'_>) -> CommandResult {
    let (references, ids) = References::parse(cx.args.from(2))?;
    let ids = parse_ids(ids)?;
    let mut db = cx.lock()?;
    let done = change(&mut db, cx.key(0), |stream| {
        let done: Vec<Deletion> = ids.iter().map(|id| references.delete(stream, *id)).collect();
        let event = done.contains(&Deletion::Deleted).then_some(DELETED);
        (done, event)
    })?;
    reply_deletions(cx, done, ids.len());
    Ok(Outcome::Reply)
}
