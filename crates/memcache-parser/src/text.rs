//! The commands of the text protocol.
//!
//! How many words a command may have, and the order in which they are checked, is memcached's: it decides
//! which of two errors a client hears about, and whether `noreply` has been seen by then.

use crate::command::{
    Arithmetic, CasField, Command, Delete, Direction, Get, Other, OtherVerb, ReplyMode, StoreMode, Touch,
};
use crate::config::config;
use crate::error::{Error, ErrorReply};
use crate::limits::Limits;
use crate::line::Line;
use crate::meta;
use crate::number;
use crate::parse::{Outcome, Parsed, Stop};
use crate::store::{Compare, silenced, store};
use crate::tokens::Tokens;

/// Parses a line, and the value behind it if it has one.
///
/// A command is large to move: the frequent ones are made into the answer here, each where it is returned.
pub(crate) fn command<'a>(line: &Line<'a>, limits: &Limits) -> Parsed<'a> {
    let mut tokens = Tokens::new(line.text);
    let verb = tokens.next().unwrap_or_default();
    let (mode, compare) = match verb {
        b"mg" => return Parsed::from(meta::get(line, tokens, limits)),
        b"ms" => return Parsed::from(meta::set(line, tokens, limits)),
        b"md" => return Parsed::from(meta::delete(line, tokens, limits)),
        b"ma" => return Parsed::from(meta::arithmetic(line, tokens, limits)),
        b"set" => (StoreMode::Set, Compare::No),
        b"add" => (StoreMode::Add, Compare::No),
        b"cas" => (StoreMode::Set, Compare::Cas),
        b"replace" => (StoreMode::Replace, Compare::No),
        b"append" => (StoreMode::Append, Compare::No),
        b"prepend" => (StoreMode::Prepend, Compare::No),
        _ => return Parsed::from(without_value(line, verb, tokens, limits)),
    };
    Parsed::from(store(line, tokens, limits, mode, compare))
}

/// The other commands of the text protocol.
fn without_value<'a>(line: &Line<'a>, verb: &[u8], tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    match verb {
        b"get" => get(line, tokens, limits, CasField::Omit),
        b"gets" => get(line, tokens, limits, CasField::Include),
        b"gat" => get_and_touch(line, tokens, limits, CasField::Omit),
        b"gats" => get_and_touch(line, tokens, limits, CasField::Include),
        b"delete" => delete(line, tokens, limits),
        b"incr" => arithmetic(line, tokens, limits, Direction::Increment),
        b"decr" => arithmetic(line, tokens, limits, Direction::Decrement),
        b"touch" => touch(line, tokens, limits),
        _ => rare(line, verb, tokens, limits),
    }
}

/// Commands that nobody waits for.
#[cold]
fn rare<'a>(line: &Line<'a>, verb: &[u8], tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let command = match verb {
        b"mn" => Command::MetaNoop,
        b"me" => return meta::debug(line, tokens, limits),
        b"version" => Command::Version,
        b"quit" => Command::Quit,
        b"stats" => Command::Stats { arguments: tokens },
        b"verbosity" => return verbosity(line, tokens),
        b"flush_all" => return flush_all(line, tokens),
        b"config" => return config(line, tokens, limits),
        _ => return other(line, verb, tokens),
    };
    Ok((command, line.end))
}

/// `<key>*`
#[inline]
fn get<'a>(line: &Line<'a>, tokens: Tokens<'a>, limits: &Limits, cas: CasField) -> Outcome<'a> {
    if tokens.is_empty() {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    }
    keys(line, tokens, limits, cas, None)
}

/// `<exptime> <key>*`. memcached answers no keys with `END`, unlike `get`.
fn get_and_touch<'a>(line: &Line<'a>, mut tokens: Tokens<'a>, limits: &Limits, cas: CasField) -> Outcome<'a> {
    let exptime = tokens.next().ok_or_else(|| line.refuse(ErrorReply::UnknownCommand))?;
    let exptime = number::signed(exptime).ok_or_else(|| line.refuse(ErrorReply::InvalidExptime))?;
    keys(line, tokens, limits, cas, Some(exptime))
}

#[inline]
fn keys<'a>(
    line: &Line<'a>,
    mut keys: Tokens<'a>,
    limits: &Limits,
    cas: CasField,
    touch: Option<i64>,
) -> Outcome<'a> {
    let get = Get { keys, cas, touch };
    // A list that is shorter than a key may be has none that is too long: no need to look.
    if keys.as_bytes().len() > limits.key_bytes && keys.any(|key| key.len() > limits.key_bytes) {
        return Err(line.refuse(ErrorReply::BadCommandLine));
    }
    Ok((Command::Get(get), line.end))
}

/// `<key> [0] [noreply]`. The 0 is a delay that no server has heeded for a decade but some clients send.
fn delete<'a>(line: &Line<'a>, mut tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let key = tokens.next().ok_or_else(|| line.refuse(ErrorReply::UnknownCommand))?;
    let (first, second) = (tokens.next(), tokens.next());
    if !tokens.is_empty() {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    }
    let reply = ReplyMode::from_last(second.or(first).unwrap_or_default());
    let understood = match (first, second) {
        (None, _) => true,
        (Some(argument), None) => argument == b"0" || reply == ReplyMode::Suppress,
        (Some(delay), Some(_)) => delay == b"0" && reply == ReplyMode::Suppress,
    };
    if !understood {
        return Err(silenced(line.refuse(ErrorReply::DeleteUsage), reply));
    }
    if key.len() > limits.key_bytes {
        return Err(silenced(line.refuse(ErrorReply::BadCommandLine), reply));
    }
    Ok((Command::Delete(Delete { key, reply }), line.end))
}

/// `<key> <delta> [noreply]`
fn arithmetic<'a>(line: &Line<'a>, tokens: Tokens<'a>, limits: &Limits, direction: Direction) -> Outcome<'a> {
    let (key, delta, reply) = key_and_number(line, tokens, limits)?;
    let Some(delta) = number::unsigned(delta) else {
        return Err(silenced(line.refuse(ErrorReply::InvalidDelta), reply));
    };
    Ok((Command::Arithmetic(Arithmetic { direction, key, delta, reply }), line.end))
}

/// `<key> <exptime> [noreply]`
fn touch<'a>(line: &Line<'a>, tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let (key, exptime, reply) = key_and_number(line, tokens, limits)?;
    let Some(exptime) = number::signed(exptime) else {
        return Err(silenced(line.refuse(ErrorReply::InvalidExptime), reply));
    };
    Ok((Command::Touch(Touch { key, exptime, reply }), line.end))
}

/// `<key> <number> [noreply]`; any third word will do in place of `noreply`.
fn key_and_number<'a>(
    line: &Line<'a>,
    mut tokens: Tokens<'a>,
    limits: &Limits,
) -> Result<(&'a [u8], &'a [u8], ReplyMode), Stop<'a>> {
    let (Some(key), Some(number)) = (tokens.next(), tokens.next()) else {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    };
    let reply = ReplyMode::from_last(tokens.next().unwrap_or(number));
    if !tokens.is_empty() {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    }
    if key.len() > limits.key_bytes {
        return Err(silenced(line.refuse(ErrorReply::BadCommandLine), reply));
    }
    Ok((key, number, reply))
}

/// `<level> [noreply]`
fn verbosity<'a>(line: &Line<'a>, mut tokens: Tokens<'a>) -> Outcome<'a> {
    let level = tokens.next().ok_or_else(|| line.refuse(ErrorReply::UnknownCommand))?;
    let reply = ReplyMode::from_last(tokens.next().unwrap_or(level));
    if !tokens.is_empty() {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    }
    match number::unsigned(level) {
        Some(level) => Ok((Command::Verbosity { level: level as u32, reply }, line.end)),
        None => Err(silenced(line.refuse(ErrorReply::BadCommandLine), reply)),
    }
}

/// `[<delay>] [noreply]`
fn flush_all<'a>(line: &Line<'a>, mut tokens: Tokens<'a>) -> Outcome<'a> {
    let (first, second) = (tokens.next(), tokens.next());
    if !tokens.is_empty() {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    }
    let reply = ReplyMode::from_last(second.or(first).unwrap_or_default());
    let delay = match (first, second, reply) {
        (None, ..) | (Some(_), None, ReplyMode::Suppress) => Some(0),
        (Some(delay), ..) => number::signed(delay),
    };
    match delay {
        Some(delay) => Ok((Command::FlushAll { delay, reply }, line.end)),
        None => Err(silenced(line.refuse(ErrorReply::InvalidExptime), reply)),
    }
}

/// The commands that concern the server, how many arguments each must have, and how many it may have.
const OTHER_VERBS: [(&[u8], OtherVerb, usize, usize); 11] = [
    (b"cache_memlimit", OtherVerb::CacheMemlimit, 1, 2),
    (b"debugitem", OtherVerb::DebugItem, 0, usize::MAX),
    (b"debugtime", OtherVerb::DebugTime, 0, usize::MAX),
    (b"extstore", OtherVerb::Extstore, 1, usize::MAX),
    (b"lru", OtherVerb::Lru, 1, usize::MAX),
    (b"lru_crawler", OtherVerb::LruCrawler, 0, usize::MAX),
    (b"misbehave", OtherVerb::Misbehave, 0, usize::MAX),
    (b"refresh_certs", OtherVerb::RefreshCerts, 0, usize::MAX),
    (b"shutdown", OtherVerb::Shutdown, 0, usize::MAX),
    (b"slabs", OtherVerb::Slabs, 0, usize::MAX),
    (b"watch", OtherVerb::Watch, 0, usize::MAX),
];

fn other<'a>(line: &Line<'a>, name: &[u8], arguments: Tokens<'a>) -> Outcome<'a> {
    let last = arguments.last().unwrap_or_default();
    let Some(&(_, verb, least, most)) = OTHER_VERBS.iter().find(|row| row.0 == name) else {
        return Err(unknown(line, name, last));
    };
    if !(least..=most).contains(&arguments.count()) {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    }
    Ok((Command::Other(Other { verb, arguments, reply: ReplyMode::from_last(last) }), line.end))
}

/// No command at all. If it looks like a web browser, or someone who makes a web browser send commands in the
/// body of a request, the connection is closed.
fn unknown<'a>(line: &Line<'a>, name: &[u8], last: &[u8]) -> Stop<'a> {
    if name.starts_with(b"HTTP/") || last.starts_with(b"HTTP/") {
        return Stop::Error(Error { reply: None, end: line.end, swallow: 0, close: true, unlink: None });
    }
    line.refuse(ErrorReply::UnknownCommand)
}
