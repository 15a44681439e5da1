//! Drives one connection: reads, lets the state machine work, writes.
//!
//! An idle connection holds no buffer. Reads go into the worker's buffer and replies into the worker's output; only a request
//! whose end is missing, and replies that the socket does not take, are kept with the connection.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use larder_engine::{Counter, Served, SharedClient, Worker};
use larder_resp::Output;
use larder_store::UnixMillis;
use tokio::io::{AsyncRead, ReadBuf};

use crate::stream::Stream;
use crate::worker::Local;

/// Slices handed to one writev.
const SLICES_MAX: usize = 64;
/// A connection's own read buffer grows by at least so much.
const TAIL_GROWTH_MIN: usize = 16 * 1024;
/// ... and by at most so much at once, whatever the request declares.
const TAIL_GROWTH_MAX: usize = 1 << 20;

/// A protocol's state machine.
pub(crate) trait Conversation {
    /// Works on input; see `larder_engine::Connection::serve`.
    fn serve(&mut self, worker: &mut Worker, input: &mut [u8], output: &mut Output) -> (usize, Served);
    /// What other clients may see of this one.
    fn shared(&self) -> &SharedClient;
}

/// One connection on its worker.
pub(crate) struct Driver<C> {
    stream: Stream,
    conversation: C,
    /// Input that was read and not consumed.
    tail: Vec<u8>,
    /// Output that was not yet sent.
    unsent: Output,
}

impl<C: Conversation> Driver<C> {
    pub(crate) fn new(stream: Stream, conversation: C) -> Driver<C> {
        Driver { stream, conversation, tail: Vec::new(), unsent: Output::default() }
    }

    /// Runs until either side ends the connection.
    pub(crate) async fn run(mut self, local: &Local) {
        let mut served = Served::NeedInput(1);
        loop {
            let result = match served {
                Served::NeedInput(needed) => self.read(local, needed).await,
                Served::Again => {
                    tokio::task::yield_now().await;
                    Ok(self.serve_tail(local))
                }
                Served::At(at) => {
                    tokio::time::sleep(until(local, at)).await;
                    Ok(self.serve_tail(local))
                }
                Served::Close => return,
            };
            let Ok(next) = result else { return };
            served = next;
            self.conversation.shared().note_input(self.tail.len());
            if !self.unsent.is_empty() && self.send(local).await.is_err() {
                return;
            }
        }
    }

    /// Reads once and serves what came.
    async fn read(&mut self, local: &Local, needed: usize) -> io::Result<Served> {
        if self.tail.is_empty() {
            return poll_fn(|task| {
                let mut buffer = local.read_buffer.borrow_mut();
                let mut read = ReadBuf::new(&mut buffer);
                if Pin::new(&mut self.stream).poll_read(task, &mut read)?.is_pending() {
                    return Poll::Pending;
                }
                let len = read.filled().len();
                let (consumed, served) = self.serve(local, &mut buffer[..len])?;
                self.tail.extend_from_slice(&buffer[consumed..len]);
                Poll::Ready(Ok(served))
            })
            .await;
        }
        let limit = local.worker.borrow().settings().client_query_buffer_limit;
        if self.tail.len() as u64 > limit {
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.tail.reserve(needed.clamp(TAIL_GROWTH_MIN, TAIL_GROWTH_MAX));
        let mut tail = std::mem::take(&mut self.tail);
        let read = tokio::io::AsyncReadExt::read_buf(&mut self.stream, &mut tail).await?;
        self.tail = tail;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.count_input(local, read);
        Ok(if read < needed { Served::NeedInput(needed - read) } else { self.serve_tail(local) })
    }

    /// Serves freshly read bytes; none is the end of the stream.
    fn serve(&mut self, local: &Local, input: &mut [u8]) -> io::Result<(usize, Served)> {
        if input.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.count_input(local, input.len());
        Ok(self.work(local, input))
    }

    fn count_input(&self, local: &Local, bytes: usize) {
        local.stats().input_bytes.add(bytes as u64);
        self.conversation.shared().count_input(bytes);
    }

    /// Serves what was kept.
    fn serve_tail(&mut self, local: &Local) -> Served {
        let mut tail = std::mem::take(&mut self.tail);
        let (consumed, served) = self.work(local, &mut tail);
        if consumed < tail.len() {
            tail.drain(..consumed);
            self.tail = tail;
        }
        served
    }

    /// Lets the state machine work, and sends what it answers as far as the socket takes it at once.
    fn work(&mut self, local: &Local, input: &mut [u8]) -> (usize, Served) {
        let mut output = local.output.borrow_mut();
        let result = self.conversation.serve(&mut local.worker.borrow_mut(), input, &mut output);
        if !output.is_empty() {
            // An error shows again when the rest is sent.
            let unsent = output.len();
            let _ = write_some(&self.stream, &mut output, &local.stats().output_bytes);
            self.conversation.shared().count_sent(unsent - output.len());
            if output.is_empty() {
                output.clear();
            } else {
                self.unsent = output.take();
            }
        }
        result
    }

    /// Sends the rest, waiting for the socket; ends the connection when the client leaves too much unread for too long.
    async fn send(&mut self, local: &Local) -> io::Result<()> {
        let limits = local.worker.borrow().settings().client_output_buffer_limit.normal;
        let shared_bytes = &local.stats().output_bytes;
        loop {
            self.conversation.shared().note_output(self.unsent.len());
            let len = self.unsent.len() as u64;
            if limits.hard_bytes > 0 && len > limits.hard_bytes {
                return Err(ErrorKind::OutOfMemory.into());
            }
            if limits.soft_bytes > 0 && len > limits.soft_bytes {
                let grace = Duration::from_secs(u64::from(limits.soft_seconds));
                tokio::time::timeout(grace, self.stream.writable()).await??;
            } else {
                self.stream.writable().await?;
            }
            write_some(&self.stream, &mut self.unsent, shared_bytes)?;
            self.conversation.shared().count_sent(len as usize - self.unsent.len());
            if self.unsent.is_empty() {
                self.unsent = Output::default();
                self.conversation.shared().note_output(0);
                return Ok(());
            }
        }
    }
}

/// Writes until the output is empty or the socket takes no more.
fn write_some(stream: &Stream, output: &mut Output, counter: &Counter) -> io::Result<()> {
    while !output.is_empty() {
        let written = match output.contiguous() {
            Some(bytes) => stream.try_write(bytes),
            None => {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let filled = output.fill_slices(&mut slices);
                stream.try_write_vectored(&slices[..filled])
            }
        };
        match written {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(len) => {
                counter.add(len as u64);
                output.consume(len);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn until(local: &Local, at: UnixMillis) -> Duration {
    let now = local.worker.borrow().node.host.time().now;
    Duration::from_millis(u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0))
}
