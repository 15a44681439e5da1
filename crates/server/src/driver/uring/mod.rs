//! The driver on io_uring: one ring per worker, and one task that serves all of the worker's connections.
//!
//! It goes in rounds. A round enters the kernel once, which takes the sends of the round before and collects what has come; then
//! it looks ahead at all input, prefetches, executes it connection by connection, and queues the replies. The rounds follow each
//! other for as long as there is something to hand over. Then the task waits for the ring's bell on tokio's loop, so timers and everything
//! else on the worker's runtime go on beside it.
//!
//! Each socket has one receive for life, for which the kernel picks a buffer when bytes have come; the buffers are back with the
//! kernel before it is entered again, so however many connections there are, 128 buffers do. A connection whose input may not be
//! executed yet, because it has not taken its replies, or a request of it goes on later, keeps a little of it and then receives no
//! more.

mod mail;
mod peer;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::AsRawFd as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use larder_engine::Served;
use larder_resp::Output;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

use self::mail::{Mailbox, RingLink, Word};
use self::peer::Peer;
use super::ring::{End, Event, Key, Received, Ring};
use super::session::until;
use crate::worker::{Local, NewConnection};

/// Rounds after which the other tasks of the worker have their turn.
const ROUNDS_MAX: usize = 8;
/// Empty outputs kept for the next replies.
const OUTPUTS_MAX: usize = 32;
/// Receives that found no buffer and are asked for again in one round. All at once would find none again.
const STARVED_MAX: usize = 64;

/// Serves connections until there will be no more.
pub(crate) async fn run(local: Rc<Local>, ring: Ring, connections: UnboundedReceiver<NewConnection>) {
    let node = Arc::clone(&local.node);
    if let Err(error) = serve(local, ring, connections).await {
        tracing::error!("io_uring: {error}");
        node.host.shut_down();
    }
}

async fn serve(
    local: Rc<Local>,
    ring: Ring,
    mut connections: UnboundedReceiver<NewConnection>,
) -> io::Result<()> {
    let mut reactor = Reactor::start(local, ring)?;
    let mail = Arc::clone(&reactor.mail);
    let bell = reactor.ring.bell()?;
    loop {
        if reactor.turn()? {
            tokio::task::yield_now().await;
            loop {
                match connections.try_recv() {
                    Ok(connection) => reactor.adopt(connection),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return reactor.finish(),
                }
            }
            continue;
        }
        if !reactor.ring.may_sleep()? || !mail.may_sleep() {
            reactor.ring.stay_awake();
            mail.stay_awake();
            continue;
        }
        tokio::select! {
            biased;
            // It is ready once more when more happens: the turn that follows misses nothing.
            rung = bell.readable() => rung?.clear_ready(),
            () = mail.arrives() => {}
            connection = connections.recv() => match connection {
                Some(connection) => reactor.adopt(connection),
                None => return reactor.finish(),
            },
            () = at(reactor.next_timer()) => {}
        }
        reactor.ring.stay_awake();
        mail.stay_awake();
    }
}

/// Waits until then, or for ever.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// All connections of a worker.
///
/// The lists hold keys that may mean nothing any more, or another connection by now, when their turn comes: whoever takes one out
/// looks whether there is something to do.
struct Reactor {
    local: Rc<Local>,
    ring: Ring,
    peers: Vec<Option<Box<Peer>>>,
    mail: Arc<Mailbox>,
    /// Tells apart connections that had the same key.
    next_ticket: u64,
    /// Input of this round.
    wave: Vec<(Key, Received)>,
    /// Those that can go on with what they have kept.
    ready: Vec<Key>,
    /// Those that were served in this round.
    served: Vec<Key>,
    /// Those whose replies were queued since the kernel was last entered, and before that.
    queued: Vec<Key>,
    entered: Vec<Key>,
    /// Those that receive nothing, because there was no buffer.
    starved: VecDeque<Key>,
    timers: BTreeSet<(Instant, Key)>,
    /// Empty ones.
    outputs: Vec<Output>,
}

impl Reactor {
    fn start(local: Rc<Local>, mut ring: Ring) -> io::Result<Reactor> {
        ring.enable()?;
        Ok(Reactor {
            local,
            ring,
            peers: Vec::new(),
            mail: Arc::default(),
            next_ticket: 0,
            wave: Vec::new(),
            ready: Vec::new(),
            served: Vec::new(),
            queued: Vec::new(),
            entered: Vec::new(),
            starved: VecDeque::new(),
            timers: BTreeSet::new(),
            outputs: Vec::new(),
        })
    }

    /// Takes over a connection; one that fails at once is dropped, which closes it.
    fn adopt(&mut self, connection: NewConnection) {
        let (socket, arrival) = connection.split();
        let Ok(socket) = socket.into_blocking() else { return };
        let descriptor = socket.as_raw_fd();
        let key = self.ring.add(socket);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let link = Box::new(RingLink { mail: Arc::clone(&self.mail), key, ticket });
        let (conversation, registered) = self.local.register(arrival, descriptor, link);
        if self.peers.len() <= key.index() {
            self.peers.resize_with(key.index() + 1, || None);
        }
        self.peers[key.index()] = Some(Box::new(Peer::new(conversation, registered, ticket)));
        self.ring.receive(key);
    }

    /// Hands over what is queued; what is under way then is given up.
    fn finish(mut self) -> io::Result<()> {
        self.ring.enter()
    }

    /// Some rounds; says whether there is more to do at once.
    fn turn(&mut self) -> io::Result<bool> {
        for _ in 0..ROUNDS_MAX {
            if !self.round()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn round(&mut self) -> io::Result<bool> {
        self.take_mail();
        std::mem::swap(&mut self.queued, &mut self.entered);
        self.ring.enter()?;
        while let Some(event) = self.ring.next_event() {
            match event {
                Event::Received(key, received) => self.received(key, received),
                Event::Ended(key, end) => self.receive_ended(key, end),
                Event::Sent(key, output, result) => self.sent(key, output, result),
            }
        }
        self.judge_unsent();
        self.serve_wave();
        // Those to whom something was sent just now are served in the same round.
        self.take_mail();
        self.fire_timers();
        self.serve_ready();
        self.settle();
        for _ in 0..STARVED_MAX.min(self.starved.len()) {
            let key = self.starved.pop_front().expect("there are so many");
            self.receive(key);
        }
        Ok(self.ring.has_work() || !self.ready.is_empty())
    }

    fn take_mail(&mut self) {
        for (key, ticket, word) in self.mail.take() {
            if self.peers[key.index()].as_ref().is_some_and(|peer| peer.ticket == ticket) {
                match word {
                    Word::End => self.end(key),
                    Word::Wake => self.wake(key),
                }
            }
        }
    }

    fn received(&mut self, key: Key, received: Received) {
        if let Some(peer) = &mut self.peers[key.index()] {
            peer.note_arrival(&self.local, self.ring.bytes(&received));
        }
        self.wave.push((key, received));
        if !self.ring.is_receiving(key) {
            self.starved.push_back(key);
        }
    }

    fn receive_ended(&mut self, key: Key, end: End) {
        let Some(peer) = &mut self.peers[key.index()] else { return };
        match end {
            End::Interrupted => self.starved.push_back(key),
            End::Eof => {
                peer.eof = true;
                // What it has sent before is served first, unless a request of it waits for others, who may never come.
                if peer.session.is_waiting() {
                    self.end(key);
                } else {
                    self.served.push(key);
                }
            }
        }
    }

    fn receive(&mut self, key: Key) {
        if let Some(peer) = &self.peers[key.index()]
            && !peer.paused
            && !peer.eof
        {
            self.ring.receive(key);
        }
    }

    fn sent(&mut self, key: Key, output: Output, result: io::Result<usize>) {
        let Some(peer) = &mut self.peers[key.index()] else { return };
        let Ok(len) = result else {
            self.end(key);
            return;
        };
        peer.session.count_sent(&self.local, len);
        peer.unsent = output.len();
        if peer.unsent > 0 {
            peer.session.note_active(&self.local);
            self.ring.send(key, output);
            self.queued.push(key);
            return;
        }
        keep_output(&mut self.outputs, output);
        let was_behind = peer.was_behind();
        if peer.woken {
            peer.wake();
        }
        if was_behind {
            peer.session.note_active(&self.local);
            self.judge(key);
            self.set_timer(key, None);
        }
        self.resume(key);
    }

    /// Judges how much a connection leaves unread, and has it be judged again when it has done so for too long.
    fn judge(&mut self, key: Key) {
        let Some(peer) = &mut self.peers[key.index()] else { return };
        match peer.judge(&self.local) {
            Ok(until) => self.set_timer(key, until),
            Err(_) => self.end(key),
        }
    }

    /// Looks after those whose replies the kernel has been given and the sockets have not taken.
    fn judge_unsent(&mut self) {
        let mut entered = std::mem::take(&mut self.entered);
        for key in entered.drain(..) {
            if self.peers[key.index()].as_ref().is_some_and(|peer| peer.unsent > 0) {
                self.judge(key);
            }
        }
        self.entered = entered;
    }

    /// Executes what has come in this round.
    fn serve_wave(&mut self) {
        self.local.worker.borrow_mut().prefetch();
        let mut wave = std::mem::take(&mut self.wave);
        for (key, received) in wave.drain(..) {
            if let Some(peer) = &mut self.peers[key.index()] {
                let mut output = peer.output_from(&mut self.outputs);
                let input = self.ring.bytes(&received);
                let taken = peer.take_in(&self.local, input, &mut output);
                peer.put_output(output, &mut self.outputs);
                if peer.has_kept_enough() {
                    peer.paused = true;
                    self.ring.stop_receiving(key);
                }
                match taken {
                    Ok(()) => self.served.push(key),
                    Err(_) => self.end(key),
                }
            }
            self.ring.give_back(received);
        }
        self.wave = wave;
    }

    /// Has a connection served that waits for input or for a time. One that is at work will find what others have sent.
    fn wake(&mut self, key: Key) {
        let Some(peer) = &mut self.peers[key.index()] else { return };
        if peer.wake() {
            self.set_timer(key, None);
            self.ready.push(key);
        } else if peer.behind {
            // Others have sent it more than it may leave unread for long.
            self.judge(key);
        }
    }

    fn fire_timers(&mut self) {
        if self.timers.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some((due, key)) = self.timers.first().copied()
            && due <= now
        {
            self.set_timer(key, None);
            let Some(peer) = &mut self.peers[key.index()] else { continue };
            if peer.unsent > 0 {
                self.judge(key);
            } else if matches!(peer.stage, Served::At(_)) {
                peer.stage = Served::Again;
                self.ready.push(key);
            }
        }
    }

    /// Executes what was kept and can go on.
    fn serve_ready(&mut self) {
        for key in std::mem::take(&mut self.ready) {
            if let Some(peer) = &mut self.peers[key.index()]
                && peer.can_go_on()
            {
                let mut output = peer.output_from(&mut self.outputs);
                peer.go_on(&self.local, &mut output);
                peer.put_output(output, &mut self.outputs);
                self.served.push(key);
            }
        }
    }

    /// Queues the replies of those that were served, and decides what those without any do next.
    fn settle(&mut self) {
        let mut served = std::mem::take(&mut self.served);
        for key in served.drain(..) {
            let Some(peer) = &mut self.peers[key.index()] else { continue };
            if peer.unsent > 0 {
                continue;
            }
            let output = peer.output.take();
            if output.is_empty() {
                self.resume(key);
            } else {
                peer.unsent = output.len();
                self.ring.send(key, output);
                self.queued.push(key);
            }
        }
        self.served = served;
    }

    /// What a connection does next that has been served and has taken all its replies.
    fn resume(&mut self, key: Key) {
        let Some(peer) = &mut self.peers[key.index()] else { return };
        match peer.stage {
            Served::Close => self.end(key),
            Served::Again | Served::NeedInput(0) => self.ready.push(key),
            // Others, for whom it waits, may never come.
            Served::At(_) if peer.eof && peer.session.is_waiting() => self.end(key),
            Served::At(at) => {
                let due = Instant::now() + until(&self.local, at);
                self.set_timer(key, Some(due));
            }
            Served::NeedInput(_) if peer.eof => self.end(key),
            Served::NeedInput(_) if peer.paused => {
                peer.paused = false;
                // If the receive is still being stopped, its end will start it anew.
                self.ring.receive(key);
            }
            Served::NeedInput(_) => {}
        }
    }

    /// Ends a connection, whatever is under way.
    fn end(&mut self, key: Key) {
        self.set_timer(key, None);
        if self.peers[key.index()].take().is_some() {
            self.ring.remove(key);
        }
    }

    /// Gives a connection another timer, or none, in place of the one it has.
    fn set_timer(&mut self, key: Key, due: Option<Instant>) {
        if let Some(peer) = &mut self.peers[key.index()] {
            if let Some(before) = peer.due.take() {
                self.timers.remove(&(before, key));
            }
            if let Some(due) = due {
                self.timers.insert((due, key));
            }
            peer.due = due;
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }
}

/// Keeps an empty output for the next replies.
fn keep_output(outputs: &mut Vec<Output>, output: Output) {
    if outputs.len() < OUTPUTS_MAX {
        outputs.push(output);
    }
}
