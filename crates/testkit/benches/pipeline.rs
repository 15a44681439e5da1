//! What a pipelined request costs without the network: parsing, finding the row, locking, the key, the reply. One million keys
//! of 16 bytes with values of 100, chosen at random, so memory latency counts as it does in a server.

#![expect(missing_docs, reason = "criterion's macros define what nobody reads")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use larder_config::Settings;
use larder_engine::{Connection, Worker};
use larder_resp::{Output, Protocol};
use larder_testkit::{Chance, Node};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: usize = 1_000_000;
const PIPELINE: usize = 16;
/// Different batches, so that the keys of one are gone from the caches before it comes again.
const BATCHES: usize = 8192;

/// Reads among so many requests, the others being writes.
type Share = usize;

fn request(name: &str, key: usize, value: Option<&str>) -> String {
    let args = if value.is_some() { 3 } else { 2 };
    let value = value.map(|value| format!("${}\r\n{value}\r\n", value.len())).unwrap_or_default();
    format!("*{args}\r\n$3\r\n{name}\r\n$16\r\nkey:{key:012}\r\n{value}")
}

fn serve(connection: &mut Connection, worker: &mut Worker, input: &mut [u8], output: &mut Output) {
    let (consumed, _) = connection.serve(worker, input, output);
    assert_eq!(consumed, input.len());
    black_box(output.len());
    output.clear();
}

fn pipeline(criterion: &mut Criterion) {
    let node = Node::new(Settings::default(), 1, 1);
    let mut worker = node.worker(0);
    let mut connection = node.connection(Protocol::Resp2);
    let mut output = Output::default();
    let value = "x".repeat(100);
    for key in 0..KEYS {
        let mut input = request("SET", key, Some(&value)).into_bytes();
        serve(&mut connection, &mut worker, &mut input, &mut output);
    }

    let works: [(&str, Share, Share); 3] = [("get", 1, 1), ("get:set 10:1", 10, 11), ("set", 0, 1)];
    for (name, reads, of) in works {
        let mut random = Chance::new(7);
        let mut one = || {
            let key = random.below(KEYS);
            if random.below(of) < reads {
                request("GET", key, None)
            } else {
                request("SET", key, Some(&value))
            }
        };
        let batches: Vec<Vec<u8>> =
            (0..BATCHES).map(|_| (0..PIPELINE).map(|_| one()).collect::<String>().into_bytes()).collect();
        let mut batches = batches.iter().cycle();
        let mut group = criterion.benchmark_group("pipeline 16");
        group.throughput(Throughput::Elements(PIPELINE as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || batches.next().cloned().unwrap_or_default(),
                |mut input| serve(&mut connection, &mut worker, &mut input, &mut output),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
