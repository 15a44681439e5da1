//! BZPOPMIN, BZPOPMAX and BZMPOP: who finds no member waits for one.

use larder_engine::{Readiness, Wait};
use larder_resp::Reply;
use larder_store::zset::Direction;

use super::pop::{Pop, parse_many};
use super::{len, limits};
use crate::prelude::*;
use crate::timeout;

pub(super) const COMMANDS: &[Command] = &[BZMPOP, BZPOPMAX, BZPOPMIN];

const BZPOPMIN: Command = Command {
    name: "bzpopmin",
    syntax: "key [key ...] timeout",
    summary: "Takes the member with the lowest score from the first of several sorted sets that has any, or waits for one.",
    group: Group::SortedSet,
    since: "5.0.0",
    complexity: "O(log N) where N is the number of members",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::range(1, -2, 1, Access::READ_AND_DELETE)],
    flags: Flags::WRITE.and(Flags::FAST).and(Flags::BLOCKING),
    history: &[("6.0.0", "The timeout may have a fraction.")],
    run: bzpopmin,
    ..Command::PLAIN
};

const BZPOPMAX: Command = Command {
    name: "bzpopmax",
    summary: "Takes the member with the highest score from the first of several sorted sets that has any, or waits for one.",
    run: bzpopmax,
    ..BZPOPMIN
};

const BZMPOP: Command = Command {
    name: "bzmpop",
    syntax: "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    summary: "Takes the lowest or highest members from the first of several sorted sets that has any, or waits for some.",
    since: "7.0.0",
    complexity: "O(K) + O(M*log N) where K is the number of sets, N the number of members and M the number of those returned",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::counted(2, 1, Access::READ_AND_DELETE)],
    flags: Flags::WRITE.and(Flags::BLOCKING),
    history: &[],
    run: bzmpop,
    ..BZPOPMIN
};

fn bzpopmin(cx: &mut Context<'_>) -> CommandResult {
    pop_one(cx, Direction::Ascending)
}

fn bzpopmax(cx: &mut Context<'_>) -> CommandResult {
    pop_one(cx, Direction::Descending)
}

fn pop_one(cx: &mut Context<'_>, from: Direction) -> CommandResult {
    let until = timeout::deadline_in_seconds(cx.args.at(cx.args.len() - 1), cx.now())?;
    pop(cx, Pop { from, count: None, limits: limits(cx.settings) }, until)
}

fn bzmpop(cx: &mut Context<'_>) -> CommandResult {
    let until = timeout::deadline_in_seconds(cx.args.at(1), cx.now())?;
    let (from, count) = parse_many(cx.args.starting_at(1))?;
    pop(cx, Pop { from, count: Some(count), limits: limits(cx.settings) }, until)
}

fn pop(cx: &mut Context<'_>, pop: Pop, until: Option<UnixMillis>) -> CommandResult {
    let mut db = cx.lock()?;
    for key in cx.keys() {
        if pop.pop(&mut db, key, &mut cx.reply)? {
            return Ok(Outcome::Reply);
        }
    }
    let all: Vec<usize> = (0..cx.keys().len()).collect();
    cx.block(db, &all, until, pop)
}

impl Wait for Pop {
    fn readiness(&self, db: &mut Locked<'_>, key: Key<'_>) -> Readiness {
        if matches!(len(db, key), Ok(Some(_))) { Readiness::Ready } else { Readiness::NotYet }
    }

    fn serve(
        &mut self,
        db: &mut Locked<'_>,
        key: Key<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), CommandError> {
        self.pop(db, key, reply)?;
        Ok(())
    }

    fn give_up(&self, reply: &mut Reply<'_>) {
        reply.null_array();
    }
}
