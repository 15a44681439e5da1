//! Where clients are expected, and how that changes while the server runs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;

use crate::client::Client;
use crate::server::{Directory, Server, command, eventually, free_port, wait};

fn set(client: &mut Client, pairs: &[&str]) -> String {
    client.call(&[&["CONFIG", "SET"], pairs].concat()).text().to_owned()
}

fn get(client: &mut Client, name: &str) -> String {
    format!("{:?}", client.call(&["CONFIG", "GET", name]))
}

#[test]
fn the_port_may_change_and_connections_stay() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let port = free_port();
    let new = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    assert_eq!(set(&mut client, &["port", &port.to_string()]), "OK");
    assert_eq!(client.call(&["PING"]).text(), "PONG");
    assert_eq!(Client::tcp(new).call(&["PING"]).text(), "PONG");
    assert!(TcpStream::connect(server.address()).is_err(), "the old port is still open");
    assert!(get(&mut client, "port").contains(&port.to_string()));
    assert_eq!(client.info("tcp_port"), u64::from(port));

    assert_eq!(set(&mut client, &["port", "0"]), "OK");
    assert!(TcpStream::connect(new).is_err());
    assert_eq!(set(&mut client, &["port", &port.to_string()]), "OK");
    assert_eq!(Client::tcp(new).call(&["PING"]).text(), "PONG");
    let mut memcached = server.memcached();
    memcached.send(b"mn\r\n").unwrap();
    assert_eq!(memcached.line().unwrap(), "MN");
    server.end();
}

#[test]
fn a_port_that_is_taken_changes_nothing() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_eq!(
        set(&mut client, &["timeout", "77", "port", &port]),
        "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
    );
    assert!(server.log().contains("Could not create server TCP listening socket"), "{}", server.log());
    assert!(get(&mut client, "port").contains(&server.port.to_string()));
    assert!(get(&mut client, "timeout").contains("\"0\""));
    assert_eq!(server.client().call(&["PING"]).text(), "PONG", "the old port is open again");
    server.end();
}

#[test]
fn addresses_may_change() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let other = SocketAddr::from(([127, 0, 0, 2], server.port));
    assert!(TcpStream::connect(other).is_err());
    // All addresses, which the present one is in the way of.
    for (bind, reachable) in [("127.0.0.1 127.0.0.2", true), ("127.0.0.1", false), ("* -::*", true)] {
        assert_eq!(set(&mut client, &["bind", bind]), "OK");
        assert_eq!(TcpStream::connect(other).is_ok(), reachable, "{bind}");
        assert_eq!(server.client().call(&["PING"]).text(), "PONG");
        assert!(get(&mut client, "bind").contains(&format!("{bind:?}")));
    }
    assert_eq!(set(&mut client, &["bind", "-192.0.2.1 127.0.0.1"]), "OK");
    assert_eq!(
        set(&mut client, &["bind", "192.0.2.1"]),
        "ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses."
    );
    assert!(get(&mut client, "bind").contains("-192.0.2.1 127.0.0.1"));
    assert_eq!(server.client().call(&["PING"]).text(), "PONG");
    server.end();
}

/// The numbers of the sockets that listen on a port, by which they are known from others that come after them.
fn listening(server: &Server, port: u16) -> Vec<String> {
    let table = fs::read_to_string(format!("/proc/{}/net/tcp", server.pid())).unwrap();
    let (port, listens) = (format!(":{port:04X}"), "0A");
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|line| line[1].ends_with(&port) && line[3] == listens)
        .map(|line| line[9].to_owned())
        .collect()
}

#[test]
fn what_stays_is_not_closed() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let before = listening(&server, server.port);
    assert_eq!(before.len(), 1);
    let (free, taken) = (free_port(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    assert_eq!(set(&mut client, &["memcached-port", &free.to_string()]), "OK");
    assert!(TcpStream::connect(server.memcached_address()).is_err(), "the old port is still open");
    assert_eq!(listening(&server, server.port), before);
    assert_eq!(set(&mut client, &["bind", "127.0.0.1 127.0.0.2"]), "OK");
    let mut after = listening(&server, server.port);
    after.retain(|number| before.contains(number));
    assert_eq!(after, before);
    assert_eq!(set(&mut client, &["bind", "127.0.0.1"]), "OK");
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(set(&mut client, &["port", &port]).starts_with("ERR CONFIG SET failed"));
    assert_eq!(listening(&server, server.port), before, "nothing of ours was in the way");
    server.end();
}

#[test]
fn ports_may_change_places() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let (port, memcached_port) = (server.port.to_string(), server.memcached_port.to_string());
    assert_eq!(set(&mut client, &["port", &memcached_port, "memcached-port", &port]), "OK");
    assert_eq!(Client::tcp(server.memcached_address()).call(&["PING"]).text(), "PONG");
    let mut memcached = Client::tcp(server.address());
    memcached.send(b"mn\r\n").unwrap();
    assert_eq!(memcached.line().unwrap(), "MN");
    server.end();
}

#[test]
fn addresses_may_have_names_and_only_missing_ones_are_done_without() {
    let server = Server::start(&["--bind", "localhost", "-192.0.2.1"]);
    assert_eq!(server.client().call(&["PING"]).text(), "PONG");
    let log = server.log();
    assert!(log.contains("Could not create server TCP listening socket 192.0.2.1:"), "{log}");
    let taken = TcpListener::bind((Ipv4Addr::from([127, 0, 0, 2]), 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut client = server.client();
    assert_eq!(
        set(&mut client, &["bind", "127.0.0.1 -127.0.0.2", "port", &port]),
        "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
    );
    assert_eq!(server.client().call(&["PING"]).text(), "PONG");
    server.end();
}

/// Some address of this machine by which it is no longer `local`, if it has one.
fn outward_address() -> Option<Ipv4Addr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    match socket.local_addr().ok()?.ip() {
        std::net::IpAddr::V4(address) if !address.is_loopback() => Some(address),
        _ => None,
    }
}

#[test]
fn protected_mode_refuses_strangers_until_there_is_a_password() {
    let Some(address) = outward_address() else { return };
    let server = Server::start(&["--bind", "*"]);
    let (stranger, memcached) = ((address, server.port).into(), (address, server.memcached_port).into());
    let refusal = Client::tcp(stranger).rest();
    assert!(refusal.starts_with("-DENIED ") && refusal.ends_with("\r\n"), "{refusal}");
    assert_eq!(refusal.matches('\n').count(), 1, "{refusal}");
    let refusal = Client::tcp(memcached).rest();
    assert!(refusal.starts_with("ERROR DENIED "), "{refusal}");
    let mut client = server.client();
    assert_eq!(client.info("rejected_connections"), 2);
    assert_eq!(set(&mut client, &["requirepass", "sesame"]), "OK");
    assert_eq!(Client::tcp(stranger).call(&["AUTH", "sesame"]).text(), "OK");
    assert_eq!(set(&mut client, &["requirepass", "", "protected-mode", "no"]), "OK");
    assert_eq!(Client::tcp(stranger).call(&["PING"]).text(), "PONG");
    server.end();
}

#[test]
fn a_socket_file_may_belong_to_a_group() {
    let directory = Directory::new();
    let socket = directory.file("socket");
    let refused = [
        "--port",
        "0",
        "--memcached-port",
        "0",
        "--unixsocket",
        &socket,
        "--unixsocketgroup",
        "no-such-group",
    ];
    assert_eq!(wait(&mut command(&directory, &refused).spawn().unwrap()).code(), Some(1));
    let said = fs::read_to_string(directory.file("stdout")).unwrap();
    assert!(said.contains("there is no group 'no-such-group'"), "{said}");
    let own = fs::metadata(directory.path()).unwrap().gid();
    let groups = fs::read_to_string("/etc/group").unwrap();
    let name = groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)? == &own.to_string()).then(|| fields[0].to_owned())
    });
    let Some(name) = name else { return };
    let server =
        Server::start(&["--unixsocket", &socket, "--unixsocketgroup", &name, "--unixsocketperm", "660"]);
    let found = fs::metadata(&socket).unwrap();
    assert_eq!((found.gid(), found.mode() & 0o777), (own, 0o660));
    assert_eq!(Client::unix(&socket).call(&["PING"]).text(), "PONG");
    server.end();
}

/// Whether the kernel has a keepalive timer on the server's end of an established connection.
fn is_kept_alive(server: &Server) -> bool {
    let table = fs::read_to_string(format!("/proc/{}/net/tcp", server.pid())).unwrap();
    let (port, established) = (format!(":{:04X}", server.port), "01");
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = lines.find(|line| line[1].ends_with(&port) && line[3] == established);
    found.expect("a connection")[5].starts_with("02:")
}

#[test]
fn silent_peers_are_asked_whether_they_are_there() {
    for (seconds, asked) in [("300", true), ("0", false)] {
        let server = Server::start(&["--tcp-keepalive", seconds]);
        let mut client = server.client();
        assert_eq!(client.call(&["PING"]).text(), "PONG");
        // Until an answer is acknowledged another timer stands in its place.
        eventually("a quiet connection", || is_kept_alive(&server) == asked);
        server.end();
    }
}

#[test]
fn a_backlog_beyond_the_kernels_is_noticed() {
    let server = Server::start(&["--tcp-backlog", "2000000000"]);
    eventually("a warning", || {
        server.log().contains("WARNING: The TCP backlog setting of 2000000000 cannot be enforced")
    });
    server.end();
}
