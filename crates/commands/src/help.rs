//! What a container's HELP answers: its subcommands with their arguments and summaries, from their rows.

use larder_resp::Reply;

use crate::prelude::*;

/// Writes the help of a container, whose row for HELP comes last.
pub(crate) fn reply_help(reply: &mut Reply<'_>, container: &Command) {
    let name = container.name.to_uppercase();
    reply.array(1 + 2 * container.subcommands.len());
    reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for subcommand in container.subcommands {
        let usage = format!("{} {}", subcommand.name.to_uppercase(), subcommand.syntax);
        reply.simple(usage.trim_end());
        reply.simple(&format!("    {}", subcommand.summary));
    }
}
