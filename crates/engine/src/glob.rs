//! Glob patterns as Redis matches them: `*`, `?`, `[a-z]`, `[^...]`, `\` to quote.

/// Whether letters of either case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They are not.
    Sensitive,
    /// They are (ASCII).
    Insensitive,
}

/// Runs of `*` that a pattern may have, its last character not counted: one of more matches nothing, as in Redis.
const STARS_MAX: usize = 1000;

/// Whether `text` matches `pattern`.
///
/// A `*` is tried against the shortest text first and the last `*` alone is backtracked into, so the cost is at most the
/// product of both lengths. Behind a `*`, only places are tried at which the pattern's next byte stands.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    let (mut p, mut t, mut stars) = (0, 0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            p += 1;
            match pattern.get(p) {
                None => return true,
                Some(b'*') => {}
                Some(_) => stars += 1,
            }
            if stars > STARS_MAX {
                return false;
            }
            let Some(at) = candidate(&pattern[p..], text, t, case) else { return false };
            t = at;
            retry = Some((p, t));
            continue;
        }
        let step = if t < text.len() { one(&pattern[p..], text[t], case) } else { None };
        if let Some(used) = step {
            (p, t) = (p + used, t + 1);
        } else if t == text.len() && p == pattern.len() {
            return true;
        } else {
            // Let the last `*` take more.
            let Some((after_star, from)) = retry else { return false };
            let Some(at) = candidate(&pattern[after_star..], text, from + 1, case) else { return false };
            retry = Some((after_star, at));
            (p, t) = (after_star, at);
        }
    }
}

/// The first place from `from` on at which a pattern that is not empty may begin to match.
fn candidate(pattern: &[u8], text: &[u8], from: usize, case: Case) -> Option<usize> {
    let rest = text.get(from..)?;
    match pattern[0] {
        b'*' => Some(from),
        b'?' | b'[' | b'\\' => (!rest.is_empty()).then_some(from),
        literal => {
            let found = match case {
                Case::Sensitive => rest.iter().position(|byte| *byte == literal),
                Case::Insensitive => rest.iter().position(|byte| byte.eq_ignore_ascii_case(&literal)),
            };
            found.map(|at| from + at)
        }
    }
}

/// Matches one byte against the first element of a pattern; returns the element's length.
fn one(pattern: &[u8], byte: u8, case: Case) -> Option<usize> {
    let same = |a: u8, b: u8| a == b || (case == Case::Insensitive && a.eq_ignore_ascii_case(&b));
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', set @ ..] => class(set, byte, case).map(|used| used + 1),
        [b'\\', quoted, ..] => same(*quoted, byte).then_some(2),
        [literal, ..] => same(*literal, byte).then_some(1),
    }
}

/// Matches a byte against what follows a `[`; returns the length up to and including the `]`. Without a `]` the class goes to
/// the end of the pattern.
fn class(set: &[u8], byte: u8, case: Case) -> Option<usize> {
    let fold = |b: u8| if case == Case::Insensitive { b.to_ascii_lowercase() } else { b };
    let byte = fold(byte);
    let negated = set.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match &set[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', quoted, ..] => {
                found |= fold(*quoted) == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                let (low, high) = (fold(*low), fold(*high));
                found |= (low.min(high)..=low.max(high)).contains(&byte);
                at += 3;
            }
            [member, ..] => {
                found |= fold(*member) == byte;
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "a--b--d", false),
            ("h?llo", "hallo", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hello", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[\\]]", "]", true),
            ("[abc", "c", true),
            ("**a", "bca", true),
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("[^]", "a", true),
            ("*?", "", false),
            ("*a*", "bab", true),
            ("*ab", "aab", true),
            ("*a?c*c", "abcabdc", true),
            ("*[b]", "ab", true),
            ("*\\a", "ba", true),
            ("*\\", "a\\", true),
            ("*", "a", true),
            ("*b**", "ab", true),
            ("a*", "b", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive),
                expected,
                "{pattern} {text}"
            );
        }
        assert!(matches(b"FOO[A-C]", b"foob", Case::Insensitive));
        assert!(matches(b"*OO*", b"foo", Case::Insensitive));
        assert!(!matches(b"FOO", b"foo", Case::Sensitive));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = b"a*".repeat(200);
        assert!(!matches(&[&pattern[..], b"b"].concat(), &b"a".repeat(2000), Case::Sensitive));
    }

    #[test]
    fn too_many_stars_match_nothing() {
        let text = b"a".repeat(5000);
        assert!(matches(&b"*?".repeat(STARS_MAX), &text[..STARS_MAX], Case::Sensitive));
        assert!(!matches(&b"*?".repeat(STARS_MAX + 1), &text, Case::Sensitive));
    }
}
