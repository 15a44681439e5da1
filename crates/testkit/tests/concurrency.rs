//! Clients of several workers that push, wait for elements, pop, and transfer sums in transactions, all over few keys: whatever the order,
//! every element is popped exactly once, elements of one producer come in order, and sums are conserved.
//!
//! More of it: `CONCURRENT_REQUESTS=1000000 cargo test --release -p larder-testkit --test concurrency`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use larder_config::Settings;
use larder_engine::{Served, Worker};
use larder_resp::Protocol;
use larder_testkit::{Chance, Client, Node, Value, number};

const WORKERS: usize = 3;
const CLIENTS_EACH: usize = 6;
/// Elements go between these in any direction.
const LISTS: [&str; 3] = ["a", "b", "c"];
/// Only pushed at the tail and popped from the head.
const FIFO: &str = "fifo";
const SET: &str = "zset";
const ACCOUNTS: [&str; 3] = ["x", "y", "z"];
const SUM: i64 = 300;

/// What the threads share.
struct Shared {
    node: Node,
    next_element: AtomicU64,
    /// Threads that send no more requests.
    finished: AtomicUsize,
}

/// What a thread has seen.
#[derive(Default)]
struct Seen {
    pushed: Vec<u64>,
    popped: Vec<u64>,
    /// Requests that had to wait and were then given something.
    served: usize,
    /// Transactions that were not executed because of a watched key.
    refused: usize,
    /// Transactions that were.
    executed: usize,
}

/// A client and what it is about.
struct Actor {
    client: Client,
    replies: Vec<u8>,
    /// Requests whose replies are awaited, and whether one of them had to wait.
    awaited: Vec<Vec<String>>,
    waited: bool,
    /// The last element of each producer that it has taken from the queue.
    last_of: BTreeMap<String, u64>,
}

fn encode(requests: &[Vec<String>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for words in requests {
        bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
    }
    bytes
}

fn words(request: &str) -> Vec<String> {
    request.split(' ').map(str::to_owned).collect()
}

impl Actor {
    fn new(node: &Node) -> Actor {
        let client = node.connect(Protocol::Resp2);
        Actor { client, replies: Vec::new(), awaited: Vec::new(), waited: false, last_of: BTreeMap::new() }
    }

    fn id(&self) -> u64 {
        self.client.state().id()
    }

    /// Sends requests, or goes on with those sent; notes the replies once all are there.
    fn go_on(&mut self, worker: &mut Worker, requests: Vec<Vec<String>>, seen: &mut Seen) {
        let bytes = encode(&requests);
        self.awaited.extend(requests);
        let served = self.client.turn(worker, &bytes, &mut self.replies);
        self.waited |= matches!(served, Served::At(_));
        let replies = Value::decode_all(&self.replies).expect("whole replies");
        if replies.len() == self.awaited.len() {
            self.replies.clear();
            let awaited = std::mem::take(&mut self.awaited);
            for (request, reply) in awaited.iter().zip(&replies) {
                self.note(request, reply, seen);
            }
            self.waited = false;
        }
    }

    fn note(&mut self, request: &[String], reply: &Value, seen: &mut Seen) {
        if let Value::Error(line) = reply {
            let line = String::from_utf8_lossy(line);
            assert!(line.starts_with("UNBLOCKED"), "{request:?} was answered {line}");
            return;
        }
        match (request[0].as_str(), reply) {
            ("RPUSH" | "LPUSH", _) => {
                seen.pushed.extend(request[2..].iter().map(|element| identity(element)))
            }
            ("ZADD", _) => seen.pushed.push(identity(&request[3])),
            ("BLPOP" | "BRPOP" | "BZPOPMIN", Value::Array(parts)) => {
                seen.served += usize::from(self.waited);
                self.popped(&text(&parts[0]), &text(&parts[1]), seen);
            }
            ("BLMPOP", Value::Array(parts)) => {
                seen.served += usize::from(self.waited);
                let Value::Array(elements) = &parts[1] else { panic!("{reply:?}") };
                elements.iter().for_each(|element| self.popped(&text(&parts[0]), &text(element), seen));
            }
            ("LPOP" | "RPOP", Value::Bulk(_)) => self.popped(&request[1], &text(reply), seen),
            ("BLMOVE", Value::Bulk(_)) => seen.served += usize::from(self.waited),
            ("MGET", Value::Array(amounts)) => {
                let sum: i64 =
                    amounts.iter().map(|amount| text(amount).parse::<i64>().expect("a number")).sum();
                assert_eq!(sum, SUM, "a transaction was seen half done");
            }
            ("EXEC", Value::NullArray) => seen.refused += 1,
            ("EXEC", Value::Array(replies)) => {
                seen.executed += 1;
                assert!(!replies.iter().any(|reply| matches!(reply, Value::Error(_))), "{replies:?}");
            }
            _ => {}
        }
    }

    fn popped(&mut self, key: &str, element: &str, seen: &mut Seen) {
        seen.popped.push(identity(element));
        if key == FIFO {
            let (producer, _) = element.split_once(':').expect("producer:number");
            let before = self.last_of.insert(producer.to_owned(), identity(element));
            assert!(before < Some(identity(element)), "{element} came after {before:?}");
        }
    }
}

/// The number of an element, which no other has.
fn identity(element: &str) -> u64 {
    element.rsplit(':').next().and_then(|number| number.parse().ok()).expect("an element's number")
}

fn text(value: &Value) -> String {
    let Value::Bulk(bytes) = value else { panic!("{value:?} is no string") };
    String::from_utf8_lossy(bytes).into_owned()
}

/// Requests by chance, sent together.
fn requests(shared: &Shared, actor: &Actor, chance: &mut Chance) -> Vec<Vec<String>> {
    let element = || format!("{}:{}", actor.id(), shared.next_element.fetch_add(1, Ordering::Relaxed));
    let (one, other) = (*chance.pick(&LISTS), *chance.pick(&LISTS));
    let (from, to) = (*chance.pick(&ACCOUNTS), *chance.pick(&ACCOUNTS));
    let timeout = if chance.percent(20) { "0.001" } else { "0" };
    let single = match chance.below(16) {
        0..3 => format!("RPUSH {FIFO} {}", element()),
        3 => format!("LPUSH {one} {} {}", element(), element()),
        4 => format!("RPUSH {one} {}", element()),
        5 => format!("ZADD {SET} {} {}", chance.below(5), element()),
        6..8 => format!("BLPOP {FIFO} {timeout}"),
        8 => format!("BLPOP {one} {other} {timeout}"),
        9 => format!("BRPOP {other} {one} {FIFO}x {timeout}"),
        10 => format!("BLMPOP {timeout} 2 {one} {other} LEFT COUNT 2"),
        11 => format!("BLMOVE {one} {other} LEFT RIGHT {timeout}"),
        12 => format!("BZPOPMIN nosuch {SET} {timeout}"),
        13 => format!("LPOP {one}"),
        14 => format!("LPOP {FIFO}"),
        _ => "MGET x y z".to_owned(),
    };
    match chance.below(10) {
        0..7 => vec![words(&single)],
        7 => ["MULTI", &format!("DECRBY {from} 3"), &format!("INCRBY {to} 3"), "EXEC"].map(words).to_vec(),
        8 => {
            let watch = format!("WATCH {from} {to}");
            [&watch, "MULTI", &format!("INCRBY {from} 5"), &format!("DECRBY {to} 5"), "EXEC"]
                .map(words)
                .to_vec()
        }
        _ => vec![words(&format!("CLIENT UNBLOCK {} ERROR", 1 + chance.below(WORKERS * CLIENTS_EACH)))],
    }
}

fn work(shared: &Shared, index: usize, requests_each: usize) -> Seen {
    let (mut seen, mut chance) = (Seen::default(), Chance::new(index as u64));
    let mut worker = shared.node.worker(index);
    let mut actors: Vec<Actor> = (0..CLIENTS_EACH).map(|_| Actor::new(&shared.node)).collect();
    let mut sent = 0;
    while sent < requests_each {
        for actor in &mut actors {
            let new =
                if actor.awaited.is_empty() { requests(shared, actor, &mut chance) } else { Vec::new() };
            sent += new.len();
            actor.go_on(&mut worker, new, &mut seen);
            sent += usize::from(chance.percent(1));
        }
        if chance.percent(30) {
            shared.node.clock.advance(1);
        }
        // All may be waiting: somebody goes on pushing.
        if actors.iter().all(|actor| !actor.awaited.is_empty()) {
            let mut pusher = Actor::new(&shared.node);
            let element = shared.next_element.fetch_add(1, Ordering::Relaxed);
            let push = words(&format!("RPUSH {} {}:{element}", chance.pick(&LISTS), pusher.id()));
            pusher.go_on(&mut worker, vec![push], &mut seen);
            while !pusher.awaited.is_empty() {
                pusher.go_on(&mut worker, Vec::new(), &mut seen);
            }
        }
    }
    shared.finished.fetch_add(1, Ordering::SeqCst);
    let mut ender = Actor::new(&shared.node);
    while shared.finished.load(Ordering::SeqCst) < WORKERS
        || actors.iter().any(|actor| !actor.awaited.is_empty())
    {
        for actor in actors.iter_mut().filter(|actor| !actor.awaited.is_empty()) {
            let unblock = words(&format!("CLIENT UNBLOCK {}", actor.id()));
            if ender.awaited.is_empty() {
                ender.go_on(&mut worker, vec![unblock], &mut seen);
            } else {
                ender.go_on(&mut worker, Vec::new(), &mut seen);
            }
            actor.go_on(&mut worker, Vec::new(), &mut seen);
        }
        std::thread::yield_now();
    }
    seen
}

/// Everything that is left in a list or sorted set.
fn left(client: &mut Client, worker: &mut Worker, request: &str) -> Vec<u64> {
    let replies = client.request(worker, &words(request)).expect("a reply");
    let [Value::Array(elements)] = &replies[..] else { panic!("{replies:?}") };
    elements.iter().map(|element| identity(&text(element))).collect()
}

#[test]
fn nothing_is_lost_and_nothing_is_given_twice() {
    let requests_each = number("CONCURRENT_REQUESTS", 60_000) as usize / WORKERS;
    let node = Node::new(Settings::default(), WORKERS, 1);
    let mut client = node.connect(Protocol::Resp2);
    let set = client.request(&mut node.worker(0), &words("MSET x 100 y 100 z 100"));
    assert_eq!(set, Ok(vec![Value::Simple(b"OK".to_vec())]));
    let shared = Arc::new(Shared { node, next_element: AtomicU64::new(1), finished: AtomicUsize::new(0) });
    let threads: Vec<_> = (0..WORKERS)
        .map(|index| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || work(&shared, index, requests_each))
        })
        .collect();
    let seen: Vec<Seen> =
        threads.into_iter().map(|thread| thread.join().expect("no assertion failed")).collect();

    let mut worker = shared.node.worker(0);
    let mut popped: Vec<u64> = seen.iter().flat_map(|seen| &seen.popped).copied().collect();
    for list in LISTS.iter().chain([&FIFO]) {
        popped.extend(left(&mut client, &mut worker, &format!("LRANGE {list} 0 -1")));
    }
    popped.extend(left(&mut client, &mut worker, &format!("ZRANGE {SET} 0 -1")));
    let mut pushed: Vec<u64> = seen.iter().flat_map(|seen| &seen.pushed).copied().collect();
    popped.sort_unstable();
    pushed.sort_unstable();
    assert_eq!(popped, pushed, "what was pushed is popped once or still there");
    let sum = |count: fn(&Seen) -> usize| seen.iter().map(count).sum::<usize>();
    let (served, executed) = (sum(|seen| seen.served), sum(|seen| seen.executed));
    assert!(served > 100 && executed > 100, "{served} served, {executed} executed: nothing was tried");
    println!(
        "{} elements, {served} served, {executed} executed, {} refused",
        pushed.len(),
        sum(|seen| seen.refused)
    );
    let replies = client.request(&mut worker, &words("INFO clients")).expect("a reply");
    let [Value::Bulk(info)] = &replies[..] else { panic!("{replies:?}") };
    let info = String::from_utf8_lossy(info);
    for none in ["total_blocking_keys:0", "watching_clients:0", "blocked_clients:0"] {
        assert!(info.contains(none), "{info}");
    }
}
