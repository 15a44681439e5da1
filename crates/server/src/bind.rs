//! Binding: sockets at the addresses, ports and files that the settings name.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use larder_config::Settings;
use nix::unistd::Group;
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use crate::listener::Listener;
use crate::worker::WireProtocol;

/// Where TCP connections are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    ports: [(u16, WireProtocol); 2],
    pub(crate) hosts: Vec<String>,
    pub(crate) backlog: u32,
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

    /// Each port at each address; a port 0 is none.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let ports = self.ports.iter().filter(|(port, _)| *port != 0);
        ports
            .flat_map(|&(port, protocol)| {
                let address = move |host: &String| Address::new(host, port);
                self.hosts.iter().map(address).map(move |address| Endpoint { address, protocol })
            })
            .collect()
    }
}

/// A port at an address, and what is spoken there.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    address: Address,
    pub(crate) protocol: WireProtocol,
}

impl Endpoint {
    /// Whether a socket for the one serves for the other.
    pub(crate) fn is_as_good_as(&self, other: &Endpoint) -> bool {
        self.address.host == other.address.host && self.has_port_of(other) && self.protocol == other.protocol
    }

    /// Whether a socket for the one may be in the way of one for the other.
    pub(crate) fn has_port_of(&self, other: &Endpoint) -> bool {
        self.address.port == other.address.port
    }
}

/// An address and a port.
#[derive(Clone, Debug)]
struct Address {
    host: String,
    port: u16,
    /// As in Redis, a `-` before the host says so.
    may_be_missing: bool,
}

impl Address {
    /// A host as a directive has it.
    fn new(host: &str, port: u16) -> Address {
        let bare = host.strip_prefix('-');
        Address { host: bare.unwrap_or(host).to_owned(), port, may_be_missing: bare.is_some() }
    }

    /// Whether it is done without after this error, as in Redis: the machine does not have it and need not, or does not speak its
    /// protocol, which for IPv6 is nothing unusual.
    fn is_dispensable(&self, error: &io::Error) -> bool {
        match Errno::from_io_error(error) {
            Some(Errno::ADDRNOTAVAIL) => self.may_be_missing,
            Some(
                Errno::NOPROTOOPT
                | Errno::PROTONOSUPPORT
                | Errno::SOCKTNOSUPPORT
                | Errno::PFNOSUPPORT
                | Errno::AFNOSUPPORT,
            ) => true,
            _ => false,
        }
    }

    /// The first address of the host: of IPv6 if there is a colon in it, as in Redis. Asks whoever knows names, which may take long.
    fn resolve(&self) -> io::Result<SocketAddr> {
        match self.host.as_str() {
            "*" => Ok((Ipv4Addr::UNSPECIFIED, self.port).into()),
            "::*" => Ok((Ipv6Addr::UNSPECIFIED, self.port).into()),
            host => {
                let wanted = |address: &SocketAddr| address.is_ipv6() == host.contains(':');
                let none = || io::Error::new(io::ErrorKind::NotFound, "no address is known for this name");
                (host, self.port).to_socket_addrs()?.find(wanted).ok_or_else(none)
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Binds all of these, but for those that are done without.
pub(crate) fn tcp(endpoints: &[Endpoint], backlog: u32) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for endpoint in endpoints {
        let socket = bind("server TCP", &endpoint.address, backlog).map_err(|error| {
            let port = endpoint.address.port;
            io::Error::new(error.kind(), format!("{error}. Failed listening on port {port} (tcp)."))
        })?;
        if let Some(socket) = socket {
            listeners.push(Listener::Tcp(TcpListener::from_std(socket)?, endpoint.clone()));
        }
    }
    Ok(listeners)
}

/// Binds what HTTP is to be answered on.
pub(crate) fn http(settings: &Settings) -> io::Result<Vec<std::net::TcpListener>> {
    let hosts = settings.http_bind.iter().filter(|_| settings.http_port != 0);
    let addresses = hosts.map(|host| Address::new(host, settings.http_port));
    addresses.filter_map(|address| bind("HTTP", &address, settings.tcp_backlog).transpose()).collect()
}

/// Binds an address for what is called so. None where it is done without.
fn bind(name: &str, address: &Address, backlog: u32) -> io::Result<Option<std::net::TcpListener>> {
    let error = match listen(address, backlog) {
        Ok(socket) => return Ok(Some(socket)),
        Err(error) => error,
    };
    let text = format!("Could not create {name} listening socket {address}: {error}");
    if address.is_dispensable(&error) {
        tracing::warn!("Warning: {text}");
        return Ok(None);
    }
    Err(io::Error::new(error.kind(), text))
}

fn listen(address: &Address, backlog: u32) -> io::Result<std::net::TcpListener> {
    let address = address.resolve()?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Binds the socket files that the settings ask for.
pub(crate) fn unix(settings: &Settings) -> io::Result<Vec<Listener>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_may_do_without_is_passed_over() {
        let (optional, needed) = (Address::new("-::*", 1), Address::new("::*", 1));
        let dispensable = |address: &Address, errno: Errno| address.is_dispensable(&errno.into());
        assert!(dispensable(&optional, Errno::ADDRNOTAVAIL) && !dispensable(&needed, Errno::ADDRNOTAVAIL));
        assert!(dispensable(&optional, Errno::AFNOSUPPORT) && dispensable(&needed, Errno::AFNOSUPPORT));
        assert!(!dispensable(&optional, Errno::ADDRINUSE) && !dispensable(&optional, Errno::ACCESS));
    }

    #[test]
    fn hosts_have_addresses() {
        for (host, address) in [
            ("*", "0.0.0.0:7"),
            ("-::*", "[::]:7"),
            ("127.0.0.1", "127.0.0.1:7"),
            ("-::1", "[::1]:7"),
            ("localhost", "127.0.0.1:7"),
        ] {
            assert_eq!(
                Address::new(host, 7).resolve().map(|found| found.to_string()).ok().as_deref(),
                Some(address)
            );
        }
        assert!(Address::new("no\0host", 7).resolve().is_err());
    }
}
