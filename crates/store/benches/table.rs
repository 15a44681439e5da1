//! What the keyspace costs per key: everything between a hashed name and a changed table, stripe lock included.

#![expect(missing_docs, reason = "criterion's macros define what nobody reads")]

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use larder_store::{
    AccessPolicy, Attributes, Change, DbIndex, Event, ExpireProgress, Keyspace, Moment, NewValue, Position,
    STRIPES, SideState, Touch, UnixMillis,
};

/// The allocator that the server has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keys in the keyspace: more than the caches hold.
const KEYS: usize = 200_000;
/// Operations in one measured batch.
const BATCH: usize = 256;
const LENGTHS: [usize; 3] = [100, 300, 1000];
const DB: DbIndex = DbIndex(0);
const MOMENT: Moment = Moment {
    now: UnixMillis(1_700_000_000_000),
    clock: UnixMillis(1_700_000_000_000),
    policy: AccessPolicy::Lru,
    due: larder_store::Due::Removed,
};
const SET: Event = Event::string("set");

#[derive(Default)]
struct Nobody;

impl SideState for Nobody {
    fn changed(&mut self, _: Change<'_>) {}
    fn fields_expired(&mut self, _: usize) {}
    fn flushed(&mut self, _: DbIndex, _: usize, _: &dyn Fn(&[u8]) -> bool) {}
    fn swapped(&mut self, _: (DbIndex, DbIndex), _: &dyn Fn(DbIndex, &[u8]) -> bool) {}
}

type Keys = Keyspace<Nobody>;

fn name(number: usize) -> [u8; 16] {
    let mut name = *b"memtier-00000000";
    name[8..].copy_from_slice(&format!("{number:08}").into_bytes());
    name
}

/// Does something with the next so many names, in an order that no cache foresees and that meets all before any again.
fn batch(names: &[[u8; 16]], count: &mut usize, mut work: impl FnMut(&[u8])) {
    for _ in 0..BATCH {
        *count += 1;
        work(black_box(&names[count.wrapping_mul(100_003) % KEYS]));
    }
}

fn put(keyspace: &Keys, name: &[u8], value: &[u8]) {
    put_until(keyspace, name, value, None);
}

fn put_until(keyspace: &Keys, name: &[u8], value: &[u8], expires_at: Option<UnixMillis>) {
    let key = keyspace.key(name);
    let mut stripe = keyspace.lock(key.position.stripe(), MOMENT);
    stripe.put(DB, key, &Attributes::expiring(expires_at), NewValue::raw(value), SET);
}

fn delete(keyspace: &Keys, name: &[u8]) {
    let key = keyspace.key(name);
    keyspace.lock(key.position.stripe(), MOMENT).delete(DB, key, Event::DELETED);
}

fn find(keyspace: &Keys, name: &[u8]) -> Option<usize> {
    let key = keyspace.key(name);
    let mut stripe = keyspace.lock(key.position.stripe(), MOMENT);
    stripe.find(DB, key, Touch::Yes).map(|entry| entry.value_len())
}

fn filled(len: usize) -> Keys {
    let (keyspace, _) = Keyspace::new(1, 0x5EED);
    for number in 0..KEYS {
        put(&keyspace, &name(number), &vec![b'v'; len]);
    }
    keyspace
}

fn keys(criterion: &mut Criterion) {
    let names: Vec<_> = (0..2 * KEYS).map(name).collect();
    let mut group = criterion.benchmark_group("keyspace");
    group.throughput(Throughput::Elements(BATCH as u64));
    for len in LENGTHS {
        let (keyspace, value, longer) = (filled(len), vec![b'w'; len], vec![b'x'; len + len / 4]);
        let mut count = 0;
        group.bench_function(BenchmarkId::new("get hit", len), |bencher| {
            bencher.iter(|| batch(&names, &mut count, |name| assert!(find(&keyspace, name).is_some())));
        });
        group.bench_function(BenchmarkId::new("get miss", len), |bencher| {
            bencher
                .iter(|| batch(&names[KEYS..], &mut count, |name| assert!(find(&keyspace, name).is_none())));
        });
        group.bench_function(BenchmarkId::new("overwrite, same class", len), |bencher| {
            bencher.iter(|| batch(&names, &mut count, |name| put(&keyspace, name, &value)));
        });
        let mut turn = 0;
        group.bench_function(BenchmarkId::new("overwrite, other class", len), |bencher| {
            bencher.iter(|| {
                batch(&names, &mut count, |name| {
                    // All keys are met before any is again: each becomes longer and shorter in turn.
                    turn += 1;
                    put(&keyspace, name, if (turn / KEYS).is_multiple_of(2) { &longer } else { &value });
                });
            });
        });
        insert_and_delete(&mut group, &keyspace, &names[KEYS..], &value);
    }
    let keyspace = filled(100);
    group.throughput(Throughput::Elements(KEYS as u64));
    group.bench_function("scan", |bencher| bencher.iter(|| assert_eq!(walk(&keyspace), KEYS)));
    group.sample_size(20);
    group.bench_function("expire", |bencher| {
        bencher.iter_batched(
            all_ending,
            |keyspace| assert!(expired(keyspace).is_empty()),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// New keys beside those that are there, and their end.
fn insert_and_delete(group: &mut Group<'_>, keyspace: &Keys, names: &[[u8; 16]], value: &[u8]) {
    let batch = |start: usize| names.iter().cycle().skip(start % KEYS).take(BATCH);
    let mut start = 0;
    group.bench_function(BenchmarkId::new("insert", value.len()), |bencher| {
        bencher.iter_batched(
            || {
                batch(start).for_each(|name| delete(keyspace, name));
                start += BATCH;
                start
            },
            |start| batch(start).for_each(|name| put(keyspace, name, value)),
            BatchSize::PerIteration,
        );
    });
    group.bench_function(BenchmarkId::new("delete", value.len()), |bencher| {
        bencher.iter_batched(
            || {
                start += BATCH;
                batch(start).for_each(|name| put(keyspace, name, value));
                start
            },
            |start| batch(start).for_each(|name| delete(keyspace, name)),
            BatchSize::PerIteration,
        );
    });
}

fn walk(keyspace: &Keys) -> usize {
    let (mut visited, mut cursor) = (0, Some(Position::default()));
    while let Some(from) = cursor {
        cursor = keyspace.scan(DB, from, 1000, MOMENT, |entry| {
            visited += usize::from(!entry.key().is_empty());
        });
    }
    visited
}

/// Every key ends in the same millisecond.
fn all_ending() -> Keys {
    let (keyspace, _) = Keyspace::new(1, 0x5EED);
    let end = Some(MOMENT.now.saturating_add(1000));
    for number in 0..KEYS {
        put_until(&keyspace, &name(number), &[b'v'; 100], end);
    }
    keyspace
}

/// Removes what is due two seconds later, as workers do: some nodes of a stripe at a time.
fn expired(keyspace: Keys) -> Keys {
    let later = Moment { now: MOMENT.now.saturating_add(2000), ..MOMENT };
    let mut more = true;
    while more {
        more = false;
        for stripe in 0..STRIPES {
            more |= keyspace.lock(stripe, later).expire_due(64) == ExpireProgress::More;
        }
    }
    keyspace
}

criterion_group!(benches, keys);
criterion_main!(benches);
