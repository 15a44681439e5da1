//! Memory that grows, pauses and shrinks while huge pages are made ready and given back behind its users' backs holds what was
//! put into it.

use std::fs;
use std::thread::{self, sleep};
use std::time::Duration;

use crate::client::{Client, Reply, request};
use crate::server::{Server, eventually};

/// Keys per batch, and bytes per value: 40 MB a batch, some of it in small objects and some in large ones.
const KEYS: usize = 20_000;
const LENGTHS: [usize; 2] = [100, 4_000];

/// A value that belongs to its key only.
fn value(batch: usize, key: usize) -> String {
    let length = LENGTHS[key % 2];
    let mut text = format!("{batch}:{key};").repeat(length / 8 + 1);
    text.truncate(length);
    text
}

fn name(batch: usize, key: usize) -> String {
    format!("key:{batch}:{key}")
}

/// Sends requests a thousand at a time and gives each reply to be looked at.
fn pipelined(client: &mut Client, request_of: impl Fn(usize) -> Vec<u8>, look: impl Fn(usize, Reply)) {
    for first in (0..KEYS).step_by(1_000) {
        let keys = first..first + 1_000;
        let requests: Vec<u8> = keys.clone().flat_map(&request_of).collect();
        client.send(&requests).unwrap();
        keys.for_each(|key| look(key, client.reply().unwrap()));
    }
}

fn fill(server: &Server, batch: usize) {
    let set = |key| request(&["SET", &name(batch, key), &value(batch, key)]);
    let ok = |_, reply| assert_eq!(reply, Reply::Status("OK".to_owned()));
    pipelined(&mut server.client(), set, ok);
}

fn check(server: &Server, batch: usize) {
    let get = |key| request(&["GET", &name(batch, key)]);
    let same = |key, reply| assert_eq!(reply, Reply::Bulk(value(batch, key)), "{}", name(batch, key));
    pipelined(&mut server.client(), get, same);
}

/// Bytes of the process in huge pages.
fn huge(server: &Server) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", server.pid())).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("AnonHugePages:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Fills on two workers at once, in turns with pauses, and after everything was flushed.
fn grow_and_shrink(server: &Server) {
    for round in 0..2 {
        let batches = [2 * round, 2 * round + 1];
        thread::scope(|scope| batches.map(|batch| scope.spawn(move || fill(server, batch))).map(|_| ()));
        // Longer than it takes until what is ready for nothing is given back.
        sleep(Duration::from_millis(1_500));
    }
    (0..4).for_each(|batch| check(server, batch));
    server.client().call(&["FLUSHALL"]);
    (4..6).for_each(|batch| fill(server, batch));
    (4..6).for_each(|batch| check(server, batch));
}

#[test]
fn memory_holds_what_was_put_into_it() {
    let server = Server::start(&["--disable-thp", "no"]);
    grow_and_shrink(&server);
    let permitted = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    if permitted.is_ok_and(|modes| !modes.contains("[never]")) {
        fill(&server, 6);
        eventually("huge pages", || huge(&server) > 0);
        check(&server, 6);
    }
    server.end();
}

#[test]
fn no_huge_pages_when_they_are_disabled() {
    let server = Server::start(&["--disable-thp", "yes"]);
    grow_and_shrink(&server);
    assert_eq!(huge(&server), 0);
    server.end();
}
