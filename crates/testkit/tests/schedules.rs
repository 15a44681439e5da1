//! The engine's locking under shuttle, which decides at every lock and atomic of engine and store which worker goes on: many
//! schedules that real threads meet once in a blue moon, each of which can be run again.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test --target-dir target/shuttle -p larder-testkit --test schedules` runs it; without the flag
//! there is nothing here. `SCHEDULES` is how many are tried.

#![cfg(shuttle)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_config::Settings;
use larder_resp::Protocol;
use larder_store::{DbIndex, Moment};
use larder_testkit::linear::{History, Operation, Request, Values, check, execute_whole};
use larder_testkit::{Chance, Node, Value, number};
use shuttle::rand::RngCore as _;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner, rand, thread};

/// Workers at once. More of them seldom find what three do not.
const WORKERS: usize = 3;
/// Preemptions that the scheduler with priorities aims at.
const PREEMPTIONS: usize = 3;

/// Tries a scenario under both schedulers.
fn schedules(scenario: fn()) {
    let count = number("SCHEDULES", 300) as usize;
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let mut config = Config::new();
        // A request's way through the commands is deeper than the model checker's tests usually are.
        config.stack_size = 1 << 20;
        Runner::new(scheduler, config).run(scenario);
    };
    run(Box::new(RandomScheduler::new_from_seed(1, count)));
    run(Box::new(PctScheduler::new_from_seed(1, PREEMPTIONS, count)));
}

fn node() -> Arc<Node> {
    Arc::new(Node::new(Settings { databases: 2, ..Settings::default() }, WORKERS, 1))
}

/// Has each worker do this, on a thread of its own.
fn on_each_worker<R: Send + 'static>(
    node: &Arc<Node>,
    work: impl Fn(&Node, usize) -> R + Send + Sync + 'static,
) -> Vec<R> {
    let work = Arc::new(work);
    let threads: Vec<_> = (0..WORKERS)
        .map(|index| {
            let (node, work) = (Arc::clone(node), Arc::clone(&work));
            thread::spawn(move || work(&node, index))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("a worker panicked")).collect()
}

/// Requests of several keys in different orders neither deadlock nor show what is half done.
#[test]
fn requests_of_several_keys_take_effect_one_at_a_time() {
    schedules(|| {
        let node = node();
        let moments = Arc::new(AtomicU64::new(0));
        let history: History<Request> = on_each_worker(&node, move |node, index| {
            let (mut worker, mut client) = (node.worker(index), node.connect(Protocol::Resp2));
            let mut chance = Chance::new(rand::thread_rng().next_u64());
            let requests = (0..3).map(|_| Request::generate(Request::COMMANDS, 2, &mut chance));
            let operation = |request: Request| {
                let called = moments.fetch_add(1, Ordering::SeqCst);
                let reply =
                    execute_whole(&mut client, &mut worker, std::slice::from_ref(&request), "").remove(0);
                Operation { called, returned: moments.fetch_add(1, Ordering::SeqCst), request, reply }
            };
            requests.map(operation).collect()
        });
        if let Err(error) = check(Values::default(), &history) {
            panic!("{}", error.describe(&history));
        }
    });
}

/// While one worker has the keyspace to itself, no other touches it, whatever both are at.
#[test]
fn swapped_databases_are_never_seen_half() {
    schedules(|| {
        let node = node();
        let (mut worker, mut client) = (node.worker(0), node.connect(Protocol::Resp2));
        client.send(&mut worker, b"MSET a 0 b 0\r\nSELECT 1\r\nMSET a 1 b 1\r\n");
        drop((worker, client));
        on_each_worker(&node, |node, index| {
            let (mut worker, mut client) = (node.worker(index), node.connect(Protocol::Resp2));
            for _ in 0..2 {
                if index == 0 {
                    assert_eq!(client.send(&mut worker, b"SWAPDB 0 1\r\n"), b"+OK\r\n");
                } else {
                    let seen = client.request(&mut worker, &["MGET", "a", "b"]).expect("a reply");
                    let [Value::Array(pair)] = &seen[..] else { panic!("{seen:?}") };
                    assert_eq!(pair[0], pair[1], "half of a swap");
                }
            }
        });
    });
}

/// Several workers that want everything at once take turns, with others at work.
#[test]
fn exclusive_requests_of_several_workers_all_end() {
    schedules(|| {
        let node = node();
        on_each_worker(&node, |node, index| {
            let (mut worker, mut client) = (node.worker(index), node.connect(Protocol::Resp2));
            assert_eq!(
                client
                    .send(&mut worker, b"INCR n\r\nSWAPDB 0 1\r\nINCR n\r\n")
                    .iter()
                    .filter(|byte| **byte == b':')
                    .count(),
                2
            );
        });
        let (mut worker, mut client) = (node.worker(0), node.connect(Protocol::Resp2));
        let replies = client.send(&mut worker, b"INCRBY n 0\r\nSELECT 1\r\nINCRBY n 0\r\n");
        let replies = Value::decode_all(&replies).expect("replies");
        let [Value::Integer(one), _, Value::Integer(other)] = &replies[..] else { panic!("{replies:?}") };
        assert_eq!(one + other, 2 * WORKERS as i64, "an increment is lost");
    });
}

/// Keys counted are those that are there, whatever comes, goes, expires and is flushed at once.
#[test]
fn the_count_of_keys_is_right_in_the_end() {
    const REQUESTS: [&[u8]; 8] = [
        b"SET a 1 PX 1\r\n",
        b"MSET a 1 b 2\r\n",
        b"DEL a b\r\n",
        b"RENAME a b\r\n",
        b"FLUSHDB\r\n",
        b"COPY a b REPLACE\r\n",
        b"GETDEL b\r\n",
        b"MOVE a 1\r\n",
    ];
    schedules(|| {
        let node = node();
        on_each_worker(&node, |node, index| {
            let (mut worker, mut client) = (node.worker(index), node.connect(Protocol::Resp2));
            let mut chance = Chance::new(rand::thread_rng().next_u64());
            for _ in 0..4 {
                client.send(&mut worker, REQUESTS[chance.below(REQUESTS.len())]);
                node.clock.advance(1);
            }
        });
        let keyspace = &node.engine.keyspace;
        let moment = Moment {
            now: node.clock.now(),
            clock: node.clock.now(),
            policy: larder_store::AccessPolicy::Lru,
            due: larder_store::Due::Removed,
        };
        for db in [DbIndex(0), DbIndex(1)] {
            let there = [&b"a"[..], b"b"].into_iter().filter(|bytes| {
                let key = keyspace.key(bytes);
                keyspace.lock(key.position.stripe(), moment).contains(db, key)
            });
            assert_eq!(there.count(), keyspace.len(db), "database {db:?}");
        }
    });
}
