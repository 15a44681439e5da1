//! Texts packed into one buffer: what the leaves of large collections consist of.
//!
//! Texts of more than [`LONG`] bytes lie outside, in counted blocks.
//!
//! | bytes of a text | |
//! |---|---|
//! | 0 to 251, and so many bytes | a short one |
//! | 252, 2 bytes of length, and so many bytes | a longer one |
//! | 253, 2 bytes | the number of a block |

use std::sync::Arc;

use crate::element::Element;
use crate::entry::Block;
use crate::size_class::size_class;

/// Longest text that lies in the buffer.
pub(crate) const LONG: usize = 1024;

const SHORT_MAX: u8 = 251;
pub(crate) const LONGER: u8 = 252;
const BLOCK: u8 = 253;
/// The first code that a text does not use.
pub(crate) const CODES: u8 = 254;

/// Bytes that lie in a page, or in a block.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// In a page; or anywhere, on their way into one.
    Bytes(&'a [u8]),
    /// In a block.
    Block(&'a Block),
}

impl<'a> Text<'a> {
    /// The bytes.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Text::Bytes(bytes) => bytes,
            Text::Block(block) => block,
        }
    }
}

impl<'a> From<Text<'a>> for Element<'a> {
    fn from(text: Text<'a>) -> Element<'a> {
        match text {
            Text::Bytes(bytes) => Element::Bytes(bytes),
            Text::Block(block) => Element::Block(block),
        }
    }
}

/// What a record is written to: the buffer, and the blocks of its long texts.
#[derive(Clone, Debug, Default)]
pub struct Store {
    pub(crate) bytes: Vec<u8>,
    pub(crate) blocks: Vec<Block>,
}

impl Store {
    /// Writes a text, which becomes a block if it is long.
    #[inline]
    pub(crate) fn write_text(&mut self, text: Text<'_>) {
        let block = match text {
            Text::Bytes(bytes) if bytes.len() <= usize::from(SHORT_MAX) => {
                self.bytes.push(bytes.len() as u8);
                return self.bytes.extend_from_slice(bytes);
            }
            Text::Bytes(bytes) if bytes.len() <= LONG => {
                self.bytes.push(LONGER);
                self.bytes.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
                return self.bytes.extend_from_slice(bytes);
            }
            Text::Bytes(bytes) => Arc::new(bytes.to_vec()),
            Text::Block(block) => Arc::clone(block),
        };
        self.bytes.push(BLOCK);
        self.bytes.extend_from_slice(&(self.blocks.len() as u16).to_le_bytes());
        self.blocks.push(block);
    }

    /// The text at a place, and where it ends.
    #[inline]
    pub(crate) fn text(&self, at: usize) -> (Text<'_>, usize) {
        let number = || usize::from(u16::from_le_bytes([self.bytes[at + 1], self.bytes[at + 2]]));
        match self.bytes[at] {
            short @ 0..=SHORT_MAX => {
                let end = at + 1 + usize::from(short);
                (Text::Bytes(&self.bytes[at + 1..end]), end)
            }
            LONGER => {
                let end = at + 3 + number();
                (Text::Bytes(&self.bytes[at + 3..end]), end)
            }
            _ => (Text::Block(&self.blocks[number()]), at + 3),
        }
    }

    /// Makes room for a record, in a size class of the allocator.
    #[inline]
    pub(crate) fn reserve(&mut self, more: usize) {
        let wanted = self.bytes.len() + more;
        if wanted > self.bytes.capacity() {
            self.bytes.reserve_exact(size_class(wanted) - self.bytes.len());
        }
    }
}
