//! A worker: a thread with an event loop of its own that serves the connections dealt to it and expires its part of the keys.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use larder_commands::memcache;
use larder_engine::{Client, Connection, ExpireTurn, Link, Node, Served, SharedClient, Worker, WorkerStats};
use larder_resp::Output;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, LocalSet, spawn_local};

use crate::driver::{Conversation, Driver};
use crate::listener::Seat;
use crate::stream::Accepted;
use crate::wave::Wave;

/// How often a worker looks for keys whose time has come: well within the 100 ms in which they are to go.
const EXPIRE_TICK: Duration = Duration::from_millis(20);

/// A connection on its way to its worker.
#[derive(Debug)]
pub(crate) struct NewConnection {
    pub(crate) socket: Accepted,
    pub(crate) address: String,
    pub(crate) local_address: String,
    pub(crate) protocol: WireProtocol,
    pub(crate) seat: Seat,
}

/// What is spoken on a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireProtocol {
    /// RESP2 and RESP3.
    Resp,
    /// memcached's text protocol, meta commands included.
    Memcached,
}

/// What the connections of one worker share; only its thread touches it.
pub(crate) struct Local {
    pub(crate) worker: RefCell<Worker>,
    pub(crate) wave: Wave,
    pub(crate) output: RefCell<Output>,
    node: Arc<Node>,
    index: usize,
}

impl Local {
    pub(crate) fn stats(&self) -> &WorkerStats {
        &self.node.stats[self.index]
    }
}

/// Starts the thread of a worker. It ends when the sender is dropped.
pub(crate) fn start(
    node: Arc<Node>,
    index: usize,
    seed: u64,
) -> std::io::Result<(mpsc::UnboundedSender<NewConnection>, thread::JoinHandle<()>)> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        let local = Rc::new(Local {
            worker: RefCell::new(Worker::new(Arc::clone(&node), index, seed)),
            wave: Wave::default(),
            output: RefCell::new(Output::default()),
            node,
            index,
        });
        LocalSet::new().block_on(&runtime, run(local, receiver));
    })?;
    Ok((sender, thread))
}

async fn run(local: Rc<Local>, mut connections: mpsc::UnboundedReceiver<NewConnection>) {
    spawn_local(expire(Rc::clone(&local)));
    let serving = Rc::clone(&local);
    spawn_local(async move { serving.wave.serve(&serving).await });
    while let Some(connection) = connections.recv().await {
        adopt(&local, connection);
    }
}

/// Takes over a connection; one that fails at once is dropped, which closes it.
fn adopt(local: &Rc<Local>, connection: NewConnection) {
    let Ok(stream) = connection.socket.register() else { return };
    let node = &local.node;
    let abort = Arc::new(OnceLock::new());
    let link = Box::new(TaskLink { abort: Arc::clone(&abort) });
    let id = node.next_client_id();
    let now = node.host.time().now;
    let mut shared = SharedClient::new(id, connection.address, connection.local_address, now, link);
    shared.descriptor = stream.descriptor();
    let shared = Arc::new(shared);
    node.clients.insert(id, Arc::clone(&shared));
    local.stats().connections.add(1);
    let registered =
        Registered { local: Rc::clone(local), id, protocol: connection.protocol, _seat: connection.seat };
    let local = Rc::clone(local);
    let task = match connection.protocol {
        WireProtocol::Resp => {
            let client = Client::new(shared, node.settings().requirepass.is_empty());
            spawn_local(drive(local, registered, Driver::new(stream, Connection::new(client))))
        }
        WireProtocol::Memcached => {
            local.stats().memcache.connections_opened.add(1);
            let connection = memcache::Connection::new(shared, node);
            spawn_local(drive(local, registered, Driver::new(stream, connection)))
        }
    };
    // Nobody else sets it.
    let _ = abort.set(task.abort_handle());
}

async fn drive<C: Conversation + 'static>(local: Rc<Local>, registered: Registered, driver: Rc<Driver<C>>) {
    driver.run(&local).await;
    drop(registered);
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

/// Ends a connection by ending its task.
struct TaskLink {
    abort: Arc<OnceLock<AbortHandle>>,
}

impl Link for TaskLink {
    fn disconnect(&self) {
        if let Some(abort) = self.abort.get() {
            abort.abort();
        }
    }
}

/// A client's entry in the registry: gone when its task is.
struct Registered {
    local: Rc<Local>,
    id: u64,
    protocol: WireProtocol,
    _seat: Seat,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.local.node.clients.remove(&self.id);
        if self.protocol == WireProtocol::Memcached {
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
