//! One blocking connection for the few commands outside the measured load: PING, counting, flushing, scanning.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::wire::Wire;

/// FLUSHALL of ten million keys may take a while.
const REPLY_TIME_MAX: Duration = Duration::from_secs(120);

/// The connection.
pub(crate) struct Control {
    wire: Wire,
    stream: BufReader<TcpStream>,
}

/// A RESP2 reply.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    Array(Vec<Reply>),
}

impl Control {
    /// Connects to a server that speaks `wire`.
    pub(crate) fn connect(address: SocketAddr, wire: Wire) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIME_MAX))?;
        Ok(Self { wire, stream: BufReader::new(stream) })
    }

    /// Asks for a sign of life.
    pub(crate) fn ping(&mut self) -> Result<()> {
        match self.wire {
            Wire::Resp => match self.command(&["PING"])? {
                Reply::Simple(text) if text == "PONG" => Ok(()),
                other => bail!("PING answered {other:?}"),
            },
            Wire::MemcachedText => {
                self.stream.get_mut().write_all(b"version\r\n")?;
                let line = self.line()?;
                ensure!(line.starts_with("VERSION "), "version answered {line:?}");
                Ok(())
            }
        }
    }

    /// Deletes a key, which has to be there.
    pub(crate) fn delete(&mut self, key: &str) -> Result<()> {
        match self.command(&["DEL", key])? {
            Reply::Integer(1) => Ok(()),
            other => bail!("DEL {key} answered {other:?}"),
        }
    }

    /// Whether a key is there.
    pub(crate) fn exists(&mut self, key: &str) -> Result<bool> {
        match self.command(&["EXISTS", key])? {
            Reply::Integer(count) => Ok(count == 1),
            other => bail!("EXISTS {key} answered {other:?}"),
        }
    }

    /// How many keys the server counts.
    pub(crate) fn count(&mut self) -> Result<u64> {
        match self.wire {
            Wire::Resp => match self.command(&["DBSIZE"])? {
                Reply::Integer(count) => Ok(count.unsigned_abs()),
                other => bail!("DBSIZE answered {other:?}"),
            },
            Wire::MemcachedText => {
                self.stream.get_mut().write_all(b"stats\r\n")?;
                let mut count = None;
                loop {
                    let line = self.line()?;
                    if line == "END" {
                        return count.context("stats names no curr_items");
                    }
                    if let Some(number) = line.strip_prefix("STAT curr_items ") {
                        count = Some(number.parse()?);
                    }
                    ensure!(line.starts_with("STAT "), "stats answered {line:?}");
                }
            }
        }
    }

    /// Empties the server.
    pub(crate) fn flush(&mut self) -> Result<()> {
        match self.wire {
            Wire::Resp => match self.command(&["FLUSHALL"])? {
                Reply::Simple(text) if text == "OK" => Ok(()),
                other => bail!("FLUSHALL answered {other:?}"),
            },
            Wire::MemcachedText => {
                self.stream.get_mut().write_all(b"flush_all\r\n")?;
                let line = self.line()?;
                ensure!(line == "OK", "flush_all answered {line:?}");
                Ok(())
            }
        }
    }

    /// One SCAN call: the next cursor and how many keys came. memcached has no such command.
    pub(crate) fn scan(&mut self, cursor: &str, count: u32) -> Result<(String, u64)> {
        ensure!(self.wire == Wire::Resp, "SCAN is not offered over memcached's protocol");
        match self.command(&["SCAN", cursor, "COUNT", &count.to_string()])? {
            Reply::Array(parts) => match <[Reply; 2]>::try_from(parts) {
                Ok([Reply::Bulk(Some(next)), Reply::Array(keys)]) => {
                    Ok((String::from_utf8(next)?, keys.len() as u64))
                }
                _ => bail!("SCAN answered an array of another form"),
            },
            other => bail!("SCAN answered {other:?}"),
        }
    }

    fn command(&mut self, words: &[&str]) -> Result<Reply> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply> {
        let line = self.line()?;
        let (Some(sign), Some(rest)) = (line.get(..1), line.get(1..)) else { bail!("an empty line came") };
        Ok(match sign {
            "+" => Reply::Simple(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(rest.parse()?),
            "$" if rest == "-1" => Reply::Bulk(None),
            "$" => {
                let mut bulk = vec![0; rest.parse::<usize>()? + 2];
                self.stream.read_exact(&mut bulk)?;
                ensure!(bulk.ends_with(b"\r\n"), "a bulk string does not end where it says");
                bulk.truncate(bulk.len() - 2);
                Reply::Bulk(Some(bulk))
            }
            "*" => Reply::Array((0..rest.parse::<usize>()?).map(|_| self.reply()).collect::<Result<_>>()?),
            _ => bail!("{line:?} is no reply"),
        })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.ends_with("\r\n"), "the server closed the connection");
        line.truncate(line.len() - 2);
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A control connection to a server that has sent `reply` already.
    fn answered_by(wire: Wire, reply: &[u8]) -> Control {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let control = Control::connect(listener.local_addr().unwrap(), wire).unwrap();
        listener.accept().unwrap().0.write_all(reply).unwrap();
        control
    }

    #[test]
    fn counts_are_read_in_both_protocols() {
        assert_eq!(answered_by(Wire::Resp, b":12\r\n").count().unwrap(), 12);
        let stats = b"STAT pid 1\r\nSTAT curr_items 34\r\nSTAT x y\r\nEND\r\n";
        assert_eq!(answered_by(Wire::MemcachedText, stats).count().unwrap(), 34);
        assert!(answered_by(Wire::MemcachedText, b"ERROR\r\n").count().is_err());
        assert!(answered_by(Wire::Resp, b"-ERR unknown command\r\n").count().is_err());
    }

    #[test]
    fn scan_gives_cursor_and_count() {
        let reply = b"*2\r\n$2\r\n17\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";
        assert_eq!(answered_by(Wire::Resp, reply).scan("0", 10).unwrap(), ("17".to_owned(), 2));
    }

    #[test]
    fn a_cut_connection_is_an_error() {
        assert!(answered_by(Wire::Resp, b"+PO").ping().is_err());
    }
}
