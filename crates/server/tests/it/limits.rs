//! The limits on clients: how many, how idle, how much they send and leave unread; and passwords.

use std::io::{Read as _, Write as _};

use crate::client::{Client, Reply, connect, request};
use crate::damage::Holdings;
use crate::server::{Server, eventually, free_port};

#[test]
fn no_more_clients_than_maxclients() {
    let server = Server::start(&["--maxclients", "10"]);
    let mut first = server.client();
    eventually("the probe of the start is gone", || first.info("connected_clients") == 1);
    // All at once, so that most arrive before the first is served.
    let sockets: Vec<_> = (0..100).map(|_| connect(server.address()).unwrap()).collect();
    let mut served = 0;
    for socket in sockets {
        let mut client = Client::over(socket);
        match client.try_call(b"PING\r\n") {
            Ok(Reply::Status(_)) => served += 1,
            Ok(Reply::Error(text)) => assert_eq!(text, "ERR max number of clients reached"),
            // The refusal may be lost when our PING arrives behind it.
            Err(_) => {}
            Ok(other) => panic!("{other:?}"),
        }
        // Nobody goes before all have come.
        std::mem::forget(client);
    }
    assert_eq!(served, 9);
    assert_eq!(first.info("rejected_connections"), 91);
    server.end();
}

#[test]
fn idle_clients_are_disconnected_and_busy_ones_are_not() {
    let server = Server::start(&[]);
    let (mut busy, mut idle, mut memcached) = (server.client(), server.client(), server.memcached());
    assert_eq!(idle.call(&["PING"]).text(), "PONG");
    // A client amid a long request is not idle as long as it sends.
    let mut slow = server.client();
    slow.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n").unwrap();
    eventually("all four", || busy.info("connected_clients") == 4);
    assert_eq!(busy.call(&["CONFIG", "SET", "timeout", "1"]).text(), "OK");
    let mut sent = 0;
    eventually("two clients fewer", || {
        slow.send(b"0123456789").unwrap();
        sent += 10;
        busy.info("connected_clients") <= 2
    });
    assert_eq!((idle.rest(), memcached.rest()), (String::new(), String::new()));
    slow.send(&vec![b'x'; 1_000_000 - sent]).unwrap();
    assert_eq!(slow.try_call(b"\r\n").unwrap().text(), "OK");
    server.end();
}

#[test]
fn unfinished_requests_have_a_limit() {
    let server = Server::start(&["--client-query-buffer-limit", "1mb"]);
    let mut witness = server.client();
    let mut client = server.client();
    client.send(b"*2\r\n$4\r\nECHO\r\n$100000000\r\n").unwrap();
    let block = vec![b'x'; 1 << 16];
    let refused = (0..2000).any(|_| client.send(&block).is_err());
    assert!(refused, "100 MB are taken with a limit of 1 MB");
    assert_eq!(witness.call(&["PING"]).text(), "PONG");
    assert_eq!(witness.info("client_query_buffer_limit_disconnections"), 1);
    assert!(witness.info("client_recent_max_input_buffer") >= 1 << 19);
    // A complete request that is longer is no better.
    let mut client = server.client();
    let refused = client.try_call(&request(&["ECHO", &"x".repeat(1 << 20)]));
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(witness.info("client_query_buffer_limit_disconnections"), 2);
    server.end();
}

#[test]
fn unread_replies_have_a_limit() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 20mb 0 0"]);
    let mut witness = server.client();
    witness.call(&["SETRANGE", "large", "9999999", "x"]);
    eventually("one client", || witness.info("connected_clients") == 1);
    let before = Holdings::of(&server, &mut witness);
    let mut client = server.client();
    client.send(&request(&["MGET", "large", "large"])).unwrap();
    let reply = client.reply().unwrap();
    assert!(matches!(reply, Reply::Array(parts) if parts.len() == 2), "within the limit");
    client.send(&request(&["MGET", "large", "large", "large", "large"])).unwrap();
    before.regained(&server, &mut witness, 1 << 16);
    assert!(client.rest().len() < 40_000_000);
    server.end();
}

#[test]
fn reading_a_little_does_not_put_off_the_soft_limit() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 0 1mb 1"]);
    let mut witness = server.client();
    witness.call(&["SETRANGE", "large", "49999999", "x"]);
    let mut reader = connect(server.address()).unwrap();
    reader.write_all(&request(&["GET", "large"])).unwrap();
    let mut read = [0; 1 << 16];
    reader.read_exact(&mut read).unwrap();
    eventually("the reader is disconnected", || {
        // What the kernel holds can still be read when the server has given up.
        let _ = reader.read(&mut read);
        witness.info("connected_clients") == 1
    });
    assert_eq!(witness.info("client_output_buffer_limit_disconnections"), 1);
    assert!(Client::over(reader).rest().len() < 49_000_000);
    server.end();
}

#[test]
fn the_files_kept_for_the_server_itself_are_enough() {
    let server = Server::start(&["--worker-threads", "8", "--http-port", &free_port().to_string()]);
    let mut clients: Vec<Client> = (0..16).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.call(&["PING"]).text(), "PONG");
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    assert!(open - clients.len() <= 32 + 8 * 8, "{open} files are open");
    server.end();
}

#[test]
fn limits_may_change_while_clients_are_at_work() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let mut pipeline = Vec::new();
    for round in 0..200 {
        let limit = if round % 2 == 0 { "1mb" } else { "512mb" };
        pipeline.extend(request(&["CONFIG", "SET", "proto-max-bulk-len", limit, "timeout", "100"]));
        pipeline.extend(request(&["SET", "k", &"v".repeat(round)]));
        pipeline.extend(request(&["GET", "k"]));
    }
    client.send(&pipeline).unwrap();
    for round in 0..200 {
        assert_eq!(client.reply().unwrap().text(), "OK");
        assert_eq!(client.reply().unwrap().text(), "OK");
        assert_eq!(client.reply().unwrap().text().len(), round);
    }
    server.end();
}

#[test]
fn there_are_as_many_databases_as_wanted() {
    let server = Server::start(&["--databases", "3"]);
    let mut client = server.client();
    assert_eq!(client.call(&["SELECT", "2"]).text(), "OK");
    assert_eq!(client.call(&["SELECT", "3"]).text(), "ERR DB index is out of range");
    assert!(format!("{:?}", client.call(&["CONFIG", "GET", "databases"])).contains("\"3\""));
    server.end();
}

#[test]
fn a_password_may_come_and_go() {
    let server = Server::start(&[]);
    let (mut admin, mut before) = (server.client(), server.client());
    assert_eq!(before.call(&["PING"]).text(), "PONG");
    assert_eq!(admin.call(&["CONFIG", "SET", "requirepass", "sesame"]).text(), "OK");
    assert_eq!(before.call(&["PING"]).text(), "PONG", "who is in stays in");
    let mut stranger = server.client();
    assert_eq!(stranger.call(&["GET", "k"]).text(), "NOAUTH Authentication required.");
    stranger.send(b"*11\r\n").unwrap();
    assert_eq!(stranger.rest(), "-ERR Protocol error: unauthenticated multibulk length\r\n");
    let mut stranger = server.client();
    assert!(stranger.call(&["AUTH", "wrong"]).text().starts_with("WRONGPASS"));
    assert_eq!(stranger.call(&["AUTH", "sesame"]).text(), "OK");
    assert_eq!(stranger.call(&["PING"]).text(), "PONG");
    assert_eq!(admin.call(&["CONFIG", "SET", "requirepass", ""]).text(), "OK");
    assert_eq!(server.client().call(&["PING"]).text(), "PONG");
    server.end();
}
