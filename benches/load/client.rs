//! The light closed-loop client: one thread, one epoll, many connections.
//!
//! Every connection sends a batch of requests (one, where the work does not pipeline), waits for all its replies,
//! and sends the next. A turn costs one `read`, one `write` and one look at the clock; requests are copied from
//! templates and replies compared in place, so that one client thread can keep one server thread busy. What is
//! asked, and what becomes of the latencies, is up to a [`Plan`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::interrupt;
use crate::wire::{Expected, Requests, Wire};

/// Large enough for sixteen replies of 10 KiB: what is there is read in one go.
const READ_BYTES: usize = 256 * 1024;

/// A server that says nothing for so long has stalled beyond anything worth measuring.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Turns operations into requests.
pub(crate) trait Ask {
    /// What is asked, before it is written down.
    type Operation;

    /// Appends the request, and says what its reply has to be.
    fn append(&self, out: &mut Vec<u8>, operation: Self::Operation) -> Expected;
}

/// Draws operations for ever.
pub(crate) trait Draw {
    /// What is drawn.
    type Operation;

    /// The next one.
    fn draw(&mut self) -> Self::Operation;
}

/// One request for a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Reads a key that has to be there.
    Get(u64),
    /// Writes a key.
    Set(u64),
}

/// What a client asks, and who learns of the replies.
pub(crate) trait Plan<O> {
    /// The next request; `None` ends the run once all replies are in.
    fn next(&mut self) -> Option<O>;

    /// `count` replies came at `now`, each `latency` after its request was sent.
    fn answered(&mut self, now: Instant, count: u64, latency: Duration) -> Result<()>;
}

/// Where a client connects and how it asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The server.
    pub(crate) address: SocketAddr,
    /// The protocol.
    pub(crate) wire: Wire,
    /// Connections open at the same time.
    pub(crate) connections: usize,
    /// Requests sent together on a connection.
    pub(crate) pipeline: usize,
}

/// Runs `plan` to its end.
pub(crate) fn drive<A: Ask>(shape: Shape, requests: &A, plan: &mut impl Plan<A::Operation>) -> Result<()> {
    Client::connect(shape, requests)?.run(plan)
}

/// A plan that only sends what an iterator yields.
pub(crate) struct Each<I>(pub(crate) I);

impl<I: Iterator> Plan<I::Item> for Each<I> {
    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn answered(&mut self, _now: Instant, _count: u64, _latency: Duration) -> Result<()> {
        Ok(())
    }
}

impl Ask for Requests {
    type Operation = Operation;

    fn append(&self, out: &mut Vec<u8>, operation: Operation) -> Expected {
        match operation {
            Operation::Get(number) => {
                self.append_get(out, number);
                Expected::Hit(self.value_size(number))
            }
            Operation::Set(number) => {
                self.append_set(out, number);
                Expected::Stored
            }
        }
    }
}

struct Client<'r, A> {
    shape: Shape,
    requests: &'r A,
    poll: Poll,
    connections: Vec<Connection>,
    read_buffer: Vec<u8>,
    in_flight: usize,
}

/// One connection: what it still waits for, and the ends of a request or reply that did not pass in one piece.
struct Connection {
    stream: TcpStream,
    expected: VecDeque<Expected>,
    sent_at: Instant,
    /// The start of a reply whose rest has not come; normally empty.
    unread: Vec<u8>,
    /// The batch; from `written` on it has not been taken by the socket.
    batch: Vec<u8>,
    written: usize,
}

impl<'r, A: Ask> Client<'r, A> {
    fn connect(shape: Shape, requests: &'r A) -> Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(shape.connections);
        for index in 0..shape.connections {
            let stream =
                std::net::TcpStream::connect(shape.address).context("the client could not connect")?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            connections.push(Connection {
                stream,
                expected: VecDeque::with_capacity(shape.pipeline),
                sent_at: Instant::now(),
                unread: Vec::new(),
                batch: Vec::new(),
                written: 0,
            });
        }
        let read_buffer = vec![0; READ_BYTES];
        Ok(Self { shape, requests, poll, connections, read_buffer, in_flight: 0 })
    }

    fn run(&mut self, plan: &mut impl Plan<A::Operation>) -> Result<()> {
        for index in 0..self.connections.len() {
            self.send_batch(index, Instant::now(), plan)?;
        }
        let mut events = Events::with_capacity(1024);
        let mut heard_at = Instant::now();
        while self.in_flight > 0 {
            match self.poll.poll(&mut events, Some(Duration::from_secs(1))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => result?,
            }
            interrupt::check()?;
            if events.is_empty() {
                if heard_at.elapsed() > SILENCE_MAX {
                    bail!("no reply for {} s with {} requests open", SILENCE_MAX.as_secs(), self.in_flight);
                }
                continue;
            }
            for event in &events {
                let index = event.token().0;
                if event.is_writable() {
                    self.connections[index].flush()?;
                }
                if event.is_readable() {
                    self.receive(index, plan)?;
                }
            }
            heard_at = Instant::now();
        }
        Ok(())
    }

    /// Reads what a connection holds, and sends its next batch when the last is answered in full.
    fn receive(&mut self, index: usize, plan: &mut impl Plan<A::Operation>) -> Result<()> {
        loop {
            let connection = &mut self.connections[index];
            let read = match connection.stream.read(&mut self.read_buffer) {
                Ok(0) => bail!("the server closed a connection with {} requests open", self.in_flight),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("reading replies"),
            };
            let now = Instant::now();
            let answered = connection.take_replies(self.shape.wire, &self.read_buffer[..read])?;
            self.in_flight -= answered;
            if answered > 0 {
                plan.answered(now, answered as u64, now - connection.sent_at)?;
            }
            if connection.expected.is_empty() {
                self.send_batch(index, now, plan)?;
            }
            // Readiness is edge-triggered: a read that did not fill the buffer has emptied the socket, and what
            // comes later raises a new edge.
            if read < self.read_buffer.len() {
                return Ok(());
            }
        }
    }

    fn send_batch(&mut self, index: usize, now: Instant, plan: &mut impl Plan<A::Operation>) -> Result<()> {
        let connection = &mut self.connections[index];
        connection.batch.clear();
        connection.written = 0;
        for _ in 0..self.shape.pipeline {
            let Some(operation) = plan.next() else { break };
            connection.expected.push_back(self.requests.append(&mut connection.batch, operation));
        }
        self.in_flight += connection.expected.len();
        connection.sent_at = now;
        connection.flush()
    }
}

impl Connection {
    /// Writes as much of the batch as the socket takes; the rest goes when it is writable again.
    fn flush(&mut self) -> Result<()> {
        while self.written < self.batch.len() {
            match self.stream.write(&self.batch[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("sending requests"),
            }
        }
        Ok(())
    }

    /// Checks the replies in `data` against what is expected, and keeps an incomplete one for the next read.
    fn take_replies(&mut self, wire: Wire, data: &[u8]) -> Result<usize> {
        if self.unread.is_empty() {
            let (used, answered) = check_replies(wire, data, &mut self.expected)?;
            self.unread.extend_from_slice(&data[used..]);
            return Ok(answered);
        }
        self.unread.extend_from_slice(data);
        let (used, answered) = check_replies(wire, &self.unread, &mut self.expected)?;
        self.unread.drain(..used);
        Ok(answered)
    }
}

/// Bytes and replies consumed from the front of `data`.
fn check_replies(wire: Wire, data: &[u8], expected: &mut VecDeque<Expected>) -> Result<(usize, usize)> {
    let mut used = 0;
    let mut answered = 0;
    while used < data.len() {
        let Some(&next) = expected.front() else {
            bail!("unasked-for reply: \"{}\"", data[used..data.len().min(used + 60)].escape_ascii());
        };
        let Some(length) = wire.reply(&data[used..], next)? else { break };
        expected.pop_front();
        used += length;
        answered += 1;
    }
    Ok((used, answered))
}

/// Every key once, in order: fills a server, or proves that all of it is there.
pub(crate) struct Pass {
    write: bool,
    next: u64,
    end: u64,
}

impl Pass {
    /// Writes keys `0..count`.
    pub(crate) fn write(count: u64) -> Self {
        Self { write: true, next: 0, end: count }
    }

    /// Reads keys `0..count`; every one has to be there.
    pub(crate) fn read(count: u64) -> Self {
        Self { write: false, next: 0, end: count }
    }
}

impl Plan<Operation> for Pass {
    fn next(&mut self) -> Option<Operation> {
        let number = self.next;
        if number == self.end {
            return None;
        }
        self.next += 1;
        Some(if self.write { Operation::Set(number) } else { Operation::Get(number) })
    }

    fn answered(&mut self, _now: Instant, _count: u64, _latency: Duration) -> Result<()> {
        Ok(())
    }
}

/// How many reads and writes make one cycle of a mixed load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mix {
    /// GETs in a cycle.
    pub(crate) gets: u32,
    /// SETs in a cycle.
    pub(crate) sets: u32,
}

/// Keys drawn uniformly, reads and writes in a fixed cycle.
pub(crate) struct Uniform {
    mix: Mix,
    at: u32,
    keys: u64,
    random: fastrand::Rng,
}

impl Uniform {
    /// Draws from keys `0..keys`; the same seed draws the same keys.
    pub(crate) fn new(mix: Mix, keys: u64, seed: u64) -> Self {
        Self { mix, at: 0, keys, random: fastrand::Rng::with_seed(seed) }
    }
}

impl Draw for Uniform {
    type Operation = Operation;

    fn draw(&mut self) -> Operation {
        let number = self.random.u64(..self.keys);
        let is_get = self.at < self.mix.gets;
        self.at = (self.at + 1) % (self.mix.gets + self.mix.sets);
        if is_get { Operation::Get(number) } else { Operation::Set(number) }
    }
}

/// Opens `count` connections that each ask once and then stay silent.
pub(crate) fn idle_connections(
    address: SocketAddr,
    wire: Wire,
    requests: &Requests,
    count: usize,
) -> Result<Vec<std::net::TcpStream>> {
    let mut ask = Vec::new();
    requests.append_get(&mut ask, 0);
    let mut streams = Vec::with_capacity(count);
    let mut buffer = [0; 4096];
    for _ in 0..count {
        interrupt::check()?;
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.write_all(&ask)?;
        read_one(&mut stream, wire, Expected::HitOrMiss(requests.value_size(0)), &mut buffer)?;
        streams.push(stream);
    }
    Ok(streams)
}

/// Reads the one reply a blocking connection waits for.
pub(crate) fn read_one(
    stream: &mut std::net::TcpStream,
    wire: Wire,
    expected: Expected,
    buffer: &mut [u8],
) -> Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof)).context("the server closed a connection");
        }
        filled += read;
        match wire.reply(&buffer[..filled], expected)? {
            Some(length) if length == filled => return Ok(()),
            Some(_) => bail!("more than one reply came"),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_cut_anywhere_are_put_together() {
        let replies = b"+OK\r\n$3\r\nabc\r\n+OK\r\n";
        for cut in 0..replies.len() {
            let mut expected = VecDeque::from([Expected::Stored, Expected::Hit(3), Expected::Stored]);
            let (used, first) = check_replies(Wire::Resp, &replies[..cut], &mut expected).unwrap();
            let (rest, second) = check_replies(Wire::Resp, &replies[used..], &mut expected).unwrap();
            assert_eq!((used + rest, first + second), (replies.len(), 3), "cut at {cut}");
            assert!(expected.is_empty());
        }
    }

    #[test]
    fn a_reply_nobody_asked_for_is_refused() {
        let error = check_replies(Wire::Resp, b"+OK\r\n", &mut VecDeque::new()).unwrap_err();
        assert!(error.to_string().contains("unasked-for"), "{error}");
    }

    #[test]
    fn the_mix_is_exact_and_the_keys_stay_in_range() {
        let mut uniform = Uniform::new(Mix { gets: 10, sets: 1 }, 100, 1);
        let mut sets = 0;
        for _ in 0..1100 {
            match uniform.draw() {
                Operation::Get(number) => assert!(number < 100),
                Operation::Set(number) => {
                    assert!(number < 100);
                    sets += 1;
                }
            }
        }
        assert_eq!(sets, 100);
    }

    #[test]
    fn a_pass_visits_every_key_once() {
        let mut pass = Pass::write(3);
        let visited: Vec<_> = std::iter::from_fn(|| pass.next()).collect();
        assert_eq!(visited, [Operation::Set(0), Operation::Set(1), Operation::Set(2)]);
    }
}
