//! The arguments of XREAD and XREADGROUP.

use crate::prelude::*;
use crate::timeout;

/// The arguments in front of the ids.
pub(super) struct ReadSyntax<'a> {
    /// Until when to wait if there is nothing: until a moment, or for ever.
    pub(super) block: Option<Option<UnixMillis>>,
    /// Most entries of each stream.
    pub(super) count: usize,
    /// Whether what is delivered counts as acknowledged.
    pub(super) no_ack: bool,
    /// A group and one of its consumers.
    pub(super) group: Option<(&'a [u8], &'a [u8])>,
    /// Number of streams.
    pub(super) streams: usize,
    first_key: usize,
    args: Args<'a>,
}

/// Where the keys are, of which as many ids follow. Clients are told that it is behind the word STREAMS.
pub(super) const fn keys(from: usize) -> KeySpec {
    let find = FindKeys::FirstHalf { word: "STREAMS", from, find: first_key };
    KeySpec { find, ..KeySpec::one(Access::READ) }
}

/// The index of the first key, as far as the arguments make sense.
fn first_key(args: Args<'_>) -> Option<usize> {
    let mut words = args.from(1);
    loop {
        let word = words.next()?;
        let skipped = match () {
            () if is_word(word, "streams") => return Some(words.index()),
            () if is_word(word, "block") || is_word(word, "count") => 1,
            () if is_word(word, "group") => 2,
            () if is_word(word, "noack") => 0,
            () => return None,
        };
        words = args.from(words.index() + skipped);
    }
}

impl<'a> ReadSyntax<'a> {
    pub(super) fn parse(cx: &Context<'a>) -> Result<ReadSyntax<'a>, CommandError> {
        let with_group = cx.command.name == "xreadgroup";
        let mut words = cx.args.from(1);
        let mut syntax = ReadSyntax {
            block: None,
            count: usize::MAX,
            no_ack: false,
            group: None,
            streams: 0,
            first_key: 0,
            args: cx.args,
        };
        while let Some(word) = words.next() {
            let more = words.len();
            if is_word(word, "block") && more > 0 {
                syntax.block = Some(timeout::deadline(words.value()?, cx.now())?);
            } else if is_word(word, "count") && more > 0 {
                let count = usize::try_from(words.integer()?).unwrap_or(0);
                syntax.count = if count == 0 { usize::MAX } else { count };
            } else if is_word(word, "streams") && more > 0 {
                if more % 2 == 1 {
                    return Err(unbalanced(cx.command.name, if with_group { '>' } else { '$' }));
                }
                (syntax.first_key, syntax.streams) = (words.index(), more / 2);
                return syntax.checked(with_group);
            } else if is_word(word, "group") && more >= 2 {
                if !with_group {
                    return Err(only_with_group("GROUP"));
                }
                syntax.group = Some((words.value()?, words.value()?));
            } else if is_word(word, "noack") {
                if !with_group {
                    return Err(only_with_group("NOACK"));
                }
                syntax.no_ack = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Err(CommandError::Syntax)
    }

    fn checked(self, with_group: bool) -> Result<ReadSyntax<'a>, CommandError> {
        if with_group && self.group.is_none() {
            return Err(CommandError::line("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(self)
    }

    /// The id that belongs to the stream of a number, as it was written.
    pub(super) fn id(&self, number: usize) -> &'a [u8] {
        self.args.at(self.first_key + self.streams + number)
    }
}

fn unbalanced(command: &str, symbol: char) -> CommandError {
    let line = format!(
        "ERR Unbalanced '{command}' list of streams: for each stream key an ID or '{symbol}' must be specified."
    );
    CommandError::Line(line.into())
}

fn only_with_group(option: &str) -> CommandError {
    let line = format!("ERR The {option} option is only supported by XREADGROUP. You called XREAD instead.");
    CommandError::Line(line.into())
}
