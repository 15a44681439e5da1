//! The one-line syntax of a command's row, read into the tree of arguments that COMMAND DOCS prints.
//!
//! The notation is the one of the commands' reference:
//!
//! | written | means |
//! |---|---|
//! | `name` | a value |
//! | `TOKEN` | a word of the command, by its capitals or for want of letters; values behind it belong to it |
//! | `[...]` | may be left out |
//! | `a \| b` | one of these, in brackets of either kind |
//! | `<...>` | one of these, and not to be left out |
//! | `x [x ...]` | `x` once or more often; `x` may be several words, and begin with a token |
//!
//! What kind of value a name stands for follows from the name, `count` for example is an integer everywhere. Where a command
//! differs, the name is followed by a colon and the kind (`start:string`), which is not shown to anybody.

use std::fmt;

mod kind;
mod parse;
#[cfg(test)]
mod tests;

pub use kind::Kind;
pub use parse::parse;

/// One argument of a command, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The name of a value; of a token or group, one made from what is in it.
    pub name: String,
    /// What stands there.
    pub kind: Kind,
    /// The word that comes before the value or group, or that is the argument.
    pub token: Option<String>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be repeated.
    pub multiple: Multiple,
    /// The members of a group.
    pub arguments: Vec<Argument>,
}

/// Whether an argument may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiple {
    /// It may not.
    No,
    /// It may; a token before it is given once.
    Yes,
    /// It may, each time with its token.
    WithToken,
}

impl Argument {
    /// The flags as COMMAND DOCS prints them.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            (self.optional, "optional"),
            (self.multiple != Multiple::No, "multiple"),
            (self.multiple == Multiple::WithToken, "multiple_token"),
        ];
        flags.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name)
    }
}

/// A syntax line that does not follow the notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// A bracket is not closed, or closed without having been opened.
    Unbalanced,
    /// What `...` should repeat does not stand before it.
    RepeatsNothing,
    /// An alternative or a bracket has nothing in it.
    Empty,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SyntaxError::Unbalanced => "a bracket has no partner",
            SyntaxError::RepeatsNothing => "`...` repeats something that does not stand before it",
            SyntaxError::Empty => "an alternative is empty",
        })
    }
}

impl std::error::Error for SyntaxError {}

/// The line as people are to see it: without kinds.
#[must_use]
pub fn display(syntax: &str) -> String {
    let word = |word: &str| {
        let (name, brackets) = word.split_at(word.trim_end_matches([']', '>']).len());
        format!("{}{brackets}", kind::without_annotation(name))
    };
    syntax.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
