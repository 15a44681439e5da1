//! A client: what its requests depend on, and what other clients may see of it.

use std::borrow::Cow;
use std::fmt;

use larder_resp::{Output, Protocol};
use larder_store::{DbIndex, UnixMillis};
use std::sync::Arc;

use crate::caching::{CachingState, ClientCaching};
use crate::inbox::{Inbox, Letter, Reader};
use crate::output_limits::{OutputLimits, Verdict};
use crate::pause::Pause;
use crate::pool::Account;
use crate::pubsub::{Subscriptions, Topic};
use crate::replay::Replays;
use crate::sync::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::transaction::Queue;
use crate::waiting::{WaitState, Waiting};
use crate::watch::Watch;

/// Which replies a client wants (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// Not the one to the next request.
    SkipNext,
    /// Not the one to this request; after it, all.
    Skip,
}

/// The state of one connection's client. Plain data: it may move between threads.
#[derive(Debug)]
pub struct Client {
    /// What others see.
    pub shared: Arc<SharedClient>,
    /// The selected database.
    pub db: DbIndex,
    /// The version of RESP that replies are written in.
    pub protocol: Protocol,
    /// Whether it has given the password, or none is needed.
    pub authenticated: bool,
    /// Which replies it wants.
    pub reply_mode: ReplyMode,
    /// Whether its reads leave the access bits alone (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// Whether its requests are those of a script.
    pub script: bool,
    /// Whether its requests are those of a log that is being loaded.
    pub(crate) replays: Replays,
    /// Whether the connection ends once the replies are written.
    pub closing: bool,
    /// The requests that EXEC will execute, between MULTI and then.
    pub(crate) queue: Option<Box<Queue>>,
    /// The keys that must not change until then.
    pub(crate) watch: Option<Box<Watch>>,
    /// How it caches, if it does.
    pub(crate) caching: Option<Box<ClientCaching>>,
    /// What it subscribes to, if anything.
    pub(crate) subscriptions: Option<Box<Subscriptions>>,
    /// Whether the keys that it reads are to be remembered now.
    pub(crate) remembers: bool,
}

/// The part of a client that CLIENT LIST, INFO and KILL of other clients need.
pub struct SharedClient {
    /// Unique over the life of the server, rising.
    pub id: u64,
    /// The peer's address as `ip:port`, or the path of the unix socket.
    pub address: String,
    /// The server's side of the connection.
    pub local_address: String,
    /// When it connected.
    pub connected_at: UnixMillis,
    /// When it last sent a request, or a part of a long one, or took a part of a long reply; in milliseconds since 1970.
    pub active_at: AtomicI64,
    /// The selected database.
    pub db: AtomicU32,
    /// The index of the row last executed; `u32::MAX` before the first.
    pub row: AtomicU32,
    /// RESP version: 2 or 3.
    pub protocol: AtomicU32,
    /// What it takes of the memory of clients.
    pub(crate) account: Account,
    /// Bytes of request that wait for their end.
    pub query_bytes: AtomicU64,
    /// Bytes of the buffer that they are in.
    query_buffer: AtomicU64,
    /// Bytes of a request that is kept because it did not end at once.
    pub(crate) kept_bytes: AtomicU64,
    /// Bytes that it takes beside its buffers and its transaction: what it is subscribed to and told of.
    listed_bytes: AtomicU64,
    /// Bytes of reply that wait to be sent.
    pub output_bytes: AtomicU64,
    /// Requests executed.
    pub requests: AtomicU64,
    /// Bytes read from it.
    pub input_bytes: AtomicU64,
    /// Bytes written to it.
    pub sent_bytes: AtomicU64,
    /// The socket's number in the process; -1 without one.
    pub descriptor: i32,
    /// CLIENT NO-EVICT.
    spared: AtomicBool,
    /// CLIENT NO-TOUCH.
    pub no_touch: AtomicBool,
    /// Whether it can be sent to another node (CLIENT CAPA REDIRECT).
    pub redirectable: AtomicBool,
    /// What it calls itself.
    pub names: Mutex<ClientNames>,
    /// Whether it is sent a line for each command (MONITOR).
    pub(crate) monitors: AtomicBool,
    /// Requests queued between MULTI and EXEC; -1 otherwise.
    pub queued: AtomicI64,
    /// Bytes that they take, and the keys watched.
    pub queued_bytes: AtomicU64,
    /// Keys watched.
    pub watched: AtomicU64,
    /// Whether EXEC will execute nothing, because of a request that was refused or a watched key that has changed.
    pub doomed: AtomicBool,
    /// How it caches what it reads.
    pub caching: CachingState,
    /// To how many channels, patterns and shard channels it subscribes.
    pub subscriptions: [AtomicUsize; 3],
    /// Whether it waits within a request.
    pub(crate) waiting: WaitState,
    /// Whether it is to look at the keys that it is blocked for.
    pub(crate) nudged: AtomicBool,
    /// What others send to it.
    pub(crate) inbox: Inbox,
    /// How much of it may wait.
    limits: Arc<OutputLimits>,
    /// Whether its driver has been told that more waits than the soft limit.
    noted_soft: AtomicBool,
    /// Whether the server ended the connection because the client broke the protocol.
    pub failed: AtomicBool,
    /// Whether the connection has been ended from outside. Its worker may have yet to notice; who ended it must not see it again.
    ended: AtomicBool,
    /// The means to end the connection from outside.
    link: Box<dyn Link>,
}

/// What a client calls itself: CLIENT SETNAME and SETINFO.
#[derive(Clone, Debug, Default)]
pub struct ClientNames {
    /// CLIENT SETNAME.
    pub name: Box<str>,
    /// CLIENT SETINFO LIB-NAME.
    pub library: Box<str>,
    /// CLIENT SETINFO LIB-VER.
    pub library_version: Box<str>,
}

impl ClientNames {
    fn len(&self) -> usize {
        self.name.len() + self.library.len() + self.library_version.len()
    }
}

/// A connection as the engine sees it: something that can be ended.
pub trait Link: Send + Sync {
    /// Ends the connection in both directions; may be called at any time from any thread.
    fn disconnect(&self);
    /// Has the connection be served soon, though no input has come: somebody has sent it something, or ended its waiting. May be
    /// called at any time from any thread.
    fn wake(&self);
}

/// The link of a client that has no connection.
#[derive(Clone, Copy, Debug)]
pub struct NoLink;

impl Link for NoLink {
    fn disconnect(&self) {}
    fn wake(&self) {}
}

impl SharedClient {
    /// A client that has just connected.
    #[must_use]
    pub fn new(
        id: u64,
        address: String,
        local_address: String,
        now: UnixMillis,
        limits: Arc<OutputLimits>,
        link: Box<dyn Link>,
    ) -> SharedClient {
        let own_bytes = size_of::<Client>() + size_of::<SharedClient>() + address.len() + local_address.len();
        SharedClient {
            account: Account::new(own_bytes),
            id,
            address,
            local_address,
            connected_at: now,
            active_at: AtomicI64::new(now.0),
            db: AtomicU32::new(0),
            row: AtomicU32::new(u32::MAX),
            protocol: AtomicU32::new(2),
            query_bytes: AtomicU64::new(0),
            query_buffer: AtomicU64::new(0),
            kept_bytes: AtomicU64::new(0),
            listed_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            input_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            descriptor: -1,
            spared: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            redirectable: AtomicBool::new(false),
            names: Mutex::default(),
            monitors: AtomicBool::new(false),
            queued: AtomicI64::new(-1),
            queued_bytes: AtomicU64::new(0),
            watched: AtomicU64::new(0),
            doomed: AtomicBool::new(false),
            caching: CachingState::default(),
            subscriptions: Default::default(),
            waiting: WaitState::new(),
            nudged: AtomicBool::new(false),
            inbox: Inbox::default(),
            limits,
            noted_soft: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            link,
        }
    }

    /// Notes how many bytes of reply wait to be sent; to be called by the connection's worker only.
    pub fn note_output(&self, bytes: usize) {
        self.note_bytes(&self.output_bytes, bytes);
    }

    /// Notes what one of its parts takes; only its worker changes that.
    #[inline]
    fn note_bytes(&self, part: &AtomicU64, bytes: usize) {
        let (before, after) = (part.load(Ordering::Relaxed), bytes as u64);
        if before != after {
            part.store(after, Ordering::Relaxed);
            self.account.change(self.id, before, after);
        }
    }

    /// All bytes that it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.account.bytes()
    }

    /// Bytes for which there is room behind those of request that wait for their end.
    #[must_use]
    pub fn query_free(&self) -> u64 {
        let buffer = self.query_buffer.load(Ordering::Relaxed);
        buffer.saturating_sub(self.query_bytes.load(Ordering::Relaxed))
    }

    /// Spares it when the memory of clients runs short, or no longer (CLIENT NO-EVICT).
    pub fn spare(&self, spared: bool) {
        self.spared.store(spared, Ordering::Relaxed);
        self.account.spare(self.id, spared);
    }

    /// Whether it is spared then.
    #[must_use]
    pub fn is_spared(&self) -> bool {
        self.spared.load(Ordering::Relaxed)
    }

    /// Changes what it calls itself.
    pub fn rename(&self, change: impl FnOnce(&mut ClientNames)) {
        let mut names = self.names.lock();
        let before = names.len() as u64;
        change(&mut names);
        self.account.change(self.id, before, names.len() as u64);
    }

    /// Counts bytes read; to be called by the connection's worker only.
    #[inline]
    pub fn count_input(&self, bytes: usize) {
        add(&self.input_bytes, bytes);
    }

    /// Counts bytes written; to be called by the connection's worker only.
    #[inline]
    pub fn count_sent(&self, bytes: usize) {
        add(&self.sent_bytes, bytes);
    }

    /// Notes how many bytes of request wait for their end, and how many the buffer takes that they are in; to be called by the
    /// connection's worker only.
    #[inline]
    pub fn note_input(&self, bytes: usize, buffer: usize) {
        self.query_bytes.store(bytes as u64, Ordering::Relaxed);
        self.note_bytes(&self.query_buffer, buffer);
    }

    /// Notes that bytes came from it or went to it.
    pub fn note_active(&self, now: UnixMillis) {
        self.active_at.store(now.0, Ordering::Relaxed);
    }

    /// Ends the connection.
    pub fn disconnect(&self) {
        self.ended.store(true, Ordering::Release);
        self.account.close(self.id);
        self.link.disconnect();
    }

    /// Counts that it is sent away because it has left too much unread; the connection is the caller's to end.
    pub fn exceed(&self) {
        if !self.ended.swap(true, Ordering::AcqRel) {
            self.account.close(self.id);
            self.limits.count_exceeded();
        }
    }

    /// Whether [`SharedClient::disconnect`] has ended the connection, even if its worker has not noticed yet.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Sends it a letter, behind the replies of the batch that is running. A client that had left too much unread before is sent away
    /// instead.
    pub(crate) fn deliver(&self, letter: Letter) {
        if self.is_ended() {
            // Its worker has yet to notice, and nobody will read it.
            return;
        }
        // Before it can be taken out.
        self.account.change(self.id, 0, letter.len());
        let (before, now) = self.inbox.push(letter);
        let unsent = self.output_bytes.load(Ordering::Relaxed);
        let verdict = self.limits.judge(self, before + unsent, now + unsent);
        if verdict == Verdict::Hard {
            self.exceed();
            self.link.disconnect();
        } else if before == 0 || verdict == Verdict::Soft && !self.noted_soft.swap(true, Ordering::AcqRel) {
            // Otherwise it has been woken and has yet to come.
            self.link.wake();
        }
    }

    /// What it has left unread besides so many bytes that its driver could not send; from now on the driver is woken when that exceeds
    /// the soft limit.
    pub fn unread_besides(&self, unsent: usize) -> u64 {
        // In this order: who sends more from here on finds it unset.
        self.noted_soft.swap(false, Ordering::AcqRel);
        unsent as u64 + self.inbox.bytes()
    }

    /// Has its driver judge once more how much it leaves unread, because the limits have changed.
    pub(crate) fn judge_again(&self) {
        if self.unread_bytes() > 0 {
            self.link.wake();
        }
    }

    /// Bytes of output that it has yet to read, as far as is known.
    #[must_use]
    pub(crate) fn unread_bytes(&self) -> u64 {
        self.inbox.bytes() + self.output_bytes.load(Ordering::Relaxed)
    }

    /// Takes over the lines that others have sent to a client of memcached's protocols.
    #[inline]
    pub fn take_lines(&self, output: &mut Output) {
        self.take_letters(output, Reader { protocol: Protocol::Resp2, subscribes: false });
    }

    #[inline]
    fn take_letters(&self, output: &mut Output, reader: Reader) {
        if self.inbox.bytes() > 0 {
            let taken = self.inbox.take(output, reader);
            self.account.change(self.id, taken, 0);
        }
    }

    /// Bytes that others have sent to it and that its worker has yet to take over.
    #[must_use]
    pub fn inbox_bytes(&self) -> u64 {
        self.inbox.bytes()
    }

    /// In how many letters they are.
    #[must_use]
    pub fn inbox_len(&self) -> usize {
        self.inbox.len()
    }

    /// The version of RESP in which it is told something.
    pub(crate) fn speaks(&self) -> Protocol {
        if self.protocol.load(Ordering::Relaxed) == 3 { Protocol::Resp3 } else { Protocol::Resp2 }
    }

    /// Whether it subscribes to anything.
    #[must_use]
    pub fn is_subscriber(&self) -> bool {
        self.subscriptions.iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Whether it is sent a line for each command.
    #[must_use]
    pub fn is_monitor(&self) -> bool {
        self.monitors.load(Ordering::Relaxed)
    }

    /// How it waits within a request.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.waiting.get()
    }

    /// Ends its waiting in a blocking command: as if its time were over, or with an error. Says whether it was in one.
    pub fn unblock(&self, by: Waiting) -> bool {
        let ended = self.waiting.end(by);
        if ended {
            self.link.wake();
        }
        ended
    }

    /// Begins its waiting in a blocking command, until a time at the latest if there is one.
    pub(crate) fn begin_waiting(&self, until: Option<UnixMillis>) {
        self.waiting.set(if until.is_some() { Waiting::BlockedUntil } else { Waiting::Blocked });
    }

    /// Decides how its waiting in a blocking command ends, unless somebody else has; who has must see to it that it goes on.
    pub(crate) fn claim(&self, end: Waiting) -> bool {
        self.waiting.end(end)
    }

    /// Has it go on whose waiting was claimed.
    pub(crate) fn wake_served(&self) {
        self.link.wake();
    }

    /// Has it look at the keys that it is blocked for.
    pub(crate) fn nudge(&self) {
        self.nudged.store(true, Ordering::Release);
        self.link.wake();
    }

    /// Until when it is to wait because of CLIENT PAUSE: for a connection all of whose requests wait, whatever they are.
    pub fn postpone(&self, pause: &Pause, now: UnixMillis) -> Option<UnixMillis> {
        if pause.in_force(now).is_some() {
            self.waiting.set(Waiting::Postponed);
        } else if self.waiting() == Waiting::No {
            return None;
        }
        // Looked for once more: it may have ended before it could be known that somebody waits.
        let until = pause.in_force(now).map(|(_, until)| until);
        if until.is_none() {
            self.waiting.set(Waiting::No);
        }
        until
    }

    /// Has it be served soon if it waits for the end of CLIENT PAUSE.
    pub fn wake_postponed(&self) {
        if self.waiting() == Waiting::Postponed {
            self.link.wake();
        }
    }

    /// When it last sent a request.
    #[must_use]
    pub fn active_at(&self) -> UnixMillis {
        UnixMillis(self.active_at.load(Ordering::Relaxed))
    }

    /// Whether the peer is on this machine: a loopback address or a unix socket.
    #[must_use]
    pub fn is_local(&self) -> bool {
        is_local(&self.address)
    }

    /// Where it has come from, as MONITOR and memcached show it: `unix:` and the path for one that has come by a unix socket.
    #[must_use]
    pub fn shown_address(&self) -> Cow<'_, str> {
        match self.address.strip_suffix(":0") {
            Some(path) if self.is_unix_socket() => Cow::Owned(format!("unix:{path}")),
            _ => Cow::Borrowed(&self.address),
        }
    }

    /// Whether it has come by a unix socket.
    #[must_use]
    pub fn is_unix_socket(&self) -> bool {
        self.address.starts_with('/')
    }

    /// Notes what the batch just served has changed.
    #[inline]
    pub(crate) fn note_batch(&self, client: &Client, now: UnixMillis, requests: u64) {
        self.db.store(client.db.0, Ordering::Relaxed);
        let before =
            self.queued.load(Ordering::Relaxed) >= 0 || self.queued_bytes.load(Ordering::Relaxed) > 0;
        if before || client.queue.is_some() || client.watch.is_some() {
            self.note_transaction(client);
        }
        self.note_requests(now, requests);
    }

    /// Notes how far a client is on its way to EXEC.
    #[cold]
    pub(crate) fn note_transaction(&self, client: &Client) {
        let (queue, watch) = (client.queue.as_ref(), client.watch.as_ref());
        self.queued.store(queue.map_or(-1, |queue| queue.len() as i64), Ordering::Relaxed);
        let bytes =
            queue.map_or(0, |queue| queue.memory_bytes()) + watch.map_or(0, |watch| watch.memory_bytes());
        self.note_bytes(&self.queued_bytes, bytes);
        self.watched.store(watch.map_or(0, |watch| watch.keys().len()) as u64, Ordering::Relaxed);
        let touched = watch.is_some_and(|watch| watch.is_touched());
        self.doomed.store(touched || queue.is_some_and(|queue| queue.failed), Ordering::Relaxed);
    }

    /// Notes what the client takes for being told of something, and for a request that did not end at once.
    #[inline]
    pub(crate) fn note_memory(&self, client: &Client, kept: usize) {
        self.note_bytes(&self.kept_bytes, kept);
        let number = |part: &AtomicU64| part.load(Ordering::Relaxed);
        if client.subscriptions.is_some() || client.caching.is_some() || number(&self.listed_bytes) > 0 {
            let subscriptions = client.subscriptions().map_or(0, Subscriptions::memory_bytes);
            let caching = client.caching().map_or(0, ClientCaching::memory_bytes);
            self.note_bytes(&self.listed_bytes, subscriptions + caching);
        }
    }

    /// Notes that so many requests were served now.
    pub fn note_requests(&self, now: UnixMillis, requests: u64) {
        self.note_active(now);
        self.requests.store(self.requests.load(Ordering::Relaxed) + requests, Ordering::Relaxed);
    }
}

/// Whether an address, written as [`SharedClient::address`] is, belongs to this machine.
#[must_use]
pub fn is_local(address: &str) -> bool {
    address.starts_with("127.") || address.starts_with("[::1]") || address.starts_with('/')
}

/// Adds to a number that only one thread writes.
#[inline]
fn add(number: &AtomicU64, count: usize) {
    number.store(number.load(Ordering::Relaxed) + count as u64, Ordering::Relaxed);
}

impl fmt::Debug for SharedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedClient")
            .field("id", &self.id)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The client of a new connection: database 0, RESP2.
    #[must_use]
    pub fn new(shared: Arc<SharedClient>, authenticated: bool) -> Client {
        Client {
            shared,
            db: DbIndex(0),
            protocol: Protocol::Resp2,
            authenticated,
            reply_mode: ReplyMode::On,
            no_touch: false,
            script: false,
            replays: Replays::No,
            closing: false,
            queue: None,
            watch: None,
            caching: None,
            subscriptions: None,
            remembers: false,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// Queues the requests that follow, until EXEC.
    pub fn begin_transaction(&mut self) {
        self.queue = Some(Box::default());
    }

    /// Whether requests are queued.
    #[must_use]
    pub fn is_in_transaction(&self) -> bool {
        self.queue.is_some()
    }

    /// How it caches, if it does.
    #[must_use]
    pub fn caching(&self) -> Option<&ClientCaching> {
        self.caching.as_deref()
    }

    /// Has it cache as this says, or no longer.
    pub fn set_caching(&mut self, caching: Option<Box<ClientCaching>>) {
        self.caching = caching;
        self.remembers = self.caching().is_some_and(ClientCaching::remembers);
    }

    /// Takes out how it caches, to be changed and set again.
    #[must_use]
    pub fn take_caching(&mut self) -> Option<Box<ClientCaching>> {
        self.caching.take()
    }

    /// Whether CLIENT CACHING was given for the next request.
    pub(crate) fn has_given_caching(&self) -> bool {
        self.caching().is_some_and(|caching| caching.given)
    }

    /// Says that the reads of the next request are remembered, or not, other than usual.
    pub fn give_caching(&mut self) {
        self.set_given_caching(true);
    }

    /// The request for which CLIENT CACHING was given has been executed.
    #[cold]
    pub(crate) fn forget_given_caching(&mut self) {
        self.set_given_caching(false);
    }

    fn set_given_caching(&mut self, given: bool) {
        if let Some(mut caching) = self.take_caching() {
            caching.given = given;
            self.set_caching(Some(caching));
        }
    }

    /// What it subscribes to, if anything.
    #[must_use]
    pub fn subscriptions(&self) -> Option<&Subscriptions> {
        self.subscriptions.as_deref()
    }

    /// Ends a subscription, if there is one.
    pub(crate) fn unsubscribe(&mut self, topic: Topic, name: &[u8]) {
        if let Some(subscriptions) = &mut self.subscriptions {
            subscriptions.remove(topic, name);
            if subscriptions.is_empty() {
                self.subscriptions = None;
            }
        }
    }

    /// Whether it may only change its subscriptions: RESP2 cannot tell messages from replies.
    #[must_use]
    pub fn is_only_listening(&self) -> bool {
        self.subscriptions.is_some() && self.protocol == Protocol::Resp2
    }

    /// Forgets what was queued, and what was watched.
    pub fn discard_transaction(&mut self) {
        self.queue = None;
        self.unwatch();
    }

    /// Watches no key any more.
    pub fn unwatch(&mut self) {
        self.watch = None;
        // For those who look before the end of the batch.
        self.shared.watched.store(0, Ordering::Relaxed);
    }

    /// Makes it as if it had just connected; the addresses, the id and what was counted stay. It must have taken over what it was sent
    /// as a subscriber.
    pub(crate) fn reset(&mut self, authenticated: bool) {
        self.discard_transaction();
        self.set_caching(None);
        self.speak(Protocol::Resp2);
        self.db = DbIndex(0);
        self.authenticated = authenticated;
        self.reply_mode = ReplyMode::On;
        self.no_touch = false;
        self.shared.no_touch.store(false, Ordering::Relaxed);
        self.shared.spare(false);
        self.shared.rename(|names| names.name = Box::default());
    }

    /// Takes over what others have sent.
    #[inline]
    pub fn take_inbox(&self, output: &mut Output) {
        let reader = Reader { protocol: self.protocol, subscribes: self.subscriptions.is_some() };
        self.shared.take_letters(output, reader);
    }

    /// Whether it may have been sent messages.
    pub(crate) fn hears(&self) -> bool {
        self.subscriptions.is_some() || self.shared.inbox.bytes() > 0
    }

    /// Forgets messages that would be taken for replies, now that it subscribes to nothing.
    pub(crate) fn forget_messages_if_deaf(&self) {
        if self.subscriptions.is_none() && self.protocol == Protocol::Resp2 && self.shared.inbox.bytes() > 0 {
            let forgotten = self.shared.inbox.forget_messages();
            self.shared.account.change(self.shared.id, forgotten, 0);
        }
    }

    /// Changes the RESP version.
    pub fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        let version = if protocol == Protocol::Resp3 { 3 } else { 2 };
        self.shared.protocol.store(version, Ordering::Relaxed);
    }
}
