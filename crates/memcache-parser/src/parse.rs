//! From bytes to a command.

use crate::command::Command;
use crate::common;
use crate::error::Error;
use crate::limits::Limits;
use crate::line::Line;
use crate::text;

/// What the input begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// A request.
    Request {
        /// What it asks for.
        command: Command<'a>,
        /// Where it ends in the input, and the next one begins.
        end: usize,
    },
    /// The beginning of a request.
    Incomplete {
        /// How long the input must be before it is worth another look. Once the line of a storage command is
        /// there this is exactly the length of the request; before, it is one byte more than there are.
        needed: usize,
    },
    /// A request that is refused.
    Error(Error<'a>),
}

/// Parses the first request of the input.
///
/// The same bytes give the same answer however they arrive: a longer input never changes an answer other than
/// [`Parsed::Incomplete`].
#[inline]
pub fn parse<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a> {
    common::request(input, limits).unwrap_or_else(|| any_request(input, limits))
}

/// The first request of the input, whatever its form.
pub(crate) fn any_request<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a> {
    match Line::first(input, limits) {
        Ok(line) => text::command(&line, limits),
        Err(stop) => Parsed::from(Err(stop)),
    }
}

impl<'a> From<Outcome<'a>> for Parsed<'a> {
    #[inline]
    fn from(outcome: Outcome<'a>) -> Self {
        match outcome {
            Ok((command, end)) => Self::Request { command, end },
            Err(Stop::Incomplete { needed }) => Self::Incomplete { needed },
            Err(Stop::Error(error)) => Self::Error(error),
        }
    }
}

/// A command and where its request ends, or why there is none.
pub(crate) type Outcome<'a> = Result<(Command<'a>, usize), Stop<'a>>;

/// Why there is no command.
pub(crate) enum Stop<'a> {
    Incomplete { needed: usize },
    Error(Error<'a>),
}
