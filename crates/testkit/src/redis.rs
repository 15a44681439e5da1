//! A real redis-server, started for the test and ended with it.
//!
//! It is the `redis-server` on the PATH, or the one whose path the environment variable `REDIS_SERVER` has: a valkey-server will
//! do as well.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use larder_resp::Protocol;

use crate::node::encode_request;
use crate::peer::{Peer, PeerError, Version};
use crate::process::{POLL, POLLS_MAX, ServerProcess};
use crate::value::Value;

/// How long a reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a reply that is not expected is waited for.
const SILENCE: Duration = Duration::from_millis(30);
/// How much longer than told time passes, so that what is due is also done.
const EXPIRE_SLACK: Duration = Duration::from_millis(3);
/// The environment variable that names another server.
const SERVER: &str = "REDIS_SERVER";
/// The client that sets things up; scripts count theirs from 1.
const SETUP_CLIENT: usize = 0;

/// A redis-server of our own. Dropping it ends it.
pub struct RedisServer {
    process: ServerProcess,
    version: Version,
    protocol: Protocol,
    clients: BTreeMap<usize, Connection>,
    /// Directives changed since the last reset, with the values they had.
    changed: Vec<(String, Vec<u8>)>,
}

impl RedisServer {
    /// Starts redis-server; `None` when it is not installed and no other was named.
    ///
    /// # Errors
    /// It is installed and does not start or answer.
    pub fn start() -> Result<Option<RedisServer>, PeerError> {
        RedisServer::start_with(&[], &["--appendonly", "no"])
    }

    /// Starts redis-server with more arguments in a directory with these files, and waits until it has loaded them.
    ///
    /// # Errors
    /// It is installed and does not start or answer.
    pub fn start_with(files: &[(&str, &[u8])], arguments: &[&str]) -> Result<Option<RedisServer>, PeerError> {
        let process = ServerProcess::start("redis-server", SERVER, files, |port| {
            let words = ["--port", port, "--bind", "127.0.0.1", "--save", ""];
            words.iter().chain(arguments).map(|word| (*word).to_owned()).collect()
        });
        let Some(process) = process? else { return Ok(None) };
        let mut server = RedisServer {
            process,
            version: Version(0, 0, 0),
            protocol: Protocol::Resp2,
            clients: BTreeMap::new(),
            changed: Vec::new(),
        };
        server.identify()?;
        server.wait_until_loaded()?;
        Ok(Some(server))
    }

    /// A file that it wrote.
    ///
    /// # Errors
    /// There is none.
    pub fn file(&self, name: &str) -> Result<Vec<u8>, PeerError> {
        Ok(std::fs::read(self.process.directory().join(name))?)
    }

    fn wait_until_loaded(&mut self) -> Result<(), PeerError> {
        for _ in 0..POLLS_MAX {
            let info = self.setup(&["INFO", "persistence"])?.text().unwrap_or_default();
            if String::from_utf8_lossy(&info).contains("\nloading:0") {
                return Ok(());
            }
            sleep(POLL);
        }
        Err(PeerError("the server does not load its files".to_owned()))
    }

    /// Makes sure that it is our process that answers, and learns its version.
    fn identify(&mut self) -> Result<(), PeerError> {
        let info = self.setup(&["INFO", "server"])?.text().unwrap_or_default();
        let info = String::from_utf8_lossy(&info).into_owned();
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        if field("process_id") != Some(&self.process.id().to_string()) {
            return Err(PeerError("another server answers at this port".to_owned()));
        }
        // What Valkey says under the older name is the last version of Redis that it took part in.
        let version = field("valkey_version").or(field("redis_version")).and_then(Version::parse);
        self.version = version.ok_or_else(|| PeerError("the version is missing".to_owned()))?;
        Ok(())
    }

    fn connection(&mut self, client: usize) -> Result<&mut Connection, PeerError> {
        if !self.clients.contains_key(&client) {
            let stream = self.process.connect()?;
            self.clients.insert(client, Connection { stream, input: Vec::new() });
            if self.protocol == Protocol::Resp3 {
                self.send(client, &encode_request(&["HELLO", "3"]), 1)?;
            }
        }
        self.clients.get_mut(&client).ok_or_else(|| PeerError("no connection".to_owned()))
    }

    fn setup(&mut self, words: &[&str]) -> Result<Value, PeerError> {
        let reply = self.send(SETUP_CLIENT, &encode_request(words), 1)?.swap_remove(0);
        match reply {
            Value::Error(line) => Err(PeerError(String::from_utf8_lossy(&line).into_owned())),
            reply => Ok(reply),
        }
    }
}

impl Peer for RedisServer {
    fn version(&self) -> Option<Version> {
        Some(self.version)
    }

    fn reset(&mut self, protocol: Protocol) -> Result<(), PeerError> {
        self.clients.clear();
        self.protocol = protocol;
        // The latest first, so that what was changed twice gets its first value.
        for (name, value) in std::mem::take(&mut self.changed).into_iter().rev() {
            self.setup(&["CONFIG", "SET", &name, &String::from_utf8_lossy(&value)])?;
        }
        self.setup(&["FUNCTION", "FLUSH"])?;
        self.setup(&["SCRIPT", "FLUSH"])?;
        self.setup(&["FLUSHALL"]).map(drop)
    }

    fn send(&mut self, client: usize, bytes: &[u8], replies: usize) -> Result<Vec<Value>, PeerError> {
        let connection = self.connection(client)?;
        connection.stream.write_all(bytes)?;
        if replies == 0 {
            return Ok(connection.reply(SILENCE)?.into_iter().collect());
        }
        let missing = || PeerError(format!("no reply within {REPLY_TIMEOUT:?}"));
        (0..replies).map(|_| connection.reply(REPLY_TIMEOUT)?.ok_or_else(missing)).collect()
    }

    fn advance(&mut self, millis: u32) {
        sleep(Duration::from_millis(u64::from(millis)) + EXPIRE_SLACK);
    }

    fn configure(&mut self, name: &str, value: &str) -> Result<(), PeerError> {
        let before = match self.setup(&["CONFIG", "GET", name])? {
            Value::Array(words) => words.get(1).and_then(Value::text),
            Value::Map(pairs) => pairs.first().and_then(|(_, value)| value.text()),
            _ => None,
        };
        let before = before.ok_or_else(|| PeerError(format!("{name} is no directive")))?;
        self.setup(&["CONFIG", "SET", name, value])?;
        self.changed.push((name.to_owned(), before));
        Ok(())
    }
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    /// The next reply, unless none comes in time.
    fn reply(&mut self, timeout: Duration) -> Result<Option<Value>, PeerError> {
        self.stream.set_read_timeout(Some(timeout))?;
        loop {
            if let Some((value, len)) = Value::decode(&self.input)? {
                self.input.drain(..len);
                return Ok(Some(value));
            }
            let mut buffer = [0; 64 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(PeerError("the connection is closed".to_owned())),
                Ok(len) => self.input.extend_from_slice(&buffer[..len]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
