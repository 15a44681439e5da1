//! Binary requests: what each opcode asks for, what is refused and how, and that it does not matter how the bytes arrive.

use memcache_parser::binary::reply::Status;
use memcache_parser::binary::{
    Arithmetic, Command, Error, Get, HEADER_BYTES, Head, Parsed, Request, Returned, SaslRound, Store, parse,
};
use memcache_parser::{Direction, Limits, StoreMode};
use proptest::prelude::*;

/// Small, so that large values and long keys come up.
const LIMITS: Limits = Limits { key_bytes: 20, item_bytes: 120, line_bytes: 60, get_line_bytes: 90 };
const OPAQUE: u32 = 0xdead_beef;

fn packet(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body_len = (extras.len() + key.len() + value.len()) as u32;
    let mut bytes = vec![0x80, opcode];
    bytes.extend((key.len() as u16).to_be_bytes());
    bytes.extend([extras.len() as u8, 0, 0, 0]);
    bytes.extend(body_len.to_be_bytes());
    bytes.extend(OPAQUE.to_be_bytes());
    bytes.extend(77_u64.to_be_bytes());
    [&bytes, extras, key, value].concat()
}

fn request(bytes: &[u8]) -> Request<'_> {
    match parse(bytes, &LIMITS) {
        Parsed::Request { request, end } => {
            assert_eq!(end, bytes.len());
            assert_eq!(request.head, Head { opcode: bytes[1], opaque: OPAQUE });
            assert_eq!(request.cas, 77);
            request
        }
        other => panic!("{other:?}"),
    }
}

fn refusal(bytes: &[u8]) -> Error<'_> {
    match parse(bytes, &LIMITS) {
        Parsed::Error(error) => error,
        other => panic!("{other:?}"),
    }
}

fn command(bytes: &[u8]) -> (Command<'_>, bool) {
    let Request { command, quiet, .. } = request(bytes);
    (command, quiet)
}

#[test]
fn reads_differ_in_what_they_return() {
    let (value, both) = (Returned::Value, Returned::KeyAndValue);
    for (opcode, returned, quiet) in
        [(0x00, value, false), (0x09, value, true), (0x0c, both, false), (0x0d, both, true)]
    {
        let get = Command::Get(Get { key: b"key", returned, exptime: None });
        assert_eq!(command(&packet(opcode, b"", b"key", b"")), (get, quiet));
    }
    let touches = [
        (0x1c, Returned::Nothing, false),
        (0x1d, value, false),
        (0x1e, value, true),
        (0x23, both, false),
        (0x24, both, true),
    ];
    for (opcode, returned, quiet) in touches {
        let get = Command::Get(Get { key: b"key", returned, exptime: Some(0x0102_0304) });
        assert_eq!(command(&packet(opcode, &[1, 2, 3, 4], b"key", b"")), (get, quiet));
    }
}

#[test]
fn values_come_with_flags_and_expiry_or_with_none() {
    let extras = [0, 0, 0, 5, 0, 0, 0, 9];
    let modes =
        [(StoreMode::Set, 0x01, 0x11), (StoreMode::Add, 0x02, 0x12), (StoreMode::Replace, 0x03, 0x13)];
    for (mode, loud, quiet) in modes {
        let store = Command::Store(Store { mode, key: b"k", client_flags: 5, exptime: 9, value: b"\r\n" });
        assert_eq!(command(&packet(loud, &extras, b"k", b"\r\n")), (store, false));
        assert_eq!(command(&packet(quiet, &extras, b"k", b"\r\n")), (store, true));
    }
    for (mode, loud, quiet) in [(StoreMode::Append, 0x0e, 0x19), (StoreMode::Prepend, 0x0f, 0x1a)] {
        let store = Command::Store(Store { mode, key: b"k", client_flags: 0, exptime: 0, value: b"v" });
        assert_eq!(command(&packet(loud, b"", b"k", b"v")), (store, false));
        assert_eq!(command(&packet(quiet, b"", b"k", b"v")), (store, true));
    }
}

#[test]
fn counters_begin_with_a_value_unless_they_shall_not() {
    let extras =
        |exptime: u32| [&2_u64.to_be_bytes()[..], &10_u64.to_be_bytes(), &exptime.to_be_bytes()].concat();
    for (direction, loud, quiet) in [(Direction::Increment, 5, 0x15), (Direction::Decrement, 6, 0x16)] {
        let count = |exptime| {
            Command::Arithmetic(Arithmetic { direction, key: b"n", delta: 2, initial: 10, exptime })
        };
        assert_eq!(command(&packet(loud, &extras(60), b"n", b"")), (count(Some(60)), false));
        assert_eq!(command(&packet(quiet, &extras(u32::MAX), b"n", b"")), (count(None), true));
    }
}

#[test]
fn the_other_opcodes() {
    let plain = |opcode, extras: &'static [u8], key: &'static [u8], value: &'static [u8]| {
        let bytes = packet(opcode, extras, key, value);
        let (command, quiet) = command(Box::leak(bytes.into_boxed_slice()));
        assert!(!quiet);
        command
    };
    assert_eq!(plain(0x04, b"", b"k", b""), Command::Delete { key: b"k" });
    assert_eq!(plain(0x07, b"", b"", b""), Command::Quit);
    assert_eq!(plain(0x08, b"", b"", b""), Command::Flush { delay: 0 });
    assert_eq!(plain(0x08, &[0, 0, 1, 0], b"", b""), Command::Flush { delay: 256 });
    assert_eq!(plain(0x0a, b"", b"", b""), Command::Noop);
    assert_eq!(plain(0x0b, b"", b"", b""), Command::Version);
    assert_eq!(plain(0x10, b"", b"", b""), Command::Stat { which: b"" });
    assert_eq!(plain(0x10, b"", b"items", b""), Command::Stat { which: b"items" });
    assert_eq!(plain(0x20, b"", b"", b""), Command::SaslMechanisms);
    let sasl = |round| Command::Sasl { round, mechanism: b"PLAIN", data: b"\0u\0p" };
    assert_eq!(plain(0x21, b"", b"PLAIN", b"\0u\0p"), sasl(SaslRound::Start));
    assert_eq!(plain(0x22, b"", b"PLAIN", b"\0u\0p"), sasl(SaslRound::Step));
    assert_eq!(plain(0x60, b"", b"cluster", b""), Command::ConfigGet { name: b"cluster" });
    let set = Command::ConfigSet { name: b"cluster", client_flags: 3, value: b"v" };
    assert_eq!(plain(0x64, &[0, 0, 0, 3], b"cluster", b"v"), set);
    assert_eq!(plain(0x66, b"", b"cluster", b""), Command::ConfigDelete { name: b"cluster" });
    for quiet in [0x14, 0x17, 0x18] {
        let key: &[u8] = if quiet == 0x14 { b"k" } else { b"" };
        assert!(command(&packet(quiet, b"", key, b"")).1);
    }
}

#[test]
fn a_request_of_the_wrong_form_ends_the_connection() {
    let wrong = [
        packet(0x00, b"", b"", b""),
        packet(0x00, &[0; 4], b"k", b""),
        packet(0x00, b"", b"k", b"v"),
        packet(0x00, b"", &[b'k'; 21], b""),
        packet(0x01, b"", b"k", b"v"),
        packet(0x01, &[0; 8], b"", b"v"),
        packet(0x04, b"", b"", b""),
        packet(0x05, &[0; 8], b"k", b""),
        packet(0x08, &[0; 3], b"", b""),
        packet(0x0a, b"", b"k", b""),
        packet(0x0e, &[0; 8], b"k", b"v"),
        packet(0x10, b"", b"k", b"v"),
        packet(0x1c, b"", b"k", b""),
        packet(0x21, b"", b"", b"v"),
    ];
    for bytes in wrong {
        let error = refusal(&bytes);
        let head = Head { opcode: bytes[1], opaque: OPAQUE };
        assert_eq!(error.reply, Some((head, Status::InvalidArguments)), "{bytes:x?}");
        assert!(error.close);
    }
    let mut lying = packet(0x00, b"", b"key", b"");
    lying[11] = 2;
    let error = refusal(&lying);
    assert!(error.close && matches!(error.reply, Some((_, Status::UnknownCommand))));
    let mut huge = packet(0x01, &[0; 8], b"key", b"");
    huge[8] = 0x7f;
    assert!(matches!(refusal(&huge).reply, Some((_, Status::InvalidArguments))));
    assert_eq!(refusal(b"get k\r\n"), Error { reply: None, end: 1, swallow: 0, close: true, unlink: None });
}

#[test]
fn what_is_too_large_is_skipped() {
    let value = [b'v'; 100];
    for (opcode, extras, unlink) in [
        (0x01, &[0; 8][..], Some(&b"key"[..])),
        (0x11, &[0; 8], Some(b"key")),
        (0x02, &[0; 8], None),
        (0x0e, &[], None),
    ] {
        let bytes = packet(opcode, extras, b"key", &value);
        let error = refusal(&bytes[..HEADER_BYTES + extras.len() + 3]);
        assert!(matches!(error.reply, Some((_, Status::TooLarge))));
        assert_eq!((error.end as u64 + error.swallow) as usize, bytes.len());
        assert_eq!((error.unlink, error.close), (unlink, false));
    }
    let long = packet(0x21, b"", b"PLAIN", &value);
    assert!(matches!(refusal(&long).reply, Some((_, Status::OutOfMemory))));
}

#[test]
fn what_nobody_knows_is_skipped() {
    for opcode in [0x1b, 0x1f, 0x30, 0xff] {
        let bytes = packet(opcode, &[0; 4], b"key", b"value");
        let error = refusal(&bytes);
        assert!(matches!(error.reply, Some((_, Status::UnknownCommand))) && !error.close);
        assert_eq!((error.end as u64 + error.swallow) as usize, bytes.len());
    }
}

/// What a connection makes of a stream: each answer as text, the bytes that are skipped left out.
fn answers(stream: &[u8], reads: &[usize]) -> Vec<String> {
    let mut reads = reads.iter().cycle();
    let (mut answers, mut start, mut arrived) = (Vec::new(), 0, 0);
    while start < stream.len() {
        let input = &stream[start.min(arrived)..arrived];
        match parse(input, &LIMITS) {
            Parsed::Incomplete { needed } => {
                assert!(needed > input.len(), "{needed} bytes are there already");
                if arrived == stream.len() {
                    break;
                }
                arrived = (arrived + reads.next().expect("it is a cycle")).min(stream.len());
            }
            Parsed::Request { request, end } => {
                assert!(0 < end && end <= input.len());
                answers.push(format!("{request:?}"));
                start += end;
            }
            Parsed::Error(error) => {
                assert!(0 < error.end && error.end <= input.len());
                answers.push(format!("{error:?}"));
                if error.close {
                    break;
                }
                start += error.end + error.swallow as usize;
                arrived = arrived.max(start.min(stream.len()));
            }
        }
    }
    answers
}

fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let extras_len = prop::sample::select(vec![0, 0, 0, 4, 8, 20, 3]);
    let opcode = prop_oneof![9 => 0..0x26_u8, 1 => any::<u8>()];
    let value = prop_oneof![2 => Just(vec![]), 3 => prop::collection::vec(any::<u8>(), 0..80)];
    (opcode, extras_len, prop::collection::vec(any::<u8>(), 0..23), value)
        .prop_map(|(opcode, extras_len, key, value)| packet(opcode, &vec![1; extras_len], &key, &value))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn answers_do_not_depend_on_reads(
        packets in prop::collection::vec(any_packet(), 1..8),
        flip in any::<Option<(prop::sample::Index, u8)>>(),
        reads in prop::collection::vec(1..50_usize, 1..8),
    ) {
        let mut stream = packets.concat();
        if let Some((at, byte)) = flip {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let whole = answers(&stream, &[stream.len()]);
        prop_assert_eq!(&answers(&stream, &reads), &whole);
        prop_assert_eq!(&answers(&stream, &[1]), &whole);
    }

    /// A server that waits for `needed` bytes never waits for more than the request has.
    #[test]
    fn needed_is_never_too_much(packet in any_packet()) {
        let end = match parse(&packet, &LIMITS) {
            Parsed::Request { end, .. } => end,
            Parsed::Error(error) => error.end + error.swallow as usize,
            Parsed::Incomplete { needed } => panic!("{needed}"),
        };
        for cut in 0..end.min(packet.len()) {
            if let Parsed::Incomplete { needed } = parse(&packet[..cut], &LIMITS) {
                prop_assert!(cut < needed && needed <= end, "{needed} of {end} at {cut}");
            }
        }
    }
}
