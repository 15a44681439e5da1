//! SRANDMEMBER: members by chance.

use std::ops::ControlFlow;

use larder_engine::Random;
use larder_store::Type;
use larder_store::set::SetRef;

use super::STEP;
use crate::element::reply_element;
use crate::members::{Sample, different_ranks, rank_below};
use crate::parts::reply_in_parts;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[SRANDMEMBER];

const SRANDMEMBER: Command = Command {
    name: "srandmember",
    syntax: "key [count]",
    summary: "Returns members of a set by chance; a negative count may return the same several times.",
    group: Group::Set,
    since: "1.0.0",
    complexity: "O(1); O(N) with a count of N",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output"],
    history: &[("2.6.0", "Added the argument count.")],
    run: srandmember,
    ..Command::PLAIN
};

fn srandmember(cx: &mut Context<'_>) -> CommandResult {
    match cx.args.len() {
        2 => one(cx),
        3 => many(cx),
        _ => Err(CommandError::Syntax),
    }
}

fn one(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let entry = db.read_type(cx.key(0), Type::Set)?;
    match entry.as_deref().map(SetRef::of).and_then(|set| set.at(rank_below(set.len(), cx.random))) {
        Some(member) => reply_element(&mut cx.reply, member),
        None => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}

fn many(cx: &mut Context<'_>) -> CommandResult {
    let sample = Sample::parse(cx.args, 2, 1)?;
    let mut db = cx.lock()?;
    let Some(entry) = db.read_type(cx.key(0), Type::Set)? else {
        cx.reply.array(0);
        return Ok(Outcome::Reply);
    };
    let set = SetRef::of(&entry);
    let count = match sample {
        Sample::Different(count) => {
            let ranks = different_ranks(count, set.len(), cx.random);
            cx.reply.array(ranks.len());
            let members = ranks.into_iter().filter_map(|rank| set.at(rank));
            members.for_each(|member| reply_element(&mut cx.reply, member));
            return Ok(Outcome::Reply);
        }
        Sample::Any(count) => count,
    };
    // As many as a client likes: from a view, so that nobody waits.
    let view = entry.renamed(b"");
    drop(db);
    cx.reply.array(usize::try_from(count).unwrap_or(usize::MAX));
    let (mut random, mut left) = (Random::new(cx.random.next_u64()), count);
    reply_in_parts(cx, move |reply| {
        let set = SetRef::of(&view);
        for _ in 0..left.min(STEP as u64) {
            let member = set.at(rank_below(set.len(), &mut random));
            reply_element(reply, member.expect("a set has a member at every rank below its length"));
            left -= 1;
        }
        if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}
