//! How other threads reach a worker's connections: they leave word, and wake its task.

use std::sync::atomic::{AtomicBool, Ordering};

use larder_engine::Link;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

use crate::driver::ring::Key;

/// Connections that are to end, each with its ticket.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    ending: Mutex<Vec<(Key, u64)>>,
    /// Spares the lock when there is nothing.
    full: AtomicBool,
    arrived: Notify,
}

impl Mailbox {
    fn post(&self, key: Key, ticket: u64) {
        self.ending.lock().push((key, ticket));
        self.full.store(true, Ordering::Release);
        self.arrived.notify_one();
    }

    /// Ends when something has come since it was last waited for.
    pub(super) async fn arrives(&self) {
        self.arrived.notified().await;
    }

    /// Takes out what has come.
    pub(super) fn take(&self) -> Vec<(Key, u64)> {
        if !self.full.load(Ordering::Relaxed) || !self.full.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut *self.ending.lock())
    }
}

/// Ends a connection by telling its worker.
pub(super) struct RingLink {
    pub(super) mail: Arc<Mailbox>,
    pub(super) key: Key,
    pub(super) ticket: u64,
}

impl Link for RingLink {
    fn disconnect(&self) {
        self.mail.post(self.key, self.ticket);
    }
}
