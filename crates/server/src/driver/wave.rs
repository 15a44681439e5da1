//! The wave: what all ready connections of a worker have sent, read first and executed together.
//!
//! Most of what a short command costs outside the kernel is waiting for two lines of memory: the slots and the entry of its
//! key. A pipeline overlaps these waits for one client; the wave does so for clients that send one request at a time. Each
//! connection that becomes ready reads into the wave's buffer, and its keys are hashed; when all of them have, their slots and
//! then their entries are prefetched, and only then are the requests executed, in the order of arrival.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use tokio::sync::Notify;

use super::epoll::Shared;

/// Most bytes read from one connection at once.
const READ_MAX: usize = 64 * 1024;
/// Bytes of the buffer. When less than [`READ_MAX`] is left, the wave is executed early.
const BUFFER: usize = 4 * READ_MAX;

/// A connection that has read something.
pub(super) trait Member {
    /// Executes what it has read, and answers.
    fn serve(&self, shared: &Shared, input: &mut [u8]);
}

/// A member, and where in the buffer its input lies.
type Joined = (Rc<dyn Member>, Range<usize>);

/// See the module's documentation.
pub(super) struct Wave {
    buffer: RefCell<Box<[u8]>>,
    filled: Cell<usize>,
    members: RefCell<Vec<Joined>>,
    /// Wakes the task that executes the wave, behind all connections that are ready already.
    begun: Notify,
}

impl Default for Wave {
    fn default() -> Wave {
        Wave {
            buffer: RefCell::new(vec![0; BUFFER].into_boxed_slice()),
            filled: Cell::new(0),
            members: RefCell::default(),
            begun: Notify::new(),
        }
    }
}

impl Wave {
    /// Executes each wave once its members have read. Never ends.
    pub(super) async fn serve(&self, shared: &Shared) {
        loop {
            self.begun.notified().await;
            self.run(shared);
        }
    }

    /// Gives `read` room for [`READ_MAX`] bytes. What it reads must be followed by [`Wave::join`] before the next call.
    pub(super) fn with_room<R>(&self, shared: &Shared, read: impl FnOnce(&mut [u8]) -> R) -> R {
        if BUFFER - self.filled.get() < READ_MAX {
            self.run(shared);
        }
        let start = self.filled.get();
        read(&mut self.buffer.borrow_mut()[start..start + READ_MAX])
    }

    /// Adds a connection that has just read so many bytes.
    pub(super) fn join(&self, member: Rc<dyn Member>, len: usize) {
        let start = self.filled.get();
        self.filled.set(start + len);
        let mut members = self.members.borrow_mut();
        members.push((member, start..start + len));
        if members.len() == 1 {
            self.begun.notify_one();
        }
    }

    /// Executes what has joined so far.
    pub(super) fn run(&self, shared: &Shared) {
        shared.local.worker.borrow_mut().prefetch();
        let mut members = self.members.borrow_mut();
        let mut buffer = self.buffer.borrow_mut();
        for (member, input) in members.drain(..) {
            member.serve(shared, &mut buffer[input]);
        }
        self.filled.set(0);
    }
}
