//! XACK and XACKDEL: entries are done with.

use larder_store::stream::Stream;

use super::change;
use super::delete::{Deletion, References, parse_ids, reply_deletions};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XACK, XACKDEL];

const XACK: Command = Command {
    name: "xack",
    syntax: "key group id [id ...]",
    summary: "Acknowledges entries for a group and returns how many were pending.",
    complexity: "O(log N) for each id, where N is the number of pending entries",
    arity: Arity::AtLeast(4),
    run: xack,
    ..super::PLAIN
};

const XACKDEL: Command = Command {
    name: "xackdel",
    syntax: "key group [KEEPREF | DELREF | ACKED] IDS numids:integer id [id ...]",
    summary: "Acknowledges entries for a group and deletes them; says of each what became of it.",
    since: "8.2.0",
    arity: Arity::AtLeast(6),
    keys: &[KeySpec::one(Access::REMOVE_PART)],
    run: xackdel,
    ..XACK
};

fn xack(cx: &mut Context<'_>) -> CommandResult {
    let (group, ids) = (cx.args.at(2), parse_ids(cx.args.from(3)));
    let mut db = cx.lock()?;
    let acknowledged = change(&mut db, cx.key(0), |stream| {
        // As in Redis, ids that make no sense do not matter without the group.
        if stream.group(group).is_none() {
            return (Ok(0), None);
        }
        let ids = match ids {
            Ok(ids) => ids,
            Err(wrong) => return (Err(wrong), None),
        };
        let Some(group) = stream.group_mut(group) else { return (Ok(0), None) };
        let count = ids.into_iter().filter(|id| group.acknowledge(*id)).count();
        (Ok(count), (count > 0).then_some(Event::UNTOLD))
    })?;
    cx.reply.integer(acknowledged.unwrap_or(Ok(0))? as i64);
    Ok(Outcome::Reply)
}

fn xackdel(cx: &mut Context<'_>) -> CommandResult {
    let (references, ids) = References::parse(cx.args.from(3))?;
    let ids = parse_ids(ids)?;
    let group = cx.args.at(2);
    let mut db = cx.lock()?;
    let done = change(&mut db, cx.key(0), |stream| {
        let acknowledge = |stream: &mut Stream, id| stream.group_mut(group)?.acknowledge(id).then_some(());
        let done: Vec<Deletion> = ids
            .iter()
            .map(|id| match acknowledge(stream, *id) {
                Some(()) => references.delete(stream, *id).acknowledged(),
                None => Deletion::NotFound,
            })
            .collect();
        let event = done.iter().fold(None, |event, done| match done {
            Deletion::Deleted => Some(super::delete::DELETED),
            Deletion::Kept | Deletion::Gone => event.or(Some(Event::UNTOLD)),
            Deletion::NotFound => event,
        });
        (done, event)
    })?;
    reply_deletions(cx, done, ids.len());
    Ok(Outcome::Reply)
}
