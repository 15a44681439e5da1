//! MULTI, EXEC, DISCARD, WATCH and UNWATCH: several requests as one.

use crate::prelude::*;

pub(crate) const COMMANDS: &[&[Command]] = &[&[DISCARD, EXEC, MULTI, UNWATCH, WATCH]];

const PLAIN: Command = Command {
    group: Group::Transactions,
    arity: Arity::Exactly(1),
    flags: Flags::NO_SCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY),
    ..Command::PLAIN
};

/// What is executed at once after MULTI, too, and decides how the next requests are.
const DIRECT: Flags = PLAIN.flags.and(Flags::UNQUEUED).and(Flags::CHANGES_CLIENT);

const MULTI: Command = Command {
    name: "multi",
    summary: "Begins a transaction: the requests that follow are queued until EXEC.",
    since: "1.2.0",
    complexity: "O(1)",
    flags: DIRECT.and(Flags::NO_MULTI),
    run: multi,
    ..PLAIN
};

const EXEC: Command = Command {
    name: "exec",
    summary: "Executes all queued requests as one, unless a watched key has changed, and returns their replies.",
    since: "1.2.0",
    complexity: "That of the queued requests together",
    flags: Flags::NO_SCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::SKIP_SLOWLOG)
        .and(Flags::UNQUEUED)
        .and(Flags::RUNS_QUEUE),
    run: exec,
    ..PLAIN
};

const DISCARD: Command = Command {
    name: "discard",
    summary: "Ends a transaction without executing anything, and stops watching keys.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of queued requests",
    flags: DIRECT,
    run: discard,
    ..PLAIN
};

const WATCH: Command = Command {
    name: "watch",
    syntax: "key [key ...]",
    summary: "Watches keys: if one of them changes before EXEC, that executes nothing.",
    since: "2.2.0",
    complexity: "O(N) where N is the number of keys watched so far, for each key",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::all(Access::INSPECT)],
    flags: DIRECT.and(Flags::NO_MULTI),
    run: watch,
    ..PLAIN
};

const UNWATCH: Command = Command {
    name: "unwatch",
    summary: "Stops watching keys.",
    since: "2.2.0",
    complexity: "O(N) where N is the number of watched keys",
    run: unwatch,
    ..PLAIN
};

fn multi(cx: &mut Context<'_>) -> CommandResult {
    cx.client.begin_transaction();
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn exec(_: &mut Context<'_>) -> CommandResult {
    Ok(Outcome::Transaction)
}

fn discard(cx: &mut Context<'_>) -> CommandResult {
    if !cx.client.is_in_transaction() {
        return Err(CommandError::line("ERR DISCARD without MULTI"));
    }
    cx.client.discard_transaction();
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn watch(cx: &mut Context<'_>) -> CommandResult {
    cx.watch()?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn unwatch(cx: &mut Context<'_>) -> CommandResult {
    cx.client.unwatch();
    cx.reply.ok();
    Ok(Outcome::Reply)
}
