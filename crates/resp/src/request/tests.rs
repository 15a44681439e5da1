#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use super::*;

fn parse_all(input: &[u8], limits: &Limits) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
    let mut input = input.to_vec();
    let (mut parser, mut start, mut requests) = (RequestParser::default(), 0, Vec::new());
    loop {
        let mut args = Vec::new();
        match parser.parse(&mut input, start, limits, &mut args)? {
            Parsed::Request { end } => {
                requests.push(args.iter().map(|span| span.of(&input).to_vec()).collect());
                start = end;
            }
            Parsed::Empty { end } => start = end,
            Parsed::Incomplete { .. } => return Ok(requests),
        }
    }
}

fn words(line: &[u8]) -> Vec<Vec<u8>> {
    parse_all(line, &Limits::DEFAULT).unwrap().concat()
}

fn error(input: &[u8], limits: &Limits) -> String {
    parse_all(input, limits).unwrap_err().to_string()
}

fn needed(input: &[u8]) -> usize {
    let mut args = Vec::new();
    match RequestParser::default().parse(&mut input.to_vec(), 0, &Limits::DEFAULT, &mut args) {
        Ok(Parsed::Incomplete { needed }) if args.is_empty() => needed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn is_small() {
    assert!(size_of::<RequestParser>() <= 16);
}

#[test]
fn pipelined_requests_have_absolute_spans() {
    let mut input = b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\n".to_vec();
    let (mut parser, mut args) = (RequestParser::default(), Vec::new());
    let parsed = parser.parse(&mut input, 0, &Limits::DEFAULT, &mut args);
    assert_eq!(parsed, Ok(Parsed::Request { end: 14 }));
    let parsed = parser.parse(&mut input, 14, &Limits::DEFAULT, &mut args);
    assert_eq!(parsed, Ok(Parsed::Request { end: 34 }));
    let parsed = parser.parse(&mut input, 34, &Limits::DEFAULT, &mut args);
    assert_eq!(parsed, Ok(Parsed::Request { end: 39 }));
    let words: Vec<_> = args.iter().map(|span| span.of(&input)).collect();
    assert_eq!(words, [&b"PING"[..], b"GET", b"k", b"PING"]);
}

#[test]
fn lengths_of_any_digits_are_read() {
    for len in [0, 1, 9, 10, 99, 100, 999, 1_000, 65_536, 1_000_000] {
        let input = [format!("*1\r\n${len}\r\n").as_bytes(), &vec![b'x'; len], b"\r\n"].concat();
        assert_eq!(words(&input), [vec![b'x'; len]]);
    }
}

#[test]
fn counts_of_nothing_are_empty() {
    for (input, end) in
        [("*0\r\n", 4), ("*-1\r\n", 5), ("*-9999999999\r\n", 14), ("\r\n", 2), ("\n", 1), (" \t\r\n", 4)]
    {
        let mut args = Vec::new();
        let parsed =
            RequestParser::default().parse(&mut input.as_bytes().to_vec(), 0, &Limits::DEFAULT, &mut args);
        assert_eq!(parsed, Ok(Parsed::Empty { end }), "{input:?}");
        assert!(args.is_empty());
    }
}

#[test]
fn the_bytes_after_a_carriage_return_are_skipped_unseen() {
    assert_eq!(words(b"*1\rX$4\rXPINGXX"), [b"PING"]);
}

#[test]
fn says_how_much_is_missing() {
    assert_eq!(needed(b""), 1);
    assert_eq!(needed(b"PING"), 5);
    assert_eq!(needed(b"*1\r"), 4);
    assert_eq!(needed(b"*1\r\n$4\r\nPI"), 14);
    assert_eq!(needed(b"*2\r\n$1\r\na\r\n$100\r\n"), 119);
    assert_eq!(needed(b"*1\r\n$536870912\r\n"), 16 + 536_870_912 + 2);
}

#[test]
fn invalid_counts_are_refused() {
    for count in ["", "x", "01", "-0", "+1", "1 ", "-", "2147483648", "99999999999999999999999"] {
        let input = format!("*{count}\r\n");
        let text = "Protocol error: invalid multibulk length";
        assert_eq!(error(input.as_bytes(), &Limits::DEFAULT), text, "{count:?}");
    }
}

#[test]
fn invalid_lengths_are_refused() {
    for len in ["", "x", "01", "-0", "-1", "+1", "536870913", "9223372036854775808"] {
        let input = format!("*1\r\n${len}\r\n");
        assert_eq!(
            error(input.as_bytes(), &Limits::DEFAULT),
            "Protocol error: invalid bulk length",
            "{len:?}"
        );
    }
}

#[test]
fn an_argument_begins_with_a_dollar_sign() {
    for (input, found) in [("*1\r\nx\r\n", 'x'), ("*1\r\n\r\n", ' '), ("*1\r\n\n\r\n", ' ')] {
        let text = format!("Protocol error: expected '$', got '{found}'");
        assert_eq!(error(input.as_bytes(), &Limits::DEFAULT), text);
    }
    assert_eq!(needed(b"*1\r\nxyz"), 8, "not before the line has ended");
}

#[test]
fn the_unauthenticated_are_told_why() {
    let limits = Limits::UNAUTHENTICATED;
    assert_eq!(error(b"*11\r\n", &limits), "Protocol error: unauthenticated multibulk length");
    assert_eq!(error(b"*1\r\n$16385\r\n", &limits), "Protocol error: unauthenticated bulk length");
    assert_eq!(error(b"*2147483648\r\n", &limits), "Protocol error: invalid multibulk length");
    assert_eq!(error(b"*1\r\n$536870913\r\n", &limits), "Protocol error: invalid bulk length");
    let allowed = [b"*1\r\n$16384\r\n", &vec![b'x'; 16_384][..], b"\r\n"].concat();
    assert_eq!(parse_all(&allowed, &limits).unwrap().len(), 1);
}

#[test]
fn configured_limits_hold_for_short_headers_too() {
    let limits = Limits { bulk_len_max: 3, args_max: 2, ..Limits::DEFAULT };
    assert_eq!(error(b"*3\r\n", &limits), "Protocol error: invalid multibulk length");
    assert_eq!(error(b"*1\r\n$4\r\n", &limits), "Protocol error: invalid bulk length");
}

#[test]
fn lines_without_end_are_refused_behind_the_limit() {
    let cases = [
        ("P", "too big inline request", 1),
        ("*", "too big mbulk count string", 1),
        ("*1\r\n$", "too big bulk count string", 1),
        ("PING\0\n", "too big inline request", 6),
        ("*\0\r\n", "too big mbulk count string", 4),
    ];
    for (prefix, text, counted) in cases {
        let within = [prefix.as_bytes(), &vec![b'1'; 65_536 - counted]].concat();
        assert_eq!(parse_all(&within, &Limits::DEFAULT), Ok(vec![]));
        let beyond = [prefix.as_bytes(), &vec![b'1'; 65_537 - counted]].concat();
        assert_eq!(error(&beyond, &Limits::DEFAULT), format!("Protocol error: {text}"));
    }
    assert_eq!(words(&[&vec![b'x'; 65_536][..], b"\n"].concat()), [vec![b'x'; 65_536]]);
}

#[test]
fn inline_requests_are_split_into_words() {
    assert_eq!(words(b"SET  k\tv \r\n"), [&b"SET"[..], b"k", b"v"]);
    assert_eq!(words(b"a\x0bb\n"), [b"a\x0bb"]);
    assert_eq!(words(b"\x0b\x0c\"a\"\x0bb\n"), [b"a", b"b"]);
    assert_eq!(words(b"a\rb\r\n"), [b"a", b"b"]);
    assert_eq!(words(b"a \xff\n"), [b"a", b"\xff"]);
}

#[test]
fn quoted_words_are_unescaped() {
    assert_eq!(
        words(br#""\n\r\t\b\a\x41\q\"\\" x"#.iter().chain(b"\n").copied().collect::<Vec<_>>().as_slice()),
        [&b"\n\r\t\x08\x07Aq\"\\"[..], b"x"]
    );
    assert_eq!(words(b"'a\\'b\\n' \"\" ''\n"), [&b"a'b\\n"[..], b"", b""]);
    assert_eq!(words(b"pre\"fix ed\" \"\\xZ1\"\n"), [&b"prefix ed"[..], b"xZ1"]);
}

#[test]
fn unbalanced_quotes_are_refused() {
    for line in ["\"a", "'a", "\"a\"b", "'a'b", "a\"", "\"\\", "\"\\\"", "'\\'", "\"a\"\"b\""] {
        let input = format!("x {line}\r\n");
        assert_eq!(
            error(input.as_bytes(), &Limits::DEFAULT),
            "Protocol error: unbalanced quotes in request",
            "{line}"
        );
    }
}

#[test]
fn what_is_declared_takes_no_memory() {
    let (mut parser, mut args) = (RequestParser::default(), Vec::new());
    let mut input = b"*1000000000\r\n$500000000\r\n".to_vec();
    let parsed = parser.parse(&mut input, 0, &Limits::DEFAULT, &mut args);
    assert_eq!(parsed, Ok(Parsed::Incomplete { needed: input.len() + 500_000_000 + 2 }));
    assert_eq!((args.capacity(), parser.partial.is_none()), (0, true));
}

#[test]
fn a_long_request_is_remembered_and_then_forgotten() {
    let whole = [&b"*40\r\n"[..], &b"$1\r\nx\r\n".repeat(40)].concat();
    let (mut parser, mut args) = (RequestParser::default(), Vec::new());
    let cut = whole.len() - 3;
    let parsed = parser.parse(&mut whole[..cut].to_vec(), 0, &Limits::DEFAULT, &mut args);
    assert_eq!(parsed, Ok(Parsed::Incomplete { needed: whole.len() }));
    assert_eq!(parser.partial.as_ref().map(|partial| partial.spans.len()), Some(39));
    assert!(args.is_empty());

    // It is offered again behind ten other bytes.
    let mut moved = [&b"0123456789"[..], &whole].concat();
    let parsed = parser.parse(&mut moved, 10, &Limits::DEFAULT, &mut args);
    assert_eq!(parsed, Ok(Parsed::Request { end: moved.len() }));
    assert!(parser.partial.is_none());
    assert_eq!(args.len(), 40);
    assert!(args.iter().all(|span| span.of(&moved) == b"x"));
}

#[test]
fn an_error_forgets_a_long_request() {
    let begun = [&b"*40\r\n"[..], &b"$1\r\nx\r\n".repeat(20)].concat();
    let (mut parser, mut args) = (RequestParser::default(), Vec::new());
    assert!(parser.parse(&mut begun.clone(), 0, &Limits::DEFAULT, &mut args).is_ok());
    assert!(parser.partial.is_some());
    let mut broken = [&begun[..], b"!\r\n"].concat();
    let parsed = parser.parse(&mut broken, 0, &Limits::DEFAULT, &mut args);
    assert_eq!(parsed, Err(ProtocolError::ExpectedBulk { found: b'!' }));
    assert!(parser.partial.is_none() && args.is_empty());
}

#[test]
fn an_argument_that_no_span_can_reach_is_refused() {
    let limits = Limits { bulk_len_max: u64::MAX, ..Limits::DEFAULT };
    assert_eq!(error(b"*1\r\n$4294967290\r\n", &limits), "Protocol error: invalid bulk length");
    assert_eq!(error(b"*1\r\n$9223372036854775807\r\n", &limits), "Protocol error: invalid bulk length");
}
