//! Drives one connection: reads, lets the state machine work, writes.
//!
//! An idle connection holds no buffer. Reads go into the worker's buffer and replies into the worker's output; only a request
//! whose end is missing, and replies that the socket does not take, are kept with the connection.
//!
//! What a connection reads is not served at once but joins the worker's [wave](crate::wave): all connections that are ready
//! read first, then their requests are executed together. The exceptions (input kept from before, a request that goes on later,
//! output that was not taken) are worked off here, by the connection's own task.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use larder_engine::{Counter, Served, SharedClient, Worker};
use larder_resp::Output;
use larder_store::UnixMillis;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, timeout_at};

use crate::stream::Stream;
use crate::wave::Member;
use crate::worker::Local;

/// Slices handed to one writev.
const SLICES_MAX: usize = 64;
/// A connection's own read buffer grows by at least so much.
const TAIL_GROWTH_MIN: usize = 16 * 1024;
/// ... and by at most so much at once, and at most as much as has come: what the request declares takes no memory.
const TAIL_GROWTH_MAX: usize = 1 << 20;

/// A protocol's state machine.
pub(crate) trait Conversation {
    /// Notes the keys of the requests at the start of the input; see `larder_engine::Connection::look_ahead`.
    fn look_ahead(&self, worker: &mut Worker, input: &mut [u8]);
    /// Works on input; see `larder_engine::Connection::serve`.
    fn serve(&mut self, worker: &mut Worker, input: &mut [u8], output: &mut Output) -> (usize, Served);
    /// What other clients may see of this one.
    fn shared(&self) -> &SharedClient;
}

/// One connection on its worker.
pub(crate) struct Driver<C> {
    state: RefCell<State<C>>,
    /// Set while what was read waits in the wave.
    in_wave: Cell<bool>,
    /// What the wave left for the connection's own task: anything but waiting for the next request.
    left: Cell<Option<Served>>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
}

struct State<C> {
    stream: Stream,
    conversation: C,
    /// Input that was read and not consumed.
    tail: Vec<u8>,
    /// Output that was not yet sent.
    unsent: Output,
}

impl<C: Conversation + 'static> Driver<C> {
    pub(crate) fn new(stream: Stream, conversation: C) -> Rc<Driver<C>> {
        let state = State { stream, conversation, tail: Vec::new(), unsent: Output::default() };
        Rc::new(Driver {
            state: RefCell::new(state),
            in_wave: Cell::new(false),
            left: Cell::new(None),
            waker: RefCell::new(None),
        })
    }

    /// Runs until either side ends the connection.
    pub(crate) async fn run(self: Rc<Self>, local: &Local) {
        let mut next = Ok(Served::NeedInput(1));
        while let Ok(served) = next {
            if !self.state.borrow().unsent.is_empty() && self.send(local).await.is_err() {
                return;
            }
            next = match served {
                Served::NeedInput(needed) => {
                    let kept = self.state.borrow().note_kept();
                    if kept == 0 {
                        poll_fn(|task| self.poll_wave(local, task)).await
                    } else {
                        self.read_more(local, needed).await
                    }
                }
                Served::Again => {
                    tokio::task::yield_now().await;
                    Ok(self.state.borrow_mut().serve_tail(local))
                }
                Served::At(at) => {
                    tokio::time::sleep(until(local, at)).await;
                    Ok(self.state.borrow_mut().serve_tail(local))
                }
                Served::Close => return,
            };
        }
    }

    /// Reads into the wave whenever there is something to read; ends when the wave leaves something else to do.
    fn poll_wave(self: &Rc<Self>, local: &Local, task: &mut Context<'_>) -> Poll<io::Result<Served>> {
        loop {
            if self.in_wave.get() {
                // More has come before the last was served.
                local.wave.run(local);
            }
            if let Some(left) = self.left.take() {
                return Poll::Ready(Ok(left));
            }
            let Poll::Ready(len) = self.state.borrow_mut().poll_read_ahead(local, task)? else {
                return Poll::Pending;
            };
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(task.waker())) {
                *waker = Some(task.waker().clone());
            }
            drop(waker);
            self.in_wave.set(true);
            local.wave.join(Rc::clone(self) as Rc<dyn Member>, len);
            if self.state.borrow().stream.poll_read_ready(task)?.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Reads more of a request whose beginning was kept.
    async fn read_more(&self, local: &Local, needed: usize) -> io::Result<Served> {
        let limit = local.worker.borrow().settings().client_query_buffer_limit;
        let read = poll_fn(|task| self.state.borrow_mut().poll_read_more(task, needed, limit)).await?;
        let state = self.state.borrow();
        state.count_input(local, read);
        state.note_active(local);
        drop(state);
        match needed.checked_sub(read) {
            Some(missing) if missing > 0 => Ok(Served::NeedInput(missing)),
            _ => Ok(self.state.borrow_mut().serve_tail(local)),
        }
    }

    /// Sends the rest, waiting for the socket; ends the connection when the client leaves too much unread for too long. Reading a
    /// little now and then does not put that off.
    async fn send(&self, local: &Local) -> io::Result<()> {
        let limits = local.worker.borrow().settings().client_output_buffer_limit.normal;
        let mut too_much_until = None;
        loop {
            let len = self.state.borrow().unsent.len() as u64;
            self.state.borrow().conversation.shared().note_output(len as usize);
            if len == 0 {
                return Ok(());
            }
            if limits.hard_bytes > 0 && len > limits.hard_bytes {
                return Err(ErrorKind::OutOfMemory.into());
            }
            let writable = poll_fn(|task| self.state.borrow().stream.poll_write_ready(task));
            if limits.soft_bytes > 0 && len > limits.soft_bytes {
                let grace = Duration::from_secs(u64::from(limits.soft_seconds));
                let until = *too_much_until.get_or_insert_with(|| Instant::now() + grace);
                timeout_at(until, writable).await??;
                if Instant::now() >= until {
                    return Err(ErrorKind::TimedOut.into());
                }
            } else {
                too_much_until = None;
                writable.await?;
            }
            let mut state = self.state.borrow_mut();
            let State { stream, unsent, conversation, .. } = &mut *state;
            write_some(stream, unsent, &local.stats().output_bytes)?;
            conversation.shared().count_sent(len as usize - unsent.len());
            if unsent.is_empty() {
                *unsent = Output::default();
            }
            state.note_active(local);
        }
    }
}

impl<C: Conversation> Member for Driver<C> {
    fn serve(&self, local: &Local, input: &mut [u8]) {
        self.in_wave.set(false);
        let mut state = self.state.borrow_mut();
        let (consumed, served) = state.work(local, input);
        state.tail.extend_from_slice(&input[consumed..]);
        if !matches!(served, Served::NeedInput(_)) || !state.tail.is_empty() || !state.unsent.is_empty() {
            self.left.set(Some(served));
            if let Some(waker) = &*self.waker.borrow() {
                waker.wake_by_ref();
            }
        }
    }
}

impl<C: Conversation> State<C> {
    /// Reads into the wave and looks ahead at what came; the end of the stream is an error.
    fn poll_read_ahead(&mut self, local: &Local, task: &mut Context<'_>) -> Poll<io::Result<usize>> {
        local.wave.with_room(local, |room| {
            let mut read = ReadBuf::new(room);
            match Pin::new(&mut self.stream).poll_read(task, &mut read) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            let len = read.filled().len();
            if len == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            self.count_input(local, len);
            self.conversation.look_ahead(&mut local.worker.borrow_mut(), read.filled_mut());
            Poll::Ready(Ok(len))
        })
    }

    /// Reads behind what was kept.
    fn poll_read_more(
        &mut self,
        task: &mut Context<'_>,
        needed: usize,
        limit: u64,
    ) -> Poll<io::Result<usize>> {
        if self.tail.len() as u64 > limit {
            return Poll::Ready(Err(ErrorKind::OutOfMemory.into()));
        }
        let growth_max = self.tail.len().clamp(TAIL_GROWTH_MIN, TAIL_GROWTH_MAX);
        self.tail.reserve(needed.clamp(TAIL_GROWTH_MIN, growth_max));
        loop {
            match self.stream.poll_read_ready(task)? {
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
            match self.stream.try_read(&mut self.tail) {
                Ok(0) => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn count_input(&self, local: &Local, bytes: usize) {
        local.stats().input_bytes.add(bytes as u64);
        self.conversation.shared().count_input(bytes);
    }

    /// A client amid a long request or reply is not idle.
    fn note_active(&self, local: &Local) {
        self.conversation.shared().note_active(local.worker.borrow().node.host.time().now);
    }

    /// Tells others how much of a request is kept until its end comes.
    fn note_kept(&self) -> usize {
        self.conversation.shared().note_input(self.tail.len());
        self.tail.len()
    }

    /// Serves what was kept.
    fn serve_tail(&mut self, local: &Local) -> Served {
        let mut tail = std::mem::take(&mut self.tail);
        let (consumed, served) = self.work(local, &mut tail);
        if consumed < tail.len() {
            tail.drain(..consumed);
            if tail.capacity() > TAIL_GROWTH_MAX.max(4 * tail.len()) {
                // The beginning of the next request does not keep the memory of a large one.
                tail.shrink_to_fit();
            }
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
