//! What clients do to themselves and see of each other, where a script cannot show it.

use larder_config::Settings;
use larder_resp::Protocol;
use larder_testkit::{Node, Value};

fn encoded(words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    request
}

#[test]
fn many_clients_are_listed_in_the_order_in_which_they_came() {
    let node = Node::new(Settings::default(), 1, 1);
    let mut worker = node.worker(0);
    let others: Vec<_> = (0..300).map(|_| node.connect(Protocol::Resp2)).collect();
    let mut client = node.connect(Protocol::Resp2);
    let replies = client.request(&mut worker, &["CLIENT", "LIST"]).expect("a reply");
    let [Value::Bulk(text)] = replies.as_slice() else { panic!("{replies:?}") };
    let text = String::from_utf8(text.clone()).expect("it is ASCII");
    let ids: Vec<u64> = text
        .lines()
        .map(|line| line["id=".len()..].split(' ').next().unwrap_or_default().parse().expect("an id"))
        .collect();
    let mut expected: Vec<u64> = others.iter().map(|client| client.state().id()).collect();
    expected.push(client.state().id());
    assert_eq!(ids, expected);
}

/// A stranger may send but little; what comes behind its AUTH, even in the same packet, may be large.
#[test]
fn what_follows_auth_is_read_as_a_known_clients() {
    let settings = Settings { requirepass: "secret".to_owned(), ..Settings::default() };
    let node = Node::new(settings, 1, 1);
    let mut worker = node.worker(0);
    let large = vec![b'x'; 20_000];
    let set = encoded(&[b"SET", b"k", &large]);

    let mut stranger = node.connect(Protocol::Resp2);
    assert_eq!(
        stranger.send(&mut worker, &set),
        b"-ERR Protocol error: unauthenticated bulk length\r\n",
        "without AUTH"
    );
    for before in [&[&b"AUTH"[..], b"secret"][..], &[b"HELLO", b"2", b"AUTH", b"default", b"secret"]] {
        let mut client = node.connect(Protocol::Resp2);
        let both = [encoded(before), set.clone()].concat();
        assert!(client.send(&mut worker, &both).ends_with(b"+OK\r\n"), "{before:?}");
        assert!(!client.is_closed());
    }
}

#[test]
fn nothing_is_done_behind_quit() {
    let node = Node::new(Settings::default(), 1, 1);
    let mut worker = node.worker(0);
    let mut client = node.connect(Protocol::Resp2);
    let requests = [encoded(&[b"QUIT"]), encoded(&[b"SET", b"k", b"v"])].concat();
    assert_eq!(client.send(&mut worker, &requests), b"+OK\r\n");
    assert!(client.is_closed());
    let mut other = node.connect(Protocol::Resp2);
    assert_eq!(other.send(&mut worker, &encoded(&[b"EXISTS", b"k"])), b":0\r\n");
}

#[test]
fn who_ends_its_own_connection_is_told_so_first() {
    let node = Node::new(Settings::default(), 1, 1);
    let mut worker = node.worker(0);
    let mut client = node.connect(Protocol::Resp2);
    let id = client.state().id().to_string();
    let kill = encoded(&[b"CLIENT", b"KILL", b"ID", id.as_bytes(), b"SKIPME", b"no"]);
    assert_eq!(client.send(&mut worker, &kill), b":1\r\n");
    assert!(client.is_closed());
}

/// Its worker may notice later: in the process of a test it never does.
#[test]
fn who_was_sent_away_is_not_seen_again() {
    let node = Node::new(Settings::default(), 1, 1);
    let mut worker = node.worker(0);
    let (other, mut client) = (node.connect(Protocol::Resp2), node.connect(Protocol::Resp2));
    let id = other.state().id().to_string();
    let listed = [&b"CLIENT"[..], b"LIST", b"ID", id.as_bytes()];
    assert!(client.send(&mut worker, &encoded(&listed)).starts_with(b"$"));
    let kill = encoded(&[b"CLIENT", b"KILL", b"ID", id.as_bytes()]);
    assert_eq!(client.send(&mut worker, &kill), b":1\r\n");
    assert_eq!(client.send(&mut worker, &encoded(&listed)), b"$0\r\n\r\n");
    assert_eq!(client.send(&mut worker, &kill), b":0\r\n");
    assert!(
        client
            .send(&mut worker, b"INFO clients\r\n")
            .windows(20)
            .any(|part| part == b"connected_clients:1\r")
    );
}
