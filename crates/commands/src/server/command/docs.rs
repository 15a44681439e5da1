//! COMMAND DOCS: what commands do, and their arguments.

use larder_engine::Row;
use larder_engine::syntax::{self, Argument, Kind};
use larder_resp::Reply;

use super::FLAGS;
use super::info::words;
use crate::prelude::*;

pub(super) const DOCS: Command = Command {
    name: "docs",
    syntax: "[command-name [command-name ...]]",
    summary: "Tells what commands do and which arguments they take, or all commands.",
    group: Group::Server,
    since: "7.0.0",
    complexity: "O(N) where N is the number of commands asked about",
    arity: Arity::AtLeast(2),
    flags: FLAGS,
    acl: super::ACL,
    tips: &["nondeterministic_output_order"],
    run: docs,
    ..Command::PLAIN
};

fn docs(cx: &mut Context<'_>) -> CommandResult {
    let rows: Vec<&Row> = if cx.args.len() == 2 {
        cx.node.table.commands().collect()
    } else {
        super::named(cx, 2).flatten().collect()
    };
    cx.reply.map(rows.len());
    for row in rows {
        write(cx, row);
    }
    Ok(Outcome::Reply)
}

/// Writes a name and the map that belongs to it.
fn write(cx: &mut Context<'_>, row: &Row) {
    let subcommands = super::subcommands(cx, row);
    let command = row.command;
    let arguments = syntax::parse(command.syntax).expect("a test reads the syntax of every row");
    let texts = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
        ("complexity", command.complexity),
    ];
    let reply = &mut cx.reply;
    reply.bulk(row.full_name().as_bytes());
    let fields = reply.deferred_array();
    let mut len = 0;
    for (name, text) in texts.iter().filter(|(_, text)| !text.is_empty()) {
        field(reply, &mut len, name);
        reply.bulk(text.as_bytes());
    }
    let flags = [(command.deprecated.is_some(), "deprecated"), (command.flags.has(Flags::SYSTEM), "syscmd")];
    let flags: Vec<&str> = flags.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name).collect();
    if !flags.is_empty() {
        field(reply, &mut len, "doc_flags");
        words(reply, &flags);
    }
    if let Some((since, replacement)) = command.deprecated {
        field(reply, &mut len, "deprecated_since");
        reply.bulk(since.as_bytes());
        field(reply, &mut len, "replaced_by");
        reply.bulk(replacement.as_bytes());
    }
    if !command.history.is_empty() {
        field(reply, &mut len, "history");
        reply.set(command.history.len());
        for (version, change) in command.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
    }
    if !arguments.is_empty() {
        field(reply, &mut len, "arguments");
        let mut keys = Keys { seen: 0, specs: command.keys.len() };
        write_arguments(reply, &arguments, &mut keys);
    }
    if !subcommands.is_empty() {
        field(reply, &mut len, "subcommands");
        reply.map(subcommands.len());
        for row in subcommands {
            write(cx, row);
        }
    }
    cx.reply.finish_map(fields, len);
}

/// Begins a field of a map.
fn field(reply: &mut Reply<'_>, len: &mut usize, name: &str) {
    *len += 1;
    reply.bulk(name.as_bytes());
}

/// Which key spec an argument belongs to: keys and specs come in the same order, and the last spec takes what is left.
struct Keys {
    seen: usize,
    specs: usize,
}

impl Keys {
    fn next(&mut self) -> usize {
        self.seen += 1;
        self.seen.min(self.specs).saturating_sub(1)
    }
}

fn write_arguments(reply: &mut Reply<'_>, arguments: &[Argument], keys: &mut Keys) {
    reply.array(arguments.len());
    for argument in arguments {
        let fields = reply.deferred_array();
        let mut len = 0;
        for (name, text) in [("name", argument.name.as_str()), ("type", argument.kind.name())] {
            field(reply, &mut len, name);
            reply.bulk(text.as_bytes());
        }
        if !matches!(argument.kind, Kind::OneOf | Kind::Block) {
            field(reply, &mut len, "display_text");
            reply.bulk(argument.name.as_bytes());
        }
        if argument.kind == Kind::Key {
            field(reply, &mut len, "key_spec_index");
            reply.integer(keys.next() as i64);
        }
        if let Some(token) = &argument.token {
            field(reply, &mut len, "token");
            reply.bulk(token.as_bytes());
        }
        let flags: Vec<&str> = argument.flags().collect();
        if !flags.is_empty() {
            field(reply, &mut len, "flags");
            words(reply, &flags);
        }
        if !argument.arguments.is_empty() {
            field(reply, &mut len, "arguments");
            write_arguments(reply, &argument.arguments, keys);
        }
        reply.finish_map(fields, len);
    }
}
