//! What one client does to another: lines for monitors, waiting and its end.

use std::net::{Ipv4Addr, Shutdown};

use crate::client::{Client, Reply, connect, request};
use crate::server::{Server, eventually};

/// Clients enough that some are on other workers than others.
const CLIENTS: usize = 8;

fn status(text: &str) -> Reply {
    Reply::Status(text.to_owned())
}

/// The id of a client.
fn id(client: &mut Client) -> String {
    client.call(&["CLIENT", "ID"]).integer().to_string()
}

fn blocked(witness: &mut Client, count: u64) {
    eventually("so many blocked clients", || witness.info("blocked_clients") == count);
}

#[test]
fn monitors_on_all_workers_see_everything() {
    let server = Server::start(&[]);
    let mut monitors: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    for monitor in &mut monitors {
        assert_eq!(monitor.call(&["MONITOR"]), status("OK"));
    }
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.call(&["SET", "key", &number.to_string()]), status("OK"));
    }
    for monitor in &mut monitors {
        for number in 0..CLIENTS {
            let line = monitor.line().unwrap();
            assert!(line.ends_with(&format!("\"SET\" \"key\" \"{number}\"")), "{line}");
        }
    }
    // One that monitors may still do what is not about keys, and sees that too.
    let mut last = monitors.pop().unwrap();
    assert_eq!(last.call(&["ECHO", "x"]).text(), "x");
    let line = last.line().unwrap();
    assert!(line.ends_with("\"ECHO\" \"x\""), "{line}");
    assert_eq!(last.call(&["RESET"]), status("RESET"));
    assert_eq!(last.call(&["GET", "key"]).text(), (CLIENTS - 1).to_string());
    drop(monitors);
    let mut witness = server.client();
    eventually("no monitors", || !witness.call(&["CLIENT", "LIST"]).text().contains("flags=O"));
    server.end();
}

/// Its own requests are answered amid lines that the socket does not take at once.
#[test]
fn a_monitor_that_reads_late_gets_all_lines_and_replies_whole_and_in_order() {
    const SETS: usize = 500;
    const ECHOES: usize = 200;
    let server = Server::start(&[]);
    let (mut monitor, mut writer) = (server.client(), server.client());
    assert_eq!(monitor.call(&["MONITOR"]), status("OK"));
    let value = "x".repeat(20_000);
    for number in 0..SETS {
        if number < ECHOES {
            monitor.send(&request(&["ECHO", &number.to_string()])).unwrap();
        }
        assert_eq!(writer.call(&["SET", "key", &value]), status("OK"));
    }
    let (mut sets, mut echoes, mut echoed) = (0, 0, 0);
    while sets < SETS || echoes < ECHOES || echoed < ECHOES {
        match monitor.reply().unwrap() {
            Reply::Status(line) if line.contains("\"SET\"") => {
                assert!(line.ends_with(&format!("\"key\" \"{value}\"")), "a line is cut");
                sets += 1;
            }
            Reply::Status(line) => {
                assert!(line.ends_with(&format!("\"ECHO\" \"{echoes}\"")), "{line}");
                echoes += 1;
            }
            reply => {
                assert_eq!(reply, Reply::Bulk(echoed.to_string()));
                echoed += 1;
            }
        }
    }
    server.end();
}

#[test]
fn monitors_see_a_request_that_waits_when_it_is_called() {
    let server = Server::start(&[]);
    let (mut monitor, mut waiter) = (server.client(), server.client());
    assert_eq!(monitor.call(&["MONITOR"]), status("OK"));
    waiter.send(&request(&["WAIT", "1", "0"])).unwrap();
    let line = monitor.line().unwrap();
    assert!(line.ends_with("\"WAIT\" \"1\" \"0\""), "{line}");
    let (mut witness, mut unblock) = (server.client(), String::new());
    blocked(&mut witness, 1);
    let list = witness.call(&["CLIENT", "LIST"]);
    if let Some(line) = list.text().lines().find(|line| line.contains("cmd=wait")) {
        unblock = line.trim_start_matches("id=").split(' ').next().unwrap().to_owned();
    }
    assert_eq!(witness.call(&["CLIENT", "UNBLOCK", &unblock]).integer(), 1);
    assert_eq!(waiter.reply().unwrap(), Reply::Integer(0));
    witness.call(&["ECHO", "end"]);
    let lines = std::iter::from_fn(|| Some(monitor.line().unwrap()));
    let until_end = lines.take_while(|line| !line.ends_with("\"ECHO\" \"end\""));
    let shown: Vec<String> = until_end.collect();
    assert!(shown.iter().any(|line| line.contains("\"INFO\"")), "{shown:?}");
    assert!(!shown.iter().any(|line| line.contains("\"WAIT\"")), "{shown:?}");
    server.end();
}

#[test]
fn a_large_request_behind_one_that_waits_is_kept_once() {
    let server = Server::start(&["--commandlog-request-larger-than", "1000"]);
    let mut client = server.client();
    let large = request(&["SET", "key", &"x".repeat(2_000)]);
    client.send(&[request(&["WAIT", "1", "10"]), large].concat()).unwrap();
    assert_eq!(client.reply().unwrap(), Reply::Integer(0));
    assert_eq!(client.reply().unwrap(), status("OK"));
    assert_eq!(client.call(&["COMMANDLOG", "LEN", "large-request"]).integer(), 1);
    server.end();
}

#[test]
fn a_monitor_that_reads_nothing_is_sent_away() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 1000000 0 0"]);
    let mut monitor = server.client();
    monitor.call(&["MONITOR"]);
    let (mut witness, value) = (server.client(), "x".repeat(100_000));
    eventually("nobody monitors", || {
        witness.call(&["SET", "key", &value]);
        !witness.call(&["CLIENT", "LIST"]).text().contains("flags=O")
    });
    server.end();
}

#[test]
fn writes_wait_for_the_end_of_a_pause() {
    let server = Server::start(&[]);
    let mut witness = server.client();
    let mut writers: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    assert_eq!(witness.call(&["CLIENT", "PAUSE", "100000000", "WRITE"]), status("OK"));
    for writer in &mut writers {
        assert_eq!(writer.call(&["GET", "key"]), Reply::Null);
        writer.send(&[request(&["INCR", "key"]), request(&["GET", "key"])].concat()).unwrap();
    }
    blocked(&mut witness, CLIENTS as u64);
    assert_eq!(witness.call(&["GET", "key"]), Reply::Null);
    drop(writers.pop());
    blocked(&mut witness, CLIENTS as u64 - 1);
    assert_eq!(witness.call(&["CLIENT", "UNPAUSE"]), status("OK"));
    for writer in &mut writers {
        assert!(writer.reply().unwrap().integer() > 0);
        assert!(writer.reply().unwrap().text() > "0");
    }
    assert_eq!(witness.call(&["GET", "key"]).text(), (CLIENTS - 1).to_string());
    server.end();
}

#[test]
fn a_pause_ends_by_itself() {
    let server = Server::start(&[]);
    let mut client = server.client();
    assert_eq!(client.call(&["CLIENT", "PAUSE", "50", "ALL"]), status("OK"));
    assert_eq!(client.call(&["PING"]), status("PONG"));
    server.end();
}

#[test]
fn a_blocked_client_is_unblocked_or_goes() {
    let server = Server::start(&[]);
    let mut witness = server.client();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let id = id(client);
        assert_eq!(witness.call(&["CLIENT", "UNBLOCK", &id]).integer(), 0);
        client.send(&[request(&["WAIT", "1", "0"]), request(&["ECHO", "x"])].concat()).unwrap();
        blocked(&mut witness, 1);
        let reason = if number % 2 == 0 { "TIMEOUT" } else { "ERROR" };
        assert_eq!(witness.call(&["CLIENT", "UNBLOCK", &id, reason]).integer(), 1);
        let reply = client.reply().unwrap();
        if number % 2 == 0 {
            assert_eq!(reply, Reply::Integer(0));
        } else {
            assert_eq!(reply.text(), "UNBLOCKED client unblocked via CLIENT UNBLOCK");
        }
        assert_eq!(client.reply().unwrap().text(), "x");
    }
    blocked(&mut witness, 0);
    let socket = connect(server.address()).unwrap();
    let mut client = Client::over(socket.try_clone().unwrap());
    client.send(&request(&["WAIT", "1", "0"])).unwrap();
    blocked(&mut witness, 1);
    assert_eq!(witness.info("clients_in_timeout_table"), 0);
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), "");
    blocked(&mut witness, 0);
    // One that has gone before it begins to wait.
    let socket = connect(server.address()).unwrap();
    let mut client = Client::over(socket.try_clone().unwrap());
    client.send(&request(&["WAIT", "1", "0"])).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), "");
    eventually("nobody but the witness", || witness.info("connected_clients") == CLIENTS as u64 + 1);
    assert_eq!(witness.call(&["WAIT", "1", "10"]).integer(), 0);
    server.end();
}

#[test]
fn killed_while_it_waits() {
    let server = Server::start(&[]);
    let (mut witness, mut client) = (server.client(), server.client());
    let id = id(&mut client);
    client.send(&request(&["WAIT", "1", "0"])).unwrap();
    blocked(&mut witness, 1);
    assert_eq!(witness.call(&["CLIENT", "KILL", "ID", &id]).integer(), 1);
    assert_eq!(client.rest(), "");
    blocked(&mut witness, 0);
    server.end();
}

#[test]
fn timeout_spares_who_waits_and_who_monitors() {
    let server = Server::start(&["--timeout", "1"]);
    let (mut blocked, mut monitor, mut idle) = (server.client(), server.client(), server.client());
    assert_eq!(monitor.call(&["MONITOR"]), status("OK"));
    assert_eq!(idle.call(&["PING"]), status("PONG"));
    blocked.send(&request(&["WAIT", "1", "2500"])).unwrap();
    assert_eq!(idle.rest(), "");
    assert_eq!(blocked.reply().unwrap(), Reply::Integer(0));
    let lines: Vec<String> = (0..2).map(|_| monitor.line().unwrap()).collect();
    assert!(lines[0].contains("PING") && lines[1].contains("WAIT"), "{lines:?}");
    server.end();
}

#[test]
fn memcached_clients_wait_for_the_end_of_a_pause() {
    let server = Server::start(&[]);
    let mut witness = server.client();
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|_| Client::over(connect((Ipv4Addr::LOCALHOST, server.memcached_port).into()).unwrap()))
        .collect();
    assert_eq!(witness.call(&["CLIENT", "PAUSE", "100000000", "WRITE"]), status("OK"));
    for client in &mut clients {
        client.send(b"set key 0 0 5\r\nvalue\r\n").unwrap();
    }
    blocked(&mut witness, CLIENTS as u64);
    assert_eq!(witness.call(&["GET", "key"]), Reply::Null);
    assert_eq!(witness.call(&["CLIENT", "UNPAUSE"]), status("OK"));
    for client in &mut clients {
        assert_eq!(client.line().unwrap(), "STORED");
    }
    blocked(&mut witness, 0);
    server.end();
}
