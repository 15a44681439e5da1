//! What a script is known by.

use std::fmt;

use sha1::{Digest as _, Sha1};

/// The SHA-1 of a script's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScriptDigest([u8; 20]);

impl ScriptDigest {
    /// That of a source.
    #[must_use]
    pub fn of(source: &[u8]) -> Self {
        Self(Sha1::digest(source).into())
    }

    /// Reads one from its 40 hexadecimal digits, of either case.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut digest = [0; 20];
        if text.len() != 40 {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Some(Self(digest))
    }

    /// Its 40 digits.
    #[must_use]
    pub fn hex(self) -> [u8; 40] {
        let mut text = [0; 40];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
            pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        text
    }
}

impl fmt::Display for ScriptDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
