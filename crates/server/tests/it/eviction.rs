//! Memory has a limit: keys go by the policy, or requests that need memory are refused.

use crate::client::{Client, Reply};
use crate::server::{Server, eventually};

const LIMIT: i64 = 24 << 20;
const VALUE: &str =
    "a value of about a hundred bytes, which is what many caches hold, and most of them more than one can";

fn start(policy: &str) -> Server {
    let limit = LIMIT.to_string();
    Server::start(&["--maxmemory", &limit, "--maxmemory-policy", policy, "--worker-threads", "2"])
}

/// Stores so many keys, the number of each in the place of `{n}`; the requests that were refused.
fn fill(client: &mut Client, request: &str, keys: u32) -> u32 {
    const BATCH: u32 = 1000;
    let mut refused = 0;
    for first in (0..keys).step_by(BATCH as usize) {
        let mut lines = Vec::new();
        for number in first..(first + BATCH).min(keys) {
            lines.extend_from_slice(request.replace("{n}", &number.to_string()).as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
        client.send(&lines).unwrap();
        for _ in first..(first + BATCH).min(keys) {
            refused +=
                u32::from(matches!(client.reply().unwrap(), Reply::Error(line) if line.starts_with("OOM ")));
        }
    }
    refused
}

/// The reply to a request of words that spaces part.
fn ask(client: &mut Client, request: &str) -> Reply {
    client.call(&request.split(' ').collect::<Vec<_>>())
}

fn is_within_limit(client: &mut Client) -> bool {
    let used = client.info("used_memory") as i64;
    // What workers have allocated and not yet told of, and the client's own buffers.
    used <= LIMIT + (1 << 20)
}

#[test]
fn keys_go_when_memory_is_at_its_limit() {
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-lrm", "allkeys-s3fifo", "allkeys-random"] {
        let server = start(policy);
        let mut client = server.client();
        let refused = fill(&mut client, &format!("SET key:{{n}} \"{VALUE}\""), 300_000);
        assert_eq!(refused, 0, "{policy}");
        assert!(is_within_limit(&mut client), "{policy}");
        let left = ask(&mut client, "DBSIZE").integer();
        // Some may go in between, for what the client takes.
        eventually("all keys are there or evicted", || {
            client.info("evicted_keys") as i64 + ask(&mut client, "DBSIZE").integer() == 300_000
        });
        assert!(left > 80_000, "{policy}: only {left} keys are left");
        server.end();
    }
}

#[test]
fn keys_that_stay_are_kept_where_only_those_that_expire_may_go() {
    let policies = [
        "volatile-lru",
        "volatile-lfu",
        "volatile-lrm",
        "volatile-s3fifo",
        "volatile-random",
        "volatile-ttl",
    ];
    for policy in policies {
        let server = start(policy);
        let mut client = server.client();
        assert_eq!(fill(&mut client, "SET stays:{n} x", 20_000), 0);
        assert_eq!(fill(&mut client, &format!("SET goes:{{n}} \"{VALUE}\" EX 1000"), 220_000), 0, "{policy}");
        assert!(is_within_limit(&mut client), "{policy}");
        let evicted = client.info("evicted_keys");
        assert!(evicted > 5000, "{policy}: {evicted} keys were evicted");
        let stay = ask(&mut client, "EXISTS stays:1 stays:777 stays:19999").integer();
        assert_eq!(stay, 3, "{policy}");
        // Once none of the others is left, requests that need memory are refused, and the rest are not.
        let refused = fill(&mut client, &format!("SET more:{{n}} \"{VALUE}\""), 300_000);
        assert!(refused > 50_000, "{policy}: {refused} refused");
        assert_eq!(ask(&mut client, "EXISTS stays:5").integer(), 1);
        assert_eq!(ask(&mut client, "DEL stays:5").integer(), 1);
        server.end();
    }
}

#[test]
fn without_eviction_what_needs_memory_is_refused() {
    let server = start("noeviction");
    let mut client = server.client();
    let refused = fill(&mut client, &format!("SET key:{{n}} \"{VALUE}\""), 300_000);
    assert!(refused > 50_000, "{refused} refused");
    assert_eq!(client.info("evicted_keys"), 0);
    let oom = "OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(ask(&mut client, "LPUSH list x"), Reply::Error(oom.into()));
    let script = client.call(&["EVAL", "return redis.call('SET', 'a', 'b')", "0"]);
    assert!(matches!(&script, Reply::Error(line) if line.starts_with(oom)), "{script:?}");
    assert_eq!(ask(&mut client, "MULTI"), Reply::Status("OK".into()));
    assert_eq!(ask(&mut client, "GET a"), Reply::Error(oom.into()));
    let aborted = "EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(ask(&mut client, "EXEC"), Reply::Error(aborted.into()));
    // memcached's clients are refused as well, and what they wanted to replace is gone.
    let mut memcached = server.memcached();
    memcached.send(b"set key:1 0 0 1\r\nx\r\n").unwrap();
    assert_eq!(memcached.line().unwrap(), "SERVER_ERROR out of memory storing object");
    assert_eq!(ask(&mut client, "EXISTS key:1").integer(), 0);
    // A larger limit, and a flush, make room.
    assert_eq!(ask(&mut client, "CONFIG SET maxmemory 0"), Reply::Status("OK".into()));
    assert_eq!(ask(&mut client, "SET a b"), Reply::Status("OK".into()));
    assert_eq!(ask(&mut client, &format!("CONFIG SET maxmemory {LIMIT}")), Reply::Status("OK".into()));
    assert_eq!(ask(&mut client, "FLUSHALL"), Reply::Status("OK".into()));
    assert_eq!(ask(&mut client, "SET a b"), Reply::Status("OK".into()));
    server.end();
}

#[test]
fn a_smaller_limit_is_reached_without_further_requests() {
    let server = start("allkeys-lru");
    let mut client = server.client();
    fill(&mut client, &format!("SET key:{{n}} \"{VALUE}\""), 150_000);
    assert_eq!(ask(&mut client, "CONFIG SET maxmemory 12mb"), Reply::Status("OK".into()));
    eventually("memory is within its limit", || client.info("used_memory") < 13 << 20);
    eventually("the excess is over", || client.info("current_eviction_exceeded_time") == 0);
    server.end();
}

#[test]
fn keys_in_use_outlast_a_scan_where_there_are_queues() {
    let server = start("allkeys-s3fifo");
    let mut client = server.client();
    fill(&mut client, &format!("SET used:{{n}} \"{VALUE}\""), 20_000);
    // They are asked for again and again while others, enough for three times the memory, come and go.
    for part in 0..10 {
        for _ in 0..2 {
            fill(&mut client, "GET used:{n}", 20_000);
        }
        fill(&mut client, &format!("SET scan:{part}:{{n}} \"{VALUE}\""), 50_000);
    }
    let left = (0..20_000)
        .step_by(100)
        .filter(|number| ask(&mut client, &format!("EXISTS used:{number}")).integer() == 1);
    let left = left.count();
    assert!(left > 180, "{left} of 200 keys in use are left");
    let refused = ask(&mut client, "OBJECT IDLETIME used:0");
    assert!(matches!(&refused, Reply::Error(line) if line.contains("S3-FIFO")), "{refused:?}");
    server.end();
}
