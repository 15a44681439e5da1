//! What others send to a client: kept until its worker writes it behind the replies of the batch that is running.

use bytes::Bytes;

use crate::sync::{AtomicU64, Mutex, Ordering};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Vec<Bytes>>,
    /// Bytes that wait; spares the lock when there are none.
    bytes: AtomicU64,
}

impl Inbox {
    /// Adds bytes, which are whole replies or pushes. Returns how many waited before.
    pub(crate) fn push(&self, bytes: Bytes) -> u64 {
        let mut waiting = self.waiting.lock();
        let before = self.bytes.fetch_add(bytes.len() as u64, Ordering::Release);
        waiting.push(bytes);
        before
    }

    /// Bytes that wait.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Takes out everything.
    pub(crate) fn take(&self) -> Vec<Bytes> {
        let mut waiting = self.waiting.lock();
        self.bytes.store(0, Ordering::Release);
        std::mem::take(&mut waiting)
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().len()
    }
}
