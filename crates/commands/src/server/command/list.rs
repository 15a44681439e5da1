//! COMMAND LIST and COUNT: the names of commands, and how many there are.

use larder_engine::Row;
use larder_engine::glob::{self, Case};

use super::FLAGS;
use crate::prelude::*;

pub(super) const COUNT: Command = Command {
    name: "count",
    summary: "Returns the number of commands.",
    group: Group::Server,
    since: "2.8.13",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    acl: super::ACL,
    run: count,
    ..Command::PLAIN
};

pub(super) const LIST: Command = Command {
    name: "list",
    syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    summary: "Returns the names of commands and subcommands.",
    group: Group::Server,
    since: "7.0.0",
    complexity: "O(N) where N is the number of commands",
    arity: Arity::AtLeast(2),
    flags: FLAGS,
    acl: super::ACL,
    tips: &["nondeterministic_output_order"],
    run: list,
    ..Command::PLAIN
};

fn count(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(cx.node.table.commands().count() as i64);
    Ok(Outcome::Reply)
}

fn list(cx: &mut Context<'_>) -> CommandResult {
    let table = &cx.node.table;
    let rows: Vec<&Row> = match cx.args.len() {
        2 => table.callable().collect(),
        5 if is_word(cx.args.at(2), "filterby") => {
            let (by, value) = (cx.args.at(3), cx.args.at(4));
            let rows = table.callable();
            if is_word(by, "module") {
                // No module, no command of one.
                Vec::new()
            } else if is_word(by, "aclcat") {
                let wanted = |name: &&str| value.eq_ignore_ascii_case(name.as_bytes());
                rows.filter(|row| row.command.categories().iter().any(wanted)).collect()
            } else if is_word(by, "pattern") {
                let matches =
                    |row: &&Row| glob::matches(value, row.full_name().as_bytes(), Case::Insensitive);
                rows.filter(matches).collect()
            } else {
                return Err(CommandError::Syntax);
            }
        }
        _ => return Err(CommandError::Syntax),
    };
    cx.reply.array(rows.len());
    for row in rows {
        cx.reply.bulk(row.full_name().as_bytes());
    }
    Ok(Outcome::Reply)
}
