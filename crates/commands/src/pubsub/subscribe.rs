//! SUBSCRIBE and its kin: which messages a client is sent.

use larder_engine::{Subscriptions, Topic};

use crate::prelude::*;

pub(super) const COMMANDS: &[Command] =
    &[PSUBSCRIBE, PUNSUBSCRIBE, SSUBSCRIBE, SUBSCRIBE, SUNSUBSCRIBE, UNSUBSCRIBE];

const SUBSCRIBE: Command = Command {
    name: "subscribe",
    syntax: "channel [channel ...]",
    summary: "Has the client be sent the messages that are published on channels.",
    group: Group::PubSub,
    since: "2.0.0",
    complexity: "O(N) where N is the number of channels",
    arity: Arity::AtLeast(2),
    flags: Flags::PUBSUB
        .and(Flags::NO_SCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FOR_LISTENERS),
    run: |cx| subscribe(cx, Topic::Channel),
    ..Command::PLAIN
};

const PSUBSCRIBE: Command = Command {
    name: "psubscribe",
    syntax: "pattern [pattern ...]",
    summary: "Has the client be sent the messages that are published on channels whose names match patterns.",
    complexity: "O(N) where N is the number of patterns",
    run: |cx| subscribe(cx, Topic::Pattern),
    ..SUBSCRIBE
};

const SSUBSCRIBE: Command = Command {
    name: "ssubscribe",
    syntax: "shardchannel [shardchannel ...]",
    summary: "Has the client be sent the messages that are published on shard channels.",
    since: "7.0.0",
    channels: &[KeySpec::all(Access::CHANNEL)],
    run: |cx| subscribe(cx, Topic::ShardChannel),
    ..SUBSCRIBE
};

const UNSUBSCRIBE: Command = Command {
    name: "unsubscribe",
    syntax: "[channel [channel ...]]",
    summary: "Ends subscriptions to channels: to those named, or to all.",
    arity: Arity::AtLeast(1),
    run: |cx| unsubscribe(cx, Topic::Channel),
    ..SUBSCRIBE
};

const PUNSUBSCRIBE: Command = Command {
    name: "punsubscribe",
    syntax: "[pattern [pattern ...]]",
    summary: "Ends subscriptions to patterns: to those named, or to all.",
    complexity: "O(N) where N is the number of patterns",
    run: |cx| unsubscribe(cx, Topic::Pattern),
    ..UNSUBSCRIBE
};

const SUNSUBSCRIBE: Command = Command {
    name: "sunsubscribe",
    syntax: "[shardchannel [shardchannel ...]]",
    summary: "Ends subscriptions to shard channels: to those named, or to all.",
    since: "7.0.0",
    channels: &[KeySpec::all(Access::CHANNEL)],
    run: |cx| unsubscribe(cx, Topic::ShardChannel),
    ..UNSUBSCRIBE
};

/// What is said of SSUBSCRIBE in a transaction. SUBSCRIBE and PSUBSCRIBE are older than that rule.
const ONE_REPLY_EACH: CommandError =
    CommandError::line("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");

fn subscribe(cx: &mut Context<'_>, topic: Topic) -> CommandResult {
    if topic == Topic::ShardChannel && !cx.may_block() {
        return Err(ONE_REPLY_EACH);
    }
    for name in cx.args.from(1) {
        cx.subscribe(topic, name);
        confirm(cx, ["subscribe", "psubscribe", "ssubscribe"][topic as usize], topic, Some(name));
    }
    Ok(Outcome::Reply)
}

fn unsubscribe(cx: &mut Context<'_>, topic: Topic) -> CommandResult {
    let word = ["unsubscribe", "punsubscribe", "sunsubscribe"][topic as usize];
    if cx.args.len() > 1 {
        for name in cx.args.from(1) {
            cx.unsubscribe(topic, name);
            confirm(cx, word, topic, Some(name));
        }
        return Ok(Outcome::Reply);
    }
    let names = cx.client.subscriptions().map(|subscriptions| subscriptions.names(topic)).unwrap_or_default();
    for name in &names {
        cx.unsubscribe(topic, name);
        confirm(cx, word, topic, Some(name));
    }
    if names.is_empty() {
        confirm(cx, word, topic, None);
    }
    Ok(Outcome::Reply)
}

/// Tells the client what has become of one name, and how many of the kind there are.
fn confirm(cx: &mut Context<'_>, word: &str, topic: Topic, name: Option<&[u8]>) {
    let count =
        cx.client.subscriptions().map_or(0, |subscriptions: &Subscriptions| subscriptions.count(topic));
    cx.tell(|reply| {
        reply.push(3);
        reply.bulk(word.as_bytes());
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.integer(count as i64);
    });
}
