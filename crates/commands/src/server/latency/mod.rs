//! LATENCY: what took long, and how long commands take.

use larder_engine::{Happening, Latencies, LatencySeries, Row};

use crate::help;
use crate::prelude::*;

mod doctor;
mod graph;

pub(super) const COMMANDS: &[Command] = &[LATENCY];

const LATENCY: Command = Command {
    name: "latency",
    summary: "Tells what took long, and how long commands take.",
    group: Group::Server,
    since: "2.8.13",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[
        DOCTOR,
        GRAPH,
        Command { group: Group::Server, since: "2.8.13", ..help::HELP },
        HISTOGRAM,
        HISTORY,
        LATEST,
        RESET,
    ],
    ..Command::PLAIN
};

const DOCTOR: Command = Command {
    name: "doctor",
    summary: "Says in words what took long, and what may help.",
    group: Group::Server,
    since: "2.8.13",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    tips: TIPS,
    run: doctor,
    ..Command::PLAIN
};

const GRAPH: Command = Command {
    name: "graph",
    syntax: "event",
    summary: "Draws the times that an event took.",
    arity: Arity::Exactly(3),
    run: graph,
    ..DOCTOR
};

const HISTOGRAM: Command = Command {
    name: "histogram",
    syntax: "[command [command ...]]",
    summary: "Returns how many calls of commands took up to so many microseconds; without a name, of all commands.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of commands with calls",
    arity: Arity::AtLeast(2),
    run: histogram,
    ..DOCTOR
};

const HISTORY: Command = Command {
    name: "history",
    syntax: "event",
    summary: "Returns when an event took long, and how many milliseconds.",
    arity: Arity::Exactly(3),
    run: history,
    ..DOCTOR
};

const LATEST: Command = Command {
    name: "latest",
    summary: "Returns for each event when it last took long, how many milliseconds, and the most that it ever took.",
    run: latest,
    ..DOCTOR
};

const RESET: Command = Command {
    name: "reset",
    syntax: "[event [event ...]]",
    summary: "Forgets the times of events, or of all; returns of how many there were any.",
    arity: Arity::AtLeast(2),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: reset,
    ..DOCTOR
};

const FLAGS: Flags = Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE);
const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

fn doctor(cx: &mut Context<'_>) -> CommandResult {
    let report = doctor::report(cx);
    cx.reply.verbatim(*b"txt", report.as_bytes());
    Ok(Outcome::Reply)
}

fn graph(cx: &mut Context<'_>) -> CommandResult {
    let name = cx.args.at(2);
    let found = Happening::named(name)
        .and_then(|happening| cx.node.latency.find(happening).map(|series| (happening, series)));
    let Some((happening, series)) = found else {
        let name = String::from_utf8_lossy(name);
        return Err(CommandError::Line(format!("ERR No samples available for event '{name}'").into()));
    };
    let picture = graph::draw(happening.name(), &series, cx.now().0 / 1000);
    cx.reply.verbatim(*b"txt", picture.as_bytes());
    Ok(Outcome::Reply)
}

fn history(cx: &mut Context<'_>) -> CommandResult {
    let series = Happening::named(cx.args.at(2)).and_then(|happening| cx.node.latency.find(happening));
    let LatencySeries { samples, .. } = series.unwrap_or_default();
    cx.reply.array(samples.len());
    for sample in samples {
        cx.reply.array(2);
        cx.reply.integer(sample.second);
        cx.reply.unsigned(sample.millis);
    }
    Ok(Outcome::Reply)
}

fn latest(cx: &mut Context<'_>) -> CommandResult {
    let all = cx.node.latency.all();
    cx.reply.array(all.len());
    for (happening, series) in all {
        let last = series.samples.back().expect("a series begins with a sample");
        cx.reply.array(4);
        cx.reply.bulk(happening.name().as_bytes());
        cx.reply.integer(last.second);
        cx.reply.unsigned(last.millis);
        cx.reply.unsigned(series.max_millis);
    }
    Ok(Outcome::Reply)
}

fn reset(cx: &mut Context<'_>) -> CommandResult {
    let named: Vec<Happening> = cx.args.from(2).filter_map(Happening::named).collect();
    let which = (cx.args.len() > 2).then_some(named.as_slice());
    let count = cx.node.latency.reset(which);
    cx.reply.integer(count as i64);
    Ok(Outcome::Reply)
}

fn histogram(cx: &mut Context<'_>) -> CommandResult {
    let table = &cx.node.table;
    let rows: Vec<&Row> = if cx.args.len() == 2 {
        table.rows().iter().collect()
    } else {
        cx.args
            .from(2)
            .filter_map(|name| table.find_full(name))
            .flat_map(|row| with_subcommands(cx, row))
            .collect()
    };
    let counted: Vec<(&Row, Latencies)> = rows
        .into_iter()
        .map(|row| (row, latencies(cx, row)))
        .filter(|(_, latencies)| latencies.total() > 0)
        .collect();
    cx.reply.map(counted.len());
    for (row, latencies) in counted {
        let steps = latencies.doubling_micros();
        cx.reply.bulk(row.full_name().as_bytes());
        cx.reply.map(2);
        cx.reply.bulk(b"calls");
        cx.reply.unsigned(latencies.total());
        cx.reply.bulk(b"histogram_usec");
        cx.reply.map(steps.len());
        for (micros, calls) in steps {
            cx.reply.unsigned(micros);
            cx.reply.unsigned(calls);
        }
    }
    Ok(Outcome::Reply)
}

fn with_subcommands<'a>(cx: &Context<'a>, row: &'a Row) -> impl Iterator<Item = &'a Row> + use<'a> {
    let first = row.index as usize;
    cx.node.table.rows()[first..=first + row.command.subcommands.len()].iter()
}

/// How long the calls of a row took, on all workers.
fn latencies(cx: &Context<'_>, row: &Row) -> Latencies {
    Latencies::of(cx.node.stats.iter().map(|worker| &worker.commands[row.index as usize].latency))
}
