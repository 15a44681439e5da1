//! ZRANDMEMBER: members by chance.

use std::ops::ControlFlow;

use larder_engine::Random;
use larder_store::Type;
use larder_store::zset::SortedSetRef;

use super::Scores;
use crate::element::reply_element;
use crate::members::{Sample, different_ranks, rank_below};
use crate::parts::reply_in_parts;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[ZRANDMEMBER];

/// Members written between two looks at the clock.
const STEP: u64 = 64;

const ZRANDMEMBER: Command = Command {
    name: "zrandmember",
    syntax: "key [count [WITHSCORES]]",
    summary: "Returns members of a sorted set by chance; a negative count may return the same several times.",
    group: Group::SortedSet,
    since: "6.2.0",
    complexity: "O(N) where N is the number of members returned",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output"],
    run: zrandmember,
    ..Command::PLAIN
};

fn zrandmember(cx: &mut Context<'_>) -> CommandResult {
    let Some(sample) = Sample::parse_optional(cx.args, "withscores")? else { return one(cx) };
    let scores = if cx.args.len() == 4 { Scores::With } else { Scores::Without };
    let mut db = cx.lock()?;
    let Some(entry) = db.read_type(cx.key(0), Type::SortedSet)? else {
        cx.reply.array(0);
        return Ok(Outcome::Reply);
    };
    let set = SortedSetRef::of(&entry);
    let count = match sample {
        Sample::Different(count) => {
            let ranks = different_ranks(count, set.len(), cx.random);
            scores.header(&mut cx.reply, ranks.len());
            let elements = ranks.into_iter().filter_map(|rank| set.at(rank));
            elements.for_each(|(member, score)| scores.write(&mut cx.reply, member, score));
            return Ok(Outcome::Reply);
        }
        Sample::Any(count) => count,
    };
    // As many as a client likes: from a view, so that nobody waits.
    let view = entry.renamed(b"");
    drop(db);
    scores.header(&mut cx.reply, usize::try_from(count).unwrap_or(usize::MAX));
    let (mut random, mut left) = (Random::new(cx.random.next_u64()), count);
    reply_in_parts(cx, move |reply| {
        let set = SortedSetRef::of(&view);
        for _ in 0..left.min(STEP) {
            let element = set.at(rank_below(set.len(), &mut random));
            let (member, score) = element.expect("there is a member at every rank below the length");
            scores.write(reply, member, score);
            left -= 1;
        }
        if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}

fn one(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let entry = db.read_type(cx.key(0), Type::SortedSet)?;
    let set = entry.as_deref().map(SortedSetRef::of);
    match set.and_then(|set| set.at(rank_below(set.len(), cx.random))) {
        Some((member, _)) => reply_element(&mut cx.reply, member),
        None => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}
