//! A running server, and what can be seen of it from outside.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;

/// How long a server may take to start or to end before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory of its own, removed with everything in it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("larder-it-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server; ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) memcached_port: u16,
    pub(crate) directory: Directory,
}

/// The words that make a server use the driver that is under test. Where there is no io_uring, nothing is: the process says so
/// and ends.
pub(crate) fn driver() -> [&'static str; 2] {
    static TO_BE_HAD: OnceLock<bool> = OnceLock::new();
    let words = ["--io-uring", crate::IO_URING];
    let to_be_had = TO_BE_HAD.get_or_init(|| {
        let directory = Directory::new();
        let arguments = [&words[..], &["--port", "0", "--memcached-port", "0"]].concat();
        wait(&mut command(&directory, &arguments).spawn().unwrap());
        let said = said(&directory);
        let missing = said.contains("io_uring is not to be had here");
        if missing {
            // Not captured, as what is printed is.
            let _ = writeln!(std::io::stderr(), "SKIPPED, all of it: {said}");
        }
        !missing
    });
    if !to_be_had {
        std::process::exit(0);
    }
    words
}

/// The binary with these arguments, its output in files of this directory.
pub(crate) fn command(directory: &Directory, arguments: &[&str]) -> Command {
    program(directory, &binary(), arguments)
}

/// The binary under another name, to which it listens.
pub(crate) fn command_named(name: &str, directory: &Directory, arguments: &[&str]) -> Command {
    let link = directory.path().join(name);
    let _ = std::os::unix::fs::symlink(binary(), &link);
    program(directory, &link, arguments)
}

fn binary() -> PathBuf {
    std::env::var_os("LARDER").unwrap_or_else(|| env!("CARGO_BIN_EXE_larder").into()).into()
}

fn program(directory: &Directory, path: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    let output = |name| Stdio::from(fs::File::create(directory.file(name)).unwrap());
    command.args(arguments).current_dir(directory.path()).stdin(Stdio::null());
    command.stdout(output("stdout")).stderr(output("stderr"));
    command
}

/// What a process whose output is in this directory has said so far, in a log file of this name, too.
pub(crate) fn said(directory: &Directory) -> String {
    let read = |name| fs::read_to_string(directory.file(name)).unwrap_or_default();
    ["stdout", "stderr", "larder.log"].map(read).concat()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Server {
    /// Starts a server with two workers and these directives, and waits until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        // Another process may take a port between the choice and its use.
        for _ in 0..5 {
            let (port, memcached_port) = (free_port(), free_port());
            let ports = [port.to_string(), memcached_port.to_string()];
            let mut all = vec!["--port", &ports[0], "--memcached-port", &ports[1], "--bind", "127.0.0.1"];
            if !arguments.contains(&"--worker-threads") {
                all.extend(["--worker-threads", "2"]);
            }
            all.extend(driver());
            all.extend(arguments);
            let directory = Directory::new();
            let child = command(&directory, &all).spawn().unwrap();
            let mut server = Server { child, port, memcached_port, directory };
            if server.comes_up() {
                return server;
            }
            assert!(server.log().contains("Address already in use"), "{}", server.log());
        }
        panic!("every port chosen was taken");
    }

    /// Waits until it serves; false when the process ended instead.
    fn comes_up(&mut self) -> bool {
        let limit = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            // Its ports are bound by then.
            if self.log().contains("Ready to accept connections") {
                return true;
            }
            assert!(Instant::now() < limit, "the server does not come up: {}", self.log());
            sleep(Duration::from_millis(5));
        }
        false
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn memcached_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.memcached_port).into()
    }

    /// A client that speaks RESP.
    pub(crate) fn client(&self) -> Client {
        Client::tcp(self.address())
    }

    /// A client that speaks memcached's protocols.
    pub(crate) fn memcached(&self) -> Client {
        Client::tcp(self.memcached_address())
    }

    /// What it has written to standard output and standard error, and to a log file of this name.
    pub(crate) fn log(&self) -> String {
        said(&self.directory)
    }

    /// The number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the server runs");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_or_kill().unwrap_or_else(|| panic!("the server does not end: {}", self.log()))
    }

    /// Waits for its end; none when it had to be killed.
    pub(crate) fn wait_or_kill(&mut self) -> Option<ExitStatus> {
        ended(&mut self.child)
    }

    /// Ends it by SIGTERM and checks that nothing went wrong in its life.
    pub(crate) fn end(self) {
        self.end_with(|_| {});
    }

    /// The same, with a look at what it wrote.
    pub(crate) fn end_with(mut self, look: impl FnOnce(&str)) {
        self.signal(Signal::TERM);
        let status = self.wait();
        let log = self.log();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        look(&log);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the end of a process.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    ended(child).expect("the process ends")
}

/// Waits for the end of a process, and kills it when it does not come.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    let limit = Instant::now() + PATIENCE;
    while Instant::now() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < limit, "in vain: {what}");
        sleep(Duration::from_millis(10));
    }
}
