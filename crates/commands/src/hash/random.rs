//! HRANDFIELD: fields by chance.

use std::ops::ControlFlow;

use larder_engine::Random;
use larder_resp::{Protocol, Reply};
use larder_store::hash::HashRef;
use larder_store::{Element, Entry, Type};

use crate::element::reply_element;
use crate::members::{Sample, different_ranks, rank_below};
use crate::parts::reply_in_parts;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HRANDFIELD];

/// Fields written between two looks at the clock.
const STEP: usize = 64;

const HRANDFIELD: Command = Command {
    name: "hrandfield",
    syntax: "key [count [WITHVALUES]]",
    summary: "Returns fields of a hash by chance; a negative count may return the same several times.",
    group: Group::Hash,
    since: "6.2.0",
    complexity: "O(N) where N is the number of fields returned",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output"],
    run: hrandfield,
    ..Command::PLAIN
};

fn hrandfield(cx: &mut Context<'_>) -> CommandResult {
    let Some(sample) = Sample::parse_optional(cx.args, "withvalues")? else { return one(cx) };
    let with_values = cx.args.len() == 4;
    let mut db = cx.lock()?;
    let Some(entry) = db.read_type(cx.key(0), Type::Hash)? else {
        cx.reply.array(0);
        return Ok(Outcome::Reply);
    };
    let write = move |reply: &mut Reply<'_>, (field, value): (Element<'_>, Element<'_>)| {
        if with_values && reply.protocol == Protocol::Resp3 {
            reply.array(2);
        }
        reply_element(reply, field);
        if with_values {
            reply_element(reply, value);
        }
    };
    let hash = HashRef::of(&entry);
    let elements_each = if with_values && cx.reply.protocol == Protocol::Resp2 { 2 } else { 1 };
    match sample {
        Sample::Different(count) => {
            let ranks = different_ranks(count, hash.len(), cx.random);
            cx.reply.array(ranks.len() * elements_each);
            ranks.into_iter().filter_map(|rank| hash.at(rank)).for_each(|pair| write(&mut cx.reply, pair));
            Ok(Outcome::Reply)
        }
        Sample::Any(count) => {
            // As many as a client likes: from a view, so that nobody waits.
            let view = entry.renamed(b"");
            drop(db);
            cx.reply.array(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(elements_each));
            let (mut random, mut left) = (Random::new(cx.random.next_u64()), count);
            reply_in_parts(cx, move |reply| {
                repeated(&view, &mut random, &mut left, |pair| write(reply, pair))
            })
        }
    }
}

/// Draws some fields more.
fn repeated(
    view: &Entry,
    random: &mut Random,
    left: &mut u64,
    mut write: impl FnMut((Element<'_>, Element<'_>)),
) -> ControlFlow<()> {
    let hash = HashRef::of(view);
    for _ in 0..(STEP as u64).min(*left) {
        let pair = hash.at(rank_below(hash.len(), random));
        write(pair.expect("a hash has a field at every rank below its length"));
        *left -= 1;
    }
    if *left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

fn one(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let Some(entry) = db.read_type(cx.key(0), Type::Hash)? else {
        cx.reply.null();
        return Ok(Outcome::Reply);
    };
    let hash = HashRef::of(&entry);
    if let Some((field, _)) = hash.at(rank_below(hash.len(), cx.random)) {
        reply_element(&mut cx.reply, field);
    }
    Ok(Outcome::Reply)
}
