//! What memcached clients are let do by files, directives and signals.

use std::fs;

use rustix::process::Signal;

use crate::client::Client;
use crate::server::{Directory, Server, command, driver, eventually, wait};

fn line(client: &mut Client, request: &str) -> String {
    client.send(request.as_bytes()).unwrap();
    client.line().unwrap()
}

/// What a new client is told when it says who it is.
fn admission(server: &Server, user_and_password: &str) -> String {
    line(
        &mut server.memcached(),
        &format!("set k 0 0 {}\r\n{user_and_password}\r\n", user_and_password.len()),
    )
}

#[test]
fn users_come_from_a_file_that_is_read_again_on_sighup() {
    let directory = Directory::new();
    let file = directory.file("users");
    fs::write(&file, "ann:one\nben:two\n").unwrap();
    let server = Server::start(&["--memcached-auth-file", &file]);
    assert_eq!(line(&mut server.memcached(), "get k\r\n"), "CLIENT_ERROR unauthenticated");
    assert_eq!(admission(&server, "ann two"), "CLIENT_ERROR authentication failure");
    assert_eq!(admission(&server, "ben two"), "STORED");
    fs::write(&file, "no user").unwrap();
    server.signal(Signal::HUP);
    eventually("the file is found to be wrong", || server.log().contains("is not user:password"));
    assert_eq!(admission(&server, "ben two"), "STORED");
    fs::write(&file, "ben:three").unwrap();
    server.signal(Signal::HUP);
    eventually("the file is read again", || admission(&server, "ben three") == "STORED");
    assert_eq!(admission(&server, "ben two"), "CLIENT_ERROR authentication failure");
    server.end();
}

#[test]
fn a_file_of_users_that_cannot_be_read_is_said_at_the_start() {
    for (content, told) in [(None, "No such file"), (Some("ann\n"), "line 1 is not user:password")] {
        let directory = Directory::new();
        let file = directory.file("users");
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let mut arguments = vec!["--port", "0", "--memcached-port", "0", "--memcached-auth-file", &file];
        arguments.extend(driver());
        let status = wait(&mut command(&directory, &arguments).spawn().unwrap());
        let said =
            ["stdout", "stderr"].map(|name| fs::read_to_string(directory.file(name)).unwrap()).concat();
        assert!(status.code() == Some(1) && said.contains(told), "{said}");
    }
}

#[test]
fn shutdown_ends_the_server_where_it_is_allowed() {
    for request in ["shutdown\r\n", "shutdown graceful\r\n"] {
        let mut server = Server::start(&["--memcached-shutdown", "yes"]);
        let mut client = server.memcached();
        assert_eq!(line(&mut client, "shutdown soon\r\n"), "CLIENT_ERROR invalid shutdown mode");
        client.send(request.as_bytes()).unwrap();
        assert_eq!(client.rest(), "");
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    }
}

#[test]
fn both_protocols_are_told_by_their_first_byte() {
    let server = Server::start(&[]);
    let mut text = server.memcached();
    assert_eq!(line(&mut text, "set k 0 0 1\r\nv\r\n"), "STORED");
    let mut binary = server.memcached();
    let request = |opcode: u8, key: &[u8]| {
        let mut bytes = vec![0; 24];
        (bytes[0], bytes[1], bytes[3], bytes[11]) = (0x80, opcode, key.len() as u8, key.len() as u8);
        [&bytes, key].concat()
    };
    // Quietly, and with its end in another packet: one reply, and the end of the connection.
    let get = request(0x0d, b"k");
    binary.send(&get[..10]).unwrap();
    binary.send(&[&get[10..], &request(0x0d, b"none"), &request(0x07, b"")].concat()).unwrap();
    let reply = binary.rest_bytes();
    assert_eq!(reply[..12], *b"\x81\x0d\0\x01\x04\0\0\0\0\0\0\x06");
    assert_eq!(reply[24..30], *b"\0\0\0\0kv");
    assert_eq!(reply[30..32], *b"\x81\x07");
    assert_eq!(reply.len(), 54);
    server.end();
}

#[test]
fn a_dump_of_many_keys_does_not_hold_others_up() {
    let server = Server::start(&["--worker-threads", "1"]);
    let mut filler = server.memcached();
    for batch in 0..200 {
        let sets: String =
            (0..100).map(|number| format!("set key:{batch}:{number} 0 0 1 noreply\r\nv\r\n")).collect();
        filler.send(sets.as_bytes()).unwrap();
    }
    assert_eq!(line(&mut filler, "mn\r\n"), "MN");
    // A client that does not read what it asked for leaves the others alone.
    let mut dumper = server.memcached();
    dumper.send(b"lru_crawler metadump all\r\nlru_crawler mgdump all\r\n").unwrap();
    assert_eq!(line(&mut filler, "mn\r\n"), "MN");
    assert_eq!(dumper.line().unwrap(), "OK");
    let lines = |dumper: &mut Client, end: &str| {
        let mut count = 0;
        while dumper.line().unwrap() != end {
            count += 1;
        }
        count
    };
    assert_eq!(lines(&mut dumper, "END"), 20_000);
    assert_eq!(lines(&mut dumper, "EN"), 20_001);
    server.end();
}

#[test]
fn watchers_are_told_what_others_do() {
    let server = Server::start(&[]);
    let mut client = server.memcached();
    assert_eq!(line(&mut client, "mn\r\n"), "MN");
    let mut watcher = server.memcached();
    assert_eq!(line(&mut watcher, "watch nonsense\r\n"), "ERROR");
    assert_eq!(line(&mut watcher, "watch fetchers mutations deletions\r\n"), "OK");
    for (request, reply) in [
        ("set a% 0 0 3\r\nabc\r\n", "STORED"),
        ("mg a%\r\n", "HD"),
        ("cas a% 0 100 1 5\r\nx\r\n", "EXISTS"),
        ("delete a%\r\n", "DELETED"),
    ] {
        assert_eq!(line(&mut client, request), reply);
    }
    // What a watcher says is not heard.
    watcher.send(b"mn\r\nget a%\r\n").unwrap();
    let mut told = |fields: &str| {
        let said = watcher.line().unwrap();
        let words: Vec<&str> = said.split(' ').filter(|word| !word.starts_with("cfd=")).collect();
        assert!(words[0].starts_with("ts=") && words[1].starts_with("gid="), "{said}");
        assert_eq!(words[2..].join(" "), fields);
    };
    told("type=item_get key=a%25 status=not_found clsid=0 size=0");
    told("type=item_store key=a%25 status=stored cmd=set ttl=0 clsid=1 size=3");
    told("type=item_get key=a%25 status=found clsid=1 size=3");
    told("type=item_get key=a%25 status=found clsid=1 size=3");
    told("type=item_store key=a%25 status=exists cmd=cas ttl=100 clsid=1 size=1");
    told("type=item_get key=a%25 status=found clsid=1 size=3");
    told("type=deleted key=a%25 cmd=delete clsid=1 size=3");
    drop(watcher);
    eventually("the watcher is forgotten", || {
        client.send(b"stats\r\n").unwrap();
        std::iter::from_fn(|| client.line().ok())
            .take_while(|line| line != "END")
            .any(|line| line == "STAT log_watchers 0")
    });
    server.end();
}

#[test]
fn watchers_are_told_who_comes_and_goes() {
    let server = Server::start(&["--timeout", "0"]);
    let mut watcher = server.memcached();
    assert_eq!(line(&mut watcher, "watch connevents\r\n"), "OK");
    for (request, reason) in [("version\r\nquit\r\n", "normal"), ("GET / HTTP/1.1\r\n", "error")] {
        let mut client = server.memcached();
        client.send(request.as_bytes()).unwrap();
        client.rest();
        let (came, went) = (watcher.line().unwrap(), watcher.line().unwrap());
        assert!(came.contains(" type=conn_new rip=127.0.0.1 rport=") && came.contains(" transport=tcp cfd="));
        assert!(went.contains(" type=conn_close rip=127.0.0.1 rport="), "{went}");
        assert!(went.contains(&format!(" transport=tcp reason={reason} cfd=")), "{went}");
    }
    server.end();
}

#[test]
fn a_watcher_that_does_not_read_is_told_what_it_missed() {
    let server = Server::start(&["--worker-threads", "1"]);
    let mut watcher = server.memcached();
    assert_eq!(line(&mut watcher, "watch\r\n"), "OK");
    let mut client = server.memcached();
    let gets: String = (0..500).map(|number| format!("mg {}{number} q\r\n", "k".repeat(200))).collect();
    // More than sockets hold and may wait.
    for _ in 0..100 {
        client.send(gets.as_bytes()).unwrap();
        assert_eq!(line(&mut client, "mn\r\n"), "MN");
    }
    // It is told when there is something else to tell.
    let mut read = 0;
    loop {
        assert_eq!(line(&mut client, "mg k\r\n"), "EN");
        if watcher.line().unwrap().starts_with("skipped=") {
            break;
        }
        read += 1;
        assert!(read < 1_000_000, "nothing was missed");
    }
    server.end();
}
