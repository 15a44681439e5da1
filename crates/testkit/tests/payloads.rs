//! Payloads of DUMP, exchanged with redis-server both ways: values of every type and encoding.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking, in its helpers too")]

use larder_resp::Protocol;
use larder_testkit::{InProcess, Peer, RedisServer, Value};

/// How a value is made, and how it is read whole in an order that is the same everywhere.
struct Case {
    make: Vec<Vec<u8>>,
    read: &'static [&'static str],
}

fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// A command with the words that `word` gives for each number.
fn many(command: &str, count: u32, word: impl Fn(u32) -> String) -> Vec<Vec<u8>> {
    let each = (0..count).flat_map(|number| words(&word(number)));
    words(command).into_iter().chain(each).collect()
}

fn cases() -> Vec<Case> {
    let long = "x".repeat(70);
    let (list, set): (&[&str], &[&str]) = (&["LRANGE", "k", "0", "-1"], &["SORT", "k", "ALPHA"]);
    let (zset, string): (&[&str], &[&str]) = (&["ZRANGE", "k", "0", "-1", "WITHSCORES"], &["GET", "k"]);
    let case = |make: Vec<Vec<u8>>, read| Case { make, read };
    vec![
        case(words("SET k 12345"), string),
        case(words("SET k -9223372036854775808"), string),
        case(words("SET k text"), string),
        case(many("SET k", 1, |_| "y".repeat(20_000)), string),
        case(many("RPUSH k", 20, |number| format!("e{number}")), list),
        case(many("RPUSH k", 5000, |number| number.to_string()), list),
        case(many("RPUSH k", 3, |_| "z".repeat(20_000)), list),
        case(many("SADD k", 50, |number| number.to_string()), set),
        case(many("SADD k", 2000, |number| (number * 70_000).to_string()), set),
        case(many("SADD k", 50, |number| format!("m{number}")), set),
        case(many("SADD k", 2000, |number| format!("m{number}")), set),
        case(many("ZADD k", 50, |number| format!("{} m{number}", f64::from(number) / 4.0)), zset),
        case(many("ZADD k", 2000, |number| format!("{} m{number}", f64::from(number % 100) / 4.0)), zset),
        case(
            many("ZADD k", 2, |number| format!("{}inf {long}{number}", if number == 0 { "-" } else { "" })),
            zset,
        ),
        case(many("HSET k", 50, |number| format!("f{number} {number}")), &["HMGET", "k", "f0", "f7", "f49"]),
        case(
            many("HSET k", 2000, |number| format!("f{number} v{number}")),
            &["HMGET", "k", "f0", "f7", "f1999"],
        ),
        case(many("HSET k", 2, |number| format!("f{number} {long}")), &["HGET", "k", "f1"]),
    ]
}

fn ask(peer: &mut dyn Peer, words: &[Vec<u8>]) -> Value {
    peer.request(1, words, 1).unwrap().swap_remove(0)
}

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
