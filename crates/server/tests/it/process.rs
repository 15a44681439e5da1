//! The process as those see it who keep it: its number, its directory, its signals, its supervisor.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::server::{Directory, Server, command, driver, eventually, free_port, wait};

/// The arguments of a server that is started without waiting for its log.
fn arguments<'a>(port: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--port", port, "--memcached-port", "0", "--bind", "127.0.0.1"], &driver()[..], more].concat()
}

#[test]
fn the_pid_file_lives_as_long_as_the_process() {
    let directory = Directory::new();
    let file = directory.file("larder.pid");
    let server = Server::start(&["--pidfile", &file]);
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", server.pid()));
    server.end();
    assert!(fs::metadata(&file).is_err(), "the file is left behind");
    let server = Server::start(&["--pidfile", "/nonexistent/larder.pid"]);
    assert!(server.log().contains("Failed to write PID file: No such file"), "{}", server.log());
    server.end();
}

#[test]
fn info_names_the_supervisor() {
    let directory = Directory::new();
    let (path, port) = (directory.file("notify"), free_port().to_string());
    let _socket = UnixDatagram::bind(&path).unwrap();
    let words = arguments(&port, &["--supervised", "systemd"]);
    let mut child = command(&directory, &words).env("NOTIFY_SOCKET", &path).spawn().unwrap();
    let address = ([127, 0, 0, 1], port.parse::<u16>().unwrap()).into();
    eventually("its port", || std::net::TcpStream::connect(address).is_ok());
    let mut client = Client::tcp(address);
    assert!(client.call(&["INFO", "server"]).text().contains("process_supervised:systemd"));
    client.send(b"SHUTDOWN\r\n").unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
}

#[test]
fn supervisors_that_are_not_there_are_missed() {
    for (who, line) in [
        ("systemd", "systemd supervision error: NOTIFY_SOCKET not found!"),
        ("upstart", "upstart supervision requested, but UPSTART_JOB not found!"),
    ] {
        let server = Server::start(&["--supervised", who]);
        assert!(server.log().contains(line), "{}", server.log());
        server.end();
    }
}

#[test]
fn upstart_sees_it_stop_itself() {
    let directory = Directory::new();
    let port = free_port().to_string();
    let words = arguments(&port, &["--supervised", "upstart"]);
    let mut child = command(&directory, &words).env("UPSTART_JOB", "larder").spawn().unwrap();
    let state = || fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    eventually("a stopped process", || state().rsplit(") ").next().unwrap().starts_with('T'));
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::CONT).unwrap();
    eventually("its port", || {
        std::net::TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).is_ok()
    });
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
}

#[test]
fn the_directory_may_change() {
    let (first, second) = (Directory::new(), Directory::new());
    let path = |directory: &Directory| fs::canonicalize(directory.path()).unwrap().display().to_string();
    let server = Server::start(&["--dir", &path(&first), "--enable-protected-configs", "yes"]);
    let mut client = server.client();
    let here = || fs::read_link(format!("/proc/{}/cwd", server.pid())).unwrap().display().to_string();
    assert_eq!(here(), path(&first));
    let mut given = || format!("{:?}", client.call(&["CONFIG", "GET", "dir"]));
    assert!(given().contains(&path(&first)));
    let mut client = server.client();
    let mut set = |dir: &str| client.call(&["CONFIG", "SET", "dir", dir]).text().to_owned();
    let relative = format!("../{}", second.path().file_name().unwrap().display());
    assert_eq!(set(&relative), "OK");
    assert_eq!(here(), path(&second));
    assert!(given().contains(&path(&second)), "a whole path");
    let refusal = "ERR CONFIG SET failed (possibly related to argument 'dir') - ";
    assert_eq!(set(""), format!("{refusal}dir can't be empty"));
    assert_eq!(set("/nonexistent"), format!("{refusal}No such file or directory"));
    assert_eq!(here(), path(&second));
    server.end();

    let directory = Directory::new();
    let mut child = command(&directory, &["--dir", "/nonexistent"]).spawn().unwrap();
    assert_eq!(wait(&mut child).code(), Some(1));
    let said = fs::read_to_string(directory.file("stderr")).unwrap();
    assert!(said.contains("/nonexistent") && said.contains("No such file or directory"), "{said}");
}

#[test]
fn sighup_means_nothing_and_sigusr1_the_end() {
    let mut server = Server::start(&[]);
    server.signal(Signal::HUP);
    assert_eq!(server.client().call(&["PING"]).text(), "PONG");
    server.signal(Signal::USR1);
    assert_eq!(server.wait().signal(), Some(Signal::USR1.as_raw()));
}

#[test]
fn a_refused_shutdown_says_why() {
    let server = Server::start(&[]);
    let mut client = server.client();
    // Nothing can be put in the place of a directory.
    let in_the_way = server.directory.path().join("dump.rdb");
    fs::create_dir(&in_the_way).unwrap();
    assert_eq!(client.call(&["SHUTDOWN", "SAVE"]).text(), "ERR Errors trying to SHUTDOWN. Check logs.");
    assert!(server.log().contains("can't exit"), "{}", server.log());
    fs::remove_dir(in_the_way).unwrap();
    assert_eq!(client.call(&["SHUTDOWN", "ABORT"]).text(), "ERR No shutdown in progress.");
    server.end();
}

#[test]
fn the_kernel_is_told_whom_to_kill_first() {
    let own: i32 = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
    let server =
        Server::start(&["--oom-score-adj", "relative", "--oom-score-adj-values", "10", "200", "800"]);
    let score = || -> i32 {
        fs::read_to_string(format!("/proc/{}/oom_score_adj", server.pid())).unwrap().trim().parse().unwrap()
    };
    assert_eq!(score(), (own + 10).min(1000));
    let mut client = server.client();
    assert!(format!("{:?}", client.call(&["CONFIG", "GET", "oom-score-adj"])).contains("\"yes\""));
    let mut set = |pairs: &[&str]| client.call(&[&["CONFIG", "SET"], pairs].concat()).text().to_owned();
    assert_eq!(set(&["oom-score-adj", "absolute", "oom-score-adj-values", "700 800 900"]), "OK");
    assert_eq!(score(), 700);
    assert_eq!(
        set(&["oom-score-adj-values", "1 2 3000"]),
        "ERR CONFIG SET failed (possibly related to argument 'oom-score-adj-values') - Invalid oom-score-adj-values, \
         elements must be between -2000 and 2000."
    );
    // Going back below the beginning is for privileged processes.
    assert_eq!(set(&["oom-score-adj", "no"]), "OK");
    assert_eq!(score(), own);
    // While the directive leaves it alone, others may change it, and what they made of it is what comes back.
    fs::write(format!("/proc/{}/oom_score_adj", server.pid()), (own + 1).to_string()).unwrap();
    assert_eq!(set(&["oom-score-adj-values", "5 6 7"]), "OK");
    assert_eq!(score(), own + 1);
    assert_eq!(set(&["oom-score-adj", "yes"]), "OK");
    assert_eq!(score(), own + 6);
    assert_eq!(set(&["oom-score-adj", "no"]), "OK");
    assert_eq!(score(), own + 1);
    server.end();
}

#[test]
fn a_crash_leaves_a_report_unless_it_is_not_wanted() {
    for (wanted, reported) in [("yes", true), ("no", false)] {
        let mut server = Server::start(&["--enable-debug-command", "yes", "--crash-log-enabled", wanted]);
        let mut client = server.client();
        assert_eq!(client.call(&["SET", "secret", "treasure"]).text(), "OK");
        client.send(b"DEBUG PANIC\r\n").unwrap();
        assert_eq!(server.wait().signal(), Some(Signal::ABORT.as_raw()));
        let log = fs::read_to_string(server.directory.file("stdout")).unwrap();
        for part in ["BUG REPORT START", "DEBUG PANIC was called", "worker-", "STACK TRACE", "BUG REPORT END"]
        {
            assert_eq!(log.contains(part), reported, "{part}: {log}");
        }
        assert!(!log.contains("treasure"), "{log}");
    }
}
