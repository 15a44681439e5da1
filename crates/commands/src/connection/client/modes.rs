//! CLIENT REPLY, NO-TOUCH, NO-EVICT and CAPA: how a client wants to be treated.

use std::sync::atomic::Ordering;

use larder_engine::ReplyMode;

use super::FLAGS;
use crate::prelude::*;

pub(super) const REPLY: Command = Command {
    name: "reply",
    syntax: "<ON | OFF | SKIP>",
    summary: "Turns replies off and on, or skips the one to the next command.",
    group: Group::Connection,
    since: "3.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    flags: FLAGS.and(Flags::NO_MULTI).and(Flags::ALLOW_BUSY),
    run: reply,
    ..Command::PLAIN
};

pub(super) const NO_TOUCH: Command = Command {
    name: "no-touch",
    syntax: "<ON | OFF>",
    summary: "Says whether the client's reads leave it unsaid that a key was used.",
    group: Group::Connection,
    since: "7.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    flags: FLAGS.and(Flags::ALLOW_BUSY),
    run: no_touch,
    ..Command::PLAIN
};

pub(super) const NO_EVICT: Command = Command {
    name: "no-evict",
    syntax: "<ON | OFF>",
    summary: "Says whether the client is spared when the memory of clients runs short.",
    group: Group::Connection,
    since: "7.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    flags: FLAGS.and(Flags::ADMIN).and(Flags::ALLOW_BUSY),
    run: no_evict,
    ..Command::PLAIN
};

pub(super) const CAPA: Command = Command {
    name: "capa",
    syntax: "capability [capability ...]",
    summary: "Says what the client is able to do; unknown abilities are passed over.",
    group: Group::Connection,
    since: "8.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    flags: FLAGS.and(Flags::ALLOW_BUSY),
    run: capa,
    ..Command::PLAIN
};

fn reply(cx: &mut Context<'_>) -> CommandResult {
    let mode = cx.args.at(2);
    if is_word(mode, "on") {
        cx.client.reply_mode = ReplyMode::On;
        cx.reply.ok();
    } else if is_word(mode, "off") {
        cx.client.reply_mode = ReplyMode::Off;
    } else if is_word(mode, "skip") {
        if cx.client.reply_mode != ReplyMode::Off {
            cx.client.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(Outcome::Reply)
}

fn no_touch(cx: &mut Context<'_>) -> CommandResult {
    let on = is_on(cx.args.at(2))?;
    cx.client.no_touch = on;
    cx.client.shared.no_touch.store(on, Ordering::Relaxed);
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn no_evict(cx: &mut Context<'_>) -> CommandResult {
    let on = is_on(cx.args.at(2))?;
    cx.client.shared.spare(on);
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn is_on(word: &[u8]) -> Result<bool, CommandError> {
    if is_word(word, "on") {
        Ok(true)
    } else if is_word(word, "off") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

fn capa(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.from(2).any(|word| is_word(word, "redirect")) {
        cx.client.shared.redirectable.store(true, Ordering::Relaxed);
    }
    cx.reply.ok();
    Ok(Outcome::Reply)
}
