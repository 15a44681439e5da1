//! The meta protocol: what each command means, and the error for each way to get it wrong.

use memcache_parser::{
    Command, Direction, Error, ErrorReply, Flag, KeyBuffer, KeyEncoding, Limits, MetaRequest, MetaSet,
    Parsed, StoreMode, parse,
};

#[track_caller]
fn command(input: &[u8]) -> Command<'_> {
    match parse(input, &Limits::default()) {
        Parsed::Request { command, end } if end == input.len() => command,
        other => panic!("{}: {other:?}", input.escape_ascii()),
    }
}

#[track_caller]
fn error(input: &[u8]) -> Error<'_> {
    match parse(input, &Limits::default()) {
        Parsed::Error(error) => error,
        other => panic!("{}: {other:?}", input.escape_ascii()),
    }
}

#[track_caller]
fn error_line(input: &[u8]) -> &'static str {
    let reply = error(input).reply.expect("errors of meta requests are always sent");
    std::str::from_utf8(reply.line()).expect("error lines are text")
}

#[track_caller]
fn get(input: &[u8]) -> MetaRequest<'_> {
    match command(input) {
        Command::MetaGet(request) => request,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn set(input: &[u8]) -> MetaSet<'_> {
    match command(input) {
        Command::MetaSet(set) => set,
        other => panic!("{other:?}"),
    }
}

const LETTERS: [(u8, Flag); 25] = [
    (b'b', Flag::Base64Key),
    (b'c', Flag::ReturnCas),
    (b'f', Flag::ReturnClientFlags),
    (b'h', Flag::ReturnHit),
    (b'k', Flag::ReturnKey),
    (b'l', Flag::ReturnLastAccess),
    (b'q', Flag::Quiet),
    (b's', Flag::ReturnSize),
    (b't', Flag::ReturnTtl),
    (b'u', Flag::NoBump),
    (b'v', Flag::ReturnValue),
    (b'x', Flag::RemoveValue),
    (b'C', Flag::CompareCas),
    (b'D', Flag::Delta),
    (b'E', Flag::NewCas),
    (b'F', Flag::ClientFlags),
    (b'I', Flag::Invalidate),
    (b'J', Flag::Initial),
    (b'L', Flag::ProxyHint),
    (b'M', Flag::Mode),
    (b'N', Flag::Vivify),
    (b'O', Flag::Opaque),
    (b'P', Flag::ProxyPath),
    (b'R', Flag::Recache),
    (b'T', Flag::Ttl),
];

/// Each letter alone sets its flag and no other, and no other letter is one.
#[test]
fn every_letter_is_its_flag() {
    for letter in 0..=u8::MAX {
        let expected = LETTERS.iter().find(|&&(known, _)| known == letter).map(|&(_, flag)| flag);
        assert_eq!(Flag::from_letter(letter), expected, "{}", letter.escape_ascii());
        let Some(expected) = expected else { continue };
        let line = [b"mg YWJj ", &[letter][..], b"1\r\n"].concat();
        let flags = get(&line).flags;
        for (_, flag) in LETTERS {
            assert_eq!(flags.has(flag), flag == expected, "{flag:?}");
        }
        assert_eq!(flags.iter().collect::<Vec<_>>(), [(expected, &b"1"[..])]);
    }
}

#[test]
fn tokens_are_read() {
    let flags = get(b"mg k T-1 N30 R4102444800 C1 E18446744073709551615 F4294967295 D5 J6 Oab\r\n").flags;
    assert_eq!((flags.ttl(), flags.vivify(), flags.recache()), (Some(-1), Some(30), Some(4_102_444_800)));
    assert_eq!((flags.compare_cas(), flags.new_cas()), (Some(1), Some(u64::MAX)));
    assert_eq!((flags.client_flags(), flags.delta(), flags.initial()), (u32::MAX, 5, 6));
    assert_eq!(flags.opaque(), Some(&b"ab"[..]));
    let flags = get(b"mg k\r\n").flags;
    assert_eq!((flags.ttl(), flags.vivify(), flags.recache()), (None, None, None));
    assert_eq!((flags.compare_cas(), flags.new_cas(), flags.opaque()), (None, None, None));
    assert_eq!((flags.client_flags(), flags.delta(), flags.initial()), (0, 1, 0));
}

#[test]
fn flags_keep_their_order() {
    let order: Vec<_> = get(b"mg k  v Ox  c  k\r\n").flags.iter().collect();
    let expected =
        [(Flag::ReturnValue, &b""[..]), (Flag::Opaque, b"x"), (Flag::ReturnCas, b""), (Flag::ReturnKey, b"")];
    assert_eq!(order, expected);
}

#[test]
fn base64_keys() {
    let mut buffer = KeyBuffer::default();
    let key = get(b"mg AP8g b v\r\n").key;
    assert_eq!(key.bytes(&mut buffer), b"\0\xff ");
    assert_eq!((key.token(), key.encoding()), (&b"AP8g"[..], KeyEncoding::Base64));
    assert_eq!(get(b"mg AP8g v\r\n").key.bytes(&mut buffer), b"AP8g");
    assert_eq!(set(b"ms AP8g 1 b\r\nx\r\n").key.bytes(&mut buffer), b"\0\xff ");
    assert_eq!(error_line(b"mg abc b\r\n"), "CLIENT_ERROR error decoding key\r\n");
    let Command::MetaDebug { key } = command(b"me AP8g b\r\n") else { panic!("me") };
    assert_eq!(key.bytes(&mut buffer), b"\0\xff ");
    let Command::MetaDebug { key } = command(b"me AP8g\r\n") else { panic!("me") };
    assert_eq!(key.bytes(&mut buffer), b"AP8g");
    assert_eq!(error_line(b"me abc b\r\n"), "CLIENT_ERROR bad command line format\r\n");
}

#[test]
fn set_modes() {
    let with = |flags: &str| format!("ms k 3 {flags}\r\nabc\r\n").into_bytes();
    for (flags, mode) in [
        ("", StoreMode::Set),
        ("MS", StoreMode::Set),
        ("ME", StoreMode::Add),
        ("MA", StoreMode::Append),
        ("MP N30", StoreMode::Prepend),
        ("MR C5", StoreMode::Replace),
        ("ME-and-more", StoreMode::Add),
    ] {
        let input = with(flags);
        assert_eq!((set(&input).mode, set(&input).value), (mode, &b"abc"[..]), "{flags}");
    }
    for flags in ["M", "Me", "MX"] {
        assert_eq!(error_line(&with(flags)), "CLIENT_ERROR invalid mode for ms M token\r\n", "{flags}");
    }
}

#[test]
fn arithmetic_modes() {
    for (line, expected) in [
        (&b"ma k\r\n"[..], Direction::Increment),
        (b"ma k MI\r\n", Direction::Increment),
        (b"ma k M+ D5\r\n", Direction::Increment),
        (b"ma k MD\r\n", Direction::Decrement),
        (b"ma k M-\r\n", Direction::Decrement),
    ] {
        let Command::MetaArithmetic(request) = command(line) else { panic!("ma") };
        assert_eq!(request.direction, expected);
    }
    assert_eq!(error_line(b"ma k MX\r\n"), "CLIENT_ERROR invalid mode for ma M token\r\n");
}

#[test]
fn other_commands() {
    let Command::MetaDelete(request) = command(b"md k I T30 q\r\n") else { panic!("md") };
    assert!(request.flags.has(Flag::Invalidate) && request.flags.has(Flag::Quiet));
    assert_eq!(request.flags.ttl(), Some(30));
    assert_eq!(command(b"mn\r\n"), Command::MetaNoop);
    assert_eq!(command(b"mn whatever\r\n"), Command::MetaNoop);
}

#[test]
fn wrong_tokens() {
    let bad_token = "CLIENT_ERROR bad token in command line format\r\n";
    for flag in ["T", "Tx", "T-", "T+1", "T1x", "Nx", "R", "C", "C-1", "E", "Ex", "C18446744073709551616"] {
        assert_eq!(error_line(format!("mg k {flag}\r\n").as_bytes()), bad_token, "{flag}");
    }
    for flag in ["F", "Fx", "F-1", "F4294967296"] {
        let line = error_line(format!("mg k {flag}\r\n").as_bytes()).to_owned();
        assert_eq!(line, "CLIENT_ERROR bad command line format\r\n", "{flag}");
    }
    assert_eq!(error_line(b"mg k Jx\r\n"), "CLIENT_ERROR invalid numeric initial value\r\n");
    assert_eq!(error_line(b"mg k Dx\r\n"), "CLIENT_ERROR invalid numeric delta value\r\n");
    assert_eq!(error_line(b"mg k Dx Tx\r\n"), bad_token, "the last one is told");
    assert_eq!(error_line(b"mg k Tx Fx\r\n"), bad_token, "but for one that has nothing to tell");
    assert_eq!(error_line(b"mg k Tx v v\r\n"), "CLIENT_ERROR duplicate flag\r\n");
}

#[test]
fn wrong_flags() {
    assert_eq!(error_line(b"mg k v t v\r\n"), "CLIENT_ERROR duplicate flag\r\n");
    for flag in ["z", "A", "B", "_", "1"] {
        assert_eq!(error_line(format!("mg k {flag}\r\n").as_bytes()), "CLIENT_ERROR invalid flag\r\n");
    }
    for flag in [&b"-"[..], b"{", b"\x7f", b"\x80", b"\0"] {
        let line = [b"mg k ", flag, b"\r\n"].concat();
        assert_eq!(error_line(&line), "CLIENT_ERROR bad command line format\r\n");
    }
    for flags in ["v v", "z", "D", "Tx", "Fx", "b", "-"] {
        let line = format!("ma k {flags}\r\n");
        assert_eq!(error_line(line.as_bytes()), "CLIENT_ERROR invalid or duplicate flag\r\n", "{flags}");
    }
}

#[test]
fn limits_of_a_line() {
    let eighteen = "c f h k l q s t u v x I L P M1 O1 T1 N1";
    get(format!("mg k {eighteen}\r\n").as_bytes());
    let too_many = "CLIENT_ERROR options flags are too long\r\n";
    assert_eq!(error_line(format!("mg k {eighteen} R1\r\n").as_bytes()), too_many);
    assert_eq!(error_line(format!("md k {eighteen} R1\r\n").as_bytes()), too_many);
    assert_eq!(error_line(format!("ms k 1 {eighteen}\r\nx\r\n").as_bytes()), too_many);

    let opaque = "o".repeat(31);
    let too_long = "CLIENT_ERROR opaque token too long\r\n";
    for (before, after) in [("mg k ", "\r\n"), ("md k ", "\r\n"), ("ma k ", "\r\n"), ("ms k 1 ", "\r\nx\r\n")]
    {
        command(format!("{before}O{opaque}{after}").as_bytes());
        assert_eq!(error_line(format!("{before}O{opaque}o{after}").as_bytes()), too_long);
    }
}

#[test]
fn what_is_missing() {
    for line in [&b"mg\r\n"[..], b"md\r\n", b"ma\r\n", b"me\r\n", b"ms\r\n", b"ms k\r\n"] {
        assert_eq!(error_line(line), "CLIENT_ERROR bad command line format\r\n");
        assert_eq!((error(line).end, error(line).swallow), (line.len(), 0));
    }
    for length in ["x", "-1", "+1", "2147483646", "99999999999999999999"] {
        let line = format!("ms k {length}\r\n");
        assert_eq!(error_line(line.as_bytes()), "CLIENT_ERROR bad command line format\r\n");
        assert_eq!(error(line.as_bytes()).swallow, 0);
    }
}

#[test]
fn a_refused_value_is_skipped_and_the_error_is_sent() {
    for flags in ["q z", "q Tx", "q v v", "q b", "q MX", "q -"] {
        let line = format!("ms k 5 {flags}\r\n");
        let refused = error(line.as_bytes());
        assert!(refused.reply.is_some(), "{flags}");
        assert_eq!((refused.end, refused.swallow, refused.close), (line.len(), 7, false), "{flags}");
    }
    let bad = error(b"ms k 1 q\r\nabc");
    assert_eq!((bad.reply, bad.end, bad.swallow), (Some(ErrorReply::BadDataChunk), 10, 3));
}

#[test]
fn a_value_that_is_too_large_outdates_the_old_one() {
    let refused = error(b"ms AP8g 1048576 b q ME\r\n");
    assert_eq!((refused.reply, refused.swallow), (Some(ErrorReply::ObjectTooLarge), 1_048_578));
    let key = refused.unlink.expect("whatever the mode");
    assert_eq!(key.bytes(&mut KeyBuffer::default()), b"\0\xff ");
    // A key counts as long as it is, not as it is written: 3 bytes here.
    let fits = b"ms AP8g 1048514 b\r\n";
    assert_eq!(parse(fits, &Limits::default()), Parsed::Incomplete { needed: fits.len() + 1_048_516 });
    assert_eq!(error(b"ms AP8g 1048515 b\r\n").reply, Some(ErrorReply::ObjectTooLarge));
}
