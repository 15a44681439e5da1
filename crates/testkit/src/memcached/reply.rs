//! Replies of the memcached protocol, taken apart as far as comparing them needs.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::Side;
use super::generate::Request;

/// Seconds by which two times may differ.
const SECONDS_APART_MAX: u64 = 2;

/// A reply, as the words of its lines and the values among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Bytes that must be equal.
    Exactly(Vec<u8>),
    /// The CAS unique of a key; none where the request names it.
    Cas(Option<Vec<u8>>, u64),
    /// A number of seconds, behind the letter of its meta flag.
    Seconds(u8, u64),
}

impl Reply {
    pub(super) fn parse(bytes: &[u8]) -> Reply {
        let mut parts = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = rest.windows(2).position(|end| end == b"\r\n").map_or(rest.len(), |at| at + 2);
            let (line, after) = rest.split_at(len);
            rest = after;
            let words: Vec<&[u8]> = line.trim_ascii_end().split(|byte| *byte == b' ').collect();
            let value_len = match words.as_slice() {
                [b"VALUE", _, _, len, ..] | [b"VA", len, ..] => number(len),
                _ => None,
            };
            parts.extend(words.iter().enumerate().map(|(at, word)| part(&words, at, word)));
            if let Some(len) = value_len {
                let (value, after) = rest.split_at((len as usize + 2).min(rest.len()));
                parts.push(Part::Exactly(value.to_vec()));
                rest = after;
            }
        }
        Reply { parts }
    }

    /// Whether the request was refused.
    pub(super) fn is_error(&self) -> bool {
        let is_error = |word: &[u8]| word == b"ERROR" || word.ends_with(b"_ERROR");
        matches!(self.parts.first(), Some(Part::Exactly(word)) if is_error(word))
    }

    /// Whether it is a number and nothing else.
    pub(super) fn is_number(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Exactly(word)] if number(word).is_some())
    }
}

/// What a word of a line is.
fn part(words: &[&[u8]], at: usize, word: &[u8]) -> Part {
    let is_meta = matches!(words[0], b"HD" | b"VA" | b"EN" | b"NS" | b"EX" | b"NF");
    match (word.split_first(), number(word)) {
        (_, Some(unique)) if words[0] == b"VALUE" && at == 4 => Part::Cas(Some(words[1].to_vec()), unique),
        (Some((b'c', digits)), _) if is_meta && number(digits).is_some() => {
            Part::Cas(None, number(digits).unwrap_or_default())
        }
        (Some((flag @ (b't' | b'l'), digits)), _) if is_meta && number(digits).is_some() => {
            Part::Seconds(*flag, number(digits).unwrap_or_default())
        }
        _ => Part::Exactly(word.to_vec()),
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parts.is_empty() {
            return writeln!(f, "  nothing");
        }
        self.parts.iter().try_for_each(|part| match part {
            Part::Exactly(bytes) => writeln!(f, "  {}", bytes.escape_ascii()),
            Part::Cas(_, unique) => writeln!(f, "  cas {unique}"),
            Part::Seconds(flag, seconds) => writeln!(f, "  {} {seconds}", char::from(*flag)),
        })
    }
}

/// Which CAS uniques of the two sides belong together.
#[derive(Debug, Default)]
pub(super) struct CasPairs {
    ours_of: HashMap<u64, u64>,
    theirs_of: HashMap<u64, u64>,
    /// For each key those seen, as pairs, the latest last.
    seen: BTreeMap<Vec<u8>, Vec<(u64, u64)>>,
}

impl CasPairs {
    /// The unique of a key that this side gave so many uniques ago, if it did.
    pub(super) fn seen(&self, key: &[u8], ago: usize, side: Side) -> Option<u64> {
        let (theirs, ours) = self.seen.get(key)?.iter().rev().nth(ago)?;
        Some(if side == Side::Theirs { *theirs } else { *ours })
    }

    /// Whether two replies to a request are alike; takes note of the uniques in them.
    pub(super) fn agree(&mut self, request: &Request, theirs: &Reply, ours: &Reply) -> bool {
        theirs.parts.len() == ours.parts.len()
            && theirs.parts.iter().zip(&ours.parts).all(|parts| match parts {
                (Part::Cas(key, theirs), Part::Cas(same_key, ours)) => {
                    key == same_key
                        && self.belong_together(key.as_deref().unwrap_or(request.key()), *theirs, *ours)
                }
                (Part::Seconds(flag, theirs), Part::Seconds(same_flag, ours)) => {
                    flag == same_flag && theirs.abs_diff(*ours) <= SECONDS_APART_MAX
                }
                (theirs, ours) => theirs == ours,
            })
    }

    fn belong_together(&mut self, key: &[u8], theirs: u64, ours: u64) -> bool {
        match (self.ours_of.get(&theirs), self.theirs_of.get(&ours)) {
            (None, None) => {
                self.ours_of.insert(theirs, ours);
                self.theirs_of.insert(ours, theirs);
                self.seen.entry(key.to_vec()).or_default().push((theirs, ours));
                true
            }
            (known_ours, known_theirs) => known_ours == Some(&ours) && known_theirs == Some(&theirs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(pairs: &mut CasPairs, theirs: &str, ours: &str) -> bool {
        let request = Request::plain(b"k", b"");
        pairs.agree(&request, &Reply::parse(theirs.as_bytes()), &Reply::parse(ours.as_bytes()))
    }

    #[test]
    fn uniques_may_differ_but_not_in_which_are_equal() {
        let mut pairs = CasPairs::default();
        assert!(agree(&mut pairs, "VALUE k 0 1 7\r\nx\r\nEND\r\n", "VALUE k 0 1 2\r\nx\r\nEND\r\n"));
        assert!(agree(&mut pairs, "HD c8 f0\r\n", "HD c3 f0\r\n"));
        assert!(!agree(&mut pairs, "HD c8\r\n", "HD c4\r\n"));
        assert!(!agree(&mut pairs, "HD c9\r\n", "HD c3\r\n"));
        assert_eq!(pairs.seen(b"k", 0, Side::Theirs), Some(8));
        assert_eq!(pairs.seen(b"k", 1, Side::Ours), Some(2));
    }

    #[test]
    fn values_and_words_must_be_equal() {
        let mut pairs = CasPairs::default();
        assert!(agree(&mut pairs, "VA 2 t10\r\nc1\r\n", "VA 2 t9\r\nc1\r\n"));
        assert!(!agree(&mut pairs, "VA 2 t10\r\nc1\r\n", "VA 2 t9\r\nc2\r\n"));
        assert!(!agree(&mut pairs, "HD t10\r\n", "HD t5\r\n"));
        assert!(!agree(&mut pairs, "HD t-1\r\n", "HD t1\r\n"));
        assert!(!agree(&mut pairs, "STORED\r\n", "NOT_STORED\r\n"));
        assert!(!agree(&mut pairs, "", "STORED\r\n"));
    }

    #[test]
    fn errors_are_told_from_values() {
        let is_error = |text: &str| Reply::parse(text.as_bytes()).is_error();
        assert!(is_error("ERROR\r\n") && is_error("CLIENT_ERROR bad data chunk\r\n"));
        assert!(!is_error("VALUE k 0 5\r\nERROR\r\nEND\r\n"));
    }
}
