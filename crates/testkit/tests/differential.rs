//! Random requests on Larder and on redis-server, compared reply by reply.
//!
//! The default run is short. A long one: `DIFF_COMMANDS=5000000 DIFF_SEED=$RANDOM cargo test --profile fast -p larder-testkit
//! --test differential -- --nocapture`. With `REDIS_SERVER=/path/to/valkey-server` that is asked instead.

use larder_resp::Protocol;
use larder_testkit::differential::{compare, real_now};
use larder_testkit::{InProcess, Peer, PeerError, RedisServer, Value, Version, number};

#[test]
fn redis_server_answers_alike() {
    let Some(mut server) = RedisServer::start().unwrap() else {
        println!("skipped: redis-server is not installed");
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

/// A node that forgets the last byte of long strings when it is asked for them.
struct Forgetful(InProcess);

impl Peer for Forgetful {
    fn version(&self) -> Option<Version> {
        Some(Version(7, 0, 15))
    }

    fn reset(&mut self, protocol: Protocol) -> Result<(), PeerError> {
        self.0.reset(protocol)?;
        self.0.node().clock.advance_to(real_now());
        Ok(())
    }

    fn send(&mut self, client: usize, bytes: &[u8], expected: usize) -> Result<Vec<Value>, PeerError> {
        let mut replies = self.0.send(client, bytes, expected)?;
        for reply in &mut replies {
            if let Value::Bulk(bytes) = reply
                && bytes.len() > 4096
            {
                bytes.pop();
            }
        }
        Ok(replies)
    }

    fn advance(&mut self, millis: u32) {
        self.0.advance(millis);
    }

    fn configure(&mut self, name: &str, value: &str) -> Result<(), PeerError> {
        self.0.configure(name, value)
    }
}

#[test]
fn a_wrong_reply_is_found_and_made_short() {
    let mut forgetful = Forgetful(InProcess::default());
    let mismatch = compare(&mut forgetful, 20_000, 1).unwrap().expect_err("it forgets");
    assert!(mismatch.len() <= 2, "{mismatch}");
    let again = compare(&mut forgetful, 1, mismatch.seed).unwrap().expect_err("the seed does the same");
    assert_eq!((again.seed, again.len()), (mismatch.seed, mismatch.len()));
}
