//! What it costs to read a request, beside the redis-protocol crate.

#![expect(missing_docs, reason = "criterion's macros define what nobody reads")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use larder_resp::{Limits, Parsed, RequestParser};

/// Requests in one buffer, as a pipelining client sends them.
const PIPELINE: usize = 16;

fn request(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn parse(criterion: &mut Criterion) {
    let value = [b'v'; 100];
    let requests = [
        ("get", request(&[b"GET", b"memtier-1234567"])),
        ("set 100", request(&[b"SET", b"memtier-1234567", &value])),
        ("set 1000", request(&[b"SET", b"memtier-1234567", &[b'v'; 1000]])),
        ("inline get", b"GET memtier-1234567\r\n".to_vec()),
    ];
    for (name, request) in requests {
        let mut group = criterion.benchmark_group(name);
        let mut input = request.repeat(PIPELINE);
        group.throughput(Throughput::Elements(PIPELINE as u64));

        group.bench_function("larder", |bencher| {
            let (mut parser, limits, mut args) = (RequestParser::default(), Limits::DEFAULT, Vec::new());
            bencher.iter(|| {
                let mut start = 0;
                args.clear();
                while let Ok(Parsed::Request { end }) =
                    parser.parse(black_box(&mut input), start, &limits, &mut args)
                {
                    start = end;
                }
                assert_eq!(start, input.len());
                black_box(&args);
            });
        });

        if request.starts_with(b"*") {
            let input = bytes::Bytes::from(request.repeat(PIPELINE));
            group.bench_function("redis-protocol", |bencher| {
                bencher.iter(|| {
                    let mut rest = black_box(input.clone());
                    while let Ok(Some((frame, used))) = redis_protocol::resp2::decode::decode_bytes(&rest) {
                        black_box(frame);
                        rest = rest.slice(used..);
                    }
                    assert!(rest.is_empty());
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, parse);
criterion_main!(benches);
