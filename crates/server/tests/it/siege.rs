//! The hostile run at full size: prints for each attack what it did to memory, files, clients and to a client that only wants to be
//! served. It asserts that the server survives, gets rid of the clients and answers; the figures are for a person to judge.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, connect, request};
use crate::damage::{Holdings, cpu_ticks, descriptors, resident};
use crate::server::{Server, eventually};

type Attack = (&'static str, fn(&Server));

const ATTACKS: &[Attack] = &[
    ("20,000 connects", connects),
    ("2,000 idle connections", idle),
    ("2,000 half requests of 512 MB", half_requests),
    ("pipeline of 100,000", pipeline),
    ("MSET of a million arguments", million),
    ("values of 100 MB", large_values),
    ("keys of 10 MB", large_keys),
    ("20 readers of 100 MB that never read", slow_readers),
    ("memcached: 500 values announced", memcached_values),
    ("2,000 clients killed in a storm", kills),
];

#[test]
#[ignore = "takes half a minute, and is for its figures"]
fn every_attack() {
    let server = Server::start(&["--maxclients", "15000", "--memcached-item-size-max", "64mb"]);
    let mut witness = server.client();
    eventually("one client", || witness.info("connected_clients") == 1);
    let begin = Holdings::of(&server, &mut witness);
    println!(
        "{:<40} {:>9} {:>11} {:>11} {:>4} {:>12}",
        "attack", "seconds", "used +KiB", "RSS +KiB", "fds", "worst PING"
    );
    for (name, attack) in ATTACKS {
        let started = Instant::now();
        let worst = with_bystander(&server, || attack(&server));
        let took = started.elapsed();
        eventually("clients gone", || witness.info("connected_clients") == 1);
        assert_eq!(witness.call(&["FLUSHALL", "SYNC"]).text(), "OK");
        thread::sleep(Duration::from_millis(300));
        let now = Holdings::of(&server, &mut witness);
        assert_eq!(now.descriptors, begin.descriptors, "{name}");
        println!(
            "{name:<40} {:>9.2} {:>11} {:>11} {:>4} {:>9.2} ms",
            took.as_secs_f64(),
            kib(now.used, begin.used),
            kib(now.resident, begin.resident),
            now.descriptors,
            worst.as_secs_f64() * 1e3,
        );
    }
    server.end();
}

#[test]
#[ignore = "takes ten seconds, and is for its figures"]
fn cost_of_being_idle() {
    let server = Server::start(&["--maxclients", "15000"]);
    let mut witness = server.client();
    witness.call(&["PING"]);
    let ticks = cpu_ticks(&server);
    thread::sleep(Duration::from_secs(10));
    println!("idle: {} ticks of 10 ms in 10 s", cpu_ticks(&server) - ticks);
    let count = 9500;
    let before = Holdings::of(&server, &mut witness);
    let mut sockets: Vec<TcpStream> = Vec::new();
    for _ in 0..count {
        sockets.push(connect(server.address()).unwrap());
    }
    eventually("all", || witness.info("connected_clients") > count);
    let silent = Holdings::of(&server, &mut witness);
    for socket in &mut sockets {
        socket.write_all(b"PING\r\n").unwrap();
    }
    eventually("all", || witness.info("total_commands_processed") > count);
    thread::sleep(Duration::from_millis(500));
    let used = Holdings::of(&server, &mut witness);
    for (name, now) in [("silent", silent), ("after a PING", used)] {
        println!(
            "{count} connections, {name}: {} bytes of used_memory and {} of RSS each",
            (now.used - before.used) / count,
            (now.resident - before.resident) / count,
        );
    }
    let ticks = cpu_ticks(&server);
    thread::sleep(Duration::from_secs(5));
    println!("with them: {} ticks of 10 ms in 5 s", cpu_ticks(&server) - ticks);
    server.end();
}

fn kib(now: u64, before: u64) -> i64 {
    (now as i64 - before as i64) / 1024
}

/// The longest that another client waited for an answer meanwhile.
fn with_bystander(server: &Server, attack: impl FnOnce()) -> Duration {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let bystander = scope.spawn(|| {
            // One on each worker.
            let mut clients = [server.client(), server.client()];
            let mut worst = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                for client in &mut clients {
                    let asked = Instant::now();
                    client.call(&["GET", "nothing"]);
                    worst = worst.max(asked.elapsed());
                }
                thread::sleep(Duration::from_millis(1));
            }
            worst
        });
        attack();
        over.store(true, Ordering::Relaxed);
        bystander.join().unwrap()
    })
}

fn connects(server: &Server) {
    for _ in 0..10_000 {
        drop(TcpStream::connect(server.address()).unwrap());
        drop(TcpStream::connect(server.memcached_address()).unwrap());
    }
}

fn idle(server: &Server) {
    let mut clients: Vec<Client> = (0..2000).map(|_| server.client()).collect();
    for client in &mut clients {
        client.call(&["PING"]);
    }
    assert!(descriptors(server) > 2000);
}

fn half_requests(server: &Server) {
    let mut clients: Vec<Client> = (0..2000).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nbeginning").unwrap();
    }
    thread::sleep(Duration::from_millis(500));
    println!("    RSS meanwhile: {} KiB", resident(server) / 1024);
}

fn pipeline(server: &Server) {
    let mut client = server.client();
    let bytes = request(&["INCR", "counter"]).repeat(100_000);
    let mut other = TcpStream::connect(server.address()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| other.write_all(&bytes).unwrap());
        client.send(&bytes).unwrap();
        for _ in 0..100_000 {
            client.reply().unwrap().integer();
        }
    });
}

fn million(server: &Server) {
    let mut bytes = b"*1000001\r\n$4\r\nMSET\r\n".to_vec();
    for number in 0..500_000 {
        bytes.extend_from_slice(format!("$8\r\nk{number:07}\r\n$1\r\nv\r\n").as_bytes());
    }
    let mut client = server.client();
    assert_eq!(client.try_call(&bytes).unwrap().text(), "OK");
    assert_eq!(client.call(&["DBSIZE"]).integer(), 500_000);
}

fn large_values(server: &Server) {
    let value = "v".repeat(100_000_000);
    let mut client = server.client();
    for key in ["a", "b"] {
        assert_eq!(client.call(&["SET", key, &value]).text(), "OK");
    }
    assert_eq!(client.call(&["GET", "a"]).text().len(), value.len());
    assert_eq!(client.call(&["APPEND", "a", &value]).integer(), 200_000_000);
}

fn large_keys(server: &Server) {
    let mut client = server.client();
    for letter in ["a", "b", "c"] {
        let key = letter.repeat(10_000_000);
        assert_eq!(client.call(&["SET", &key, "v", "EX", "100"]).text(), "OK");
        assert_eq!(client.call(&["GET", &key]).text(), "v");
        assert_eq!(client.call(&["RENAME", &key, "short"]).text(), "OK");
    }
}

fn slow_readers(server: &Server) {
    let mut client = server.client();
    client.call(&["SETRANGE", "large", "99999999", "x"]);
    let mut readers: Vec<Client> = (0..20).map(|_| server.client()).collect();
    for reader in &mut readers {
        reader.send(&request(&["GET", "large"]).repeat(3)).unwrap();
    }
    thread::sleep(Duration::from_secs(1));
    println!("    RSS meanwhile: {} KiB", resident(server) / 1024);
    client.call(&["SET", "large", "small"]);
}

fn memcached_values(server: &Server) {
    let mut clients: Vec<Client> = (0..500).map(|_| server.memcached()).collect();
    for client in &mut clients {
        client.send(b"set k 0 0 60000000\r\nbeginning").unwrap();
    }
    thread::sleep(Duration::from_millis(500));
    println!("    RSS meanwhile: {} KiB", resident(server) / 1024);
}

fn kills(server: &Server) {
    for _ in 0..4 {
        let mut clients: Vec<Client> = (0..500).map(|_| server.client()).collect();
        for client in &mut clients {
            client.send(&request(&["SET", "k", "v"]).repeat(50)).unwrap();
            client.send(b"*2\r\n$3\r\nGET\r\n$1").unwrap();
        }
        let mut addresses = server.client();
        for id in addresses.call(&["CLIENT", "LIST"]).text().lines().filter(|line| line.contains("cmd=set")) {
            let id = id.split([' ', '=']).nth(1).unwrap();
            addresses.call(&["CLIENT", "KILL", "ID", id]);
        }
    }
}
