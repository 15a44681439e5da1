//! SINTER, SUNION, SDIFF and their kin: several sets together.
//!
//! The sets are looked at through views, so that no more than one is borrowed at a time; those that only reply let go of their
//! stripes before they begin to compute.

use larder_store::hashtable::Hashtable;
use larder_store::set::{self, SetMut, SetRef};
use larder_store::{Attributes, Digits, Element, Entry, Type};

use super::limits;
use crate::element::reply_element;
use crate::members;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] =
    &[SDIFF, SDIFFSTORE, SINTER, SINTERCARD, SINTERSTORE, SUNION, SUNIONSTORE];

const SINTER: Command = Command {
    name: "sinter",
    syntax: "key [key ...]",
    summary: "Returns the members that all of several sets have.",
    group: Group::Set,
    since: "1.0.0",
    complexity: "O(N*M) where N is the number of members of the smallest set and M the number of sets",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::all(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output_order"],
    run: sinter,
    ..Command::PLAIN
};

const SUNION: Command = Command {
    name: "sunion",
    summary: "Returns the members that any of several sets has.",
    complexity: "O(N) where N is the number of members of all sets",
    run: sunion,
    ..SINTER
};

const SDIFF: Command = Command {
    name: "sdiff",
    summary: "Returns the members of a set that none of several others has.",
    complexity: "O(N*M) where N is the number of members of the first set and M the number of sets",
    run: sdiff,
    ..SINTER
};

const SINTERSTORE: Command = Command {
    name: "sinterstore",
    syntax: "destination key [key ...]",
    summary: "Stores the members that all of several sets have.",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::UPDATE_ONLY), KeySpec::range(2, -1, 1, Access::READ)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    tips: &[],
    run: sinterstore,
    ..SINTER
};

const SUNIONSTORE: Command = Command {
    name: "sunionstore",
    summary: "Stores the members that any of several sets has.",
    complexity: SUNION.complexity,
    keys: &[KeySpec::one(Access::OVERWRITE), KeySpec::range(2, -1, 1, Access::READ)],
    run: sunionstore,
    ..SINTERSTORE
};

const SDIFFSTORE: Command = Command {
    name: "sdiffstore",
    summary: "Stores the members of a set that none of several others has.",
    complexity: SDIFF.complexity,
    keys: SUNIONSTORE.keys,
    run: sdiffstore,
    ..SINTERSTORE
};

const SINTERCARD: Command = Command {
    name: "sintercard",
    syntax: "numkeys key [key ...] [LIMIT limit]",
    summary: "Returns how many members all of several sets have, counting up to a limit.",
    since: "7.0.0",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::counted(1, 1, Access::READ)],
    tips: &[],
    run: sintercard,
    ..SINTER
};

/// What is made of several sets.
#[derive(Clone, Copy)]
enum Combination {
    Intersection,
    Union,
    Difference,
}

fn sinter(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Combination::Intersection)
}

fn sunion(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Combination::Union)
}

fn sdiff(cx: &mut Context<'_>) -> CommandResult {
    reply(cx, Combination::Difference)
}

fn sinterstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Combination::Intersection, Event::set("sinterstore"))
}

fn sunionstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Combination::Union, Event::set("sunionstore"))
}

fn sdiffstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Combination::Difference, Event::set("sdiffstore"))
}

fn sintercard(cx: &mut Context<'_>) -> CommandResult {
    let limit = parse_limit(cx.args)?;
    let mut db = cx.lock()?;
    let views = views(&mut db, cx.keys())?;
    drop(db);
    let mut count = 0;
    combine(&views, Combination::Intersection, |_| {
        count += 1;
        count < limit
    });
    cx.reply.integer(count as i64);
    Ok(Outcome::Reply)
}

fn parse_limit(args: Args<'_>) -> Result<usize, CommandError> {
    let keys = args.integer(1).ok().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
    let keys = keys.ok_or(CommandError::line("ERR numkeys should be greater than 0"))?;
    if keys > args.len() - 2 {
        return Err(CommandError::line("ERR Number of keys can't be greater than number of args"));
    }
    members::parse_limit(args.from(2 + keys))
}

fn reply(cx: &mut Context<'_>, combination: Combination) -> CommandResult {
    let mut db = cx.lock()?;
    let views = views(&mut db, cx.keys())?;
    drop(db);
    let (header, mut count) = (cx.reply.deferred_array(), 0);
    combine(&views, combination, |member| {
        reply_element(&mut cx.reply, member);
        count += 1;
        true
    });
    cx.reply.finish_set(header, count);
    Ok(Outcome::Reply)
}

fn store(cx: &mut Context<'_>, combination: Combination, event: Event) -> CommandResult {
    let mut db = cx.lock()?;
    let (mut keys, limits) = (cx.keys(), limits(cx.settings));
    let destination = keys.next().expect("the first key of the row is the destination");
    let views = views(&mut db, keys)?;
    let mut result: Option<Entry> = None;
    combine(&views, combination, |member| {
        let mut digits = Digits::default();
        let member = member.text(&mut digits);
        let new = || Entry::new(destination.bytes, 0, &Attributes::default(), set::empty(member));
        SetMut::of(result.get_or_insert_with(new), limits).add(member);
        true
    });
    let len = result.as_ref().map_or(0, |entry| SetRef::of(entry).len());
    match result {
        Some(entry) => db.place(destination, entry, event),
        None => {
            db.delete(destination, Event::DELETED);
        }
    }
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}

/// A view of each set; `None` for one that is not there.
fn views<'a>(
    db: &mut Locked<'_>,
    keys: impl Iterator<Item = Key<'a>>,
) -> Result<Vec<Option<Entry>>, CommandError> {
    let view = |key| Ok(db.read_type(key, Type::Set)?.map(|entry| entry.renamed(b"")));
    keys.map(view).collect()
}

/// Gives the members of a combination to `visit`, each once, as long as it says that it wants more.
fn combine(views: &[Option<Entry>], combination: Combination, visit: impl FnMut(Element<'_>) -> bool) {
    let sets: Vec<Option<SetRef<'_>>> = views.iter().map(|view| view.as_ref().map(SetRef::of)).collect();
    match combination {
        Combination::Intersection => intersect(sets.into_iter().collect(), visit),
        Combination::Union => unite(sets.into_iter().flatten().collect(), visit),
        Combination::Difference => subtract(&sets, visit),
    }
}

/// Nothing, unless all sets are there.
fn intersect(sets: Option<Vec<SetRef<'_>>>, mut visit: impl FnMut(Element<'_>) -> bool) {
    let Some(mut sets) = sets else { return };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    smallest.each_while(0, usize::MAX, |member| {
        !others.iter().all(|other| other.contains_element(member)) || visit(member)
    });
}

/// The largest set as it is, then what the others have more.
fn unite(mut sets: Vec<SetRef<'_>>, mut visit: impl FnMut(Element<'_>) -> bool) {
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    let (mut seen, mut rest) = (Hashtable::default(), &sets[..]);
    if let [largest @ SetRef::Large(members), others @ ..] = &sets[..] {
        // A view, of which only the pages are copied to which something is added.
        (seen, rest) = ((*members).clone(), others);
        largest.each_while(0, usize::MAX, &mut visit);
    }
    for set in rest {
        set.each_while(0, usize::MAX, |member| {
            let new = |old: Option<()>| (old.is_none(), old.is_none().then_some(()));
            !seen.change(member.text(&mut Digits::default()), new) || visit(member)
        });
    }
}

fn subtract(sets: &[Option<SetRef<'_>>], mut visit: impl FnMut(Element<'_>) -> bool) {
    let Some((Some(first), others)) = sets.split_first() else { return };
    first.each_while(0, usize::MAX, |member| {
        others.iter().flatten().any(|other| other.contains_element(member)) || visit(member)
    });
}
