//! MONITOR: seeing every command as it is executed.

use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[MONITOR];

const MONITOR: Command = Command {
    name: "monitor",
    syntax: "",
    summary: "Sends the client a line for each command that the node executes, until RESET or the end of the connection.",
    group: Group::Server,
    since: "1.0.0",
    arity: Arity::Exactly(1),
    flags: Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE),
    run: monitor,
    ..Command::PLAIN
};

fn monitor(cx: &mut Context<'_>) -> CommandResult {
    // As in Redis: who monitors already gets no second answer.
    if !cx.client.shared.is_monitor() {
        cx.node.monitors.add(&cx.client.shared);
        cx.reply.ok();
    }
    Ok(Outcome::Reply)
}
