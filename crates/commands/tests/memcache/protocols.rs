//! What no transcript can show: turns, stripes in use, large values, both protocols on one keyspace.

use std::collections::BTreeSet;

use larder_config::Settings;
use larder_engine::{Served, moment};
use larder_resp::Protocol;
use larder_testkit::{Node, Value};

use crate::connection::Connection;
use crate::node;

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// A `get` of many keys is answered over several turns, and with the same bytes.
#[test]
fn many_keys_take_several_turns() {
    let (node, mut worker) = node(Settings::default());
    let mut connection = Connection::new(&node);
    let mut expected = Vec::new();
    let mut line = b"gat  100 ".to_vec();
    for number in 0..2000 {
        connection.send(&mut worker, format!("set key{number} 0 0 4\r\n{number:04}\r\n").as_bytes());
        line.extend(format!(" key{number}  none").as_bytes());
        expected.extend(format!("VALUE key{number} 0 4\r\n{number:04}\r\n").as_bytes());
    }
    line.extend(b"\r\nmn\r\n");
    expected.extend(b"END\r\nMN\r\n");
    let (mut answer, mut served) = connection.send_for_one_turn(&mut worker, &line);
    let mut turns = 1;
    while served == Served::Again {
        let (more, next) = connection.send_for_one_turn(&mut worker, b"");
        answer.extend(more);
        served = next;
        turns += 1;
    }
    assert_eq!(text(&answer), text(&expected));
    assert!((10..40).contains(&turns), "{turns} turns");
}

/// Whatever stripe is in use, a request waits for it without losing or repeating anything.
#[test]
fn a_stripe_in_use_is_waited_for() {
    let (node, mut worker) = node(Settings::default());
    let mut connection = Connection::new(&node);
    let requests = "set a 1 0 1\r\nA\r\nset b 2 0 1\r\nB\r\nappend a 0 0 1\r\nZ\r\nget a b c d\r\nms d 2 c\r\nDD\r\n\
                    get d c b a\r\nincr n 1\r\nmd b q\r\nset toolarge 0 0 9999999\r\n";
    const LINES: usize = 18;
    let keyspace = &node.engine.keyspace;
    let moment = moment(node.clock.now(), &node.engine.settings());
    let keys: BTreeSet<usize> = ["a", "b", "c", "d", "n", "toolarge"]
        .map(|key| keyspace.key(key.as_bytes()).position.stripe())
        .into();
    let expected = connection.send(&mut worker, requests.as_bytes());
    assert_eq!(expected.iter().filter(|byte| **byte == b'\n').count(), LINES, "{}", text(&expected));
    for stripe in keys {
        keyspace.flush(None, moment);
        let mut connection = Connection::new(&node);
        let guard = keyspace.try_lock(stripe, moment).expect("nobody else is here");
        let mut answer = Vec::new();
        let mut served = connection.send_for_one_turn(&mut worker, requests.as_bytes());
        answer.extend(&served.0);
        for _ in 0..3 {
            assert_eq!(served.1, Served::Again);
            served = connection.send_for_one_turn(&mut worker, b"");
            assert!(served.0.is_empty(), "it says {} again", text(&served.0));
        }
        drop(guard);
        answer.extend(connection.send(&mut worker, b""));
        let without_cas = |bytes: &[u8]| text(bytes).split("HD c").next().map(str::to_owned);
        assert_eq!(without_cas(&answer), without_cas(&expected));
        assert_eq!(answer.iter().filter(|byte| **byte == b'\n').count(), LINES, "{}", text(&answer));
        assert!(connection.waiting().is_empty());
    }
}

/// A refused value is thrown away as it arrives: nothing of it is kept, and what follows is served.
#[test]
fn a_refused_value_is_not_kept() {
    let (node, mut worker) = node(Settings::default());
    let mut connection = Connection::new(&node);
    connection.send(&mut worker, b"set k 0 0 3\r\nold\r\n");
    let answer = connection.send(&mut worker, b"set k 0 0 3000000\r\n");
    assert_eq!(text(&answer), r"SERVER_ERROR object too large for cache\r\n");
    for _ in 0..3 {
        assert_eq!(connection.send(&mut worker, &[b'x'; 1_000_000]), b"");
        assert!(connection.waiting().is_empty());
    }
    assert_eq!(text(&connection.send(&mut worker, b"\r\nget k\r\n")), r"END\r\n");
}

/// Values of every way of being kept come back as they were sent.
#[test]
fn values_of_all_lengths() {
    let (node, mut worker) = node(Settings::default());
    let mut connection = Connection::new(&node);
    for len in [0, 1, 44, 45, 4095, 4096, 100_000, 1_000_000] {
        let value = "v".repeat(len);
        connection.send(&mut worker, format!("set k 3 0 {len}\r\n{value}\r\n").as_bytes());
        let expected = format!("VALUE k 3 {len}\r\n{value}\r\nEND\r\n");
        assert_eq!(connection.send(&mut worker, b"get k\r\n"), expected.as_bytes());
        connection.send(&mut worker, b"append k 0 0 2\r\nZZ\r\nprepend k 0 0 1\r\nA\r\n");
        let expected = format!("VA {} f3\r\nA{value}ZZ\r\n", len + 3);
        assert_eq!(connection.send(&mut worker, b"mg k v f\r\n"), expected.as_bytes());
    }
}

/// Where RESP clients need the password, memcached clients need it too.
#[test]
fn a_password_is_asked_for() {
    let settings = Settings { requirepass: "open sesame".to_owned(), ..Settings::default() };
    let (node, mut worker) = node(settings);
    let mut connection = Connection::new(&node);
    for (request, answer) in [
        ("get k\r\n", r"CLIENT_ERROR unauthenticated\r\n"),
        ("nonsense\r\n", r"CLIENT_ERROR unauthenticated\r\n"),
        ("set k 0 0 3\r\nabcd\r\n", r"CLIENT_ERROR unauthenticated\r\nCLIENT_ERROR unauthenticated\r\n"),
        ("set k 0 0 100000\r\n", r"CLIENT_ERROR unauthenticated\r\n"),
        (&"x".repeat(100_002), ""),
        ("set k 0 0 7\r\ndefault\r\n", r"CLIENT_ERROR bad authentication token format\r\n"),
        ("set k 0 0 19\r\ndefault open sesamE\r\n", r"CLIENT_ERROR authentication failure\r\n"),
        ("set k 0 0 19\r\ndefault open sesame\r\nget k\r\n", r"STORED\r\nEND\r\n"),
    ] {
        assert_eq!(text(&connection.send(&mut worker, request.as_bytes())), answer, "{request}");
    }
}

/// What each protocol makes of what the other has written.
#[test]
fn both_protocols_on_one_key() {
    let node = Node::new(Settings::default(), 2, 7);
    let (mut worker, mut other) = (node.worker(0), node.worker(1));
    let mut memcache = Connection::new(&node);
    let mut resp = node.connect(Protocol::Resp2);
    let mut ask = |request: &str| {
        let words: Vec<&str> = request.split(' ').collect();
        let replies = resp.request(&mut worker, &words).unwrap();
        replies.into_iter().next().unwrap()
    };
    let bulk = |text: &str| Value::Bulk(text.into());
    let mut tell = |request: &str| text(&memcache.send(&mut other, request.as_bytes()));

    assert_eq!(tell("set k 5 100 3\r\n123\r\n"), r"STORED\r\n");
    assert_eq!(ask("GET k"), bulk("123"));
    assert_eq!(ask("TTL k"), Value::Integer(100));
    // A counter that became shorter is filled up with spaces, which makes it no integer for RESP.
    assert_eq!(tell("decr k 120\r\n"), r"3\r\n");
    assert_eq!(ask("GET k"), bulk("3  "));
    // A write by RESP renews the CAS value, and a SET drops flags and expiry.
    let before = tell("mg k c f t\r\n");
    assert!(before.contains("f5 t100"), "{before}");
    assert_eq!(ask("SET k 7"), Value::Simple("OK".into()));
    let after = tell("mg k c f t v\r\n");
    assert!(after.contains(r"f0 t-1\r\n7\r\n"), "{after}");
    assert_ne!(before.split(' ').nth(1), after.split(' ').nth(2));
    assert_eq!(tell("incr k 1\r\n"), r"8\r\n");
    assert_eq!(ask("GET k"), bulk("8"));
    // What changes a part of the value keeps the rest, and renews the CAS value all the same.
    assert_eq!(tell("ms k 1 F9 T50 E77\r\n5\r\nmd k I E78\r\n"), r"HD\r\nHD\r\n");
    assert_eq!(ask("INCR k"), Value::Integer(6));
    assert_eq!(ask("APPEND k x"), Value::Integer(2));
    let changed = tell("mg k f t v c\r\n");
    assert!(changed.starts_with("VA 2 f9 t50 c") && changed.ends_with(r" X W\r\n6x\r\n"), "{changed}");
    assert!(!changed.contains("c78"), "{changed}");
    assert_eq!(ask("PERSIST k"), Value::Integer(1));
    assert_eq!(ask("RENAME k renamed"), Value::Simple("OK".into()));
    assert_eq!(tell("mg renamed f t v\r\nget k\r\n"), r"VA 2 f9 t-1 Z X\r\n6x\r\nEND\r\n");
    assert_eq!(ask("SET big 9223372036854775807"), Value::Simple("OK".into()));
    assert_eq!(tell("incr big 1\r\n"), r"9223372036854775808\r\n");
    assert!(matches!(ask("INCR big"), Value::Error(_)));
    assert_eq!(ask("SELECT 1"), Value::Simple("OK".into()));
    assert_eq!(ask("GET k"), Value::Null);
    assert_eq!(tell("flush_all\r\nget k\r\n"), r"OK\r\nEND\r\n");
}

#[test]
fn clients_are_told_of_the_nodes() {
    let (node, mut worker) = node(Settings::default());
    let (mut client, mut elsewhere) = (Connection::new(&node), Connection::to(&node, "[::1]:11211"));
    let started = node.engine.identity.started_at.0 / 1000;
    let told = |version: i64, nodes: &str| {
        format!("{}\r\n{version}\n{nodes}\n\r\nEND\r\n", version.to_string().len() + nodes.len() + 2)
    };
    let other = elsewhere.send(&mut worker, b"config get cluster\r\n");
    let expected = format!("CONFIG cluster 0 {}", told(started.max(1), "::1|::1|11211"));
    assert_eq!(String::from_utf8(other).unwrap(), expected);
    let mut ask = |request: &str| String::from_utf8(client.send(&mut worker, request.as_bytes())).unwrap();
    let first = told(started.max(1), "127.0.0.1|127.0.0.1|11211");
    assert_eq!(ask("config get cluster\r\n"), format!("CONFIG cluster 0 {first}"));
    assert_eq!(ask("get AmazonElastiCache:cluster\n"), format!("VALUE AmazonElastiCache:cluster 0 {first}"));
    assert_eq!(ask("config get other\r\nconfig delete cluster\r\n"), "END\r\nNOT_FOUND\r\n");
    let nodes = "b.example|10.0.0.2|11211 a.example||11211".to_owned();
    let changed: Result<(), String> = node
        .engine
        .change_settings(|settings| Ok(Settings { memcached_cluster_nodes: nodes, ..settings.clone() }));
    changed.unwrap();
    let second = told(started.max(1) + 1, "a.example||11211 b.example|10.0.0.2|11211");
    assert_eq!(ask("config get cluster\r\n"), format!("CONFIG cluster 0 {second}"));
    assert_eq!(ask("config set cluster 5 7\r\n9\nc||1\n\r\n"), "STORED\r\n");
    let stored = "5 7\r\n9\nc||1\n\r\nEND\r\n";
    assert_eq!(ask("config get cluster\r\n"), format!("CONFIG cluster {stored}"));
    assert_eq!(ask("get AmazonElastiCache:cluster\r\n"), format!("VALUE AmazonElastiCache:cluster {stored}"));
    assert_eq!(ask("config delete cluster\r\nconfig get nodes\r\n"), "DELETED\r\nEND\r\n");
    assert_eq!(ask("config get cluster\r\n"), format!("CONFIG cluster 0 {second}"));
    let large = format!("config set cluster 0 65537\r\n{}\r\n", "x".repeat(65537));
    assert_eq!(ask(&large), "SERVER_ERROR object too large for cache\r\n");
}

#[test]
fn a_dump_names_every_item_once() {
    let (node, mut worker) = node(Settings::default());
    let mut client = Connection::new(&node);
    let mut ask = |request: String| String::from_utf8(client.send(&mut worker, request.as_bytes())).unwrap();
    let keys: std::collections::BTreeSet<String> = (0..3000).map(|number| format!("key%{number}")).collect();
    for key in &keys {
        ask(format!("set {key} 9 100 2 noreply\r\nab\r\n"));
    }
    let dump = ask("lru_crawler mgdump all\r\nmn\r\n".to_owned());
    let named: Vec<&str> = dump.lines().filter_map(|line| line.strip_prefix("mg ")).collect();
    assert_eq!(named.len(), keys.len());
    assert_eq!(named.into_iter().map(str::to_owned).collect::<std::collections::BTreeSet<_>>(), keys);
    assert!(dump.starts_with("OK\r\nmg ") && dump.ends_with("\r\nEN\r\nMN\r\n"));
    let dump = ask("gets key%1\r\nlru_crawler metadump all\r\n".to_owned());
    let now = node.clock.now().0 / 1000;
    let line = dump.lines().find(|line| line.starts_with("key=key%251 ")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let (exp, la) = (format!("exp={}", now + 100), format!("la={now}"));
    assert_eq!(words[1..3], [&exp, &la]);
    assert!(words[3].strip_prefix("cas=").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!((words[4], words[5], words[7]), ("fetch=yes", "cls=1", "flags=9"));
    assert!(dump.ends_with(" \nEND\r\n"));
    let few = ask("stats cachedump 1 5\r\n".to_owned());
    assert_eq!(few.lines().filter(|line| line.ends_with(&format!(" [2 b; {} s]", now + 100))).count(), 5);
    assert_eq!(few.lines().count(), 6);
}

/// Keys that RESP clients may use, and that no line of `stats cachedump` could be told from.
#[test]
fn a_dump_of_bare_keys_has_one_line_for_each() {
    let (node, mut worker) = node(Settings::default());
    let (mut client, mut resp) = (Connection::new(&node), node.connect(Protocol::Resp2));
    for key in [&b"plain"[..], b"caf\xc3\xa9", b"a b", b"x\r\nEND\r\n", b"\0"] {
        resp.request(&mut worker, &[&b"SET"[..], key, b"v"]).unwrap();
    }
    let dump = text(&client.send(&mut worker, b"stats cachedump 1 0\r\n"));
    let mut lines: Vec<&str> = dump.split(r"\r\n").collect();
    lines[..2].sort_unstable();
    assert_eq!(lines, [r"ITEM caf\xc3\xa9 [1 b; 0 s]", "ITEM plain [1 b; 0 s]", "END", ""]);
    let named = text(&client.send(&mut worker, b"lru_crawler mgdump all\r\n"));
    assert_eq!(named.matches("mg ").count(), 5, "{named}");
}

#[test]
fn dumps_and_watching_may_be_forbidden() {
    let settings = Settings { memcached_dump: false, memcached_watch: false, ..Settings::default() };
    let (node, mut worker) = node(settings);
    let mut client = Connection::new(&node);
    for (request, answer) in [
        ("set k 0 0 1\r\nv\r\n", r"STORED\r\n"),
        ("lru_crawler metadump all\r\n", r"ERROR metadump not allowed\r\n"),
        ("lru_crawler mgdump nonsense\r\n", r"ERROR key dump not allowed\r\n"),
        ("lru_crawler crawl all\r\n", r"OK\r\n"),
        ("stats cachedump\r\n", r"CLIENT_ERROR stats cachedump not allowed\r\n"),
        ("stats cachedump 1 0\r\n", r"CLIENT_ERROR stats cachedump not allowed\r\n"),
        ("stats detail dump\r\n", r"CLIENT_ERROR stats detail not allowed\r\n"),
        ("watch\r\n", r"CLIENT_ERROR watch commands not allowed\r\n"),
        ("watch nonsense\r\n", r"CLIENT_ERROR watch commands not allowed\r\n"),
        ("lru_crawler disable\r\n", r"OK\r\n"),
        ("lru_crawler metadump all\r\n", r"CLIENT_ERROR lru crawler disabled\r\n"),
    ] {
        assert_eq!(text(&client.send(&mut worker, request.as_bytes())), answer, "{request}");
    }
    assert!(text(&client.send(&mut worker, b"stats settings\r\n")).contains(r"STAT dump_enabled no\r\n"));
}

#[test]
fn settings_are_told_as_they_are() {
    let told = |settings: Settings| {
        let (node, mut worker) = node(settings);
        text(
            &Connection::new(&node)
                .send(&mut worker, b"set a:1 0 0 1 noreply\r\nv\r\nstats settings\r\nstats detail dump\r\n"),
        )
    };
    let plain = told(Settings::default());
    let unusual = told(Settings {
        memcached_unixsocket: "/run/m.socket".to_owned(),
        memcached_detail: true,
        ..Settings::default()
    });
    for (name, before, now) in [
        ("domain_socket", "NULL", "/run/m.socket"),
        ("detail_enabled", "no", "yes"),
        ("dump_enabled", "yes", "yes"),
    ] {
        assert!(plain.contains(&format!(r"STAT {name} {before}\r\n")), "{plain}");
        assert!(unusual.contains(&format!(r"STAT {name} {now}\r\n")), "{unusual}");
    }
    assert!(unusual.ends_with(r"PREFIX a get 0 hit 0 set 1 del 0\r\nEND\r\n") && !plain.contains("PREFIX"));
}
