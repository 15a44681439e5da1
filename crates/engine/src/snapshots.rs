//! Snapshots of the node: when one is due, what it is to contain, and how the last one went. It is written by a thread of the process,
//! which walks through the keyspace while others change it (see `larder_store`'s `Keyspace::walk`).

use std::sync::mpsc::{Receiver, Sender, channel};

use larder_config::Settings;
use larder_store::{DbIndex, Moment, STRIPES, UnixMillis, WalkPlace};

use crate::context::Context;
use crate::error::CommandError;
use crate::node::{Node, moment};
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};
use crate::worker::Worker;

/// After a snapshot has failed the next one by itself is not tried for so long, in milliseconds, as in Redis.
const RETRY_MILLIS: i64 = 5000;

/// What a client is told while a snapshot is being made.
const IN_PROGRESS: CommandError = CommandError::line("ERR Background save already in progress");

/// What a client is told while the append log is being rewritten.
const REWRITING: CommandError = CommandError::line(
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
);

/// What a client is told that wants to write while snapshots cannot be made.
pub(crate) const UNSAVED: CommandError = CommandError::line(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.",
);

/// One database at the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DbSizes {
    /// Its number.
    pub db: DbIndex,
    /// How many keys it has.
    pub keys: u64,
    /// How many of them expire.
    pub expiring: u64,
}

/// A snapshot to be written: the cut is made, so somebody must walk to its end.
#[derive(Debug)]
pub struct SnapshotJob {
    /// Where the walk begins.
    pub place: WalkPlace,
    /// When the cut was made.
    pub cut: UnixMillis,
    /// The databases that have keys.
    pub dbs: Vec<DbSizes>,
    /// Whether hashes have fields that expire, for which the format must be a later one.
    pub has_expiring_fields: bool,
    /// The sources of the libraries of functions.
    pub functions: Vec<Vec<u8>>,
    /// What it is for.
    pub purpose: Purpose,
    /// Changes of keys before the cut.
    changes: u64,
}

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be kept.
    Snapshot,
    /// The append log is to begin with it.
    LogBase,
}

/// How a snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotEnd {
    /// It is on disk.
    Written,
    /// It could not be written.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

/// What was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The one that is being made: it ends soon.
    Running,
    /// One that had yet to begin.
    Scheduled,
}

/// How snapshots went.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotReport {
    /// When the last good one was made, or the node started.
    pub last_good_at: UnixMillis,
    /// Whether the last one that was not cancelled was good; so it is before the first.
    pub last_is_good: bool,
    /// How the last one ended; before the first, well.
    pub last_end: SnapshotEnd,
    /// Milliseconds that the last one took, once there was one.
    pub last_millis: Option<u64>,
    /// When the one that is being made began.
    pub began_at: Option<UnixMillis>,
    /// What that is for.
    pub purpose: Purpose,
    /// Changes of keys before the last good one.
    pub saved_changes: u64,
    /// How many were good.
    pub good: u64,
    /// When the last one ended.
    ended_at: UnixMillis,
}

impl SnapshotReport {
    /// When the one began that is being made for this purpose, if there is one.
    #[must_use]
    pub fn since(&self, purpose: Purpose) -> Option<UnixMillis> {
        self.began_at.filter(|_| self.purpose == purpose)
    }
}

/// See the module's documentation.
pub struct Snapshots {
    jobs: Sender<SnapshotJob>,
    /// Until somebody takes it who writes them.
    receiver: Mutex<Option<Receiver<SnapshotJob>>>,
    report: Mutex<SnapshotReport>,
    /// Whether one is asked for that a worker is to begin.
    wanted: AtomicBool,
    /// Whether the one that is being made is not wanted any more.
    cancelled: AtomicBool,
    /// Whether writes are refused because the last one failed, as far as that matters.
    failing: AtomicBool,
    /// Keys of the one that is being made that are written, and all of them.
    done: AtomicU64,
    total: AtomicU64,
    /// Keys that had expired when the file was read at the start, and those that had not.
    loaded: (AtomicU64, AtomicU64),
}

impl Snapshots {
    pub(crate) fn new(started_at: UnixMillis) -> Snapshots {
        let (jobs, receiver) = channel();
        let report = SnapshotReport {
            last_good_at: started_at,
            last_is_good: true,
            last_end: SnapshotEnd::Written,
            last_millis: None,
            began_at: None,
            purpose: Purpose::Snapshot,
            saved_changes: 0,
            good: 0,
            ended_at: UnixMillis(0),
        };
        Snapshots {
            jobs,
            receiver: Mutex::new(Some(receiver)),
            report: Mutex::new(report),
            wanted: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            loaded: Default::default(),
        }
    }

    /// The snapshots to be written: for whoever writes them. None for anybody after him.
    pub fn take_jobs(&self) -> Option<Receiver<SnapshotJob>> {
        self.receiver.lock().take()
    }

    /// How they went.
    #[must_use]
    pub fn report(&self) -> SnapshotReport {
        *self.report.lock()
    }

    /// Whether one is being made.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.report.lock().began_at.is_some()
    }

    /// Keys written of the one that is being made, and all that it has.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    /// Counts keys that are written.
    pub fn note_written(&self, keys: u64) {
        self.done.fetch_add(keys, Ordering::Relaxed);
    }

    /// Keys of the file read at the start that had expired, and those that had not.
    #[must_use]
    pub fn loaded(&self) -> (u64, u64) {
        (self.loaded.0.load(Ordering::Relaxed), self.loaded.1.load(Ordering::Relaxed))
    }

    /// Notes what a file had, of which so many keys were stored by that many changes.
    pub fn note_loaded(&self, expired: u64, loaded: u64, changes: u64) {
        self.loaded.0.store(expired, Ordering::Relaxed);
        self.loaded.1.store(loaded, Ordering::Relaxed);
        self.report.lock().saved_changes = changes;
    }

    /// Has one be made soon: by the first worker that comes to it, once the present one is done.
    pub fn ask(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    /// Whether one is asked for that has not begun.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Has the one that is being made end without a file, or the one that is asked for not begin.
    pub fn cancel(&self) -> Option<Cancelled> {
        let report = self.report.lock();
        if report.since(Purpose::Snapshot).is_some() {
            // The next one waits for the lock before it takes this back.
            self.cancelled.store(true, Ordering::Relaxed);
            return Some(Cancelled::Running);
        }
        self.wanted.swap(false, Ordering::AcqRel).then_some(Cancelled::Scheduled)
    }

    /// Has whatever is being made end without a file, because the process ends.
    pub fn abort(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the one that is being made is not wanted any more: for whoever writes it, who looks often.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Whether one that was due could not be made, so that writes are refused where the settings say so.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Takes over how one ended. As in Valkey, one that was cancelled says nothing of whether snapshots can be made.
    pub fn end(&self, job: &SnapshotJob, now: UnixMillis, end: SnapshotEnd) {
        let mut report = self.report.lock();
        let began = report.began_at.take().unwrap_or(now);
        if job.purpose == Purpose::LogBase {
            return;
        }
        report.last_millis = u64::try_from(now.saturating_millis_since(began)).ok();
        report.last_end = end;
        if end == SnapshotEnd::Cancelled {
            return;
        }
        let is_good = end == SnapshotEnd::Written;
        (report.last_is_good, report.ended_at) = (is_good, now);
        self.failing.store(!is_good, Ordering::Relaxed);
        if is_good {
            report.last_good_at = now;
            report.good += 1;
            report.saved_changes = job.changes;
        }
    }

    /// Whether the settings' points say that one is due. `changes` counts those since the start, if it comes to that.
    fn is_due(&self, settings: &Settings, now: UnixMillis, changes: impl FnOnce() -> u64) -> bool {
        let report = self.report();
        if report.began_at.is_some()
            || !report.last_is_good && now.saturating_millis_since(report.ended_at) < RETRY_MILLIS
        {
            return false;
        }
        let millis = now.saturating_millis_since(report.last_good_at);
        let points = settings.save.points().iter();
        let fewest = points
            .filter(|point| millis > 1000 * i64::from(point.seconds))
            .map(|point| u64::from(point.changes).max(1))
            .min();
        fewest.is_some_and(|fewest| changes().saturating_sub(report.saved_changes) >= fewest)
    }
}

impl Node {
    /// Asks for a snapshot if one is due. For who looks now and then: it costs the lock of every stripe once the time of one of the
    /// settings' points has passed.
    pub fn ask_for_due_snapshot(&self) {
        let (settings, now) = (self.settings(), self.host.time().now);
        let changes = || self.stripe_totals(moment(now, &settings)).changes;
        if self.snapshots.is_due(&settings, now, changes) {
            self.snapshots.ask();
        }
    }

    /// Makes the cut, while nobody else is at work, and has the rest done; says whether it could.
    pub(crate) fn begin_snapshot(&self, moment: Moment, purpose: Purpose) -> bool {
        let mut report = self.snapshots.report.lock();
        if report.began_at.is_some() {
            return false;
        }
        (report.began_at, report.purpose) = (Some(moment.now), purpose);
        self.snapshots.cancelled.store(false, Ordering::Relaxed);
        drop(report);
        let mut dbs: Vec<DbSizes> = (0..self.keyspace.databases() as u32)
            .map(|db| DbSizes { db: DbIndex(db), keys: self.keyspace.len(DbIndex(db)) as u64, expiring: 0 })
            .collect();
        dbs.retain(|db| db.keys > 0);
        let (mut changes, mut has_expiring_fields) = (0, false);
        for stripe in 0..STRIPES {
            let mut guard = self.keyspace.lock(stripe, moment);
            changes += guard.side().changes;
            for sizes in &mut dbs {
                sizes.expiring += guard.expiring(sizes.db) as u64;
                has_expiring_fields |= guard.expiring_hashes(sizes.db) > 0;
            }
        }
        self.snapshots.done.store(0, Ordering::Relaxed);
        self.snapshots.total.store(dbs.iter().map(|db| db.keys).sum(), Ordering::Relaxed);
        let functions = self.scripts.libraries().iter().map(|library| library.source.to_vec()).collect();
        let place = self.keyspace.begin_snapshot();
        let cut = moment.now;
        let job = SnapshotJob { place, cut, dbs, has_expiring_fields, functions, purpose, changes };
        if let Err(job) = self.snapshots.jobs.send(job) {
            self.abandon(&job.0, moment);
        }
        true
    }

    /// Walks to the end of a snapshot that nobody writes.
    fn abandon(&self, job: &SnapshotJob, moment: Moment) {
        let mut place = Some(job.place);
        while let Some(here) = place {
            place = self.keyspace.walk(here, usize::MAX, moment, |_, _, _| {});
        }
        self.snapshots.end(job, moment.now, SnapshotEnd::Failed);
        if job.purpose == Purpose::LogBase {
            self.append_log.end_rewrite(job.cut, moment.now, false);
        }
    }
}

impl Context<'_> {
    /// Makes the cut of a snapshot, which is written in the background.
    ///
    /// # Errors
    /// One is being made; or others are at work, and the request is to be tried again.
    pub fn begin_snapshot(&self) -> Result<(), CommandError> {
        let report = self.node.snapshots.report();
        if report.began_at.is_some() {
            return Err(if report.purpose == Purpose::LogBase { REWRITING } else { IN_PROGRESS });
        }
        let _all = self.exclusive()?;
        if self.node.begin_snapshot(self.moment, Purpose::Snapshot) { Ok(()) } else { Err(IN_PROGRESS) }
    }
}

impl Worker {
    /// Begins a snapshot that is asked for, if this worker can have the keyspace to itself.
    pub(crate) fn begin_wanted_snapshot(&self) {
        let node = &self.node;
        let wants_base = node.rewriting.is_wanted();
        let is_wanted = node.snapshots.is_wanted() || wants_base;
        if !is_wanted || node.snapshots.is_running() || node.loading.is_active() {
            return;
        }
        let Some(running) = node.safepoint.enter(self.index) else { return };
        let Ok(_all) = crate::context::exclusive(node, &running) else { return };
        let moment = moment(node.host.time().now, self.settings());
        if wants_base {
            node.begin_base(moment);
        } else if node.begin_snapshot(moment, Purpose::Snapshot) {
            node.snapshots.wanted.store(false, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_cancelled_before_what_is_to_begin() {
        let snapshots = Snapshots::new(UnixMillis(0));
        assert_eq!(snapshots.cancel(), None);
        snapshots.ask();
        snapshots.report.lock().began_at = Some(UnixMillis(1));
        assert!(!snapshots.is_cancelled());
        assert_eq!(snapshots.cancel(), Some(Cancelled::Running));
        assert!(snapshots.is_cancelled() && snapshots.is_wanted());
        snapshots.end(&job(0), UnixMillis(2), SnapshotEnd::Cancelled);
        let report = snapshots.report();
        assert!(report.last_is_good && report.last_end == SnapshotEnd::Cancelled && report.good == 0);
        assert_eq!(snapshots.cancel(), Some(Cancelled::Scheduled));
        assert_eq!(snapshots.cancel(), None);
    }

    fn job(changes: u64) -> SnapshotJob {
        SnapshotJob {
            place: WalkPlace::default(),
            cut: UnixMillis(0),
            dbs: Vec::new(),
            has_expiring_fields: false,
            functions: Vec::new(),
            purpose: Purpose::Snapshot,
            changes,
        }
    }

    #[test]
    fn one_is_due_by_time_and_changes() {
        let (snapshots, settings) = (Snapshots::new(UnixMillis(0)), Settings::default());
        let due =
            |changes, seconds: i64| snapshots.is_due(&settings, UnixMillis(1000 * seconds + 1), || changes);
        assert!(
            due(1, 3600)
                && !due(1, 3599)
                && !due(0, 9999)
                && due(100, 300)
                && !due(99, 300)
                && due(10_000, 60)
        );
        snapshots.end(&job(10_000), UnixMillis(61_000), SnapshotEnd::Written);
        assert!(!due(10_000, 9999) && due(10_001, 61 + 3600) && due(20_000, 61 + 60));
    }

    #[test]
    fn after_a_failure_the_next_one_waits() {
        let (snapshots, settings) = (Snapshots::new(UnixMillis(0)), Settings::default());
        snapshots.end(&job(5), UnixMillis(3_700_000), SnapshotEnd::Failed);
        assert!(snapshots.is_failing() && !snapshots.report().last_is_good);
        assert!(!snapshots.is_due(&settings, UnixMillis(3_704_000), || 5));
        assert!(snapshots.is_due(&settings, UnixMillis(3_705_000), || 5));
        snapshots.end(&job(6), UnixMillis(3_705_500), SnapshotEnd::Cancelled);
        assert!(snapshots.is_failing() && !snapshots.report().last_is_good);
        snapshots.end(&job(6), UnixMillis(3_706_000), SnapshotEnd::Written);
        assert!(!snapshots.is_failing());
        assert_eq!((snapshots.report().good, snapshots.report().saved_changes), (1, 6));
    }
}
