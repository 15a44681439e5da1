//! Any bytes, in any reads: binary requests do not depend on the reads, and say nothing that is not there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memcache_parser::Limits;
use memcache_parser::binary::{Command, Parsed, parse};

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
            Parsed::Request { request, end } => {
                assert!(0 < end && end <= input.len());
                check_key(&request.command, limits);
                answers.push(format!("{request:?}"));
                start += end;
            }
            Parsed::Error(error) => {
                assert!(0 < error.end && error.end <= input.len());
                assert!(error.unlink.is_none_or(|key| !key.is_empty() && key.len() <= limits.key_bytes));
                answers.push(format!("{error:?}"));
                if error.close {
                    break;
                }
                start = start.saturating_add(error.end).saturating_add(error.swallow as usize);
                // What is skipped arrives without being kept.
                arrived = arrived.max(start.min(stream.len()));
            }
        }
    }
    answers
}

/// Every key is within the limits.
fn check_key(command: &Command<'_>, limits: &Limits) {
    let key = match command {
        Command::Get(get) => get.key,
        Command::Store(store) => store.key,
        Command::Delete { key } => key,
        Command::Arithmetic(arithmetic) => arithmetic.key,
        _ => return,
    };
    assert!(!key.is_empty() && key.len() <= limits.key_bytes);
}
