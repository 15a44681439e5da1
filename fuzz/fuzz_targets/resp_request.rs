//! Any bytes, in any reads: the requests found do not depend on the reads, and are those that redis-protocol
//! finds.

#![no_main]

use larder_resp::{Limits, Parsed, ProtocolError, RequestParser};
use libfuzzer_sys::fuzz_target;
use redis_protocol::resp2::{decode::decode, types::OwnedFrame};

type Request = Vec<Vec<u8>>;

/// The requests of a stream, and why it ended early or how many bytes of its last request had come.
type Outcome = (Vec<Request>, Result<usize, ProtocolError>);

/// Tight, so that they are met by inputs of the length that a fuzzer likes.
const LIMITS: Limits = Limits { bulk_len_max: 300, args_max: 100, inline_len_max: 60, ..Limits::DEFAULT };

// The first byte says how many bytes that follow are lengths of reads; the rest is the stream.
fuzz_target!(|data: &[u8]| {
    let Some((&cuts, data)) = data.split_first() else { return };
    let (lens, stream) = data.split_at(usize::from(cuts).min(data.len()));
    for limits in [LIMITS, Limits::DEFAULT, Limits::UNAUTHENTICATED] {
        let at_once = read(stream, &[], &limits);
        assert_eq!(read(stream, lens, &limits), at_once);
    }
});

/// Reads a stream as a connection does; what remains when there are no more lengths arrives at once.
fn read(stream: &[u8], lens: &[u8], limits: &Limits) -> Outcome {
    let (mut parser, mut buffer, mut requests) = (RequestParser::default(), Vec::new(), Vec::new());
    let mut lens = lens.iter();
    let mut rest = stream;
    while !rest.is_empty() {
        let len = lens.next().map_or(usize::MAX, |len| usize::from(*len).max(1));
        let (arrived, after) = rest.split_at(len.min(rest.len()));
        buffer.extend_from_slice(arrived);
        rest = after;
        match read_buffer(&mut parser, &mut buffer, limits, &mut requests) {
            Ok(used) => drop(buffer.drain(..used)),
            Err(error) => return (requests, Err(error)),
        }
    }
    (requests, Ok(buffer.len()))
}

/// Reads all whole requests, and returns how many bytes they had.
fn read_buffer(
    parser: &mut RequestParser,
    buffer: &mut [u8],
    limits: &Limits,
    requests: &mut Vec<Request>,
) -> Result<usize, ProtocolError> {
    let (mut start, mut args) = (0, Vec::new());
    loop {
        args.clear();
        match parser.parse(buffer, start, limits, &mut args)? {
            Parsed::Request { end } => {
                let request: Request = args.iter().map(|span| span.of(buffer).to_vec()).collect();
                if buffer[start] == b'*' {
                    assert_redis_protocol_agrees(&buffer[start..], &request, end - start);
                }
                requests.push(request);
                start = end;
            }
            Parsed::Empty { end } => start = end,
            Parsed::Incomplete { needed } => {
                assert!(needed > buffer.len() - start && args.is_empty());
                return Ok(start);
            }
        }
    }
}

/// redis-protocol is stricter (it looks at every line end) and reads more than requests; but where it reads
/// an array of strings, the array is the same.
fn assert_redis_protocol_agrees(input: &[u8], request: &Request, len: usize) {
    if let Ok(Some((OwnedFrame::Array(frames), used))) = decode(input) {
        let strings: Option<Request> = frames
            .into_iter()
            .map(|frame| if let OwnedFrame::BulkString(bytes) = frame { Some(bytes) } else { None })
            .collect();
        if let Some(strings) = strings {
            assert_eq!((&strings, used), (request, len));
        }
    }
}
