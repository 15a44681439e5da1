//! The arguments of a request, as bytes in the input buffer, and reading them.

use larder_resp::Span;
use larder_store::parse_integer;

use crate::error::CommandError;

/// A request's arguments; the first is the command's name. Copied freely: two pointers.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    input: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// The arguments that lie in `input` at `spans`.
    #[must_use]
    pub fn new(input: &'a [u8], spans: &'a [Span]) -> Args<'a> {
        Args { input, spans }
    }

    /// How many there are, the name included.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Never: a request has at least a name. (For the sake of symmetry with `len`.)
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at an index that the command's arity guarantees.
    #[inline]
    #[must_use]
    pub fn at(self, index: usize) -> &'a [u8] {
        self.spans[index].of(self.input)
    }

    /// The argument at an index, if there is one.
    #[must_use]
    pub fn find(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| span.of(self.input))
    }

    /// The argument at an index as an integer.
    ///
    /// # Errors
    /// It is not one: "value is not an integer or out of range".
    #[inline]
    pub fn integer(self, index: usize) -> Result<i64, CommandError> {
        parse_integer(self.at(index)).ok_or(CommandError::NotAnInteger)
    }

    /// The request that begins at an index: one within another.
    #[must_use]
    pub fn starting_at(self, index: usize) -> Args<'a> {
        Args { input: self.input, spans: &self.spans[index..] }
    }

    /// The arguments before an index.
    #[must_use]
    pub fn up_to(self, index: usize) -> Args<'a> {
        Args { input: self.input, spans: &self.spans[..index] }
    }

    /// Reads on from an index.
    #[must_use]
    pub fn from(self, index: usize) -> ArgsFrom<'a> {
        ArgsFrom { args: self, next: index }
    }

    /// All arguments in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.spans.iter().map(move |span| span.of(self.input))
    }
}

/// Arguments read one after the other: how options are parsed.
#[derive(Clone, Copy)]
pub struct ArgsFrom<'a> {
    args: Args<'a>,
    next: usize,
}

impl<'a> ArgsFrom<'a> {
    /// How many are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.args.len().saturating_sub(self.next)
    }

    /// Whether none is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of the next one.
    #[must_use]
    pub fn index(&self) -> usize {
        self.next
    }

    /// The next one without moving on.
    #[must_use]
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.args.find(self.next)
    }

    /// The value that must follow an option.
    ///
    /// # Errors
    /// None is left: "syntax error".
    pub fn value(&mut self) -> Result<&'a [u8], CommandError> {
        self.next().ok_or(CommandError::Syntax)
    }

    /// The integer that must follow an option.
    ///
    /// # Errors
    /// None is left ("syntax error"), or it is no integer.
    pub fn integer(&mut self) -> Result<i64, CommandError> {
        parse_integer(self.value()?).ok_or(CommandError::NotAnInteger)
    }
}

impl<'a> Iterator for ArgsFrom<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let found = self.args.find(self.next)?;
        self.next += 1;
        Some(found)
    }
}

/// Whether an argument is this word; case does not matter.
#[inline]
#[must_use]
pub fn is_word(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}
