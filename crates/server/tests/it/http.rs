//! HTTP: what is answered, to whom, and what cannot be done to it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use crate::client::connect;
use crate::server::{Directory, Server, command, eventually, free_port, wait};

/// A server that answers HTTP, and where.
fn start(arguments: &[&str]) -> (Server, SocketAddr) {
    let port = free_port();
    let server = Server::start(&[&["--http-port", &port.to_string()], arguments].concat());
    (server, (Ipv4Addr::LOCALHOST, port).into())
}

/// Sends bytes and reads to the end of the connection.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = connect(address).unwrap();
    socket.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // What came before a reset counts as read.
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status line, and the body.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: larder\r\nConnection: close\r\n\r\n");
    let answer = exchange(address, request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer:?}"));
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// The values of /metrics, by name with labels.
fn metrics(address: SocketAddr) -> BTreeMap<String, f64> {
    let (status, text) = get(address, "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn metrics_say_what_was_done() {
    let (server, http) = start(&["--maxmemory", "100mb"]);
    let (mut client, mut memcached) = (server.client(), server.memcached());
    for words in [&["SET", "k", "v"][..], &["GET", "k"], &["GET", "absent"], &["APPEND", "k"]] {
        client.call(words);
    }
    assert_eq!(client.call(&["SET", "brief", "v", "PX", "1"]).text(), "OK");
    memcached.send(b"set m 0 0 1\r\nx\r\nget m\r\nmn\r\n").unwrap();
    for line in ["STORED", "VALUE m 0 1", "x", "END", "MN"] {
        assert_eq!(memcached.line().unwrap(), line);
    }
    eventually("an expired key", || metrics(http)["larder_expired_keys_total"] == 1.0);
    let found = metrics(http);
    for (name, value) in [
        ("larder_command_calls_total{command=\"set\"}", 2.0),
        ("larder_command_calls_total{command=\"get\"}", 2.0),
        ("larder_command_rejections_total{command=\"append\"}", 1.0),
        ("larder_command_latency_seconds_count{command=\"get\"}", 2.0),
        ("larder_command_latency_seconds_bucket{command=\"get\",le=\"+Inf\"}", 2.0),
        ("larder_error_replies_total{code=\"ERR\"}", 1.0),
        ("larder_connected_clients{protocol=\"resp2\"}", 1.0),
        ("larder_connected_clients{protocol=\"resp3\"}", 0.0),
        ("larder_connected_clients{protocol=\"memcached\"}", 1.0),
        ("larder_requests_total{protocol=\"memcached\"}", 3.0),
        ("larder_memory_limit_bytes", 104_857_600.0),
        ("larder_keys{db=\"0\"}", 2.0),
        ("larder_keys_expiring{db=\"0\"}", 0.0),
        ("larder_evicted_keys_total", 0.0),
        ("larder_workers", 2.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name}");
    }
    assert!(found["larder_keyspace_hits_total"] >= 2.0);
    assert!(found["larder_network_input_bytes_total{protocol=\"memcached\"}"] > 0.0);
    assert!(found["larder_memory_used_bytes"] > 0.0 && found["larder_memory_resident_bytes"] > 0.0);
    for worker in ["0", "1"] {
        assert!(found.contains_key(&format!("larder_worker_cpu_seconds_total{{worker=\"{worker}\"}}")));
    }
    server.end();
}

#[test]
fn bytes_of_both_protocols_stay_apart_when_either_is_reset() {
    let (server, http) = start(&[]);
    let (mut client, mut memcached) = (server.client(), server.memcached());
    let bytes = |direction: &str, protocol: &str| {
        metrics(http)[&format!("larder_network_{direction}_bytes_total{{protocol=\"{protocol}\"}}")]
    };
    let value = "v".repeat(10_000);
    memcached.send(format!("set k 0 0 10000\r\n{value}\r\nget k\r\nstats reset\r\n").as_bytes()).unwrap();
    for line in ["STORED", "VALUE k 0 10000", &value, "END", "RESET"] {
        assert_eq!(memcached.line().unwrap(), line);
    }
    for direction in ["input", "output"] {
        assert!(bytes(direction, "memcached") > 10_000.0 && bytes(direction, "resp") < 1_000.0);
    }
    client.call(&["CONFIG", "RESETSTAT"]);
    client.call(&["PING"]);
    for direction in ["input", "output"] {
        assert!(bytes(direction, "memcached") < 1_000.0 && bytes(direction, "resp") > 0.0);
    }
    server.end();
}

#[test]
fn health_is_told_from_readiness_and_other_paths_are_not_found() {
    let (server, http) = start(&[]);
    assert_eq!(get(http, "/healthz"), ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    assert_eq!(get(http, "/readyz?verbose"), ("HTTP/1.1 200 OK".to_owned(), "ready\n".to_owned()));
    assert_eq!(get(http, "/keys").0, "HTTP/1.1 404 Not Found");
    let posted = exchange(
        http,
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(
        posted.starts_with("HTTP/1.1 405 ") && posted.to_lowercase().contains("allow: get, head"),
        "{posted}"
    );
    let head = exchange(http, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    server.end();
}

#[test]
fn connections_are_kept_for_the_next_request() {
    let (server, http) = start(&[]);
    let mut socket = connect(http).unwrap();
    for _ in 0..3 {
        socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
    server.end();
}

#[test]
fn no_port_is_opened_unasked_and_a_taken_one_is_named() {
    let server = Server::start(&[]);
    let value = format!("{:?}", server.client().call(&["CONFIG", "GET", "http-*"]));
    assert!(value.contains("\"http-port\"), Bulk(\"0\")"), "{value}");
    server.end();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = Directory::new();
    let words = ["--port", "0", "--memcached-port", "0", "--unixsocket", "s", "--http-port", &port];
    assert_eq!(wait(&mut command(&directory, &words).spawn().unwrap()).code(), Some(1));
    let said = std::fs::read_to_string(directory.file("stdout")).unwrap();
    assert!(
        said.contains(&format!("HTTP listening socket 127.0.0.1:{port}: Address already in use")),
        "{said}"
    );
}

#[test]
fn requests_have_limits() {
    let (server, http) = start(&[]);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let answer = exchange(http, long.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(10_000));
    let answer = exchange(http, many.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    for nonsense in [&b"\r\n\r\n\0\xff\r\n\r\n"[..], b"*1\r\n$4\r\nPING\r\n", b"GET  HTTP/9.9\r\n\r\n"] {
        assert!(!exchange(http, nonsense).contains(" 200 "));
    }
    // More than are served at once; those beyond wait, and clients of the cache notice nothing.
    let held: Vec<TcpStream> = (0..200).map(|_| connect(http).unwrap()).collect();
    assert_eq!(server.client().call(&["PING"]).text(), "PONG");
    drop(held);
    assert_eq!(get(http, "/healthz").1, "ok\n");
    server.end();
}
