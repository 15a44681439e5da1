//! HGETALL, HKEYS and HVALS: all of a hash.

use std::ops::ControlFlow;

use larder_resp::Reply;
use larder_store::Element;
use larder_store::hash::HashRef;

use super::read;
use crate::element::reply_element;
use crate::parts::{AT_ONCE_MAX, reply_in_parts};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HGETALL, HKEYS, HVALS];

/// Fields written between two looks at the clock.
const STEP: usize = 64;

const HGETALL: Command = Command {
    name: "hgetall",
    syntax: "key",
    summary: "Returns all fields of a hash with their values.",
    group: Group::Hash,
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output_order"],
    run: hgetall,
    ..Command::PLAIN
};

const HKEYS: Command =
    Command { name: "hkeys", summary: "Returns all fields of a hash.", run: hkeys, ..HGETALL };

const HVALS: Command =
    Command { name: "hvals", summary: "Returns the values of all fields of a hash.", run: hvals, ..HGETALL };

/// What of each field is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Pairs,
    Fields,
    Values,
}

impl Wanted {
    fn header(self, reply: &mut Reply<'_>, len: usize) {
        match self {
            Wanted::Pairs => reply.map(len),
            Wanted::Fields | Wanted::Values => reply.array(len),
        }
    }

    #[inline]
    fn write(self, reply: &mut Reply<'_>, field: Element<'_>, value: Element<'_>) {
        if self != Wanted::Values {
            reply_element(reply, field);
        }
        if self != Wanted::Fields {
            reply_element(reply, value);
        }
    }
}

fn hgetall(cx: &mut Context<'_>) -> CommandResult {
    list(cx, Wanted::Pairs)
}

fn hkeys(cx: &mut Context<'_>) -> CommandResult {
    list(cx, Wanted::Fields)
}

fn hvals(cx: &mut Context<'_>) -> CommandResult {
    list(cx, Wanted::Values)
}

fn list(cx: &mut Context<'_>, wanted: Wanted) -> CommandResult {
    let mut db = cx.lock()?;
    let view = read(&mut db, cx.key(0), |hash| {
        wanted.header(&mut cx.reply, hash.map_or(0, HashRef::visible));
        match hash {
            Some(HashRef::Large(hash, now)) if hash.len() > AT_ONCE_MAX => return Some((hash.clone(), now)),
            Some(hash) => hash.each(0, usize::MAX, |field, value| wanted.write(&mut cx.reply, field, value)),
            None => {}
        }
        None
    })?;
    drop(db);
    let Some((view, now)) = view else { return Ok(Outcome::Reply) };
    let mut rank = 0;
    reply_in_parts(cx, move |reply| {
        HashRef::Large(&view, now).each(rank, STEP, |field, value| wanted.write(reply, field, value));
        rank += STEP;
        if rank < view.len() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}
