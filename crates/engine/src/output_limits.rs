//! What clients may leave unread, as whoever sends them something looks at it: the directive client-output-buffer-limit in numbers that
//! need no lock. A client's driver judges for how long a soft limit has been exceeded.

use larder_config::{OutputBufferLimit, Settings};

use crate::client::SharedClient;
use crate::sync::{AtomicU64, Ordering};

/// Bytes that a client may leave unread of what others send to it where the directive sets no hard limit: Redis would take all memory.
const SENT_BYTES_MAX: u64 = 256 << 20;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct OutputLimits {
    normal: Limit,
    pubsub: Limit,
    /// Clients that were sent away because they left too much unread.
    exceeded: AtomicU64,
}

/// The limits of one class of clients.
#[derive(Debug, Default)]
struct Limit {
    hard_bytes: AtomicU64,
    soft_bytes: AtomicU64,
}

impl Limit {
    fn follow(&self, limit: OutputBufferLimit) {
        let or = |bytes: u64, none: u64| if bytes == 0 { none } else { bytes };
        self.hard_bytes.store(or(limit.hard_bytes, SENT_BYTES_MAX), Ordering::Relaxed);
        self.soft_bytes.store(or(limit.soft_bytes, u64::MAX), Ordering::Relaxed);
    }
}

/// What is to be done about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Within,
    /// Its driver is to see for how long it stays like this.
    Soft,
    /// It is to go.
    Hard,
}

impl OutputLimits {
    /// The limits that the settings name.
    #[must_use]
    pub fn new(settings: &Settings) -> OutputLimits {
        let limits = OutputLimits::default();
        limits.follow(settings);
        limits
    }

    /// Takes over changed settings.
    pub(crate) fn follow(&self, settings: &Settings) {
        self.normal.follow(settings.client_output_buffer_limit.normal);
        self.pubsub.follow(settings.client_output_buffer_limit.pubsub);
    }

    /// Judges a client that has left so many bytes unread, and so many before the last letter came.
    pub(crate) fn judge(&self, client: &SharedClient, before: u64, unread: u64) -> Verdict {
        let limit = if client.is_subscriber() { &self.pubsub } else { &self.normal };
        if before > limit.hard_bytes.load(Ordering::Relaxed) {
            Verdict::Hard
        } else if unread > limit.soft_bytes.load(Ordering::Relaxed) {
            Verdict::Soft
        } else {
            Verdict::Within
        }
    }

    /// Counts a client that is sent away.
    pub fn count_exceeded(&self) {
        self.exceeded.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were sent away.
    #[must_use]
    pub fn exceeded(&self) -> u64 {
        self.exceeded.load(Ordering::Relaxed)
    }

    pub(crate) fn reset(&self) {
        self.exceeded.store(0, Ordering::Relaxed);
    }
}
