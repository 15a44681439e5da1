//! XINFO: what there is to know about a stream, its groups and their consumers.

use larder_resp::Reply;
use larder_store::stream::{Direction, Group as ConsumerGroup, Stream, StreamEntry, StreamId};

use super::reply::{reply_entry, reply_id};
use super::{info_full, no_group_of_key, read};
use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XINFO];

const XINFO: Command = Command {
    name: "xinfo",
    summary: "A container of commands that tell about streams.",
    complexity: "Depends on subcommand.",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::NONE,
    subcommands: &[CONSUMERS, GROUPS, Command { group: Group::Stream, since: "5.0.0", ..help::HELP }, STREAM],
    ..super::PLAIN
};

const STREAM: Command = Command {
    name: "stream",
    syntax: "key [FULL [COUNT count]]",
    summary: "Tells about a stream; with FULL also its entries, and what is pending in its groups.",
    complexity: "O(1), and O(N) where N is the number of chunks of entries",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::at(2, Access::READ)],
    flags: Flags::READONLY,
    history: &[
        ("6.0.0", "Added the option FULL."),
        (
            "7.0.0",
            "Added the fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`.",
        ),
        (
            "7.2.0",
            "Added the field `active-time`, and made `seen-time` the last time that a consumer asked for something.",
        ),
    ],
    run: stream,
    ..super::PLAIN
};

const GROUPS: Command = Command {
    name: "groups",
    syntax: "key",
    summary: "Tells about the groups of a stream.",
    arity: Arity::Exactly(3),
    history: &[("7.0.0", "Added the fields `entries-read` and `lag`.")],
    run: groups,
    ..STREAM
};

const CONSUMERS: Command = Command {
    name: "consumers",
    syntax: "key group",
    summary: "Tells about the consumers of a group.",
    arity: Arity::Exactly(4),
    tips: &["nondeterministic_output"],
    history: &[("7.2.0", "Added the field `inactive`.")],
    run: consumers,
    ..STREAM
};

fn stream(cx: &mut Context<'_>) -> CommandResult {
    let count = parse_full(cx.args);
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |stream| {
        let stream = stream.ok_or(CommandError::NoSuchKey)?;
        match count? {
            None => short(&mut cx.reply, stream),
            Some(count) => info_full::reply(&mut cx.reply, stream, count),
        }
        Ok::<(), CommandError>(())
    })??;
    Ok(Outcome::Reply)
}

/// How many entries of each kind are listed; `None` without FULL.
fn parse_full(args: Args<'_>) -> Result<Option<usize>, CommandError> {
    const COUNT: usize = 10;
    let wrong = || CommandError::subcommand_syntax(args);
    match (args.len(), args.find(3), args.find(4)) {
        (3, ..) => Ok(None),
        (4, Some(full), _) if is_word(full, "full") => Ok(Some(COUNT)),
        (6, Some(full), Some(count)) if is_word(full, "full") && is_word(count, "count") => {
            let count = usize::try_from(args.integer(5)?).unwrap_or(COUNT);
            Ok(Some(if count == 0 { usize::MAX } else { count }))
        }
        _ => Err(wrong()),
    }
}

fn short(reply: &mut Reply<'_>, stream: &Stream) {
    reply.map(10);
    reply_facts(reply, stream);
    reply.bulk(b"groups");
    reply.integer(stream.groups_len() as i64);
    for (name, order) in [("first-entry", Direction::Ascending), ("last-entry", Direction::Descending)] {
        reply.bulk(name.as_bytes());
        let mut entry: Option<StreamEntry<'_>> = None;
        stream.each((StreamId::MIN, StreamId::MAX), order, 1, |found| entry = Some(found));
        match entry {
            Some(entry) => reply_entry(reply, entry),
            None => reply.null(),
        }
    }
}

/// Seven fields that both forms have.
pub(super) fn reply_facts(reply: &mut Reply<'_>, stream: &Stream) {
    // The peers hold chunks in a radix tree, which has a node more than keys when there are any.
    let chunks = stream.chunks_len() as i64;
    reply.bulk(b"length");
    reply.integer(stream.len() as i64);
    reply.bulk(b"radix-tree-keys");
    reply.integer(chunks);
    reply.bulk(b"radix-tree-nodes");
    reply.integer(chunks + 1);
    let ids = [("last-generated-id", stream.last_id), ("max-deleted-entry-id", stream.max_deleted_id)];
    for (name, id) in ids {
        reply.bulk(name.as_bytes());
        reply_id(reply, id);
    }
    reply.bulk(b"entries-added");
    reply.unsigned(stream.entries_added);
    reply.bulk(b"recorded-first-entry-id");
    reply_id(reply, stream.first_id().unwrap_or_default());
}

fn groups(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |stream| {
        let stream = stream.ok_or(CommandError::NoSuchKey)?;
        let reply = &mut cx.reply;
        reply.array(stream.groups_len());
        for (name, group) in stream.groups() {
            reply.map(6);
            reply.bulk(b"name");
            reply.bulk(name);
            reply.bulk(b"consumers");
            reply.integer(group.consumers_len() as i64);
            reply.bulk(b"pending");
            reply.integer(group.pending_len() as i64);
            reply_progress(reply, stream, group);
        }
        Ok::<(), CommandError>(())
    })??;
    Ok(Outcome::Reply)
}

/// Three fields: how far a group is.
pub(super) fn reply_progress(reply: &mut Reply<'_>, stream: &Stream, group: &ConsumerGroup) {
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id);
    let read = group.entries_read.map(|read| read as i64);
    for (name, count) in [("entries-read", read), ("lag", stream.lag(group))] {
        reply.bulk(name.as_bytes());
        match count {
            Some(count) => reply.integer(count),
            None => reply.null(),
        }
    }
}

fn consumers(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let (key, name, now) = (cx.key(0), cx.args.at(3), cx.now());
    read(&mut db, key, |stream| {
        let stream = stream.ok_or(CommandError::NoSuchKey)?;
        let group = stream.group(name).ok_or_else(|| no_group_of_key(key.bytes, name))?;
        let reply = &mut cx.reply;
        reply.array(group.consumers_len());
        for consumer in group.consumers() {
            reply.map(4);
            reply.bulk(b"name");
            reply.bulk(consumer.name());
            reply.bulk(b"pending");
            reply.integer(consumer.pending_len() as i64);
            reply.bulk(b"idle");
            reply.integer((now.0 - consumer.seen_at.0).max(0));
            reply.bulk(b"inactive");
            reply.integer(consumer.active_at.map_or(-1, |active_at| now.0 - active_at.0));
        }
        Ok::<(), CommandError>(())
    })??;
    Ok(Outcome::Reply)
}
