//! A memcached process to play transcripts to.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Sent behind each request and answered with `MN`: so it is known where the answers end, even where there are none.
const SENTINEL: &[u8] = b"mn\r\n";
const SENTINEL_ANSWER: &[u8] = b"MN\r\n";

/// A memcached, and the connection to it.
pub(crate) struct Memcached {
    process: Child,
    port: u16,
    stream: TcpStream,
}

impl Memcached {
    /// None if there is no such program.
    pub(crate) fn start() -> Option<Memcached> {
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let spawned = Command::new("memcached")
                .args(["-l", "127.0.0.1", "-U", "0", "-u", "root", "-t", "1", "-p", &port.to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let mut process = match spawned {
                Err(error) if error.kind() == ErrorKind::NotFound => return None,
                spawned => spawned.unwrap(),
            };
            for _ in 0..100 {
                if let Ok(stream) = connect(port) {
                    return Some(Memcached { process, port, stream });
                }
                // Somebody else may have taken the port.
                if process.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("memcached does not start");
    }

    /// All that is answered to a request. A connection that ends is followed by a new one.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        self.stream.write_all(&[request, SENTINEL].concat()).unwrap();
        let (mut answer, mut buffer) = (Vec::new(), [0; 64 * 1024]);
        while !answer.ends_with(SENTINEL_ANSWER) {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.stream = connect(self.port).unwrap();
                    return answer;
                }
                Ok(len) => answer.extend_from_slice(&buffer[..len]),
                Err(error) => panic!("{}: {error}; so far {}", request.escape_ascii(), answer.escape_ascii()),
            }
        }
        answer.truncate(answer.len() - SENTINEL_ANSWER.len());
        answer
    }
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Drop for Memcached {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
