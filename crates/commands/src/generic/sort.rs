//! SORT and SORT_RO: the elements of a list, a set or a sorted set in another order.
//!
//! Patterns lead to keys that nobody knows beforehand, and STORE to one that is to hold what they lead to; so while they are
//! followed nobody else is at work.

use std::cmp::Ordering;

use larder_engine::FindKeys;
use larder_store::hash::HashRef;
use larder_store::list::{self, End, ListMut, ListRef};
use larder_store::set::SetRef;
use larder_store::zset::{Direction, SortedSetRef};
use larder_store::{Attributes, Element, Entry, Touch, Type};

use crate::list::limit;
use crate::prelude::*;
use crate::sorted_set::parse_weight;

pub(super) const COMMANDS: &[Command] = &[SORT, SORT_RO];

const SORT: Command = Command {
    name: "sort",
    syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]",
    summary: "Returns or stores the elements of a list, a set or a sorted set in the order of numbers or texts.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(N+M*log M) where N is the number of elements and M the number of those returned",
    arity: Arity::AtLeast(2),
    keys: &[
        KeySpec::one(Access::READ),
        KeySpec {
            find: FindKeys::Optional(|_| None),
            notes: "Keys that the patterns of BY and GET lead to.",
            ..KeySpec::one(Access::READ)
        },
        KeySpec {
            find: FindKeys::Optional(destination),
            notes: "The destination follows the word STORE, wherever that stands.",
            ..KeySpec::one(Access::OVERWRITE)
        },
    ],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    acl: &["set", "sortedset", "list", "dangerous"],
    run: sort,
    ..Command::PLAIN
};

const SORT_RO: Command = Command {
    name: "sort_ro",
    syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
    summary: "Returns the elements of a list, a set or a sorted set in the order of numbers or texts.",
    since: "7.0.0",
    keys: &[KeySpec::one(Access::READ), SORT.keys[1]],
    flags: Flags::READONLY,
    run: sort_ro,
    ..SORT
};

/// Where the destination stands: behind the last STORE that is no argument of another option.
fn destination(args: Args<'_>) -> Option<usize> {
    let (mut words, mut found) = (args.from(2), None);
    while let Some(word) = words.next() {
        if is_word(word, "limit") {
            words.nth(1);
        } else if is_word(word, "get") || is_word(word, "by") {
            words.next();
        } else if is_word(word, "store") && !words.is_empty() {
            found = Some(words.index());
            words.next();
        }
    }
    found
}

/// What was asked.
#[derive(Default)]
struct Options<'a> {
    descending: bool,
    alpha: bool,
    offset: i64,
    count: Option<i64>,
    by: Option<&'a [u8]>,
    gets: Vec<&'a [u8]>,
    stores: bool,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, may_store: bool) -> Result<Options<'a>, CommandError> {
        let (mut options, mut words) = (Options::default(), args.from(2));
        while let Some(word) = words.next() {
            if is_word(word, "asc") {
                options.descending = false;
            } else if is_word(word, "desc") {
                options.descending = true;
            } else if is_word(word, "alpha") {
                options.alpha = true;
            } else if is_word(word, "limit") && words.len() >= 2 {
                (options.offset, options.count) = (words.integer()?, Some(words.integer()?));
            } else if may_store && is_word(word, "store") && !words.is_empty() {
                words.next();
                options.stores = true;
            } else if is_word(word, "by") && !words.is_empty() {
                options.by = words.next();
            } else if is_word(word, "get") && !words.is_empty() {
                options.gets.extend(words.next());
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// Whether keys are looked at that the request does not name.
    fn follows_patterns(&self) -> bool {
        let is_pattern = |pattern: &&[u8]| *pattern != b"#";
        self.sorts() && self.by.is_some() || self.gets.iter().any(is_pattern)
    }

    /// A pattern without `*` leads to one key for all: nothing is sorted.
    fn sorts(&self) -> bool {
        self.by.is_none_or(|pattern| pattern.contains(&b'*'))
    }

    /// The ranks that are wanted of `len`.
    fn ranks(&self, len: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(len);
        let count = self.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(len)
    }
}

fn sort(cx: &mut Context<'_>) -> CommandResult {
    let options = Options::parse(cx.args, true)?;
    run(cx, options)
}

fn sort_ro(cx: &mut Context<'_>) -> CommandResult {
    let options = Options::parse(cx.args, false)?;
    run(cx, options)
}

fn run(cx: &mut Context<'_>, mut options: Options<'_>) -> CommandResult {
    let _all = (options.stores || options.follows_patterns()).then(|| cx.exclusive()).transpose()?;
    let mut db = cx.lock()?;
    let (mut elements, of) = read(&mut db, cx.key(0), &options)?;
    drop(db);
    let mut sorts = options.sorts();
    if !sorts && of == Some(Type::Set) && (options.stores || cx.client.script) {
        // A set has no order of its own that could be stored, or that a script could rely on.
        (sorts, options.alpha, options.by) = (true, true, None);
    }
    if sorts {
        elements = sorted(cx, elements, &options)?;
    }
    let wanted = elements.drain(options.ranks(elements.len()));
    let mut outputs = Vec::new();
    for element in wanted {
        for pattern in &options.gets {
            outputs.push(follow(cx, pattern, &element));
        }
        if options.gets.is_empty() {
            outputs.push(Some(element));
        }
    }
    if options.stores { store(cx, outputs) } else { reply(cx, &outputs) }
}

fn reply(cx: &mut Context<'_>, outputs: &[Option<Vec<u8>>]) -> CommandResult {
    cx.reply.array(outputs.len());
    for output in outputs {
        match output {
            Some(bytes) => cx.reply.bulk(bytes),
            None => cx.reply.null(),
        }
    }
    Ok(Outcome::Reply)
}

fn store(cx: &mut Context<'_>, outputs: Vec<Option<Vec<u8>>>) -> CommandResult {
    let mut db = cx.lock()?;
    let (destination, len) = (cx.key(1), outputs.len());
    if outputs.is_empty() {
        db.delete(destination, Event::DELETED);
    } else {
        let mut result = Entry::new(destination.bytes, 0, &Attributes::default(), list::empty());
        let mut new = ListMut::of(&mut result, limit(cx.settings));
        for output in outputs {
            // What a pattern did not find is stored as an empty element.
            let output = output.unwrap_or_default();
            new.expect(1, output.len());
            new.push(End::Tail, Element::of(&output));
        }
        db.place(destination, result, Event::list("sortstore"));
    }
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}

/// All elements in the order in which they are kept, and the type that keeps them.
fn read(
    db: &mut Locked<'_>,
    key: Key<'_>,
    options: &Options<'_>,
) -> Result<(Vec<Vec<u8>>, Option<Type>), CommandError> {
    let Some(entry) = db.read(key) else { return Ok((Vec::new(), None)) };
    let mut elements = Vec::new();
    let end = if options.descending { End::Tail } else { End::Head };
    match entry.value_type() {
        Type::List => ListRef::of(&entry).each_while(0..usize::MAX, end, |_, element| {
            elements.push(element.to_vec());
            true
        }),
        Type::Set => SetRef::of(&entry).each(0, usize::MAX, |member| elements.push(member.to_vec())),
        Type::SortedSet => {
            let direction = if options.descending { Direction::Descending } else { Direction::Ascending };
            SortedSetRef::of(&entry)
                .each(0..usize::MAX, direction, |member, _| elements.push(member.to_vec()));
        }
        Type::String | Type::Hash | Type::Stream => return Err(CommandError::WrongType),
    }
    Ok((elements, Some(entry.value_type())))
}

fn sorted(
    cx: &Context<'_>,
    elements: Vec<Vec<u8>>,
    options: &Options<'_>,
) -> Result<Vec<Vec<u8>>, CommandError> {
    let by = |element: &[u8]| match options.by {
        Some(pattern) => follow(cx, pattern, element),
        None => Some(element.to_vec()),
    };
    let in_direction = |order: Ordering| if options.descending { order.reverse() } else { order };
    if options.alpha {
        let mut weighed: Vec<_> = elements.into_iter().map(|element| (by(&element), element)).collect();
        weighed.sort_by(|(one, _), (other, _)| in_direction(one.cmp(other)));
        return Ok(weighed.into_iter().map(|(_, element)| element).collect());
    }
    let mut weighed = Vec::with_capacity(elements.len());
    for element in elements {
        let weight = by(&element).map_or(Some(0.0), |text| parse_weight(&text));
        let weight =
            weight.ok_or(CommandError::line("ERR One or more scores can't be converted into double"))?;
        weighed.push((weight, element));
    }
    weighed.sort_by(|(one, one_element), (other, other_element)| {
        let order = one.partial_cmp(other).unwrap_or(Ordering::Equal);
        in_direction(order.then_with(|| one_element.cmp(other_element)))
    });
    Ok(weighed.into_iter().map(|(_, element)| element).collect())
}

/// What a pattern leads to for an element: the element itself for `#`; else the string of the key, or the field of the hash, that
/// its name stands for once the element stands in the place of `*`.
fn follow(cx: &Context<'_>, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    if pattern == b"#" {
        return Some(element.to_vec());
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (before, after) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = after.windows(2).position(|two| two == b"->").filter(|at| at + 2 < after.len());
    let (after, field) = arrow.map_or((after, None), |at| (&after[..at], Some(&after[at + 2..])));
    let name = [before, element, after].concat();
    let key = cx.node.keyspace.key(&name);
    let mut stripe = cx.node.keyspace.lock(key.position.stripe(), cx.moment);
    let entry = stripe.find(cx.client.db, key, Touch::Yes)?;
    match (field, entry.value_type()) {
        (Some(field), Type::Hash) => HashRef::of(&entry, cx.now()).value(field).map(Element::to_vec),
        (None, Type::String) => Some(match entry.value() {
            Value::Int(number) => number.to_string().into_bytes(),
            Value::Inline(bytes) => bytes.to_vec(),
            Value::Block(block) => block.to_vec(),
        }),
        _ => None,
    }
}
