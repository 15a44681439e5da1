//! COMMAND: what the server says about its commands, all of it told by their rows.

use larder_engine::Row;

use crate::help;
use crate::prelude::*;

mod docs;
mod info;
mod keys;
mod list;

pub(super) const COMMANDS: &[Command] = &[COMMAND];

const COMMAND: Command = Command {
    name: "command",
    summary: "Describes all commands, or asks about them.",
    group: Group::Server,
    since: "2.8.13",
    complexity: "O(N) where N is the number of commands",
    arity: Arity::AtLeast(1),
    flags: FLAGS,
    acl: ACL,
    tips: &["nondeterministic_output_order"],
    subcommands: &[
        list::COUNT,
        docs::DOCS,
        keys::GETKEYS,
        keys::GETKEYSANDFLAGS,
        Command { group: Group::Server, acl: ACL, ..help::HELP },
        info::INFO,
        list::LIST,
    ],
    run: info::all,
    ..Command::PLAIN
};

const FLAGS: Flags = Flags::LOADING.and(Flags::STALE);
/// As in Redis: clients ask for it when they connect.
const ACL: &[&str] = &["connection"];

/// The rows of a container's subcommands.
fn subcommands<'a>(cx: &Context<'a>, container: &Row) -> &'a [Row] {
    let first = container.index as usize + 1;
    &cx.node.table.rows()[first..first + container.command.subcommands.len()]
}

/// The rows that arguments name from `index` on, in their order; `None` for a name that nothing has.
fn named<'a>(cx: &Context<'a>, index: usize) -> impl Iterator<Item = Option<&'a Row>> + use<'a> {
    let table = &cx.node.table;
    cx.args.from(index).map(|name| table.find_full(name))
}
