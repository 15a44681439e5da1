//! DUMP and RESTORE: a value as bytes, in the format of Redis's snapshots.

use larder_config::Settings;
use larder_persist::{Compression, Damaged, Limits, dump as payload_of, restore as value_of};
use larder_store::BLOCK_MIN_BYTES;

use crate::prelude::*;
use crate::{hash, list, set, sorted_set, stream};

pub(super) const COMMANDS: &[Command] = &[DUMP, RESTORE, RESTORE_ASKING];

const DUMP: Command = Command {
    name: "dump",
    syntax: "key",
    summary: "Returns the value of a key as bytes, from which RESTORE makes it again.",
    group: Group::Generic,
    since: "2.6.0",
    complexity: "O(N) where N is the length of what is returned",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output"],
    run: dump,
    ..Command::PLAIN
};

const RESTORE: Command = Command {
    name: "restore",
    syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    summary: "Stores a value that DUMP has returned.",
    group: Group::Generic,
    since: "2.6.0",
    complexity: "O(N) where N is the length of the value's bytes; O(N*log N) for a sorted set of N members",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(Access::OVERWRITE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    acl: &["dangerous"],
    history: &[
        ("3.0.0", "Added the option REPLACE."),
        ("5.0.0", "Added the option ABSTTL."),
        ("5.0.0", "Added the options IDLETIME and FREQ."),
    ],
    logged: |_| Logged::AsSaid,
    counts_from_now: |args| args.find(2) != Some(b"0") && !args.from(4).any(|word| is_word(word, "absttl")),
    run: restore,
    ..Command::PLAIN
};

const RESTORE_ASKING: Command = Command {
    name: "restore-asking",
    summary: "Stores a value in a slot that is being moved here.",
    group: Group::Server,
    since: "3.0.0",
    acl: &["keyspace", "dangerous"],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::ASKING).and(Flags::SYSTEM),
    ..RESTORE
};

fn dump(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    // A view, so that nobody waits while it is written.
    let view = db.read(cx.key(0)).map(|entry| entry.renamed(b""));
    drop(db);
    match view.map(|view| payload_of(&view, compression(cx.settings))) {
        Some(payload) if payload.len() < BLOCK_MIN_BYTES => cx.reply.bulk(&payload),
        Some(payload) => cx.reply.block(payload.into()),
        None => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}

/// The options of RESTORE.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(mut words: ArgsFrom<'_>) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while let Some(word) = words.next() {
            if is_word(word, "replace") {
                options.replace = true;
            } else if is_word(word, "absttl") {
                options.absolute = true;
            } else if is_word(word, "idletime") && !words.is_empty() && options.frequency.is_none() {
                let invalid = CommandError::line("ERR Invalid IDLETIME value, must be >= 0");
                options.idle_seconds = Some(u64::try_from(words.integer()?).map_err(|_| invalid)?);
            } else if is_word(word, "freq") && !words.is_empty() && options.idle_seconds.is_none() {
                let invalid = CommandError::line("ERR Invalid FREQ value, must be >= 0 and <= 255");
                options.frequency = Some(u8::try_from(words.integer()?).map_err(|_| invalid)?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn restore(cx: &mut Context<'_>) -> CommandResult {
    let options = Options::parse(cx.args.from(4))?;
    let mut db = cx.lock()?;
    let key = cx.key(0);
    if !options.replace && db.contains(key) {
        return Err(CommandError::line("BUSYKEY Target key name already exists."));
    }
    let ttl = cx.args.integer(2)?;
    if ttl < 0 {
        return Err(CommandError::line("ERR Invalid TTL value, must be >= 0"));
    }
    let deadline = match ttl {
        0 => None,
        ttl if options.absolute => Some(UnixMillis(ttl)),
        ttl => Some(cx.now().saturating_add(ttl)),
    };
    let mut entry = value_of(cx.args.at(3), key.bytes, &value_limits(cx.settings)).map_err(|damaged| {
        CommandError::line(match damaged {
            Damaged::Footer => "ERR DUMP payload version or checksum are wrong",
            Damaged::Content => "ERR Bad data format",
        })
    })?;

    let now = db.now();
    entry.remove_due_fields(now, usize::MAX, |_| ());
    if entry.is_spent() || deadline.is_some_and(|at| at <= now) {
        db.delete(key, Event::DELETED);
        db.log_as(&[b"DEL", key.bytes]);
    } else {
        entry.set_attributes(&Attributes::expiring(deadline));
        let created = cx.moment.policy.created(cx.now());
        entry.set_access(
            cx.moment.policy.told(options.idle_seconds, options.frequency, cx.now()).unwrap_or(created),
        );
        db.place(key, entry, Event::generic("restore"));
        let at = deadline.map_or(0, |at| at.0).to_string();
        db.log_as(&[b"RESTORE", key.bytes, at.as_bytes(), cx.args.at(3), b"REPLACE", b"ABSTTL"]);
    }
    cx.reply.ok();
    Ok(Outcome::Reply)
}

/// Whether long strings are packed where values leave as bytes.
pub(crate) fn compression(settings: &Settings) -> Compression {
    if settings.rdbcompression { Compression::Lzf } else { Compression::Off }
}

/// Up to where collections are packed.
/// Up to where the values of payloads and files are packed.
#[must_use]
pub fn value_limits(settings: &Settings) -> Limits {
    Limits {
        hash: hash::limits(settings),
        list: list::limit(settings),
        set: set::limits(settings),
        sorted_set: sorted_set::limits(settings),
        stream: stream::limits(settings),
    }
}
