//! The pool that the memory of clients has for itself: who takes most goes, who behaves well notices nothing.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::client::{Client, connect, request};
use crate::server::{Server, eventually};

/// A number of the client with this name, as CLIENT LIST shows it.
fn field(witness: &mut Client, name: &str, field: &str) -> Option<u64> {
    let list = witness.call(&["CLIENT", "LIST"]).text().to_owned();
    let line = list.lines().find(|line| line.contains(&format!(" name={name} ")))?;
    let value = line.split(' ').find_map(|word| word.strip_prefix(&format!("{field}=")))?;
    value.parse().ok()
}

fn named(server: &Server, name: &str) -> Client {
    let mut client = server.client();
    assert_eq!(client.call(&["CLIENT", "SETNAME", name]).text(), "OK");
    client
}

/// Takes so many bytes for a request whose end does not come.
fn hoard(server: &Server, name: &str, bytes: usize) -> Client {
    let mut client = named(server, name);
    client.send(format!("*2\r\n$4\r\nECHO\r\n${}\r\n", bytes + 1).as_bytes()).unwrap();
    // It may be sent away before it has sent all.
    let _ = client.send(&vec![b'x'; bytes]);
    client
}

#[test]
fn who_takes_most_goes_and_others_stay() {
    let debug = ["--enable-debug-command", "yes"];
    let limit = ["--maxmemory-clients", "4mb", "--hide-user-data-from-log", "no"];
    let server = Server::start(&[debug.as_slice(), &limit].concat());
    let mut witness = named(&server, "witness");
    witness.call(&["SET", "key", "value"]);
    let small = hoard(&server, "small", 200_000);
    eventually("it has come", || field(&mut witness, "small", "qbuf") > Some(200_000));
    let mut gone = Vec::new();
    for number in 0..12 {
        gone.push(hoard(&server, &format!("large-{number}"), 1_000_000));
        assert_eq!(witness.call(&["GET", "key"]).text(), "value");
    }
    // Three of them have room beside the small one.
    eventually("nine have gone", || witness.info("evicted_clients") == 9);
    assert!(witness.info("mem_clients_normal") < 4 << 20);
    assert_eq!(witness.info("connected_clients"), 5);
    assert!(field(&mut witness, "small", "tot-mem") > Some(200_000), "the small one is spared");
    assert_eq!(witness.info("evicted_keys"), 0);
    let classes = witness.call(&["DEBUG", "CLIENT-EVICTION"]).text().to_owned();
    let large = classes.lines().find(|line| line.starts_with("bucket     524288 -    1048575: tot-mem: "));
    assert!(large.is_some_and(|line| line.ends_with(", clients: 3")), "{classes}");
    drop((small, gone));
    witness.call(&["CONFIG", "RESETSTAT"]);
    assert_eq!(witness.info("evicted_clients"), 0);
    server.end_with(|log| {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("* Evicting client: id=")).collect();
        assert_eq!(lines.len(), 9, "{log}");
        assert!(lines.iter().all(|line| line.contains(" name=large-")), "{log}");
    });
}

#[test]
fn a_lower_limit_sends_away_as_many_as_it_must() {
    let server = Server::start(&["--maxmemory", "100mb"]);
    let mut witness = named(&server, "witness");
    let hoards: Vec<Client> =
        (0..8).map(|number| hoard(&server, &format!("hoard-{number}"), 500_000)).collect();
    let mut spared = hoard(&server, "spared", 4_000_000);
    eventually("all have come", || witness.info("mem_clients_normal") > 8_000_000);
    assert_eq!(witness.call(&["CONFIG", "SET", "maxmemory-clients", "9mb"]).text(), "OK");
    assert_eq!(witness.info("evicted_clients"), 0, "it is enough for all");
    spared.send(b"x\r\n").unwrap();
    assert_eq!(spared.reply().unwrap().text().len(), 4_000_001);
    assert_eq!(spared.call(&["CLIENT", "NO-EVICT", "ON"]).text(), "OK");
    spared.send(b"*2\r\n$4\r\nECHO\r\n$4000000\r\n").unwrap();
    spared.send(&[b'x'; 3_999_999]).unwrap();
    eventually("it has come", || field(&mut witness, "spared", "qbuf") > Some(3_999_999));
    // A part of maxmemory, which changes with it.
    assert_eq!(witness.call(&["CONFIG", "SET", "maxmemory-clients", "2%"]).text(), "OK");
    assert_eq!(witness.info("evicted_clients"), 4);
    assert_eq!(witness.call(&["CONFIG", "SET", "maxmemory", "50mb"]).text(), "OK");
    assert_eq!(witness.info("evicted_clients"), 6);
    spared.send(b"x\r\n").unwrap();
    assert_eq!(spared.reply().unwrap().text().len(), 4_000_000, "who is spared is not counted");
    assert_eq!(witness.call(&["CONFIG", "SET", "maxmemory-clients", "0"]).text(), "OK");
    drop(hoards);
    server.end();
}

#[test]
fn a_slow_reader_is_held_up_before_it_is_sent_away() {
    let server = Server::start(&["--proto-max-bulk-len", "512mb"]);
    let mut witness = named(&server, "witness");
    assert_eq!(witness.call(&["SETRANGE", "large", "49999999", "x"]).integer(), 50_000_000);
    let mut reader = connect(server.address()).unwrap();
    let call = |reader: &mut TcpStream, words: &[&str]| reader.write_all(&request(words));
    call(&mut reader, &["CLIENT", "SETNAME", "slow"]).unwrap();
    call(&mut reader, &["GET", "large"]).unwrap();
    eventually("the reply is unread", || field(&mut witness, "slow", "omem") > Some(1_000_000));
    // What comes behind it is neither executed nor taken in without end.
    let mut sender = reader.try_clone().unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let flood = thread::spawn(move || {
        let requests = request(&["INCR", "executed"]).repeat(1000);
        while sender.write_all(&requests).is_ok() {
            counted.fetch_add(requests.len(), Ordering::Relaxed);
        }
    });
    eventually("a part has been sent", || sent.load(Ordering::Relaxed) > 1 << 18);
    for _ in 0..20 {
        assert!(field(&mut witness, "slow", "qbuf") < Some(1 << 19));
        assert_eq!(witness.call(&["EXISTS", "executed"]).integer(), 0);
    }
    assert_eq!(witness.call(&["CONFIG", "SET", "maxmemory-clients", "1mb"]).text(), "OK");
    assert_eq!(witness.info("evicted_clients"), 1);
    flood.join().unwrap();
    assert!(sent.load(Ordering::Relaxed) < 100 << 20, "the kernel holds less, and the server takes no more");
    assert_eq!(witness.call(&["EXISTS", "executed"]).integer(), 0);
    server.end();
}

#[test]
fn transactions_subscriptions_and_messages_count() {
    let server = Server::start(&["--maxmemory-clients", "300kb", "--maxmemory", "0"]);
    let mut witness = named(&server, "witness");
    let text = "x".repeat(50_000);
    let mut queueing = server.client();
    queueing.call(&["MULTI"]);
    assert!((0..20).any(|_| queueing.try_call(&request(&["SET", "key", &text])).is_err()));
    let mut watching = server.client();
    let mut numbers = 0..;
    assert!((&mut numbers).take(10_000).any(|number| {
        watching.try_call(&request(&["WATCH", &format!("key-of-no-interest-{number}")])).is_err()
    }));
    let mut subscriber = server.client();
    assert!((&mut numbers).take(10_000).any(|number| {
        subscriber.try_call(&request(&["SUBSCRIBE", &format!("channel-{number}")])).is_err()
    }));
    let mut tracking = server.client();
    assert!((&mut numbers).take(10_000).any(|number| {
        let words = ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", &format!("prefix-{number:08}")];
        tracking.try_call(&request(&words)).is_err()
    }));
    assert_eq!(witness.info("evicted_clients"), 4);
    // Messages that nobody reads.
    let mut deaf = named(&server, "deaf");
    deaf.call(&["SUBSCRIBE", "news"]);
    eventually("the deaf one has gone", || {
        witness.call(&["PUBLISH", "news", &text]);
        witness.info("evicted_clients") == 5
    });
    assert_eq!(witness.call(&["PING"]).text(), "PONG");
    server.end();
}

#[test]
fn no_key_goes_for_what_clients_take() {
    let server = Server::start(&["--maxmemory", "24mb", "--maxmemory-policy", "allkeys-lru"]);
    let mut witness = named(&server, "witness");
    witness.call(&["SET", "key", "value"]);
    let hoarder = hoard(&server, "hoarder", 30_000_000);
    // One that is spared takes no more of the room of keys.
    let mut spared = named(&server, "spared");
    assert_eq!(spared.call(&["CLIENT", "NO-EVICT", "on"]).text(), "OK");
    spared.send(b"*2\r\n$4\r\nECHO\r\n$30000001\r\n").unwrap();
    spared.send(&vec![b'x'; 30_000_000]).unwrap();
    eventually("all of it has come", || {
        ["hoarder", "spared"].iter().all(|name| field(&mut witness, name, "qbuf") > Some(30_000_000))
    });
    assert!(witness.info("used_memory") > 60_000_000);
    assert!(witness.info("mem_not_counted_for_evict") > 60_000_000);
    assert_eq!(witness.call(&["SET", "another", "value"]).text(), "OK");
    assert_eq!(witness.call(&["GET", "key"]).text(), "value");
    assert_eq!(witness.info("evicted_keys"), 0);
    drop((hoarder, spared));
    eventually("it is given back", || witness.info("mem_not_counted_for_evict") < 30_000_000);
    server.end();
}
