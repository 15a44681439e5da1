//! What is written is what redis-protocol reads.

use std::io::IoSlice;

use bytes::Bytes;
use larder_resp::{Output, Protocol, ProtocolError, Reply};
use proptest::prelude::*;
use redis_protocol::resp2::types::OwnedFrame as Frame2;
use redis_protocol::resp3::types::OwnedFrame as Frame3;

fn written(protocol: Protocol, write: impl Fn(&mut Reply<'_>)) -> Vec<u8> {
    let mut out = Output::default();
    write(&mut Reply { out: &mut out, protocol });
    let mut slices = [IoSlice::new(&[]); 64];
    let filled = out.fill_slices(&mut slices);
    slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect()
}

fn decoded2(write: impl Fn(&mut Reply<'_>)) -> Frame2 {
    let bytes = written(Protocol::Resp2, write);
    let (frame, used) =
        redis_protocol::resp2::decode::decode(&bytes).expect("a reply").expect("a whole reply");
    assert_eq!(used, bytes.len());
    frame
}

fn decoded3(write: impl Fn(&mut Reply<'_>)) -> Frame3 {
    let bytes = written(Protocol::Resp3, write);
    let (frame, used) =
        redis_protocol::resp3::decode::complete::decode(&bytes).expect("a reply").expect("a whole reply");
    assert_eq!(used, bytes.len());
    frame
}

/// What the two protocols make of the same call.
fn assert_written(write: impl Fn(&mut Reply<'_>), resp2: &str, resp3: &str) {
    for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
        assert_eq!(String::from_utf8_lossy(&written(protocol, &write)), expected, "{protocol:?}");
    }
}

#[test]
fn scalars() {
    assert_written(|reply| reply.ok(), "+OK\r\n", "+OK\r\n");
    assert_written(|reply| reply.simple("PONG"), "+PONG\r\n", "+PONG\r\n");
    assert_written(|reply| reply.integer(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n");
    assert_written(
        |reply| reply.unsigned(u64::MAX),
        ":18446744073709551615\r\n",
        ":18446744073709551615\r\n",
    );
    assert_written(|reply| reply.null(), "$-1\r\n", "_\r\n");
    assert_written(|reply| reply.null_array(), "*-1\r\n", "_\r\n");
    assert_written(|reply| reply.boolean(true), ":1\r\n", "#t\r\n");
    assert_written(|reply| reply.boolean(false), ":0\r\n", "#f\r\n");
    assert_written(|reply| reply.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
    assert_written(|reply| reply.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    assert_written(|reply| reply.double(f64::NAN), "$3\r\nnan\r\n", ",nan\r\n");
    assert_written(|reply| reply.big_number("-123"), "$4\r\n-123\r\n", "(-123\r\n");
    assert_written(|reply| reply.verbatim(*b"txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
    assert_written(|reply| reply.bulk_display(-12), "$3\r\n-12\r\n", "$3\r\n-12\r\n");
    assert_written(|reply| reply.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n");
    assert_written(|reply| reply.block(Bytes::new()), "$0\r\n\r\n", "$0\r\n\r\n");
}

#[test]
fn a_line_stays_one_line() {
    assert_written(|reply| reply.error("\r\nERR a\r\nb\n"), "-ERR a  b\r\n", "-ERR a  b\r\n");
    assert_written(|reply| reply.simple("a\nb"), "+a b\r\n", "+a b\r\n");
}

#[test]
fn protocol_errors_quote_the_byte_itself() {
    let line = |found| {
        written(Protocol::Resp2, |reply| reply.protocol_error(&ProtocolError::ExpectedBulk { found }))
    };
    assert_eq!(line(0xff), b"-ERR Protocol error: expected '$', got '\xff'\r\n");
    assert_eq!(line(b'\n'), b"-ERR Protocol error: expected '$', got ' '\r\n");
    let other = written(Protocol::Resp2, |reply| reply.protocol_error(&ProtocolError::InlineTooLong));
    assert_eq!(other, b"-ERR Protocol error: too big inline request\r\n");
}

#[test]
fn aggregates() {
    let one = |reply: &mut Reply<'_>| reply.integer(1);
    assert_written(|reply| reply.array(0), "*0\r\n", "*0\r\n");
    assert_written(|reply| reply.array(12_345), "*12345\r\n", "*12345\r\n");
    assert_written(|reply| (reply.set(1), one(reply)).0, "*1\r\n:1\r\n", "~1\r\n:1\r\n");
    assert_written(|reply| (reply.push(1), one(reply)).0, "*1\r\n:1\r\n", ">1\r\n:1\r\n");
    assert_written(|reply| reply.map(50), "*100\r\n", "%50\r\n");
    let with_attribute = |reply: &mut Reply<'_>| {
        if reply.attribute(1) {
            reply.bulk(b"ttl");
            reply.integer(1);
        }
        reply.ok();
    };
    assert_written(with_attribute, "+OK\r\n", "|1\r\n$3\r\nttl\r\n:1\r\n+OK\r\n");
}

#[test]
fn aggregates_of_unknown_length() {
    let nested = |reply: &mut Reply<'_>| {
        let outer = reply.deferred_array();
        let map = reply.deferred_array();
        reply.bulk(b"k");
        reply.block(Bytes::from_static(b"v"));
        reply.finish_map(map, 1);
        let set = reply.deferred_array();
        reply.finish_set(set, 0);
        reply.finish_array(outer, 2);
    };
    let pair = "$1\r\nk\r\n$1\r\nv\r\n";
    assert_written(nested, &format!("*2\r\n*2\r\n{pair}*0\r\n"), &format!("*2\r\n%1\r\n{pair}~0\r\n"));
}

#[test]
fn a_long_aggregate_of_unknown_length_is_read_back() {
    let long = |reply: &mut Reply<'_>| {
        let outer = reply.deferred_array();
        for _ in 0..3 {
            let inner = reply.deferred_array();
            (0..5_000).for_each(|number| reply.integer(number));
            reply.finish_array(inner, 5_000);
        }
        reply.finish_array(outer, 3);
    };
    let numbers = Frame2::Array((0..5_000).map(Frame2::Integer).collect());
    assert_eq!(decoded2(long), Frame2::Array(vec![numbers; 3]));
}

proptest! {
    #[test]
    fn strings_are_read_back(value in prop::collection::vec(any::<u8>(), 0..300)) {
        let expected2 = Frame2::BulkString(value.clone());
        let expected3 = Frame3::BlobString { data: value.clone(), attributes: None };
        prop_assert_eq!(&decoded2(|reply| reply.bulk(&value)), &expected2);
        prop_assert_eq!(&decoded3(|reply| reply.bulk(&value)), &expected3);
        prop_assert_eq!(&decoded2(|reply| reply.block(value.clone().into())), &expected2);
        prop_assert_eq!(&decoded3(|reply| reply.block(value.clone().into())), &expected3);
    }

    #[test]
    fn numbers_are_read_back(integer in any::<i64>(), shift in 0u32..64, double in any::<f64>()) {
        let integer = integer >> shift;
        prop_assert_eq!(decoded2(|reply| reply.integer(integer)), Frame2::Integer(integer));
        let expected = Frame3::Number { data: integer, attributes: None };
        prop_assert_eq!(decoded3(|reply| reply.integer(integer)), expected);
        let expected = Frame3::Double { data: double, attributes: None };
        prop_assert_eq!(decoded3(|reply| reply.double(double)), expected);
    }

    #[test]
    fn maps_and_verbatim_texts_are_read_back(text in "[ -~\r\n]{0,40}") {
        let frame = decoded3(|reply| {
            reply.map(1);
            reply.boolean(true);
            reply.verbatim(*b"txt", text.as_bytes());
        });
        let Frame3::Map { data, .. } = frame else { panic!("{frame:?}") };
        let value = &data[&Frame3::Boolean { data: true, attributes: None }];
        let Frame3::VerbatimString { data, .. } = value else { panic!("{value:?}") };
        prop_assert_eq!(data.as_slice(), text.as_bytes());
    }
}
