//! A node: everything that its workers share.

use std::sync::Arc;

use dashmap::DashMap;
use larder_config::{Rewrite, Settings};
use larder_store::{AccessPolicy, Due, Keyspace, Moment, STRIPES, UnixMillis};

use crate::append_log::AppendLog;
use crate::blocking::Blocking;
use crate::caching::Caching;
use crate::client::SharedClient;
use crate::command_log::CommandLogs;
use crate::defrag::Defragmentation;
use crate::evict::Eviction;
use crate::flush_timer::FlushTimer;
use crate::hot_keys::HotKeys;
use crate::latency::LatencyMonitor;
use crate::loading::Loading;
use crate::memcache_shared::MemcacheShared;
use crate::monitor::Monitors;
use crate::output_limits::OutputLimits;
use crate::pause::Pause;
use crate::pool::ClientPool;
use crate::programs::Programs;
use crate::pubsub::PubSub;
use crate::rates::Rates;
use crate::recent::{Peak, RecentPeaks};
use crate::rewriting::Rewriting;
use crate::safepoint::Safepoint;
use crate::scripts::Scripts;
use crate::snapshots::Snapshots;
use crate::stats::{StripeStats, WorkerStats};
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, RwLock};
use crate::table::CommandTable;
use crate::waiting::Waiting;
use crate::worker::Random;

/// The state of one node.
pub struct Node {
    /// The keys.
    pub keyspace: Keyspace<StripeStats>,
    /// The commands.
    pub table: CommandTable,
    /// Clients by id.
    pub clients: DashMap<u64, Arc<SharedClient>>,
    /// The memory of clients.
    pub pool: Arc<ClientPool>,
    /// Counters, one set per worker, and one for whoever reads a log again.
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
    /// Whether what the process does regularly for the node is left undone (DEBUG PAUSE-CRON).
    pub upkeep_paused: AtomicBool,
    /// When database 0 is to be emptied, if at all.
    pub flush_timer: FlushTimer,
    /// Commands worth a second look.
    pub command_logs: CommandLogs,
    /// What took long.
    pub latency: LatencyMonitor,
    /// Whether requests are kept waiting.
    pub pause: Pause,
    /// Who is sent a line for each command.
    pub monitors: Monitors,
    /// How much of what they are sent clients may leave unread.
    pub output_limits: Arc<OutputLimits>,
    /// Who runs a script or a function.
    pub programs: Programs,
    /// Who subscribes to which channels.
    pub pubsub: Arc<PubSub>,
    /// Whether subscribers are told of keys that are asked for and are not there.
    pub(crate) tells_misses: AtomicBool,
    /// Clients that cache what they read.
    pub caching: Arc<Caching>,
    /// Scripts and functions that can be run.
    pub scripts: Scripts,
    /// For how many keys clients are blocked.
    pub blocking: Arc<Blocking>,
    /// What requests change, on its way to disk.
    pub append_log: Arc<AppendLog>,
    /// When the append log gets a new base.
    pub rewriting: Rewriting,
    /// Snapshots.
    pub snapshots: Snapshots,
    /// Whether keys are being read from disk.
    pub loading: Loading,
    /// Who evicts keys.
    pub eviction: Eviction,
    /// Who moves entries together.
    pub defrag: Defragmentation,
    /// Which keys take the most time and the most bytes.
    pub hot_keys: HotKeys,
    /// What memcached clients share.
    pub memcache: MemcacheShared,
    /// What happens per second just now.
    pub rates: Rates,
    recent_peaks: RecentPeaks,
    /// Connections turned away because there were `maxclients` already.
    pub rejected_connections: AtomicU64,
    /// Connections ended because their clients had been silent for too long.
    pub idle_kicks: AtomicU64,
    /// Bytes of memory allocated before the first client came.
    pub startup_memory: AtomicU64,
    /// Processor time used when statistics were last reset.
    cpu_nanos_at_reset: AtomicU64,
    /// Names the history of the node's data.
    replication_id: Mutex<String>,
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
    /// The settings where nothing is said, which depend on the name that the binary was started by.
    pub unsaid: Settings,
    /// How the process waits for its clients.
    pub multiplexing_api: &'static str,
    /// Who watches over the process: `no`, `systemd` or `upstart`.
    pub supervised: &'static str,
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// The time of day.
    pub now: UnixMillis,
    /// Nanoseconds of a clock that never goes back.
    pub nanos: u64,
}

/// What the engine asks of the process it runs in. Nothing here waits, unless it says so.
pub trait Host: Send + Sync {
    /// The time, on both clocks. Called once or twice a batch.
    fn time(&self) -> Time;
    /// Microseconds since 1970, for whoever wants to know the time exactly.
    fn unix_micros(&self) -> i64 {
        self.time().now.0.saturating_mul(1000)
    }
    /// Begins to end the process: existing replies are still written.
    fn shut_down(&self);
    /// Takes over settings that reach outside the engine (log level, open files, ports), and waits until it is done.
    ///
    /// # Errors
    /// A text for the client, when the system does not permit it; then nothing has changed. What the settings call `dir` becomes
    /// an absolute path.
    fn apply(&self, settings: &mut Settings) -> Result<(), String>;
    /// Puts other bytes in the place of a file's, which `change` makes of the present ones: a reader sees either all of them or
    /// none, and they are on disk when this returns.
    ///
    /// # Errors
    /// The system's words, when a file cannot be read or written; then nothing has changed.
    fn rewrite_file(&self, path: &str, change: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<(), String>;
    /// Bytes of memory allocated by the process.
    fn used_memory(&self) -> u64;
    /// The same for whoever asks often: a few loads, and no peak is noted.
    fn used_memory_now(&self) -> u64 {
        self.used_memory()
    }
    /// The most that `used_memory` has been.
    fn peak_memory(&self) -> u64;
    /// Resident set size, in bytes.
    fn resident_memory(&self) -> u64;
    /// Processor time used so far, in seconds: system, user.
    fn cpu_seconds(&self) -> (f64, f64);
    /// The same in one sum, for whoever asks often: it may cost less to find out.
    fn cpu_seconds_in_all(&self) -> f64 {
        let (system, user) = self.cpu_seconds();
        system + user
    }
    /// Processor time used so far by each worker, in seconds, by its number; empty when nobody knows.
    fn worker_cpu_seconds(&self) -> Vec<f64> {
        Vec::new()
    }
    /// The same of the main thread alone.
    fn main_thread_cpu_seconds(&self) -> (f64, f64) {
        (0.0, 0.0)
    }
    /// Has the allocator give back to the system what it does not need.
    fn purge_memory(&self) {}
    /// Gives up to so many free spans of the slab to the system; returns how many there were.
    fn give_back_memory(&self, spans: usize) -> usize {
        let _ = spans;
        0
    }
    /// Bytes of memory that the machine has; 0 when nobody knows.
    fn machine_memory(&self) -> u64 {
        0
    }
    /// The operating system: its name, release and processor; empty when nobody knows.
    fn system(&self) -> String {
        String::new()
    }
    /// Writes a line to the log.
    fn log(&self, line: &str) {
        let _ = line;
    }
    /// The same of something that is no reason to worry.
    fn notice(&self, line: &str) {
        let _ = line;
    }
    /// Lets this thread do nothing until a time, and so everybody whom it serves wait: for commands that ask for no less.
    fn sleep_until(&self, until: UnixMillis);
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
        // The run id is random, and this is to be another one.
        let seed = identity.run_id.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
        let memcache = MemcacheShared::new(&settings);
        let started_at = identity.started_at;
        let output_limits = Arc::new(OutputLimits::new(&settings));
        let node = Node {
            keyspace,
            replication_id: Mutex::new(Random::new(seed).hexadecimal_id()),
            stats: (0..=workers).map(|_| WorkerStats::new(table.rows().len())).collect(),
            table,
            clients: DashMap::new(),
            pool: Arc::new(ClientPool::new(workers + 1)),
            safepoint: Safepoint::new(workers + 1),
            identity,
            startup_memory: AtomicU64::new(host.used_memory()),
            host,
            settings: RwLock::new(Arc::new(settings)),
            settings_version: AtomicU64::new(1),
            next_client: AtomicU64::new(1),
            active_expire: AtomicBool::new(true),
            upkeep_paused: AtomicBool::new(false),
            flush_timer: FlushTimer::default(),
            command_logs: CommandLogs::default(),
            latency: LatencyMonitor::default(),
            pause: Pause::default(),
            monitors: Monitors::default(),
            output_limits,
            programs: Programs::default(),
            pubsub: Arc::default(),
            tells_misses: AtomicBool::new(false),
            caching: Arc::default(),
            scripts: Scripts::default(),
            blocking: Arc::default(),
            eviction: Eviction::new(workers + 1, seed),
            append_log: Arc::default(),
            rewriting: Rewriting::default(),
            defrag: Defragmentation::default(),
            snapshots: Snapshots::new(started_at),
            loading: Loading::default(),
            hot_keys: HotKeys::new(workers + 1),
            memcache,
            rates: Rates::default(),
            recent_peaks: RecentPeaks::default(),
            rejected_connections: AtomicU64::new(0),
            cpu_nanos_at_reset: AtomicU64::new(0),
            idle_kicks: AtomicU64::new(0),
            changing: Mutex::new(()),
        };
        node.follow_events();
        node.limit_clients();
        node
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
        let mut new = change(&self.settings())?;
        self.host.apply(&mut new).map_err(E::from)?;
        let before = self.settings();
        *self.settings.write() = Arc::new(new);
        self.settings_version.fetch_add(1, Ordering::Release);
        if self.settings().notify_keyspace_events != before.notify_keyspace_events {
            self.follow_events();
        }
        if self.settings().tracking_table_max_keys != before.tracking_table_max_keys {
            self.follow_caching_limit();
        }
        if self.settings().client_output_buffer_limit != before.client_output_buffer_limit {
            self.output_limits.follow(&self.settings());
            self.clients.iter().for_each(|client| client.judge_again());
        }
        self.follow_log_settings(&before);
        self.limit_clients();
        Ok(())
    }

    /// Puts the settings in force into the configuration file.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn rewrite_settings(&self, which: Rewrite) -> Result<(), String> {
        let _not_amid_a_change = self.changing.lock();
        let settings = self.settings();
        let rewrite = |old: &[u8]| settings.rewrite(old, which, &self.identity.unsaid);
        self.host.rewrite_file(&self.identity.config_file, &rewrite)
    }

    /// Ends CLIENT PAUSE, and has everybody go on who waited for that.
    pub fn end_pause(&self) {
        self.pause.end();
        self.clients.iter().for_each(|client| client.wake_postponed());
    }

    /// Forgets a client whose connection has ended, and returns what others may have seen of it.
    pub fn remove_client(&self, id: u64) -> Option<Arc<SharedClient>> {
        let (_, client) = self.clients.remove(&id)?;
        self.monitors.remove(&client);
        client.account.close(id);
        Some(client)
    }

    /// An id for a new client.
    pub fn next_client_id(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    /// Ends the connections of clients that have sent nothing for longer than the directive timeout allows, though nothing is owed to
    /// them: neither the end of a request nor the lines of MONITOR.
    pub fn disconnect_idle(&self) {
        let seconds = i64::from(self.settings().timeout);
        if seconds > 0 {
            let latest = self.host.time().now.saturating_add(-1000 * seconds);
            let is_due = |client: &SharedClient| {
                client.active_at() < latest
                    && !client.is_ended()
                    && client.waiting() == Waiting::No
                    && !client.is_monitor()
                    && !client.is_subscriber()
            };
            for client in self.clients.iter().filter(|client| is_due(client)) {
                client.disconnect();
                self.idle_kicks.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many workers serve clients. Whoever reads a log again beside them has the place behind theirs.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.stats.len() - 1
    }

    /// Notes how much memory the node takes before it has any keys.
    pub fn note_startup_memory(&self) {
        self.startup_memory.store(self.host.used_memory(), Ordering::Relaxed);
    }

    /// The name of the history of the node's data: replicas that know it can go on where they were.
    #[must_use]
    pub fn replication_id(&self) -> String {
        self.replication_id.lock().clone()
    }

    /// Begins another history.
    pub fn set_replication_id(&self, id: String) {
        *self.replication_id.lock() = id;
    }

    /// Requests executed since the start, or since statistics were reset.
    #[must_use]
    pub fn requests_executed(&self) -> u64 {
        self.sum(|worker| worker.commands.iter().map(|command| command.calls.value()).sum())
    }

    /// Processor time used since the start, or since statistics were reset.
    #[must_use]
    pub fn cpu_nanos(&self) -> u64 {
        let nanos = (self.host.cpu_seconds_in_all() * 1e9) as u64;
        nanos.saturating_sub(self.cpu_nanos_at_reset.load(Ordering::Relaxed))
    }

    /// Measures how fast things go; to be called ten times a second.
    pub fn sample_rates(&self) {
        let totals = [
            self.requests_executed(),
            self.sum(|worker| worker.input_bytes.value()),
            self.sum(|worker| worker.output_bytes.value()),
            self.sum(|worker| worker.rounds.value()),
            self.cpu_nanos(),
        ];
        let peak =
            |peak: fn(&WorkerStats) -> &Peak| self.stats.iter().map(|worker| peak(worker).take()).max();
        let (input, output) = (peak(|worker| &worker.input_peak), peak(|worker| &worker.output_peak));
        self.evict_clients();
        self.hot_keys.stop_when_due(self, self.host.time().now);
        self.recent_peaks.collect(input.unwrap_or(0), output.unwrap_or(0));
        self.rates.sample(self.host.time().nanos, totals);
    }

    /// The longest unfinished request and the longest unread replies of a client in the last seconds.
    #[must_use]
    pub fn recent_peaks(&self) -> (u64, u64) {
        let collected = self.recent_peaks.longest();
        self.stats.iter().fold(collected, |(input, output), worker| {
            (input.max(worker.input_peak.value()), output.max(worker.output_peak.value()))
        })
    }

    /// Sets all statistics back to zero (CONFIG RESETSTAT).
    pub fn reset_stats(&self) {
        self.stats.iter().for_each(WorkerStats::reset);
        self.rates.reset();
        let nanos = self.cpu_nanos();
        self.cpu_nanos_at_reset.fetch_add(nanos, Ordering::Relaxed);
        self.rejected_connections.store(0, Ordering::Relaxed);
        self.pool.reset_evicted();
        self.output_limits.reset();
        let moment = moment(self.host.time().now, &self.settings());
        for stripe in 0..STRIPES {
            let mut guard = self.keyspace.lock(stripe, moment);
            let side = guard.side();
            (side.expired, side.expired_fields, side.evicted) = (0, 0, 0);
        }
        self.eviction.reset_exceeded();
        self.defrag.reset();
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
    fn unix_micros(&self) -> i64 {
        (**self).unix_micros()
    }
    fn shut_down(&self) {
        (**self).shut_down();
    }
    fn apply(&self, settings: &mut Settings) -> Result<(), String> {
        (**self).apply(settings)
    }
    fn rewrite_file(&self, path: &str, change: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<(), String> {
        (**self).rewrite_file(path, change)
    }
    fn used_memory(&self) -> u64 {
        (**self).used_memory()
    }
    fn used_memory_now(&self) -> u64 {
        (**self).used_memory_now()
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
    fn cpu_seconds_in_all(&self) -> f64 {
        (**self).cpu_seconds_in_all()
    }
    fn worker_cpu_seconds(&self) -> Vec<f64> {
        (**self).worker_cpu_seconds()
    }
    fn main_thread_cpu_seconds(&self) -> (f64, f64) {
        (**self).main_thread_cpu_seconds()
    }
    fn purge_memory(&self) {
        (**self).purge_memory();
    }
    fn give_back_memory(&self, spans: usize) -> usize {
        (**self).give_back_memory(spans)
    }
    fn machine_memory(&self) -> u64 {
        (**self).machine_memory()
    }
    fn system(&self) -> String {
        (**self).system()
    }
    fn log(&self, line: &str) {
        (**self).log(line);
    }
    fn notice(&self, line: &str) {
        (**self).notice(line);
    }
    fn sleep_until(&self, until: UnixMillis) {
        (**self).sleep_until(until);
    }
}

/// The moment of a request under these settings.
#[inline]
#[must_use]
pub fn moment(now: UnixMillis, settings: &Settings) -> Moment {
    let policy = if settings.maxmemory_policy.counts_frequency() {
        AccessPolicy::Lfu { log_factor: settings.lfu_log_factor, decay_minutes: settings.lfu_decay_time }
    } else if settings.maxmemory_policy.counts_changes() {
        AccessPolicy::Lrm
    } else if settings.maxmemory_policy.has_queues() {
        AccessPolicy::Queued
    } else {
        AccessPolicy::Lru
    };
    Moment { now, clock: now, policy, due: Due::Removed }
}
