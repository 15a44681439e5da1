//! The servers: where each is found, how each is started so that all are alike, and how all are ended.
//!
//! Alike means: one worker thread, on one CPU of its own, no persistence, the same memory limit with writes refused
//! rather than keys evicted beyond it, room for the same number of connections, and each server's own defaults for
//! everything else.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::control::Control;
use crate::interrupt;
use crate::wire::Wire;

/// Memory each server may use; no work comes near it.
const MEMORY_MEBIBYTES: u32 = 10 * 1024;

/// Connections each server has to accept.
const CONNECTIONS_MAX: u32 = 12_000;

/// How long a server may take until it answers.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// A kind of server, with the mode it is driven in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// This project's server, on its RESP port.
    Larder,
    /// The same, on its memcached port.
    LarderMemcached,
    /// redis-server.
    Redis,
    /// valkey-server.
    Valkey,
    /// memcached.
    Memcached,
    /// pogocache with io_uring.
    PogocacheUring,
    /// pogocache with epoll.
    PogocacheEpoll,
}

impl Kind {
    /// The name a server of this kind has in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Larder => "larder",
            Self::LarderMemcached => "larder-memcached",
            Self::Redis => "redis",
            Self::Valkey => "valkey",
            Self::Memcached => "memcached",
            Self::PogocacheUring => "pogocache-uring",
            Self::PogocacheEpoll => "pogocache-epoll",
        }
    }

    /// The protocol it is driven in.
    pub(crate) fn wire(self) -> Wire {
        match self {
            Self::LarderMemcached | Self::Memcached => Wire::MemcachedText,
            _ => Wire::Resp,
        }
    }

    /// Whether it has collections.
    pub(crate) fn has_collections(self) -> bool {
        matches!(self, Self::Larder | Self::Redis | Self::Valkey)
    }

    fn program(self) -> &'static str {
        match self {
            Self::Larder | Self::LarderMemcached => "larder",
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
            Self::Memcached => "memcached",
            Self::PogocacheUring | Self::PogocacheEpoll => "pogocache",
        }
    }
}

/// A server that can be started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Its name in tables.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// The program.
    pub(crate) program: PathBuf,
    /// Arguments given by the user, after ours.
    pub(crate) extra_arguments: Vec<String>,
    /// What the program says of itself.
    pub(crate) version: String,
}

/// A program as given on the command line: `[NAME=]PATH [ARGUMENT ...]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    name: Option<String>,
    program: PathBuf,
    arguments: Vec<String>,
}

impl std::str::FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace().map(str::to_owned);
        let first = words.next().ok_or("a path is missing")?;
        let (name, program) = match first.split_once('=') {
            Some((name, program)) if !name.contains('/') => (Some(name.to_owned()), program.into()),
            _ => (None, first.into()),
        };
        Ok(Self { name, program, arguments: words.collect() })
    }
}

impl Peer {
    /// The servers of `kinds` from what was given, or else from PATH; a kind found nowhere is left out.
    pub(crate) fn find(kinds: &[Kind], given: &[Given]) -> Result<Vec<Self>> {
        let found: Vec<Given> = match (given, kinds.first().and_then(|kind| on_path(kind.program()))) {
            ([], None) => return Ok(Vec::new()),
            ([], Some(program)) => vec![Given { name: None, program, arguments: Vec::new() }],
            (given, _) => given.to_vec(),
        };
        let mut peers = Vec::new();
        for one in &found {
            // Not resolved further: a Redis binary decides by the name it is called by what it is.
            let program = std::path::absolute(&one.program)?;
            ensure!(program.is_file(), "{} is no program", program.display());
            let version = version_line(&program)?;
            for &kind in kinds {
                // Both modes of one given program carry its name, and differ in the mode.
                let mode = kind.name().strip_prefix(kinds[0].program());
                let name = match (&one.name, mode) {
                    (None, _) => kind.name().to_owned(),
                    (Some(name), Some(mode)) => format!("{name}{mode}"),
                    (Some(name), None) => name.clone(),
                };
                peers.push(Self {
                    name,
                    kind,
                    program: program.clone(),
                    extra_arguments: one.arguments.clone(),
                    version: version.clone(),
                });
            }
        }
        Ok(peers)
    }

    fn arguments(&self, port: u16, other_port: u16, directory: &Path) -> Vec<String> {
        let text = match self.kind {
            Kind::Larder => format!("--port {port} --memcached-port {other_port} --worker-threads 1"),
            Kind::LarderMemcached => {
                format!("--port {other_port} --memcached-port {port} --worker-threads 1")
            }
            Kind::Redis | Kind::Valkey => format!("--port {port} --io-threads 1 --daemonize no"),
            Kind::Memcached => format!(
                "-l 127.0.0.1 -p {port} -U 0 -t 1 -m {MEMORY_MEBIBYTES} -M -c {CONNECTIONS_MAX}{}",
                // memcached will not run as root unless told to.
                if rustix::process::geteuid().is_root() { " -u root" } else { "" }
            ),
            Kind::PogocacheUring | Kind::PogocacheEpoll => format!(
                "-h 127.0.0.1 -p {port} --threads 1 --maxmemory {MEMORY_MEBIBYTES}mb --evict no \
                 --maxconns {CONNECTIONS_MAX} --uring {}",
                if self.kind == Kind::PogocacheUring { "yes" } else { "no" }
            ),
        };
        let mut arguments: Vec<String> = text.split(' ').map(str::to_owned).collect();
        if matches!(self.kind, Kind::Larder | Kind::LarderMemcached | Kind::Redis | Kind::Valkey) {
            let common = format!(
                "--bind 127.0.0.1 --appendonly no --maxmemory {MEMORY_MEBIBYTES}mb --maxmemory-policy noeviction \
                 --maxclients {CONNECTIONS_MAX}"
            );
            arguments.extend(common.split(' ').map(str::to_owned));
            arguments.extend(["--save".to_owned(), String::new()]);
            arguments.extend(["--dir".to_owned(), directory.display().to_string()]);
        }
        arguments.extend_from_slice(&self.extra_arguments);
        arguments
    }
}

/// A running server. Dropping it ends the process and removes its directory.
pub(crate) struct Server {
    /// What runs.
    pub(crate) peer: Peer,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How it was started, without the pinning.
    pub(crate) command_line: String,
    process: Guarded,
    directory: TempDir,
}

impl Server {
    /// Starts `peer` on the CPUs of the list `cpus` and waits until it answers.
    pub(crate) fn start(peer: &Peer, cpus: &str) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("larder-load-").tempdir()?;
        let (port, other_port) = free_ports()?;
        let arguments = peer.arguments(port, other_port, directory.path());
        let log = File::create(directory.path().join("server.log"))?;
        // Both wrappers replace themselves by the server, so the child's process id is the server's. The
        // parent-death signal takes the server along even if this program is killed outright.
        let child = Command::new("taskset")
            .args(["-c", cpus, "setpriv", "--pdeathsig", "KILL"])
            .arg(&peer.program)
            .args(&arguments)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("taskset could not be run")?;
        let command_line = format!("{} {}", peer.program.display(), quoted(&arguments));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server =
            Self { peer: peer.clone(), address, command_line, process: Guarded(child), directory };
        server.wait_until_ready().with_context(|| format!("{} did not start", peer.name))?;
        Ok(server)
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// A connection for commands outside the measured load.
    pub(crate) fn control(&self) -> Result<Control> {
        Control::connect(self.address, self.peer.kind.wire())
    }

    /// An error that says why, if the server has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        let Some(status) = self.process.0.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(self.directory.path().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        bail!("it ended ({status}): {}", lines[lines.len().saturating_sub(5)..].join(" | "));
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_TIME_MAX;
        loop {
            self.check_alive()?;
            match self.control().and_then(|mut control| control.ping()) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => interrupt::sleep(Duration::from_millis(20))?,
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {}", self.peer.name, self.address)
    }
}

/// A child process that does not outlive its owner.
pub(crate) struct Guarded(pub(crate) Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only when the process has already ended and been waited for, which is the aim.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program `name` in one of PATH's directories.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// The first line a program prints when asked for its version.
pub(crate) fn version_line(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} could not be run", program.display()))?;
    let printed = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let first = String::from_utf8_lossy(&printed).lines().next().unwrap_or_default().trim().to_owned();
    ensure!(!first.is_empty(), "{} --version printed nothing", program.display());
    Ok(first)
}

/// Two ports nobody listens on at the moment.
fn free_ports() -> Result<(u16, u16)> {
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}

fn quoted(arguments: &[String]) -> String {
    let quote = |argument: &String| if argument.is_empty() { "''".to_owned() } else { argument.clone() };
    arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Given {
        text.parse().unwrap()
    }

    #[test]
    fn a_given_program_may_carry_a_name_and_arguments() {
        assert_eq!(given("/opt/redis-server").name, None);
        let named = given("before=/opt/larder --io-uring no");
        assert_eq!(named.name.as_deref(), Some("before"));
        assert_eq!(named.program, Path::new("/opt/larder"));
        assert_eq!(named.arguments, ["--io-uring", "no"]);
        assert_eq!(given("/opt/a=b/larder").program, Path::new("/opt/a=b/larder"));
        assert!(" ".parse::<Given>().is_err());
    }

    #[test]
    fn a_given_path_that_is_not_there_is_an_error_not_a_gap() {
        assert!(Peer::find(&[Kind::Redis], &[given("/nowhere/redis-server")]).is_err());
    }

    #[test]
    fn every_kind_is_bound_to_loopback_with_one_thread() {
        for kind in [Kind::Larder, Kind::Redis, Kind::Valkey, Kind::Memcached, Kind::PogocacheEpoll] {
            let peer = Peer {
                name: kind.name().to_owned(),
                kind,
                program: PathBuf::from("/bin/true"),
                extra_arguments: vec!["--last".to_owned()],
                version: String::new(),
            };
            let arguments = peer.arguments(7001, 7002, Path::new("/tmp/x"));
            assert!(arguments.iter().any(|argument| argument == "127.0.0.1"), "{arguments:?}");
            assert!(arguments.iter().any(|argument| argument == "7001"), "{arguments:?}");
            assert!(arguments.iter().any(|argument| argument == "1"), "{arguments:?}");
            assert_eq!(arguments.last().map(String::as_str), Some("--last"));
        }
    }
}
