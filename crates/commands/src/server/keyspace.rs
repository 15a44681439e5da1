//! DBSIZE, FLUSHALL, FLUSHDB and SWAPDB: databases as a whole.

use larder_store::{DbIndex, parse_integer};

use crate::database;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[DBSIZE, FLUSHALL, FLUSHDB, SWAPDB];

const DBSIZE: Command = Command {
    name: "dbsize",
    summary: "Counts the keys of the selected database.",
    group: Group::Server,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    scope: Scope::EachStripe,
    flags: Flags::READONLY.and(Flags::FAST),
    // As in Redis: it reads keys, although its group has no data.
    acl: &["keyspace", "read"],
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    run: dbsize,
    ..Command::PLAIN
};

const FLUSHALL: Command = Command {
    name: "flushall",
    syntax: "[ASYNC | SYNC]",
    summary: "Deletes all keys of all databases. Memory is freed in the background whatever the option says.",
    group: Group::Server,
    since: "1.0.0",
    complexity: "O(1) for everybody who waits; O(N) in the background, where N is the number of keys",
    arity: Arity::AtLeast(1),
    scope: Scope::Exclusive,
    flags: Flags::WRITE,
    acl: &["keyspace", "dangerous"],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    history: &[("4.0.0", "Added the option ASYNC."), ("6.2.0", "Added the option SYNC.")],
    run: flushall,
    ..Command::PLAIN
};

const FLUSHDB: Command = Command {
    name: "flushdb",
    summary: "Deletes all keys of the selected database. Memory is freed in the background whatever the option says.",
    run: flushdb,
    ..FLUSHALL
};

const SWAPDB: Command = Command {
    name: "swapdb",
    syntax: "index1 index2",
    summary: "Exchanges the keys of two databases.",
    group: Group::Server,
    since: "4.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    scope: Scope::Exclusive,
    flags: Flags::WRITE.and(Flags::FAST),
    acl: &["keyspace", "dangerous"],
    run: swapdb,
    ..Command::PLAIN
};

fn dbsize(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.unsigned(cx.node.keyspace.len(cx.client.db) as u64);
    Ok(Outcome::Reply)
}

fn flushall(cx: &mut Context<'_>) -> CommandResult {
    flush(cx, None)
}

fn flushdb(cx: &mut Context<'_>) -> CommandResult {
    flush(cx, Some(cx.client.db))
}

fn flush(cx: &mut Context<'_>, which: Option<DbIndex>) -> CommandResult {
    let known = match cx.args.find(1) {
        None => true,
        Some(word) => cx.args.len() == 2 && (is_word(word, "async") || is_word(word, "sync")),
    };
    if !known {
        return Err(CommandError::Syntax);
    }

    // Stripe by stripe, a request of several keys beside it could be half gone and half there.
    let all = cx.exclusive()?;
    let flushed = cx.node.keyspace.flush(which, cx.moment);
    cx.log_request();
    cx.serve_blocked();
    cx.node.invalidate_all();
    drop(all);
    drop(flushed);

    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn swapdb(cx: &mut Context<'_>) -> CommandResult {
    let first = parse_number(cx, 1, "ERR invalid first DB index")?;
    let second = parse_number(cx, 2, "ERR invalid second DB index")?;
    let (first, second) = (database::numbered(cx, first)?, database::numbered(cx, second)?);

    let _all = cx.exclusive()?;
    cx.node.keyspace.swap(first, second, cx.moment);
    cx.log_request();
    cx.serve_blocked();

    cx.reply.ok();
    Ok(Outcome::Reply)
}

/// The number in an argument, whether or not there is such a database.
fn parse_number(cx: &Context<'_>, argument: usize, invalid: &'static str) -> Result<i32, CommandError> {
    parse_integer(cx.args.at(argument))
        .and_then(|number| i32::try_from(number).ok())
        .ok_or(CommandError::line(invalid))
}
