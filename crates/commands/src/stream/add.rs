//! XADD: a new entry.

use larder_store::Element;

use super::id::NewId;
use super::logged::text;
use super::reply::reply_id;
use super::trim::{self, TrimSyntax};
use super::{change, change_or_create, limits};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XADD];

/// No entry has more bytes.
const ENTRY_BYTES_MAX: usize = 1 << 30;

const XADD: Command = Command {
    name: "xadd",
    syntax: "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
    summary: "Adds an entry to a stream, which is created if it is not there, and returns the id of the entry.",
    complexity: "O(1), and O(N) where N is the number of entries that are trimmed",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec {
        notes: "UPDATE instead of INSERT because of the optional trimming feature",
        ..KeySpec::one(Access::UPDATE_ONLY)
    }],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST),
    tips: &["nondeterministic_output"],
    history: &[
        ("6.2.0", "Added the options NOMKSTREAM, MINID and LIMIT."),
        ("7.0.0", "Accepts an id of which only the milliseconds are given."),
    ],
    logged: |_| Logged::AsSaid,
    counts_from_now: |_| true,
    run: xadd,
    ..super::PLAIN
};

const EXHAUSTED: CommandError =
    CommandError::line("ERR The stream has exhausted the last possible ID, unable to add more items");
const TOO_SMALL: CommandError =
    CommandError::line("ERR The ID specified in XADD is equal or smaller than the target stream top item");
const ZERO: CommandError = CommandError::line("ERR The ID specified in XADD must be greater than 0-0");
const TOO_LARGE: CommandError = CommandError::line("ERR Elements are too large to be stored");

/// What is in front of the fields.
struct Options {
    id: NewId,
    create: bool,
    trim: Option<trim::Trim>,
}

impl Options {
    fn parse(cx: &Context<'_>, words: &mut ArgsFrom<'_>) -> Result<Options, CommandError> {
        let (mut create, mut trim) = (true, TrimSyntax::default());
        loop {
            let word = words.next().ok_or_else(|| cx.wrong_arity())?;
            if trim.take(word, words)? {
                continue;
            }
            if is_word(word, "nomkstream") {
                create = false;
                continue;
            }
            let id = NewId::parse(word)?;
            return Ok(Options { id, create, trim: trim.finish(cx.settings)? });
        }
    }
}

fn xadd(cx: &mut Context<'_>) -> CommandResult {
    let mut words = cx.args.from(2);
    let options = Options::parse(cx, &mut words)?;
    if words.is_empty() || words.len() % 2 == 1 {
        return Err(cx.wrong_arity());
    }
    if matches!(options.id, NewId::Given(id) if id == larder_store::stream::StreamId::MIN) {
        return Err(ZERO);
    }
    let bytes: usize = words.map(<[u8]>::len).sum();
    let fields = Fields(words);
    let (now, limits, key) = (cx.now(), limits(cx.settings), cx.key(0));
    let add = |stream: &mut larder_store::stream::Stream| {
        let Some(id) = options.id.after(stream.last_id, now) else {
            let exhausted = stream.last_id.next().is_none();
            return (Err(if exhausted { EXHAUSTED } else { TOO_SMALL }), None);
        };
        if bytes > ENTRY_BYTES_MAX {
            return (Err(TOO_LARGE), None);
        }
        stream.append(id, fields, bytes, limits);
        let trimmed = options.trim.map_or(0, |trim| stream.trim(trim.keep, trim.precision));
        (Ok((id, trimmed, stream.len())), Some(Event::stream("xadd")))
    };
    let mut db = cx.lock()?;
    let added =
        if options.create { Some(change_or_create(&mut db, key, add)?) } else { change(&mut db, key, add)? };
    let Some(added) = added else {
        cx.reply.null();
        return Ok(Outcome::Reply);
    };
    let (id, trimmed, len) = added?;
    if trimmed > 0 {
        db.note(key, trim::TRIMMED);
    }
    if db.is_logged() {
        let (id, len) = (text(id), len.to_string());
        let trims = [&b"MAXLEN"[..], b"=", len.as_bytes()];
        let trims = trims.into_iter().filter(|_| trimmed > 0);
        let words = [&b"XADD"[..], key.bytes].into_iter().chain(trims).chain([id.as_bytes()]).chain(fields.0);
        db.log_as(&words.collect::<Vec<_>>());
    }
    reply_id(&mut cx.reply, id);
    Ok(Outcome::Reply)
}

/// The fields with their values.
#[derive(Clone, Copy)]
struct Fields<'a>(ArgsFrom<'a>);

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Element<'a>, Element<'a>)> {
        let (name, value) = (self.0.next()?, self.0.next()?);
        Some((Element::of(name), Element::of(value)))
    }
}
