//! PUBLISH and SPUBLISH: messages to whoever subscribes.

use larder_engine::{Published, ReplyMode, unread_max};

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
    let published = cx.node.pubsub.publish(cx.args.at(1), cx.args.at(2), unread_max(cx.settings));
    reply(cx, published)
}

fn spublish(cx: &mut Context<'_>) -> CommandResult {
    let published = cx.node.pubsub.publish_to_shard(cx.args.at(1), cx.args.at(2), unread_max(cx.settings));
    reply(cx, published)
}

fn reply(cx: &mut Context<'_>, published: Published) -> CommandResult {
    cx.count_sent_away(published.sent_away);
    if cx.client.subscriptions().is_some() && cx.client.reply_mode == ReplyMode::On && cx.may_block() {
        // As in Redis, its own message comes to it before the reply; within a transaction, behind all replies.
        cx.client.take_inbox(cx.reply.out);
    }
    cx.reply.unsigned(published.receivers as u64);
    Ok(Outcome::Reply)
}
