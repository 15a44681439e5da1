//! INCRBYFLOAT on a node in process and on a real redis-server, which computes with the processor's 80-bit numbers: random sums,
//! and texts of all kinds, must come out the same to the last digit.
//!
//! `INCREMENTS=1000000 INCREMENTS_SEED=$RANDOM` makes it a long run.

use larder_resp::Protocol;
use larder_testkit::{Chance, InProcess, Peer, RedisServer, Value, number};

/// Sums sent together.
const BATCH: usize = 500;

#[test]
fn sums_are_those_of_redis() {
    let Some(mut redis) = RedisServer::start().unwrap() else {
        println!("skipped: redis-server is not installed");
        return;
    };
    let mut larder = InProcess::new(Protocol::Resp2);
    redis.reset(Protocol::Resp2).unwrap();
    let mut chance = Chance::new(number("INCREMENTS_SEED", 1));
    let (mut sums, mut refused) = (0, 0);
    while sums < number("INCREMENTS", 4_000) {
        let pairs: Vec<(String, String)> = (0..BATCH).map(|_| pair(&mut chance)).collect();
        let requests: String = pairs.iter().map(|(old, increment)| requests(old, increment)).collect();
        let expected = redis.send(1, requests.as_bytes(), 2 * BATCH).unwrap();
        let found = larder.send(1, requests.as_bytes(), 2 * BATCH).unwrap();
        assert_eq!((expected.len(), found.len()), (2 * BATCH, 2 * BATCH));
        for ((old, increment), replies) in pairs.iter().zip(expected.chunks(2).zip(found.chunks(2))) {
            assert_eq!(replies.0, replies.1, "SET k {old:?}, INCRBYFLOAT k {increment:?}");
            refused += u64::from(matches!(replies.0[1], Value::Error(_)));
        }
        sums += BATCH as u64;
    }
    assert!(refused < sums / 2, "{refused} of {sums} were refused: most of the texts are to be numbers");
    println!("{sums} sums compared, {refused} of them refused");
}

/// A key is given a value, then something is added to it.
fn requests(old: &str, increment: &str) -> String {
    let (old_len, increment_len) = (old.len(), increment.len());
    format!(
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${old_len}\r\n{old}\r\n\
         *3\r\n$11\r\nINCRBYFLOAT\r\n$1\r\nk\r\n${increment_len}\r\n{increment}\r\n"
    )
}

/// Two numbers; more often than by chance they are of about the same size, or cancel each other.
fn pair(chance: &mut Chance) -> (String, String) {
    let old = text(chance);
    let increment = match chance.below(8) {
        0 => old.clone(),
        1 => old.strip_prefix('-').map_or_else(|| format!("-{old}"), str::to_owned),
        _ => text(chance),
    };
    (old, increment)
}

fn text(chance: &mut Chance) -> String {
    let sign = if chance.percent(40) { "-" } else { "" };
    let magnitude = match chance.below(16) {
        0..=4 => plain(chance, 6, 4),
        5..=7 => plain(chance, 19, 24),
        8 => plain(chance, 40, 60),
        // Half an integer of so many bits: exactly between two numbers of 17 digits behind the point, or of 64 bits.
        9 => format!("0x{:x}.8p{}", chance.seed() >> chance.below(64), chance.below(40) as i32 - 20),
        10 => format!("0x{:x}p{}", chance.seed(), chance.below(33_000) as i32 - 16_600),
        11 => format!("{}e{}", plain(chance, 3, 20), chance.below(80) as i32 - 40),
        // About the largest and the smallest.
        12 => format!("{}e{}", plain(chance, 2, 20), 4925 + chance.below(10)),
        13 => format!("{}e-{}", plain(chance, 2, 20), 4925 + chance.below(30)),
        14 if chance.percent(10) => plain(chance, 5200, 5200),
        _ => return (*chance.pick(ODD)).to_owned(),
    };
    format!("{sign}{magnitude}")
}

/// A number of at most so many digits before and behind the point.
fn plain(chance: &mut Chance, whole: usize, fraction: usize) -> String {
    let digits = |chance: &mut Chance, most: usize| {
        let len = 1 + chance.below(most);
        (0..len).map(|_| char::from(b'0' + chance.below(10) as u8)).collect::<String>()
    };
    let whole = digits(chance, whole);
    if chance.percent(30) { whole } else { format!("{whole}.{}", digits(chance, fraction)) }
}

/// What is at the edge of being a number, and what is none.
#[rustfmt::skip]
const ODD: &[&str] = &[
    "", " 1", "1 ", "+1", "+-1", "--1", "-", "+", ".", "-.", ".5", "5.", "-.5e1", "1e", "1e+", "1e-1",
    "1E2", "1e1.5", "1e1e1", "0", "-0", "0.0", "-0.0e10", "00012", "1_0", "1,5", "0x", "0x1", "0X1F",
    "0x.8", "0x.", "0x.p1", "0x1p", "0x1.8P+3", "0x1.8p-3", "0x1e2", "-0xfe", "0x1g", "x1", "inf", "-inf",
    "+INF", "Infinity", "-infinity", "infinit", "nan", "-nan", "nan(1)", "1x", "1\0", "\0", "1\n", "é",
    "1e99999999999999999999", "1e-99999999999999999999", "0e99999999999999999999", "1e4294967297",
    "0e-4294967297", "9223372036854775807", "-9223372036854775808", "18446744073709551616",
    "18446744073709551615.5", "0.1", "0.2", "0.3", "3.0e3", "1e17", "1e-17", "5e-18", "1.5e-17",
    "0x1p-16445", "0x1p-16446", "0x1.8p-16446", "0x1p16384", "0xffffffffffffffffp16320",
    "0xffffffffffffffff.8p16320", "1.18973149535723176502e4932", "1.18973149535723176505e4932",
    "1.18973149535723176509e4932", "3.6451995318824746025e-4951", "1.8225997659412373013e-4951",
    "1.8225997659412373012e-4951",
];
