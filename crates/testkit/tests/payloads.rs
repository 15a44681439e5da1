//! Payloads of DUMP, exchanged with redis-server both ways: values of every type and encoding.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking, in its helpers too")]

mod cases;

use larder_resp::Protocol;
use larder_testkit::{InProcess, Peer, RedisServer, Value};

use crate::cases::{Case, ask, cases, words};

/// What a value made on one side is on the other, beside what it is there.
fn exchanged(from: &mut dyn Peer, to: &mut dyn Peer, case: &Case) -> (Value, Value) {
    ask(from, &words("FLUSHALL"));
    ask(to, &words("FLUSHALL"));
    let made = ask(from, &case.make);
    assert!(!matches!(made, Value::Error(_)), "{made:?}");
    let read: Vec<Vec<u8>> = case.read.iter().map(|word| word.as_bytes().to_vec()).collect();
    let payload = ask(from, &words("DUMP k")).text().unwrap();
    let restored = ask(to, &[words("RESTORE k 0"), vec![payload]].concat());
    assert_eq!(restored, Value::Simple(b"OK".to_vec()), "{:?}", case.read);
    (ask(from, &read), ask(to, &read))
}

#[test]
fn values_go_to_redis_and_come_back() {
    let Some(mut redis) = RedisServer::start().unwrap() else {
        println!("skipped: redis-server is not installed");
        return;
    };
    redis.reset(Protocol::Resp2).unwrap();
    let mut larder = InProcess::new(Protocol::Resp2);
    for case in cases() {
        let (there, here) = exchanged(&mut redis, &mut larder, &case);
        assert_eq!(there, here, "from redis-server: {:?}", case.make.iter().take(4).collect::<Vec<_>>());
        let (here, there) = exchanged(&mut larder, &mut redis, &case);
        assert_eq!(here, there, "to redis-server: {:?}", case.make.iter().take(4).collect::<Vec<_>>());
    }
}
