//! Servers asked over a socket, with the same `maxmemory`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::trace::{Request, counted, value_bytes};

/// Bytes that an empty redis-server counts, nearly, and Larder by intent: what comes on top is for keys.
const EMPTY_BYTES: u64 = 1 << 20;
/// Requests sent before their replies are read.
const BATCH: usize = 32;
const PORT: u16 = 17_391;

/// The policies asked of a program.
pub(crate) fn policies(program: &Path) -> &'static [&'static str] {
    if is_larder(program) { &["allkeys-lru", "allkeys-s3fifo"] } else { &["allkeys-lru", "allkeys-lfu"] }
}

fn is_larder(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("larder"))
}

/// What tables call a program under a policy.
pub(crate) fn label(program: &Path, policy: &str) -> String {
    let program = if is_larder(program) { "larder" } else { "redis" };
    format!("{program} {}", policy.trim_start_matches("allkeys-"))
}

/// Ended when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Connection {
    reader: BufReader<TcpStream>,
    out: Vec<u8>,
}

impl Connection {
    fn open(port: u16) -> Result<Connection> {
        const TRIES: u32 = 200;
        for _ in 0..TRIES {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.set_nodelay(true)?;
                return Ok(Connection { reader: BufReader::new(stream), out: Vec::new() });
            }
            sleep(Duration::from_millis(50));
        }
        bail!("no server answers on port {port}")
    }

    fn send(&mut self) -> Result<()> {
        self.reader.get_mut().write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    /// Reads a reply; says whether it is something.
    fn reply(&mut self) -> Result<bool> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let line = line.trim_end();
        if let Some(len) = line.strip_prefix('$') {
            let len: i64 = len.parse().context("a length")?;
            let Ok(len) = usize::try_from(len) else { return Ok(false) };
            self.reader.read_exact(&mut vec![0; len + 2])?;
            return Ok(true);
        }
        // Where next to nothing fits, a key may find no room even when all others have gone: it is not stored.
        ensure!(line.starts_with('+') || line.starts_with("-OOM "), "an unexpected reply: {line}");
        Ok(true)
    }
}

/// The part of the requests that a server finds; what it does not is stored. Requests go in batches, so that one for a key that was
/// just missed misses again.
pub(crate) fn hit_ratio(program: &Path, policy: &str, room: u64, requests: &[Request]) -> Result<f64> {
    let limit = (EMPTY_BYTES + room).to_string();
    let port = PORT.to_string();
    let arguments = [
        "--port",
        &port,
        "--maxmemory",
        &limit,
        "--maxmemory-policy",
        policy,
        "--save",
        "",
        "--appendonly",
        "no",
    ];
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Running(command.spawn().with_context(|| format!("{}", program.display()))?);
    let mut connection = Connection::open(PORT)?;
    let counted = counted(requests.len());
    let mut hits = 0;
    for (at, batch) in requests.chunks(BATCH).enumerate() {
        for key in batch {
            write!(connection.out, "*2\r\n$3\r\nGET\r\n$16\r\n{key:016}\r\n")?;
        }
        connection.send()?;
        let mut missing = Vec::new();
        for (index, key) in batch.iter().enumerate() {
            if connection.reply()? {
                hits += usize::from(counted.contains(&(at * BATCH + index)));
            } else {
                missing.push(*key);
            }
        }
        for key in &missing {
            let len = value_bytes(*key) as usize;
            write!(
                connection.out,
                "*3\r\n$3\r\nSET\r\n$16\r\n{key:016}\r\n${len}\r\n{}\r\n",
                "x".repeat(len)
            )?;
        }
        connection.send()?;
        for _ in &missing {
            connection.reply()?;
        }
    }
    Ok(hits as f64 / counted.len() as f64)
}
