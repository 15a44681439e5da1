//! The binary protocol on a node in process.

use larder_config::Settings;
use larder_testkit::Node;

use crate::connection::Connection;
use crate::node;

/// A request without a CAS value; its opaque is the number of its opcode.
fn packet(opcode: u8, extras: &[u8], key: &str, value: &[u8]) -> Vec<u8> {
    let body_len = (extras.len() + key.len() + value.len()) as u32;
    let mut bytes = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    bytes.extend(body_len.to_be_bytes());
    bytes.extend([0, 0, 0, opcode]);
    bytes.extend([0; 8]);
    [&bytes, extras, key.as_bytes(), value].concat()
}

fn with_cas(cas: u64, mut packet: Vec<u8>) -> Vec<u8> {
    packet[16..24].copy_from_slice(&cas.to_be_bytes());
    packet
}

/// A reply.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reply {
    opcode: u8,
    status: u16,
    extras: Vec<u8>,
    key: String,
    value: String,
}

/// Replies, and the CAS value of the last one.
fn replies(mut bytes: &[u8]) -> (Vec<Reply>, u64) {
    let (mut replies, mut cas) = (Vec::new(), 0);
    while !bytes.is_empty() {
        assert_eq!((bytes[0], bytes[5]), (0x81, 0));
        assert_eq!(bytes[12..16], [0, 0, 0, bytes[1]]);
        let (key_len, extras_len) = (usize::from(bytes[3]), usize::from(bytes[4]));
        let body_len = u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
        cas = u64::from_be_bytes(bytes[16..24].try_into().unwrap());
        let (body, rest) = bytes[24..].split_at(body_len);
        let (extras, body) = body.split_at(extras_len);
        let (key, value) = body.split_at(key_len);
        replies.push(Reply {
            opcode: bytes[1],
            status: u16::from_be_bytes([bytes[6], bytes[7]]),
            extras: extras.to_vec(),
            key: String::from_utf8(key.to_vec()).unwrap(),
            value: String::from_utf8_lossy(value).into_owned(),
        });
        bytes = rest;
    }
    (replies, cas)
}

/// A connection, and a worker to serve it.
struct Client {
    connection: Connection,
    worker: larder_engine::Worker,
}

impl Client {
    fn new(settings: Settings) -> (Client, Node) {
        let (node, worker) = node(settings);
        (Client { connection: Connection::new(&node), worker }, node)
    }

    fn send(&mut self, bytes: &[u8]) -> (Vec<Reply>, u64) {
        replies(&self.connection.send(&mut self.worker, bytes))
    }

    /// The one reply, and its CAS value.
    fn ask(&mut self, bytes: &[u8]) -> (Reply, u64) {
        let (mut replies, cas) = self.send(bytes);
        assert_eq!(replies.len(), 1, "{replies:?}");
        (replies.remove(0), cas)
    }
}

fn ok(opcode: u8, value: &str) -> Reply {
    Reply { opcode, value: value.to_owned(), ..Reply::default() }
}

fn refused(opcode: u8, status: u16, value: &str) -> Reply {
    Reply { opcode, status, value: value.to_owned(), ..Reply::default() }
}

const STORE: [u8; 8] = [0, 0, 0, 5, 0, 0, 0, 0];

#[test]
fn an_item_is_stored_read_and_deleted() {
    let (mut client, _node) = Client::new(Settings::default());
    let (reply, stored) = client.ask(&packet(0x01, &STORE, "key", b"value"));
    assert_eq!(reply, ok(0x01, ""));
    let found = |opcode, key: &str, value: &str| Reply {
        extras: vec![0, 0, 0, 5],
        key: key.to_owned(),
        ..ok(opcode, value)
    };
    assert_eq!(client.ask(&packet(0x00, b"", "key", b"")), (found(0x00, "", "value"), stored));
    assert_eq!(client.ask(&packet(0x0c, b"", "key", b"")), (found(0x0c, "key", "value"), stored));
    assert_eq!(client.ask(&packet(0x1c, &[0, 0, 0, 9], "key", b"")), (found(0x1c, "", ""), stored));
    assert_eq!(client.ask(&packet(0x23, &[0; 4], "key", b"")), (found(0x23, "key", "value"), stored));
    assert_eq!(client.ask(&packet(0x0e, b"", "key", b">")).0, ok(0x0e, ""));
    assert_eq!(client.ask(&packet(0x0f, b"", "key", b"<")).0, ok(0x0f, ""));
    assert_eq!(client.ask(&packet(0x00, b"", "key", b"")).0, found(0x00, "", "<value>"));
    assert_eq!(client.ask(&packet(0x04, b"", "key", b"")), (ok(0x04, ""), 0));
    assert_eq!(client.ask(&packet(0x00, b"", "key", b"")).0, refused(0x00, 1, "Not found"));
    let missed = Reply { key: "key".to_owned(), ..refused(0x0c, 1, "") };
    assert_eq!(client.ask(&packet(0x0c, b"", "key", b"")).0, missed);
}

#[test]
fn conditions_are_told_apart() {
    let (mut client, _node) = Client::new(Settings::default());
    let mut status = |bytes: &[u8]| client.ask(bytes).0.status;
    assert_eq!(status(&packet(0x03, &STORE, "k", b"v")), 1);
    assert_eq!(status(&packet(0x0e, b"", "k", b"v")), 5);
    assert_eq!(status(&packet(0x04, b"", "k", b"")), 1);
    assert_eq!(status(&with_cas(7, packet(0x01, &STORE, "k", b"v"))), 1);
    assert_eq!(status(&packet(0x02, &STORE, "k", b"v")), 0);
    assert_eq!(status(&packet(0x02, &STORE, "k", b"v")), 2);
    assert_eq!(status(&with_cas(7, packet(0x01, &STORE, "k", b"v"))), 2);
    assert_eq!(status(&with_cas(7, packet(0x04, b"", "k", b""))), 2);
    let (_, cas) = client.ask(&packet(0x00, b"", "k", b""));
    // As in memcached, `add` with a CAS value is a swap.
    assert_eq!(client.ask(&with_cas(cas, packet(0x02, &STORE, "k", b"w"))).0, ok(0x02, ""));
    assert_eq!(client.ask(&with_cas(cas, packet(0x04, b"", "k", b""))).0.status, 2);
    let (_, cas) = client.ask(&packet(0x00, b"", "k", b""));
    assert_eq!(client.ask(&with_cas(cas, packet(0x04, b"", "k", b""))).0.status, 0);
}

#[test]
fn counters_are_made_and_changed() {
    let (mut client, _node) = Client::new(Settings::default());
    let count = |opcode, amount: u64, initial: u64, exptime: u32| {
        let extras = [&amount.to_be_bytes()[..], &initial.to_be_bytes(), &exptime.to_be_bytes()].concat();
        packet(opcode, &extras, "n", b"")
    };
    let number = |opcode, number: u64| ok(opcode, str::from_utf8(&number.to_be_bytes()).unwrap());
    assert_eq!(client.ask(&count(0x05, 1, 5, u32::MAX)).0, refused(0x05, 1, "Not found"));
    assert_eq!(client.ask(&count(0x05, 1, 5, 0)).0, number(0x05, 5));
    let (reply, counted) = client.ask(&count(0x05, 4, 0, 0));
    assert_eq!(reply, number(0x05, 9));
    assert_eq!(client.ask(&packet(0x00, b"", "n", b"")).1, counted);
    assert_eq!(client.ask(&count(0x06, 20, 0, 0)).0, number(0x06, 0));
    assert_eq!(client.ask(&with_cas(counted, count(0x06, 1, 0, 0))).0.status, 2);
    client.ask(&packet(0x01, &STORE, "n", b"text"));
    let text = "Non-numeric server-side value for incr or decr";
    assert_eq!(client.ask(&count(0x05, 1, 0, 0)).0, refused(0x05, 6, text));
}

#[test]
fn what_is_quiet_speaks_up_only_when_it_must() {
    let (mut client, _node) = Client::new(Settings::default());
    let noop = packet(0x0a, b"", "", b"");
    let stream = [
        packet(0x11, &STORE, "a", b"1"),
        packet(0x12, &STORE, "b", b"2"),
        packet(0x13, &STORE, "b", b"3"),
        packet(0x19, b"", "b", b"4"),
        packet(0x1a, b"", "b", b"2"),
        packet(0x15, &[&1_u64.to_be_bytes()[..], &[0; 12]].concat(), "a", b""),
        packet(0x09, b"", "none", b""),
        packet(0x0d, b"", "none", b""),
        packet(0x1e, &[0; 4], "none", b""),
        noop.clone(),
        packet(0x0d, b"", "b", b""),
        packet(0x12, &STORE, "b", b"2"),
        packet(0x14, b"", "none", b""),
        packet(0x14, b"", "b", b""),
        packet(0x18, b"", "", b""),
        packet(0x09, b"", "a", b""),
        noop,
    ]
    .concat();
    let expected = [
        ok(0x0a, ""),
        Reply { extras: vec![0, 0, 0, 5], key: "b".to_owned(), ..ok(0x0d, "234") },
        refused(0x12, 2, "Data exists for key."),
        refused(0x14, 1, "Not found"),
        ok(0x0a, ""),
    ];
    assert_eq!(client.send(&stream).0, expected);
    let (mut slow, _node) = Client::new(Settings::default());
    let pieces: Vec<u8> =
        stream.iter().flat_map(|byte| slow.connection.send(&mut slow.worker, &[*byte])).collect();
    assert_eq!(replies(&pieces).0, expected);
}

#[test]
fn the_server_is_asked_and_left() {
    let (mut client, node) = Client::new(Settings::default());
    assert_eq!(client.ask(&packet(0x0b, b"", "", b"")).0, ok(0x0b, "1.6.45"));
    assert_eq!(client.ask(&packet(0x20, b"", "", b"")).0, refused(0x20, 0x81, "Unknown command"));
    assert_eq!(client.ask(&packet(0x1b, &[0; 4], "", b"")).0, refused(0x1b, 0x81, "Unknown command"));
    let (stats, _) = client.send(&packet(0x10, b"", "", b""));
    assert_eq!((&*stats[0].key, &stats[stats.len() - 1]), ("pid", &ok(0x10, "")));
    assert_eq!(client.ask(&packet(0x10, b"", "nonsense", b"")).0, refused(0x10, 1, "Not found"));
    assert_eq!(client.ask(&packet(0x10, b"", "reset", b"")).0, ok(0x10, ""));
    assert_eq!(client.ask(&packet(0x08, &[0, 0, 0, 9], "", b"")).0, ok(0x08, ""));
    assert_eq!(client.ask(&packet(0x07, b"", "", b"")).0, ok(0x07, ""));
    assert!(client.connection.is_closed());
    for (bytes, answers) in
        [(packet(0x17, b"", "", b""), 0), (packet(0x00, b"", "", b""), 1), (b"\x80mn\r\n".repeat(9), 1)]
    {
        client.connection = Connection::new(&node);
        assert_eq!(client.connection.send(&mut client.worker, &bytes).len().min(1), answers);
        assert!(client.connection.is_closed());
    }
}

#[test]
fn details_may_be_forbidden() {
    for (memcached_dump, answer) in [(true, ok(0x10, "")), (false, refused(0x10, 1, "Not found"))] {
        let (mut client, _node) = Client::new(Settings { memcached_dump, ..Settings::default() });
        assert_eq!(client.ask(&packet(0x10, b"", "detail on", b"")).0, answer);
    }
}

#[test]
fn a_value_too_large_takes_the_old_one_with_it() {
    let (mut client, _node) = Client::new(Settings::default());
    client.ask(&packet(0x01, &STORE, "k", b"v"));
    let stream = [packet(0x01, &STORE, "k", &[b'x'; 1 << 20]), packet(0x00, b"", "k", b"")].concat();
    assert_eq!(client.send(&stream).0, [refused(0x01, 3, "Too large."), refused(0x00, 1, "Not found")]);
}

#[test]
fn a_stranger_must_say_who_it_is() {
    let settings = Settings { requirepass: "secret".to_owned(), ..Settings::default() };
    let (mut client, node) = Client::new(settings);
    let users = larder_commands::memcache::parse_users(b"ann:pass\n").unwrap();
    node.engine.memcache.set_users(users);
    let refusal = |opcode| refused(opcode, 0x20, "Auth failure.");
    let plain = |data: &[u8]| packet(0x21, b"", "PLAIN", data);
    assert_eq!(client.ask(&packet(0x0b, b"", "", b"")).0, ok(0x0b, "1.6.45"));
    assert_eq!(client.ask(&packet(0x20, b"", "", b"")).0, ok(0x20, "PLAIN"));
    for data in
        [&b"\0default\0wrong"[..], b"\0nobody\0secret", b"other\0default\0secret", b"secret", b"\0ann\0"]
    {
        assert_eq!(client.ask(&plain(data)).0, refusal(0x21));
    }
    assert_eq!(client.ask(&packet(0x22, b"", "PLAIN", b"\0default\0secret")).0, refusal(0x22));
    assert_eq!(client.ask(&packet(0x21, b"", "CRAM-MD5", b"\0default\0secret")).0, refusal(0x21));
    for data in [&b"\0default\0secret"[..], b"default\0default\0secret", b"\0ann\0pass"] {
        assert_eq!(client.ask(&plain(data)).0, ok(0x21, "Authenticated"));
        assert_eq!(client.ask(&packet(0x01, &STORE, "k", b"v")).0, ok(0x01, ""));
    }
    assert_eq!(client.ask(&plain(b"")).0, refused(0x21, 0x21, ""));
    assert_eq!(client.ask(&packet(0x22, b"", "PLAIN", b"\0ann\0pass")).0, ok(0x22, "Authenticated"));
    assert_eq!(client.ask(&plain(b"\0ann\0wrong")).0, refusal(0x21));
    let large = packet(0x01, &STORE, "k", &[b'x'; 100_000]);
    for bytes in [&packet(0x00, b"", "k", b""), &large[..40]] {
        client.connection = Connection::new(&node);
        assert_eq!(client.ask(bytes).0, refusal(bytes[1]));
        assert!(client.connection.is_closed());
    }
}

#[test]
fn with_sasl_nobody_speaks_text() {
    let (mut client, _node) = Client::new(Settings { memcached_sasl: true, ..Settings::default() });
    assert_eq!(client.connection.send(&mut client.worker, b"version\r\n"), b"");
    assert!(client.connection.is_closed());
}

#[test]
fn clients_are_told_of_the_nodes() {
    let settings =
        Settings { memcached_cluster_nodes: "a.example|10.0.0.1|11211".to_owned(), ..Settings::default() };
    let (mut client, node) = Client::new(settings);
    let version = (node.engine.identity.started_at.0 / 1000).max(1);
    let told = |value: &str| Reply { extras: vec![0; 4], ..ok(0x60, value) };
    let nodes = told(&format!("{version}\na.example|10.0.0.1|11211\n"));
    assert_eq!(client.ask(&packet(0x60, b"", "cluster", b"")).0, nodes);
    assert_eq!(client.ask(&packet(0x60, b"", "AmazonElastiCache:cluster", b"")).0, nodes);
    assert_eq!(client.ask(&packet(0x60, b"", "other", b"")).0, refused(0x60, 1, "Not found"));
    assert_eq!(client.ask(&packet(0x64, &[0; 4], "cluster", b"1\nb||1\n")).0, ok(0x64, ""));
    assert_eq!(client.ask(&packet(0x60, b"", "cluster", b"")).0, told("1\nb||1\n"));
    assert_eq!(client.ask(&packet(0x66, b"", "cluster", b"")).0, ok(0x66, ""));
    assert_eq!(client.ask(&packet(0x66, b"", "cluster", b"")).0, refused(0x66, 1, "Not found"));
}

/// Requests of every opcode, most of them of the right form, on few keys.
fn random_stream(random: &mut larder_engine::Random) -> Vec<u8> {
    let mut below = |bound: u64| random.next_u64() % bound;
    let requests = (0..20).map(|_| {
        // All but `stat`, whose answers depend on when it is asked.
        let opcode = match below(20) {
            0 => below(256) as u8,
            1 => 0x60 + 2 * below(4) as u8,
            _ => below(0x25) as u8,
        };
        let opcode = if opcode == 0x10 { 0x0a } else { opcode };
        let (extras_len, has_key, has_value) = match opcode {
            0x01..=0x03 | 0x11..=0x13 => (8, true, true),
            0x05 | 0x06 | 0x15 | 0x16 => (20, true, false),
            0x0e | 0x0f | 0x19 | 0x1a | 0x21 | 0x22 => (0, true, true),
            0x1c..=0x1e | 0x23 | 0x24 => (4, true, false),
            0x07 | 0x08 | 0x0a | 0x0b | 0x17 | 0x18 | 0x20 => (0, false, false),
            0x64 => (4, true, true),
            _ => (0, true, false),
        };
        let extras = vec![below(2) as u8; if below(50) == 0 { below(9) as usize } else { extras_len }];
        let key = if has_key { ["a", "b", "cluster"][below(3) as usize] } else { "" };
        let value = if has_value {
            vec![b'0' + below(10) as u8; [0, 1, 2, 300, 5000][below(5) as usize]]
        } else {
            vec![]
        };
        packet(opcode, &extras, key, &value)
    });
    requests.collect::<Vec<_>>().concat()
}

#[test]
fn sessions_do_not_depend_on_how_they_arrive() {
    let mut random = larder_engine::Random::new(5);
    let mut answered = 0;
    for _ in 0..300 {
        let stream = random_stream(&mut random);
        let (mut whole, _node) = Client::new(Settings::default());
        let at_once = whole.connection.send(&mut whole.worker, &stream);
        let (mut cut, _node) = Client::new(Settings::default());
        let (mut rest, mut in_pieces) = (&stream[..], Vec::new());
        while !rest.is_empty() && !cut.connection.is_closed() {
            let (piece, after) = rest.split_at((1 + random.next_u64() as usize % 60).min(rest.len()));
            in_pieces.extend(cut.connection.send(&mut cut.worker, piece));
            rest = after;
        }
        assert_eq!(at_once.escape_ascii().to_string(), in_pieces.escape_ascii().to_string());
        assert_eq!(whole.connection.is_closed(), cut.connection.is_closed());
        // Each reply is as long as it says.
        let mut left = &at_once[..];
        while let Some((header, after)) = left.split_first_chunk::<24>() {
            let body_len = u32::from_be_bytes(header[8..12].try_into().unwrap()) as usize;
            left = &after[body_len..];
            answered += 1;
        }
        assert!(left.is_empty());
    }
    assert!(answered > 1000, "{answered}");
}
