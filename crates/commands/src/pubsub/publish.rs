//! PUBLISH and SPUBLISH: messages to whoever subscribes.

use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[PUBLISH, SPUBLISH];

const PUBLISH: Command = Command {
    name: "publish",
    syntax: "channel message",
    summary: "Sends a message to all who subscribe to a channel, by its name or by a pattern.",
    group: Group::PubSub,
    since: "2.0.0",
    complexity: "O(N+M) where N is the number of subscribers to the channel and M the number of patterns that begin like it",
    arity: Arity::Exactly(3),
    flags: Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::MAY_REPLICATE),
    run: publish,
    ..Command::PLAIN
};

const SPUBLISH: Command = Command {
    name: "spublish",
    syntax: "shardchannel message",
    summary: "Sends a message to all who subscribe to a shard channel.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of subscribers to the channel",
    channels: &[KeySpec::one(Access::CHANNEL)],
    run: spublish,
    ..PUBLISH
};

fn publish(cx: &mut Context<'_>) -> CommandResult {
    let receivers = cx.node.pubsub.publish(cx.args.at(1), cx.args.at(2));
    cx.reply.unsigned(receivers as u64);
    Ok(Outcome::Reply)
}

fn spublish(cx: &mut Context<'_>) -> CommandResult {
    let receivers = cx.node.pubsub.publish_to_shard(cx.args.at(1), cx.args.at(2));
    cx.reply.unsigned(receivers as u64);
    Ok(Outcome::Reply)
}
