//! MEMORY USAGE says of values of every type what the allocator says.

use crate::client::{Client, Reply};
use crate::server::Server;

/// What an element of a type is added by: `{key}` and `{number}` stand for what they say.
const ADD: &[(&str, &str)] = &[
    ("list", "RPUSH {key} element-{number}"),
    ("set", "SADD {key} member-{number}"),
    ("hash", "HSET {key} field-{number} the-value-of-a-field"),
    ("zset", "ZADD {key} {number}.5 member-{number}"),
    ("stream", "XADD {key} * name the-value-of-{number}"),
];
/// How many collections, and of how many elements.
const SIZES: &[(u32, u32)] = &[(3_000, 40), (40, 3_000), (1, 120_000)];

#[test]
fn usage_is_what_was_allocated() {
    for (name, add) in ADD {
        for (collections, elements) in SIZES {
            let (told, allocated) = measure(add, *collections, *elements);
            let ratio = told / allocated;
            let what = format!("{collections} of {name} with {elements} elements");
            assert!((0.9..=1.1).contains(&ratio), "{what}: {told} told, {allocated} allocated, {ratio:.3}");
        }
    }
}

/// Bytes that MEMORY USAGE tells of some collections, all samples taken, and those by which `used_memory` grew.
fn measure(add: &str, collections: u32, elements: u32) -> (f64, f64) {
    // A fresh server each time: what others leave behind in the allocator is none of the values'.
    let server = Server::start(&["--worker-threads", "1"]);
    let mut client = server.client();
    // The tables have room for the keys before anything is compared.
    pipeline(&mut client, &|key| format!("SET key:{key} x"), collections);
    let strings = (usage(&mut client, collections), client.info("used_memory") as i64);
    pipeline(&mut client, &|key| format!("DEL key:{key}"), collections);
    let add = |number: u32| {
        let (key, number) = (number % collections, number / collections);
        add.replace("{key}", &format!("key:{key}")).replace("{number}", &number.to_string())
    };
    pipeline(&mut client, &add, collections * elements);
    let filled = (usage(&mut client, collections), client.info("used_memory") as i64);
    server.end();
    ((filled.0 - strings.0) as f64, (filled.1 - strings.1) as f64)
}

/// The sum of MEMORY USAGE.
fn usage(client: &mut Client, keys: u32) -> i64 {
    (0..keys)
        .map(|key| client.call(&["MEMORY", "USAGE", &format!("key:{key}"), "SAMPLES", "0"]).integer())
        .sum()
}

/// Sends so many requests in portions and expects no error.
fn pipeline(client: &mut Client, request: &dyn Fn(u32) -> String, count: u32) {
    const PORTION: u32 = 500;
    for start in (0..count).step_by(PORTION as usize) {
        let numbers = start..count.min(start + PORTION);
        let lines: String = numbers.clone().map(|number| request(number) + "\r\n").collect();
        client.send(lines.as_bytes()).unwrap();
        for _ in numbers {
            let reply = client.reply().unwrap();
            assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
        }
    }
}
