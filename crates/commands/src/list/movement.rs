//! LMOVE and RPOPLPUSH: an element goes from one list to another.

use larder_store::Type;
use larder_store::list::End;

use super::{change, len, limit, new, parse_end, popped, push};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[LMOVE, RPOPLPUSH];

const LMOVE: Command = Command {
    name: "lmove",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    summary: "Takes an element from an end of one list and puts it at an end of another, or of the same.",
    group: Group::List,
    since: "6.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(5),
    keys: &[KeySpec::one(Access::READ_AND_DELETE), KeySpec::at(2, Access::ADD)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: lmove,
    ..Command::PLAIN
};

const RPOPLPUSH: Command = Command {
    name: "rpoplpush",
    syntax: "source destination",
    summary: "Takes the last element of a list and puts it at the head of another.",
    since: "1.2.0",
    arity: Arity::Exactly(3),
    deprecated: Some(("6.2.0", "`LMOVE` with the words RIGHT and LEFT")),
    run: rpoplpush,
    ..LMOVE
};

fn lmove(cx: &mut Context<'_>) -> CommandResult {
    let (from, to) = (parse_end(cx.args.at(3))?, parse_end(cx.args.at(4))?);
    move_one(cx, from, to)
}

fn rpoplpush(cx: &mut Context<'_>) -> CommandResult {
    move_one(cx, End::Tail, End::Head)
}

fn move_one(cx: &mut Context<'_>, from: End, to: End) -> CommandResult {
    let mut db = cx.lock()?;
    let (source, destination, limit) = (cx.key(0), cx.key(1), limit(cx.settings));
    if len(&mut db, source)?.is_none() {
        cx.reply.null();
        return Ok(Outcome::Reply);
    }
    db.find_type(destination, Type::List)?;
    let element = change(&mut db, source, limit, |list| {
        let element = list.pop(from, |element| element.to_vec());
        list.settle();
        (element, None)
    })?;
    let element = element.flatten().expect("a list that is there has an element");
    push(&mut db, destination, (to, limit), new(), std::iter::once(&element[..]))?;
    // Told of after the push, as in Redis; a list that lost its only element goes now.
    change(&mut db, source, limit, |_| ((), Some(popped(from))))?;
    cx.reply.bulk(&element);
    Ok(Outcome::Reply)
}
