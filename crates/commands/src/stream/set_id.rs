//! XSETID: what a stream keeps beside its entries.

use larder_store::Type;
use larder_store::stream::{Stream, StreamId};

use super::{change, id};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XSETID];

const XSETID: Command = Command {
    name: "xsetid",
    syntax: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    summary: "Sets the last id of a stream, and how many entries were ever added.",
    arity: Arity::AtLeast(3),
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    history: &[("7.0.0", "Added the options ENTRIESADDED and MAXDELETEDID.")],
    run: xsetid,
    ..super::PLAIN
};

struct New {
    last_id: StreamId,
    entries_added: Option<u64>,
    max_deleted_id: Option<StreamId>,
}

impl New {
    fn parse(args: Args<'_>) -> Result<New, CommandError> {
        let mut new = New { last_id: id::parse(args.at(2), 0)?, entries_added: None, max_deleted_id: None };
        let mut words = args.from(3);
        while let Some(word) = words.next() {
            if is_word(word, "entriesadded") && !words.is_empty() {
                let count = u64::try_from(words.integer()?);
                new.entries_added =
                    Some(count.map_err(|_| CommandError::line("ERR entries_added must be positive"))?);
            } else if is_word(word, "maxdeletedid") && !words.is_empty() {
                let max_deleted = id::parse(words.value()?, 0)?;
                if new.last_id < max_deleted {
                    return Err(CommandError::line(
                        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                    ));
                }
                new.max_deleted_id = Some(max_deleted).filter(|id| *id != StreamId::MIN);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(new)
    }

    /// Whether a stream may have these.
    fn check(&self, stream: &Stream) -> Result<(), CommandError> {
        if self.last_id < stream.max_deleted_id {
            let line = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
            return Err(CommandError::line(line));
        }
        if stream.last_entry_id().is_some_and(|last| self.last_id < last) {
            let line = "ERR The ID specified in XSETID is smaller than the target stream top item";
            return Err(CommandError::line(line));
        }
        if !stream.is_empty() && self.entries_added.is_some_and(|added| added < stream.len() as u64) {
            let line = "ERR The entries_added specified in XSETID is smaller than the target stream length";
            return Err(CommandError::line(line));
        }
        Ok(())
    }
}

fn xsetid(cx: &mut Context<'_>) -> CommandResult {
    let new = New::parse(cx.args)?;
    let mut db = cx.lock()?;
    match db.find_type(cx.key(0), Type::Stream)? {
        Some(entry) => new.check(Stream::of(&entry))?,
        None => return Err(CommandError::NoSuchKey),
    }
    change(&mut db, cx.key(0), |stream| {
        stream.last_id = new.last_id;
        stream.entries_added = new.entries_added.unwrap_or(stream.entries_added);
        stream.max_deleted_id = new.max_deleted_id.unwrap_or(stream.max_deleted_id);
        ((), Some(Event::stream("xsetid")))
    })?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}
