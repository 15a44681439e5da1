//! What it costs to write a reply.

#![expect(missing_docs, reason = "criterion's macros define what nobody reads")]

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use larder_resp::{Output, Protocol, Reply};

/// Replies in one output, so that the cost of emptying it is spread as in a pipeline.
const REPLIES: u64 = 16;

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut write: impl FnMut(&mut Reply<'_>, u64)) {
    group.throughput(criterion::Throughput::Elements(REPLIES));
    group.bench_function(name, |bencher| {
        let mut out = Output::default();
        bencher.iter(|| {
            out.clear();
            let mut reply = Reply { out: &mut out, protocol: Protocol::Resp2 };
            for at in 0..REPLIES {
                write(&mut reply, black_box(at));
            }
            black_box(out.contiguous());
        });
    });
}

fn reply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reply");
    let value = [b'v'; 100];
    measure(&mut group, "ok", |reply, _| reply.ok());
    measure(&mut group, "null", |reply, _| reply.null());
    measure(&mut group, "bulk 100", |reply, _| reply.bulk(black_box(&value)));
    measure(&mut group, "integer of one digit", |reply, at| reply.integer((at % 10) as i64));
    measure(&mut group, "integer of four digits", |reply, at| reply.integer((1_000 + at) as i64));
    measure(&mut group, "integer of fifteen digits", |reply, at| {
        reply.integer((100_000_000_000_000 + at) as i64)
    });
    measure(&mut group, "double", |reply, at| reply.double(0.1 + at as f64));
    measure(&mut group, "array known beforehand", |reply, _| {
        reply.array(2);
        reply.bulk(b"field");
        reply.bulk(b"value");
    });
    measure(&mut group, "array known afterwards", |reply, _| {
        let deferred = reply.deferred_array();
        reply.bulk(b"field");
        reply.bulk(b"value");
        reply.finish_array(deferred, 2);
    });
    group.finish();
}

criterion_group!(benches, reply);
criterion_main!(benches);
