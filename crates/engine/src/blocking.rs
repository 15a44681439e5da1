//! Clients that are blocked for keys: BLPOP and its kin.
//!
//! A client that finds nothing queues up at each of its keys, under the lock of the key's stripe. Whoever changes a key that somebody waits
//! for notes that under the same lock, and before it unlocks the stripe it does for those who wait what they wait for, first come first
//! served: nobody comes in between, and the change is not seen without what follows from it. One step of the client's
//! [waiting](crate::waiting) decides between being served, the end of its time, CLIENT UNBLOCK and its going, so an element is handed to
//! somebody exactly once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use larder_resp::{Output, Protocol, Reply};
use larder_store::{Change, DbIndex, Effect, Key, Moment, Position, STRIPES, Touch, UnixMillis};
use smallvec::SmallVec;

use crate::client::SharedClient;
use crate::context::Context;
use crate::error::CommandError;
use crate::key_map::KeyMap;
use crate::locked::Locked;
use crate::node::{Node, moment};
use crate::outcome::{CommandResult, Outcome};
use crate::replay::Replays;
use crate::stats::WorkerStats;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::waiting::Waiting;

/// What a blocked client waits for, and what is then done for it, perhaps by another worker.
pub trait Wait: Send {
    /// Whether a key, which has just changed, has what the client waits for. Changes nothing; may lock what else is needed.
    fn readiness(&self, db: &mut Locked<'_>, key: Key<'_>) -> Readiness;

    /// Does what it waits for with a key that is ready, and writes the reply.
    ///
    /// # Errors
    /// What the client is told instead.
    fn serve(&mut self, db: &mut Locked<'_>, key: Key<'_>, reply: &mut Reply<'_>)
    -> Result<(), CommandError>;

    /// Writes the reply of a client whose time is over, or that may not wait.
    fn give_up(&self, reply: &mut Reply<'_>);

    /// Whether it also matters to the client when a key is removed.
    fn minds_removal(&self) -> bool {
        false
    }
}

/// Whether a key has what somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It has.
    Ready,
    /// Not yet.
    NotYet,
    /// It has, but another stripe is needed that is in use just now.
    Contended,
}

/// How many keys clients are blocked for: while it is none, nobody looks further.
#[derive(Debug, Default)]
pub struct Blocking {
    keys: AtomicUsize,
    minding_removal: AtomicUsize,
    /// Changes of such keys so far, which puts them in order.
    changes: AtomicU64,
}

impl Blocking {
    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        self.keys.load(Ordering::Relaxed) > 0
    }

    /// The keys, each counted once in its database; and those of them to which it matters when they are removed.
    #[must_use]
    pub fn keys(&self) -> (usize, usize) {
        (self.keys.load(Ordering::Relaxed), self.minding_removal.load(Ordering::Relaxed))
    }
}

/// A blocked client's request.
pub(crate) struct Ticket {
    client: Arc<SharedClient>,
    db: DbIndex,
    protocol: Protocol,
    minds_removal: bool,
    wait: Mutex<Box<dyn Wait>>,
    /// What was written for it when it was served, or what it is told instead.
    answer: Mutex<Result<Output, CommandError>>,
}

/// Those who wait for a key, the first in front.
#[derive(Default)]
struct Queue {
    tickets: VecDeque<Arc<Ticket>>,
    /// How many of them mind its removal.
    minding_removal: usize,
}

/// The keys of one stripe that clients are blocked for.
#[derive(Default)]
pub(crate) struct BlockedKeys {
    queues: KeyMap<Queue>,
    /// Keys that have changed since somebody looked, in order.
    ready: VecDeque<Ready>,
    /// Known once there is a queue.
    counts: Arc<Blocking>,
}

/// A key that has changed.
pub(crate) struct Ready {
    db: DbIndex,
    key: Box<[u8]>,
    /// How many keys clients are blocked for had changed before, in all stripes.
    number: u64,
}

impl BlockedKeys {
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.ready.is_empty()
    }

    pub(crate) fn changed(&mut self, change: &Change<'_>) {
        if let Some(queue) = self.queues.find(change.db, change.key)
            && (change.effect != Effect::Removed || queue.minding_removal > 0)
        {
            self.note(change.db, change.key);
        }
    }

    pub(crate) fn flushed(&mut self, db: DbIndex, had: &dyn Fn(&[u8]) -> bool) {
        self.note_all(|of, key| of == db && had(key));
    }

    /// Notes those keys as changed of which `changed` says so.
    pub(crate) fn note_all(&mut self, changed: impl Fn(DbIndex, &[u8]) -> bool) {
        let changed = self.queues.iter().filter(|(db, key, _)| changed(*db, key));
        let changed: Vec<(DbIndex, Box<[u8]>)> = changed.map(|(db, key, _)| (db, key.into())).collect();
        changed.iter().for_each(|(db, key)| self.note(*db, key));
    }

    fn note(&mut self, db: DbIndex, key: &[u8]) {
        if !self.ready.iter().any(|ready| ready.db == db && *ready.key == *key) {
            let number = self.counts.changes.fetch_add(1, Ordering::Relaxed);
            self.ready.push_back(Ready { db, key: key.into(), number });
        }
    }

    /// The number of the key that has changed first.
    pub(crate) fn first_ready(&self) -> Option<u64> {
        self.ready.front().map(|ready| ready.number)
    }

    pub(crate) fn take_ready(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    fn add(&mut self, counts: &Arc<Blocking>, db: DbIndex, key: &[u8], ticket: &Arc<Ticket>) {
        if self.queues.is_empty() {
            self.counts = Arc::clone(counts);
        }
        let mut queue = self.take(db, key);
        // The same key may be named twice.
        if !queue.tickets.iter().any(|other| Arc::ptr_eq(other, ticket)) {
            queue.minding_removal += usize::from(ticket.minds_removal);
            queue.tickets.push_back(Arc::clone(ticket));
        }
        self.put(db, key, queue);
    }

    fn remove(&mut self, db: DbIndex, key: &[u8], ticket: &Arc<Ticket>) {
        let mut queue = self.take(db, key);
        queue.retain(|other| !Arc::ptr_eq(other, ticket));
        self.put(db, key, queue);
    }

    fn take(&mut self, db: DbIndex, key: &[u8]) -> Queue {
        let Some(queue) = self.queues.take(db, key) else { return Queue::default() };
        let counts = &self.counts;
        counts.keys.fetch_sub(1, Ordering::Relaxed);
        counts.minding_removal.fetch_sub(usize::from(queue.minding_removal > 0), Ordering::Relaxed);
        queue
    }

    fn put(&mut self, db: DbIndex, key: &[u8], queue: Queue) {
        if !queue.tickets.is_empty() {
            let counts = &self.counts;
            counts.keys.fetch_add(1, Ordering::Relaxed);
            counts.minding_removal.fetch_add(usize::from(queue.minding_removal > 0), Ordering::Relaxed);
            self.queues.put(db, key, queue);
        }
    }
}

impl Queue {
    fn retain(&mut self, keep: impl FnMut(&Arc<Ticket>) -> bool) {
        self.tickets.retain(keep);
        self.minding_removal = self.tickets.iter().filter(|ticket| ticket.minds_removal).count();
    }
}

impl Locked<'_> {
    /// Serves those who wait for keys of the locked stripes that have changed, and for keys that change thereby.
    #[cold]
    pub(crate) fn serve_blocked(&mut self) {
        let mut left = SmallVec::<[Ready; 1]>::new();
        while let Some(ready) = self.take_ready() {
            let before = self.db();
            self.select(ready.db);
            let key = self.node().keyspace.key(&ready.key);
            if self.serve_queue(key) == Queued::Contended {
                left.push(ready);
            }
            self.select(before);
        }
        // Not before: whoever has what they need may in turn wait for what is locked here.
        for Ready { db, key, .. } in left {
            let position = self.node().keyspace.key(&key);
            self.side(position).listeners().blocked.note(db, &key);
        }
    }

    /// Serves those who wait for a key; says whether somebody could not be for want of a stripe that is in use.
    fn serve_queue(&mut self, key: Key<'_>) -> Queued {
        let db = self.db();
        let mut left = Queued::Served;
        let mut queue = self.side(key).listeners().blocked.take(db, key.bytes);
        // Those who wait behind somebody who cannot be served may want something else.
        let mut place = 0;
        while let Some(ticket) = queue.tickets.get(place)
            && (queue.minding_removal > 0 || self.contains(key))
        {
            match ticket.try_serve(self, key) {
                Attempt::Over => {
                    let ticket = queue.tickets.remove(place);
                    queue.minding_removal -= usize::from(ticket.is_some_and(|ticket| ticket.minds_removal));
                }
                Attempt::NotYet => place += 1,
                Attempt::Contended => {
                    place += 1;
                    left = Queued::Contended;
                }
            }
        }
        let side = self.side(key);
        side.listeners().blocked.put(db, key.bytes, queue);
        side.forget_listeners();
        left
    }
}

/// How those who wait for a key were left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queued {
    /// Served, as far as there is something for them.
    Served,
    /// Somebody's worker is to look once more, when it has locked all that he needs.
    Contended,
}

/// What came of trying to serve somebody.
enum Attempt {
    /// The client has been served, or waits no longer.
    Over,
    NotYet,
    /// A stripe that serving needs is in use. Its own worker has been told to lock everything in order, and to look once more.
    Contended,
}

impl Ticket {
    fn try_serve(&self, db: &mut Locked<'_>, key: Key<'_>) -> Attempt {
        let mut wait = self.wait.lock();
        if !self.client.waiting().is_blocked() {
            return Attempt::Over;
        }
        match wait.readiness(db, key) {
            Readiness::Ready => {}
            Readiness::NotYet => return Attempt::NotYet,
            Readiness::Contended => {
                self.client.nudge();
                return Attempt::Contended;
            }
        }
        let mut output = Output::default();
        if !self.client.claim(Waiting::Served) {
            return Attempt::Over;
        }
        db.record_what_is_said();
        let served = wait.serve(db, key, &mut Reply { out: &mut output, protocol: self.protocol });
        db.record();
        *self.answer.lock() = served.map(|()| output);
        self.client.wake_served();
        Attempt::Over
    }
}

/// A client's places in the queues of its keys. When this is dropped, which must happen while their stripes are not locked by the same
/// thread, it has none any more.
struct Registration {
    node: Arc<Node>,
    ticket: Arc<Ticket>,
    keys: SmallVec<[(Position, Box<[u8]>); 1]>,
    /// Positions of the keys and of what else serving needs.
    positions: SmallVec<[Position; 2]>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Whoever goes without an answer is to be given nothing from here on.
        self.ticket.client.claim(Waiting::Gone);
        let moment = moment(self.node.host.time().now, &self.node.settings());
        for (position, key) in &self.keys {
            let mut stripe = self.node.keyspace.lock(position.stripe(), moment);
            let side = stripe.side();
            side.listeners().blocked.remove(self.ticket.db, key, &self.ticket);
            side.forget_listeners();
        }
    }
}

impl Context<'_> {
    /// Whether a request may wait: one of a transaction or of a script may not.
    #[must_use]
    pub fn may_block(&self) -> bool {
        self.nesting.is_none() && self.client.replays == Replays::No
    }

    /// Serves clients that are blocked for keys that have changed by a flush or an exchange of databases. Within a transaction, that is
    /// done at its end.
    pub fn serve_blocked(&self) {
        if self.nesting.is_none() {
            serve_everywhere(self.node, self.stats, self.moment);
        }
    }

    /// Blocks the client for some of its request's keys, which are locked and have been found to have nothing for it, until a time if there
    /// is one. Where it may not wait, it gives up at once.
    pub fn block(
        &mut self,
        mut db: Locked<'_>,
        keys: &[usize],
        until: Option<UnixMillis>,
        wait: impl Wait + 'static,
    ) -> CommandResult {
        if !self.may_block() {
            wait.give_up(&mut self.reply);
            return Ok(Outcome::Reply);
        }
        let client = &self.client.shared;
        let ticket = Arc::new(Ticket {
            client: Arc::clone(client),
            db: db.db(),
            protocol: self.reply.protocol,
            minds_removal: wait.minds_removal(),
            wait: Mutex::new(Box::new(wait)),
            answer: Mutex::new(Ok(Output::default())),
        });
        client.begin_waiting(until);
        let mut registered = SmallVec::new();
        for key in keys.iter().map(|number| self.key(*number)) {
            let blocked = &mut db.side(key).listeners().blocked;
            blocked.add(&self.node.blocking, ticket.db, key.bytes, &ticket);
            registered.push((key.position, key.bytes.into()));
        }
        drop(db);
        let positions = self.keys().map(|key| key.position).collect();
        let node = Arc::clone(self.shared_node);
        Ok(wait_until(until, Registration { node, ticket, keys: registered, positions }))
    }
}

/// Waits on.
fn wait_until(until: Option<UnixMillis>, registration: Registration) -> Outcome {
    let mut rest = Some(registration);
    Outcome::blocked(until, move |cx| {
        let registration = rest.take().expect("called again only when it was put back");
        match go_on(cx, until, &registration) {
            Ok(Some(answer)) => {
                let ticket = Arc::clone(&registration.ticket);
                drop(registration);
                match answer {
                    Answer::Served => {
                        let answer = std::mem::replace(&mut *ticket.answer.lock(), Ok(Output::default()));
                        cx.reply.out.append(answer?);
                    }
                    Answer::Nothing => ticket.wait.lock().give_up(&mut cx.reply),
                }
                Ok(Outcome::Reply)
            }
            Ok(None) => Ok(wait_until(until, registration)),
            Err(error) => {
                rest = Some(registration);
                Err(error)
            }
        }
    })
}

/// What a client is told at the end of its waiting.
enum Answer {
    /// What has come of serving it.
    Served,
    /// That there was nothing.
    Nothing,
}

/// Looks how the waiting of a client that was woken has ended, if it has.
fn go_on(
    cx: &Context<'_>,
    until: Option<UnixMillis>,
    registration: &Registration,
) -> Result<Option<Answer>, CommandError> {
    let client = &registration.ticket.client;
    loop {
        match client.waiting() {
            Waiting::Served => return Ok(Some(Answer::Served)),
            Waiting::Blocked | Waiting::BlockedUntil if until.is_none_or(|until| cx.now() < until) => {
                // Somebody who could not serve it has asked for this: unlocking serves.
                let positions = registration.positions.iter().copied();
                let stripes = Locked::lock_all(cx.node, positions, cx.moment)?;
                drop(Locked::of(cx.node, cx.stats, stripes, cx.moment, Touch::Yes));
                if client.waiting().is_blocked() {
                    return Ok(None);
                }
            }
            Waiting::Blocked | Waiting::BlockedUntil => {
                // Unless somebody serves it at this moment.
                client.claim(Waiting::TimedOut);
            }
            _ => return Ok(Some(Answer::Nothing)),
        }
    }
}

/// Serves those who wait for keys of a stripe that have changed otherwise than through [`Locked`].
pub(crate) fn serve_stripe(node: &Node, stats: &WorkerStats, stripe: usize, moment: Moment) {
    let guard = node.keyspace.lock(stripe, moment);
    if guard.is_reserved() {
        // Whoever has it serves them.
        return;
    }
    drop(Locked::of(node, stats, SmallVec::from_iter([guard]), moment, Touch::Yes));
}

/// The same of all stripes; the caller holds none.
pub(crate) fn serve_everywhere(node: &Node, stats: &WorkerStats, moment: Moment) {
    if node.blocking.is_any() {
        (0..STRIPES).for_each(|stripe| serve_stripe(node, stats, stripe, moment));
    }
}

impl fmt::Debug for BlockedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockedKeys").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}
