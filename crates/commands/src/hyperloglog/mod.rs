//! HyperLogLogs: strings that tell about how many different elements were added, in Redis's own format, byte for byte.
//!
//! An element's hash chooses one of 16,384 registers, which keeps the longest run of zeros seen. The string holds them **dense**, six
//! bits each, or **sparse**, as runs, while few are set. Its header caches the last estimate.

use larder_store::{Entry, Type, Value};

use self::estimate::Histogram;
use self::sketch::{Problem, Sketch};
use crate::prelude::*;

mod debug;
mod dense;
mod estimate;
mod murmur;
mod sketch;
mod sparse;

pub(crate) const COMMANDS: &[&[Command]] = &[&[PFADD, PFCOUNT, PFMERGE], debug::COMMANDS];

/// The number of registers.
const REGISTERS: usize = 1 << 14;

const CHANGED: Event = Event::string("pfadd");

const PFADD: Command = Command {
    name: "pfadd",
    syntax: "key [element [element ...]]",
    summary: "Adds elements to a HyperLogLog; a missing one is created.",
    group: Group::HyperLogLog,
    since: "2.8.9",
    complexity: "O(1) for each element",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::ADD)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    run: pfadd,
    ..Command::PLAIN
};

const PFCOUNT: Command = Command {
    name: "pfcount",
    syntax: "key [key ...]",
    summary: "Estimates how many different elements were added to HyperLogLogs.",
    group: Group::HyperLogLog,
    since: "2.8.9",
    complexity: "O(1), mostly without computing; O(N) for N keys",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec {
        notes: "RW because the estimate is kept in the value.",
        ..KeySpec::all(Access::READ_AND_CACHE)
    }],
    flags: Flags::READONLY.and(Flags::MAY_REPLICATE),
    run: pfcount,
    ..Command::PLAIN
};

const PFMERGE: Command = Command {
    name: "pfmerge",
    syntax: "destkey [sourcekey [sourcekey ...]]",
    summary: "Makes a HyperLogLog of all that was added to several.",
    group: Group::HyperLogLog,
    since: "2.8.9",
    complexity: "O(N) where N is the number of keys",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ_AND_ADD), KeySpec::range(2, -1, 1, Access::READ)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: pfmerge,
    ..Command::PLAIN
};

impl From<Problem> for CommandError {
    fn from(problem: Problem) -> CommandError {
        CommandError::line(match problem {
            Problem::Foreign => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            Problem::Corrupted => "INVALIDOBJ Corrupted HLL object detected",
        })
    }
}

/// The bytes of a string, if it has the form of a HyperLogLog.
fn bytes_of(entry: &Entry) -> Result<&[u8], CommandError> {
    if entry.value_type() != Type::String {
        return Err(CommandError::WrongType);
    }
    let bytes = match entry.value() {
        Value::Int(_) => &[],
        Value::Inline(bytes) => bytes,
        Value::Block(block) => block.as_slice(),
    };
    sketch::check(bytes)?;
    Ok(bytes)
}

/// A copy of the HyperLogLog of a key.
fn find(db: &mut Locked<'_>, key: Key<'_>) -> Result<Option<Sketch>, CommandError> {
    let Some(entry) = db.touch(key) else { return Ok(None) };
    Ok(Some(Sketch::of(bytes_of(&entry)?)))
}

fn pfadd(cx: &mut Context<'_>) -> CommandResult {
    let sparse_max = usize::try_from(cx.settings.hll_sparse_max_bytes).unwrap_or(usize::MAX);
    let mut db = cx.lock()?;
    let key = cx.key(0);
    let found = match db.touch(key) {
        Some(entry) => {
            let bytes = bytes_of(&entry)?;
            if sketch::is_dense(bytes) {
                let changes = cx.args.from(2).any(|element| sketch::is_new(bytes, element));
                return add_in_place(cx, &mut db, changes);
            }
            Some(Sketch::of(bytes))
        }
        None => None,
    };
    let mut changed = found.is_none();
    let mut sketch = found.unwrap_or_default();
    for element in cx.args.from(2) {
        changed |= sketch.add(element, sparse_max)?;
    }
    if changed {
        sketch.forget_cached();
        db.put_value(key, NewValue::raw(&sketch.bytes()), CHANGED);
    }
    cx.reply.integer(i64::from(changed));
    Ok(Outcome::Reply)
}

/// Adds to dense registers where they lie, if that changes any.
fn add_in_place(cx: &mut Context<'_>, db: &mut Locked<'_>, changes: bool) -> CommandResult {
    if changes {
        let elements = cx.args.from(2);
        db.change_string(cx.key(0), 0, CHANGED, |bytes| {
            elements.for_each(|element| sketch::add_in_place(bytes, element));
        })?;
    }
    cx.reply.integer(i64::from(changes));
    Ok(Outcome::Reply)
}

fn pfcount(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    if cx.args.len() > 2 {
        let mut registers = [0; REGISTERS];
        for key in cx.keys() {
            if let Some(entry) = db.read(key) {
                sketch::merge(bytes_of(&entry)?, &mut registers)?;
            }
        }
        cx.reply.unsigned(Histogram::of(&registers).estimate());
        return Ok(Outcome::Reply);
    }
    let key = cx.key(0);
    let Some(entry) = db.read(key) else {
        cx.reply.integer(0);
        return Ok(Outcome::Reply);
    };
    let mut sketch = Sketch::of(bytes_of(&entry)?);
    let estimate = match sketch.cached() {
        Some(cached) => cached,
        None => {
            let estimate = sketch.estimate()?;
            sketch.cache(estimate);
            db.put_value(key, NewValue::raw(&sketch.bytes()), Event::UNTOLD);
            estimate
        }
    };
    cx.reply.unsigned(estimate);
    Ok(Outcome::Reply)
}

fn pfmerge(cx: &mut Context<'_>) -> CommandResult {
    let sparse_max = usize::try_from(cx.settings.hll_sparse_max_bytes).unwrap_or(usize::MAX);
    let mut db = cx.lock()?;
    let mut registers = [0; REGISTERS];
    let mut dense = false;
    for key in cx.keys() {
        if let Some(entry) = db.touch(key) {
            let bytes = bytes_of(&entry)?;
            dense |= sketch::is_dense(bytes);
            sketch::merge(bytes, &mut registers)?;
        }
    }
    let destination = cx.key(0);
    let mut sketch = find(&mut db, destination)?.unwrap_or_default();
    if dense {
        sketch.make_dense()?;
    }
    for (register, count) in registers.iter().enumerate().filter(|(_, count)| **count > 0) {
        sketch.raise(register, *count, sparse_max)?;
    }
    sketch.forget_cached();
    db.put_value(destination, NewValue::raw(&sketch.bytes()), CHANGED);
    cx.reply.ok();
    Ok(Outcome::Reply)
}
