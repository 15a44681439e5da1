//! How the binary is called, and what it says when it cannot serve.

use std::fs;

use crate::client::Client;
use crate::server::{Directory, Server, command, free_port, wait};

/// What a process that does not serve says and how it ends.
struct Outcome {
    code: Option<i32>,
    output: String,
    complaint: String,
}

fn outcome(directory: &Directory, arguments: &[&str]) -> Outcome {
    let status = wait(&mut command(directory, arguments).spawn().unwrap());
    let read = |name| fs::read_to_string(directory.file(name)).unwrap();
    Outcome { code: status.code(), output: read("stdout"), complaint: read("stderr") }
}

/// Checks that a server does not start with these arguments and says why.
fn fails(directory: &Directory, arguments: &[&str], reasons: &[&str]) {
    let outcome = outcome(directory, arguments);
    let said = outcome.output + &outcome.complaint;
    assert_eq!(outcome.code, Some(1), "{arguments:?}: {said}");
    for reason in reasons {
        assert!(said.contains(reason), "{arguments:?} says {said:?}, not {reason:?}");
    }
    assert!(!said.contains("Ready to accept"), "{arguments:?} claims to serve: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
}

#[test]
fn help_and_version_are_printed() {
    let directory = Directory::new();
    for form in ["--version", "-v", "-V"] {
        let outcome = outcome(&directory, &[form]);
        assert_eq!(outcome.code, Some(0));
        assert_eq!(outcome.output.trim(), format!("larder {}", env!("CARGO_PKG_VERSION")));
    }
    for form in ["--help", "-h"] {
        let outcome = outcome(&directory, &[form]);
        assert_eq!(outcome.code, Some(0));
        assert!(outcome.output.contains("Usage: larder"), "{}", outcome.output);
    }
}

#[test]
fn options_win_over_the_file() {
    let directory = Directory::new();
    let file = directory.file("larder.conf");
    fs::write(&file, "timeout 7\nmaxclients 55\nincludes-nothing").unwrap();
    fails(&directory, &[&file], &["line 3", "includes-nothing", "Bad directive"]);
    fs::write(&file, "timeout 7\nmaxclients 55\n").unwrap();
    let (port, socket) = (free_port().to_string(), directory.file("socket"));
    let arguments =
        [&file, "--port", &port, "--memcached-port", "0", "--maxclients", "66", "--unixsocket", &socket];
    let mut child = command(&directory, &arguments).spawn().unwrap();
    crate::server::eventually("the socket", || fs::metadata(&socket).is_ok());
    let mut client = Client::unix(&socket);
    let setting = |client: &mut Client, name: &str| format!("{:?}", client.call(&["CONFIG", "GET", name]));
    assert!(setting(&mut client, "timeout").contains("\"7\""));
    assert!(setting(&mut client, "maxclients").contains("\"66\""));
    client.send(b"SHUTDOWN\r\n").unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
}

#[test]
fn mistakes_in_settings_are_named() {
    let directory = Directory::new();
    fails(&directory, &["absent.conf"], &["can't open config file", "absent.conf"]);
    fails(&directory, &["--portt", "5"], &["portt", "Bad directive or wrong number of arguments"]);
    fails(&directory, &["--port", "abc"], &["port \"abc\"", "argument couldn't be parsed into an integer"]);
    fails(&directory, &["--port", "65536"], &["port", "65535"]);
    fails(&directory, &["--port"], &["wrong number of arguments"]);
    let file = directory.file("bytes.conf");
    fs::write(&file, [0xff, 0xfe, 0, b'\n']).unwrap();
    fails(&directory, &[&file], &["bytes.conf"]);
    fails(&directory, &["--logfile", "/dev/null/log"], &["log file", "/dev/null/log"]);
}

#[test]
fn addresses_that_cannot_be_had_are_named() {
    let directory = Directory::new();
    let port = free_port().to_string();
    let with = |bind| ["--port", &port, "--memcached-port", "0", "--bind", bind].map(str::to_owned);
    // An address that no machine has.
    for (address, reason) in [("192.0.2.1", "192.0.2.1:"), ("nonsense", "nonsense:")] {
        let arguments = with(address);
        fails(&directory, &arguments.each_ref().map(String::as_str), &["listening socket", reason]);
    }
    let socket = directory.file("absent/socket");
    let arguments = ["--port", "0", "--memcached-port", "0", "--unixsocket", &socket];
    fails(&directory, &arguments, &["Opening Unix socket", "absent/socket"]);
    fails(&directory, &["--port", &port, "--memcached-port", &port], &["Address already in use", &port]);
}

#[test]
fn nothing_to_listen_on_is_a_mistake() {
    let arguments = ["--port", "0", "--memcached-port", "0"];
    fails(&Directory::new(), &arguments, &["Configured to not listen anywhere"]);
}

#[test]
fn a_second_server_on_the_same_port_says_so() {
    let first = Server::start(&[]);
    let directory = Directory::new();
    let port = first.port.to_string();
    let arguments = ["--port", &port, "--memcached-port", "0", "--bind", "127.0.0.1"];
    fails(&directory, &arguments, &["127.0.0.1", &port, "Address already in use"]);
    assert_eq!(first.client().call(&["PING"]).text(), "PONG");
    first.end();
}

#[test]
fn the_log_says_what_is_served() {
    let server = Server::start(&[]);
    let log = server.log();
    for line in [
        format!("PID: {}", server.pid()),
        "2 workers, 16 databases".to_owned(),
        format!("* Running mode=standalone, port={}.\n", server.port),
        "* Server initialized\n".to_owned(),
        "* Ready to accept connections tcp\n".to_owned(),
        "* Ready to accept connections memcached\n".to_owned(),
    ] {
        assert!(log.contains(&line), "{line:?} is not in {log}");
    }
    server.end();
}

/// Command lines with which no server starts: what is wrong with them is said in the peer's words.
#[test]
fn mistakes_are_told_as_redis_server_tells_them() {
    const LINES: &[&[&str]] = &[
        &["--port", "x"],
        &["--port"],
        &["--port", "1", "2"],
        &["--bogus"],
        &["-port", "1"],
        &["--port=7000"],
        &["--port 7000 --hz x"],
        &["--timeout", "1", "--hz", "x"],
        &["--save", "x"],
        &["--save", "1 2 3"],
        &["--requirepass", "a b", "c"],
        &["--requirepass 'a"],
        &["--client-output-buffer-limit", "foo 1 2 3"],
        &["--dir", "/nonexistent"],
        &["--rename-command", "nosuch", "x"],
        &["--rename-command", "get", "set"],
        &["--rename-command", "get"],
        &["--user"],
        &["--shutdown-on-sigterm"],
        &["--supervised", "x"],
        &["--port", "--"],
        &["its.conf", "--hz"],
    ];
    let directory = Directory::new();
    fs::write(directory.file("its.conf"), "timeout 3\n").unwrap();
    let last = |text: &str| text.lines().rev().take(2).map(str::to_owned).collect::<Vec<_>>();
    for words in LINES {
        let mut redis = std::process::Command::new("redis-server");
        let Ok(theirs) = redis.args(*words).current_dir(directory.path()).output() else {
            println!("skipped: redis-server is not installed");
            return;
        };
        let ours = outcome(&directory, words);
        assert_eq!(last(&ours.complaint), last(&String::from_utf8_lossy(&theirs.stderr)), "{words:?}");
        assert_eq!(ours.code, theirs.status.code(), "{words:?}");
    }
}
