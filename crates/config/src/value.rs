//! How the value of a setting is read from words and printed: the trait, and the plain types.

use crate::directive::Kind;
use crate::error::SettingError;
use crate::memory;

/// A type that a setting may have.
pub(crate) trait Value: Sized {
    /// The value before anything was said, from which the default is made. No one sees it.
    fn blank() -> Self;

    /// The value after a line with these words. Nearly every type forgets the present value; those that
    /// gather several lines build on it.
    fn changed(&self, kind: &Kind, words: &[&str], source: Source) -> Result<Self, SettingError>;

    /// The value as CONFIG GET prints it; `changed` reads it back.
    fn print(&self, kind: &Kind) -> String;
}

/// Where words come from. It matters to `save` only, whose lines in a file add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The default column of the table.
    Table,
    /// A line of a configuration file, or an option of the command line.
    Line,
    /// CONFIG SET.
    Set,
}

/// The words of one value for a kind that takes several: they are parted by single spaces, and nothing is no
/// word.
pub(crate) fn words(value: &str) -> Vec<&str> {
    if value.is_empty() { Vec::new() } else { value.split(' ').collect() }
}

/// The default of a directive, read from the table.
pub(crate) fn initial<T: Value>(kind: &Kind, default: &str) -> T {
    let words = if kind.takes_words() { words(default) } else { vec![default] };
    T::blank().changed(kind, &words, Source::Table).expect("a test reads every default of the table")
}

/// The only word of a line.
pub(crate) fn single<'a>(words: &[&'a str]) -> Result<&'a str, SettingError> {
    match words {
        [word] => Ok(word),
        _ => Err(SettingError::WrongNumberOfArguments),
    }
}

impl Value for bool {
    fn blank() -> Self {
        false
    }

    fn changed(&self, _kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        let word = single(words)?;
        if word.eq_ignore_ascii_case("yes") {
            Ok(true)
        } else if word.eq_ignore_ascii_case("no") {
            Ok(false)
        } else {
            Err(SettingError::NotYesNo)
        }
    }

    fn print(&self, _kind: &Kind) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Value for String {
    fn blank() -> Self {
        Self::new()
    }

    fn changed(&self, _kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        single(words).map(str::to_owned)
    }

    fn print(&self, _kind: &Kind) -> String {
        self.clone()
    }
}

impl Value for Vec<String> {
    fn blank() -> Self {
        Self::new()
    }

    fn changed(&self, kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        let Kind::Words { most, too_many } = *kind else {
            unreachable!("a list of words has the kind Words")
        };
        let list: Self =
            words.iter().flat_map(|word| word.split_ascii_whitespace()).map(str::to_owned).collect();
        if list.len() > most { Err(SettingError::Refused(too_many)) } else { Ok(list) }
    }

    fn print(&self, _kind: &Kind) -> String {
        self.join(" ")
    }
}

macro_rules! number {
    ($($type:ty)+) => {$(
        impl Value for $type {
            fn blank() -> Self {
                0
            }

            fn changed(&self, kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
                let number = parse_number(kind, single(words)?)?;
                Ok(Self::try_from(number).expect("the bounds of the kind lie within the field's type"))
            }

            fn print(&self, kind: &Kind) -> String {
                if let Kind::Octal { .. } = kind { format!("{self:o}") } else { self.to_string() }
            }
        }
    )+};
}

number!(u8 u16 u32 u64 i32 i64);

/// Reads a number of any kind that is one; 128 bits hold every kind's range.
fn parse_number(kind: &Kind, word: &str) -> Result<i128, SettingError> {
    let (number, min, max) = match *kind {
        Kind::Integer { min, max, .. } => (parse_integer(word)?.into(), min.into(), max.into()),
        Kind::Memory { min, max } => {
            (memory::parse(word).ok_or(SettingError::NotMemory)?.into(), min.into(), max.into())
        }
        Kind::Octal { max } => {
            let number = i64::from_str_radix(word, 8).map_err(|_| SettingError::NotOctal)?;
            (number.into(), 0, max.into())
        }
        _ => unreachable!("the field of a number has the kind of one"),
    };
    if (min..=max).contains(&number) { Ok(number) } else { Err(out_of_range(kind, min, max)) }
}

/// Only the shortest way to write an integer counts as one.
fn parse_integer(word: &str) -> Result<i64, SettingError> {
    let number: i64 = word.parse().map_err(|_| SettingError::NotInteger)?;
    if number.to_string() == word { Ok(number) } else { Err(SettingError::NotInteger) }
}

fn out_of_range(kind: &Kind, min: i128, max: i128) -> SettingError {
    if let Kind::Octal { .. } = kind {
        SettingError::OutOfRange { min: format!("{min:o}"), max: format!("{max:o}") }
    } else {
        SettingError::OutOfRange { min: min.to_string(), max: max.to_string() }
    }
}
