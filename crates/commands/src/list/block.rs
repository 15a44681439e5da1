//! BLPOP, BRPOP, BLMPOP, BLMOVE and BRPOPLPUSH: who finds no element waits for one.

use larder_engine::{Readiness, Wait};
use larder_resp::Reply;
use larder_store::Position;
use larder_store::list::{End, ListLimit};

use super::movement::{Movement, parse_ends};
use super::pop::{Pop, parse_many};
use super::{len, limit};
use crate::prelude::*;
use crate::timeout;

pub(super) const COMMANDS: &[Command] = &[BLMOVE, BLMPOP, BLPOP, BRPOP, BRPOPLPUSH];

const TIMEOUT_HISTORY: &[(&str, &str)] = &[("6.0.0", "The timeout may have a fraction.")];

const BLPOP: Command = Command {
    name: "blpop",
    syntax: "key [key ...] timeout",
    summary: "Takes an element from the head of the first of several lists that has any, or waits for one.",
    group: Group::List,
    since: "2.0.0",
    complexity: "O(N) where N is the number of lists",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::range(1, -2, 1, Access::READ_AND_DELETE)],
    flags: Flags::WRITE.and(Flags::BLOCKING),
    history: TIMEOUT_HISTORY,
    run: blpop,
    ..Command::PLAIN
};

const BRPOP: Command = Command {
    name: "brpop",
    summary: "Takes an element from the tail of the first of several lists that has any, or waits for one.",
    run: brpop,
    ..BLPOP
};

const BLMPOP: Command = Command {
    name: "blmpop",
    syntax: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    summary: "Takes elements from the first of several lists that has any, or waits for some.",
    since: "7.0.0",
    complexity: "O(N+M) where N is the number of lists and M the number of elements returned",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::counted(2, 1, Access::READ_AND_DELETE)],
    history: &[],
    run: blmpop,
    ..BLPOP
};

const BLMOVE: Command = Command {
    name: "blmove",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
    summary: "Takes an element from one list, or waits for it, and puts it at an end of another.",
    since: "6.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(6),
    keys: &[KeySpec::one(Access::READ_AND_DELETE), KeySpec::at(2, Access::ADD)],
    flags: BLPOP.flags.and(Flags::DENY_OOM),
    history: &[],
    run: blmove,
    ..BLPOP
};

const BRPOPLPUSH: Command = Command {
    name: "brpoplpush",
    syntax: "source destination timeout",
    summary: "Takes the last element of one list, or waits for it, and puts it at the head of another.",
    since: "2.2.0",
    arity: Arity::Exactly(4),
    history: TIMEOUT_HISTORY,
    deprecated: Some(("6.2.0", "`BLMOVE` with the words RIGHT and LEFT")),
    run: brpoplpush,
    ..BLMOVE
};

fn blpop(cx: &mut Context<'_>) -> CommandResult {
    pop_one(cx, End::Head)
}

fn brpop(cx: &mut Context<'_>) -> CommandResult {
    pop_one(cx, End::Tail)
}

fn pop_one(cx: &mut Context<'_>, end: End) -> CommandResult {
    let until = timeout::deadline_in_seconds(cx.args.at(cx.args.len() - 1), cx.now())?;
    pop(cx, Pop { end, count: None, limit: limit(cx.settings) }, until)
}

fn blmpop(cx: &mut Context<'_>) -> CommandResult {
    let until = timeout::deadline_in_seconds(cx.args.at(1), cx.now())?;
    let (end, count) = parse_many(cx.args.starting_at(1))?;
    pop(cx, Pop { end, count: Some(count), limit: limit(cx.settings) }, until)
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

fn blmove(cx: &mut Context<'_>) -> CommandResult {
    let ends = parse_ends(cx.args)?;
    move_one(cx, ends, 5)
}

fn brpoplpush(cx: &mut Context<'_>) -> CommandResult {
    move_one(cx, (End::Tail, End::Head), 3)
}

fn move_one(cx: &mut Context<'_>, ends: (End, End), timeout: usize) -> CommandResult {
    let until = timeout::deadline_in_seconds(cx.args.at(timeout), cx.now())?;
    let mut db = cx.lock()?;
    let (source, destination, limit) = (cx.key(0), cx.key(1), limit(cx.settings));
    if (Movement { ends, limit }).run(&mut db, source, destination, &mut cx.reply)? {
        return Ok(Outcome::Reply);
    }
    if !cx.may_block() {
        cx.reply.null();
        return Ok(Outcome::Reply);
    }
    let (bytes, position) = (destination.bytes.into(), destination.position);
    cx.block(db, &[0], until, WaitingMove { ends, limit, bytes, position })
}

/// An element that is awaited in one list and is to go to another, whose key this is.
struct WaitingMove {
    ends: (End, End),
    limit: ListLimit,
    bytes: Box<[u8]>,
    position: Position,
}

impl Wait for WaitingMove {
    fn readiness(&self, db: &mut Locked<'_>, key: Key<'_>) -> Readiness {
        if !matches!(len(db, key), Ok(Some(_))) {
            Readiness::NotYet
        } else if db.lock_also(self.position) {
            Readiness::Ready
        } else {
            Readiness::Contended
        }
    }

    fn serve(
        &mut self,
        db: &mut Locked<'_>,
        key: Key<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), CommandError> {
        let (ends, limit) = (self.ends, self.limit);
        let destination = Key { bytes: &self.bytes, position: self.position };
        Movement { ends, limit }.run(db, key, destination, reply)?;
        Ok(())
    }

    fn give_up(&self, reply: &mut Reply<'_>) {
        reply.null_array();
    }
}
