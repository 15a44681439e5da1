//! memcached's log: lines about items and connections, to everybody who watches.
//!
//! While nobody watches, a worker looks at one number a turn. Otherwise the worker that has done what a line tells of writes it once,
//! and puts it into the inbox of each watcher whose topic it is. One that does not read fast enough misses lines, and is told how many.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use crate::client::SharedClient;
use crate::inbox::Letter;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering};

/// Most watchers, as in memcached.
const WATCHERS_MAX: usize = 20;
/// Bytes of lines that may wait for a watcher, as in memcached.
pub const WATCHER_BYTES_MAX: u64 = 256 * 1024;

/// Topics, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topics(pub u32);

impl Topics {
    /// None.
    pub const NONE: Topics = Topics(0);
    /// Keys that are looked up.
    pub const FETCHERS: Topics = Topics(1);
    /// Values that are sent to be stored.
    pub const MUTATIONS: Topics = Topics(1 << 1);
    /// Items that are deleted.
    pub const DELETIONS: Topics = Topics(1 << 2);
    /// Connections that come and go.
    pub const CONNECTIONS: Topics = Topics(1 << 3);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Topics) -> Topics {
        Topics(self.0 | other.0)
    }

    /// Whether they have a topic in common.
    #[inline]
    #[must_use]
    pub const fn meet(self, other: Topics) -> bool {
        self.0 & other.0 != 0
    }
}

/// Those who watch.
#[derive(Debug, Default)]
pub struct Watchers {
    /// What any of them wants.
    wanted: AtomicU32,
    watchers: Mutex<Vec<Watcher>>,
    /// Lines written since the start: each has its number.
    lines: AtomicU64,
    sent: AtomicU64,
    skipped: AtomicU64,
}

#[derive(Debug)]
struct Watcher {
    client: Arc<SharedClient>,
    wants: Topics,
    /// Lines that it has missed since it was last told how many.
    missed: u64,
}

/// What has become of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchCounts {
    /// Who watches.
    pub watchers: usize,
    /// Lines written.
    pub written: u64,
    /// Lines that watchers were sent.
    pub sent: u64,
    /// Lines that watchers missed.
    pub skipped: u64,
}

impl Watchers {
    /// What any of them wants.
    #[inline]
    #[must_use]
    pub fn wanted(&self) -> Topics {
        Topics(self.wanted.load(Ordering::Relaxed))
    }

    /// Sends a client the lines of these topics from now on; says whether there was room for it.
    pub fn add(&self, client: &Arc<SharedClient>, wants: Topics) -> bool {
        let mut watchers = self.watchers.lock();
        let fits = watchers.len() < WATCHERS_MAX;
        if fits {
            // As of who monitors: its worker listens for what others send it, and it is not idle.
            client.monitors.store(true, Ordering::Relaxed);
            watchers.push(Watcher { client: Arc::clone(client), wants, missed: 0 });
            self.note_wanted(&watchers);
        }
        fits
    }

    /// Sends a client no more of them.
    pub fn remove(&self, client: &SharedClient) {
        let mut watchers = self.watchers.lock();
        watchers.retain(|watcher| watcher.client.id != client.id);
        self.note_wanted(&watchers);
    }

    fn note_wanted(&self, watchers: &[Watcher]) {
        let wanted = watchers.iter().fold(Topics::NONE, |wanted, watcher| wanted.and(watcher.wants));
        self.wanted.store(wanted.0, Ordering::Relaxed);
    }

    /// Sends a line to all who want it: when it was, in microseconds since 1970, its number, and what `write` appends. Takes the lock
    /// of the watchers, so no inbox may be locked.
    #[cold]
    pub fn log(&self, topic: Topics, unix_micros: i64, write: impl FnOnce(&mut String)) {
        let number = self.lines.fetch_add(1, Ordering::Relaxed) + 1;
        // As in memcached, the microseconds have no zeros before them.
        let mut line = format!("ts={}.{} gid={number} ", unix_micros / 1_000_000, unix_micros % 1_000_000);
        write(&mut line);
        line.push('\n');
        let line = Bytes::from(line);
        for watcher in self.watchers.lock().iter_mut().filter(|watcher| watcher.wants.meet(topic)) {
            self.send(watcher, &line);
        }
    }

    fn send(&self, watcher: &mut Watcher, line: &Bytes) {
        if watcher.client.unread_bytes() + line.len() as u64 > WATCHER_BYTES_MAX {
            watcher.missed += 1;
            self.skipped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if watcher.missed > 0 {
            let mut told = String::new();
            // Writing to memory does not fail.
            let _ = writeln!(told, "skipped={}", std::mem::take(&mut watcher.missed));
            watcher.client.deliver(Letter::Plain(Bytes::from(told)));
        }
        watcher.client.deliver(Letter::Plain(line.clone()));
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// What has become of the lines.
    #[must_use]
    pub fn counts(&self) -> WatchCounts {
        WatchCounts {
            watchers: self.watchers.lock().len(),
            written: self.lines.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
        }
    }
}
