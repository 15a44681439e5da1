//! Input that no well-meaning client sends, on both ports: each time the server stays, serves others, and keeps nothing.

use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::client::{Client, connect, request};
use crate::damage::Holdings;
use crate::server::Server;

/// Memory that may stay behind: what the workers keep for the next requests.
const SLACK: u64 = 1 << 20;

/// Lets an attack loose and checks what it leaves behind.
fn withstands(attack: impl FnOnce(&Server)) {
    let server = Server::start(&[]);
    let mut witness = server.client();
    crate::server::eventually("one client", || witness.info("connected_clients") == 1);
    let before = Holdings::of(&server, &mut witness);
    attack(&server);
    before.regained(&server, &mut witness, SLACK);
    assert_eq!(server.client().call(&["SET", "k", "v"]).text(), "OK");
    let mut memcached = server.memcached();
    memcached.send(b"get k\r\n").unwrap();
    assert_eq!(memcached.line().unwrap(), "VALUE k 0 1");
    server.end();
}

fn both(server: &Server) -> [SocketAddr; 2] {
    [server.address(), server.memcached_address()]
}

/// Sends bytes and reads whatever comes until the server or, after its last byte, the client ends the connection.
fn shout(address: SocketAddr, bytes: &[u8]) {
    let mut socket = connect(address).unwrap();
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(Shutdown::Write);
    let _ = Client::over(socket).rest();
}

#[test]
fn chance_bytes() {
    withstands(|server| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut chance = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..60 {
            let len = (chance() % 3000) as usize;
            let mut bytes: Vec<u8> = (0..len).map(|_| chance() as u8).collect();
            // Some begin as requests do.
            let heads: [&[u8]; 6] = [b"*3\r\n$3\r\n", b"*", b"$", b"set k 0 0 ", b"mg k ", b"SET \"\\x"];
            bytes.splice(..0, heads[round % heads.len()].iter().copied());
            for address in both(server) {
                shout(address, &bytes);
            }
        }
    });
}

#[test]
fn great_lengths_take_no_memory() {
    withstands(|server| {
        let mut held = Vec::new();
        for bytes in ["*1000000000\r\n", "*2\r\n$4\r\nECHO\r\n$536870912\r\n", "*2147483647\r\n$1\r\na\r\n"] {
            for _ in 0..20 {
                let mut client = server.client();
                client.send(bytes.as_bytes()).unwrap();
                held.push(client);
            }
        }
        for bytes in ["set k 0 0 1000000\r\n", "set k 0 0 1000000000\r\n", "ms k 1000000000\r\n"] {
            for _ in 0..20 {
                let mut client = server.memcached();
                client.send(bytes.as_bytes()).unwrap();
                held.push(client);
            }
        }
        let mut witness = server.client();
        crate::server::eventually("all", || witness.info("connected_clients") == 122);
        assert!(witness.info("used_memory") < 8 << 20);
    });
}

#[test]
fn refusals_are_clear() {
    withstands(|server| {
        for (bytes, reason) in [
            ("*-5\r\n*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
            ("*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n!", "-ERR Protocol error: expected '$', got '!'\r\n"),
            ("SET \"unbalanced\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
        ] {
            let mut client = server.client();
            client.send(bytes.as_bytes()).unwrap();
            if bytes.ends_with('!') {
                client.send(b"1\r\n").unwrap();
            }
            assert_eq!(client.rest(), reason, "{bytes:?}");
        }
        let mut client = server.client();
        let _ = client.send(&vec![b'x'; 70_000]);
        assert!(client.rest().starts_with("-ERR Protocol error: too big inline request"));
        let mut client = server.memcached();
        client.send(b"set k 0 0 -1\r\n").unwrap();
        assert_eq!(client.line().unwrap(), "CLIENT_ERROR bad command line format");
        client.send(b"set k 0 0 10000000\r\n").unwrap();
        client.send(&vec![b'x'; 10_000_002]).unwrap();
        assert_eq!(client.line().unwrap(), "SERVER_ERROR object too large for cache");
        client.send(b"mn\r\n").unwrap();
        assert_eq!(client.line().unwrap(), "MN");
    });
}

#[test]
fn the_other_protocol_on_a_port() {
    withstands(|server| {
        let http = b"POST / HTTP/1.1\r\nHost: example\r\n\r\n".as_slice();
        for bytes in
            [http, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"set k 0 0 3\r\nabc\r\nget k\r\n"]
        {
            shout(server.address(), bytes);
        }
        for bytes in [http, b"*1\r\n$4\r\nPING\r\n", &[0x80; 24], &[0; 70_000]] {
            shout(server.memcached_address(), bytes);
        }
    });
}

#[test]
fn a_byte_at_a_time() {
    withstands(|server| {
        let mut client = server.client();
        for byte in [request(&["SET", "k", "value"]), b"GET k\r\n".to_vec()].concat() {
            client.send(&[byte]).unwrap();
        }
        assert_eq!(client.reply().unwrap().text(), "OK");
        assert_eq!(client.reply().unwrap().text(), "value");
        client.call(&["DEL", "k"]);
        let mut client = server.memcached();
        for byte in b"set k 0 1 5\r\nabcde\r\nmg k v\r\ndelete k\r\n" {
            client.send(&[*byte]).unwrap();
        }
        for line in ["STORED", "VA 5", "abcde", "DELETED"] {
            assert_eq!(client.line().unwrap(), line);
        }
    });
}

#[test]
fn clients_that_leave_amid_everything() {
    withstands(|server| {
        server.client().call(&["SETRANGE", "large", "4999999", "x"]);
        let pipeline = request(&["GET", "large"]).repeat(50);
        for round in 0..30 {
            // Amid a request; amid a reply; amid a pipeline.
            let mut socket = connect(server.address()).unwrap();
            socket.write_all(&pipeline[..pipeline.len() - round]).unwrap();
            drop(socket);
            let mut socket = connect(server.memcached_address()).unwrap();
            socket.write_all(b"set half 0 0 100\r\nabc").unwrap();
            drop(socket);
        }
        // A reply is being sent from the value while it is deleted.
        let mut reader = server.client();
        reader.send(&pipeline).unwrap();
        server.client().call(&["DEL", "large"]);
    });
}

#[test]
fn connections_come_and_go() {
    withstands(|server| {
        for _ in 0..1000 {
            for address in both(server) {
                drop(TcpStream::connect(address).unwrap());
            }
        }
    });
}

#[test]
fn a_long_pipeline_does_not_keep_others_from_being_served() {
    withstands(|server| {
        let mut greedy = server.client();
        let pipeline = request(&["ECHO", "x"]).repeat(20_000);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = server.client();
                for number in 1..=200 {
                    assert_eq!(client.call(&["INCR", "turns"]).integer(), number);
                }
                client.call(&["DEL", "turns"]);
            });
            let mut writer = pipeline.chunks(1 << 16);
            for chunk in writer.by_ref() {
                greedy.send(chunk).unwrap();
                for _ in 0..chunk.len() / 22 {
                    greedy.reply().unwrap();
                }
            }
        });
    });
}

#[test]
fn a_hundred_thousand_arguments() {
    withstands(|server| {
        let mut client = server.client();
        let pairs: Vec<String> = (0..100_000).map(|number| format!("k{}", number / 2 % 1000)).collect();
        let words: Vec<&str> = std::iter::once("MSET").chain(pairs.iter().map(String::as_str)).collect();
        assert_eq!(client.call(&words).text(), "OK");
        // The same request, and the first bytes of another, which must not keep its memory.
        client.send(&[request(&words), b"*1\r\n$4\r\nPI".to_vec()].concat()).unwrap();
        assert_eq!(client.reply().unwrap().text(), "OK");
        assert_eq!(server.client().call(&["FLUSHALL"]).text(), "OK");
        assert_eq!(client.try_call(b"NG\r\n").unwrap().text(), "PONG");
    });
}

#[test]
fn a_storm_of_kills() {
    withstands(|server| {
        let mut clients: Vec<Client> = (0..200).map(|_| server.client()).collect();
        for client in &mut clients {
            client.send(&request(&["SET", "k", "v"]).repeat(20)).unwrap();
        }
        let mut killer = server.client();
        let list = killer.call(&["CLIENT", "LIST"]);
        for line in list.text().lines().filter(|line| line.contains("cmd=set")) {
            let id = line.split([' ', '=']).nth(1).unwrap();
            // 0 when another end came first.
            assert!(killer.call(&["CLIENT", "KILL", "ID", id]).integer() <= 1);
        }
        for client in &mut clients {
            // The others, whose requests came after the list.
            let _ = client.send(b"QUIT\r\n");
        }
        for mut client in clients {
            let _ = client.rest();
        }
        server.client().call(&["DEL", "k"]);
    });
}
