//! HELP of a container, made from the rows of its subcommands.

use larder_engine::syntax;

use crate::prelude::*;

/// The subcommand; a family adds its group.
pub(crate) const HELP: Command = Command {
    name: "help",
    summary: "Describes the subcommands.",
    since: "5.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    run: help,
    ..Command::PLAIN
};

fn help(cx: &mut Context<'_>) -> CommandResult {
    let container = cx.row.container.unwrap_or(cx.command);
    let others = container.subcommands.iter().filter(|row| row.name != cx.command.name);
    let lines: Vec<(String, &str)> =
        others.map(|row| (format!("{} {}", row.name, syntax::display(row.syntax)), row.summary)).collect();
    let entries: Vec<(&str, &str)> = lines.iter().map(|(call, does)| (call.as_str(), *does)).collect();
    reply(cx, container.name, &entries);
    Ok(Outcome::Reply)
}

/// Writes the help of a command: for each way to call it, what it does, which may take several lines.
pub(crate) fn reply(cx: &mut Context<'_>, command: &str, entries: &[(&str, &str)]) {
    let lines: usize = entries.iter().map(|(_, does)| 1 + does.lines().count()).sum();
    cx.reply.array(lines + 3);
    let title =
        format!("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", command.to_uppercase());
    cx.reply.simple(&title);
    for (call, does) in entries {
        let (name, arguments) = call.split_once(' ').unwrap_or((call, ""));
        cx.reply.simple(format!("{} {arguments}", name.to_uppercase()).trim_end());
        for line in does.lines() {
            cx.reply.simple(&format!("    {line}"));
        }
    }
    cx.reply.simple("HELP");
    cx.reply.simple("    Prints this help.");
}
