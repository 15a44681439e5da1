//! The binary under the names of those it stands in for, and as a daemon.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::client::{Client, connect};
use crate::server::{Directory, command, command_named, driver, eventually, free_port, said, wait};

/// Runs it to its end; what it said, and how it ended.
fn outcome(directory: &Directory, mut command: Command) -> (String, Option<i32>) {
    let code = wait(&mut command.spawn().unwrap()).code();
    (said(directory), code)
}

fn served(directory: &Directory, mut command: Command) -> Child {
    let child = command.spawn().unwrap();
    eventually("the server serves", || said(directory).contains("Ready to accept connections"));
    child
}

fn end(mut child: Child) {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
}

#[test]
fn each_name_has_its_version_and_its_help() {
    for (name, option, expected) in [
        ("redis-server", "--version", "Redis server v=7.2.4 sha=00000000:0 malloc="),
        ("valkey-server", "-v", "Redis server v=7.2.4 "),
        ("valkey-server", "-h", "Usage: valkey-server"),
        ("memcached", "-V", "memcached 1.6."),
        ("memcached", "--help", "-p, --port <value>"),
    ] {
        let directory = Directory::new();
        let (said, code) = outcome(&directory, command_named(name, &directory, &[option]));
        assert!(said.contains(expected) && code == Some(0), "{name} {option}: {said}");
    }
}

#[test]
fn what_is_not_there_is_refused_in_words() {
    for (name, words, reason) in [
        ("redis-sentinel", &["sentinel.conf"][..], "There is no sentinel in Larder"),
        ("larder", &["redis.conf", "--sentinel"], "There is no sentinel in Larder"),
        ("larder", &["--test-memory", "100"], "does not test memory"),
        ("larder", &["--check-system"], "no check of the system"),
        ("memcached", &["-q"], "memcached: invalid option -- 'q'"),
        ("memcached", &["-Z"], "-Z: there is no TLS yet"),
    ] {
        let directory = Directory::new();
        let (said, code) = outcome(&directory, command_named(name, &directory, words));
        assert!(said.contains(reason) && code == Some(1), "{name} {words:?}: {said}");
    }
}

#[test]
fn as_memcached_it_opens_its_port_only() {
    let directory = Directory::new();
    let (port, pid_file) = (free_port().to_string(), directory.file("pid"));
    let line = format!("-l 127.0.0.1 -p {port} -P {pid_file} -t2 -m 32 -U0 -C -F -o modern,hashpower=9");
    let words: Vec<_> = line.split(' ').collect();
    let child = served(&directory, command_named("memcached", &directory, &words));
    let log = said(&directory);
    assert!(log.contains("-C changes nothing: ") && log.contains("-o hashpower changes nothing: "), "{log}");
    assert!(!log.contains("Serving RESP") && !log.contains("tcp on port"), "{log}");
    let mut client = Client::tcp(([127, 0, 0, 1], port.parse().unwrap()).into());
    client.send(b"set key 0 0 5\r\nvalue\r\nflush_all noreply\r\nflush_all\r\nget key\r\n").unwrap();
    let replies: Vec<_> = (0..5).map(|_| client.line().unwrap()).collect();
    assert_eq!(replies, ["STORED", "CLIENT_ERROR flush_all not allowed", "VALUE key 0 5", "value", "END"]);
    assert_eq!(fs::read_to_string(&pid_file).unwrap().trim(), child.id().to_string());
    end(child);
    assert!(fs::metadata(&pid_file).is_err());
}

#[test]
fn as_memcached_it_serves_on_a_socket_file_instead() {
    let directory = Directory::new();
    let socket = directory.file("memcached.socket");
    let child =
        served(&directory, command_named("memcached", &directory, &["-s", &socket, "-a", "0750", "-t", "1"]));
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o750);
    let mut client = Client::unix(&socket);
    client.send(b"version\r\n").unwrap();
    assert!(client.line().unwrap().starts_with("VERSION 1.6."));
    end(child);
    assert!(fs::metadata(&socket).is_err());
}

#[test]
fn as_redis_it_opens_one_port_and_reads_what_is_piped_in() {
    let directory = Directory::new();
    let port = free_port();
    let option = port.to_string();
    fs::write(directory.file("redis.conf"), "timeout 1\nhz 11\n").unwrap();
    let words = [&["redis.conf", "--port", &option, "--bind", "127.0.0.1"], &driver()[..], &["-"]].concat();
    let mut starting = command_named("redis-server", &directory, &words);
    let mut child = starting.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"timeout 2\nrename-command PING PONG\n").unwrap();
    eventually("the server serves", || said(&directory).contains("Ready to accept connections"));
    let mut client = Client::tcp(([127, 0, 0, 1], port).into());
    for (name, value) in [("timeout", "2"), ("hz", "11"), ("memcached-port", "0")] {
        let reply = format!("{:?}", client.call(&["CONFIG", "GET", name]));
        assert!(reply.contains(&format!("Bulk(\"{value}\")")), "{reply}");
    }
    assert_eq!(client.call(&["PONG"]).text(), "PONG");
    end(child);
}

#[test]
fn as_redis_it_leaves_memcached_out_of_its_file() {
    let directory = Directory::new();
    let (port, file) = (free_port().to_string(), directory.file("redis.conf"));
    fs::write(&file, "timeout 1\n").unwrap();
    let words = [&["redis.conf", "--port", &port, "--bind", "127.0.0.1"], &driver()[..]].concat();
    let child = served(&directory, command_named("redis-server", &directory, &words));
    let mut client = Client::tcp(([127, 0, 0, 1], port.parse().unwrap()).into());
    let written = |client: &mut Client| {
        assert_eq!(client.call(&["CONFIG", "REWRITE"]).text(), "OK");
        fs::read_to_string(&file).unwrap()
    };
    let text = written(&mut client);
    assert!(text.starts_with("timeout 1\n") && !text.contains("memcached"), "{text}");
    let memcached = free_port().to_string();
    assert_eq!(client.call(&["CONFIG", "SET", "memcached-port", &memcached]).text(), "OK");
    assert!(written(&mut client).contains(&format!("\nmemcached-port {memcached}\n")));
    end(child);
}

#[test]
fn a_check_reports_and_opens_nothing() {
    let directory = Directory::new();
    let port = free_port();
    fs::write(directory.file("good.conf"), format!("port {port}\nio-threads 4\nlogfile here.log\n")).unwrap();
    fs::write(directory.file("bad.conf"), "include good.conf\n\nrename-command NOSUCH x\n").unwrap();
    let (said, code) = outcome(&directory, command(&directory, &["good.conf", "--check-config"]));
    assert!(said.contains("good.conf is good") && said.contains("Without effect: io-threads"), "{said}");
    assert_eq!(code, Some(0));
    assert!(fs::metadata(directory.file("here.log")).is_err());
    assert!(connect(([127, 0, 0, 1], port).into()).is_err());
    let (said, code) = outcome(&directory, command(&directory, &["--check-config", "bad.conf", "--hz", "1"]));
    for part in [
        "FATAL CONFIG FILE ERROR",
        "at line 3 of bad.conf",
        ">>> 'rename-command NOSUCH x'",
        "No such command",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(code, Some(1));
}

#[test]
fn a_daemon_goes_on_alone_and_leaves_no_pid_file() {
    let directory = Directory::new();
    let (pid_file, socket, log) = (directory.file("pid"), directory.file("socket"), directory.file("log"));
    let words = [
        &[
            "--daemonize",
            "yes",
            "--pidfile",
            &pid_file,
            "--unixsocket",
            &socket,
            "--port",
            "0",
            "--logfile",
            &log,
        ],
        &["--memcached-port", "0", "--worker-threads", "1"][..],
        &driver(),
    ]
    .concat();
    let (said, code) = outcome(&directory, command(&directory, &words));
    assert_eq!((said.as_str(), code), ("", Some(0)));
    eventually("the daemon serves", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("Ready to accept"))
    });
    assert_eq!(Client::unix(&socket).call(&["PING"]).text(), "PONG");
    let pid = Pid::from_raw(fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    eventually("the daemon ends", || test_kill_process(pid).is_err() || fs::metadata(&pid_file).is_err());
    assert!(fs::read_to_string(&log).unwrap().contains("bye bye"));
}

#[test]
fn who_cannot_become_a_daemon_says_so_before() {
    let directory = Directory::new();
    let words = ["--daemonize", "yes", "--logfile", "/dev/null/log", "--port", "0"];
    let (said, code) = outcome(&directory, command(&directory, &words));
    assert!(
        said.contains("FATAL CONFIG FILE ERROR")
            && said.contains("Can't open the log file /dev/null/log: Not a dir"),
        "{said}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn root_becomes_who_it_is_told_to() {
    if !rustix::process::getuid().is_root() {
        // Nobody else can.
        return;
    }
    let directory = Directory::new();
    let port = free_port().to_string();
    let words = ["-l", "127.0.0.1", "-p", &port, "-t", "1", "-u", "nobody"];
    let child = served(&directory, command_named("memcached", &directory, &words));
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let ids = |field| status.lines().find_map(|line| line.strip_prefix(field)).unwrap().split_whitespace();
    assert!(ids("Uid:").chain(ids("Gid:")).all(|id| id != "0"), "{status}");
    end(child);
    let (said, code) = outcome(&directory, command_named("memcached", &directory, &["-u", "no such user"]));
    assert!(said.contains("can't find the user no such user to switch to") && code == Some(1), "{said}");
}

#[test]
fn systemd_is_told_when_it_serves_and_when_it_ends() {
    let directory = Directory::new();
    let notified = directory.file("notify");
    let socket = UnixDatagram::bind(&notified).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let port = free_port().to_string();
    let words = [
        &["--supervised", "auto", "--daemonize", "yes", "--port", &port],
        &["--memcached-port", "0"][..],
        &driver(),
    ]
    .concat();
    let mut starting = command(&directory, &words);
    let child = starting.env("NOTIFY_SOCKET", &notified).spawn().unwrap();
    let next = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert!(next().contains("READY=1"));
    end(child);
    assert!(next().contains("STOPPING=1"));
}
