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
use nix::unistd::Group;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
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
    Unix(UnixListener, String, WireProtocol),
}

/// Where TCP connections are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    ports: [(u16, WireProtocol); 2],
    pub(crate) hosts: Vec<String>,
    backlog: u32,
}

impl Addresses {
    /// Those that the settings ask for.
    pub(crate) fn of(settings: &Settings) -> Addresses {
        Addresses {
            ports: [(settings.port, WireProtocol::Resp), (settings.memcached_port, WireProtocol::Memcached)],
            hosts: settings.bind.clone(),
            backlog: settings.tcp_backlog,
        }
    }
}

/// Binds all of these; a port 0 is none.
pub(crate) fn bind_tcp(addresses: &Addresses) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for (port, protocol) in addresses.ports.into_iter().filter(|(port, _)| *port != 0) {
        for host in &addresses.hosts {
            let (host, optional) = bare(host);
            match listen(host, port, addresses.backlog).and_then(TcpListener::from_std) {
                Ok(listener) => listeners.push(Listener::Tcp(listener, protocol)),
                Err(error) if optional => tracing::warn!("Could not bind {host}:{port}: {error}"),
                Err(error) => {
                    let text = format!(
                        "Could not create server TCP listening socket {host}:{port}: {error}. Failed listening on port {port} (tcp)."
                    );
                    return Err(io::Error::new(error.kind(), text));
                }
            }
        }
    }
    Ok(listeners)
}

/// Binds what HTTP is to be answered on.
pub(crate) fn bind_http(settings: &Settings) -> io::Result<Vec<std::net::TcpListener>> {
    let (mut sockets, port) = (Vec::new(), settings.http_port);
    for host in settings.http_bind.iter().filter(|_| port != 0) {
        let (host, optional) = bare(host);
        match listen(host, port, settings.tcp_backlog) {
            Ok(socket) => sockets.push(socket),
            Err(error) if optional => tracing::warn!("Could not bind {host}:{port}: {error}"),
            Err(error) => {
                let text = format!("Could not create HTTP listening socket {host}:{port}: {error}");
                return Err(io::Error::new(error.kind(), text));
            }
        }
    }
    Ok(sockets)
}

/// An address without the `-` that, as in Redis, says that it may be missing on this machine; and whether it had one.
fn bare(host: &str) -> (&str, bool) {
    host.strip_prefix('-').map_or((host, false), |host| (host, true))
}

/// Binds the socket files that the settings ask for.
pub(crate) fn bind_unix(settings: &Settings) -> io::Result<Vec<Listener>> {
    let wanted = [
        (
            &settings.unixsocket,
            settings.unixsocketperm,
            settings.unixsocketgroup.as_str(),
            WireProtocol::Resp,
        ),
        (&settings.memcached_unixsocket, settings.memcached_unixsocketperm, "", WireProtocol::Memcached),
    ];
    let wanted = wanted.into_iter().filter(|(path, ..)| !path.is_empty());
    wanted
        .map(|(path, mode, group, protocol)| {
            let listener = listen_on_file(path, mode, group, settings.tcp_backlog).map_err(|error| {
                io::Error::new(error.kind(), format!("Opening Unix socket {path}: {error}"))
            })?;
            Ok(Listener::Unix(listener, path.clone(), protocol))
        })
        .collect()
}

fn listen(address: &str, port: u16, backlog: u32) -> io::Result<std::net::TcpListener> {
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
    Ok(socket.into())
}

fn listen_on_file(path: &str, mode: u32, group: &str, backlog: u32) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt as _;
    // A file left by a server that was killed; anything else at this path makes bind fail.
    match std::fs::symlink_metadata(path) {
        Ok(found) if std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            std::fs::remove_file(path)?
        }
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Nobody can connect before `listen`, so nobody does whom the mode or the group is to keep out.
    if mode != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    if !group.is_empty() {
        std::os::unix::fs::chown(path, None, Some(group_id(group)?))?;
    }
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

/// The number of a group.
fn group_id(name: &str) -> io::Result<u32> {
    let found = Group::from_name(name)?;
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no group '{name}'"));
    found.map(|group| group.gid.as_raw()).ok_or_else(missing)
}

/// Says so when the kernel allows fewer connections to wait than the settings do.
pub(crate) fn check_backlog(settings: &Settings) {
    let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    if let Ok(most) = text.trim().parse::<u32>()
        && most < settings.tcp_backlog
    {
        tracing::warn!(
            "WARNING: The TCP backlog setting of {} cannot be enforced because /proc/sys/net/core/somaxconn is set to the lower \
             value of {most}.",
            settings.tcp_backlog
        );
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
                Listener::Tcp(listener, protocol) => accept_tcp(listener, *protocol, &self.seat).await,
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
