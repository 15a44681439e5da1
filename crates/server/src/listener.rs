//! Listening sockets: binds them, accepts connections and deals them to the workers in turn.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_commands::memcache;
use larder_config::Settings;
use larder_engine::Node;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc::UnboundedSender;

use crate::stream::Accepted;
use crate::worker::{NewConnection, WireProtocol};

/// How long nothing is accepted after the system refused (too many open files).
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// What a client from elsewhere reads while protected-mode keeps it out.
const PROTECTED: &str = "DENIED Larder runs in protected mode and no password is set, so it serves only clients on its own machine. \
    Set a password (requirepass), or switch the protection off on that machine with CONFIG SET protected-mode no if no \
    stranger can reach this port.";

/// A bound socket and what is spoken on it.
#[derive(Debug)]
pub(crate) enum Listener {
    /// An address and port.
    Tcp(TcpListener, WireProtocol),
    /// A socket file.
    Unix(UnixListener, String),
}

/// Binds everything that the settings ask for.
pub(crate) fn bind(settings: &Settings) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    let wanted = [(settings.port, WireProtocol::Resp), (settings.memcached_port, WireProtocol::Memcached)];
    for (port, protocol) in wanted {
        if port == 0 {
            continue;
        }
        for address in &settings.bind {
            // As in Redis: a leading `-` means that the address may be missing on this machine.
            let (address, optional) = match address.strip_prefix('-') {
                Some(address) => (address, true),
                None => (address.as_str(), false),
            };
            match bind_tcp(address, port, settings.tcp_backlog) {
                Ok(listener) => listeners.push(Listener::Tcp(listener, protocol)),
                Err(error) if optional => tracing::warn!("Could not bind {address}:{port}: {error}"),
                Err(error) => {
                    let text =
                        format!("Could not create server TCP listening socket {address}:{port}: {error}");
                    return Err(io::Error::new(error.kind(), text));
                }
            }
        }
    }
    if !settings.unixsocket.is_empty() {
        listeners.push(bind_unix(&settings.unixsocket, settings.unixsocketperm)?);
    }
    Ok(listeners)
}

fn bind_tcp(address: &str, port: u16, backlog: u32) -> io::Result<TcpListener> {
    let ip: IpAddr = match address {
        "*" => IpAddr::from([0, 0, 0, 0]),
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        "::*" => IpAddr::from([0_u16; 8]),
        address => address.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?,
    };
    let socket = Socket::new(Domain::for_address((ip, port).into()), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SocketAddr::from((ip, port)).into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn bind_unix(path: &str, mode: u32) -> io::Result<Listener> {
    use std::os::unix::fs::PermissionsExt as _;
    // A file left by a server that was killed; anything else at this path makes bind fail.
    match std::fs::symlink_metadata(path) {
        Ok(found) if std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            std::fs::remove_file(path)?
        }
        _ => {}
    }
    let listener = UnixListener::bind(path)
        .map_err(|error| io::Error::new(error.kind(), format!("Opening Unix socket {path}: {error}")))?;
    if mode != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(Listener::Unix(listener, path.to_owned()))
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
                Listener::Tcp(listener, protocol) => accept_tcp(listener, *protocol, &self.seat).await,
                Listener::Unix(listener, path) => accept_unix(listener, path, &self.seat).await,
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

async fn accept_unix(listener: &UnixListener, path: &str, seat: &Seat) -> io::Result<NewConnection> {
    let (stream, _) = listener.accept().await?;
    Ok(NewConnection {
        socket: Accepted::Unix(stream.into_std()?),
        address: format!("{path}:0"),
        local_address: format!("{path}:0"),
        protocol: WireProtocol::Resp,
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
