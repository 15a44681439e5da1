//! SAVE, BGSAVE and LASTSAVE: snapshots.

use larder_engine::{Cancelled, Rewrite, SnapshotEnd};
use larder_store::UnixMillis;

use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[BGREWRITEAOF, BGSAVE, LASTSAVE, SAVE];

/// Milliseconds between two looks whether a snapshot is written that a client waits for.
const LOOK_MILLIS: i64 = 5;

const BGREWRITEAOF: Command = Command {
    name: "bgrewriteaof",
    summary: "Gives the append log a new base in the background, in the place of all that it has.",
    group: Group::Server,
    since: "1.0.0",
    complexity: "O(1), and in the background O(N), N being the number of keys",
    arity: Arity::Exactly(1),
    scope: Scope::Exclusive,
    flags: Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::NO_ASYNC_LOADING),
    acl: &["admin", "dangerous"],
    run: bgrewriteaof,
    ..Command::PLAIN
};

const SAVE: Command = Command {
    name: "save",
    summary: "Makes a snapshot, and replies when it is written; other clients are served meanwhile.",
    group: Group::Server,
    since: "1.0.0",
    complexity: "O(N), N being the number of keys",
    arity: Arity::Exactly(1),
    scope: Scope::Exclusive,
    flags: Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::NO_ASYNC_LOADING).and(Flags::NO_MULTI),
    acl: &["admin", "dangerous"],
    run: save,
    ..Command::PLAIN
};

const BGSAVE: Command = Command {
    name: "bgsave",
    syntax: "[SCHEDULE | CANCEL]",
    summary: "Makes a snapshot as everything is now, in the background, or ends the one that is being made.",
    group: Group::Server,
    since: "1.0.0",
    complexity: "O(1), and in the background O(N), N being the number of keys",
    arity: Arity::AtLeast(1),
    scope: Scope::Exclusive,
    flags: Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::NO_ASYNC_LOADING),
    acl: &["admin", "dangerous"],
    history: &[("3.2.2", "Added the option SCHEDULE."), ("8.1.0", "Added the option CANCEL.")],
    run: bgsave,
    ..Command::PLAIN
};

const LASTSAVE: Command = Command {
    name: "lastsave",
    summary: "Tells when a snapshot was last made, in seconds since 1970; without one, when the server started.",
    group: Group::Server,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    acl: &["admin", "dangerous"],
    tips: &["nondeterministic_output"],
    run: |cx| {
        cx.reply.integer(cx.node.snapshots.report().last_good_at.0 / 1000);
        Ok(Outcome::Reply)
    },
    ..Command::PLAIN
};

fn bgrewriteaof(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.simple(match cx.rewrite_log()? {
        Rewrite::Begun => "Background append only file rewriting started",
        Rewrite::Scheduled => "Background append only file rewriting scheduled",
    });
    Ok(Outcome::Reply)
}

fn save(cx: &mut Context<'_>) -> CommandResult {
    cx.begin_snapshot()?;
    Ok(when_written(cx.now(), |cx, is_good| {
        if !is_good {
            return Err(CommandError::line("ERR"));
        }
        cx.reply.ok();
        Ok(Outcome::Reply)
    }))
}

fn bgsave(cx: &mut Context<'_>) -> CommandResult {
    let scheduled = match cx.args.find(1) {
        None => false,
        Some(word) if is_word(word, "schedule") && cx.args.len() == 2 => true,
        Some(word) if is_word(word, "cancel") && cx.args.len() == 2 => return cancel(cx),
        Some(_) => return Err(CommandError::Syntax),
    };
    if scheduled && cx.node.snapshots.is_running() {
        cx.node.snapshots.ask();
        cx.reply.simple("Background saving scheduled");
        return Ok(Outcome::Reply);
    }
    cx.begin_snapshot()?;
    cx.reply.simple("Background saving started");
    Ok(Outcome::Reply)
}

/// The walk of the one that is being made still goes on to its end, so INFO and the next BGSAVE may find it for a moment.
fn cancel(cx: &mut Context<'_>) -> CommandResult {
    match cx.node.snapshots.cancel() {
        Some(Cancelled::Running) => {
            cx.node.host.notice("Background saving will be aborted due to user request");
            cx.reply.simple("Background saving cancelled");
        }
        Some(Cancelled::Scheduled) => {
            cx.node.host.notice("Scheduled background saving will be cancelled due to user request");
            cx.reply.simple("Scheduled background saving cancelled");
        }
        None => {
            return Err(CommandError::line(
                "ERR Background saving is currently not in progress or scheduled",
            ));
        }
    }
    Ok(Outcome::Reply)
}

/// Goes on once the snapshot that was begun is written, or could not be.
pub(super) fn when_written(
    now: UnixMillis,
    then: impl FnMut(&mut Context<'_>, bool) -> CommandResult + Send + 'static,
) -> Outcome {
    let mut then = Some(then);
    Outcome::at(now.saturating_add(LOOK_MILLIS), move |cx| {
        let mut then = then.take().expect("called once, and then in its own place");
        if cx.node.snapshots.is_running() {
            return Ok(when_written(cx.now(), then));
        }
        let is_good = cx.node.snapshots.report().last_end == SnapshotEnd::Written;
        then(cx, is_good)
    })
}
