//! The two requests that nearly all are, in the form nearly all have, read in one pass.
//!
//! `get <key>` and `set <key> <flags> <exptime> <length>`, with single spaces, numbers of digits, and a carriage
//! return: what differs in anything, or is not all there, or would be refused, is left to the rest of this
//! crate, which searches the line end first and then each word. So there are no errors here, and whatever this
//! module answers, the rest would have answered the same, only later.

use crate::command::{CasField, Command, Get, ReplyMode, Store, StoreMode};
use crate::limits::Limits;
use crate::number;
use crate::parse::Parsed;
use crate::scan::first_up_to_space;
use crate::tokens::Tokens;

/// The first request of the input, if it has the common form.
#[inline]
pub(crate) fn request<'a>(input: &'a [u8], limits: &Limits) -> Option<Parsed<'a>> {
    match input {
        [b'g', b'e', b't', b' ', line @ ..] => get(input, line, limits),
        [b's', b'e', b't', b' ', line @ ..] => set(input, line, limits),
        _ => None,
    }
}

#[inline]
fn get<'a>(input: &'a [u8], line: &'a [u8], limits: &Limits) -> Option<Parsed<'a>> {
    let (key, rest) = key(line, limits)?;
    let end = line_end(input, rest, limits)?;
    let get = Get { keys: Tokens::new(key), cas: CasField::Omit, touch: None };
    Some(Parsed::Request { command: Command::Get(get), end })
}

#[inline]
fn set<'a>(input: &'a [u8], line: &'a [u8], limits: &Limits) -> Option<Parsed<'a>> {
    let (key, rest) = key(line, limits)?;
    let (client_flags, rest) = number::after_space(rest)?;
    let (exptime, rest) = number::after_space(rest)?;
    let (length, rest) = number::after_space(rest)?;
    let start = line_end(input, rest, limits)?;
    let (client_flags, length) = (client_flags as u32, usize::try_from(length).ok()?);
    if !limits.admit(key.len(), client_flags, length) {
        return None;
    }
    let (value, after) = input[start..].split_at_checked(length)?;
    let store = Store {
        mode: StoreMode::Set,
        compare_cas: None,
        key,
        client_flags,
        exptime: exptime as i64,
        value,
        reply: ReplyMode::Send,
    };
    after
        .starts_with(b"\r\n")
        .then_some(Parsed::Request { command: Command::Store(store), end: start + length + 2 })
}

/// A key of allowed length, and what follows it.
#[inline]
fn key<'a>(line: &'a [u8], limits: &Limits) -> Option<(&'a [u8], &'a [u8])> {
    let length = first_up_to_space(line);
    (1..=limits.key_bytes).contains(&length).then(|| line.split_at(length))
}

/// Where the line ends in the input, if `rest` of the input begins with its line end.
#[inline]
fn line_end(input: &[u8], rest: &[u8], limits: &Limits) -> Option<usize> {
    let end = input.len() - rest.len() + 2;
    (rest.starts_with(b"\r\n") && end <= limits.line_bytes).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parse::any_request;

    const LIMITS: Limits = Limits { key_bytes: 9, item_bytes: 75, line_bytes: 24, get_line_bytes: 40 };

    fn input() -> impl Strategy<Value = String> {
        let number = "[0-9]{1,2}|[0-9]{17,20}|[-+]?[0-9]|[0-9] ?x?";
        let space = "( |  |\t|\0|\n|\r\n){0,1}| ";
        let key = "[a-z!]{1,10}|[ -~]{0,4}|\u{80}|[\0-\u{7f}]{1,3}";
        let line = (key, space, number, space, number, space, "[0-9]|1[0-9]|")
            .prop_map(|(key, s1, n1, s2, n2, s3, n3)| format!("{key}{s1}{n1}{s2}{n2}{s3}{n3}"));
        let verb = prop::sample::select(vec!["get ", "set ", "get", "sets ", " set "]);
        let line = prop_oneof![line, "[a-z!\0\n\t ]{0,11}", "[a-z]{1,9} [0-9] [0-9] [0-9]"];
        let end = prop_oneof![8 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("")];
        (verb, line, end, "[a-z]{0,12}", "(\r\n)?(get a\r\n)?")
            .prop_map(|(verb, line, end, value, rest)| format!("{verb}{line}{end}{value}{rest}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

        #[test]
        fn what_is_answered_here_is_what_would_be_answered_there(input in input()) {
            if let Some(parsed) = request(input.as_bytes(), &LIMITS) {
                prop_assert_eq!(parsed, any_request(input.as_bytes(), &LIMITS));
            }
        }
    }

    #[test]
    fn the_common_form_is_answered_here() {
        let limits = Limits::default();
        for input in [&b"get k\r\n"[..], b"get k:1\r\nget", b"set k 0 3600 5\r\nhello\r\n"] {
            assert_eq!(request(input, &limits), Some(any_request(input, &limits)));
        }
        for input in [
            &b"get a b\r\n"[..],
            b"get a\n",
            b"get a",
            b"get a\tb\r\n",
            b"set k 0 0 5\r\nhell",
            b"set k 0 0 5\r\nhelloXX",
            b"set k 0 0 5 noreply\r\nhello\r\n",
            b"set k 0 -1 5\r\nhello\r\n",
            b"set k\nget 0 0 5\r\nhello\r\n",
        ] {
            assert_eq!(request(input, &limits), None, "{}", input.escape_ascii());
        }
    }
}
