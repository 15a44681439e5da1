//! Any bytes, in any reads: memcached requests do not depend on the reads, and say nothing that is not there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memcache_parser::{Command, Key, KeyBuffer, Limits, Parsed, parse};

/// Tight, so that they are met by inputs of the length that a fuzzer likes.
const TIGHT: Limits = Limits { key_bytes: 20, item_bytes: 120, line_bytes: 60, get_line_bytes: 90 };

// The first byte says how many bytes that follow are lengths of reads; the rest is the stream.
fuzz_target!(|data: &[u8]| {
    let Some((&cuts, data)) = data.split_first() else { return };
    let (lens, stream) = data.split_at(usize::from(cuts).min(data.len()));
    for limits in [TIGHT, Limits::default()] {
        assert_eq!(answers(stream, lens, &limits), answers(stream, &[], &limits));
    }
});

/// What a connection makes of a stream; what remains when there are no more lengths arrives at once.
fn answers(stream: &[u8], lens: &[u8], limits: &Limits) -> Vec<String> {
    let mut lens = lens.iter();
    let (mut answers, mut start, mut arrived) = (Vec::new(), 0, 0);
    while start < stream.len() {
        let input = &stream[start.min(arrived)..arrived];
        match parse(input, limits) {
            Parsed::Incomplete { needed } => {
                assert!(needed > input.len());
                if arrived == stream.len() {
                    break;
                }
                let len = lens.next().map_or(usize::MAX, |len| usize::from(*len).max(1));
                arrived = arrived.saturating_add(len).min(stream.len());
            }
            Parsed::Request { command, end } => {
                assert!(0 < end && end <= input.len());
                check_keys(&command, limits);
                answers.push(format!("{command:?}"));
                start += end;
            }
            Parsed::Error(error) => {
                assert!(0 < error.end && error.end <= input.len());
                error.unlink.inspect(|key| check_key(key));
                answers.push(format!("{error:?}"));
                if error.close {
                    break;
                }
                start += error.end + error.swallow as usize;
                // What is skipped arrives without being kept.
                arrived = arrived.max(start.min(stream.len()));
            }
        }
    }
    answers
}

/// Every key is within the limits, and a base64 key can be decoded.
fn check_keys(command: &Command<'_>, limits: &Limits) {
    match command {
        Command::Get(get) => {
            let mut keys = get.keys;
            assert!(keys.all(|key| !key.is_empty() && key.len() <= limits.key_bytes && !key.contains(&b' ')));
        }
        Command::Store(store) => assert!(!store.key.is_empty() && store.key.len() <= limits.key_bytes),
        Command::MetaGet(request) | Command::MetaDelete(request) => check_key(&request.key),
        Command::MetaSet(set) => check_key(&set.key),
        Command::MetaArithmetic(request) => check_key(&request.key),
        Command::MetaDebug { key } => check_key(key),
        _ => {}
    }
}

fn check_key(key: &Key<'_>) {
    assert!(!key.bytes(&mut KeyBuffer::default()).is_empty());
}
