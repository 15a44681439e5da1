//! A real memcached, started for the test and ended with it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{MARK, split};
use crate::peer::{PeerError, Version};
use crate::process::ServerProcess;

/// How long a reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// The environment variable that names another program than `memcached`.
const SERVER: &str = "MEMCACHED";

/// Without the threads that hold on to items while they work: a number that became shorter is padded only when nobody does.
const QUIET: &str = "no_lru_maintainer,no_lru_crawler";

/// A memcached of our own. Dropping it ends it.
pub struct MemcachedServer {
    process: ServerProcess,
    version: Version,
    stream: TcpStream,
}

impl MemcachedServer {
    /// Starts memcached, or what the environment variable `MEMCACHED` names; `None` when it is not installed and no other was
    /// named.
    ///
    /// # Errors
    /// It is installed and does not start or answer.
    pub fn start() -> Result<Option<MemcachedServer>, PeerError> {
        // The user is looked at only when root starts it, who must name one.
        let process = ServerProcess::start("memcached", SERVER, &[], |port| {
            let words = ["-p", port, "-U", "0", "-l", "127.0.0.1", "-u", "root", "-t", "1", "-o", QUIET];
            words.into_iter().map(str::to_owned).collect()
        });
        let Some(process) = process? else { return Ok(None) };
        let stream = connect(&process)?;
        let mut server = MemcachedServer { process, version: Version(0, 0, 0), stream };
        server.identify()?;
        Ok(Some(server))
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Makes sure that it is our process that answers, and learns its version.
    fn identify(&mut self) -> Result<(), PeerError> {
        let request = [b"stats\r\n", MARK].concat();
        let stats = self.send(&request, 1)?.concat();
        let stats = String::from_utf8_lossy(&stats).into_owned();
        let stat = |name: &str| stats.lines().find_map(|line| line.strip_prefix("STAT ")?.strip_prefix(name));
        if stat("pid ") != Some(&self.process.id().to_string()) {
            return Err(PeerError("another server answers at this port".to_owned()));
        }
        let version = stat("version ").and_then(Version::parse);
        self.version = version.ok_or_else(|| PeerError("the version is missing".to_owned()))?;
        Ok(())
    }

    /// Back to no items, with a new connection.
    pub(super) fn reset(&mut self) -> Result<(), PeerError> {
        self.stream = connect(&self.process)?;
        self.send(&[b"flush_all\r\n", MARK].concat(), 1).map(drop)
    }

    /// A new connection, which may speak another protocol.
    pub(super) fn reconnect(&mut self) -> Result<(), PeerError> {
        self.stream = connect(&self.process)?;
        Ok(())
    }

    /// Sends bytes with so many marks among them, and returns the replies up to each.
    pub(super) fn send(&mut self, bytes: &[u8], marks: usize) -> Result<Vec<Vec<u8>>, PeerError> {
        let received = self.send_until(bytes, |received| split(received).len() >= marks)?;
        Ok(split(&received))
    }

    /// Sends bytes and returns what is received until that is all.
    pub(super) fn send_until(
        &mut self,
        bytes: &[u8],
        is_all: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, PeerError> {
        self.stream.write_all(bytes)?;
        let mut received = Vec::new();
        loop {
            if is_all(&received) {
                return Ok(received);
            }
            let mut buffer = [0; 64 * 1024];
            let len = self.stream.read(&mut buffer)?;
            if len == 0 {
                return Err(PeerError("the connection is closed".to_owned()));
            }
            received.extend_from_slice(&buffer[..len]);
        }
    }
}

fn connect(process: &ServerProcess) -> Result<TcpStream, PeerError> {
    let stream = process.connect()?;
    stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
    Ok(stream)
}
