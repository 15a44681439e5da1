//! COMMAND and COMMAND INFO: arity, flags, keys and categories.

use larder_engine::{FindKeys, Row};
use larder_resp::Reply;

use super::FLAGS;
use crate::prelude::*;

pub(super) const INFO: Command = Command {
    name: "info",
    syntax: "[command-name [command-name ...]]",
    summary: "Tells arity, flags, keys and ACL categories of commands, or of all.",
    group: Group::Server,
    since: "2.8.13",
    complexity: "O(N) where N is the number of commands asked about",
    arity: Arity::AtLeast(2),
    flags: FLAGS,
    acl: super::ACL,
    tips: &["nondeterministic_output_order"],
    history: &[("7.0.0", "May be called without a name, for all commands.")],
    run: info,
    ..Command::PLAIN
};

/// COMMAND without a subcommand.
pub(super) fn all(cx: &mut Context<'_>) -> CommandResult {
    let rows: Vec<&Row> = cx.node.table.commands().collect();
    cx.reply.array(rows.len());
    for row in rows {
        write(cx, row);
    }
    Ok(Outcome::Reply)
}

fn info(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() == 2 {
        return all(cx);
    }
    cx.reply.array(cx.args.len() - 2);
    for row in super::named(cx, 2) {
        match row {
            Some(row) => write(cx, row),
            None => cx.reply.null(),
        }
    }
    Ok(Outcome::Reply)
}

fn write(cx: &mut Context<'_>, row: &Row) {
    let subcommands = super::subcommands(cx, row);
    let command = row.command;
    let reply = &mut cx.reply;
    reply.array(10);
    reply.bulk(row.full_name().as_bytes());
    reply.integer(command.arity.number());
    let movable = is_movable(command).then_some("movablekeys");
    words(reply, &command.flags.names().chain(movable).collect::<Vec<_>>());
    let (first, last, step) = range(command);
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    let categories: Vec<String> = command.categories().iter().map(|name| format!("@{name}")).collect();
    words(reply, &categories.iter().map(String::as_str).collect::<Vec<_>>());
    reply.set(command.tips.len());
    for tip in command.tips {
        reply.bulk(tip.as_bytes());
    }
    reply.set(command.keys.len() + command.channels.len());
    for spec in command.keys.iter().chain(command.channels) {
        key_spec(reply, spec);
    }
    reply.array(subcommands.len());
    for row in subcommands {
        write(cx, row);
    }
}

/// A set of words.
pub(super) fn words(reply: &mut Reply<'_>, words: &[&str]) {
    reply.set(words.len());
    for word in words {
        reply.simple(word);
    }
}

fn key_spec(reply: &mut Reply<'_>, spec: &KeySpec) {
    reply.map(3 + usize::from(!spec.notes.is_empty()));
    if !spec.notes.is_empty() {
        reply.bulk(b"notes");
        reply.bulk(spec.notes.as_bytes());
    }
    reply.bulk(b"flags");
    let variable = spec.variable_access.map(|_| "variable_flags");
    words(reply, &spec.access.names().chain(variable).collect::<Vec<_>>());
    reply.bulk(b"begin_search");
    match spec.find {
        FindKeys::Optional(_) => search(reply, "unknown", &[]),
        FindKeys::After { word, from } | FindKeys::FirstHalf { word, from, .. } => keyword(reply, word, from),
        FindKeys::Range { .. } | FindKeys::Counted { .. } => {
            search(reply, "index", &[("index", spec.begin as i64)]);
        }
    }
    reply.bulk(b"find_keys");
    match spec.find {
        FindKeys::Range { last, step } => {
            let fields = [("lastkey", i64::from(last)), ("keystep", step as i64), ("limit", 0)];
            search(reply, "range", &fields);
        }
        FindKeys::Counted { step } => {
            search(reply, "keynum", &[("keynumidx", 0), ("firstkey", 1), ("keystep", step as i64)]);
        }
        FindKeys::After { .. } => search(reply, "range", &[("lastkey", 0), ("keystep", 1), ("limit", 0)]),
        FindKeys::FirstHalf { .. } => {
            search(reply, "range", &[("lastkey", -1), ("keystep", 1), ("limit", 2)]);
        }
        FindKeys::Optional(_) => search(reply, "unknown", &[]),
    }
}

fn keyword(reply: &mut Reply<'_>, word: &str, from: usize) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(b"keyword");
    reply.bulk(b"spec");
    reply.map(2);
    reply.bulk(b"keyword");
    reply.bulk(word.as_bytes());
    reply.bulk(b"startfrom");
    reply.integer(from as i64);
}

fn search(reply: &mut Reply<'_>, kind: &str, fields: &[(&str, i64)]) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields.len());
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.integer(*value);
    }
}

/// Whether clients that know only a range of keys do not find all.
fn is_movable(command: &Command) -> bool {
    command.keys.iter().any(|spec| !matches!(spec.find, FindKeys::Range { .. }))
}

/// First key, last key and step, as clients older than key specs want them: the ranges that follow each other, as one.
fn range(command: &Command) -> (i64, i64, i64) {
    let mut whole: Option<(i64, i64, i64)> = None;
    for spec in command.keys.iter().chain(command.channels) {
        let FindKeys::Range { last, step } = spec.find else { continue };
        let (first, step) = (spec.begin as i64, step as i64);
        let last = if last < 0 { i64::from(last) } else { first + i64::from(last) };
        whole = match whole {
            None => Some((first, last, step)),
            Some((from, before, 1)) if step == 1 && before + 1 == first => Some((from, last, 1)),
            Some(before) => return before,
        };
    }
    whole.unwrap_or((0, 0, 0))
}
