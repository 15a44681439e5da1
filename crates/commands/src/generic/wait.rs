//! WAIT and WAITAOF: waiting until writes have reached others. There are no replicas, so only this node's own disk ever reports that.

use larder_engine::WaitsFor;

use crate::prelude::*;
use crate::timeout;

pub(super) const COMMANDS: &[Command] = &[WAIT, WAITAOF];

const WAIT: Command = Command {
    name: "wait",
    syntax: "numreplicas timeout:integer",
    summary: "Waits until so many replicas have the client's writes, and returns how many do.",
    group: Group::Generic,
    since: "3.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    flags: Flags::BLOCKING,
    acl: &["connection"],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    run: wait,
    ..Command::PLAIN
};

const WAITAOF: Command = Command {
    name: "waitaof",
    syntax: "numlocal numreplicas timeout:integer",
    summary: "Waits until the client's writes are on the disk here and of so many replicas, and returns where they are.",
    group: Group::Generic,
    since: "7.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(4),
    flags: Flags::BLOCKING,
    acl: &["connection"],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    run: waitaof,
    ..Command::PLAIN
};

fn wait(cx: &mut Context<'_>) -> CommandResult {
    let replicas = cx.args.integer(1)?;
    let until = timeout::deadline(cx.args.at(2), cx.now())?;

    let answer = |cx: &mut Context<'_>| {
        cx.reply.integer(0);
        Ok(Outcome::Reply)
    };
    if replicas <= 0 || !cx.may_block() { answer(cx) } else { Ok(Outcome::blocked(until, answer)) }
}

fn waitaof(cx: &mut Context<'_>) -> CommandResult {
    let local = cx.args.integer(1)?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::line("ERR value is out of range, value must between 0 and 1"));
    }
    let replicas = cx.args.integer(2)?;
    if replicas < 0 {
        return Err(CommandError::line("ERR value is out of range, must be positive"));
    }
    let until = timeout::deadline(cx.args.at(3), cx.now())?;
    if local > 0 && !cx.node.append_log.is_on() {
        return Err(CommandError::line(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    // What any client has written before: more than was asked for, and on disk at the same time nearly always.
    let end = cx.node.append_log.end();
    wait_for_disk(cx, Durability { local, replicas, end, until })
}

/// Where a client's writes are to be before it is told.
#[derive(Clone, Copy)]
struct Durability {
    local: i64,
    replicas: i64,
    /// What must be on disk here.
    end: u64,
    until: Option<UnixMillis>,
}

fn wait_for_disk(cx: &mut Context<'_>, wanted: Durability) -> CommandResult {
    let Durability { local, replicas, end, until } = wanted;
    let log = &cx.node.append_log;
    let is_here = log.is_on() && log.is_on_disk(end);
    let is_done = replicas == 0 && (local == 0 || is_here);
    let is_over = until.is_some_and(|until| until <= cx.now());
    if is_done || is_over || !cx.may_block() || cx.client.shared.waiting().is_over() {
        cx.reply.array(2);
        cx.reply.integer(i64::from(is_here));
        cx.reply.integer(0);
        return Ok(Outcome::Reply);
    }
    if !is_here {
        log.wait_for(end, WaitsFor::Disk, &cx.client.shared);
    }
    Ok(Outcome::blocked(until, move |cx| wait_for_disk(cx, wanted)))
}
