//! A line cut at its spaces.

use crate::scan::first;

/// The words of a line, one after the other: what stands between spaces, however many of them.
///
/// Only the space separates. Tabs and other white space are part of the word, as in memcached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens<'a> {
    /// Empty or beginning with a word, so that "are there any left" needs no search.
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { rest: skip_spaces(text) }
    }

    /// Whether no word is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that are left, up to the end of the line.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let length = first(b' ', self.rest);
        let (token, after) = self.rest.split_at(length);
        self.rest = skip_spaces(after);
        Some(token)
    }
}

impl std::iter::FusedIterator for Tokens<'_> {}

#[inline]
fn skip_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().position(|&byte| byte != b' ').unwrap_or(text.len());
    &text[spaces..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_separate_and_nothing_else_does() {
        let words = |text: &'static [u8]| Tokens::new(text).collect::<Vec<_>>();
        assert_eq!(words(b"get a  b\tc   d"), [&b"get"[..], b"a", b"b\tc", b"d"]);
        assert_eq!(words(b"  a  "), [b"a"]);
        assert!(words(b"   ").is_empty());
        assert!(Tokens::new(b"  ").is_empty());
        assert_eq!(Tokens::new(b"  a b ").as_bytes(), b"a b ");
    }
}
