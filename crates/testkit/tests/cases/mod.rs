//! Values of every type and encoding.

use larder_testkit::{Peer, Value};

/// How a value is made, and how it is read whole in an order that is the same everywhere.
pub(crate) struct Case {
    pub(crate) make: Vec<Vec<u8>>,
    pub(crate) read: &'static [&'static str],
}

pub(crate) fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// A command with the words that `word` gives for each number.
fn many(command: &str, count: u32, word: impl Fn(u32) -> String) -> Vec<Vec<u8>> {
    let each = (0..count).flat_map(|number| words(&word(number)));
    words(command).into_iter().chain(each).collect()
}

pub(crate) fn cases() -> Vec<Case> {
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
        case(many("XADD k 5-1", 40, |number| format!("f{number} v{number}")), &["XRANGE", "k", "-", "+"]),
    ]
}

pub(crate) fn ask(peer: &mut dyn Peer, words: &[Vec<u8>]) -> Value {
    peer.request(1, words, 1).unwrap().swap_remove(0)
}
