//! A memcached connection of a node in process.

use std::io::IoSlice;
use std::sync::Arc;

use larder_commands::memcache;
use larder_engine::{NoLink, Served, SharedClient, Worker};
use larder_resp::Output;
use larder_testkit::Node;

/// Fed with bytes, as a driver would.
pub(crate) struct Connection {
    machine: memcache::Connection,
    /// What it has not consumed.
    input: Vec<u8>,
    closed: bool,
}

impl Connection {
    pub(crate) fn new(node: &Node) -> Connection {
        Connection::to(node, "127.0.0.1:11211")
    }

    /// One that has reached the node at this address.
    pub(crate) fn to(node: &Node, local: &str) -> Connection {
        let id = node.engine.next_client_id();
        let (address, local) = ("127.0.0.1:50000".to_owned(), local.to_owned());
        let (now, limits) = (node.clock.now(), Arc::clone(&node.engine.output_limits));
        let shared = SharedClient::new(id, address, local, now, limits, Box::new(NoLink));
        let machine = memcache::Connection::new(Arc::new(shared), &node.engine);
        Connection { machine, input: Vec::new(), closed: false }
    }

    /// Feeds bytes and returns the replies, once there is nothing left to do.
    pub(crate) fn send(&mut self, worker: &mut Worker, bytes: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(bytes);
        let mut replies = Vec::new();
        while !self.closed {
            let (answer, served) = self.turn(worker);
            replies.extend(answer);
            if let Served::NeedInput(needed) = served {
                assert!(needed > 0, "a connection that wants nothing is never called again");
                break;
            }
        }
        replies
    }

    /// Feeds bytes and serves one turn.
    pub(crate) fn send_for_one_turn(&mut self, worker: &mut Worker, bytes: &[u8]) -> (Vec<u8>, Served) {
        self.input.extend_from_slice(bytes);
        self.turn(worker)
    }

    fn turn(&mut self, worker: &mut Worker) -> (Vec<u8>, Served) {
        let mut output = Output::default();
        self.machine.look_ahead(worker, &self.input);
        worker.prefetch();
        let (consumed, served) = self.machine.serve(worker, &mut self.input, &mut output);
        self.input.drain(..consumed);
        self.closed = served == Served::Close;
        (drained(&mut output), served)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Bytes that wait for the rest of their request, or for their turn.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.input
    }
}

fn drained(output: &mut Output) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !output.is_empty() {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = output.fill_slices(&mut slices);
        let before = bytes.len();
        slices[..filled].iter().for_each(|slice| bytes.extend_from_slice(slice));
        output.consume(bytes.len() - before);
    }
    bytes
}
