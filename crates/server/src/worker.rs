//! A worker: a thread with an event loop of its own that serves the connections dealt to it and expires its part of the keys.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use larder_commands::memcache;
use larder_config::Settings;
use larder_engine::{Client, Connection, ExpireTurn, Link, Node, Served, SharedClient, Worker, WorkerStats};
use larder_resp::Output;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

use crate::driver::ring::Ring;
use crate::driver::{Conversation, epoll, uring};
use crate::listener::Seat;
use crate::stream::Accepted;

/// How often a worker looks for keys whose time has come: well within the 100 ms in which they are to go.
const EXPIRE_TICK: Duration = Duration::from_millis(20);

/// What the thread of a worker is called, with its number behind.
pub(crate) const THREAD_NAME: &str = "worker-";

/// A connection on its way to its worker.
#[derive(Debug)]
pub(crate) struct NewConnection {
    pub(crate) socket: Accepted,
    pub(crate) address: String,
    pub(crate) local_address: String,
    pub(crate) protocol: WireProtocol,
    pub(crate) seat: Seat,
}

/// A new connection without its socket.
#[derive(Debug)]
pub(crate) struct Arrival {
    address: String,
    local_address: String,
    protocol: WireProtocol,
    seat: Seat,
}

impl NewConnection {
    /// The socket, and the rest.
    pub(crate) fn split(self) -> (Accepted, Arrival) {
        let NewConnection { socket, address, local_address, protocol, seat } = self;
        (socket, Arrival { address, local_address, protocol, seat })
    }
}

/// What is spoken on a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireProtocol {
    /// RESP2 and RESP3.
    Resp,
    /// memcached's protocols.
    Memcached,
}

/// What everything on one worker's thread shares.
pub(crate) struct Local {
    pub(crate) worker: RefCell<Worker>,
    pub(crate) node: Arc<Node>,
    index: usize,
}

impl Local {
    pub(crate) fn stats(&self) -> &WorkerStats {
        &self.node.stats[self.index]
    }

    /// Enters a new client into the registry, for as long as what is returned beside its conversation lives.
    pub(crate) fn register(
        self: &Rc<Self>,
        arrival: Arrival,
        descriptor: i32,
        link: Box<dyn Link>,
    ) -> (Box<dyn Conversation>, Registered) {
        let node = &self.node;
        let id = node.next_client_id();
        let now = node.host.time().now;
        let limits = Arc::clone(&node.output_limits);
        let mut shared = SharedClient::new(id, arrival.address, arrival.local_address, now, limits, link);
        shared.descriptor = descriptor;
        let shared = node.add_client(shared, self.index);
        self.stats().connections.add(1);
        let conversation: Box<dyn Conversation> = match arrival.protocol {
            WireProtocol::Resp => {
                Box::new(Connection::new(Client::new(shared, node.settings().requirepass.is_empty())))
            }
            WireProtocol::Memcached => {
                self.stats().memcache.connections_opened.add(1);
                Box::new(memcache::Connection::new(shared, node))
            }
        };
        let registered =
            Registered { local: Rc::clone(self), id, protocol: arrival.protocol, _seat: arrival.seat };
        (conversation, registered)
    }
}

/// How many workers the settings ask for.
pub(crate) fn count(settings: &Settings) -> usize {
    match settings.worker_threads as usize {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

/// Starts the thread of a worker, which drives its connections on the ring if it is given one. It ends when the sender is dropped.
pub(crate) fn start(
    node: Arc<Node>,
    index: usize,
    seed: u64,
    ring: Option<Ring>,
) -> std::io::Result<(mpsc::UnboundedSender<NewConnection>, thread::JoinHandle<()>)> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let thread = thread::Builder::new().name(format!("{THREAD_NAME}{index}")).spawn(move || {
        let worker = RefCell::new(Worker::new(Arc::clone(&node), index, seed));
        let local = Rc::new(Local { worker, node, index });
        LocalSet::new().block_on(&runtime, run(local, receiver, ring));
    })?;
    Ok((sender, thread))
}

async fn run(local: Rc<Local>, connections: mpsc::UnboundedReceiver<NewConnection>, ring: Option<Ring>) {
    spawn_local(expire(Rc::clone(&local)));
    match ring {
        Some(ring) => uring::run(local, ring, connections).await,
        None => epoll::run(local, connections).await,
    }
}

/// Removes keys whose time has come, a bounded number per turn, in the stripes that are this worker's to look after.
async fn expire(local: Rc<Local>) {
    let mut turn = ExpireTurn::default();
    loop {
        let more = turn.run(&mut local.worker.borrow_mut());
        if more {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(EXPIRE_TICK).await;
        }
    }
}

/// A client's entry in the registry: gone when this is.
pub(crate) struct Registered {
    local: Rc<Local>,
    pub(crate) id: u64,
    protocol: WireProtocol,
    _seat: Seat,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let client = self.local.node.remove_client(self.id);
        if self.protocol == WireProtocol::Memcached {
            if let Some(client) = client {
                memcache::left(&self.local.node, &client);
            }
            self.local.stats().memcache.connections_closed.add(1);
        }
    }
}

impl Conversation for Connection {
    fn look_ahead(&self, worker: &mut Worker, input: &mut [u8]) {
        Connection::look_ahead(self, worker, input);
    }

    fn serve(&mut self, worker: &mut Worker, input: &mut [u8], output: &mut Output) -> (usize, Served) {
        Connection::serve(self, worker, input, output)
    }

    fn shared(&self) -> &SharedClient {
        &self.client.shared
    }
}

impl Conversation for memcache::Connection {
    fn look_ahead(&self, worker: &mut Worker, input: &mut [u8]) {
        memcache::Connection::look_ahead(self, worker, input);
    }

    fn serve(&mut self, worker: &mut Worker, input: &mut [u8], output: &mut Output) -> (usize, Served) {
        memcache::Connection::serve(self, worker, input, output)
    }

    fn shared(&self) -> &SharedClient {
        memcache::Connection::shared(self)
    }
}
