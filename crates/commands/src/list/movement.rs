//! LMOVE and RPOPLPUSH: an element goes from one list to another.

use larder_resp::Reply;
use larder_store::list::{End, ListLimit};
use larder_store::{Type, WrongType};

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
    let ends = parse_ends(cx.args)?;
    move_one(cx, ends)
}

fn rpoplpush(cx: &mut Context<'_>) -> CommandResult {
    move_one(cx, (End::Tail, End::Head))
}

/// The ends between which LMOVE and its kin move.
pub(super) fn parse_ends(args: Args<'_>) -> Result<(End, End), CommandError> {
    Ok((parse_end(args.at(3))?, parse_end(args.at(4))?))
}

fn move_one(cx: &mut Context<'_>, ends: (End, End)) -> CommandResult {
    let mut db = cx.lock()?;
    let movement = Movement { ends, limit: limit(cx.settings) };
    if !movement.run(&mut db, cx.key(0), cx.key(1), &mut cx.reply)? {
        cx.reply.null();
    }
    Ok(Outcome::Reply)
}

/// The word for an end.
fn name_of(end: End) -> &'static [u8] {
    match end {
        End::Head => b"LEFT",
        End::Tail => b"RIGHT",
    }
}

/// An element's way from the end of one list to the end of another.
pub(super) struct Movement {
    pub(super) ends: (End, End),
    pub(super) limit: ListLimit,
}

impl Movement {
    /// Moves an element if the source is there, and writes it; says whether it was.
    pub(super) fn run(
        &self,
        db: &mut Locked<'_>,
        source: Key<'_>,
        destination: Key<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<bool, WrongType> {
        let ((from, to), limit) = (self.ends, self.limit);
        if len(db, source)?.is_none() {
            return Ok(false);
        }
        db.find_type(destination, Type::List)?;
        let element = change(db, source, limit, |list| {
            let element = list.pop(from, |element| element.to_vec());
            list.settle();
            (element, None)
        })?;
        let element = element.flatten().expect("a list that is there has an element");
        push(db, destination, (to, limit), new(), std::iter::once(&element[..]))?;
        // Told of after the push, as in Redis; a list that lost its only element goes now.
        change(db, source, limit, |_| ((), Some(popped(from))))?;
        db.log_as(&[b"LMOVE", source.bytes, destination.bytes, name_of(from), name_of(to)]);
        reply.bulk(&element);
        Ok(true)
    }
}
