//! DEBUG where `enable-debug-command` allows it, which no script can arrange.

use larder_config::{EnableFor, Settings};
use larder_engine::Worker;
use larder_resp::Protocol;
use larder_testkit::{Client, Node, Value};

/// A node on which DEBUG is allowed, its worker and a client.
struct Bench {
    node: Node,
    worker: Worker,
    client: Client,
}

impl Bench {
    fn new(protocol: Protocol) -> Bench {
        let settings = Settings { enable_debug_command: EnableFor::Local, ..Settings::default() };
        let node = Node::new(settings, 1, 1);
        let (worker, client) = (node.worker(0), node.connect(protocol));
        Bench { node, worker, client }
    }

    /// The replies to a request of words parted by spaces.
    fn ask(&mut self, request: &str) -> Vec<Value> {
        let words: Vec<&str> = request.split(' ').collect();
        self.client.request(&mut self.worker, &words).expect("replies can be read")
    }

    fn ask_one(&mut self, request: &str) -> Value {
        let mut replies = self.ask(request);
        assert_eq!(replies.len(), 1, "{request}: {replies:?}");
        replies.remove(0)
    }

    fn assert_ok(&mut self, request: &str) {
        assert_eq!(self.ask_one(request), Value::Simple(b"OK".to_vec()), "{request}");
    }

    fn assert_error(&mut self, request: &str, line: &str) {
        assert_eq!(self.ask_one(request), Value::Error(line.as_bytes().to_vec()), "{request}");
    }
}

fn bulk(text: &str) -> Value {
    Value::Bulk(text.as_bytes().to_vec())
}

fn integers(numbers: std::ops::Range<i64>) -> Vec<Value> {
    numbers.map(Value::Integer).collect()
}

#[test]
fn every_type_of_resp3_is_shown() {
    let mut bench = Bench::new(Protocol::Resp3);
    for (name, expected) in [
        ("string", bulk("Hello World")),
        ("integer", Value::Integer(12_345)),
        ("double", Value::Double(b"3.141".to_vec())),
        ("null", Value::Null),
        ("array", Value::Array(integers(0..3))),
        ("SET", Value::Set(integers(0..3))),
        ("map", Value::Map((0..3).map(|key| (Value::Integer(key), Value::Boolean(key == 1))).collect())),
        ("verbatim", Value::Verbatim(*b"txt", b"This is a verbatim\nstring".to_vec())),
        ("true", Value::Boolean(true)),
        ("false", Value::Boolean(false)),
        ("bignum", Value::BigNumber(b"1234567999999999999999999999999999999".to_vec())),
    ] {
        assert_eq!(bench.ask_one(&format!("DEBUG PROTOCOL {name}")), expected, "{name}");
    }
    let push = Value::Push(vec![bulk("server-cpu-usage"), Value::Integer(42)]);
    let reply = bulk("Some real reply following the push reply");
    assert_eq!(bench.ask("DEBUG PROTOCOL push"), [push, reply]);
    let request = b"*3\r\n$5\r\nDEBUG\r\n$8\r\nPROTOCOL\r\n$6\r\nattrib\r\n";
    assert_eq!(
        String::from_utf8_lossy(&bench.client.send(&mut bench.worker, request)),
        "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n\
         $39\r\nSome real reply following the attribute\r\n",
    );
}

#[test]
fn resp2_has_what_it_can_have() {
    let mut bench = Bench::new(Protocol::Resp2);
    for (name, expected) in [
        ("double", bulk("3.141")),
        ("null", Value::Null),
        ("set", Value::Array(integers(0..3))),
        ("map", Value::Array([0, 0, 1, 1, 2, 0].map(Value::Integer).to_vec())),
        ("attrib", bulk("Some real reply following the attribute")),
        ("verbatim", bulk("This is a verbatim\nstring")),
        ("true", Value::Integer(1)),
        ("bignum", bulk("1234567999999999999999999999999999999")),
    ] {
        assert_eq!(bench.ask_one(&format!("DEBUG PROTOCOL {name}")), expected, "{name}");
    }
    bench.assert_error("DEBUG PROTOCOL push", "ERR RESP2 is not supported by this command");
    bench.assert_error(
        "DEBUG PROTOCOL foo",
        "ERR Wrong protocol type name. Please use one of the following: \
         string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
    );
}

#[test]
fn a_sleeping_client_lets_others_go_on() {
    let mut bench = Bench::new(Protocol::Resp2);
    let before = bench.node.clock.now();
    bench.assert_ok("DEBUG SLEEP 1.5");
    assert_eq!(bench.node.clock.now(), before.saturating_add(1500));
    for nothing in ["0", "-1", "x"] {
        bench.assert_ok(&format!("DEBUG SLEEP {nothing}"));
    }
    assert_eq!(bench.node.clock.now(), before.saturating_add(1500));
}

#[test]
fn expiry_by_time_can_be_switched_off() {
    let mut bench = Bench::new(Protocol::Resp2);
    bench.assert_ok("DEBUG SET-ACTIVE-EXPIRE 0");
    bench.assert_ok("SET k v PX 10");
    bench.node.advance(&mut [&mut bench.worker], 1000);
    assert_eq!(bench.ask_one("DBSIZE"), Value::Integer(1), "nobody has asked for it");
    bench.assert_ok("DEBUG SET-ACTIVE-EXPIRE 1");
    bench.node.advance(&mut [&mut bench.worker], 1000);
    assert_eq!(bench.ask_one("DBSIZE"), Value::Integer(0));
}

#[test]
fn an_object_is_described() {
    let mut bench = Bench::new(Protocol::Resp2);
    for (value, encoding, length) in [
        ("v", "embstr", 2),
        ("12", "int", 2),
        ("-129", "int", 3),
        ("70000", "int", 5),
        ("9999999999", "int", 11),
        (&"x".repeat(100), "raw", 9),
        (&"x".repeat(20_000), "raw", 238),
    ] {
        bench.assert_ok(&format!("SET k {value}"));
        bench.node.clock.advance(5000);
        let Value::Simple(line) = bench.ask_one("DEBUG OBJECT k") else { panic!("no status") };
        let line = String::from_utf8(line).expect("it is ASCII");
        let middle = format!(" refcount:1 encoding:{encoding} serializedlength:{length} lru:");
        assert!(line.starts_with("Value at:0x") && line.contains(&middle), "{line}");
        assert!(line.ends_with(" lru_seconds_idle:5"), "{line}");
    }
    let Value::Simple(line) = bench.ask_one("DEBUG OBJECT k fast") else { panic!("no status") };
    assert!(!String::from_utf8_lossy(&line).contains("serializedlength"));
    bench.assert_error("DEBUG OBJECT nosuch", "ERR no such key");
}

#[test]
fn a_replication_id_can_be_changed() {
    let mut bench = Bench::new(Protocol::Resp2);
    let before = bench.node.engine.replication_id();
    bench.assert_ok("DEBUG CHANGE-REPL-ID");
    let after = bench.node.engine.replication_id();
    assert!(after != before && after.len() == 40 && after.bytes().all(|digit| digit.is_ascii_hexdigit()));
}

#[test]
fn what_does_nothing_is_accepted_and_the_rest_refused() {
    let mut bench = Bench::new(Protocol::Resp2);
    for request in [
        "QUICKLIST-PACKED-THRESHOLD 100b",
        "QUICKLIST-PACKED-THRESHOLD 0",
        "REPLYBUFFER PEAK-RESET-TIME never",
        "REPLYBUFFER PEAK-RESET-TIME 100",
        "REPLYBUFFER RESIZING 0",
        "DICT-RESIZING 1",
        "LOG hello",
    ] {
        bench.assert_ok(&format!("DEBUG {request}"));
    }
    bench.assert_error("DEBUG ERROR SOME\nwords", "SOME words");
    bench.assert_error(
        "DEBUG QUICKLIST-PACKED-THRESHOLD 5gb",
        "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
    );
    bench.assert_error("DEBUG REPLYBUFFER PEAK-RESET-TIME x", "ERR value is not an integer or out of range");
    bench.assert_error(
        "DEBUG RELOAD",
        "ERR Error trying to load the RDB dump: this version of Larder has no snapshots",
    );
    for unknown in ["JMAP", "SEGFAULT", "SLEEP", "LOG", "OBJECT", "OBJECT k fast now", "HELP me"] {
        let name = unknown.split(' ').next().unwrap_or_default();
        let line =
            format!("ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP.");
        bench.assert_error(&format!("DEBUG {unknown}"), &line);
    }
}

#[test]
fn help_has_a_line_for_each_way_to_call_it() {
    let mut bench = Bench::new(Protocol::Resp2);
    let Value::Array(lines) = bench.ask_one("DEBUG HELP") else { panic!("no array") };
    let line = |text: &str| Value::Simple(text.as_bytes().to_vec());
    assert_eq!(lines[0], line("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    assert!(lines.contains(&line("SLEEP <seconds>")));
    assert_eq!(lines[lines.len() - 2..], [line("HELP"), line("    Prints this help.")]);
}

#[test]
fn what_sleeps_is_slow() {
    let mut bench = Bench::new(Protocol::Resp2);
    bench.assert_ok("CONFIG SET latency-monitor-threshold 20");
    bench.assert_ok("DEBUG SLEEP 0.03");
    bench.assert_ok("DEBUG SLEEP 0.01");
    bench.assert_ok("DEBUG SLEEP 0.02");
    let second = bench.node.clock.now().0 / 1000;
    let sample = vec![Value::Integer(second), Value::Integer(30)];
    assert_eq!(bench.ask_one("LATENCY HISTORY command"), Value::Array(vec![Value::Array(sample)]));
    let latest = [bulk("command"), Value::Integer(second), Value::Integer(30), Value::Integer(30)];
    assert_eq!(bench.ask_one("LATENCY LATEST"), Value::Array(vec![Value::Array(latest.to_vec())]));
    for (request, text) in
        [("LATENCY GRAPH command", "command - high 30 ms, low 30 ms"), ("LATENCY DOCTOR", "SLOWLOG GET")]
    {
        let Value::Bulk(report) = bench.ask_one(request) else { panic!("{request} answers no text") };
        assert!(String::from_utf8_lossy(&report).contains(text), "{request}");
    }
    assert_eq!(bench.ask_one("SLOWLOG LEN"), Value::Integer(3));
    assert_eq!(bench.ask_one("LATENCY RESET fast-command"), Value::Integer(0));
    assert_eq!(bench.ask_one("LATENCY RESET COMMAND"), Value::Integer(1));
    assert_eq!(bench.ask_one("LATENCY LATEST"), Value::Array(Vec::new()));
}

#[test]
fn signatures_are_those_of_redis() {
    let mut bench = Bench::new(Protocol::Resp2);
    let text = |text: &str| Value::Simple(text.as_bytes().to_vec());
    assert_eq!(bench.ask_one("DEBUG DIGEST"), text("0000000000000000000000000000000000000000"));
    assert_eq!(bench.ask_one("DEBUG DIGEST-VALUE"), Value::Array(Vec::new()));
    bench.assert_ok("DEBUG POPULATE 3");
    assert_eq!(bench.ask_one("DEBUG DIGEST"), text("f25db52166a7d712fb7362fd197165342e2b7442"));
    let values = [
        "c15f34c747bf411833c10208c03e1da1bb7da7cf",
        "ec4b7bec343ec862c8bd5dd8feab05ec1e9e6703",
        "0000000000000000000000000000000000000000",
    ];
    assert_eq!(
        bench.ask_one("DEBUG DIGEST-VALUE key:0 key:1 nosuch"),
        Value::Array(values.map(text).to_vec())
    );
    bench.assert_ok("SELECT 3");
    bench.assert_ok("SET a 1 EX 1000");
    bench.assert_ok("SET b 1.5 EX 1000");
    assert_eq!(bench.ask_one("DEBUG DIGEST"), text("06e98240490a8925f6e362720d6bac6c886c7e7a"));
    let values = ["5279988c5d1911f474bcbbf2f0a87012d40f8459", "285646d3cc2f875e754c5b862c102f5f60ebb56b"];
    assert_eq!(bench.ask_one("DEBUG DIGEST-VALUE a b"), Value::Array(values.map(text).to_vec()));
}

#[test]
fn keys_are_created_for_tests() {
    let mut bench = Bench::new(Protocol::Resp2);
    bench.assert_ok("SET k:1 old");
    bench.assert_ok("DEBUG POPULATE 2000 k 10");
    assert_eq!(bench.ask_one("DBSIZE"), Value::Integer(2000));
    assert_eq!(bench.ask_one("GET k:0"), bulk("value:0\0\0\0"));
    assert_eq!(bench.ask_one("GET k:1"), bulk("old"));
    assert_eq!(bench.ask_one("GET k:1999"), bulk("value:1999"));
    bench.assert_ok("DEBUG POPULATE 0");
    bench.assert_error("DEBUG POPULATE x", "ERR value is not an integer or out of range");
    bench.assert_error("DEBUG POPULATE -1", "ERR value is out of range, must be positive");
    bench.assert_error(
        "DEBUG POPULATE 1 k 9999999999",
        "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
    );
}
