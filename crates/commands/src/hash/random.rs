//! HRANDFIELD: fields by chance.

use std::collections::HashSet;
use std::ops::ControlFlow;

use larder_engine::Random;
use larder_resp::{Protocol, Reply};
use larder_store::hash::HashRef;
use larder_store::{Element, Type};

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
    let write = move |reply: &mut Reply<'_>, (field, value): Pair<'_>| {
        if with_values && reply.protocol == Protocol::Resp3 {
            reply.array(2);
        }
        reply_element(reply, field);
        if with_values {
            reply_element(reply, value);
        }
    };
    let now = cx.now();
    let hash = HashRef::of(&entry, now);
    let elements_each = if with_values && cx.reply.protocol == Protocol::Resp2 { 2 } else { 1 };
    match sample {
        Sample::Different(count) => {
            let pairs = different(hash, count, cx.random);
            cx.reply.array(pairs.len() * elements_each);
            pairs.into_iter().for_each(|pair| write(&mut cx.reply, pair));
            Ok(Outcome::Reply)
        }
        Sample::Any(count) => {
            // As many as a client likes: from a view, so that nobody waits.
            let view = entry.renamed(b"");
            drop(db);
            let urn = Urn::new(HashRef::of(&view, now));
            let count = if urn.is_empty() { 0 } else { count };
            cx.reply.array(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(elements_each));
            let (mut random, mut left) = (Random::new(cx.random.next_u64()), count);
            reply_in_parts(cx, move |reply| {
                let hash = HashRef::of(&view, now);
                for _ in 0..(STEP as u64).min(left) {
                    write(reply, urn.draw(hash, &mut random).1);
                    left -= 1;
                }
                if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        }
    }
}

fn one(cx: &mut Context<'_>) -> CommandResult {
    /// As many draws find a field unless nearly none is left that can be seen.
    const TRIES: usize = 64;
    let mut db = cx.lock()?;
    let Some(entry) = db.read_type(cx.key(0), Type::Hash)? else {
        cx.reply.null();
        return Ok(Outcome::Reply);
    };
    let hash = HashRef::of(&entry, cx.now());
    let drawn = (0..TRIES).find_map(|_| hash.at(rank_below(hash.len(), cx.random)));
    if let Some((field, _)) = drawn {
        reply_element(&mut cx.reply, field);
        return Ok(Outcome::Reply);
    }
    let view = entry.renamed(b"");
    drop(db);
    let hash = HashRef::of(&view, cx.now());
    let urn = Urn::new(hash);
    if urn.is_empty() {
        cx.reply.null();
    } else {
        reply_element(&mut cx.reply, urn.draw(hash, cx.random).1.0);
    }
    Ok(Outcome::Reply)
}

type Pair<'a> = (Element<'a>, Element<'a>);

/// From what fields are drawn: from all ranks, where those whose time has come are drawn in vain; or, where they are the most, from a
/// list of the others.
enum Urn {
    AllRanks,
    Listed(Vec<usize>),
}

impl Urn {
    fn new(hash: HashRef<'_>) -> Urn {
        if hash.visible() * 2 < hash.len() { Urn::Listed(hash.visible_ranks()) } else { Urn::AllRanks }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Urn::Listed(ranks) if ranks.is_empty())
    }

    /// Draws a field, each as likely as any other, from one that is not empty; returns its rank too.
    fn draw<'a>(&self, hash: HashRef<'a>, random: &mut Random) -> (usize, Pair<'a>) {
        loop {
            let rank = match self {
                Urn::AllRanks => rank_below(hash.len(), random),
                Urn::Listed(ranks) => ranks[rank_below(ranks.len(), random)],
            };
            if let Some(pair) = hash.at(rank) {
                return (rank, pair);
            }
        }
    }
}

/// So many different fields, each choice equally likely; all of them if there are no more.
fn different<'a>(hash: HashRef<'a>, count: usize, random: &mut Random) -> Vec<Pair<'a>> {
    let visible = hash.visible();
    let mut pairs = Vec::new();
    if visible == hash.len() {
        pairs.extend(different_ranks(count, visible, random).into_iter().filter_map(|rank| hash.at(rank)));
    } else if count >= visible {
        hash.each(0, usize::MAX, |field, value| pairs.push((field, value)));
    } else if count * 2 > visible {
        let ranks = hash.visible_ranks();
        let chosen = different_ranks(count, visible, random).into_iter().map(|number| ranks[number]);
        pairs.extend(chosen.filter_map(|rank| hash.at(rank)));
    } else {
        let (urn, mut chosen) = (Urn::new(hash), HashSet::new());
        while pairs.len() < count {
            let (rank, pair) = urn.draw(hash, random);
            if chosen.insert(rank) {
                pairs.push(pair);
            }
        }
    }
    pairs
}
