//! COPY, MOVE, RENAME and RENAMENX: values under another key or in another database.

use larder_store::DbIndex;

use crate::database;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[COPY, MOVE, RENAME, RENAMENX];

const COPIED: Event = Event::generic("copy_to");
const MOVED_FROM: Event = Event::generic("move_from");
const MOVED_TO: Event = Event::generic("move_to");
const RENAMED_FROM: Event = Event::generic("rename_from");
const RENAMED_TO: Event = Event::generic("rename_to");

const SAME_OBJECT: CommandError = CommandError::line("ERR source and destination objects are the same");
const TAKEN: &str = "it was found a moment ago, and its stripe is locked";

const COPY: Command = Command {
    name: "copy",
    syntax: "source destination [DB destination-db] [REPLACE]",
    summary: "Copies a value with its expiry to another key, in this database or another.",
    group: Group::Generic,
    since: "6.2.0",
    complexity: "O(N) where N is the number of elements of a collection; O(1) for a large string, whose bytes are shared",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::at(1, Access::READ), KeySpec::at(2, Access::OVERWRITE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: copy,
    ..Command::PLAIN
};

const MOVE: Command = Command {
    name: "move",
    syntax: "key db",
    summary: "Moves a key to another database, unless there is one of its name.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::one(Access::READ_AND_UPDATE)],
    flags: Flags::WRITE.and(Flags::FAST),
    run: move_key,
    ..Command::PLAIN
};

const RENAME: Command = Command {
    name: "rename",
    syntax: "key newkey",
    summary: "Gives a key another name, over any key that has it.",
    group: Group::Generic,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::at(1, Access::READ_AND_DELETE), KeySpec::at(2, Access::OVERWRITE)],
    flags: Flags::WRITE,
    run: rename,
    ..Command::PLAIN
};

const RENAMENX: Command = Command {
    name: "renamenx",
    summary: "Gives a key another name, unless a key has it.",
    keys: &[KeySpec::at(1, Access::READ_AND_DELETE), KeySpec::at(2, Access::CREATE)],
    flags: Flags::WRITE.and(Flags::FAST),
    history: &[("3.2.0", "The same name twice is no error any more.")],
    run: renamenx,
    ..RENAME
};

fn copy(cx: &mut Context<'_>) -> CommandResult {
    let CopyOptions { db: target_db, existing } = CopyOptions::parse(cx)?;
    let (source, target) = (cx.key(0), cx.key(1));
    if target_db == cx.client.db && source.bytes == target.bytes {
        return Err(SAME_OBJECT);
    }

    let mut db = cx.lock()?;
    let found = db.read(source).is_some();
    db.select(target_db);
    let copies = found && (existing == Existing::Replaced || db.touch(target).is_none());
    if copies {
        db.select(cx.client.db);
        let mut copy = db.inspect(source).map(|entry| entry.renamed(target.bytes)).expect(TAKEN);
        copy.set_access(cx.moment.policy.created(cx.now()));
        db.select(target_db);
        db.place(target, copy, COPIED);
    }

    cx.reply.integer(i64::from(copies));
    Ok(Outcome::Reply)
}

fn move_key(cx: &mut Context<'_>) -> CommandResult {
    let target_db = database::parse(cx, cx.args.at(2))?;
    if target_db == cx.client.db {
        return Err(SAME_OBJECT);
    }

    let mut db = cx.lock()?;
    let key = cx.key(0);
    let found = db.touch(key).is_some();
    db.select(target_db);
    let moves = found && db.touch(key).is_none();
    if moves {
        db.select(cx.client.db);
        let entry = db.take(key, MOVED_FROM).expect(TAKEN);
        db.select(target_db);
        db.place(key, entry, MOVED_TO);
    }

    cx.reply.integer(i64::from(moves));
    Ok(Outcome::Reply)
}

fn rename(cx: &mut Context<'_>) -> CommandResult {
    put_name(cx, Existing::Replaced)?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn renamenx(cx: &mut Context<'_>) -> CommandResult {
    let renamed = put_name(cx, Existing::Kept)?;
    cx.reply.integer(i64::from(renamed));
    Ok(Outcome::Reply)
}

/// Gives the first key the name of the second. Says whether it could: it keeps its own where a key of that name is kept.
fn put_name(cx: &mut Context<'_>, existing: Existing) -> Result<bool, CommandError> {
    let (key, new_key) = (cx.key(0), cx.key(1));

    let mut db = cx.lock()?;
    if db.touch(key).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    if existing == Existing::Kept && db.touch(new_key).is_some() {
        return Ok(false);
    }
    if key.bytes != new_key.bytes {
        let entry = db.take(key, RENAMED_FROM).expect(TAKEN);
        db.place(new_key, entry, RENAMED_TO);
    }
    Ok(true)
}

/// What becomes of a key that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    Kept,
    Replaced,
}

#[derive(Debug)]
struct CopyOptions {
    db: DbIndex,
    existing: Existing,
}

impl CopyOptions {
    fn parse(cx: &Context<'_>) -> Result<CopyOptions, CommandError> {
        let mut options = CopyOptions { db: cx.client.db, existing: Existing::Kept };
        let mut words = cx.args.from(3);
        while let Some(word) = words.next() {
            if is_word(word, "replace") {
                options.existing = Existing::Replaced;
            } else if is_word(word, "db") {
                options.db = database::parse(cx, words.value()?)?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}
