//! MEMORY: what keys cost, and where the rest goes.

use larder_store::Touch;

use crate::help;
use crate::prelude::*;

mod doctor;
mod figures;
mod stats;

pub(super) use figures::Figures;

pub(super) const COMMANDS: &[Command] = &[MEMORY];

const MEMORY: Command = Command {
    name: "memory",
    summary: "Tells where memory goes.",
    group: Group::Server,
    since: "4.0.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[
        DOCTOR,
        Command { group: Group::Server, since: "4.0.0", ..help::HELP },
        MALLOC_STATS,
        PURGE,
        STATS,
        USAGE,
    ],
    ..Command::PLAIN
};

const DOCTOR: Command = Command {
    name: "doctor",
    summary: "Says in words what is unusual about the memory that is used.",
    group: Group::Server,
    since: "4.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    scope: Scope::EachStripe,
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    run: doctor,
    ..Command::PLAIN
};

const MALLOC_STATS: Command =
    Command { name: "malloc-stats", summary: "Tells what the allocator holds.", run: malloc_stats, ..DOCTOR };

const PURGE: Command = Command {
    name: "purge",
    summary: "Has the allocator give back to the system what it does not need.",
    complexity: "Depends on how much memory is allocated, might be slow",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    run: purge,
    ..DOCTOR
};

const STATS: Command =
    Command { name: "stats", summary: "Returns where memory goes, in figures.", run: stats::stats, ..DOCTOR };

const USAGE: Command = Command {
    name: "usage",
    syntax: "key [SAMPLES count]",
    summary: "Returns the bytes of memory that a key takes with its value and its place in the table.",
    group: Group::Server,
    since: "4.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::at(2, Access::INSPECT)],
    flags: Flags::READONLY,
    acl: &["read"],
    run: usage,
    ..Command::PLAIN
};

/// Bytes of the slot that leads to an entry.
const SLOT_BYTES: usize = 8;

fn doctor(cx: &mut Context<'_>) -> CommandResult {
    let report = doctor::report(cx);
    cx.reply.verbatim(*b"txt", report.as_bytes());
    Ok(Outcome::Reply)
}

fn malloc_stats(cx: &mut Context<'_>) -> CommandResult {
    let figures = Figures::of(cx);
    let unused = larder_store::slab_unused_bytes();
    let report = format!(
        "allocator: mimalloc, and a slab for entries\nallocated: {} bytes\npeak: {} bytes\nslab, unused: {unused} bytes\n\
         resident: {} bytes\nmaxmemory, withheld: {} bytes\n",
        figures.used,
        figures.peak,
        figures.resident,
        cx.node.defrag_report().withheld,
    );
    cx.reply.verbatim(*b"txt", report.as_bytes());
    Ok(Outcome::Reply)
}

fn purge(cx: &mut Context<'_>) -> CommandResult {
    cx.node.host.purge_memory();
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn usage(cx: &mut Context<'_>) -> CommandResult {
    check_samples(cx.args.from(3))?;

    let mut db = cx.lock_touching(Touch::No)?;
    match db.inspect(cx.key(0)) {
        Some(entry) => cx.reply.integer((entry.memory_bytes() + SLOT_BYTES) as i64),
        None => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}

/// How many elements to look at is of no interest: a value's bytes are known, those of a large collection from its leaves.
fn check_samples(mut words: ArgsFrom<'_>) -> Result<(), CommandError> {
    while let Some(word) = words.next() {
        if !is_word(word, "samples") || words.integer()? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    Ok(())
}
