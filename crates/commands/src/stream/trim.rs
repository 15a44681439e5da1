//! XTRIM: the oldest entries go; and what XADD has in common with it.

use larder_config::Settings;
use larder_store::stream::{Keep, Precision};

use super::{change, id};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XTRIM];

/// The event of entries that were trimmed.
pub(super) const TRIMMED: Event = Event::stream("xtrim");

const XTRIM: Command = Command {
    name: "xtrim",
    syntax: "key <<MAXLEN | MINID> [= | ~] threshold [LIMIT count]>",
    summary: "Takes the oldest entries away from a stream and returns how many they were.",
    complexity: "O(N) where N is the number of entries that go, of which most go many at a time",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(Access::REMOVE_PART)],
    flags: Flags::WRITE,
    tips: &["nondeterministic_output"],
    history: &[("6.2.0", "Added the options MINID and LIMIT.")],
    logged: |_| Logged::AsSaid,
    run: xtrim,
    ..super::PLAIN
};

const LIMIT_OF_EXACT: CommandError =
    CommandError::line("ERR syntax error, LIMIT cannot be used without the special ~ option");
const LIMIT_OF_NOTHING: CommandError =
    CommandError::line("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");

/// What is to be trimmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trim {
    pub(super) keep: Keep,
    pub(super) precision: Precision,
}

/// The options of trimming, as they are read word by word.
#[derive(Default)]
pub(super) struct TrimSyntax {
    keep: Option<Keep>,
    approximate: bool,
    limit: Option<usize>,
}

impl TrimSyntax {
    /// Reads an option, if this word is one.
    pub(super) fn take(&mut self, word: &[u8], words: &mut ArgsFrom<'_>) -> Result<bool, CommandError> {
        if words.is_empty() {
            return Ok(false);
        }
        if is_word(word, "maxlen") {
            let threshold = self.threshold(words)?;
            let count = larder_store::parse_integer(threshold).ok_or(CommandError::NotAnInteger)?;
            let count = usize::try_from(count)
                .map_err(|_| CommandError::line("ERR The MAXLEN argument must be >= 0."))?;
            self.keep = Some(Keep::Newest(count));
        } else if is_word(word, "minid") {
            self.keep = Some(Keep::From(id::parse(self.threshold(words)?, 0)?));
        } else if is_word(word, "limit") {
            let limit = usize::try_from(words.integer()?)
                .map_err(|_| CommandError::line("ERR The LIMIT argument must be >= 0."))?;
            self.limit = Some(limit);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What stands behind MAXLEN or MINID, and whether it is meant exactly.
    fn threshold<'a>(&mut self, words: &mut ArgsFrom<'a>) -> Result<&'a [u8], CommandError> {
        if self.keep.is_some() {
            let line = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
            return Err(CommandError::line(line));
        }
        self.approximate = false;
        if let (2.., Some(sign @ (b"~" | b"="))) = (words.len(), words.peek()) {
            self.approximate = sign == b"~";
            words.next();
        }
        words.value()
    }

    /// What is to be trimmed, if anything.
    pub(super) fn finish(self, settings: &Settings) -> Result<Option<Trim>, CommandError> {
        let Some(keep) = self.keep else {
            return match self.limit {
                None => Ok(None),
                Some(0) => Err(LIMIT_OF_EXACT),
                Some(_) => Err(LIMIT_OF_NOTHING),
            };
        };
        let precision = match (self.approximate, self.limit) {
            (false, None) => Precision::Exact,
            (false, Some(_)) => return Err(LIMIT_OF_EXACT),
            (true, limit) => Precision::Chunks { limit: limit.unwrap_or_else(|| limit_of(settings)) },
        };
        Ok(Some(Trim { keep, precision }))
    }
}

/// So many entries go at once without LIMIT: a hundred chunks.
fn limit_of(settings: &Settings) -> usize {
    match settings.stream_node_max_entries.saturating_mul(100) {
        0 => 10_000,
        limit => limit.min(1_000_000) as usize,
    }
}

fn xtrim(cx: &mut Context<'_>) -> CommandResult {
    let (mut words, mut syntax) = (cx.args.from(2), TrimSyntax::default());
    while let Some(word) = words.next() {
        if !syntax.take(word, &mut words)? {
            return Err(CommandError::Syntax);
        }
    }
    let unspecified = "ERR syntax error, XTRIM must be called with a trimming strategy";
    let trim = syntax.finish(cx.settings)?.ok_or(CommandError::line(unspecified))?;
    let mut db = cx.lock()?;
    let removed = change(&mut db, cx.key(0), |stream| {
        let removed = stream.trim(trim.keep, trim.precision);
        ((removed, stream.len()), (removed > 0).then_some(TRIMMED))
    })?;
    let (removed, len) = removed.unwrap_or_default();
    if removed > 0 {
        db.log_as(&[b"XTRIM", cx.key(0).bytes, b"MAXLEN", b"=", len.to_string().as_bytes()]);
    }
    cx.reply.integer(removed as i64);
    Ok(Outcome::Reply)
}
