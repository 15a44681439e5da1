//! LSET, LINSERT and LREM: changes amid a list.

use larder_store::Element;
use larder_store::list::End;

use super::{change, limit, rank_of};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[LINSERT, LREM, LSET];

const LSET: Command = Command {
    name: "lset",
    syntax: "key index element",
    summary: "Puts another element in the place of one.",
    group: Group::List,
    since: "1.0.0",
    complexity: "O(log N) where N is the number of elements",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::UPDATE_ONLY)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: lset,
    ..Command::PLAIN
};

const LINSERT: Command = Command {
    name: "linsert",
    syntax: "key <BEFORE | AFTER> pivot element",
    summary: "Inserts an element before or after the first that equals a pivot.",
    since: "2.2.0",
    complexity: "O(N) where N is the number of elements before the pivot",
    arity: Arity::Exactly(5),
    keys: &[KeySpec::one(Access::ADD)],
    run: linsert,
    ..LSET
};

const LREM: Command = Command {
    name: "lrem",
    syntax: "key count element",
    summary: "Removes elements that equal one: all, or so many from the head, or, with a negative count, from the tail.",
    complexity: "O(N) where N is the number of elements",
    keys: &[KeySpec::one(Access::REMOVE_PART)],
    flags: Flags::WRITE,
    run: lrem,
    ..LSET
};

fn lset(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let (index, element) = (cx.args.integer(2), Element::of(cx.args.at(3)));
    let done = change(&mut db, cx.key(0), limit(cx.settings), |list| {
        // As in Redis, a missing key is told of before an index that is no number.
        let rank = match &index {
            Ok(index) => rank_of(*index, list.as_ref().len()),
            Err(error) => return (Err(error.clone()), None),
        };
        let Some(rank) = rank else { return (Err(CommandError::line("ERR index out of range")), None) };
        // As in Redis, as if it came in addition.
        list.expect(1, cx.args.at(3).len());
        list.set(rank, element);
        (Ok(()), Some(Event::list("lset")))
    })?;
    done.ok_or(CommandError::NoSuchKey)??;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn linsert(cx: &mut Context<'_>) -> CommandResult {
    let behind = match cx.args.at(2) {
        word if is_word(word, "after") => 1,
        word if is_word(word, "before") => 0,
        _ => return Err(CommandError::Syntax),
    };
    let mut db = cx.lock()?;
    let (pivot, element) = (cx.args.at(3), Element::of(cx.args.at(4)));
    let len = change(&mut db, cx.key(0), limit(cx.settings), |list| {
        let Some(rank) = list.as_ref().find(pivot) else { return (-1, None) };
        list.insert(rank + behind, element);
        (list.as_ref().len() as i64, Some(Event::list("linsert")))
    })?;
    cx.reply.integer(len.unwrap_or(0));
    Ok(Outcome::Reply)
}

fn lrem(cx: &mut Context<'_>) -> CommandResult {
    let count = cx.args.integer(2)?;
    let (from, count) = match usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) {
        0 => (End::Head, usize::MAX),
        most if count < 0 => (End::Tail, most),
        most => (End::Head, most),
    };
    let mut db = cx.lock()?;
    let removed = change(&mut db, cx.key(0), limit(cx.settings), |list| {
        let removed = list.remove_equal(cx.args.at(3), count, from);
        (removed, (removed > 0).then_some(Event::list("lrem")))
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(Outcome::Reply)
}
