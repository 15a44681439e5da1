//! HINCRBY and HINCRBYFLOAT: values that are numbers.

use larder_store::{Digits, Element, parse_integer};

use super::{change, limits};
use crate::prelude::*;
use crate::string::Extended;

pub(super) const COMMANDS: &[Command] = &[HINCRBY, HINCRBYFLOAT];

const HINCRBY: Command = Command {
    name: "hincrby",
    syntax: "key field increment",
    summary: "Adds to the integer of a field of a hash; a missing field counts as 0.",
    group: Group::Hash,
    since: "2.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(4),
    keys: &[KeySpec::one(Access::READ_AND_UPDATE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    run: hincrby,
    ..Command::PLAIN
};

const HINCRBYFLOAT: Command = Command {
    name: "hincrbyfloat",
    syntax: "key field increment:double",
    summary: "Adds a number with a fraction to that of a field of a hash; a missing field counts as 0.",
    since: "2.6.0",
    run: hincrbyfloat,
    ..HINCRBY
};

fn hincrby(cx: &mut Context<'_>) -> CommandResult {
    let increment = cx.args.integer(3)?;
    let mut db = cx.lock()?;
    let field = cx.args.at(2);
    let new = change(&mut db, cx.key(0), limits(cx.settings), |hash| {
        let old = hash.as_ref().value(field).map_or(Some(0), integer);
        let new = old
            .ok_or("ERR hash value is not an integer")
            .and_then(|old| old.checked_add(increment).ok_or("ERR increment or decrement would overflow"));
        if let Ok(new) = new {
            hash.update(field, itoa::Buffer::new().format(new).as_bytes());
        }
        (new, new.ok().map(|_| Event::hash("hincrby")))
    })?;
    cx.reply.integer(new.map_err(CommandError::line)?);
    Ok(Outcome::Reply)
}

fn hincrbyfloat(cx: &mut Context<'_>) -> CommandResult {
    let increment = Extended::parse(cx.args.at(3)).ok_or(CommandError::NotAFloat)?;
    if !increment.is_finite() {
        return Err(CommandError::line("ERR value is NaN or Infinity"));
    }
    let mut db = cx.lock()?;
    let field = cx.args.at(2);
    let new = change(&mut db, cx.key(0), limits(cx.settings), |hash| {
        let old = hash.as_ref().value(field).map_or(Some(Extended::of(0)), extended);
        let new = old.ok_or("ERR hash value is not a float").and_then(|old| {
            let sum = old.plus(increment).ok_or("ERR increment would produce NaN or Infinity")?;
            Ok(sum.to_string())
        });
        if let Ok(new) = &new {
            hash.update(field, new.as_bytes());
        }
        let event = new.is_ok().then_some(Event::hash("hincrbyfloat"));
        (new, event)
    })?;
    cx.reply.bulk(new.map_err(CommandError::line)?.as_bytes());
    Ok(Outcome::Reply)
}

fn integer(value: Element<'_>) -> Option<i64> {
    match value {
        Element::Int(number) => Some(number),
        other => parse_integer(other.text(&mut Digits::default())),
    }
}

fn extended(value: Element<'_>) -> Option<Extended> {
    match value {
        Element::Int(number) => Some(Extended::of(number)),
        other => Extended::parse(other.text(&mut Digits::default())),
    }
}
