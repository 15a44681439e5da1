//! ZADD and ZINCRBY: members come, and their scores change.

use larder_store::Missing;
use larder_store::zset::SortedSetMut;

use super::{change, limits, new, score};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[ZADD, ZINCRBY];

const ADDED: Event = Event::sorted_set("zadd");
const INCREMENTED: Event = Event::sorted_set("zincr");
const NOT_A_NUMBER: CommandError = CommandError::line("ERR resulting score is not a number (NaN)");

const ZADD: Command = Command {
    name: "zadd",
    syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score:double member [score:double member ...]",
    summary: "Adds members to a sorted set, or changes their scores; a missing one is created.",
    group: Group::SortedSet,
    since: "1.2.0",
    complexity: "O(log N) for each member given, where N is the number of members",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(Access::UPDATE_ONLY)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    history: &[
        ("2.4.0", "Accepts several members."),
        ("3.0.2", "Added the options XX, NX, CH and INCR."),
        ("6.2.0", "Added the options GT and LT."),
    ],
    run: zadd,
    ..Command::PLAIN
};

const ZINCRBY: Command = Command {
    name: "zincrby",
    syntax: "key increment member",
    summary: "Adds to the score of a member of a sorted set; a missing member counts as 0.",
    complexity: "O(log N) where N is the number of members",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::READ_AND_UPDATE)],
    history: &[],
    run: zincrby,
    ..ZADD
};

/// The options of ZADD.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    pub(crate) only_new: bool,
    pub(crate) only_old: bool,
    greater: bool,
    less: bool,
    pub(crate) count_changed: bool,
    increment: bool,
}

impl Options {
    /// Reads options up to the first score.
    fn parse(words: &mut ArgsFrom<'_>) -> Options {
        let mut options = Options::default();
        while let Some(word) = words.peek() {
            let option = match word {
                _ if is_word(word, "nx") => &mut options.only_new,
                _ if is_word(word, "xx") => &mut options.only_old,
                _ if is_word(word, "gt") => &mut options.greater,
                _ if is_word(word, "lt") => &mut options.less,
                _ if is_word(word, "ch") => &mut options.count_changed,
                _ if is_word(word, "incr") => &mut options.increment,
                _ => break,
            };
            *option = true;
            words.next();
        }
        options
    }

    /// What is wrong with them, given for so many pairs.
    fn check(self, words: usize) -> Result<(), CommandError> {
        if words == 0 || words % 2 == 1 {
            return Err(CommandError::Syntax);
        }
        let problem = if self.only_new && self.only_old {
            "ERR XX and NX options at the same time are not compatible"
        } else if self.only_new && (self.greater || self.less) || self.greater && self.less {
            "ERR GT, LT, and/or NX options at the same time are not compatible"
        } else if self.increment && words > 2 {
            "ERR INCR option supports a single increment-element pair"
        } else {
            return Ok(());
        };
        Err(CommandError::line(problem))
    }

    /// Whether a member with this score, or none, may get a new one.
    fn allow(self, old: Option<f64>, new: f64) -> bool {
        match old {
            None => !self.only_old,
            Some(old) => !(self.only_new || self.greater && new <= old || self.less && new >= old),
        }
    }
}

/// What was done with a member.
enum Put {
    Nothing,
    Kept(f64),
    Added(f64),
    Changed(f64),
}

/// Gives a member a score, or adds to it, as the options allow. An error when the sum is no number.
fn put(set: &mut SortedSetMut<'_>, options: Options, given: f64, member: &[u8]) -> Result<Put, CommandError> {
    let old = set.as_ref().score(member);
    let new = if options.increment { old.unwrap_or(0.0) + given } else { given };
    if new.is_nan() {
        return Err(NOT_A_NUMBER);
    }
    if !options.allow(old, new) {
        return Ok(Put::Nothing);
    }
    set.put(member, new);
    Ok(match old {
        None => Put::Added(new),
        Some(old) if old == new => Put::Kept(new),
        Some(_) => Put::Changed(new),
    })
}

fn zadd(cx: &mut Context<'_>) -> CommandResult {
    let mut words = cx.args.from(2);
    let options = Options::parse(&mut words);
    options.check(words.len())?;
    let mut pairs = words;
    while let (Some(score), Some(_)) = (words.next(), words.next()) {
        score::parse(score).ok_or(CommandError::NotAFloat)?;
    }
    if options.increment {
        return add_one(cx, options, pairs);
    }
    let mut db = cx.lock()?;
    let missing = if options.only_old { Missing::Leave } else { new() };
    let parsed =
        std::iter::from_fn(|| Some((score::parse(pairs.next()?).unwrap_or_default(), pairs.next()?)));
    put_all(cx, &mut db, options, missing, parsed)
}

/// Gives members scores as the options allow, and replies how many that concerned.
pub(crate) fn put_all<'a>(
    cx: &mut Context<'_>,
    db: &mut Locked<'_>,
    options: Options,
    missing: Missing<'_>,
    pairs: impl Iterator<Item = (f64, &'a [u8])>,
) -> CommandResult {
    let counts = change(db, cx.key(0), limits(cx.settings), missing, |set| {
        let (mut added, mut changed) = (0, 0);
        for (score, member) in pairs {
            match put(set, options, score, member) {
                Ok(Put::Added(_)) => added += 1,
                Ok(Put::Changed(_)) => changed += 1,
                Ok(Put::Nothing | Put::Kept(_)) | Err(_) => {}
            }
        }
        ((added, changed), (added + changed > 0).then_some(ADDED))
    })?;
    let (added, changed) = counts.unwrap_or_default();
    cx.reply.integer(if options.count_changed { added + changed } else { added });
    Ok(Outcome::Reply)
}

fn zincrby(cx: &mut Context<'_>) -> CommandResult {
    score::parse(cx.args.at(2)).ok_or(CommandError::NotAFloat)?;
    add_one(cx, Options { increment: true, ..Options::default() }, cx.args.from(2))
}

/// Adds to the score of one member, and replies it.
fn add_one(cx: &mut Context<'_>, options: Options, mut pair: ArgsFrom<'_>) -> CommandResult {
    let (score, member) = (pair.value()?, pair.value()?);
    let score = score::parse(score).ok_or(CommandError::NotAFloat)?;
    let mut db = cx.lock()?;
    let missing = if options.only_old { Missing::Leave } else { new() };
    let result = change(&mut db, cx.key(0), limits(cx.settings), missing, |set| {
        let result = put(set, options, score, member);
        let event = matches!(result, Ok(Put::Added(_) | Put::Changed(_))).then_some(INCREMENTED);
        (result, event)
    })?;
    match result.transpose()? {
        Some(Put::Added(score) | Put::Changed(score) | Put::Kept(score)) => cx.reply.double(score),
        Some(Put::Nothing) | None => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}
