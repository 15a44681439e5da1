//! The ways to end, and the sockets other than TCP over IPv4.

use std::fs;
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::client::{Client, Reply, request};
use crate::server::{Directory, Server, free_port};

#[test]
fn signals_end_it_and_remove_the_socket_file() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = Directory::new();
        let socket = directory.file("socket");
        let mut server = Server::start(&["--unixsocket", &socket, "--unixsocketperm", "700"]);
        assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o700);
        let mut client = Client::unix(&socket);
        assert_eq!(client.call(&["SET", "k", "v"]).text(), "OK");
        assert_eq!(server.client().call(&["GET", "k"]).text(), "v");
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
        assert!(fs::metadata(&socket).is_err(), "the socket file is left behind");
        assert_eq!(client.rest(), "");
    }
}

#[test]
fn a_socket_file_left_behind_is_replaced_and_another_file_is_not() {
    let directory = Directory::new();
    let socket = directory.file("socket");
    drop(UnixListener::bind(&socket).unwrap());
    let server = Server::start(&["--unixsocket", &socket]);
    assert_eq!(Client::unix(&socket).call(&["PING"]).text(), "PONG");
    server.end();

    fs::write(&socket, "precious").unwrap();
    let port = free_port().to_string();
    let arguments = ["--port", &port, "--memcached-port", "0", "--unixsocket", &socket];
    let status = crate::server::wait(&mut crate::server::command(&directory, &arguments).spawn().unwrap());
    assert_eq!(status.code(), Some(1));
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
}

#[test]
fn ipv6_is_served() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        // Not every machine has it.
        return;
    }
    let server = Server::start(&["--bind", "127.0.0.1", "::1", "-192.0.2.1"]);
    for address in [(Ipv6Addr::LOCALHOST, server.port).into(), server.address()] {
        let mut client = Client::tcp(address);
        assert_eq!(client.call(&["PING"]).text(), "PONG");
        let info = client.call(&["CLIENT", "INFO"]);
        assert!(info.text().contains(&format!("laddr={address}")), "{info:?}");
    }
    let mut memcached = Client::tcp((Ipv6Addr::LOCALHOST, server.memcached_port).into());
    memcached.send(b"mn\r\n").unwrap();
    assert_eq!(memcached.line().unwrap(), "MN");
    server.end();
}

/// Clients write without a pause until the server is gone.
fn ends_under_load(end: impl Fn(&Server)) {
    let mut server = Server::start(&[]);
    let clients: Vec<_> = (0..4).map(|_| (server.client(), server.memcached())).collect();
    let busy = AtomicBool::new(false);
    let mut status = None;
    thread::scope(|scope| {
        for (number, (mut client, mut memcached)) in clients.into_iter().enumerate() {
            let busy = &busy;
            scope.spawn(move || {
                let pipeline = request(&["INCRBY", &format!("counter:{number}"), "3"]).repeat(50);
                while client.send(&pipeline).is_ok() && (0..50).all(|_| client.reply().is_ok()) {
                    busy.store(true, Ordering::Relaxed);
                }
            });
            scope.spawn(move || {
                while memcached.send(&b"set k 0 0 3\r\nabc\r\n".repeat(50)).is_ok()
                    && (0..50).all(|_| memcached.line().is_ok())
                {}
            });
        }
        crate::server::eventually("load", || busy.load(Ordering::Relaxed));
        end(&server);
        // Kills it in the end, so that the clients end in any case.
        status = server.wait_or_kill();
    });
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", server.log());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn sigterm_ends_it_under_load() {
    ends_under_load(|server| server.signal(Signal::TERM));
}

#[test]
fn shutdown_ends_it_under_load() {
    ends_under_load(|server| {
        let mut client = server.client();
        client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    });
}

#[test]
fn shutdown_on_memcached_needs_permission() {
    let server = Server::start(&[]);
    let mut client = server.memcached();
    client.send(b"shutdown\r\n").unwrap();
    assert!(client.line().unwrap().ends_with("shutdown not enabled"));
    server.end();
}

#[test]
fn a_client_that_quits_gets_its_replies_first() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.send(b"SET k v\r\nGET k\r\nQUIT\r\n").unwrap();
    assert_eq!(client.reply().unwrap(), Reply::Status("OK".to_owned()));
    assert_eq!(client.reply().unwrap(), Reply::Bulk("v".to_owned()));
    assert_eq!(client.rest(), "+OK\r\n");
    server.end();
}
