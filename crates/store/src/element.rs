//! An element of a collection, wherever it lies.

use crate::entry::{Block, decimal_len, parse_integer};

/// A string that is an element, a member, a field or its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// An integer; its string form is its decimal digits.
    Int(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Bytes that lie in a block of their own.
    Block(&'a Block),
}

impl<'a> Element<'a> {
    /// A string as an element: an integer if it is the canonical form of one.
    #[inline]
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Element<'a> {
        parse_integer(bytes).map_or(Element::Bytes(bytes), Element::Int)
    }

    /// Its string form.
    #[inline]
    pub fn text<'t>(self, digits: &'t mut Digits) -> &'t [u8]
    where
        'a: 't,
    {
        match self {
            Element::Int(number) => digits.0.format(number).as_bytes(),
            Element::Bytes(bytes) => bytes,
            Element::Block(block) => block,
        }
    }

    /// Its string form, copied.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        self.text(&mut Digits::default()).to_vec()
    }

    /// Length of its string form, in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Element::Int(number) => decimal_len(number),
            Element::Bytes(bytes) => bytes.len(),
            Element::Block(block) => block.len(),
        }
    }

    /// Whether its string form is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Room for the digits of an integer.
#[derive(Clone, Copy, Default)]
pub struct Digits(itoa::Buffer);
