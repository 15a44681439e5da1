//! What is read does not depend on how it arrives, and is what redis-protocol reads.

use larder_resp::{Limits, Parsed, ProtocolError, RequestParser, Span};
use proptest::prelude::*;
use redis_protocol::resp2::{decode::decode, types::OwnedFrame};

type Request = Vec<Vec<u8>>;

/// What came of a stream: its requests, and why it ended early or how many bytes of its last request had
/// come.
type Outcome = (Vec<Request>, Result<usize, ProtocolError>);

fn taken(spans: &[Span], input: &[u8]) -> Request {
    spans.iter().map(|span| span.of(input).to_vec()).collect()
}

/// Reads a stream that has arrived whole.
fn at_once(stream: &[u8], limits: &Limits) -> Outcome {
    in_reads(&[stream.to_vec()], limits)
}

/// Reads a stream as a connection does: what is not yet a request is moved to the front of the buffer before
/// the next read.
fn in_reads(reads: &[Vec<u8>], limits: &Limits) -> Outcome {
    let (mut parser, mut buffer, mut args, mut requests) =
        (RequestParser::default(), Vec::new(), Vec::new(), Vec::new());
    for read in reads {
        buffer.extend_from_slice(read);
        let mut start = 0;
        loop {
            args.clear();
            match parser.parse(&mut buffer, start, limits, &mut args) {
                Ok(Parsed::Request { end }) => {
                    requests.push(taken(&args, &buffer));
                    start = end;
                }
                Ok(Parsed::Empty { end }) => start = end,
                Ok(Parsed::Incomplete { needed }) => {
                    assert!(needed > buffer.len() - start, "it is known that more is needed");
                    assert!(args.is_empty());
                    break;
                }
                Err(error) => return (requests, Err(error)),
            }
        }
        buffer.drain(..start);
    }
    (requests, Ok(buffer.len()))
}

fn encoded(request: &Request) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for arg in request {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn cut(stream: &[u8], mut lens: Vec<usize>) -> Vec<Vec<u8>> {
    let mut rest = stream;
    let mut reads = Vec::new();
    while !rest.is_empty() {
        let (read, after) = rest.split_at(lens.pop().unwrap_or(usize::MAX).min(rest.len()));
        reads.push(read.to_vec());
        rest = after;
    }
    reads
}

fn request() -> impl Strategy<Value = Request> {
    let arg = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 90..1_100),
    ];
    prop::collection::vec(arg, 1..40)
}

/// A piece of a stream: a request, a line, or what no client should send.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => request().prop_map(|request| encoded(&request)),
        4 => "[ -~\t]{0,30}\r?\n".prop_map(String::into_bytes),
        1 => "\\*[0-9-]{0,3}\r\n".prop_map(String::into_bytes),
        1 => "\\*1\r\n[$!][0-9]{1,2}\r\n".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..10),
    ]
}

fn tight() -> Limits {
    Limits { inline_len_max: 40, bulk_len_max: 1_000, ..Limits::DEFAULT }
}

proptest! {
    #[test]
    fn reads_do_not_matter(
        pieces in prop::collection::vec(piece(), 0..6),
        lens in prop::collection::vec(1usize..60, 0..200),
    ) {
        let stream = pieces.concat();
        for limits in [Limits::DEFAULT, Limits::UNAUTHENTICATED, tight()] {
            prop_assert_eq!(in_reads(&cut(&stream, lens.clone()), &limits), at_once(&stream, &limits));
        }
    }

    #[test]
    fn requests_come_out_as_they_went_in(requests in prop::collection::vec(request(), 0..6)) {
        let stream: Vec<u8> = requests.iter().flat_map(encoded).collect();
        prop_assert_eq!(at_once(&stream, &Limits::DEFAULT), (requests, Ok(0)));
    }

    #[test]
    fn redis_protocol_reads_the_same(request in request()) {
        let stream = encoded(&request);
        let (frame, used) = decode(&stream).unwrap().expect("the request is whole");
        let OwnedFrame::Array(frames) = frame else { panic!("{frame:?}") };
        let theirs: Request = frames
            .into_iter()
            .map(|frame| match frame {
                OwnedFrame::BulkString(bytes) => bytes,
                other => panic!("{other:?}"),
            })
            .collect();
        prop_assert_eq!(used, stream.len());
        prop_assert_eq!(at_once(&stream, &Limits::DEFAULT), (vec![theirs], Ok(0)));
    }

    #[test]
    fn no_prefix_of_a_request_is_a_request(request in request(), at in any::<prop::sample::Index>()) {
        let stream = encoded(&request);
        let prefix = &stream[..at.index(stream.len())];
        prop_assert_eq!(at_once(prefix, &Limits::DEFAULT), (vec![], Ok(prefix.len())));
    }
}

/// Were each read to begin again at the start, some four hundred million arguments would be parsed: a wait
/// that nobody misses.
#[test]
fn a_million_arguments_in_small_reads_are_read_once() {
    const ARGS: usize = 1_000_000;
    const READ_LEN: usize = 16 * 1024;
    let stream = [format!("*{ARGS}\r\n").as_bytes(), &b"$8\r\nargument\r\n".repeat(ARGS)].concat();
    let mut buffer = stream.clone();
    let (mut parser, mut args) = (RequestParser::default(), Vec::new());
    for arrived in (READ_LEN..stream.len()).step_by(READ_LEN) {
        let parsed = parser.parse(&mut buffer[..arrived], 0, &Limits::DEFAULT, &mut args);
        assert!(matches!(parsed, Ok(Parsed::Incomplete { .. })), "{parsed:?}");
    }
    let parsed = parser.parse(&mut buffer, 0, &Limits::DEFAULT, &mut args);
    assert_eq!(parsed, Ok(Parsed::Request { end: stream.len() }));
    assert_eq!(args.len(), ARGS);
    assert!(args.iter().all(|span| span.of(&stream) == b"argument"));
}
