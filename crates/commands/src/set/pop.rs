//! SPOP: members by chance, taken out.

use larder_store::set::SetRef;
use larder_store::{Digits, Element};

use super::{change, limits};
use crate::element::reply_element;
use crate::members::rank_below;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[SPOP];

const POPPED: Event = Event::set("spop");

const SPOP: Command = Command {
    name: "spop",
    syntax: "key [count]",
    summary: "Removes members from a set by chance and returns them; the set goes with its last member.",
    group: Group::Set,
    since: "1.0.0",
    complexity: "O(1); O(N) with a count of N",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ_AND_DELETE)],
    flags: Flags::WRITE.and(Flags::FAST),
    tips: &["nondeterministic_output"],
    history: &[("3.2.0", "Added the argument count.")],
    logged: |_| Logged::AsSaid,
    run: spop,
    ..Command::PLAIN
};

fn spop(cx: &mut Context<'_>) -> CommandResult {
    match cx.args.len() {
        2 => pop_one(cx),
        3 => pop_many(cx),
        _ => Err(CommandError::Syntax),
    }
}

fn pop_one(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let mut removed = Removed::noted_if(db.is_logged());
    let popped = change(&mut db, cx.key(0), limits(cx.settings), |set| {
        let rank = rank_below(set.as_ref().len(), cx.random);
        set.remove_at(rank, |member| {
            removed.note(member);
            reply_element(&mut cx.reply, member);
        });
        ((), Some(POPPED))
    })?;
    removed.log(&mut db, cx.key(0));
    if popped.is_none() {
        cx.reply.null();
    }
    Ok(Outcome::Reply)
}

fn pop_many(cx: &mut Context<'_>) -> CommandResult {
    let count = cx.args.integer(2).ok().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(CommandError::line("ERR value is out of range, must be positive"))?;
    let mut db = cx.lock()?;
    let key = cx.key(0);
    let len = super::read_quietly(&mut db, key, |set| set.map_or(0, SetRef::len))?;
    cx.reply.set(count.min(len));
    if count == 0 || len == 0 {
        return Ok(Outcome::Reply);
    }
    let mut removed = Removed::noted_if(db.is_logged());
    let mut reply = |member: Element<'_>| reply_element(&mut cx.reply, member);
    if count >= len {
        super::read_quietly(&mut db, key, |set| {
            if let Some(set) = set {
                set.each(0, usize::MAX, reply);
            }
        })?;
        db.note(key, POPPED);
        db.delete(key, Event::DELETED);
        db.log_as(&[b"DEL", key.bytes]);
        return Ok(Outcome::Reply);
    }
    change(&mut db, key, limits(cx.settings), |set| {
        for left in (len - count + 1..=len).rev() {
            set.remove_at(rank_below(left, cx.random), |member| {
                removed.note(member);
                reply(member);
            });
        }
        ((), Some(POPPED))
    })?;
    removed.log(&mut db, key);
    Ok(Outcome::Reply)
}

/// Members that chance has chosen, for the append log.
enum Removed {
    /// Nobody asks.
    Untold,
    Noted(Vec<Vec<u8>>),
}

impl Removed {
    fn noted_if(logged: bool) -> Removed {
        if logged { Removed::Noted(Vec::new()) } else { Removed::Untold }
    }

    fn note(&mut self, member: Element<'_>) {
        if let Removed::Noted(members) = self {
            members.push(member.text(&mut Digits::default()).to_vec());
        }
    }

    fn log(self, db: &mut Locked<'_>, key: Key<'_>) {
        if let Removed::Noted(members) = self
            && !members.is_empty()
        {
            let words: Vec<&[u8]> =
                [&b"SREM"[..], key.bytes].into_iter().chain(members.iter().map(Vec::as_slice)).collect();
            db.log_as(&words);
        }
    }
}
