//! What is asked is answered, whole and in order, however much it is and however it comes; and whoever goes amid it leaves nothing.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;

use rustix::process::Signal;

use crate::client::{Client, Reply, connect, request};
use crate::damage::Holdings;
use crate::server::{Server, eventually};

/// Memory that may stay behind: what the workers keep for the next requests.
const SLACK: u64 = 1 << 20;

/// A server with the key `large`, a client that looks on, and what the server holds.
fn with_large(len: usize) -> (Server, Client, Holdings) {
    let server = Server::start(&[]);
    let mut witness = server.client();
    eventually("one client", || witness.info("connected_clients") == 1);
    witness.call(&["SETRANGE", "large", &(len - 1).to_string(), "x"]);
    let before = Holdings::of(&server, &mut witness);
    (server, witness, before)
}

/// How many clients have replies that they have not read, as CLIENT LIST says.
fn behind(witness: &mut Client) -> usize {
    let list = witness.call(&["CLIENT", "LIST"]);
    let unread = list.text().split_whitespace().filter_map(|field| field.strip_prefix("omem="));
    unread.filter(|bytes| *bytes != "0").count()
}

#[test]
fn the_log_and_info_say_which_driver_it_is() {
    let server = Server::start(&[]);
    let name = if crate::IO_URING == "yes" { "io_uring" } else { "epoll" };
    assert!(server.log().contains(&format!("Serving clients by {name}")), "{}", server.log());
    let info = server.client().call(&["INFO", "server"]);
    assert!(info.text().contains(&format!("multiplexing_api:{name}\r\n")), "{info:?}");
    let refused = server.client().call(&["CONFIG", "SET", "io-uring", "no"]);
    assert!(refused.text().contains("can't set immutable config"), "{refused:?}");
    server.end();
}

#[test]
fn killed_amid_a_large_unsent_reply() {
    let (server, mut witness, before) = with_large(50_000_000);
    let mut readers: Vec<TcpStream> = (0..8).map(|_| connect(server.address()).unwrap()).collect();
    for reader in &mut readers {
        reader.write_all(&request(&["GET", "large"]).repeat(3)).unwrap();
    }
    eventually("replies that nobody reads", || behind(&mut witness) == 8);
    let killed = witness.call(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).integer();
    assert_eq!(killed, 8);
    before.regained(&server, &mut witness, SLACK);
    for reader in readers {
        assert!(Client::over(reader).rest().len() < 50_000_000);
    }
    server.end();
}

#[test]
fn a_client_that_goes_with_replies_under_way() {
    let (server, mut witness, before) = with_large(20_000_000);
    for round in 0..20 {
        let mut socket = connect(server.address()).unwrap();
        socket.write_all(&request(&["GET", "large"]).repeat(2)).unwrap();
        let mut beginning = [0; 1000];
        socket.read_exact(&mut beginning).unwrap();
        // What is under way is of a value that is replaced meanwhile.
        if round % 4 == 0 {
            witness.call(&["SETRANGE", "large", "0", "y"]);
        }
    }
    before.regained(&server, &mut witness, SLACK);
    server.end();
}

#[test]
fn a_client_that_has_said_all_still_gets_its_replies() {
    let (server, mut witness, before) = with_large(5_000_000);
    for count in [1, 3] {
        let mut socket = connect(server.address()).unwrap();
        socket.write_all(&request(&["GET", "large"]).repeat(count)).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut read = Vec::new();
        socket.read_to_end(&mut read).unwrap();
        assert_eq!(read.len(), count * (5_000_000 + "$5000000\r\n\r\n".len()));
    }
    before.regained(&server, &mut witness, SLACK);
    server.end();
}

#[test]
fn a_thousand_clients_that_all_send_at_once() {
    let server = Server::start(&[]);
    let mut clients: Vec<Client> = (0..1000).map(|_| server.client()).collect();
    // More than fits into whatever the workers read with, and in several pieces each.
    let value = "v".repeat(30_000);
    for round in 0..3 {
        thread::scope(|scope| {
            for (index, part) in clients.chunks_mut(250).enumerate() {
                let value = &value;
                scope.spawn(move || {
                    for (number, client) in part.iter_mut().enumerate() {
                        let key = format!("{round}:{index}:{number}");
                        let pair = [request(&["SET", &key, value]), request(&["STRLEN", &key])].concat();
                        client.send(&pair).unwrap();
                    }
                });
            }
        });
        for client in &mut clients {
            assert_eq!(client.reply().unwrap().text(), "OK");
            assert_eq!(client.reply().unwrap().integer(), 30_000);
        }
    }
    server.end();
}

#[test]
fn half_requests_of_a_thousand_clients() {
    let server = Server::start(&[]);
    let mut clients: Vec<Client> = (0..1000).map(|_| server.client()).collect();
    let whole = request(&["SET", "key", &"v".repeat(100)]);
    for end in [1, 7, 20, 40, whole.len() - 1, whole.len()] {
        let start = if end == 1 {
            0
        } else {
            [1, 7, 20, 40, whole.len() - 1][..].iter().rev().find(|at| **at < end).copied().unwrap()
        };
        for client in &mut clients {
            client.send(&whole[start..end]).unwrap();
        }
    }
    for client in &mut clients {
        assert_eq!(client.reply().unwrap().text(), "OK");
    }
    server.end();
}

#[test]
fn huge_values_both_ways() {
    let server = Server::start(&[]);
    let value: String = (0..20_000_000).map(|at: u32| char::from(b'a' + (at / 7 % 26) as u8)).collect();
    let mut client = server.client();
    thread::scope(|scope| {
        // Two at once, so that their pieces alternate.
        let other = scope.spawn(|| {
            let mut client = server.client();
            assert_eq!(client.call(&["SET", "b", &value]).text(), "OK");
            assert!(client.call(&["GET", "b"]).text() == value);
        });
        assert_eq!(client.call(&["SET", "a", &value]).text(), "OK");
        assert!(client.call(&["GET", "a"]).text() == value);
        other.join().unwrap();
    });
    let mut memcached = server.memcached();
    let part = &value[..1_000_000];
    memcached.send(format!("set c 0 0 {}\r\n{part}\r\nget c\r\n", part.len()).as_bytes()).unwrap();
    assert_eq!(memcached.line().unwrap(), "STORED");
    assert_eq!(memcached.line().unwrap(), "VALUE c 0 1000000");
    assert!(memcached.line().unwrap() == part);
    server.end();
}

#[test]
fn a_client_that_sends_on_and_on_without_reading() {
    let (server, mut witness, before) = with_large(300_000);
    let mut socket = connect(server.address()).unwrap();
    let mut writer = socket.try_clone().unwrap();
    let count = 2000;
    thread::scope(|scope| {
        // Blocks until the other thread reads: the server takes no more than it can answer.
        scope.spawn(move || {
            for number in 0..count {
                let bytes = [request(&["GET", "large"]), request(&["ECHO", &number.to_string()])].concat();
                writer.write_all(&bytes).unwrap();
            }
        });
        eventually("replies that nobody reads", || behind(&mut witness) > 0);
        let used = witness.info("used_memory");
        assert!(used < before.used + (16 << 20), "{used} bytes for a client that does not read");
        let mut client = Client::over(socket.try_clone().unwrap());
        for number in 0..count {
            assert_eq!(client.reply().unwrap().text().len(), 300_000);
            assert_eq!(client.reply().unwrap(), Reply::Bulk(number.to_string()));
        }
    });
    socket.shutdown(Shutdown::Both).unwrap();
    let _ = socket.flush();
    drop(socket);
    before.regained(&server, &mut witness, SLACK);
    server.end();
}

#[test]
fn it_ends_amid_transfers_in_both_directions() {
    let (mut server, mut witness, _) = with_large(50_000_000);
    let mut readers: Vec<TcpStream> = (0..4).map(|_| connect(server.address()).unwrap()).collect();
    for reader in &mut readers {
        reader.write_all(&request(&["GET", "large"]).repeat(2)).unwrap();
    }
    let mut writers: Vec<TcpStream> = (0..4).map(|_| connect(server.address()).unwrap()).collect();
    for writer in &mut writers {
        writer.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000000\r\nbeginning").unwrap();
    }
    eventually("replies that nobody reads", || behind(&mut witness) == 4);
    server.signal(Signal::TERM);
    let status = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
