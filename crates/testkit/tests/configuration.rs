//! Every directive that Larder shares with redis-server: the same default, the same values accepted, printed and refused, in the
//! same words.

use std::collections::BTreeMap;

use larder_testkit::{InProcess, Peer, RedisServer, Value};

/// Values of all kinds, right for some directives and wrong for most.
const VALUES: &[&str] = &[
    "",
    "x",
    "-1",
    "0",
    "1",
    "yes",
    "NO",
    "99999999999999999999",
    "1 2",
    "1mb",
    "5%",
    "-5%",
    "101%",
    "\"",
    "a b c d",
    "1.5",
    " 1",
    "a/b",
    "300",
    "70000",
    "normal 1 2",
    "normal 1 2 3",
    "KEA",
    "save",
    "nosave now",
    "local",
    "absolute",
    "always",
    "1 2 3",
    "2001 1 1",
    "100",
    "1001",
    "clients",
    "optional",
    "everysec",
    "swapdb",
    "panic",
    "hostname",
];

/// Directives that are not compared, or not changed: they reach outside, keep the client out, or differ on purpose.
const APART: &[(&str, &str)] = &[
    ("activedefrag", "needs an allocator that a peer may lack"),
    ("appendonly", "begins to write a log"),
    ("bind", "moves the server"),
    ("dbfilename", "Redis 7.0 takes an empty name, Valkey does not"),
    ("dir", "differs"),
    ("loglevel", "Redis 7.0 does not know the level nothing"),
    ("maxclients", "the system may have its say"),
    (
        "maxmemory-clients",
        "may end the client that asks; Redis 7.0 takes more bytes than it can hold for a percentage",
    ),
    ("maxmemory-policy", "Redis 7.0 lacks two of the policies"),
    ("oom-score-adj", "may need permission"),
    ("oom-score-adj-values", "may need permission"),
    ("port", "differs, and moves the server"),
    ("proc-title-template", "Redis tries what it makes of it"),
    ("repl-diskless-load", "Redis 7.0 does not know flush-before-load"),
    ("requirepass", "keeps the client out"),
    ("save", "differs: the peer is started without"),
    ("tls-", "Redis reads files and keys at once"),
];

#[test]
fn redis_server_takes_and_refuses_the_same_values() {
    let Some(mut redis) = RedisServer::start().unwrap() else {
        println!("skipped: redis-server is not installed");
        return;
    };
    let mut larder = InProcess::default();
    let defaults = |peer: &mut dyn Peer| -> BTreeMap<String, String> {
        let words = texts(&ask(peer, &["CONFIG", "GET", "*"]));
        words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    };
    let (theirs, ours) = (defaults(&mut redis), defaults(&mut larder));
    let apart = |name: &str| {
        APART.iter().any(|(apart, _)| name == *apart || apart.ends_with('-') && name.starts_with(apart))
    };
    let mut differences = Vec::new();
    for (name, default) in theirs.iter().filter(|(name, _)| !apart(name)) {
        if ours.get(name) != Some(default) {
            differences.push(format!("{name}: the default is {default:?}, not {:?}", ours.get(name)));
        }
        for value in VALUES.iter().copied().chain([default.as_str()]) {
            for request in [&["CONFIG", "SET", name, value][..], &["CONFIG", "GET", name]] {
                let (their, our) = (ask(&mut redis, request), ask(&mut larder, request));
                if their != our {
                    differences.push(format!("{request:?} after {value:?}: {their:?}, not {our:?}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn ask(peer: &mut dyn Peer, words: &[&str]) -> Value {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    peer.send(1, bytes.as_bytes(), 1).expect("the peer answers").remove(0)
}

fn texts(reply: &Value) -> Vec<String> {
    let Value::Array(values) = reply else { panic!("{reply:?} is no array") };
    let text = |value: &Value| String::from_utf8(value.text().expect("a text")).expect("settings are text");
    values.iter().map(text).collect()
}
