//! The driver on tokio's event loop, which is epoll: a task per connection.
//!
//! An idle connection holds no buffer. Reads go into the worker's buffer and replies into the worker's output; only a request
//! whose end is missing, and replies that the socket does not take, are kept with the connection.
//!
//! What a connection reads is not served at once but joins the worker's [wave](super::wave): all connections that are ready
//! read first, then their requests are executed together. The exceptions (input kept from before, a request that goes on later,
//! output that was not taken) are worked off here, by the connection's own task.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use larder_engine::{Link, Served};
use larder_resp::Output;
use larder_store::UnixMillis;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, sleep_until};

use super::session::{KEPT_MAX, Session, until};
use super::wave::{Member, Wave};
use crate::stream::Stream;
use crate::worker::{Local, NewConnection};

/// Slices handed to one writev.
const SLICES_MAX: usize = 64;

/// What the connections of one worker share.
pub(super) struct Shared {
    pub(super) local: Rc<Local>,
    wave: Wave,
    output: RefCell<Output>,
}

/// Serves connections until there will be no more.
pub(crate) async fn run(local: Rc<Local>, mut connections: UnboundedReceiver<NewConnection>) {
    let shared = Rc::new(Shared { local, wave: Wave::default(), output: RefCell::default() });
    let serving = Rc::clone(&shared);
    spawn_local(async move { serving.wave.serve(&serving).await });
    while let Some(connection) = connections.recv().await {
        adopt(&shared, connection);
    }
}

/// Takes over a connection; one that fails at once is dropped, which closes it.
fn adopt(shared: &Rc<Shared>, connection: NewConnection) {
    let (socket, arrival) = connection.split();
    let Ok(stream) = socket.register() else { return };
    let task = Arc::new(Task::default());
    let link = Box::new(TaskLink(Arc::clone(&task)));
    let (conversation, registered) = shared.local.register(arrival, stream.descriptor(), link);
    let client = shared.local.node.clients.get(&registered.id).map(|client| Arc::clone(&client));
    let driver = Driver::new(stream, Session::new(conversation), Arc::clone(&task));
    let shared = Rc::clone(shared);
    let running = spawn_local(async move {
        driver.run(&shared).await;
        drop(registered);
    });
    // Nobody else sets it.
    let _ = task.abort.set(running.abort_handle());
    if client.is_some_and(|client| client.is_ended()) {
        // By somebody who came before the handle was there.
        running.abort();
    }
}

/// The task of a connection, as others can reach it.
#[derive(Default)]
struct Task {
    abort: OnceLock<AbortHandle>,
    woken: Notify,
}

/// Reaches a connection through its task.
struct TaskLink(Arc<Task>);

impl Link for TaskLink {
    fn disconnect(&self) {
        if let Some(abort) = self.0.abort.get() {
            abort.abort();
        }
    }

    fn wake(&self) {
        self.0.woken.notify_one();
    }
}

/// One connection on its worker.
struct Driver {
    state: RefCell<State>,
    /// Set while what was read waits in the wave.
    in_wave: Cell<bool>,
    /// What the wave left for the connection's own task: anything but waiting for the next request.
    left: Cell<Option<Served>>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
    /// Set once the task also waits for what others send.
    listening: Cell<bool>,
    task: Arc<Task>,
}

struct State {
    stream: Stream,
    session: Session,
    /// Output that was not yet sent.
    unsent: Output,
}

impl Driver {
    fn new(stream: Stream, session: Session, task: Arc<Task>) -> Rc<Driver> {
        let state = State { stream, session, unsent: Output::default() };
        Rc::new(Driver {
            state: RefCell::new(state),
            in_wave: Cell::new(false),
            left: Cell::new(None),
            waker: RefCell::new(None),
            listening: Cell::new(false),
            task,
        })
    }

    /// Runs until either side ends the connection.
    async fn run(self: Rc<Self>, shared: &Shared) {
        let mut next = Ok(Served::NeedInput(1));
        while let Ok(served) = next {
            if self.state.borrow().is_behind() && self.send(&shared.local).await.is_err() {
                return;
            }
            next = match served {
                Served::NeedInput(needed) => {
                    self.state.borrow().session.note_kept(&shared.local);
                    self.listening.set(self.state.borrow().session.listens());
                    if self.state.borrow().session.kept() == 0 {
                        self.or_woken(shared, poll_fn(|task| self.poll_wave(shared, task))).await
                    } else {
                        self.or_woken(shared, self.read_more(shared, needed)).await
                    }
                }
                Served::Again => {
                    tokio::task::yield_now().await;
                    Ok(self.state.borrow_mut().serve_tail(shared))
                }
                Served::At(at) => self.wait_until(shared, at).await,
                Served::Close => return,
            };
        }
    }

    /// What comes first: input, or, for one that listens, word that others have sent something.
    async fn or_woken(
        &self,
        shared: &Shared,
        input: impl Future<Output = io::Result<Served>>,
    ) -> io::Result<Served> {
        if !self.listening.get() {
            return input.await;
        }
        tokio::select! {
            biased;
            served = input => served,
            () = self.task.woken.notified() => {
                if self.in_wave.get() {
                    // What was read comes first: nothing of it may be served while replies are on their way.
                    shared.wave.run(shared);
                }
                // Whatever the wave left has taken over what others sent.
                Ok(self.left.take().unwrap_or_else(|| self.state.borrow_mut().serve_tail(shared)))
            }
        }
    }

    /// Waits for a time, or until others end that, and goes on with the request that waits. If that waits for others, who may never
    /// come, the client's going is noticed meanwhile.
    async fn wait_until(&self, shared: &Shared, at: UnixMillis) -> io::Result<Served> {
        let mut over = std::pin::pin!(tokio::time::sleep(until(&shared.local, at)));
        loop {
            let watched = {
                let session = &self.state.borrow().session;
                session.is_waiting() && session.kept() < KEPT_MAX
            };
            tokio::select! {
                biased;
                () = self.task.woken.notified() => break,
                () = &mut over => break,
                read = poll_fn(|task| self.state.borrow_mut().poll_read_more(shared, task, 1)), if watched => {
                    let state = self.state.borrow();
                    state.session.count_input(&shared.local, read?);
                    state.session.note_kept(&shared.local);
                }
            }
        }
        Ok(self.state.borrow_mut().serve_tail(shared))
    }

    /// Reads into the wave whenever there is something to read; ends when the wave leaves something else to do.
    fn poll_wave(self: &Rc<Self>, shared: &Shared, task: &mut Context<'_>) -> Poll<io::Result<Served>> {
        loop {
            if self.in_wave.get() {
                // More has come before the last was served.
                shared.wave.run(shared);
            }
            if let Some(left) = self.left.take() {
                return Poll::Ready(Ok(left));
            }
            let Poll::Ready(len) = self.state.borrow_mut().poll_read_ahead(shared, task)? else {
                return Poll::Pending;
            };
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(task.waker())) {
                *waker = Some(task.waker().clone());
            }
            drop(waker);
            self.in_wave.set(true);
            shared.wave.join(Rc::clone(self) as Rc<dyn Member>, len);
            if self.state.borrow().stream.poll_read_ready(task)?.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Reads more of a request whose beginning was kept.
    async fn read_more(&self, shared: &Shared, needed: usize) -> io::Result<Served> {
        let read = poll_fn(|task| self.state.borrow_mut().poll_read_more(shared, task, needed)).await?;
        let state = self.state.borrow();
        state.session.count_input(&shared.local, read);
        state.session.note_active(&shared.local);
        drop(state);
        match needed.checked_sub(read) {
            Some(missing) if missing > 0 => Ok(Served::NeedInput(missing)),
            _ => Ok(self.state.borrow_mut().serve_tail(shared)),
        }
    }

    /// Sends the rest, waiting for the socket; ends the connection when the client leaves too much unread for too long.
    async fn send(&self, local: &Local) -> io::Result<()> {
        let mut woken = false;
        loop {
            let len = self.state.borrow().unsent.len();
            let until = self.state.borrow_mut().session.judge(local, len)?;
            if len == 0 {
                if woken {
                    // What was sent to it meanwhile is served now.
                    self.task.woken.notify_one();
                }
                return Ok(());
            }
            let over = async {
                match until {
                    Some(until) => sleep_until(Instant::from_std(until)).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                ready = poll_fn(|task| self.state.borrow().stream.poll_write_ready(task)) => ready?,
                // Both only have it judged again.
                () = self.task.woken.notified() => {
                    woken = true;
                    continue;
                }
                () = over => continue,
            }
            let mut state = self.state.borrow_mut();
            let State { stream, unsent, session } = &mut *state;
            write_some(stream, unsent, session, local)?;
            if unsent.is_empty() {
                *unsent = Output::default();
            }
            session.note_active(local);
        }
    }
}

impl Member for Driver {
    fn serve(&self, shared: &Shared, input: &mut [u8]) {
        self.in_wave.set(false);
        let mut state = self.state.borrow_mut();
        if state.session.conversation.shared().is_ended() {
            // Its task is gone, and so is its entry in the registry: nothing may be done in its name any more.
            return;
        }
        let served = state.work(shared, |session, output| session.serve(&shared.local, input, output));
        let begins_to_listen = !self.listening.get() && state.session.listens();
        let more = state.session.kept() > 0 || state.is_behind() || begins_to_listen;
        if more || !matches!(served, Served::NeedInput(_)) {
            self.left.set(Some(served));
            if let Some(waker) = &*self.waker.borrow() {
                waker.wake_by_ref();
            }
        }
    }
}

impl State {
    /// Whether there is output to be sent, or to be judged.
    fn is_behind(&self) -> bool {
        !self.unsent.is_empty() || self.session.is_in_grace()
    }

    /// Reads into the wave and looks ahead at what came; the end of the stream is an error.
    fn poll_read_ahead(&mut self, shared: &Shared, task: &mut Context<'_>) -> Poll<io::Result<usize>> {
        shared.wave.with_room(shared, |room| {
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
            self.session.count_input(&shared.local, len);
            self.session.look_ahead(&shared.local, read.filled_mut());
            Poll::Ready(Ok(len))
        })
    }

    /// Reads behind what was kept.
    fn poll_read_more(
        &mut self,
        shared: &Shared,
        task: &mut Context<'_>,
        needed: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.poll_read_ready(task)? {
                Poll::Ready(()) => {}
                // Before room is made: of those that wait there may be many.
                Poll::Pending => return Poll::Pending,
            }
            match self.stream.try_read(self.session.tail_with_room(needed, 1)) {
                Ok(0) => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => {
                    return Poll::Ready(
                        result.and_then(|read| self.session.judge_kept(&shared.local).map(|()| read)),
                    );
                }
            }
        }
    }

    /// Serves what was kept.
    fn serve_tail(&mut self, shared: &Shared) -> Served {
        self.work(shared, |session, output| session.serve_tail(&shared.local, output))
    }

    /// Lets the state machine work, and sends what it answers as far as the socket takes it at once.
    fn work(&mut self, shared: &Shared, serve: impl FnOnce(&mut Session, &mut Output) -> Served) -> Served {
        let mut output = shared.output.borrow_mut();
        let served = serve(&mut self.session, &mut output);
        if !output.is_empty() {
            // An error shows again when the rest is sent.
            let _ = write_some(&self.stream, &mut output, &self.session, &shared.local);
            if output.is_empty() {
                output.clear();
            } else {
                self.unsent = output.take();
            }
        }
        served
    }
}

/// Writes until the output is empty or the socket takes no more.
fn write_some(stream: &Stream, output: &mut Output, session: &Session, local: &Local) -> io::Result<()> {
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
                session.count_sent(local, len);
                output.consume(len);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
