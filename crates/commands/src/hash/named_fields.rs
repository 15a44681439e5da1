//! Fields that are named at the end of a request: `FIELDS numfields field [field ...]`.

use crate::prelude::*;

/// The fields are not as many as was told, or none.
pub(super) const COUNT: CommandError =
    CommandError::line("ERR numfields should be greater than 0 and match the provided number of fields");

/// Such a request whose options, of which there may be any number, come before that word.
pub(super) struct OptionsAndFields<'a> {
    /// The options.
    pub(super) options: ArgsFrom<'a>,
    number_and_fields: ArgsFrom<'a>,
}

impl<'a> OptionsAndFields<'a> {
    /// Finds the word among the arguments from an index on. The options are to be read before the fields: they are complained about first.
    ///
    /// # Errors
    /// It is not there, or nothing follows it.
    pub(super) fn find(args: Args<'a>, from: usize) -> Result<OptionsAndFields<'a>, CommandError> {
        let mut indexes = from..args.len() - 1;
        let word = indexes.find(|index| is_word(args.at(*index), "fields")).ok_or(COUNT)?;
        Ok(OptionsAndFields { options: args.up_to(word).from(from), number_and_fields: args.from(word + 1) })
    }

    /// The fields, each of which takes so many arguments.
    ///
    /// # Errors
    /// They are not as many as was told, or none.
    pub(super) fn fields(self, arguments_each: usize) -> Result<ArgsFrom<'a>, CommandError> {
        counted(self.number_and_fields, arguments_each, COUNT)
    }
}

/// The fields of a request that has the word at an index.
///
/// # Errors
/// It has not, the number is none; or the fields are not as many as was told, or none: that is the error `count`.
pub(super) fn fields_at(
    args: Args<'_>,
    index: usize,
    count: CommandError,
) -> Result<ArgsFrom<'_>, CommandError> {
    if !is_word(args.at(index), "fields") {
        let line = "ERR Mandatory argument FIELDS is missing or not at the right position";
        return Err(CommandError::line(line));
    }
    counted(args.from(index + 1), 1, count)
}

fn counted(
    mut words: ArgsFrom<'_>,
    arguments_each: usize,
    count: CommandError,
) -> Result<ArgsFrom<'_>, CommandError> {
    let told = usize::try_from(words.integer()?).unwrap_or(0);
    if told == 0 || told.checked_mul(arguments_each) != Some(words.len()) {
        return Err(count);
    }
    Ok(words)
}
