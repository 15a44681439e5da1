//! OBJECT: how a value is held and how it is used. None of this counts as a use.

use larder_store::{Entry, Touch, idle_seconds};

use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[OBJECT];

const OBJECT: Command = Command {
    name: "object",
    summary: "A container of commands that look into how values are held.",
    group: Group::Generic,
    since: "2.2.3",
    complexity: "Depends on subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[
        ENCODING,
        FREQ,
        Command { group: Group::Generic, since: "6.2.0", ..help::HELP },
        IDLETIME,
        REFCOUNT,
    ],
    ..Command::PLAIN
};

const ENCODING: Command = Command {
    name: "encoding",
    syntax: "key",
    summary: "Names the form in which a value is held.",
    group: Group::Generic,
    since: "2.2.3",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::at(2, Access::INSPECT)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output"],
    run: encoding,
    ..Command::PLAIN
};

const FREQ: Command = Command {
    name: "freq",
    summary: "Tells how often a key is used, on a logarithmic scale; needs an LFU maxmemory policy.",
    since: "4.0.0",
    run: frequency,
    ..ENCODING
};

const IDLETIME: Command = Command {
    name: "idletime",
    summary: "Tells for how many seconds a key has not been used; needs a policy other than LFU.",
    run: idle_time,
    ..ENCODING
};

const REFCOUNT: Command = Command {
    name: "refcount",
    summary: "Answers 1: a value belongs to one key.",
    run: reference_count,
    ..ENCODING
};

/// With the first two words, the frequency or the idle time is not known.
const NO_FREQUENCY: CommandError = CommandError::line(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
const NO_IDLE_TIME: CommandError = CommandError::line(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

const NO_IDLE_TIME_IN_QUEUES: CommandError = CommandError::line(
    "ERR An S3-FIFO maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and S3-FIFO data will take some time to adjust.",
);

fn encoding(cx: &mut Context<'_>) -> CommandResult {
    look(cx, |cx, entry| {
        cx.reply.bulk(entry.encoding_name().as_bytes());
        Ok(Outcome::Reply)
    })
}

fn frequency(cx: &mut Context<'_>) -> CommandResult {
    look(cx, |cx, entry| {
        if !cx.settings.maxmemory_policy.counts_frequency() {
            return Err(NO_FREQUENCY);
        }
        cx.reply.integer(cx.moment.policy.frequency(entry.access(), cx.now()).into());
        Ok(Outcome::Reply)
    })
}

fn idle_time(cx: &mut Context<'_>) -> CommandResult {
    look(cx, |cx, entry| {
        if cx.settings.maxmemory_policy.counts_frequency() {
            return Err(NO_IDLE_TIME);
        }
        if cx.settings.maxmemory_policy.has_queues() {
            return Err(NO_IDLE_TIME_IN_QUEUES);
        }
        cx.reply.integer(idle_seconds(entry.access(), cx.now()).into());
        Ok(Outcome::Reply)
    })
}

fn reference_count(cx: &mut Context<'_>) -> CommandResult {
    // Redis answers 2147483647 for the integers that its keys share; here none do.
    look(cx, |cx, _| {
        cx.reply.integer(1);
        Ok(Outcome::Reply)
    })
}

/// Answers what `tell` says of the key's entry, or null without one.
fn look(cx: &mut Context<'_>, tell: impl FnOnce(&mut Context<'_>, &Entry) -> CommandResult) -> CommandResult {
    let mut db = cx.lock_touching(Touch::No)?;
    let Some(entry) = db.read(cx.key(0)) else {
        cx.reply.null();
        return Ok(Outcome::Reply);
    };
    tell(cx, &entry)
}
