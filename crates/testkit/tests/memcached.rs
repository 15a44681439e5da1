//! Random requests of the memcached protocol on Larder and on a real memcached, compared reply by reply.
//!
//! The default run is short. A long one: `DIFF_COMMANDS=5000000 DIFF_SEED=$RANDOM cargo test --profile fast -p larder-testkit
//! --test memcached -- --nocapture`. With `MEMCACHED=/path/to/memcached` that is asked instead; meta requests are compared from
//! version 1.6.40 on.

use larder_testkit::memcached::{MemcachedServer, compare, compare_binary};
use larder_testkit::number;

#[test]
fn memcached_answers_alike() {
    let Some(mut server) = MemcachedServer::start().unwrap() else {
        println!("skipped: memcached is not installed");
        return;
    };
    let requests = number("DIFF_COMMANDS", 20_000) as usize;
    match compare(&mut server, requests, number("DIFF_SEED", 1)).unwrap() {
        Ok(compared) => {
            println!("{compared:#?}");
            // A busy machine lets two clocks drift apart now and then; a fault of ours would be steady.
            assert!(compared.unsteady.len() <= 2 + requests / 5_000, "too much depends on the clock");
            assert!(compared.errors < compared.requests / 2, "most requests make no sense");
        }
        Err(mismatch) => panic!("{mismatch}"),
    }
}

#[test]
fn memcached_answers_alike_in_binary() {
    let Some(mut server) = MemcachedServer::start().unwrap() else {
        println!("skipped: memcached is not installed");
        return;
    };
    let requests = number("DIFF_COMMANDS", 20_000) as usize;
    match compare_binary(&mut server, requests, number("DIFF_SEED", 1)).unwrap() {
        Ok(compared) => {
            println!("{compared:#?}");
            assert!(compared.unsteady.len() <= 2 + requests / 5_000, "too much depends on the clock");
            assert!(compared.errors < compared.requests / 2, "most requests make no sense");
        }
        Err(mismatch) => panic!("{mismatch}"),
    }
}
