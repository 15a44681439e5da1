//! A plain blocking client: requests out, one reply in, raw bytes both ways.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long a reply may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream socket of either kind.
pub(crate) trait Socket: Read + Write + Send {}
impl<S: Read + Write + Send> Socket for S {}

/// One connection.
pub(crate) struct Client {
    socket: BufReader<Box<dyn Socket>>,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A status.
    Status(String),
    /// An error, without its `-`.
    Error(String),
    /// An integer.
    Integer(i64),
    /// A string, which tests expect to be text.
    Bulk(String),
    /// The null string or array.
    Null,
    /// An array.
    Array(Vec<Reply>),
    /// Fields and values by turns (RESP3).
    Map(Vec<Reply>),
    /// What is no reply (RESP3).
    Push(Vec<Reply>),
}

impl Reply {
    /// What a status, an error or a string says.
    pub(crate) fn text(&self) -> &str {
        match self {
            Reply::Status(text) | Reply::Error(text) | Reply::Bulk(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    /// The number.
    pub(crate) fn integer(&self) -> i64 {
        match self {
            Reply::Integer(number) => *number,
            other => panic!("{other:?} is no integer"),
        }
    }
}

impl Client {
    /// Connects to a port of this machine.
    pub(crate) fn tcp(address: SocketAddr) -> Client {
        Client::over(connect(address).expect("the server listens"))
    }

    /// Connects to a socket file.
    pub(crate) fn unix(path: &str) -> Client {
        let socket = UnixStream::connect(path).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { socket: BufReader::new(Box::new(socket)) }
    }

    /// Talks over a socket that is connected already.
    pub(crate) fn over(socket: TcpStream) -> Client {
        Client { socket: BufReader::new(Box::new(socket)) }
    }

    /// Sends a request and waits for its reply.
    pub(crate) fn call(&mut self, words: &[&str]) -> Reply {
        let request = request(words);
        self.try_call(&request).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Sends bytes and waits for one reply.
    pub(crate) fn try_call(&mut self, bytes: &[u8]) -> io::Result<Reply> {
        self.send(bytes)?;
        self.reply()
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.get_mut().write_all(bytes)
    }

    /// Reads one reply.
    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::InvalidData)?;
        let number = || rest.parse::<i64>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
        Ok(match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(number()?),
            "$" | "*" if number()? < 0 => Reply::Null,
            "$" => {
                let mut bytes = vec![0; number()? as usize + 2];
                self.socket.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Bulk(String::from_utf8_lossy(&bytes).into_owned())
            }
            "*" => Reply::Array(self.replies(number()?)?),
            ">" => Reply::Push(self.replies(number()?)?),
            "%" => Reply::Map(self.replies(2 * number()?)?),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, line)),
        })
    }

    fn replies(&mut self, count: i64) -> io::Result<Vec<Reply>> {
        (0..count).map(|_| self.reply()).collect()
    }

    /// Reads a line, without its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.socket.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Reads to the end of the connection; what came before a reset counts as read.
    pub(crate) fn rest(&mut self) -> String {
        String::from_utf8_lossy(&self.rest_bytes()).into_owned()
    }

    /// As [`Client::rest`], as bytes.
    pub(crate) fn rest_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.socket.read_to_end(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!("the server should have ended this connection")
            }
            _ => bytes,
        }
    }

    /// A field of INFO.
    pub(crate) fn info(&mut self, field: &str) -> u64 {
        let reply = self.call(&["INFO", "everything"]);
        let line = reply.text().lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("INFO has no number {field}"))
    }
}

/// Connects with a limit on how long reads may wait.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A request as an array of strings.
pub(crate) fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}
