//! How long one request takes to parse, every key looked at.
#![expect(missing_docs, reason = "`criterion_group!` makes a public function")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use memcache_parser::{Command, Limits, Parsed, parse, reply};

fn requests(criterion: &mut Criterion) {
    let value = [b'v'; 100];
    let with_value = |line: &str| [line.as_bytes(), b"\r\n", &value, b"\r\n"].concat();
    let cases = [
        ("get", b"get user:0000001234\r\n".to_vec()),
        ("set", with_value("set user:0000001234 0 3600 100")),
        ("get/10 keys", format!("get{}\r\n", " user:0000001234".repeat(10)).into_bytes()),
        ("incr", b"incr user:0000001234 1\r\n".to_vec()),
        ("mg", b"mg user:0000001234 v f t Oabc\r\n".to_vec()),
        ("ms", with_value("ms user:0000001234 100 T3600 F7")),
        ("mg/base64", b"mg AAECAwQFBgcICQoLDA0ODw== b v\r\n".to_vec()),
        ("unknown", b"hello user:0000001234\r\n".to_vec()),
    ];
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("parse");
    for (name, request) in cases {
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| bencher.iter(|| parsed(black_box(&request), &limits)));
    }
    group.finish();
}

/// What a server must touch of a request before it can look up the keys.
fn parsed(request: &[u8], limits: &Limits) -> usize {
    match parse(request, limits) {
        Parsed::Request { command: Command::Get(get), end } => end + get.keys.map(<[u8]>::len).sum::<usize>(),
        Parsed::Request { command: Command::Store(store), end } => end + store.key.len() + store.value.len(),
        Parsed::Request { command, end } => {
            black_box(&command);
            end
        }
        Parsed::Incomplete { needed } => needed,
        Parsed::Error(error) => error.end,
    }
}

fn replies(criterion: &mut Criterion) {
    let value = [b'v'; 100];
    criterion.bench_function("reply/get hit", |bencher| {
        bencher.iter_batched_ref(
            || Vec::with_capacity(256),
            |output| {
                reply::value(output, black_box(b"user:0000001234"), black_box(7), black_box(&value), None);
                reply::end(output);
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, requests, replies);
criterion_main!(benches);
