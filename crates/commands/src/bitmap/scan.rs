//! BITCOUNT and BITPOS: looking through the bits of a string.
//!
//! A string that is a counted block is looked through after its stripe is unlocked, in steps between which other clients of
//! the worker have their turn. The answer is true of the moment at which the key was read. What it costs: whoever changes the
//! key meanwhile has to copy the block.

use std::ops::{ControlFlow, Range};

use larder_store::Block;

use super::range::GivenRange;
use super::{STEP_BYTES, bits, bytes};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[BITCOUNT, BITPOS];

const BITCOUNT: Command = Command {
    name: "bitcount",
    syntax: "key [start [end [BYTE | BIT]]]",
    summary: "Counts the bits that are set in a string or a part of it.",
    group: Group::Bitmap,
    since: "2.6.0",
    complexity: "O(N)",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    history: &[
        ("7.0.0", "Added the option BYTE or BIT."),
        ("8.0.0", "The end may be left out and is then the last byte."),
    ],
    run: bitcount,
    ..Command::PLAIN
};

const BITPOS: Command = Command {
    name: "bitpos",
    syntax: "key bit [start [end [BYTE | BIT]]]",
    summary: "Returns the offset of the first bit that is set, or clear, in a string or a part of it.",
    group: Group::Bitmap,
    since: "2.8.7",
    complexity: "O(N)",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    history: &[("7.0.0", "Added the option BYTE or BIT.")],
    run: bitpos,
    ..Command::PLAIN
};

fn bitcount(cx: &mut Context<'_>) -> CommandResult {
    let range = GivenRange::parse(cx.args, 2)?;
    let count = Query::Count { so_far: 0 };
    look_through(cx, 0, |len| Scan {
        query: count,
        rest: if range.is_reversed() { 0..0 } else { range.bits(len) },
    })
}

fn bitpos(cx: &mut Context<'_>) -> CommandResult {
    let bit = match cx.args.integer(2)? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::line("ERR The bit argument must be 1 or 0.")),
    };
    let range = GivenRange::parse(cx.args, 3)?;

    // A key that does not exist is zeros without an end.
    look_through(cx, if bit { -1 } else { 0 }, |len| {
        let rest = range.bits(len);
        // So is what follows a string, unless the range has an end.
        let otherwise = if bit || range.has_end() || rest.is_empty() { -1 } else { rest.end as i64 };
        Scan { query: Query::Find { bit, otherwise }, rest }
    })
}

/// Answers what `scan` finds in the key's string, whose length in bytes it is given, or `absent` when there is no key.
fn look_through(cx: &mut Context<'_>, absent: i64, scan: impl FnOnce(usize) -> Scan) -> CommandResult {
    let mut db = cx.lock()?;
    let Some(entry) = db.read_string(cx.key(0))? else {
        cx.reply.integer(absent);
        return Ok(Outcome::Reply);
    };
    let mut scan = scan(entry.value_len());
    let Value::Block(block) = entry.value() else {
        let mut digits = itoa::Buffer::new();
        let short = bytes(entry.value(), &mut digits);
        cx.reply.integer(scan.finish(short));
        return Ok(Outcome::Reply);
    };
    let mut block = Block::clone(block);
    drop(db);

    let mut step = move |cx: &mut Context<'_>| match scan.step(&block) {
        None => ControlFlow::Continue(()),
        Some(answer) => {
            cx.node.keyspace.discard_block(std::mem::take(&mut block));
            cx.reply.integer(answer);
            ControlFlow::Break(())
        }
    };
    Ok(match step(cx) {
        ControlFlow::Break(()) => Outcome::Reply,
        ControlFlow::Continue(()) => Outcome::in_steps(move |cx| Ok(step(cx))),
    })
}

/// What is asked of a range of bits.
#[derive(Clone, Copy, Debug)]
enum Query {
    /// How many are set; and how many were found so far.
    Count { so_far: u64 },
    /// Where the first with this value is; what to answer if there is none.
    Find { bit: bool, otherwise: i64 },
}

/// A question half answered.
#[derive(Debug)]
struct Scan {
    query: Query,
    /// The bits not yet looked at.
    rest: Range<u64>,
}

impl Scan {
    fn finish(&mut self, bytes: &[u8]) -> i64 {
        loop {
            if let Some(answer) = self.step(bytes) {
                return answer;
            }
        }
    }

    /// Looks at [`STEP_BYTES`] more; the answer, once it is certain.
    fn step(&mut self, bytes: &[u8]) -> Option<i64> {
        let end = self.rest.end.min((self.rest.start / 8 + STEP_BYTES as u64) * 8);
        let piece = self.rest.start..end;
        self.rest.start = end;
        match &mut self.query {
            Query::Count { so_far } => {
                *so_far += bits::count(bytes, piece);
                self.rest.is_empty().then_some(*so_far as i64)
            }
            Query::Find { bit, otherwise } => match bits::find(bytes, piece, *bit) {
                Some(offset) => Some(offset as i64),
                None => self.rest.is_empty().then_some(*otherwise),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up() {
        let len = 3 * STEP_BYTES;
        let mut bytes = vec![0_u8; len];
        bytes[2 * STEP_BYTES] = 0b0001_0000;
        let offset = 2 * STEP_BYTES as u64 * 8 + 3;
        for start in [0, 3, 8 * STEP_BYTES as u64 - 1, offset] {
            let rest = start..len as u64 * 8;
            let mut count = Scan { query: Query::Count { so_far: 0 }, rest: rest.clone() };
            assert_eq!(count.finish(&bytes), 1);
            let mut find = Scan { query: Query::Find { bit: true, otherwise: -1 }, rest };
            assert_eq!(find.finish(&bytes), offset as i64);
        }
        let mut beyond =
            Scan { query: Query::Find { bit: true, otherwise: -1 }, rest: offset + 1..len as u64 * 8 };
        assert_eq!(beyond.finish(&bytes), -1);
    }

    #[test]
    fn a_long_scan_takes_several_steps() {
        let bytes = vec![u8::MAX; 2 * STEP_BYTES + 1];
        let mut scan = Scan { query: Query::Count { so_far: 0 }, rest: 0..bytes.len() as u64 * 8 };
        assert_eq!((scan.step(&bytes), scan.step(&bytes)), (None, None));
        assert_eq!(scan.step(&bytes), Some(bytes.len() as i64 * 8));
    }
}
