//! TIME and SHUTDOWN: the process, and its end.

use larder_engine::Paused;
use larder_store::UnixMillis;

use super::save::when_written;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[SHUTDOWN, TIME];

const TIME: Command = Command {
    name: "time",
    summary: "Returns the time of day: seconds since 1970, and microseconds.",
    group: Group::Server,
    since: "2.6.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    tips: &["nondeterministic_output"],
    run: time,
    ..Command::PLAIN
};

const SHUTDOWN: Command = Command {
    name: "shutdown",
    syntax: "[[NOSAVE | SAVE] [NOW] [FORCE] | ABORT]",
    summary: "Ends the server.",
    group: Group::Server,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    scope: Scope::Exclusive,
    flags: Flags::ADMIN
        .and(Flags::NO_SCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::NO_MULTI)
        .and(Flags::ALLOW_BUSY),
    history: &[("7.0.0", "Added the options NOW, FORCE and ABORT.")],
    run: shutdown,
    ..Command::PLAIN
};

fn time(cx: &mut Context<'_>) -> CommandResult {
    let micros = cx.node.host.unix_micros();
    cx.reply.array(2);
    cx.reply.bulk_integer(micros / 1_000_000);
    cx.reply.bulk_integer(micros % 1_000_000);
    Ok(Outcome::Reply)
}

/// Who is not refused gets no reply: the connection ends with the process.
fn shutdown(cx: &mut Context<'_>) -> CommandResult {
    let options = ShutdownOptions::parse(cx.args.from(1))?;

    if options.abort {
        return Err(CommandError::line("ERR No shutdown in progress."));
    }
    // As in Redis: what is on disk is more than what is loaded so far.
    let may_save = !cx.node.loading.is_active();
    let saves = may_save && (options.save || !options.no_save && !cx.settings.save.points().is_empty());
    if !saves {
        return Ok(end(cx));
    }
    // A snapshot that is being made may be older than the last changes: it is not waited for.
    let _ = cx.node.snapshots.cancel();
    if cx.node.snapshots.is_running() {
        return Ok(when_written(cx.now(), shutdown_after));
    }
    save_and_end(cx, options.force)
}

fn shutdown_after(cx: &mut Context<'_>, _is_good: bool) -> CommandResult {
    save_and_end(cx, ShutdownOptions::parse(cx.args.from(1))?.force)
}

/// Nothing changes any more from the cut on, for whatever did would be lost.
fn save_and_end(cx: &mut Context<'_>, forced: bool) -> CommandResult {
    cx.node.host.log("Saving the final RDB snapshot before exiting.");
    cx.begin_snapshot()?;
    cx.node.pause.begin(Paused::All, UnixMillis(i64::MAX), cx.now());
    Ok(when_written(cx.now(), move |cx, is_good| {
        if is_good || forced {
            return Ok(end(cx));
        }
        cx.node.end_pause();
        cx.node.host.log("Error trying to save the DB, can't exit.");
        Err(CommandError::line("ERR Errors trying to SHUTDOWN. Check logs."))
    }))
}

fn end(cx: &mut Context<'_>) -> Outcome {
    cx.client.closing = true;
    cx.node.host.shut_down();
    Outcome::Reply
}

#[derive(Clone, Copy, Debug, Default)]
struct ShutdownOptions {
    save: bool,
    no_save: bool,
    now: bool,
    force: bool,
    abort: bool,
}

impl ShutdownOptions {
    fn parse(words: ArgsFrom<'_>) -> Result<ShutdownOptions, CommandError> {
        let mut options = ShutdownOptions::default();
        for word in words {
            let known = [
                ("save", &mut options.save),
                ("nosave", &mut options.no_save),
                ("now", &mut options.now),
                ("force", &mut options.force),
                ("abort", &mut options.abort),
            ];
            let found = known.into_iter().find(|(name, _)| is_word(word, name));
            *found.ok_or(CommandError::Syntax)?.1 = true;
        }
        let others = options.save || options.no_save || options.now || options.force;
        if options.save && options.no_save || options.abort && others {
            return Err(CommandError::Syntax);
        }
        Ok(options)
    }
}
