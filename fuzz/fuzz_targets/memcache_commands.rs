//! Any bytes, as memcached requests of a client to a node in process: its replies are lines and values of the protocol, or what a
//! binary client gets, do not depend on how the requests arrived, and leave the keys in order.

#![no_main]

use larder_fuzz::{Host, Reads, has_none_of};
use libfuzzer_sys::fuzz_target;
use memcache_parser::binary::{HEADER_BYTES, REQUEST_MAGIC, RESPONSE_MAGIC};

/// What a reply's line may begin with, but for numbers.
const WORDS: &[&str] = &[
    "STORED",
    "NOT_STORED",
    "EXISTS",
    "NOT_FOUND",
    "DELETED",
    "TOUCHED",
    "OK",
    "END",
    "VALUE",
    "STAT",
    "VERSION",
    "RESET",
    "ERROR",
    "CLIENT_ERROR",
    "SERVER_ERROR",
    // As memcached answers shutdown and cache_memlimit.
    "SERVER_ERROR:",
    "MEMLIMIT_ADJUST_FAILED",
    "MEMLIMIT_TOO_SMALL",
    "CONFIG",
    "ITEM",
    "PREFIX",
    "HD",
    "VA",
    "EN",
    "NF",
    "NS",
    "EX",
    "MN",
    "ME",
];

fuzz_target!(|data: &[u8]| {
    let Some((&cuts, data)) = data.split_first() else { return };
    let reads = Reads::new(cuts, data);
    let (at_once, in_pieces) = (replies([reads.stream].into_iter()), replies(reads.pieces()));
    for replies in [&at_once, &in_pieces] {
        match reads.stream.first() {
            Some(&REQUEST_MAGIC) => check_packets(replies),
            // The lines of a dump have another end.
            _ if has_none_of(reads.stream, &["lru_crawler"]) => check_lines(replies),
            _ => {}
        }
    }
    if has_none_of(reads.stream, &["stats"]) {
        assert_eq!(at_once.escape_ascii().to_string(), in_pieces.escape_ascii().to_string());
    }
});

/// What a new node replies to a stream.
fn replies<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut host = Host::default();
    let mut client = host.node.connect_memcached();
    let replies = pieces.flat_map(|piece| client.send(&mut host.worker, piece)).collect();
    drop(client);
    host.check_keys();
    replies
}

/// Replies of the binary protocol, each as long as its header says.
fn check_packets(mut replies: &[u8]) {
    while let Some((header, rest)) = replies.split_first_chunk::<HEADER_BYTES>() {
        assert_eq!(header[0], RESPONSE_MAGIC);
        let [.., b0, b1, b2, b3] = header[..12] else { unreachable!("twelve bytes") };
        let body_len = u32::from_be_bytes([b0, b1, b2, b3]) as usize;
        let parts_len = usize::from(header[4]) + usize::from(u16::from_be_bytes([header[2], header[3]]));
        assert!(parts_len <= body_len);
        replies = &rest[body_len..];
    }
    assert!(replies.is_empty());
}

fn check_lines(mut replies: &[u8]) {
    while !replies.is_empty() {
        let shown = || replies.escape_ascii().to_string();
        let len = replies
            .windows(2)
            .position(|end| end == b"\r\n")
            .unwrap_or_else(|| panic!("no end: {}", shown()));
        let line = replies[..len].to_vec();
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        assert!(
            WORDS.iter().any(|word| word.as_bytes() == words[0]) || number(words[0]).is_some(),
            "{}",
            shown()
        );
        replies = &replies[len + 2..];
        let value_len = match words.as_slice() {
            [b"VALUE" | b"CONFIG", _, _, len, ..] | [b"VA", len, ..] => number(len).expect("a length"),
            _ => continue,
        };
        assert_eq!(&replies[value_len..value_len + 2], b"\r\n", "a value of {value_len} bytes");
        replies = &replies[value_len + 2..];
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    // decr pads with blanks behind the number.
    std::str::from_utf8(digits).ok()?.parse::<u64>().ok()?.try_into().ok()
}
