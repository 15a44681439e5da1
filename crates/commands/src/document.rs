//! The page that is generated from the rows.

use std::fmt::Write as _;

use larder_engine::{Command, CommandTable, Group, Row, syntax};

/// `docs/commands.md`: every command with its arguments, cost, flags and history, by families.
#[must_use]
pub fn render_markdown(table: &CommandTable) -> String {
    let mut page = String::from(HEAD);
    let mut groups: Vec<Group> = table.commands().map(|row| row.command.group).collect();
    groups.sort_by_key(|group| group.name());
    groups.dedup();
    for group in groups {
        // Appending to memory does not fail.
        let _ = write!(page, "\n## {}\n", capitalised(group.name()));
        let mut rows: Vec<&Row> = table.commands().filter(|row| row.command.group == group).collect();
        rows.sort_by_key(|row| row.command.name);
        for row in rows {
            write_command(&mut page, table, row);
        }
    }
    page
}

const HEAD: &str = "\
# Commands

Generated from the rows beside the handlers in `crates/commands/src`; `UPDATE=1 cargo test -p larder-commands` writes it
anew. In the syntax, words in capitals stand for themselves and others for a value; `[...]` may be left out, of
`<a | b>` one is given, and `[x ...]` repeats what stands before it. The version is the one of Redis or Valkey that had
the command first.
";

/// A command, or for a container its subcommands.
fn write_command(page: &mut String, table: &CommandTable, row: &Row) {
    let container = row.command;
    let name = container.name.to_uppercase();
    let _ = write!(page, "\n### {name}\n\n{}\n", container.summary);
    if container.subcommands.is_empty() {
        write_call(page, &name, container);
        return;
    }
    let mut subcommands: Vec<&Row> = table
        .rows()
        .iter()
        .filter(|row| row.container.is_some_and(|owner| owner.name == container.name))
        .collect();
    subcommands.sort_by_key(|row| row.command.name);
    for subcommand in subcommands {
        let call = format!("{name} {}", subcommand.command.name.to_uppercase());
        let _ = write!(page, "\n#### {call}\n\n{}\n", subcommand.command.summary);
        write_call(page, &call, subcommand.command);
    }
}

/// How it is called, and the facts about it.
fn write_call(page: &mut String, call: &str, command: &Command) {
    let usage = format!("{call} {}", syntax::display(command.syntax));
    let _ = write!(page, "\n```\n{}\n```\n\n", usage.trim_end());
    let mut facts = vec![format!("Since {}", command.since)];
    if !command.complexity.is_empty() {
        facts.push(command.complexity.trim_end_matches('.').to_owned());
    }
    let flags: Vec<&str> = command.flags.names().collect();
    if !flags.is_empty() {
        facts.push(format!("flags {}", flags.join(", ")));
    }
    let categories: Vec<String> = command.categories().iter().map(|name| format!("@{name}")).collect();
    facts.push(format!("ACL {}", categories.join(" ")));
    let _ = writeln!(page, "{}.", facts.join("; "));
    if let Some((since, replacement)) = command.deprecated {
        let _ = write!(page, "\nDeprecated since {since}: use {replacement}.\n");
    }
    for (position, (version, change)) in command.history.iter().enumerate() {
        let _ = writeln!(page, "{}- {version}: {change}", if position == 0 { "\n" } else { "" });
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}
