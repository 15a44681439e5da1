//! How other threads reach a worker's connections: they leave word, and wake its task.

use std::sync::atomic::{AtomicBool, Ordering};

use larder_engine::Link;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

use crate::driver::ring::Key;

/// What is to happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It is to end.
    End,
    /// It is to be served, though nothing has come from it.
    Wake,
}

/// Word left for connections, each with its ticket.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    letters: Mutex<Vec<(Key, u64, Word)>>,
    /// Spares the lock when there is nothing.
    full: AtomicBool,
    /// Whether the worker is to be told. One that is awake, as it is when it leaves word itself, looks without.
    asleep: AtomicBool,
    arrived: Notify,
}

impl Mailbox {
    fn post(&self, key: Key, ticket: u64, word: Word) {
        self.letters.lock().push((key, ticket, word));
        // In one order with the two steps of `may_sleep`: either this is seen there, or that here.
        self.full.store(true, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            self.arrived.notify_one();
        }
    }

    /// Whether nothing has come; whatever comes from here on ends [`Mailbox::arrives`].
    pub(super) fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        !self.full.load(Ordering::SeqCst)
    }

    /// Whoever leaves word need not tell.
    pub(super) fn stay_awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Ends when something has come since it was last waited for.
    pub(super) async fn arrives(&self) {
        self.arrived.notified().await;
    }

    /// Takes out what has come.
    pub(super) fn take(&self) -> Vec<(Key, u64, Word)> {
        if !self.full.load(Ordering::Relaxed) || !self.full.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut *self.letters.lock())
    }
}

/// Reaches a connection by telling its worker.
pub(super) struct RingLink {
    pub(super) mail: Arc<Mailbox>,
    pub(super) key: Key,
    pub(super) ticket: u64,
}

impl Link for RingLink {
    fn disconnect(&self) {
        self.mail.post(self.key, self.ticket, Word::End);
    }

    fn wake(&self) {
        self.mail.post(self.key, self.ticket, Word::Wake);
    }
}
