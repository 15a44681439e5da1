//! A line cut at its spaces.

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
        let length = first_space(self.rest);
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

/// Where the first space is, or the end. Eight bytes at a time: keys are long for a loop over bytes and short
/// for a call of `memchr`.
#[inline]
pub(crate) fn first_space(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // Zero where there is a space; the lowest byte that this sets the high bit of is the first of them.
        let differing = u64::from_le_bytes(*word) ^ SPACES;
        let found = differing.wrapping_sub(ONES) & !differing & HIGH_BITS;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + tail.iter().position(|&byte| byte == b' ').unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_space_is_found_wherever_it_is() {
        for length in 0..40 {
            let mut text = vec![b'!'; length];
            assert_eq!(first_space(&text), length);
            for at in (0..length).rev() {
                // A byte that differs from a space in its high or low bit must not be taken for one.
                text[at] = b' ';
                assert_eq!(first_space(&text), at);
                text[at] = [b'!', 0xa0, 0, 0xff][at % 4];
                assert_eq!(first_space(&text[..=at]), at + 1);
                text[at] = b' ';
            }
        }
    }

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
