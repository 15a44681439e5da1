//! PUBSUB: who subscribes to what.

use larder_engine::Topic;
use larder_engine::glob::{self, Case};

use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[PUBSUB];

const PUBSUB: Command = Command {
    name: "pubsub",
    summary: "Tells who subscribes to what.",
    group: Group::PubSub,
    since: "2.8.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[
        CHANNELS,
        Command { group: Group::PubSub, since: "6.2.0", ..help::HELP },
        NUMPAT,
        NUMSUB,
        SHARDCHANNELS,
        SHARDNUMSUB,
    ],
    ..Command::PLAIN
};

const CHANNELS: Command = Command {
    name: "channels",
    syntax: "[pattern]",
    summary: "Lists the channels that have subscribers.",
    group: Group::PubSub,
    since: "2.8.0",
    complexity: "O(N) where N is the number of channels that have subscribers",
    arity: Arity::AtLeast(2),
    flags: Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE),
    run: |cx| channels(cx, Topic::Channel),
    ..Command::PLAIN
};

const SHARDCHANNELS: Command = Command {
    name: "shardchannels",
    summary: "Lists the shard channels that have subscribers.",
    since: "7.0.0",
    run: |cx| channels(cx, Topic::ShardChannel),
    ..CHANNELS
};

const NUMPAT: Command = Command {
    name: "numpat",
    syntax: "",
    summary: "Counts the patterns that have subscribers.",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    run: numpat,
    ..CHANNELS
};

const NUMSUB: Command = Command {
    name: "numsub",
    syntax: "[channel [channel ...]]",
    summary: "Counts the subscribers to channels by their names.",
    complexity: "O(N) where N is the number of channels asked about",
    run: |cx| numsub(cx, Topic::Channel),
    ..CHANNELS
};

const SHARDNUMSUB: Command = Command {
    name: "shardnumsub",
    syntax: "[shardchannel [shardchannel ...]]",
    summary: "Counts the subscribers to shard channels.",
    since: "7.0.0",
    run: |cx| numsub(cx, Topic::ShardChannel),
    ..NUMSUB
};

fn channels(cx: &mut Context<'_>, topic: Topic) -> CommandResult {
    if cx.args.len() > 3 {
        return Err(CommandError::subcommand_syntax(cx.args));
    }
    let mut channels = cx.node.pubsub.channels(topic);
    if let Some(pattern) = cx.args.find(2) {
        channels.retain(|channel| glob::matches(pattern, channel, Case::Sensitive));
    }
    cx.reply.array(channels.len());
    channels.iter().for_each(|channel| cx.reply.bulk(channel));
    Ok(Outcome::Reply)
}

fn numpat(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.unsigned(cx.node.pubsub.count(Topic::Pattern) as u64);
    Ok(Outcome::Reply)
}

fn numsub(cx: &mut Context<'_>, topic: Topic) -> CommandResult {
    cx.reply.array(2 * (cx.args.len() - 2));
    for channel in cx.args.from(2) {
        cx.reply.bulk(channel);
        cx.reply.unsigned(cx.node.pubsub.subscribers(topic, channel) as u64);
    }
    Ok(Outcome::Reply)
}
