//! Lists: elements in the order in which they were put.

use larder_config::Settings;
use larder_resp::Reply;
use larder_store::list::{self, End, ListLimit, ListMut, ListRef};
use larder_store::{Element, Entry, Missing, Type, WrongType};

use crate::element::reply_element;
use crate::prelude::*;

mod block;
mod edit;
mod look;
mod movement;
mod pop;
mod push;
mod range;

pub(crate) const COMMANDS: &[&[Command]] = &[
    block::COMMANDS,
    edit::COMMANDS,
    look::COMMANDS,
    movement::COMMANDS,
    pop::COMMANDS,
    push::COMMANDS,
    range::COMMANDS,
];

/// Up to where a list is packed.
pub(crate) fn limit(settings: &Settings) -> ListLimit {
    ListLimit::of(settings.list_max_listpack_size)
}

/// Reads a list on behalf of a client.
#[inline]
fn read<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    read: impl FnOnce(Option<ListRef<'_>>) -> R,
) -> Result<R, WrongType> {
    let entry = db.read_type(key, Type::List)?;
    Ok(read(entry.as_deref().map(ListRef::of)))
}

/// The length of a list that is about to be changed, if it is there.
fn len(db: &mut Locked<'_>, key: Key<'_>) -> Result<Option<usize>, WrongType> {
    let entry = db.find_type(key, Type::List)?;
    Ok(entry.as_deref().map(|entry| ListRef::of(entry).len()))
}

/// Changes a list that is there.
#[inline]
fn change<R>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    limit: ListLimit,
    change: impl FnOnce(&mut ListMut<'_>) -> (R, Option<Event>),
) -> Result<Option<R>, WrongType> {
    let change = |entry: &mut Entry| change(&mut ListMut::of(entry, limit));
    db.change_collection(key, Type::List, Missing::Leave, change)
}

/// Adds elements to a list, which is created if `missing` says so; returns its length.
#[inline]
fn push<'a>(
    db: &mut Locked<'_>,
    key: Key<'_>,
    (end, limit): (End, ListLimit),
    missing: Missing<'_>,
    elements: impl Iterator<Item = &'a [u8]> + Clone,
) -> Result<Option<usize>, WrongType> {
    db.change_collection(key, Type::List, missing, |entry| {
        let mut list = ListMut::of(entry, limit);
        let (count, bytes) = elements.clone().fold((0, 0), |(count, sum), one| (count + 1, sum + one.len()));
        list.expect(count, bytes);
        elements.for_each(|element| list.push(end, Element::of(element)));
        (list.as_ref().len(), Some(pushed(end)))
    })
}

/// The value of a key that is not there.
fn new() -> Missing<'static> {
    Missing::Create(list::empty())
}

/// Pops `count` elements, which there are, from an end and writes them.
fn pop_into(
    db: &mut Locked<'_>,
    key: Key<'_>,
    (end, limit): (End, ListLimit),
    count: usize,
    reply: &mut Reply<'_>,
) -> Result<(), WrongType> {
    change(db, key, limit, |list| {
        for _ in 0..count {
            list.pop(end, |element| reply_element(reply, element));
        }
        list.settle();
        ((), Some(popped(end)))
    })?;
    Ok(())
}

/// The event of elements that were added at an end.
fn pushed(end: End) -> Event {
    match end {
        End::Head => Event::list("lpush"),
        End::Tail => Event::list("rpush"),
    }
}

/// The event of elements that were taken from an end.
fn popped(end: End) -> Event {
    match end {
        End::Head => Event::list("lpop"),
        End::Tail => Event::list("rpop"),
    }
}

/// The word for an end: LEFT or RIGHT.
fn parse_end(word: &[u8]) -> Result<End, CommandError> {
    if is_word(word, "left") {
        Ok(End::Head)
    } else if is_word(word, "right") {
        Ok(End::Tail)
    } else {
        Err(CommandError::Syntax)
    }
}

/// A rank of a list of `len` elements from an index that counts from the end when it is negative.
fn rank_of(index: i64, len: usize) -> Option<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let rank = if index < 0 { index.saturating_add(len) } else { index };
    if (0..len).contains(&rank) { usize::try_from(rank).ok() } else { None }
}

/// The ranks from one index to another, both included, as far as there are any.
pub(crate) fn ranks_of(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from = |index: i64| if index < 0 { index.saturating_add(len).max(0) } else { index };
    let stop = if stop < 0 { stop.saturating_add(len) } else { stop.min(len - 1) };
    let start = from(start).min(len);
    start as usize..(stop + 1).max(start) as usize
}
