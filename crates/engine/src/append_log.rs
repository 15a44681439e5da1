//! The append log, as far as the engine goes: what requests change becomes records, in the order in which it happened. The process
//! writes them to disk.
//!
//! A request is recorded before the stripes of its keys are unlocked, so two that share a key stand in the log in the order in which
//! they ran. A transaction or a script is one record. Keys that go by themselves, by time or for want of memory, are recorded as
//! deleted by whoever removes them, under the lock of their stripe.

use std::fmt;
use std::sync::{Arc, OnceLock};

use larder_config::Settings;
use larder_persist::log::{write_command, write_timestamp};
use larder_store::{DbIndex, Digits, Element, UnixMillis};

use crate::args::Args;
use crate::client::SharedClient;
use crate::error::CommandError;
use crate::sync::{AtomicBool, AtomicI64, AtomicU64, Mutex, Ordering};

/// With more bytes than this yet to be written, replies wait until the disk has caught up: clients cannot be faster than it for long.
const UNWRITTEN_MAX: u64 = 64 << 20;

/// See the module's documentation.
pub struct AppendLog {
    /// Whether requests are recorded.
    is_on: AtomicBool,
    /// Whether replies wait until what they tell of is on disk.
    holds_replies: AtomicBool,
    /// The present second, while times are noted; 0 otherwise.
    second: AtomicI64,
    pending: Mutex<Pending>,
    /// Bytes recorded since the start, for whoever looks without the lock.
    end: AtomicU64,
    /// How many of them the system has.
    written: AtomicU64,
    /// Up to which of them all is on disk.
    synced: AtomicU64,
    /// Who is to be woken.
    waiting: Mutex<Vec<Waiter>>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// New files that were asked for, and those that have begun.
    cuts: (AtomicU64, AtomicU64),
    failing: AtomicBool,
    /// The system's words about that.
    fault: Mutex<String>,
    report: Mutex<LogReport>,
}

/// Records that are to be written.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Bytes recorded since the start.
    end: u64,
    /// The database that is selected at the end; none at the beginning of a file.
    db: Option<DbIndex>,
    /// The second that was noted last.
    second: i64,
    /// Where in the bytes new files begin.
    cuts: Vec<Cut>,
}

/// Where a new file of the log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its place in the bytes of the batch.
    pub at: usize,
    /// Whether there was no log before, so that the file is not to be read before it has a base.
    pub begins: bool,
}

/// For what a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// That replies may go: [`AppendLog::lets_reply`].
    Reply,
    /// That something is on disk, whatever replies wait for: [`AppendLog::is_on_disk`].
    Disk,
}

/// A client that waits until the log has come so far. It is woken once; if it still waits then, it says so again.
struct Waiter {
    end: u64,
    waits_for: WaitsFor,
    client: Arc<SharedClient>,
}

/// What is to be written.
#[derive(Debug, Default)]
pub struct LogBatch {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where new files begin.
    pub cuts: Vec<Cut>,
    /// What to call [`AppendLog::note_synced`] with when all is on disk.
    pub end: u64,
}

/// How the log is kept, for those who ask.
#[derive(Clone, Copy, Debug)]
pub struct LogReport {
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes that it had after it was last rewritten, or read.
    pub base_bytes: u64,
    /// Milliseconds that the last rewriting took, once there was one.
    pub last_rewrite_millis: Option<u64>,
    /// Whether that was good; so it is before the first.
    pub last_rewrite_is_good: bool,
    /// How often it was rewritten.
    pub rewrites: u64,
    /// How often in a row that has failed.
    pub rewrite_failures: u64,
    /// How often it was left to a later moment to bring it to disk, because that had not ended.
    pub delayed_syncs: u64,
    /// When the last rewriting ended.
    pub(crate) rewrite_ended_at: UnixMillis,
}

/// What requests have changed that are one: a transaction's or a script's.
#[derive(Debug, Default)]
pub(crate) struct Record {
    bytes: Vec<u8>,
    commands: usize,
    /// The databases that the first and the last command work in.
    dbs: Option<(DbIndex, DbIndex)>,
}

impl Record {
    fn add(&mut self, db: DbIndex, commands: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let (first, last) = self.dbs.unwrap_or((db, db));
        if last != db {
            write_select(&mut self.bytes, db);
        }
        self.dbs = Some((first, db));
        self.commands += commands;
        write(&mut self.bytes);
    }
}

impl Default for AppendLog {
    fn default() -> AppendLog {
        let report = LogReport {
            bytes: 0,
            base_bytes: 0,
            last_rewrite_millis: None,
            last_rewrite_is_good: true,
            rewrites: 0,
            rewrite_failures: 0,
            delayed_syncs: 0,
            rewrite_ended_at: UnixMillis(0),
        };
        AppendLog {
            is_on: AtomicBool::new(false),
            holds_replies: AtomicBool::new(false),
            second: AtomicI64::new(0),
            pending: Mutex::default(),
            end: AtomicU64::new(0),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            waiting: Mutex::default(),
            wake: OnceLock::new(),
            cuts: (AtomicU64::new(0), AtomicU64::new(0)),
            failing: AtomicBool::new(false),
            fault: Mutex::default(),
            report: Mutex::new(report),
        }
    }
}

/// Recording.
impl AppendLog {
    /// Whether requests are recorded.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Records what `write` appends: so many commands of one database, as part of something larger if there is such a thing.
    pub(crate) fn record(
        &self,
        within: Option<&std::cell::RefCell<Record>>,
        db: DbIndex,
        commands: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        match within {
            Some(record) => record.borrow_mut().add(db, commands, write),
            None => self.publish(db, db, write),
        }
    }

    /// Records a request as it was sent.
    pub(crate) fn record_request(
        &self,
        within: Option<&std::cell::RefCell<Record>>,
        db: DbIndex,
        args: Args<'_>,
    ) {
        self.record(within, db, 1, |out| write_command(out, args.iter()));
    }

    /// Records all that is one.
    pub(crate) fn record_all(&self, record: &mut Record) {
        let Record { bytes, commands, dbs } = std::mem::take(record);
        let Some((first, last)) = dbs else { return };
        self.publish(first, last, |out| {
            if commands > 1 {
                write_command(out, [&b"MULTI"[..]].into_iter());
            }
            out.extend_from_slice(&bytes);
            if commands > 1 {
                write_command(out, [&b"EXEC"[..]].into_iter());
            }
        });
    }

    /// Records that a key has gone by itself.
    pub(crate) fn record_removal(&self, db: DbIndex, key: &[u8]) {
        if self.is_on() {
            self.publish(db, db, |out| write_command(out, [b"DEL", key].into_iter()));
        }
    }

    /// Records that a database was emptied.
    pub(crate) fn record_flush(&self, db: DbIndex) {
        self.publish(db, db, |out| write_command(out, [&b"FLUSHDB"[..]].into_iter()));
    }

    /// Records that fields of a hash have gone by themselves.
    pub(crate) fn record_expired_fields(&self, db: DbIndex, key: &[u8], fields: &[Vec<u8>]) {
        if self.is_on() {
            let words: Vec<&[u8]> =
                [&b"HDEL"[..], key].into_iter().chain(fields.iter().map(Vec::as_slice)).collect();
            self.publish(db, db, |out| write_command(out, words.into_iter()));
        }
    }

    fn publish(&self, first: DbIndex, last: DbIndex, write: impl FnOnce(&mut Vec<u8>)) {
        let mut pending = self.pending.lock();
        if !self.is_on() {
            // It was turned off while the request ran.
            return;
        }
        let before = pending.bytes.len();
        let second = self.second.load(Ordering::Relaxed);
        if second != 0 {
            pending.note_time(second);
        }
        if pending.db != Some(first) {
            write_select(&mut pending.bytes, first);
        }
        pending.db = Some(last);
        write(&mut pending.bytes);
        pending.end += (pending.bytes.len() - before) as u64;
        self.end.store(pending.end, Ordering::Release);
        drop(pending);
        if before == 0 {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    /// Begins to record, or goes on in a new file, while nobody else is at work.
    pub(crate) fn cut(&self) {
        let mut pending = self.pending.lock();
        let cut = Cut { at: pending.bytes.len(), begins: !self.is_on() };
        pending.cuts.push(cut);
        self.cuts.0.fetch_add(1, Ordering::SeqCst);
        (pending.db, pending.second) = (None, 0);
        self.is_on.store(true, Ordering::SeqCst);
        drop(pending);
        self.wake();
    }

    /// Begins to record where a log ends that was read.
    pub(crate) fn go_on(&self) {
        self.is_on.store(true, Ordering::SeqCst);
    }

    /// Ends recording. What was recorded is still written.
    pub(crate) fn turn_off(&self) {
        self.is_on.store(false, Ordering::SeqCst);
        self.holds_replies.store(false, Ordering::SeqCst);
        self.wake();
    }

    /// Does as the settings say.
    pub(crate) fn follow(&self, settings: &Settings) {
        let holds = self.is_on() && settings.appendfsync == "always";
        self.holds_replies.store(holds, Ordering::SeqCst);
        if !settings.aof_timestamp_enabled {
            self.second.store(0, Ordering::Relaxed);
        }
        if holds {
            // What was recorded before is waited for as well.
            self.wake();
        } else {
            self.wake_if(|waiter| waiter.waits_for == WaitsFor::Reply);
        }
    }

    /// Whether writes are refused because the log could not be written.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// What a client is told that wants to write meanwhile.
    pub(crate) fn refusal(&self) -> CommandError {
        let fault = self.fault.lock();
        CommandError::Line(format!("MISCONF Errors writing to the AOF file: {fault}").into())
    }

    /// Bytes that are recorded and not written.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        let written = self.written.load(Ordering::Acquire);
        self.end.load(Ordering::Acquire).saturating_sub(written)
    }

    /// How the log is kept.
    #[must_use]
    pub fn report(&self) -> LogReport {
        *self.report.lock()
    }
}

/// Writing, which is the process's.
impl AppendLog {
    /// Has somebody be woken when there is something to write.
    pub fn wake_by(&self, wake: impl Fn() + Send + Sync + 'static) {
        // Nobody else sets it.
        let _ = self.wake.set(Box::new(wake));
    }

    /// What is to be written; memory that was used for that before serves for what is recorded next.
    pub fn take(&self, mut spare: Vec<u8>) -> LogBatch {
        spare.clear();
        let mut pending = self.pending.lock();
        let bytes = std::mem::replace(&mut pending.bytes, spare);
        LogBatch { bytes, cuts: std::mem::take(&mut pending.cuts), end: pending.end }
    }

    /// Takes over that the system has all up to here.
    pub fn note_written(&self, end: u64) {
        let before = self.written.swap(end, Ordering::SeqCst);
        if before != end && !self.holds_replies.load(Ordering::SeqCst) {
            self.wake_if(|waiter| waiter.waits_for == WaitsFor::Reply);
        }
    }

    /// Takes over that a new file has begun.
    pub fn note_cut(&self) {
        self.cuts.1.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether a new file is asked for that has not begun.
    #[must_use]
    pub fn has_cut_ahead(&self) -> bool {
        self.cuts.1.load(Ordering::SeqCst) < self.cuts.0.load(Ordering::SeqCst)
    }

    /// Takes over that all up to here is on disk: replies that wait for it go.
    pub fn note_synced(&self, end: u64) {
        self.synced.store(end, Ordering::SeqCst);
        self.wake_if(|waiter| waiter.end <= end);
    }

    /// Has some of those who wait look whether that has come.
    fn wake_if(&self, may_go: impl Fn(&Waiter) -> bool) {
        self.waiting.lock().extract_if(.., |waiter| may_go(waiter)).for_each(|waiter| waiter.client.nudge());
    }

    /// Takes over the time, for whoever wants it in the log. To be called several times a second while somebody does.
    pub fn note_second(&self, now: UnixMillis) {
        self.second.store(now.0 / 1000, Ordering::Relaxed);
    }

    /// Takes over why the log cannot be written, if it cannot.
    pub fn note_fault(&self, fault: Option<String>) {
        let failing = fault.is_some();
        if let Some(fault) = fault {
            *self.fault.lock() = fault;
        }
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// Changes what is told of it.
    pub fn change_report(&self, change: impl FnOnce(&mut LogReport)) {
        change(&mut self.report.lock());
    }

    /// Takes over that a rewriting has ended.
    pub fn end_rewrite(&self, began: UnixMillis, now: UnixMillis, is_good: bool) {
        let mut report = self.report.lock();
        report.last_rewrite_millis = u64::try_from(now.saturating_millis_since(began)).ok();
        (report.last_rewrite_is_good, report.rewrite_ended_at) = (is_good, now);
        if is_good {
            report.rewrites += 1;
            report.rewrite_failures = 0;
        } else {
            report.rewrite_failures += 1;
        }
    }
}

/// Replies that wait for the disk.
impl AppendLog {
    /// What must be on disk before anybody is told of the present state of keys, unless it is; or what the system must have, when it lags.
    #[inline]
    #[must_use]
    pub fn unsynced(&self) -> Option<u64> {
        if !self.is_on() {
            return None;
        }
        let end = self.end.load(Ordering::Acquire);
        if self.holds_replies.load(Ordering::Relaxed) {
            return (end > self.synced.load(Ordering::SeqCst)).then_some(end);
        }
        (end.saturating_sub(self.written.load(Ordering::Relaxed)) > UNWRITTEN_MAX).then_some(end)
    }

    /// Whether replies that were withheld until all up to here is on disk may go.
    #[must_use]
    pub fn lets_reply(&self, end: u64) -> bool {
        let reached = if self.holds_replies.load(Ordering::SeqCst) { &self.synced } else { &self.written };
        !self.is_on() || reached.load(Ordering::SeqCst) >= end
    }

    /// Bytes recorded since the start: what [`AppendLog::is_on_disk`] may be asked for.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Whether all up to here is on disk.
    #[must_use]
    pub fn is_on_disk(&self, end: u64) -> bool {
        self.synced.load(Ordering::SeqCst) >= end
    }

    /// Has a client be woken once, when the log may have come so far.
    pub fn wait_for(&self, end: u64, waits_for: WaitsFor, client: &Arc<SharedClient>) {
        self.waiting.lock().push(Waiter { end, waits_for, client: Arc::clone(client) });
        // It may have come before the client was there to be found.
        let has_come = match waits_for {
            WaitsFor::Reply => self.lets_reply(end),
            WaitsFor::Disk => self.is_on_disk(end),
        };
        if has_come {
            client.nudge();
        }
    }
}

impl Pending {
    fn note_time(&mut self, second: i64) {
        if second != self.second {
            self.second = second;
            write_timestamp(&mut self.bytes, second);
        }
    }
}

fn write_select(out: &mut Vec<u8>, db: DbIndex) {
    let mut digits = Digits::default();
    write_command(out, [b"SELECT", Element::Int(i64::from(db.0)).text(&mut digits)].into_iter());
}

impl fmt::Debug for AppendLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppendLog").field("is_on", &self.is_on()).finish_non_exhaustive()
    }
}
