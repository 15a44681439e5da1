//! Listening sockets: accepts connections and deals them to the workers in turn.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_commands::memcache;
use larder_config::Settings;
use larder_engine::Node;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc::UnboundedSender;

use crate::bind::Endpoint;
use crate::stream::Accepted;
use crate::worker::{NewConnection, WireProtocol};

/// How long nothing is accepted after the system refused (too many open files).
pub(crate) const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// What a client from elsewhere reads while protected-mode keeps it out.
const PROTECTED: &str = "DENIED Larder runs in protected mode and no password is set, so it serves only clients on its own machine. \
    Set a password (requirepass), or switch the protection off on that machine with CONFIG SET protected-mode no if no \
    stranger can reach this port.";

/// A bound socket and what is spoken on it.
#[derive(Debug)]
pub(crate) enum Listener {
    /// An address and port.
    Tcp(TcpListener, Endpoint),
    /// A socket file.
    Unix(UnixListener, String, WireProtocol),
}

impl Listener {
    /// Where it is, unless it is a file.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Listener::Tcp(_, endpoint) => Some(endpoint),
            Listener::Unix(..) => None,
        }
    }
}

/// Hands accepted connections to the workers, each in turn.
pub(crate) struct Dealer {
    pub(crate) node: Arc<Node>,
    pub(crate) workers: Vec<UnboundedSender<NewConnection>>,
    next: Cell<usize>,
    /// Each connection holds a copy from here to its end. Counting the registered clients would not do: those on their way to a
    /// busy worker are not registered yet, and a rush would exceed `maxclients` by all of them.
    seat: Seat,
}

/// Counts the connections by its copies.
pub(crate) type Seat = Arc<()>;

impl Dealer {
    pub(crate) fn new(node: Arc<Node>, workers: Vec<UnboundedSender<NewConnection>>) -> Dealer {
        Dealer { node, workers, next: Cell::new(0), seat: Seat::default() }
    }

    /// Accepts for as long as the process lives.
    pub(crate) async fn accept(&self, listener: &Listener) {
        loop {
            let accepted = match listener {
                Listener::Tcp(listener, endpoint) => {
                    accept_tcp(listener, endpoint.protocol, &self.seat).await
                }
                Listener::Unix(listener, path, protocol) => {
                    accept_unix(listener, path, *protocol, &self.seat).await
                }
            };
            match accepted {
                Ok(connection) => self.deal(connection),
                Err(error) => {
                    tracing::warn!("Accepting client connection: {error}");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    /// Why a client is not welcome, if it is not: what it is told.
    fn objection(&self, settings: &Settings, connection: &NewConnection) -> Option<String> {
        let resp = connection.protocol == WireProtocol::Resp;
        // Two copies are not seats taken by others: the dealer's and this connection's.
        if Arc::strong_count(&self.seat) - 2 >= settings.maxclients as usize {
            let line = if resp {
                "-ERR max number of clients reached\r\n"
            } else {
                "ERROR Too many open connections\r\n"
            };
            return Some(line.to_owned());
        }
        let asks_for_password = match connection.protocol {
            WireProtocol::Resp => !settings.requirepass.is_empty(),
            WireProtocol::Memcached => memcache::wants_password(settings),
        };
        let open = settings.protected_mode && !asks_for_password;
        if open && !larder_engine::is_local(&connection.address) {
            return Some(format!("{}{PROTECTED}\r\n", if resp { "-" } else { "ERROR " }));
        }
        None
    }

    fn deal(&self, connection: NewConnection) {
        let settings = self.node.settings();
        if let Some(line) = self.objection(&settings, &connection) {
            self.node.rejected_connections.fetch_add(1, Ordering::Relaxed);
            refuse(&connection, line.as_bytes());
            return;
        }
        if let Accepted::Tcp(stream) = &connection.socket {
            tune(stream, &settings);
        }
        let worker = self.next.get();
        self.next.set((worker + 1) % self.workers.len());
        // A worker is gone only when the process ends.
        let _ = self.workers[worker].send(connection);
    }
}

async fn accept_tcp(
    listener: &TcpListener,
    protocol: WireProtocol,
    seat: &Seat,
) -> io::Result<NewConnection> {
    let (stream, peer) = listener.accept().await?;
    let local_address = stream.local_addr().map(|address| address.to_string()).unwrap_or_default();
    Ok(NewConnection {
        socket: Accepted::Tcp(stream.into_std()?),
        address: peer.to_string(),
        local_address,
        protocol,
        seat: Seat::clone(seat),
    })
}

async fn accept_unix(
    listener: &UnixListener,
    path: &str,
    protocol: WireProtocol,
    seat: &Seat,
) -> io::Result<NewConnection> {
    let (stream, _) = listener.accept().await?;
    Ok(NewConnection {
        socket: Accepted::Unix(stream.into_std()?),
        address: format!("{path}:0"),
        local_address: format!("{path}:0"),
        protocol,
        seat: Seat::clone(seat),
    })
}

/// Says why, as far as the socket takes it at once, and closes.
fn refuse(connection: &NewConnection, line: &[u8]) {
    let _ = match &connection.socket {
        Accepted::Tcp(stream) => (&*stream).write(line),
        Accepted::Unix(stream) => (&*stream).write(line),
    };
}

/// Sends small replies at once, and notices peers that are gone. A socket that refuses works without.
fn tune(stream: &std::net::TcpStream, settings: &Settings) {
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_nodelay(true);
    if settings.tcp_keepalive > 0 {
        let interval = Duration::from_secs(u64::from(settings.tcp_keepalive));
        let probe = (interval / 3).max(Duration::from_secs(1));
        let keepalive = TcpKeepalive::new().with_time(interval).with_interval(probe).with_retries(3);
        let _ = socket.set_tcp_keepalive(&keepalive);
    }
}
