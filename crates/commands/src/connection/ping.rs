//! PING and ECHO: whether somebody is there.

use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[ECHO, PING];

const ECHO: Command = Command {
    name: "echo",
    syntax: "message",
    summary: "Returns its argument.",
    group: Group::Connection,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    run: echo,
    ..Command::PLAIN
};

const PING: Command = Command {
    name: "ping",
    syntax: "[message]",
    summary: "Says that the server is alive.",
    group: Group::Connection,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    flags: Flags::FAST.and(Flags::FOR_LISTENERS),
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    run: ping,
    ..Command::PLAIN
};

fn echo(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.bulk(cx.args.at(1));
    Ok(Outcome::Reply)
}

fn ping(cx: &mut Context<'_>) -> CommandResult {
    if cx.client.is_only_listening() && cx.args.len() <= 2 {
        // In the form of a message, which is all that such a client expects.
        cx.reply.array(2);
        cx.reply.bulk(b"pong");
        cx.reply.bulk(cx.args.find(1).unwrap_or_default());
        return Ok(Outcome::Reply);
    }
    match cx.args.len() {
        1 => cx.reply.simple("PONG"),
        2 => cx.reply.bulk(cx.args.at(1)),
        _ => return Err(CommandError::WrongArity(cx.command.name.into())),
    }
    Ok(Outcome::Reply)
}
