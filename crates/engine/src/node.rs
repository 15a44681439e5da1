//! A node: everything that its workers share.

use std::sync::Arc;

use dashmap::DashMap;
use larder_config::Settings;
use larder_store::{AccessPolicy, Keyspace, Moment, UnixMillis};

use crate::client::SharedClient;
use crate::flush_timer::FlushTimer;
use crate::safepoint::Safepoint;
use crate::stats::{StripeStats, WorkerStats};
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, RwLock};
use crate::table::CommandTable;

/// The state of one node.
pub struct Node {
    /// The keys.
    pub keyspace: Keyspace<StripeStats>,
    /// The commands.
    pub table: CommandTable,
    /// Clients by id.
    pub clients: DashMap<u64, Arc<SharedClient>>,
    /// Counters, one set per worker.
    pub stats: Box<[WorkerStats]>,
    /// Who may touch the keyspace.
    pub safepoint: Safepoint,
    /// What the node is called, and since when.
    pub identity: Identity,
    /// What only the process can do for the engine.
    pub host: Box<dyn Host>,
    settings: RwLock<Arc<Settings>>,
    settings_version: AtomicU64,
    next_client: AtomicU64,
    /// Whether keys are removed when their time comes, or only when they are next asked for (DEBUG SET-ACTIVE-EXPIRE).
    pub active_expire: AtomicBool,
    /// When database 0 is to be emptied, if at all.
    pub flush_timer: FlushTimer,
    /// Serialises CONFIG SET.
    changing: Mutex<()>,
}

/// What the node is called, and since when.
#[derive(Clone, Debug)]
pub struct Identity {
    /// 40 hexadecimal digits, new at each start.
    pub run_id: String,
    /// When it started.
    pub started_at: UnixMillis,
    /// The process.
    pub process_id: u32,
    /// Path of the binary.
    pub executable: String,
    /// Path of the configuration file, empty without one.
    pub config_file: String,
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// The time of day.
    pub now: UnixMillis,
    /// Nanoseconds of a clock that never goes back.
    pub nanos: u64,
}

/// What the engine asks of the process it runs in. Nothing here waits.
pub trait Host: Send + Sync {
    /// The time, on both clocks. Called once or twice a batch.
    fn time(&self) -> Time;
    /// Begins to end the process: existing replies are still written.
    fn shut_down(&self);
    /// Takes over settings that reach outside the engine (log level, listeners' limits).
    ///
    /// # Errors
    /// A text for the client, when the system does not permit it.
    fn apply(&self, settings: &Settings) -> Result<(), String>;
    /// Bytes of memory allocated by the process.
    fn used_memory(&self) -> u64;
    /// The most that `used_memory` has been.
    fn peak_memory(&self) -> u64;
    /// Resident set size, in bytes.
    fn resident_memory(&self) -> u64;
    /// Processor time used so far, in seconds: system, user.
    fn cpu_seconds(&self) -> (f64, f64);
}

impl Node {
    /// A node with an empty keyspace.
    #[must_use]
    pub fn new(
        keyspace: Keyspace<StripeStats>,
        table: CommandTable,
        settings: Settings,
        identity: Identity,
        workers: usize,
        host: Box<dyn Host>,
    ) -> Node {
        Node {
            keyspace,
            stats: (0..workers).map(|_| WorkerStats::new(table.rows().len())).collect(),
            table,
            clients: DashMap::new(),
            safepoint: Safepoint::new(workers),
            identity,
            host,
            settings: RwLock::new(Arc::new(settings)),
            settings_version: AtomicU64::new(1),
            next_client: AtomicU64::new(1),
            active_expire: AtomicBool::new(true),
            flush_timer: FlushTimer::default(),
            changing: Mutex::new(()),
        }
    }

    /// The settings in force. Workers keep a copy that [`Node::settings_version`] tells them to renew.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read())
    }

    /// Rises with every change of settings.
    #[inline]
    #[must_use]
    pub fn settings_version(&self) -> u64 {
        self.settings_version.load(Ordering::Acquire)
    }

    /// Changes settings: `change` derives new ones from the present ones. All or nothing.
    ///
    /// # Errors
    /// Whatever `change` says; or what the process says when it cannot follow, as a text.
    pub fn change_settings<E: From<String>>(
        &self,
        change: impl FnOnce(&Settings) -> Result<Settings, E>,
    ) -> Result<(), E> {
        let _one_at_a_time = self.changing.lock();
        let new = change(&self.settings())?;
        self.host.apply(&new).map_err(E::from)?;
        *self.settings.write() = Arc::new(new);
        self.settings_version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// An id for a new client.
    pub fn next_client_id(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    /// Ends the connections of clients that have sent nothing for longer than the directive timeout allows.
    pub fn disconnect_idle(&self) {
        let seconds = i64::from(self.settings().timeout);
        if seconds > 0 {
            let latest = self.host.time().now.saturating_add(-1000 * seconds);
            for client in self.clients.iter().filter(|client| client.active_at() < latest) {
                client.disconnect();
            }
        }
    }

    /// The sum of a counter over all workers.
    pub fn sum(&self, counter: impl Fn(&WorkerStats) -> u64) -> u64 {
        self.stats.iter().map(counter).sum()
    }
}

impl<H: Host + ?Sized> Host for Arc<H> {
    fn time(&self) -> Time {
        (**self).time()
    }
    fn shut_down(&self) {
        (**self).shut_down();
    }
    fn apply(&self, settings: &Settings) -> Result<(), String> {
        (**self).apply(settings)
    }
    fn used_memory(&self) -> u64 {
        (**self).used_memory()
    }
    fn peak_memory(&self) -> u64 {
        (**self).peak_memory()
    }
    fn resident_memory(&self) -> u64 {
        (**self).resident_memory()
    }
    fn cpu_seconds(&self) -> (f64, f64) {
        (**self).cpu_seconds()
    }
}

/// The moment of a request under these settings.
#[inline]
#[must_use]
pub fn moment(now: UnixMillis, settings: &Settings) -> Moment {
    let policy = if settings.maxmemory_policy.counts_frequency() {
        AccessPolicy::Lfu { log_factor: settings.lfu_log_factor, decay_minutes: settings.lfu_decay_time }
    } else {
        AccessPolicy::Lru
    };
    Moment { now, policy }
}
