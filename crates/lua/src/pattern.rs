//! Lua's patterns.
//!
//! Lua's own matcher recurses as deep as the pattern is long, and backtracks as long as it takes. This one counts: the depth, so
//! that the coroutine's stack suffices, and the steps, so that a search can be suspended and ended.

use crate::port::Port;
use crate::raise::Raise;

/// Captures that a pattern may have.
pub(crate) const CAPTURES_MAX: usize = 32;

/// How deep a match may nest: an optional or repeated item of the pattern adds one.
const DEPTH_MAX: usize = 1000;

const ESCAPE: u8 = b'%';

/// What a capture has caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    /// It is not closed yet.
    Open { start: usize },
    /// A part of the subject.
    Part { start: usize, end: usize },
    /// A place in the subject (`()`).
    Place { at: usize },
}

/// The captures of a match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Captures {
    pub(crate) items: [Capture; CAPTURES_MAX],
    pub(crate) len: usize,
}

/// A match: the part of the subject, and what was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) captures: Captures,
}

/// Finds the first match from `from` on. A pattern ends at its first zero byte, as in Lua 5.1.
pub(crate) fn search(
    port: &Port<'_>,
    subject: &[u8],
    pattern: &[u8],
    from: usize,
) -> Result<Option<Match>, Raise> {
    let (pattern, anchored) = split_anchor(pattern);
    let mut start = from;
    loop {
        if let Some(found) = match_at(port, subject, pattern, start)? {
            return Ok(Some(found));
        }
        if anchored || start >= subject.len() {
            return Ok(None);
        }
        start += 1;
    }
}

/// The pattern without its anchor, and whether it had one.
pub(crate) fn split_anchor(pattern: &[u8]) -> (&[u8], bool) {
    let pattern = pattern.split(|&byte| byte == 0).next().unwrap_or_default();
    match pattern.strip_prefix(b"^") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    }
}

/// Whether the pattern, up to its first zero byte, has a character that means something.
pub(crate) fn is_special(pattern: &[u8]) -> bool {
    pattern.iter().take_while(|&&byte| byte != 0).any(|byte| b"^$*+?.([%-".contains(byte))
}

/// Matches at one place only. The pattern has lost its anchor.
pub(crate) fn match_at(
    port: &Port<'_>,
    subject: &[u8],
    pattern: &[u8],
    start: usize,
) -> Result<Option<Match>, Raise> {
    let captures = Captures { items: [Capture::Open { start: 0 }; CAPTURES_MAX], len: 0 };
    let mut matcher = Matcher { port, subject, pattern, captures, depth: 0 };
    let end = matcher.run(start, 0)?;
    Ok(end.map(|end| Match { start, end, captures: matcher.captures }))
}

struct Matcher<'a> {
    port: &'a Port<'a>,
    subject: &'a [u8],
    pattern: &'a [u8],
    captures: Captures,
    depth: usize,
}

impl Matcher<'_> {
    /// Matches the pattern from `p` on with the subject from `s` on; where the match ends.
    fn run(&mut self, s: usize, p: usize) -> Result<Option<usize>, Raise> {
        if self.depth == DEPTH_MAX {
            return Err(Raise::Message("pattern too complex"));
        }
        self.depth += 1;
        let end = self.run_unchecked(s, p);
        self.depth -= 1;
        end
    }

    fn run_unchecked(&mut self, mut s: usize, mut p: usize) -> Result<Option<usize>, Raise> {
        loop {
            self.port.work(1)?;
            match self.pattern.get(p) {
                None => return Ok(Some(s)),
                Some(b'(') if self.pattern.get(p + 1) == Some(&b')') => {
                    return self.open(s, p + 2, Capture::Place { at: s });
                }
                Some(b'(') => return self.open(s, p + 1, Capture::Open { start: s }),
                Some(b')') => return self.close(s, p + 1),
                Some(b'$') if p + 1 == self.pattern.len() => {
                    return Ok((s == self.subject.len()).then_some(s));
                }
                Some(&ESCAPE) => match self.pattern.get(p + 1) {
                    Some(b'b') => match self.balanced(s, p + 2)? {
                        Some(end) => (s, p) = (end, p + 4),
                        None => return Ok(None),
                    },
                    Some(b'f') => {
                        if self.pattern.get(p + 2) != Some(&b'[') {
                            return Err(Raise::Message("missing '[' after '%f' in pattern"));
                        }
                        let end = self.class_end(p + 2)?;
                        let before = s.checked_sub(1).map_or(0, |before| self.subject[before]);
                        let here = self.subject.get(s).copied().unwrap_or(0);
                        if self.in_set(before, p + 2, end - 1) || !self.in_set(here, p + 2, end - 1) {
                            return Ok(None);
                        }
                        p = end;
                    }
                    Some(digit @ b'0'..=b'9') => match self.back_reference(s, *digit)? {
                        Some(end) => (s, p) = (end, p + 2),
                        None => return Ok(None),
                    },
                    _ => match self.item(s, p)? {
                        Next::Go(next_s, next_p) => (s, p) = (next_s, next_p),
                        Next::End(end) => return Ok(end),
                    },
                },
                Some(_) => match self.item(s, p)? {
                    Next::Go(next_s, next_p) => (s, p) = (next_s, next_p),
                    Next::End(end) => return Ok(end),
                },
            }
        }
    }

    /// One character class with what repeats it.
    fn item(&mut self, s: usize, p: usize) -> Result<Next, Raise> {
        let end = self.class_end(p)?;
        let here = s < self.subject.len() && self.single(self.subject[s], p, end);
        match self.pattern.get(end) {
            Some(b'?') => {
                if here && let Some(found) = self.run(s + 1, end + 1)? {
                    return Ok(Next::End(Some(found)));
                }
                Ok(Next::Go(s, end + 1))
            }
            Some(b'*') => self.longest(s, p, end).map(Next::End),
            Some(b'+') if here => self.longest(s + 1, p, end).map(Next::End),
            Some(b'-') => self.shortest(s, p, end).map(Next::End),
            Some(b'+') => Ok(Next::End(None)),
            _ if here => Ok(Next::Go(s + 1, end)),
            _ => Ok(Next::End(None)),
        }
    }

    fn longest(&mut self, s: usize, p: usize, end: usize) -> Result<Option<usize>, Raise> {
        let mut count = 0;
        while s + count < self.subject.len() && self.single(self.subject[s + count], p, end) {
            count += 1;
        }
        self.port.work(count)?;
        loop {
            if let Some(found) = self.run(s + count, end + 1)? {
                return Ok(Some(found));
            }
            let Some(less) = count.checked_sub(1) else { return Ok(None) };
            count = less;
        }
    }

    fn shortest(&mut self, mut s: usize, p: usize, end: usize) -> Result<Option<usize>, Raise> {
        loop {
            if let Some(found) = self.run(s, end + 1)? {
                return Ok(Some(found));
            }
            if s >= self.subject.len() || !self.single(self.subject[s], p, end) {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open(&mut self, s: usize, p: usize, capture: Capture) -> Result<Option<usize>, Raise> {
        let level = self.captures.len;
        if level == CAPTURES_MAX {
            return Err(Raise::Message("too many captures"));
        }
        self.captures.items[level] = capture;
        self.captures.len += 1;
        let found = self.run(s, p)?;
        if found.is_none() {
            self.captures.len -= 1;
        }
        Ok(found)
    }

    fn close(&mut self, s: usize, p: usize) -> Result<Option<usize>, Raise> {
        let open = |capture: &Capture| matches!(capture, Capture::Open { .. });
        let Some(level) = self.captures.items[..self.captures.len].iter().rposition(open) else {
            return Err(Raise::Message("invalid pattern capture"));
        };
        let before = self.captures.items[level];
        if let Capture::Open { start } = before {
            self.captures.items[level] = Capture::Part { start, end: s };
        }
        let found = self.run(s, p)?;
        if found.is_none() {
            self.captures.items[level] = before;
        }
        Ok(found)
    }

    fn balanced(&self, s: usize, p: usize) -> Result<Option<usize>, Raise> {
        let (Some(&open), Some(&close)) = (self.pattern.get(p), self.pattern.get(p + 1)) else {
            return Err(Raise::Message("unbalanced pattern"));
        };
        if self.subject.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for (at, &byte) in self.subject.iter().enumerate().skip(s + 1) {
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(at + 1));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        self.port.work(self.subject.len() - s)?;
        Ok(None)
    }

    fn back_reference(&self, s: usize, digit: u8) -> Result<Option<usize>, Raise> {
        let at = usize::from(digit).checked_sub(usize::from(b'1'));
        let capture = at.and_then(|at| self.captures.items[..self.captures.len].get(at));
        let Some(&Capture::Part { start, end }) = capture else {
            return Err(Raise::Message("invalid capture index"));
        };
        self.port.work(end - start)?;
        let matches = self.subject[s..].starts_with(&self.subject[start..end]);
        Ok(matches.then_some(s + end - start))
    }

    /// Where the class that begins at `p` ends.
    fn class_end(&self, p: usize) -> Result<usize, Raise> {
        match self.pattern.get(p) {
            Some(&ESCAPE) if p + 1 < self.pattern.len() => Ok(p + 2),
            Some(&ESCAPE) => Err(Raise::Message("malformed pattern (ends with '%')")),
            Some(b'[') => {
                let mut at = p + 1;
                if self.pattern.get(at) == Some(&b'^') {
                    at += 1;
                }
                // The first character belongs to the set, even if it is the closing bracket.
                loop {
                    match self.pattern.get(at) {
                        None => return Err(Raise::Message("malformed pattern (missing ']')")),
                        Some(&ESCAPE) if at + 1 < self.pattern.len() => at += 2,
                        Some(_) => at += 1,
                    }
                    if self.pattern.get(at) == Some(&b']') {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the class from `p` to `end` has `byte`.
    fn single(&self, byte: u8, p: usize, end: usize) -> bool {
        match self.pattern[p] {
            b'.' => true,
            ESCAPE => in_class(byte, self.pattern[p + 1]),
            b'[' => self.in_set(byte, p, end - 1),
            other => other == byte,
        }
    }

    /// Whether the set between the brackets at `p` and `end` has `byte`.
    fn in_set(&self, byte: u8, p: usize, end: usize) -> bool {
        let negated = self.pattern[p + 1] == b'^';
        let mut at = if negated { p + 2 } else { p + 1 };
        while at < end {
            if self.pattern[at] == ESCAPE {
                if in_class(byte, self.pattern[at + 1]) {
                    return !negated;
                }
                at += 2;
            } else if self.pattern[at + 1] == b'-' && at + 2 < end {
                if (self.pattern[at]..=self.pattern[at + 2]).contains(&byte) {
                    return !negated;
                }
                at += 3;
            } else {
                if self.pattern[at] == byte {
                    return !negated;
                }
                at += 1;
            }
        }
        negated
    }
}

/// How a match goes on behind an item.
enum Next {
    Go(usize, usize),
    End(Option<usize>),
}

/// Whether the class that `%` and this letter name has `byte`; an upper-case letter names what a lower-case one does not.
fn in_class(byte: u8, class: u8) -> bool {
    let has = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    has != class.is_ascii_uppercase()
}
