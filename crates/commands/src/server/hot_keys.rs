//! HOTKEYS: which keys take the most time and the most bytes, in the form of Redis 8.6.

use larder_engine::{HotKeysOptions, HotMetric};

use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HOTKEYS];

const HOTKEYS: Command = Command {
    name: "hotkeys",
    summary: "Finds the keys that take the most time and the most bytes.",
    group: Group::Server,
    since: "8.6.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[GET, Command { group: Group::Server, since: "8.6.0", ..help::HELP }, RESET, START, STOP],
    ..Command::PLAIN
};

const START: Command = Command {
    name: "start",
    syntax: "METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio]",
    summary: "Begins to observe the keys of commands, of one in so many, by their time, their bytes, or both.",
    group: Group::Server,
    since: "8.6.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(2),
    flags: FLAGS,
    run: start,
    ..Command::PLAIN
};

const STOP: Command = Command {
    name: "stop",
    syntax: "",
    summary: "Ends the observation and keeps what was found; answers null when there is none.",
    arity: Arity::Exactly(2),
    run: stop,
    ..START
};

const GET: Command = Command {
    name: "get",
    syntax: "",
    summary: "Returns what was found, the hottest keys first; null when there was no observation.",
    complexity: "O(K) where K is the number of keys returned",
    arity: Arity::Exactly(2),
    run: get,
    ..START
};

const RESET: Command = Command {
    name: "reset",
    syntax: "",
    summary: "Forgets what was found.",
    arity: Arity::Exactly(2),
    run: reset,
    ..START
};

const FLAGS: Flags = Flags::ADMIN.and(Flags::NO_SCRIPT);

/// Keys that are found when nobody says how many, and the most that may be asked for.
const COUNT: usize = 10;
const COUNT_MAX: i64 = 64;
/// The slots of a cluster, all of which are observed.
const LAST_SLOT: i64 = 16_383;

fn start(cx: &mut Context<'_>) -> CommandResult {
    let options = parse(cx)?;

    if !cx.node.hot_keys.start(cx.node, options, cx.now()) {
        return Err(CommandError::line("ERR hotkeys tracking is already in progress"));
    }
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn parse(cx: &Context<'_>) -> Result<HotKeysOptions, CommandError> {
    let mut words = cx.args.from(2);
    if !words.next().is_some_and(|word| is_word(word, "metrics")) {
        return Err(CommandError::line("ERR METRICS parameter is required"));
    }
    let metrics = words.integer()?;
    let mut options =
        HotKeysOptions { by_nanos: false, by_bytes: false, count: COUNT, sample_ratio: 1, until: None };
    while let Some(word) = words.next() {
        if is_word(word, "cpu") && !options.by_nanos {
            options.by_nanos = true;
        } else if is_word(word, "net") && !options.by_bytes {
            options.by_bytes = true;
        } else if is_word(word, "count") {
            options.count = within(words.integer()?, COUNT_MAX, "COUNT must be between 1 and 64")? as usize;
        } else if is_word(word, "duration") {
            let seconds = within(words.integer()?, 1_000_000, "DURATION must be between 1 and 1000000")?;
            options.until = Some(cx.now().saturating_add(seconds * 1000));
        } else if is_word(word, "sample") {
            options.sample_ratio =
                within(words.integer()?, i64::MAX, "SAMPLE ratio must be positive")?.unsigned_abs();
        } else if is_word(word, "slots") {
            return Err(CommandError::line("ERR SLOTS parameter cannot be used in non-cluster mode"));
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if metrics != i64::from(options.by_nanos) + i64::from(options.by_bytes) || metrics == 0 {
        return Err(CommandError::line("ERR METRICS count does not match number of metric types provided"));
    }
    Ok(options)
}

/// A number from 1 up to a limit.
fn within(number: i64, max: i64, refused: &'static str) -> Result<i64, CommandError> {
    let refusal = || CommandError::Line(format!("ERR {refused}").into());
    if (1..=max).contains(&number) { Ok(number) } else { Err(refusal()) }
}

fn stop(cx: &mut Context<'_>) -> CommandResult {
    if cx.node.hot_keys.stop(cx.node, cx.now()) {
        cx.reply.ok();
    } else {
        cx.reply.null();
    }
    Ok(Outcome::Reply)
}

fn reset(cx: &mut Context<'_>) -> CommandResult {
    if !cx.node.hot_keys.reset(cx.now()) {
        return Err(CommandError::line("ERR hotkeys tracking is in progress, stop it first"));
    }
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn get(cx: &mut Context<'_>) -> CommandResult {
    let Some(report) = cx.node.hot_keys.report(cx.node, cx.now()) else {
        cx.reply.null();
        return Ok(Outcome::Reply);
    };
    let options = report.options;
    let reply = &mut cx.reply;
    reply.array(1);
    reply.map(7 + 3 * usize::from(options.by_nanos) + 2 * usize::from(options.by_bytes));
    number(reply, "tracking-active", i64::from(report.active));
    number(reply, "sample-ratio", options.sample_ratio as i64);
    reply.bulk(b"selected-slots");
    reply.array(1);
    reply.array(2);
    reply.integer(0);
    reply.integer(LAST_SLOT);
    number(reply, "all-commands-all-slots-us", (report.command_nanos / 1000) as i64);
    number(reply, "net-bytes-all-commands-all-slots", report.bytes as i64);
    number(reply, "collection-start-time-unix-ms", report.started_at.0);
    number(reply, "collection-duration-ms", report.millis);
    if options.by_nanos {
        number(reply, "total-cpu-time-user-ms", (report.user_seconds * 1000.0) as i64);
        number(reply, "total-cpu-time-sys-ms", (report.system_seconds * 1000.0) as i64);
    }
    if options.by_bytes {
        number(reply, "total-net-bytes", report.bytes as i64);
    }
    if options.by_nanos {
        keys(cx, "by-cpu-time-us", HotMetric::Nanos, options.count);
    }
    if options.by_bytes {
        keys(cx, "by-net-bytes", HotMetric::Bytes, options.count);
    }
    Ok(Outcome::Reply)
}

fn number(reply: &mut larder_resp::Reply<'_>, name: &str, number: i64) {
    reply.bulk(name.as_bytes());
    reply.integer(number);
}

fn keys(cx: &mut Context<'_>, name: &str, metric: HotMetric, count: usize) {
    let keys = cx.node.hot_keys.hottest(metric, count);
    cx.reply.bulk(name.as_bytes());
    cx.reply.array(2 * keys.len());
    for (key, amount) in keys {
        cx.reply.bulk(&key);
        let micros = metric == HotMetric::Nanos;
        cx.reply.unsigned(if micros { amount / 1000 } else { amount });
    }
}
