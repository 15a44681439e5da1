//! However the bytes arrive, the requests are the same.

use memcache_parser::{Limits, Parsed, parse};
use proptest::prelude::*;

/// Small, so that long lines and large values come up.
const LIMITS: Limits = Limits { key_bytes: 20, item_bytes: 120, line_bytes: 60, get_line_bytes: 90 };

/// What a connection makes of a stream: each answer as text, the bytes that are skipped left out.
///
/// `reads` says how many bytes arrive at a time, over and over. The answers must not depend on it.
fn answers(stream: &[u8], reads: &[usize]) -> Vec<String> {
    let mut reads = reads.iter().cycle();
    let mut next_read = || *reads.next().expect("there is a first read, so there is always another");
    let (mut answers, mut start, mut arrived) = (Vec::new(), 0, 0);
    loop {
        let input = &stream[start.min(arrived)..arrived];
        let more = match parse(input, &LIMITS) {
            Parsed::Incomplete { needed } => {
                assert!(needed > input.len(), "{needed} bytes are there already");
                true
            }
            Parsed::Request { command, end } => {
                assert!(0 < end && end <= input.len());
                answers.push(format!("{command:?}"));
                start += end;
                false
            }
            Parsed::Error(error) => {
                assert!(0 < error.end && error.end <= input.len());
                answers.push(format!("{error:?}"));
                if error.close {
                    return answers;
                }
                start += error.end + error.swallow as usize;
                // What is skipped arrives without being kept.
                while start > arrived && arrived < stream.len() {
                    arrived = (arrived + next_read()).min(stream.len());
                }
                false
            }
        };
        if start >= stream.len() || more && arrived == stream.len() {
            return answers;
        }
        if more {
            arrived = (arrived + next_read()).min(stream.len());
        }
    }
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-z]{1,8}".prop_map(String::into_bytes),
        1 => "[a-z]{18,23}".prop_map(String::into_bytes),
        3 => (-1..130_i64).prop_map(|number| number.to_string().into_bytes()),
        2 => "[a-zA-Z][0-9]{0,3}".prop_map(String::into_bytes),
        1 => Just(b"noreply".to_vec()),
        1 => Just(b"YWJj".to_vec()),
        2 => prop::sample::select(vec!["T", "Tx", "C", "v", "k", "b", "q"]).prop_map(|flag| flag.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..6),
    ]
}

fn verb() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "get",
        "gets",
        "gat",
        "gats",
        "set",
        "add",
        "replace",
        "append",
        "prepend",
        "cas",
        "delete",
        "incr",
        "decr",
        "touch",
        "flush_all",
        "version",
        "verbosity",
        "stats",
        "quit",
        "mg",
        "ms",
        "md",
        "ma",
        "mn",
        "me",
        "watch",
        "config get",
        "config set",
        "slabs",
        "nonsense",
        "",
    ])
}

fn line_end() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![9 => Just(&b"\r\n"[..]), 1 => Just(&b"\n"[..])]
}

/// A verb and words, right or wrong.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    (verb(), prop::collection::vec(word(), 0..9), line_end()).prop_map(|(verb, words, end)| {
        let line =
            words.iter().fold(verb.as_bytes().to_vec(), |line, word| [&line, word.as_slice()].join(&b' '));
        [&line, end].concat()
    })
}

/// A request with a value, which may be a few bytes too short or too long for its line.
fn with_value() -> impl Strategy<Value = Vec<u8>> {
    let value = prop::collection::vec(any::<u8>(), 0..80);
    (verb(), "[a-z]{1,8}", value, -2..3_i64, any::<bool>()).prop_map(|(verb, key, value, off, meta)| {
        let length = value.len() as i64 + off.clamp(-1, 1) * i64::from(off.abs() == 2);
        let line = if meta {
            format!("ms {key} {length} q k\r\n")
        } else {
            format!("{verb} {key} 1 2 {length}\r\n")
        };
        [line.as_bytes(), &value, b"\r\n"].concat()
    })
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let request =
        prop_oneof![4 => any_line(), 3 => with_value(), 1 => prop::collection::vec(any::<u8>(), 0..40)];
    prop::collection::vec(request, 1..12).prop_map(|requests| requests.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn answers_do_not_depend_on_reads(stream in stream(), reads in prop::collection::vec(1..50_usize, 1..8)) {
        let whole = answers(&stream, &[stream.len()]);
        prop_assert_eq!(&answers(&stream, &reads), &whole);
        prop_assert_eq!(&answers(&stream, &[1]), &whole);
    }

    /// A server that waits for `needed` bytes never waits for more than the request has.
    #[test]
    fn needed_is_never_too_much(stream in stream()) {
        let end = match parse(&stream, &LIMITS) {
            Parsed::Request { end, .. } => end,
            Parsed::Error(error) => error.end + error.swallow as usize,
            Parsed::Incomplete { .. } => return Ok(()),
        };
        for cut in 0..end.min(stream.len()) {
            if let Parsed::Incomplete { needed } = parse(&stream[..cut], &LIMITS) {
                prop_assert!(cut < needed && needed <= end, "{needed} of {end} at {cut}");
            }
        }
    }
}

/// The strategies above reach what they are for.
#[test]
fn the_streams_are_of_every_kind() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = String::new();
    for _ in 0..3_000 {
        let stream = stream().new_tree(&mut runner).unwrap().current();
        for answer in answers(&stream, &[stream.len()]) {
            seen.push_str(&answer);
        }
    }
    for kind in [
        "Get(",
        "Store(",
        "Delete(",
        "Arithmetic(",
        "Touch(",
        "FlushAll",
        "Verbosity",
        "Stats",
        "Quit",
        "MetaGet(",
        "MetaSet(",
        "MetaDelete(",
        "MetaArithmetic(",
        "MetaNoop",
        "MetaDebug",
        "Other(",
        "Config(",
        "UnknownCommand",
        "BadCommandLine",
        "BadDataChunk",
        "ObjectTooLarge",
        "OutOfMemoryReading",
        "DuplicateFlag",
        "InvalidFlag",
        "BadToken",
        "KeyDecoding",
        "Base64",
        "Suppress",
    ] {
        assert!(seen.contains(kind), "{kind} never comes up");
    }
}
