//! A node in process: the real engine and the real commands, without sockets, threads or a clock of its own.

use std::sync::Arc;
#[cfg(not(shuttle))]
use std::thread::yield_now;

use larder_commands::{command_table, memcache};
use larder_config::Settings;
use larder_engine::{Connection, ExpireTurn, Identity, NoLink, Served, SharedClient, Worker};
use larder_resp::{Output, Protocol};
use larder_store::Keyspace;
#[cfg(shuttle)]
use shuttle::thread::yield_now;

use crate::clock::Clock;
use crate::value::{DecodeError, Value};

/// Turns after which a request that asks for one more is taken to go round in circles.
const TURNS_MAX: usize = 1_000_000;
/// For how long a client waits: a year.
const PATIENCE_MILLIS: i64 = 365 * 86_400_000;

/// A node that a test drives: workers are handed out to run where the test likes, in one thread or in several.
pub struct Node {
    /// The engine's state, as a server has it.
    pub engine: Arc<larder_engine::Node>,
    /// What the engine takes for the time.
    pub clock: Arc<Clock>,
    seed: u64,
}

impl Node {
    /// A node with an empty keyspace for so many workers. Equal seeds make everything that is left to chance equal.
    #[must_use]
    pub fn new(settings: Settings, workers: usize, seed: u64) -> Node {
        // Nobody receives the garbage: it is freed where it arises.
        let (keyspace, _) = Keyspace::new(settings.databases as usize, seed);
        let clock = Arc::new(Clock::default());
        let identity = Identity {
            run_id: format!("{seed:040x}"),
            started_at: clock.now(),
            process_id: std::process::id(),
            executable: String::new(),
            config_file: String::new(),
            unsaid: Settings::default(),
            multiplexing_api: "none",
            supervised: "no",
        };
        let host = Box::new(Arc::clone(&clock));
        let engine = larder_engine::Node::new(keyspace, command_table(), settings, identity, workers, host);
        // Nobody writes snapshots, so none can be made.
        drop(engine.snapshots.take_jobs());
        Node { engine: Arc::new(engine), clock, seed }
    }

    /// The worker of a number; there must never be two of the same number.
    #[must_use]
    pub fn worker(&self, index: usize) -> Worker {
        Worker::new(Arc::clone(&self.engine), index, self.seed ^ index as u64)
    }

    /// A new client.
    #[must_use]
    pub fn connect(&self, protocol: Protocol) -> Client {
        let connection = self.connection(protocol);
        Client { feed: Feed::new(self, connection.client.id()), connection }
    }

    /// A new client's bare connection, for whoever wants to hand it its input piece by piece.
    #[must_use]
    pub fn connection(&self, protocol: Protocol) -> Connection {
        let authenticated = self.engine.settings().requirepass.is_empty();
        let mut client = larder_engine::Client::new(self.shared_client(), authenticated);
        client.speak(protocol);
        Connection::new(client)
    }

    /// A new client that speaks the memcached protocol.
    #[must_use]
    pub fn connect_memcached(&self) -> MemcachedClient {
        let shared = self.shared_client();
        let feed = Feed::new(self, shared.id);
        MemcachedClient { feed, connection: memcache::Connection::new(shared, &self.engine) }
    }

    fn shared_client(&self) -> Arc<SharedClient> {
        let id = self.engine.next_client_id();
        let address = format!("127.0.0.1:{}", 50_000 + id % 10_000);
        let now = self.clock.now();
        let local = "127.0.0.1:6379".to_owned();
        let limits = Arc::clone(&self.engine.output_limits);
        let shared = SharedClient::new(id, address, local, now, limits, Box::new(NoLink));
        self.engine.add_client(shared, 0)
    }

    /// Moves the clock on and removes what expires through it.
    ///
    /// # Panics
    /// Expiry does not come to an end.
    pub fn advance(&self, workers: &mut [&mut Worker], millis: i64) {
        self.clock.advance(millis);
        for worker in workers {
            let mut expire = ExpireTurn::default();
            let turns = (0..TURNS_MAX).take_while(|_| expire.run(worker)).count();
            assert!(turns < TURNS_MAX, "expiry does not come to an end");
        }
    }
}

/// A client of a node: its connection, fed with bytes. It may be served by any worker, by one at a time.
pub struct Client {
    feed: Feed,
    connection: Connection,
}

/// As [`Client`], for the memcached protocol.
pub struct MemcachedClient {
    feed: Feed,
    connection: memcache::Connection,
}

/// What a connection has not consumed, and what its client needs of the node.
struct Feed {
    engine: Arc<larder_engine::Node>,
    clock: Arc<Clock>,
    /// The client's id.
    id: u64,
    input: Vec<u8>,
    closed: bool,
}

impl Feed {
    fn new(node: &Node, id: u64) -> Feed {
        let (engine, clock) = (Arc::clone(&node.engine), Arc::clone(&node.clock));
        Feed { engine, clock, id, input: Vec::new(), closed: false }
    }

    /// Has `serve` work on what was not consumed and on these bytes, until it wants more, or waits for what is not to come within a
    /// year.
    fn send(
        &mut self,
        bytes: &[u8],
        mut serve: impl FnMut(&mut [u8], &mut Output) -> (usize, Served),
    ) -> Vec<u8> {
        let mut replies = Vec::new();
        let mut bytes = bytes;
        for _ in 0..TURNS_MAX {
            if self.closed {
                return replies;
            }
            let served = self.turn(bytes, &mut replies, &mut serve);
            bytes = &[];
            match served {
                Served::NeedInput(_) => return replies,
                // Another worker may hold what this one waits for.
                Served::Again => yield_now(),
                Served::At(moment) if moment.0 - self.clock.now().0 > PATIENCE_MILLIS => return replies,
                Served::At(moment) => self.clock.advance_to(moment),
                Served::Close => {}
            }
        }
        panic!("a request does not come to an end");
    }

    /// Has `serve` work once.
    fn turn(
        &mut self,
        bytes: &[u8],
        replies: &mut Vec<u8>,
        mut serve: impl FnMut(&mut [u8], &mut Output) -> (usize, Served),
    ) -> Served {
        self.input.extend_from_slice(bytes);
        let mut output = Output::default();
        let (consumed, served) = serve(&mut self.input, &mut output);
        self.input.drain(..consumed);
        drain(&mut output, replies);
        self.closed |= served == Served::Close;
        served
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.engine.remove_client(self.id);
    }
}

impl MemcachedClient {
    /// Feeds bytes and returns the bytes of all replies.
    ///
    /// # Panics
    /// A request does not come to an end.
    pub fn send(&mut self, worker: &mut Worker, bytes: &[u8]) -> Vec<u8> {
        let connection = &mut self.connection;
        self.feed.send(bytes, |input, output| connection.serve(worker, input, output))
    }
}

impl Client {
    /// Feeds bytes and returns the bytes of all replies. A request that goes on later is driven to its end, moving the clock on
    /// where it waits for a time.
    ///
    /// # Panics
    /// A request does not come to an end.
    pub fn send(&mut self, worker: &mut Worker, bytes: &[u8]) -> Vec<u8> {
        let connection = &mut self.connection;
        self.feed.send(bytes, |input, output| connection.serve(worker, input, output))
    }

    /// Feeds bytes, lets the connection have one turn and adds what it replies; says what it wants next. Between the turns of a
    /// request that goes on later, a test may do as other clients would.
    pub fn turn(&mut self, worker: &mut Worker, bytes: &[u8], replies: &mut Vec<u8>) -> Served {
        let connection = &mut self.connection;
        self.feed.turn(bytes, replies, |input, output| connection.serve(worker, input, output))
    }

    /// Sends a request and returns its replies: usually one.
    ///
    /// # Errors
    /// What came back are no replies.
    pub fn request<W: AsRef<[u8]>>(
        &mut self,
        worker: &mut Worker,
        words: &[W],
    ) -> Result<Vec<Value>, DecodeError> {
        let bytes = self.send(worker, &encode_request(words));
        Value::decode_all(&bytes)
    }

    /// Whether the node has ended the connection.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.feed.closed
    }

    /// What the engine knows of this client.
    #[must_use]
    pub fn state(&self) -> &larder_engine::Client {
        &self.connection.client
    }
}

/// The bytes of a request.
#[must_use]
pub(crate) fn encode_request<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Moves what is to be sent to `bytes`.
fn drain(output: &mut Output, bytes: &mut Vec<u8>) {
    while !output.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let filled = output.fill_slices(&mut slices);
        let before = bytes.len();
        slices[..filled].iter().for_each(|slice| bytes.extend_from_slice(slice));
        let len = bytes.len() - before;
        output.consume(len);
    }
    output.clear();
}
