//! Histories of a real node: several workers, each on a thread of its own.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use larder_config::Settings;
use larder_engine::Worker;
use larder_resp::Protocol;

use super::{History, Operation, Request};
use crate::chance::Chance;
use crate::node::{Client, Node, encode_request};
use crate::value::Value;

/// Operations of a history, over all clients.
const OPERATIONS_MAX: usize = 200;
/// Clients of a history.
const CLIENTS_MAX: usize = 8;
/// Keys of a history.
const KEYS_MAX: usize = 3;

/// How a client has requests carried out: [`execute_whole`], or a wrong way that the checker is to find out.
pub type Execute = fn(&mut Client, &mut Worker, &[Request], &str) -> Vec<Value>;

/// Makes histories.
#[derive(Clone, Copy, Debug)]
pub struct Recorder<'a> {
    /// The commands that requests are made of.
    pub commands: &'a [&'a str],
    /// How many histories are made.
    pub histories: usize,
    /// What the requests depend on; their order is up to the threads.
    pub seed: u64,
    /// How requests are carried out.
    pub execute: Execute,
}

/// Sends requests together and returns their replies, one for each.
///
/// # Panics
/// What comes back are no replies.
pub fn execute_whole(
    client: &mut Client,
    worker: &mut Worker,
    requests: &[Request],
    prefix: &str,
) -> Vec<Value> {
    let sent: Vec<Vec<Vec<Vec<u8>>>> = requests.iter().map(|request| request.sent(prefix)).collect();
    let bytes: Vec<u8> = sent.iter().flatten().flat_map(|words| encode_request(words)).collect();
    let mut replies =
        Value::decode_all(&client.send(worker, &bytes)).expect("a node answers in RESP").into_iter();
    let lasts = requests.iter().zip(sent).filter_map(|(request, sent)| {
        let reply = replies.nth(sent.len() - 1)?;
        Some(request.normalised(reply, prefix))
    });
    lasts.collect()
}

/// Makes histories and hands each to `take` with its number, until that answers `false`.
///
/// # Panics
/// A worker's thread does.
pub fn record(recorder: Recorder<'_>, mut take: impl FnMut(usize, History<Request>) -> bool) {
    let mut chance = Chance::new(recorder.seed);
    let node = Node::new(Settings::default(), CLIENTS_MAX, recorder.seed);
    for number in 0..recorder.histories {
        let clients = 2 + chance.below(CLIENTS_MAX - 1);
        let keys = 1 + chance.below(KEYS_MAX) as u8;
        let round = Round {
            recorder,
            node: &node,
            prefix: format!("{number}:"),
            keys,
            operations: 1 + chance.below(OPERATIONS_MAX / clients),
            start: Barrier::new(clients),
            moments: AtomicU64::new(0),
        };
        let seeds: Vec<u64> = (0..clients).map(|_| chance.seed()).collect();
        let history = thread::scope(|scope| {
            let round = &round;
            let threads: Vec<_> = seeds
                .into_iter()
                .enumerate()
                .map(|(index, seed)| scope.spawn(move || round.client(index, Chance::new(seed))))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("a worker panicked")).collect()
        });
        if !take(number, history) {
            return;
        }
    }
}

/// What the clients of one history share.
struct Round<'a> {
    recorder: Recorder<'a>,
    node: &'a Node,
    /// Makes the keys of this history its own.
    prefix: String,
    keys: u8,
    /// Operations of each client.
    operations: usize,
    start: Barrier,
    /// Moments so far: one counter orders all calls and returns.
    moments: AtomicU64,
}

impl Round<'_> {
    /// The operations of one client, on a worker of its own.
    fn client(&self, index: usize, mut chance: Chance) -> Vec<Operation<Request>> {
        let mut worker = self.node.worker(index);
        let mut client = self.node.connect(Protocol::Resp2);
        let mut operations = Vec::with_capacity(self.operations);
        self.start.wait();
        while operations.len() < self.operations {
            let left = self.operations - operations.len();
            let pipelined = if chance.percent(70) { 1 } else { 1 + chance.below(left.min(5)) };
            let requests: Vec<Request> = (0..pipelined)
                .map(|_| Request::generate(self.recorder.commands, self.keys, &mut chance))
                .collect();
            let called = self.moments.fetch_add(1, Ordering::SeqCst);
            let replies = (self.recorder.execute)(&mut client, &mut worker, &requests, &self.prefix);
            let returned = self.moments.fetch_add(1, Ordering::SeqCst);
            assert_eq!(replies.len(), requests.len(), "every request has a reply");
            let answered = requests.into_iter().zip(replies);
            operations.extend(answered.map(|(request, reply)| Operation {
                called,
                returned,
                request,
                reply,
            }));
            if chance.percent(20) {
                // There may be fewer cores than clients: let the others in.
                thread::yield_now();
            }
        }
        operations
    }
}
