//! What is kept on disk, and comes back with the next start.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::client::{Client, Reply};
use crate::server::{Directory, Server, command, driver, eventually, free_port, said, wait};

pub(crate) fn ask(client: &mut Client, request: &str) -> Reply {
    client.call(&request.split(' ').collect::<Vec<_>>())
}

pub(crate) fn ok() -> Reply {
    Reply::Status("OK".into())
}

/// Values of every type, small and large, and what tells that they are as they were.
pub(crate) fn fill(client: &mut Client) {
    let script = "for i = 1, 2000 do redis.call('RPUSH', 'list', i, 'element' .. i); \
        redis.call('HSET', 'hash', i, 'value' .. i); redis.call('SADD', 'set', 'member' .. i); \
        redis.call('ZADD', 'zset', i / 3, 'member' .. i); redis.call('XADD', 'stream', i .. '-1', 'field', i) end";
    assert_eq!(client.call(&["EVAL", script, "0"]), Reply::Null);
    for request in [
        "SET string value",
        "SET number 17",
        "SET expires x PXAT 33177117420000",
        "RPUSH small a 1 b",
        "HSET pairs a 1 b 2",
        "SADD numbers 3 1 2",
        "XGROUP CREATE stream group 5",
        "XREADGROUP GROUP group reader COUNT 3 STREAMS stream >",
        "PFADD visitors a b c",
    ] {
        assert!(!matches!(ask(client, request), Reply::Error(_)), "{request}");
    }
    let long = "x".repeat(100_000);
    assert_eq!(client.call(&["SET", "long", &long]), ok());
    let library = "#!lua name=mine\nredis.register_function('seven', function() return 7 end)";
    assert_eq!(client.call(&["FUNCTION", "LOAD", library]), Reply::Bulk("mine".into()));
    assert_eq!(ask(client, "SELECT 5"), ok());
    assert_eq!(ask(client, "SET elsewhere 1"), ok());
    assert_eq!(ask(client, "SELECT 0"), ok());
}

/// Replies that depend on every value.
pub(crate) fn looks(client: &mut Client) -> Vec<Reply> {
    let requests = [
        "DBSIZE",
        "LRANGE list 0 -1",
        "SORT set ALPHA",
        "SORT hash BY nosort GET # LIMIT 0 1",
        "HLEN hash",
        "HGET hash 777",
        "ZRANGE zset 0 -1 WITHSCORES",
        "XRANGE stream - +",
        "XPENDING stream group",
        "GET string",
        "GET number",
        "OBJECT ENCODING number",
        "PEXPIRETIME expires",
        "LRANGE small 0 -1",
        "HGETALL pairs",
        "SMEMBERS numbers",
        "PFCOUNT visitors",
        "GET long",
        "FCALL seven 0",
    ];
    let mut replies: Vec<_> = requests.iter().map(|request| ask(client, request)).collect();
    ask(client, "SELECT 5");
    replies.push(ask(client, "GET elsewhere"));
    ask(client, "SELECT 0");
    replies
}

/// A process that does not outlive its test, and where it listens.
pub(crate) struct Process(pub(crate) Child, pub(crate) SocketAddr);

impl Process {
    /// Waits for its end, which is to be a good one.
    pub(crate) fn ends_well(mut self) {
        assert!(wait(&mut self.0).success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server in this directory, which may have been another's before.
fn start_in(directory: &Directory) -> (Process, Client) {
    start_with(directory, &[])
}

/// As [`start_in`], with these directives.
pub(crate) fn start_with(directory: &Directory, directives: &[&str]) -> (Process, Client) {
    let port = free_port();
    let path = directory.path().display().to_string();
    let port_word = port.to_string();
    let words = [
        &["--port", &port_word, "--memcached-port", "0", "--dir", &path, "--bind", "127.0.0.1"],
        directives,
        &driver()[..],
    ]
    .concat();
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let child = Process(command(directory, &words).spawn().unwrap(), address);
    // What an earlier one said in this directory is gone.
    let serves = || crate::server::said(directory).contains("Ready to accept connections");
    eventually("the server serves", serves);
    (child, Client::tcp(address))
}

/// Starts a server in this directory, which is to refuse to serve, and returns what it says.
pub(crate) fn refusal(directory: &Directory, directives: &[&str]) -> String {
    let port = free_port().to_string();
    let path = directory.path().display().to_string();
    let words =
        [&["--port", &port, "--memcached-port", "0", "--dir", &path], directives, &driver()[..]].concat();
    let ended = wait(&mut command(directory, &words).spawn().unwrap());
    assert_eq!(ended.code(), Some(1));
    said(directory)
}

#[test]
fn what_was_saved_is_there_after_a_restart() {
    let directory = Directory::new();
    let (child, mut client) = start_in(&directory);
    fill(&mut client);
    let before = looks(&mut client);
    assert_eq!(ask(&mut client, "SAVE"), ok());
    assert_eq!(client.info("rdb_changes_since_last_save"), 0);
    // Nothing after it is saved.
    assert_eq!(ask(&mut client, "SET later 1"), ok());
    client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    child.ends_well();
    let file = directory.path().join("dump.rdb");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o700, 0o600);
    let (child, mut client) = start_in(&directory);
    assert_eq!(looks(&mut client), before);
    assert_eq!(client.info("rdb_last_load_keys_loaded"), 14);
    assert_eq!(ask(&mut client, "EXISTS later").integer(), 0);
    // The end that a signal asks for saves what there is.
    assert_eq!(ask(&mut client, "SET later 2"), ok());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child.0), Signal::TERM).unwrap();
    child.ends_well();
    let (child, mut client) = start_in(&directory);
    assert_eq!(ask(&mut client, "GET later"), Reply::Bulk("2".into()));
    // And so does SHUTDOWN.
    assert_eq!(ask(&mut client, "SET later 3"), ok());
    client.send(b"SHUTDOWN\r\n").unwrap();
    child.ends_well();
    let (child, mut client) = start_in(&directory);
    assert_eq!(ask(&mut client, "GET later"), Reply::Bulk("3".into()));
    client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    child.ends_well();
}

#[test]
fn a_snapshot_is_of_one_moment() {
    const ACCOUNTS: u32 = 200;
    let directory = Directory::new();
    let (child, mut client) = start_in(&directory);
    let address = {
        let port = ask(&mut client, "CONFIG GET port");
        let Reply::Array(words) = port else { panic!("{port:?}") };
        (std::net::Ipv4Addr::LOCALHOST, words[1].text().parse::<u16>().unwrap()).into()
    };
    for account in 0..ACCOUNTS {
        ask(&mut client, &format!("SET account:{account} 1000"));
    }
    // Keys that are only there to be walked through.
    client.call(&["EVAL", "for i = 1, 20000 do redis.call('SET', 'filler:' .. i, i) end", "0"]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..3_u32 {
            let stop = &stop;
            scope.spawn(move || {
                let mut client = Client::tcp(address);
                let mut number = writer;
                let mut sequence = 0;
                while !stop.load(Ordering::Relaxed) {
                    number = number.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                    let (from, to) = ((number >> 8) % ACCOUNTS, (number >> 16) % ACCOUNTS);
                    ask(&mut client, "MULTI");
                    ask(&mut client, &format!("DECRBY account:{from} 7"));
                    ask(&mut client, &format!("INCRBY account:{to} 7"));
                    ask(&mut client, &format!("RPUSH log:{writer} {sequence}"));
                    ask(&mut client, &format!("SET last:{writer} {sequence}"));
                    assert!(matches!(ask(&mut client, "EXEC"), Reply::Array(_)));
                    sequence += 1;
                }
            });
        }
        for _ in 0..5 {
            assert_eq!(ask(&mut client, "BGSAVE"), Reply::Status("Background saving started".into()));
            eventually("the snapshot is written", || client.info("rdb_bgsave_in_progress") == 0);
            let copy = Directory::new();
            fs::copy(directory.path().join("dump.rdb"), copy.path().join("dump.rdb")).unwrap();
            let (other, mut reader) = start_in(&copy);
            let sum: i64 = (0..ACCOUNTS)
                .map(|account| {
                    ask(&mut reader, &format!("GET account:{account}")).text().parse::<i64>().unwrap()
                })
                .sum();
            assert_eq!(sum, i64::from(1000 * ACCOUNTS));
            for writer in 0..3 {
                let last = ask(&mut reader, &format!("GET last:{writer}"));
                let len = ask(&mut reader, &format!("LLEN log:{writer}")).integer();
                let expected = if len == 0 { Reply::Null } else { Reply::Bulk((len - 1).to_string()) };
                assert_eq!(last, expected, "writer {writer}");
            }
            reader.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
            other.ends_well();
        }
        stop.store(true, Ordering::Relaxed);
    });
    client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    child.ends_well();
}

#[test]
fn what_cannot_be_written_is_told_and_nothing_is_lost() {
    let directory = Directory::new();
    let (child, mut client) = start_in(&directory);
    assert_eq!(ask(&mut client, "SET k 1"), ok());
    assert_eq!(ask(&mut client, "SAVE"), ok());
    let good = fs::read(directory.path().join("dump.rdb")).unwrap();
    // A directory has the name that the file is to get.
    let aside = directory.path().join("aside");
    fs::rename(directory.path().join("dump.rdb"), &aside).unwrap();
    fs::create_dir(directory.path().join("dump.rdb")).unwrap();
    assert!(matches!(ask(&mut client, "SAVE"), Reply::Error(_)));
    let Reply::Error(line) = ask(&mut client, "SET k 2") else { panic!("a write is let through") };
    assert!(line.starts_with("MISCONF "), "{line}");
    assert_eq!(ask(&mut client, "GET k"), Reply::Bulk("1".into()));
    let errors = Reply::Error("ERR Errors trying to SHUTDOWN. Check logs.".into());
    assert_eq!(ask(&mut client, "SHUTDOWN"), errors);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child.0), Signal::TERM).unwrap();
    // SHUTDOWN has said already why it could not: the signal's own line tells that it is over, before a snapshot can be made again.
    eventually("the signal is not heeded", || said(&directory).contains("SIGTERM received but errors"));
    assert_eq!(ask(&mut client, "CONFIG SET stop-writes-on-bgsave-error no"), ok());
    assert_eq!(ask(&mut client, "SET k 2"), ok());
    // Nothing is left of what was begun.
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("temp-"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
    fs::remove_dir(directory.path().join("dump.rdb")).unwrap();
    fs::rename(aside, directory.path().join("dump.rdb")).unwrap();
    assert_eq!(fs::read(directory.path().join("dump.rdb")).unwrap(), good);
    assert_eq!(ask(&mut client, "SAVE"), ok());
    assert_eq!(ask(&mut client, "CONFIG SET stop-writes-on-bgsave-error yes"), ok());
    assert_eq!(ask(&mut client, "SET k 3"), ok());
    client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    child.ends_well();
}

#[test]
fn a_damaged_file_is_refused_and_stays() {
    let directory = Directory::new();
    let (child, mut client) = start_in(&directory);
    fill(&mut client);
    client.send(b"SHUTDOWN SAVE\r\n").unwrap();
    child.ends_well();
    let path = directory.path().join("dump.rdb");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    for damaged in [bytes[..middle].to_vec(), {
        bytes[middle] ^= 1;
        bytes
    }] {
        fs::write(&path, &damaged).unwrap();
        refusal(&directory, &[]);
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
}

#[test]
fn one_is_made_when_it_is_due() {
    let server = Server::start(&["--save", "1 3"]);
    let mut client = server.client();
    assert_eq!(ask(&mut client, "SET a 1"), ok());
    assert_eq!(ask(&mut client, "SET b 1"), ok());
    assert_eq!(client.info("rdb_saves"), 0);
    assert_eq!(ask(&mut client, "SET c 1"), ok());
    eventually("a snapshot is made", || client.info("rdb_saves") == 1);
    assert_eq!(client.info("rdb_changes_since_last_save"), 0);
    server.end();
}

/// Names of the files of snapshots that are being written.
fn unfinished(server: &Server) -> usize {
    let names = fs::read_dir(server.directory.path()).unwrap();
    names.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("temp-")).count()
}

#[test]
fn one_that_is_being_made_is_cancelled() {
    let server = Server::start(&["--save", "", "--rdb-key-save-delay", "10000000"]);
    let mut client = server.client();
    let none = Reply::Error("ERR Background saving is currently not in progress or scheduled".into());
    let cancelled = Reply::Status("Background saving cancelled".into());
    assert_eq!(ask(&mut client, "BGSAVE CANCEL"), none);
    client.call(&["EVAL", "for i = 1, 5000 do redis.call('SET', i, i) end", "0"]);
    assert_eq!(ask(&mut client, "BGSAVE"), Reply::Status("Background saving started".into()));
    eventually("a file is begun", || unfinished(&server) == 1);
    assert_eq!(ask(&mut client, "BGSAVE"), Reply::Error("ERR Background save already in progress".into()));
    assert_eq!(ask(&mut client, "BGSAVE SCHEDULE"), Reply::Status("Background saving scheduled".into()));
    assert_eq!(ask(&mut client, "BGSAVE CANCEL"), cancelled);
    // The one that was scheduled begins.
    eventually("the first one ends", || server.log().matches("Background saving started").count() == 2);
    assert_eq!(ask(&mut client, "BGSAVE CANCEL"), cancelled);
    eventually("the second one ends", || client.info("rdb_bgsave_in_progress") == 0);
    assert_eq!(ask(&mut client, "BGSAVE CANCEL"), none);
    assert_eq!((unfinished(&server), client.info("rdb_saves")), (0, 0));
    let Reply::Bulk(info) = ask(&mut client, "INFO persistence") else { panic!("no text") };
    assert!(info.contains("rdb_last_bgsave_status:ok"), "{info}");
    // Nobody who waits for a file is told that there is one.
    assert_eq!(ask(&mut client, "BGSAVE"), Reply::Status("Background saving started".into()));
    eventually("a file is begun", || unfinished(&server) == 1);
    client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    let mut server = server;
    assert!(server.wait().success());
    assert!(unfinished(&server) == 0 && !server.directory.path().join("dump.rdb").exists());
}

#[test]
fn what_is_changed_meanwhile_does_not_wait_for_its_turn() {
    let server = Server::start(&["--save", "", "--rdb-key-save-delay", "1000000"]);
    let mut client = server.client();
    let fill = "for i = 1, 300 do redis.call('SET', i, ARGV[1] .. i) end";
    client.call(&["EVAL", fill, "0", "old"]);
    assert_eq!(ask(&mut client, "BGSAVE"), Reply::Status("Background saving started".into()));
    // Five minutes of waiting lie ahead, but not for what is kept in memory only for the file.
    client.call(&["EVAL", fill, "0", "new"]);
    eventually("all are written", || client.info("rdb_bgsave_in_progress") == 0);
    assert_eq!((client.info("rdb_saves"), client.info("current_cow_size")), (1, 0));
    client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    let mut server = server;
    assert!(server.wait().success());
    let (child, mut client) = start_in(&server.directory);
    for key in [1, 150, 300] {
        assert_eq!(ask(&mut client, &format!("GET {key}")), Reply::Bulk(format!("old{key}")));
    }
    client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    child.ends_well();
}

/// A server in this directory that takes its time to load, and a client of each protocol.
fn start_loading(directory: &Directory) -> (Process, Client, Client) {
    let (port, memcached_port) = (free_port(), free_port());
    let (path, ports) =
        (directory.path().display().to_string(), [port.to_string(), memcached_port.to_string()]);
    let words = [
        &["--port", &ports[0], "--memcached-port", &ports[1], "--dir", &path, "--bind", "127.0.0.1"][..],
        &["--key-load-delay", "100000"][..],
        &driver()[..],
    ]
    .concat();
    let address = |port| (std::net::Ipv4Addr::LOCALHOST, port).into();
    let child = Process(command(directory, &words).spawn().unwrap(), address(port));
    eventually("the server listens", || crate::client::connect(address(memcached_port)).is_ok());
    (child, Client::tcp(address(port)), Client::tcp(address(memcached_port)))
}

#[test]
fn clients_are_told_to_wait_while_keys_are_loaded() {
    let directory = Directory::new();
    let (child, mut client) = start_in(&directory);
    client.call(&["EVAL", "for i = 1, 3000 do redis.call('SET', i, i, 'PX', 1e9) end", "0"]);
    client.send(b"SHUTDOWN SAVE\r\n").unwrap();
    child.ends_well();
    let before = fs::read(directory.path().join("dump.rdb")).unwrap();

    let loading = Reply::Error("LOADING Redis is loading the dataset in memory".into());
    let (child, mut client, mut memcached) = start_loading(&directory);
    for request in ["PING", "GET 1", "SET 1 x", "DBSIZE", "EVAL x 0", "BGSAVE"] {
        assert_eq!(ask(&mut client, request), loading, "{request}");
    }
    assert_eq!(ask(&mut client, "MULTI"), ok());
    assert_eq!(ask(&mut client, "GET 1"), loading);
    assert!(matches!(ask(&mut client, "EXEC"), Reply::Error(line) if line.starts_with("EXECABORT ")));
    assert_eq!(client.info("loading"), 1);
    let total = client.info("loading_total_bytes");
    assert_eq!(total, before.len() as u64);
    assert!((0..=total).contains(&client.info("loading_loaded_bytes")));
    assert!(client.info("loading_start_time") > 0);
    let _ = client.info("loading_eta_seconds");
    memcached.send(b"get 1\r\nset 1 0 0 1 noreply\r\nx\r\nset 1 0 0 1\r\nx\r\nversion\r\n").unwrap();
    let lines: Vec<_> = (0..3).map(|_| memcached.line().unwrap()).collect();
    assert_eq!(lines[..2], ["SERVER_ERROR loading the dataset in memory"; 2]);
    assert!(lines[2].starts_with("VERSION "), "{lines:?}");
    assert!(!crate::server::said(&directory).contains("Ready to accept connections"));
    // Whoever ends it now loses nothing: it saves nothing.
    client.send(b"SHUTDOWN\r\n").unwrap();
    child.ends_well();
    let (child, _, _) = start_loading(&directory);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child.0), Signal::TERM).unwrap();
    child.ends_well();
    assert_eq!(fs::read(directory.path().join("dump.rdb")).unwrap(), before);

    let (child, mut client) = start_in(&directory);
    assert_eq!(ask(&mut client, "DBSIZE").integer(), 3000);
    assert_eq!(client.info("loading"), 0);
    client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    child.ends_well();
}
