//! XGROUP: consumer groups and their consumers.

use larder_store::Type;
use larder_store::stream::{Group as ConsumerGroup, Stream, StreamId};

use super::{CONSUMER_CREATED, change, change_or_create, id, no_group_of_key};
use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XGROUP];

const XGROUP: Command = Command {
    name: "xgroup",
    summary: "A container of commands that manage the consumer groups of streams.",
    complexity: "Depends on subcommand.",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::NONE,
    subcommands: &[
        CREATE,
        CREATECONSUMER,
        DELCONSUMER,
        DESTROY,
        Command { group: Group::Stream, since: "5.0.0", ..help::HELP },
        SETID,
    ],
    ..super::PLAIN
};

const CREATE: Command = Command {
    name: "create",
    syntax: "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
    summary: "Creates a group that will be given the entries after an id, $ for the last one.",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::at(2, Access::ADD)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    history: &[("7.0.0", "Added the option ENTRIESREAD.")],
    run: create,
    ..super::PLAIN
};

const SETID: Command = Command {
    name: "setid",
    syntax: "key group <id | $> [ENTRIESREAD entries-read]",
    summary: "Has a group go on after another id, $ for the last one.",
    keys: &[KeySpec::at(2, Access::UPDATE_ONLY)],
    flags: Flags::WRITE,
    run: set_id,
    ..CREATE
};

const DESTROY: Command = Command {
    name: "destroy",
    syntax: "key group",
    summary: "Removes a group, whatever is pending.",
    complexity: "O(N) where N is the number of pending entries",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::at(2, Access::REMOVE_PART)],
    flags: Flags::WRITE,
    run: destroy,
    ..super::PLAIN
};

const CREATECONSUMER: Command = Command {
    name: "createconsumer",
    syntax: "key group consumer",
    summary: "Creates a consumer of a group, and says whether it is new.",
    since: "6.2.0",
    arity: Arity::Exactly(5),
    keys: &[KeySpec::at(2, Access::ADD)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: create_consumer,
    ..super::PLAIN
};

const DELCONSUMER: Command = Command {
    name: "delconsumer",
    summary: "Removes a consumer of a group with what is pending for it, and returns how much that was.",
    since: "5.0.0",
    keys: &[KeySpec::at(2, Access::REMOVE_PART)],
    flags: Flags::WRITE,
    run: delete_consumer,
    ..CREATECONSUMER
};

const NO_KEY: CommandError = CommandError::line(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);
const EXISTS: CommandError = CommandError::line("BUSYGROUP Consumer Group name already exists");

/// What may stand behind the id.
#[derive(Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(args: Args<'_>, with_make_stream: bool) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut words = args.from(5);
        while let Some(word) = words.next() {
            if with_make_stream && is_word(word, "mkstream") {
                options.make_stream = true;
            } else if is_word(word, "entriesread") && !words.is_empty() {
                options.entries_read = match words.integer()? {
                    -1 => None,
                    read => Some(u64::try_from(read).map_err(|_| {
                        CommandError::line("ERR value for ENTRIESREAD must be positive or -1")
                    })?),
                };
            } else {
                return Err(CommandError::subcommand_syntax(args));
            }
        }
        Ok(options)
    }
}

/// The id after which a group is to go on; `None` is the last one of the stream.
fn parse_last(
    word: &[u8],
    parse: fn(&[u8], u64) -> Result<StreamId, CommandError>,
) -> Result<Option<StreamId>, CommandError> {
    if word == b"$" { Ok(None) } else { parse(word, 0).map(Some) }
}

fn create(cx: &mut Context<'_>) -> CommandResult {
    let options = Options::parse(cx.args, true)?;
    let last = parse_last(cx.args.at(4), id::parse);
    let mut db = cx.lock()?;
    let (key, name) = (cx.key(0), cx.args.at(3));
    if db.find_type(key, Type::Stream)?.is_none() && !options.make_stream {
        return Err(NO_KEY);
    }
    let last = last?;
    let created = change_or_create(&mut db, key, |stream| {
        if stream.group(name).is_some() {
            return (false, None);
        }
        stream.add_group(name, ConsumerGroup::new(last.unwrap_or(stream.last_id), options.entries_read));
        (true, Some(Event::stream("xgroup-create")))
    })?;
    if !created {
        return Err(EXISTS);
    }
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn set_id(cx: &mut Context<'_>) -> CommandResult {
    let options = Options::parse(cx.args, false)?;
    let last = parse_last(cx.args.at(4), id::parse_or_end);
    change_group(cx, |stream, name| {
        let last = match last {
            Ok(last) => last.unwrap_or(stream.last_id),
            Err(wrong) => return (Err(wrong), None),
        };
        if let Some(group) = stream.group_mut(name) {
            (group.last_id, group.entries_read) = (last, options.entries_read);
        }
        (Ok(()), Some(Event::stream("xgroup-setid")))
    })??;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn destroy(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let name = cx.args.at(3);
    let destroyed = change(&mut db, cx.key(0), |stream| {
        let destroyed = stream.remove_group(name);
        (destroyed, destroyed.then_some(Event::stream("xgroup-destroy")))
    })?;
    cx.reply.integer(i64::from(destroyed.ok_or(NO_KEY)?));
    Ok(Outcome::Reply)
}

fn create_consumer(cx: &mut Context<'_>) -> CommandResult {
    let (name, now) = (cx.args.at(4), cx.now());
    let created = change_group(cx, |stream, group| {
        let group = stream.group_mut(group).filter(|group| group.number_of(name).is_none());
        let created = group.map(|group| group.add_consumer(name, now)).is_some();
        (created, created.then_some(CONSUMER_CREATED))
    })?;
    cx.reply.integer(i64::from(created));
    Ok(Outcome::Reply)
}

fn delete_consumer(cx: &mut Context<'_>) -> CommandResult {
    let name = cx.args.at(4);
    let pending = change_group(cx, |stream, group| {
        let pending = stream.group_mut(group).and_then(|group| group.remove_consumer(name));
        (pending, pending.map(|_| Event::stream("xgroup-delconsumer")))
    })?;
    cx.reply.integer(pending.unwrap_or(0) as i64);
    Ok(Outcome::Reply)
}

/// Changes a stream that is there and has the group that the request names, whose name `change` is given.
fn change_group<R>(
    cx: &Context<'_>,
    change_it: impl FnOnce(&mut Stream, &[u8]) -> (R, Option<Event>),
) -> Result<R, CommandError> {
    let mut db = cx.lock()?;
    let (key, name) = (cx.key(0), cx.args.at(3));
    let changed = change(&mut db, key, |stream| {
        if stream.group(name).is_none() {
            return (Err(no_group_of_key(key.bytes, name)), None);
        }
        let (result, event) = change_it(stream, name);
        (Ok(result), event)
    })?;
    changed.ok_or(NO_KEY)?
}
