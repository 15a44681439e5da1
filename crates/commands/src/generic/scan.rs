//! SCAN, KEYS and RANDOMKEY: finding keys that one does not know.

use std::mem;

use larder_engine::glob::{self, Case};
use larder_store::{Entry, Position, RandomKey};

use super::walk::{Progress, Walk};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[KEYS, RANDOMKEY, SCAN];

/// Keys that SCAN visits when it is not told how many.
const COUNT: usize = 10;
/// Patterns up to this length cost about as much to match as a key costs to visit.
const SHORT_PATTERN: usize = 64;
/// Keys whose time had come that RANDOMKEY may meet before others have their turn.
const RANDOM_TRIES: usize = 100;
/// What TYPE answers, for all types that there may be.
const TYPES: [&str; 6] = ["string", "list", "set", "zset", "hash", "stream"];

const KEYS: Command = Command {
    name: "keys",
    syntax: "pattern",
    summary: "Lists the keys whose names match a pattern. Other clients are served meanwhile, and may add or delete keys.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys in the database; O(1) for a pattern that only one name matches",
    arity: Arity::Exactly(2),
    scope: Scope::EachStripe,
    flags: Flags::READONLY,
    acl: &["dangerous"],
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    run: keys,
    ..Command::PLAIN
};

const RANDOMKEY: Command = Command {
    name: "randomkey",
    summary: "Names a key by chance, or none when the database is empty.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    scope: Scope::EachStripe,
    flags: Flags::READONLY,
    tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
    run: random_key,
    ..Command::PLAIN
};

const SCAN: Command = Command {
    name: "scan",
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    summary: "Lists keys a few at a time, from a cursor on. A key that is there all the while is listed exactly once.",
    group: Group::Generic,
    since: "2.8.0",
    complexity: "O(1) a call; O(N) from the first cursor to the end, where N is the number of keys",
    arity: Arity::AtLeast(2),
    scope: Scope::EachStripe,
    flags: Flags::READONLY,
    tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
    history: &[("6.0.0", "Added the option TYPE.")],
    run: scan,
    ..Command::PLAIN
};

fn keys(cx: &mut Context<'_>) -> CommandResult {
    let pattern = cx.args.at(1);
    if is_literal(pattern) {
        let key = cx.node.keyspace.key(pattern);
        let stripe = cx.node.keyspace.try_lock(key.position.stripe(), cx.moment);
        let mut stripe = stripe.ok_or(CommandError::Contended)?;
        let found = stripe.contains(cx.client.db, key);
        cx.reply.array(usize::from(found));
        if found {
            cx.reply.bulk(pattern);
        }
        return Ok(Outcome::Reply);
    }
    keys_from(cx, Walk::new(Some(Position::default()), usize::MAX))
}

fn keys_from(cx: &mut Context<'_>, mut walk: Walk) -> CommandResult {
    let filter = Filter { pattern: Some(cx.args.at(1)), type_name: None };
    if walk.advance(cx, filter.cost(), |entry| filter.wants(entry)) == Progress::More {
        return Ok(Outcome::soon(move |cx| keys_from(cx, mem::take(&mut walk))));
    }
    walk.reply(&mut cx.reply);
    Ok(Outcome::Reply)
}

fn random_key(cx: &mut Context<'_>) -> CommandResult {
    for _ in 0..RANDOM_TRIES {
        match cx.node.keyspace.random_key(cx.client.db, cx.moment, cx.random.next_u64()) {
            RandomKey::Found(key) => cx.reply.bulk(&key),
            RandomKey::Empty => cx.reply.null(),
            RandomKey::Gone => continue,
        }
        return Ok(Outcome::Reply);
    }
    Ok(Outcome::soon(random_key))
}

fn scan(cx: &mut Context<'_>) -> CommandResult {
    let cursor = parse_cursor(cx.args.at(1))?;
    let options = ScanOptions::parse(cx.args.from(2))?;
    // A cursor that was never given out may lie behind the last position: there is nothing there.
    scan_from(cx, &options, Walk::new(Position::new(cursor), options.count))
}

fn scan_from(cx: &mut Context<'_>, options: &ScanOptions<'_>, mut walk: Walk) -> CommandResult {
    let filter = &options.filter;
    if walk.advance(cx, filter.cost(), |entry| filter.wants(entry)) == Progress::More {
        return Ok(Outcome::soon(move |cx| {
            let options = ScanOptions::parse(cx.args.from(2))?;
            scan_from(cx, &options, mem::take(&mut walk))
        }));
    }
    cx.reply.array(2);
    cx.reply.bulk_display(walk.cursor());
    walk.reply(&mut cx.reply);
    Ok(Outcome::Reply)
}

#[derive(Debug)]
struct ScanOptions<'a> {
    filter: Filter<'a>,
    count: usize,
}

impl<'a> ScanOptions<'a> {
    fn parse(mut words: ArgsFrom<'a>) -> Result<ScanOptions<'a>, CommandError> {
        let mut options = ScanOptions { filter: Filter::default(), count: COUNT };
        while let Some(word) = words.next() {
            if is_word(word, "count") {
                let count = words.integer()?;
                options.count =
                    usize::try_from(count).ok().filter(|count| *count > 0).ok_or(CommandError::Syntax)?;
            } else if is_word(word, "match") {
                options.filter.pattern = Some(words.value()?);
            } else if is_word(word, "type") {
                options.filter.type_name = Some(parse_type(words.value()?)?);
            } else if is_word(word, "novalues") {
                return Err(CommandError::line("ERR NOVALUES option can only be used in HSCAN"));
            } else if is_word(word, "noscores") {
                return Err(CommandError::line("ERR NOSCORES option can only be used in ZSCAN"));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// Which keys are to be listed.
#[derive(Clone, Copy, Debug, Default)]
struct Filter<'a> {
    pattern: Option<&'a [u8]>,
    type_name: Option<&'static str>,
}

impl Filter<'_> {
    #[inline]
    fn wants(&self, entry: &Entry) -> bool {
        self.type_name.is_none_or(|name| entry.value_type().name() == name)
            && match self.pattern {
                None | Some(b"*") => true,
                Some(pattern) => glob::matches(pattern, entry.key(), Case::Sensitive),
            }
    }

    /// How many times longer than usual it takes to look at a key.
    fn cost(&self) -> usize {
        self.pattern.map_or(1, |pattern| pattern.len() / SHORT_PATTERN)
    }
}

/// Whether only the text that equals the pattern matches it.
fn is_literal(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// A cursor: decimal digits that fit in 64 bits.
pub(crate) fn parse_cursor(argument: &[u8]) -> Result<u64, CommandError> {
    let number = std::str::from_utf8(argument).ok().and_then(|text| text.parse().ok());
    number.ok_or(CommandError::line("ERR invalid cursor"))
}

fn parse_type(argument: &[u8]) -> Result<&'static str, CommandError> {
    TYPES.into_iter().find(|name| is_word(argument, name)).ok_or_else(|| {
        let name = String::from_utf8_lossy(argument);
        CommandError::Line(format!("ERR unknown type name '{name}'").into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_an_unsigned_number_of_64_bits() {
        for (text, number) in [("0", 0), ("00", 0), ("+7", 7), ("18446744073709551615", u64::MAX)] {
            assert_eq!(parse_cursor(text.as_bytes()), Ok(number), "{text}");
        }
        for text in ["", " 1", "1 ", "-1", "x", "0x1", "18446744073709551616", "\u{ff11}"] {
            assert!(parse_cursor(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_without_wildcards_is_a_name() {
        assert!(is_literal(b"user:1]") && is_literal(b""));
        for pattern in ["*", "a?", "[a]", "a\\*"] {
            assert!(!is_literal(pattern.as_bytes()), "{pattern}");
        }
    }
}
