//! Any bytes, as requests of a client to a node in process: its replies can be read, do not depend on how the requests arrived,
//! and leave the keys in order.

#![no_main]

use larder_fuzz::{Host, Reads, has_none_of};
use larder_resp::Protocol;
use larder_testkit::Value;
use libfuzzer_sys::fuzz_target;
use redis_protocol::{resp2, resp3};

/// The bit of the first byte that has the client speak RESP3 from the start.
const RESP3: u8 = 0x80;

/// Commands that tell of connections, thus of how requests arrived.
const TELLING: &[&str] = &["info", "client", "memory", "commandlog"];

/// Commands that change the protocol.
const CHANGING: &[&str] = &["hello", "reset"];

fuzz_target!(|data: &[u8]| {
    let Some((&first, data)) = data.split_first() else { return };
    let reads = Reads::new(first & !RESP3, data);
    if !has_none_of(reads.stream, &["proto-max-bulk-len"]) {
        return;
    }
    let protocol = if first & RESP3 == 0 { Protocol::Resp2 } else { Protocol::Resp3 };
    let (at_once, in_pieces) =
        (replies([reads.stream].into_iter(), protocol), replies(reads.pieces(), protocol));
    for bytes in [&at_once, &in_pieces] {
        let values = Value::decode_all(bytes).expect("replies can be read");
        if has_none_of(reads.stream, CHANGING)
            && let Some(count) = redis_protocol_counts(bytes, protocol)
        {
            assert_eq!(count, values.len());
        }
    }
    if has_none_of(reads.stream, TELLING) {
        assert_eq!(at_once.escape_ascii().to_string(), in_pieces.escape_ascii().to_string());
    }
});

/// What a new node replies to a stream.
fn replies<'a>(pieces: impl Iterator<Item = &'a [u8]>, protocol: Protocol) -> Vec<u8> {
    let mut host = Host::default();
    let mut client = host.node.connect(protocol);
    let replies = pieces.flat_map(|piece| client.send(&mut host.worker, piece)).collect();
    drop(client);
    host.check_keys();
    replies
}

/// How many replies redis-protocol finds; `None` where it has no place for one: a set of arrays, as COMMAND INFO answers.
fn redis_protocol_counts(mut bytes: &[u8], protocol: Protocol) -> Option<usize> {
    let mut count = 0;
    while !bytes.is_empty() {
        let used = match protocol {
            Protocol::Resp2 => resp2::decode::decode(bytes).expect("RESP2").expect("a whole reply").1,
            Protocol::Resp3 => match resp3::decode::complete::decode(bytes) {
                Err(error) if error.details().contains("Invalid hash key") => return None,
                frame => frame.expect("RESP3").expect("a whole reply").1,
            },
        };
        bytes = &bytes[used..];
        count += 1;
    }
    Some(count)
}
