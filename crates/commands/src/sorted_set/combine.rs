//! ZUNION, ZINTER, ZDIFF and their kin: several sorted sets together. Plain sets count as sorted sets whose scores are all 1.
//!
//! The sets are looked at through views, so that no more than one is borrowed at a time; those that only reply let go of their
//! stripes before they begin to compute.

use larder_store::set::SetRef;
use larder_store::zset::{self, Direction, SortedSetMut, SortedSetRef};
use larder_store::{Attributes, Digits, Element, Entry, PackedLimits, Type};

use super::{Scores, limits, score};
use crate::members::parse_limit;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] =
    &[ZDIFF, ZDIFFSTORE, ZINTER, ZINTERCARD, ZINTERSTORE, ZUNION, ZUNIONSTORE];

const ZUNION: Command = Command {
    name: "zunion",
    syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    summary: "Returns the members that any of several sorted sets has.",
    group: Group::SortedSet,
    since: "6.2.0",
    complexity: "O(N)+O(M*log M) where N is the number of members of all sets and M the number of those returned",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::counted(1, 1, Access::READ)],
    flags: Flags::READONLY,
    run: zunion,
    ..Command::PLAIN
};

const ZINTER: Command = Command {
    name: "zinter",
    summary: "Returns the members that all of several sorted sets have.",
    complexity: "O(N*K)+O(M*log M) where N is the number of members of the smallest set, K the number of sets and M the number of members returned",
    run: zinter,
    ..ZUNION
};

const ZDIFF: Command = Command {
    name: "zdiff",
    syntax: "numkeys key [key ...] [WITHSCORES]",
    summary: "Returns the members of a sorted set that none of several others has.",
    complexity: "O(N*K)+O(M*log M) where N is the number of members of the first set, K the number of sets and M the number of members returned",
    run: zdiff,
    ..ZUNION
};

const ZUNIONSTORE: Command = Command {
    name: "zunionstore",
    syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    summary: "Stores the members that any of several sorted sets has.",
    since: "2.0.0",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(Access::OVERWRITE), KeySpec::counted(2, 1, Access::READ)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: zunionstore,
    ..ZUNION
};

const ZINTERSTORE: Command = Command {
    name: "zinterstore",
    summary: "Stores the members that all of several sorted sets have.",
    complexity: ZINTER.complexity,
    run: zinterstore,
    ..ZUNIONSTORE
};

const ZDIFFSTORE: Command = Command {
    name: "zdiffstore",
    syntax: "destination numkeys key [key ...]",
    summary: "Stores the members of a sorted set that none of several others has.",
    since: "6.2.0",
    complexity: ZDIFF.complexity,
    run: zdiffstore,
    ..ZUNIONSTORE
};

const ZINTERCARD: Command = Command {
    name: "zintercard",
    syntax: "numkeys key [key ...] [LIMIT limit]",
    summary: "Returns how many members all of several sorted sets have, counting up to a limit.",
    since: "7.0.0",
    complexity: "O(N*K) where N is the number of members of the smallest set and K the number of sets",
    run: zintercard,
    ..ZUNION
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Combination {
    Union,
    Intersection,
    Difference,
}

/// What becomes of the scores of a member that several sets have.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn parse(word: &[u8]) -> Result<Aggregate, CommandError> {
        match word {
            _ if is_word(word, "sum") => Ok(Aggregate::Sum),
            _ if is_word(word, "min") => Ok(Aggregate::Min),
            _ if is_word(word, "max") => Ok(Aggregate::Max),
            _ => Err(CommandError::Syntax),
        }
    }

    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => number_or_zero(one + other),
            Aggregate::Min => one.min(other),
            Aggregate::Max => one.max(other),
        }
    }
}

/// Infinities that cancel each other out leave nothing, as in Redis.
fn number_or_zero(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number }
}

/// What was asked beside the keys.
struct Request {
    weights: Vec<f64>,
    aggregate: Aggregate,
    scores: Scores,
}

impl Request {
    /// Reads what follows the keys; their number stands at an index.
    fn parse(cx: &Context<'_>, index: usize, combination: Combination) -> Result<Request, CommandError> {
        let keys = count_keys(cx, index)?;
        let stores = index == 2;
        let mut request =
            Request { weights: vec![1.0; keys], aggregate: Aggregate::Sum, scores: Scores::Without };
        let mut words = cx.args.from(index + 1 + keys);
        while let Some(word) = words.next() {
            let weighs = combination != Combination::Difference;
            if weighs && is_word(word, "weights") && words.len() >= keys {
                for weight in &mut request.weights {
                    *weight = score::parse(words.value()?)
                        .ok_or(CommandError::line("ERR weight value is not a float"))?;
                }
            } else if weighs && is_word(word, "aggregate") && !words.is_empty() {
                request.aggregate = Aggregate::parse(words.value()?)?;
            } else if !stores && is_word(word, "withscores") {
                request.scores = Scores::With;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(request)
    }
}

/// The number of keys at an index, as many as follow.
fn count_keys(cx: &Context<'_>, index: usize) -> Result<usize, CommandError> {
    let keys = cx.args.integer(index)?;
    let Some(keys) = usize::try_from(keys).ok().filter(|keys| *keys > 0) else {
        let line = format!("ERR at least 1 input key is needed for '{}' command", cx.row.full_name());
        return Err(CommandError::Line(line.into()));
    };
    if keys > cx.args.len() - index - 1 { Err(CommandError::Syntax) } else { Ok(keys) }
}

fn zunion(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Combination::Union)
}

fn zinter(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Combination::Intersection)
}

fn zdiff(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Combination::Difference)
}

fn zunionstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Combination::Union, Event::sorted_set("zunionstore"))
}

fn zinterstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Combination::Intersection, Event::sorted_set("zinterstore"))
}

fn zdiffstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Combination::Difference, Event::sorted_set("zdiffstore"))
}

fn zintercard(cx: &mut Context<'_>) -> CommandResult {
    let keys = count_keys(cx, 1)?;
    let limit = parse_limit(cx.args.from(2 + keys));
    let mut db = cx.lock()?;
    let views = views(&mut db, cx.keys())?;
    drop(db);
    // As in Redis, a key of another type is told of first.
    let limit = limit?;
    let mut count = 0;
    if let Some(mut sets) = views.iter().map(|view| view.as_ref().map(Source::of)).collect::<Option<Vec<_>>>()
    {
        sets.sort_by_key(|set| set.len());
        sets[0].each_while(|member, _| {
            let mut digits = Digits::default();
            let member = member.text(&mut digits);
            count += usize::from(sets[1..].iter().all(|other| other.score(member).is_some()));
            count < limit
        });
    }
    cx.reply.integer(count as i64);
    Ok(Outcome::Reply)
}

fn reply(cx: &mut Context<'_>, combination: Combination) -> CommandResult {
    count_keys(cx, 1)?;
    let request = Request::parse(cx, 1, combination);
    let mut db = cx.lock()?;
    let views = views(&mut db, cx.keys())?;
    drop(db);
    // As in Redis, a key of another type is told of first.
    let request = request?;
    let result = combine(&views, combination, &request, limits(cx.settings), b"");
    let set = SortedSetRef::of(&result);
    request.scores.header(&mut cx.reply, set.len());
    set.each(0..usize::MAX, Direction::Ascending, |member, score| {
        request.scores.write(&mut cx.reply, member, score);
    });
    Ok(Outcome::Reply)
}

fn store(cx: &mut Context<'_>, combination: Combination, event: Event) -> CommandResult {
    count_keys(cx, 2)?;
    let request = Request::parse(cx, 2, combination);
    let mut db = cx.lock()?;
    let mut keys = cx.keys();
    let destination = keys.next().expect("the first key of the row is the destination");
    let views = views(&mut db, keys)?;
    let request = request?;
    let result = combine(&views, combination, &request, limits(cx.settings), destination.bytes);
    let len = SortedSetRef::of(&result).len();
    if len > 0 {
        db.place(destination, result, event);
    } else {
        db.delete(destination, Event::DELETED);
    }
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}

/// A view of each set, sorted or not; `None` for one that is not there.
fn views<'a>(
    db: &mut Locked<'_>,
    keys: impl Iterator<Item = Key<'a>>,
) -> Result<Vec<Option<Entry>>, CommandError> {
    let view = |key| match db.read(key) {
        Some(entry) if !matches!(entry.value_type(), Type::Set | Type::SortedSet) => {
            Err(CommandError::WrongType)
        }
        found => Ok(found.map(|entry| entry.renamed(b""))),
    };
    keys.map(view).collect()
}

/// A set that is combined.
#[derive(Clone, Copy)]
enum Source<'a> {
    Set(SetRef<'a>),
    Sorted(SortedSetRef<'a>),
}

impl<'a> Source<'a> {
    fn of(entry: &'a Entry) -> Source<'a> {
        match entry.value_type() {
            Type::Set => Source::Set(SetRef::of(entry)),
            _ => Source::Sorted(SortedSetRef::of(entry)),
        }
    }

    fn len(self) -> usize {
        match self {
            Source::Set(set) => set.len(),
            Source::Sorted(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::Sorted(set) => set.score(member),
        }
    }

    fn each_while(self, mut visit: impl FnMut(Element<'a>, f64) -> bool) {
        match self {
            Source::Set(set) => set.each_while(0, usize::MAX, |member| visit(member, 1.0)),
            Source::Sorted(set) => set.each_while(0..usize::MAX, Direction::Ascending, visit),
        }
    }
}

/// The combination as a sorted set under a key.
fn combine(
    views: &[Option<Entry>],
    combination: Combination,
    request: &Request,
    limits: PackedLimits,
    key: &[u8],
) -> Entry {
    let mut result = Entry::new(key, 0, &Attributes::default(), zset::empty());
    let mut new = SortedSetMut::of(&mut result, limits);
    let sources: Vec<Option<Source<'_>>> = views.iter().map(|view| view.as_ref().map(Source::of)).collect();
    let weighed = |at: usize, score: f64| number_or_zero(request.weights[at] * score);
    let mut digits = Digits::default();
    match combination {
        Combination::Union => {
            for (at, source) in sources.iter().enumerate() {
                let Some(source) = source else { continue };
                source.each_while(|member, score| {
                    let (member, score) = (member.text(&mut digits), weighed(at, score));
                    let old = new.as_ref().score(member);
                    new.put(member, old.map_or(score, |old| request.aggregate.of(old, score)));
                    true
                });
            }
        }
        Combination::Intersection => {
            let Some(sources) = sources.into_iter().collect::<Option<Vec<_>>>() else { return result };
            let smallest = (0..sources.len()).min_by_key(|at| sources[*at].len()).unwrap_or(0);
            sources[smallest].each_while(|member, score| {
                let member = member.text(&mut digits);
                let others = (0..sources.len()).filter(|at| *at != smallest);
                let score = others.into_iter().try_fold(weighed(smallest, score), |sum, at| {
                    Some(request.aggregate.of(sum, weighed(at, sources[at].score(member)?)))
                });
                if let Some(score) = score {
                    new.put(member, score);
                }
                true
            });
        }
        Combination::Difference => {
            let Some((Some(first), others)) = sources.split_first() else { return result };
            first.each_while(|member, score| {
                let member = member.text(&mut digits);
                if !others.iter().flatten().any(|other| other.score(member).is_some()) {
                    new.put(member, score);
                }
                true
            });
        }
    }
    result
}
