//! What it costs to make, overwrite and free an entry, by the size of its value.

#![expect(missing_docs, reason = "criterion's macros define what nobody reads")]

use std::cell::RefCell;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use larder_store::{Attributes, Entry, NewValue};

/// The allocator that the server has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Operations in one measured batch.
const BATCH: usize = 256;
/// Entries alive beside: more than the caches hold.
const ALIVE: usize = 100_000;
const SIZES: [usize; 5] = [100, 200, 500, 1000, 3000];

/// Xorshift; the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * bound as u128) >> 64) as usize
    }

    /// Log-uniform from 16 bytes to 4 KiB, as in the memory benchmark.
    fn len(&mut self) -> usize {
        let share = self.below(1 << 20) as f64 / f64::from(1 << 20);
        (16.0 * 256.0_f64.powf(share)) as usize
    }
}

fn entry(number: usize, value: &[u8]) -> Entry {
    let name = format!("memtier-{number:08}");
    Entry::new(name.as_bytes(), 1, &Attributes::default(), NewValue::raw(value))
}

fn alive(mut len: impl FnMut() -> usize) -> Vec<Entry> {
    let bytes = [b'v'; 4096];
    (0..ALIVE).map(|number| entry(number, &bytes[..len()])).collect()
}

fn create_and_free(criterion: &mut Criterion) {
    let bytes = [b'v'; 4096];
    let mut group = criterion.benchmark_group("create and free at once");
    for len in SIZES {
        group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
            let value = &bytes[..len];
            bencher.iter(|| {
                Entry::new(
                    black_box(b"memtier-12345678"),
                    1,
                    &Attributes::default(),
                    NewValue::raw(black_box(value)),
                )
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("create among many");
    group.throughput(Throughput::Elements(BATCH as u64));
    for len in SIZES {
        let entries = RefCell::new(alive(|| len));
        let mut random = Random(1);
        group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
            let value = &bytes[..len];
            bencher.iter_batched(
                || {
                    (0..BATCH)
                        .for_each(|_| drop(entries.borrow_mut().swap_remove(random.below(ALIVE - BATCH))))
                },
                |()| {
                    for _ in 0..BATCH {
                        let value = NewValue::raw(black_box(value));
                        let entry =
                            Entry::new(black_box(b"memtier-12345678"), 1, &Attributes::default(), value);
                        entries.borrow_mut().push(entry);
                    }
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn overwrite(criterion: &mut Criterion) {
    let bytes = [b'w'; 4096];
    let mut group = criterion.benchmark_group("overwrite");
    group.throughput(Throughput::Elements(BATCH as u64));
    for len in SIZES {
        for (name, spread) in [("same length", 0), ("lengths up to 5 % apart", len / 20)] {
            let mut entries = alive(|| len);
            let mut random = Random(2);
            group.bench_function(BenchmarkId::new(name, len), |bencher| {
                bencher.iter(|| {
                    for _ in 0..BATCH {
                        let place = random.below(ALIVE);
                        let len = len + random.below(spread + 1);
                        entries[place]
                            .replace(&Attributes::default(), NewValue::raw(black_box(&bytes[..len])));
                    }
                });
            });
        }
    }
    let mut random = Random(3);
    let mut entries = alive(|| random.len());
    group.bench_function("log-uniform lengths", |bencher| {
        bencher.iter(|| {
            for _ in 0..BATCH {
                let place = random.below(ALIVE);
                let value = &bytes[..random.len()];
                entries[place].replace(&Attributes::default(), NewValue::raw(black_box(value)));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, create_and_free, overwrite);
criterion_main!(benches);
