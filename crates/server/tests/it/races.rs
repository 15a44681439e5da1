//! Many clients on the same few keys: nothing is lost, torn or stuck.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::client::{Client, Reply, request};
use crate::server::Server;

/// Requests that disturb everything, over and over.
const DISTURBANCES: &[&[&str]] = &[
    &["SET", "a", "1", "PX", "1"],
    &["GET", "a"],
    &["RENAME", "a", "b"],
    &["APPEND", "b", "xyz"],
    &["SWAPDB", "1", "2"],
    &["FLUSHDB"],
    &["MSET", "a", "1", "b", "2", "c", "3", "d", "4"],
    &["COPY", "b", "c", "DB", "1", "REPLACE"],
    &["DEL", "a", "b", "c", "d"],
    &["SCAN", "0"],
    &["RANDOMKEY"],
    &["BITOP", "OR", "d", "a", "b"],
    &["MOVE", "c", "2"],
    &["EXPIRE", "b", "0"],
    &["SETRANGE", "c", "5000", "x"],
    &["GETDEL", "c"],
];

/// Counters, pairs and disturbances at once for some rounds; the disturbances are in other databases than the counters.
fn race(workers: &str, rounds: usize) {
    let server = Server::start(&["--worker-threads", workers]);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..4 {
            let (server, over) = (&server, &over);
            scope.spawn(move || disturb(server.client(), number, over));
            scope.spawn(move || watch_pairs(server.client(), over));
        }
        let counting: Vec<_> = (0..4)
            .map(|number| {
                let server = &server;
                scope.spawn(move || count(server, number, rounds))
            })
            .collect();
        let whole = counting.into_iter().all(|thread| thread.join().is_ok());
        over.store(true, Ordering::Relaxed);
        assert!(whole);
    });
    let mut client = server.client();
    assert_eq!(client.call(&["GET", "counter"]).text(), (4 * rounds * 16).to_string());
    assert_eq!(client.call(&["STRLEN", "log"]).integer(), (4 * rounds) as i64);
    assert_eq!(client.call(&["GET", "shared"]).text(), (4 * rounds).to_string());
    server.end();
}

fn count(server: &Server, number: usize, rounds: usize) {
    let (mut client, mut memcached) = (server.client(), server.memcached());
    // One of the clients is first.
    client.call(&["SET", "shared", "0", "NX"]);
    for round in 0..rounds {
        client.send(&request(&["INCR", "counter"]).repeat(16)).unwrap();
        let pair = format!("{number}:{round}");
        client.send(&request(&["MSET", "left", &pair, "right", &pair])).unwrap();
        client.send(&request(&["APPEND", "log", "x"])).unwrap();
        memcached.send(b"incr shared 1\r\n").unwrap();
        let mut before = 0;
        for _ in 0..16 {
            let now = client.reply().unwrap().integer();
            assert!(now > before, "a counter went back");
            before = now;
        }
        assert_eq!(client.reply().unwrap().text(), "OK");
        client.reply().unwrap().integer();
        memcached.line().unwrap().parse::<u64>().expect("a number");
    }
}

fn watch_pairs(mut client: Client, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        match client.call(&["MGET", "left", "right"]) {
            Reply::Array(pair) => assert_eq!(pair[0], pair[1], "a pair is torn"),
            other => panic!("{other:?}"),
        }
    }
}

fn disturb(mut client: Client, number: usize, over: &AtomicBool) {
    let mut step = number;
    while !over.load(Ordering::Relaxed) {
        let db = if step.is_multiple_of(2) { "1" } else { "2" };
        let words = DISTURBANCES[step * 7 % DISTURBANCES.len()];
        client.send(&[request(&["SELECT", db]), request(words)].concat()).unwrap();
        assert_eq!(client.reply().unwrap().text(), "OK");
        client.reply().unwrap();
        step += 1;
    }
}

#[test]
fn two_workers() {
    race("2", 300);
}

#[test]
fn four_workers() {
    race("4", 300);
}

#[test]
fn everything_flushed_again_and_again() {
    let server = Server::start(&["--worker-threads", "4"]);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..6 {
            let (server, over) = (&server, &over);
            scope.spawn(move || disturb(server.client(), number, over));
        }
        let mut client = server.client();
        for _ in 0..100 {
            assert_eq!(client.call(&["FLUSHALL"]).text(), "OK");
            assert_eq!(client.call(&["SWAPDB", "0", "1"]).text(), "OK");
            thread::sleep(Duration::from_millis(1));
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(server.client().call(&["FLUSHALL", "SYNC"]).text(), "OK");
    assert_eq!(server.client().call(&["DBSIZE"]).integer(), 0);
    server.end();
}
