//! LCS: a longest common subsequence of two strings.

use std::mem;

use bytes::Bytes;

use self::search::{Goal, Progress, Search};
use super::shared;
use crate::prelude::*;

mod search;

pub(super) const COMMANDS: &[Command] = &[LCS];

/// Words of work after which other clients have their turn: one or two tenths of a millisecond.
const PIECE_WORK: usize = 1 << 16;
/// Bytes that Redis needs for each cell of its table: what it refuses, we refuse, though we need a 32nd of it.
const CELL_BYTES: u128 = 4;

const LCS: Command = Command {
    name: "lcs",
    syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    summary: "Finds a longest common subsequence of two strings, its length, or where it lies.",
    group: Group::String,
    since: "7.0.0",
    complexity: "O(N*M) where N and M are the lengths of the strings; other clients are served meanwhile",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::range(1, 1, 1, Access::READ)],
    flags: Flags::READONLY,
    run: lcs,
    ..Command::PLAIN
};

fn lcs(cx: &mut Context<'_>) -> CommandResult {
    let options = Options::parse(cx.args.from(3));

    let mut db = cx.lock()?;
    let texts = (text(&mut db, cx.key(0)), text(&mut db, cx.key(1)));
    drop(db);
    // As in Redis, the keys are looked at before the options are found to be wrong.
    let (Ok(a), Ok(b)) = texts else {
        return Err(CommandError::line("ERR The specified keys must contain string values"));
    };
    let options = options?;
    check_size(cx, a.len(), b.len())?;

    let goal = if options.wanted == Wanted::Length { Goal::Length } else { Goal::Subsequence };
    go_on(cx, options, Search::new(a, b, goal))
}

fn go_on(cx: &mut Context<'_>, options: Options, mut search: Search) -> CommandResult {
    if search.advance(PIECE_WORK) == Progress::More {
        return Ok(Outcome::soon(move |cx| go_on(cx, options, mem::take(&mut search))));
    }
    match options.wanted {
        Wanted::Subsequence => cx.reply.bulk(search.subsequence()),
        Wanted::Length => cx.reply.unsigned(search.len() as u64),
        Wanted::Matches => options.reply_matches(cx, &search),
    }
    Ok(Outcome::Reply)
}

/// The bytes of a string, which the search reads while the key may change: a large one is shared, a short one copied.
fn text(db: &mut Locked<'_>, key: Key<'_>) -> Result<Bytes, CommandError> {
    let entry = db.read_string(key)?;
    Ok(match entry.as_deref().map(larder_store::Entry::value) {
        None => Bytes::new(),
        Some(Value::Int(number)) => Bytes::from(number.to_string()),
        Some(Value::Inline(bytes)) => Bytes::copy_from_slice(bytes),
        Some(Value::Block(block)) => shared(block),
    })
}

fn check_size(cx: &Context<'_>, a: usize, b: usize) -> Result<(), CommandError> {
    const LEN_LIMIT: usize = u32::MAX as usize - 1;
    if a >= LEN_LIMIT || b >= LEN_LIMIT {
        return Err(CommandError::line("ERR String too long for LCS"));
    }
    let table_bytes = (a as u128 + 1) * (b as u128 + 1) * CELL_BYTES;
    if table_bytes > u128::from(cx.settings.proto_max_bulk_len) {
        return Err(CommandError::line(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    Ok(())
}

/// What the client wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Subsequence,
    Length,
    Matches,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    wanted: Wanted,
    /// Shorter matches are left out.
    match_len_min: u64,
    shows_match_len: bool,
}

impl Options {
    fn parse(mut words: ArgsFrom<'_>) -> Result<Options, CommandError> {
        let mut options = Options { wanted: Wanted::Subsequence, match_len_min: 0, shows_match_len: false };
        let (mut length, mut matches) = (false, false);
        while let Some(word) = words.next() {
            if is_word(word, "len") {
                length = true;
            } else if is_word(word, "idx") {
                matches = true;
            } else if is_word(word, "withmatchlen") {
                options.shows_match_len = true;
            } else if is_word(word, "minmatchlen") {
                options.match_len_min = words.integer()?.max(0).unsigned_abs();
            } else {
                return Err(CommandError::Syntax);
            }
        }
        options.wanted = match (length, matches) {
            (false, false) => Wanted::Subsequence,
            (true, false) => Wanted::Length,
            (false, true) => Wanted::Matches,
            (true, true) => {
                return Err(CommandError::line(
                    "ERR If you want both the length and indexes, please just use IDX.",
                ));
            }
        };
        Ok(options)
    }

    fn reply_matches(self, cx: &mut Context<'_>, search: &Search) {
        let shown = || search.matches().iter().filter(|found| found.len as u64 >= self.match_len_min);
        cx.reply.map(2);
        cx.reply.bulk(b"matches");
        cx.reply.array(shown().count());
        for found in shown() {
            cx.reply.array(if self.shows_match_len { 3 } else { 2 });
            for start in [found.a_start, found.b_start] {
                cx.reply.array(2);
                cx.reply.unsigned(start as u64);
                cx.reply.unsigned((start + found.len - 1) as u64);
            }
            if self.shows_match_len {
                cx.reply.unsigned(found.len as u64);
            }
        }
        cx.reply.bulk(b"len");
        cx.reply.unsigned(search.len() as u64);
    }
}
