//! BITFIELD and BITFIELD_RO: integers of any width in a string.

use super::field::{Action, Overflow, Step, Width};
use super::{SETBIT_EVENT, bytes, leave_as_is, offset, within};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[BITFIELD, BITFIELD_RO];

const BITFIELD: Command = Command {
    name: "bitfield",
    syntax: "key [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value:integer | INCRBY encoding offset increment>> [...]]",
    summary: "Reads, sets and increments integers of any width at any bit of a string.",
    group: Group::Bitmap,
    since: "3.2.0",
    complexity: "O(1) for each subcommand",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ_AND_UPDATE)
        .varying(bitfield_access, "Changes the key only with SET or INCRBY; else it reads it.")],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: bitfield,
    ..Command::PLAIN
};

const BITFIELD_RO: Command = Command {
    name: "bitfield_ro",
    syntax: "key [GET encoding offset [GET encoding offset ...]]",
    summary: "Reads integers of any width at any bit of a string.",
    group: Group::Bitmap,
    since: "6.0.0",
    complexity: "O(1) for each subcommand",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: bitfield_ro,
    ..Command::PLAIN
};

fn bitfield(cx: &mut Context<'_>) -> CommandResult {
    let steps = parse(cx.args.from(2), cx.settings)?;
    if writes(&steps) { change(cx, &steps) } else { read(cx, &steps) }
}

fn bitfield_ro(cx: &mut Context<'_>) -> CommandResult {
    let steps = parse(cx.args.from(2), cx.settings)?;
    if writes(&steps) {
        return Err(CommandError::line("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read(cx, &steps)
}

fn writes(steps: &[Step]) -> bool {
    steps.iter().any(|step| step.action != Action::Get)
}

fn read(cx: &mut Context<'_>, steps: &[Step]) -> CommandResult {
    let mut db = cx.lock()?;
    let entry = db.read_string(cx.key(0))?;
    let mut digits = itoa::Buffer::new();
    let bytes = entry.as_ref().map_or(&[][..], |entry| bytes(entry.value(), &mut digits));

    cx.reply.array(steps.len());
    for step in steps {
        reply(cx, step.effect(bytes).answer);
    }
    Ok(Outcome::Reply)
}

/// Does steps of which some may write. The string grows to hold all fields that may be written, even if none is.
fn change(cx: &mut Context<'_>, steps: &[Step]) -> CommandResult {
    let written = steps.iter().filter(|step| step.action != Action::Get);
    let min_len = written.map(Step::min_len).max().unwrap_or(0);

    let mut db = cx.lock()?;
    let key = cx.key(0);
    cx.reply.array(steps.len());
    if let Some(entry) = db.string(key)? {
        let mut digits = itoa::Buffer::new();
        let bytes = bytes(entry.value(), &mut digits);
        // Each step sees what those before it did; while none has changed anything, that is the string as it is.
        if bytes.len() >= min_len && steps.iter().all(|step| step.effect(bytes).change.is_none()) {
            steps.iter().for_each(|step| reply(cx, step.effect(bytes).answer));
            leave_as_is(&mut db, key);
            return Ok(Outcome::Reply);
        }
    }
    db.change_string(key, min_len, SETBIT_EVENT, |bytes| {
        steps.iter().for_each(|step| reply(cx, step.apply(bytes)));
    })?;
    Ok(Outcome::Reply)
}

fn reply(cx: &mut Context<'_>, answer: Option<i64>) {
    match answer {
        Some(number) => cx.reply.integer(number),
        None => cx.reply.null(),
    }
}

fn parse(mut words: ArgsFrom<'_>, settings: &larder_config::Settings) -> Result<Vec<Step>, CommandError> {
    let mut steps = Vec::with_capacity(words.len() / 3);
    let mut overflow = Overflow::Wrap;
    while let Some(word) = words.next() {
        let left = words.len();
        if is_word(word, "overflow") && left >= 1 {
            overflow = parse_overflow(words.value()?)?;
        } else if is_word(word, "get") && left >= 2 {
            let (width, offset) = parse_place(&mut words, settings)?;
            steps.push(Step { width, offset, action: Action::Get });
        } else if is_word(word, "set") && left >= 3 {
            let (width, offset) = parse_place(&mut words, settings)?;
            steps.push(Step { width, offset, action: Action::Set(words.integer()?, overflow) });
        } else if is_word(word, "incrby") && left >= 3 {
            let (width, offset) = parse_place(&mut words, settings)?;
            steps.push(Step { width, offset, action: Action::Increment(words.integer()?, overflow) });
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(steps)
}

fn parse_overflow(word: &[u8]) -> Result<Overflow, CommandError> {
    let kinds = [("wrap", Overflow::Wrap), ("sat", Overflow::Saturate), ("fail", Overflow::Fail)];
    let found = kinds.into_iter().find(|(name, _)| is_word(word, name));
    found.map(|(_, kind)| kind).ok_or(CommandError::line("ERR Invalid OVERFLOW type specified"))
}

/// Reads the type of a field and its offset, which counts in fields of this type when it begins with `#`.
fn parse_place(
    words: &mut ArgsFrom<'_>,
    settings: &larder_config::Settings,
) -> Result<(Width, u64), CommandError> {
    const INVALID_TYPE: CommandError = CommandError::line(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    );
    let width = Width::parse(words.value()?).ok_or(INVALID_TYPE)?;
    let offset = match words.value()? {
        [b'#', fields @ ..] => {
            let fields = larder_store::parse_integer(fields);
            within(fields.and_then(|fields| fields.checked_mul(width.bits() as i64)), settings)?
        }
        bits => offset(bits, settings)?,
    };
    Ok((width, offset))
}

/// Reads only, as long as all that is found is GET and OVERFLOW with their arguments.
fn bitfield_access(args: Args<'_>) -> Access {
    let mut words = args.from(2);
    while let Some(word) = words.next() {
        let operands = if is_word(word, "get") {
            2
        } else if is_word(word, "overflow") {
            1
        } else {
            return Access::READ_AND_UPDATE;
        };
        if words.by_ref().take(operands).count() < operands {
            return Access::READ_AND_UPDATE;
        }
    }
    Access::READ
}
