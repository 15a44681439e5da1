//! BITOP: combining strings bit by bit.
//!
//! Few bytes are combined at once, under the lock. Many are combined from views of the sources, taken under the lock and read
//! without it, in steps between which other clients of the worker have their turn. In the end all keys are locked again, and
//! the result is stored if every source is still what it was; this makes the command atomic. To tell is cheap: a block is
//! copied before it is changed while somebody holds it, so a source that is still the same block still holds the same bytes.
//! Else the command begins anew; after [`TRIES`] it does all its work under the lock, so it always comes to an end.
//!
//! What it costs: a source changed meanwhile is copied once by whoever changes it; and against clients that change the sources
//! all the time, up to [`TRIES`] results are thrown away before one long hold of the stripes.

use std::ops::ControlFlow;

use larder_store::table::Borrowed;
use larder_store::{BLOCK_MIN_BYTES, Block, Entry, WrongType};

use super::combine::Operation;
use super::{STEP_BYTES, bytes};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[BITOP];

/// Results that are made without a lock before the command insists.
const TRIES: u32 = 3;

const BITOP: Command = Command {
    name: "bitop",
    syntax: "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]",
    summary: "Combines strings bit by bit and stores the result, which is as long as the longest of them.",
    group: Group::Bitmap,
    since: "2.6.0",
    complexity: "O(N)",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::at(2, Access::OVERWRITE), KeySpec::range(3, -1, 1, Access::READ)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    history: &[("8.2.0", "Added the operations DIFF, DIFF1, ANDOR and ONE.")],
    run: bitop,
    ..Command::PLAIN
};

fn bitop(cx: &mut Context<'_>) -> CommandResult {
    let operation = parse(cx.args)?;

    let mut db = cx.lock()?;
    let sources = views(&mut db, cx, Locked::read_string)?;
    let mut work = Work::new(operation, sources);
    if work.is_short() {
        work.combine(usize::MAX);
        work.store(&mut db, cx);
        return Ok(Outcome::Reply);
    }
    Ok(Outcome::in_steps(move |cx| work.step(cx)))
}

fn parse(args: Args<'_>) -> Result<Operation, CommandError> {
    const OPERATIONS: [(&str, Operation); 8] = [
        ("and", Operation::And),
        ("or", Operation::Or),
        ("xor", Operation::Xor),
        ("not", Operation::Not),
        ("diff", Operation::Diff),
        ("diff1", Operation::Diff1),
        ("andor", Operation::AndOr),
        ("one", Operation::One),
    ];
    const NEEDS_TWO: &str = "must be called with at least two source keys.";
    let sources = args.len() - 3;
    let found = OPERATIONS.into_iter().find(|(name, _)| is_word(args.at(1), name));
    match found.ok_or(CommandError::Syntax)? {
        (_, Operation::Not) if sources != 1 => {
            Err(CommandError::line("ERR BITOP NOT must be called with a single source key."))
        }
        (name, Operation::Diff | Operation::Diff1 | Operation::AndOr) if sources < 2 => {
            Err(CommandError::Line(format!("ERR BITOP {} {NEEDS_TWO}", name.to_uppercase()).into()))
        }
        (_, operation) => Ok(operation),
    }
}

/// The bytes of a source as they were when its stripe was locked.
enum View {
    /// No key, or a short string.
    Copy(Vec<u8>),
    Shared(Block),
}

impl View {
    fn bytes(&self) -> &[u8] {
        match self {
            View::Copy(bytes) => bytes,
            View::Shared(block) => block,
        }
    }

    /// Whether another view of the same key, taken later, shows that nothing has changed.
    fn is_still(&self, later: &View) -> bool {
        match (self, later) {
            (View::Copy(bytes), View::Copy(later)) => bytes == later,
            (View::Shared(block), View::Shared(later)) => Block::ptr_eq(block, later),
            _ => false,
        }
    }
}

/// How a string is looked up: [`Locked::read_string`] or [`Locked::string`].
type Look<'a> = for<'d> fn(&'d mut Locked<'a>, Key<'_>) -> Result<Option<Borrowed<'d, Entry>>, WrongType>;

/// Views of all sources.
fn views<'a>(db: &mut Locked<'a>, cx: &Context<'a>, look: Look<'a>) -> Result<Vec<View>, CommandError> {
    let mut digits = itoa::Buffer::new();
    let sources = cx.keys().skip(1);
    let mut views = Vec::with_capacity(sources.len());
    for key in sources {
        views.push(match look(db, key)?.as_deref().map(Entry::value) {
            None => View::Copy(Vec::new()),
            Some(Value::Block(block)) => View::Shared(Block::clone(block)),
            Some(short) => View::Copy(bytes(short, &mut digits).to_vec()),
        });
    }
    Ok(views)
}

/// A result half made.
struct Work {
    operation: Operation,
    sources: Vec<View>,
    /// How long the result will be.
    len: usize,
    /// As much of it as is made. Its memory is taken when the making begins, not under the lock, and touched as it is filled.
    result: Vec<u8>,
    tries: u32,
}

impl Work {
    fn new(operation: Operation, sources: Vec<View>) -> Work {
        let len = sources.iter().map(|source| source.bytes().len()).max().unwrap_or(0);
        Work { operation, sources, len, result: Vec::new(), tries: TRIES }
    }

    /// Whether all of it may be done in one step.
    fn is_short(&self) -> bool {
        self.len.saturating_mul(self.sources.len()) <= STEP_BYTES
    }

    /// Makes so many more bytes of the result.
    fn combine(&mut self, len: usize) {
        let start = self.result.len();
        let end = start.saturating_add(len).min(self.len);
        self.result.reserve_exact(self.len - start);
        self.result.resize(end, 0);
        let sources: Vec<&[u8]> = self.sources.iter().map(View::bytes).collect();
        self.operation.combine(&sources, start, &mut self.result[start..]);
    }

    /// Makes a part of the result; or, once it is whole, stores it, unless it has to be made anew.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<ControlFlow<()>, CommandError> {
        if self.result.len() < self.len {
            self.combine((STEP_BYTES / self.sources.len()).max(1));
            return Ok(ControlFlow::Continue(()));
        }
        let mut db = cx.lock()?;
        let sources = views(&mut db, cx, Locked::string)?;
        let unchanged = self.sources.iter().zip(&sources).all(|(source, later)| source.is_still(later));
        if !unchanged {
            self.release(cx);
            *self = Work { tries: self.tries - 1, ..Work::new(self.operation, sources) };
            if self.tries > 0 {
                return Ok(ControlFlow::Continue(()));
            }
            self.combine(usize::MAX);
        }
        self.store(&mut db, cx);
        Ok(ControlFlow::Break(()))
    }

    /// Puts the result in place and replies with its length. An empty result deletes the key.
    fn store(&mut self, db: &mut Locked<'_>, cx: &mut Context<'_>) {
        let destination = cx.key(0);
        let result = std::mem::take(&mut self.result);
        let len = result.len();
        let value =
            if len < BLOCK_MIN_BYTES { NewValue::raw(&result) } else { NewValue::Block(Block::new(result)) };
        if len == 0 {
            db.delete(destination, Event::DELETED);
        } else {
            db.put(destination, &Attributes::default(), value, Event::string("set"));
        }
        self.release(cx);
        cx.reply.integer(len as i64);
    }

    fn release(&mut self, cx: &Context<'_>) {
        for source in self.sources.drain(..) {
            if let View::Shared(block) = source {
                cx.node.keyspace.discard_block(block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_source_is_seen() {
        let mut block = Block::new(vec![0; BLOCK_MIN_BYTES]);
        let view = View::Shared(Block::clone(&block));
        assert!(view.is_still(&View::Shared(Block::clone(&block))));
        // What a writer does to a block that is shared.
        Block::make_mut(&mut block)[0] = 0;
        assert!(!view.is_still(&View::Shared(block)), "changed and changed back");
        assert!(!view.is_still(&View::Copy(Vec::new())), "deleted or replaced by a short string");
        assert!(View::Copy(vec![1]).is_still(&View::Copy(vec![1])));
        assert!(!View::Copy(vec![1]).is_still(&View::Copy(vec![2])));
    }

    #[test]
    fn steps_make_the_whole_result() {
        let sources = || vec![View::Copy(vec![0b1100; 1000]), View::Copy(vec![0b1010; 700])];
        let mut work = Work::new(Operation::Xor, sources());
        while work.result.len() < work.len {
            work.combine(64);
        }
        assert_eq!(work.result, [vec![0b0110; 700], vec![0b1100; 300]].concat());
    }
}
