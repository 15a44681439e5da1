//! The append log on disk: a thread that writes what requests have changed, its files, and the log that is read at the start.
//!
//! Workers only append to a buffer (see `larder_engine::AppendLog`). What has gathered while the disk was busy is written, and brought
//! to disk, at once: with `appendfsync always` many replies wait for one call of the system.

use std::fs::File;
use std::io::{self, Write as _};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use larder_config::Settings;
use larder_engine::{LogBatch, Node, SnapshotJob};
use larder_persist::log::BaseFormat;
use parking_lot::Mutex;

use crate::options::reason;
use crate::snapshot;

mod commands;
mod files;
mod load;

pub(crate) use commands::Commands;
pub(crate) use files::Files;
pub(crate) use load::load;

/// For how long records gather before they are written, unless replies wait for that: who writes more seldom costs workers less. So much may
/// be lost with the process, where Redis loses nothing before the machine stops.
const GATHER: Duration = Duration::from_millis(10);
/// How often the log is brought to disk with `appendfsync everysec`.
const SYNC: Duration = Duration::from_secs(1);
/// A disk that takes longer for that is too slow.
const SLOW_SYNC: Duration = Duration::from_secs(2);
/// After what time writing is tried again that has failed.
const RETRY: Duration = Duration::from_millis(100);
/// How often it is looked whether the thread that writes has come so far.
const LOOK: Duration = Duration::from_millis(1);

/// The append log of the process.
pub(crate) struct Log {
    node: Arc<Node>,
    /// None while nothing is logged, and nothing was.
    files: Mutex<Option<Files>>,
    stopping: AtomicBool,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Starts the thread that writes. With `files`, all that the node has stands in them already.
    pub(crate) fn start(node: &Arc<Node>, files: Option<Files>) -> io::Result<Arc<Log>> {
        if files.is_some() {
            // Before there is a thread that would find nothing to be logged, and let the files go.
            node.start_append_log();
        }
        let log = Arc::new(Log {
            node: Arc::clone(node),
            files: Mutex::new(files),
            stopping: AtomicBool::new(false),
            writer: Mutex::new(None),
        });
        let writer = Writer::new(&log);
        let thread = thread::Builder::new().name("append-log".to_owned()).spawn(move || writer.run())?;
        let woken = thread.thread().clone();
        *log.writer.lock() = Some(thread);
        node.append_log.wake_by(move || woken.unpark());
        Ok(log)
    }

    /// Begins a log of what the node has, before it serves anybody, and returns when it could be read.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.node.start_append_log_anew();
        while self.node.snapshots.is_running() {
            thread::sleep(LOOK);
        }
        if self.node.append_log.report().last_rewrite_is_good {
            Ok(())
        } else {
            Err(io::Error::other("The append log cannot be begun. Exiting."))
        }
    }

    /// Writes all that was recorded, and brings it to disk. Nothing may be recorded any more.
    pub(crate) fn finish(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(writer) = self.writer.lock().take() {
            writer.thread().unpark();
            // Its panic has ended the process already.
            let _ = writer.join();
        }
    }

    /// Puts a new base in the place of all that was logged before its cut.
    pub(crate) fn write_base(&self, job: &SnapshotJob) {
        let settings = self.node.settings();
        let written = self.try_write_base(&settings, job);
        match &written {
            Ok(()) => tracing::info!("Background AOF rewrite finished successfully"),
            Err(error) => tracing::warn!("Background AOF rewrite terminated with error: {error}"),
        }
        self.node.append_log.end_rewrite(job.cut, self.node.host.time().now, written.is_ok());
    }

    fn try_write_base(&self, settings: &Settings, job: &SnapshotJob) -> io::Result<()> {
        tracing::info!("Background append only file rewriting started");
        let directory = files::directory(settings);
        let format = if settings.aof_use_rdb_preamble { BaseFormat::Snapshot } else { BaseFormat::Commands };
        let file = snapshot::write_base(&self.node, settings, job, &directory, format)?;
        // What follows must be in a file of its own before the base says that it does.
        while self.node.append_log.has_cut_ahead() {
            if self.node.append_log.is_failing() {
                return Err(io::Error::other("the log cannot be written"));
            }
            thread::sleep(LOOK);
        }
        let mut files = self.files.lock();
        let files = Files::opened(&mut files, settings)?;
        files.install_base(file, format)?;
        let bytes = files.bytes();
        self.node.append_log.change_report(|report| (report.bytes, report.base_bytes) = (bytes, bytes));
        Ok(())
    }
}

/// The thread that writes.
struct Writer {
    node: Arc<Node>,
    log: Arc<Log>,
    /// What is being written, and how much of it is.
    batch: LogBatch,
    written: usize,
    last_sync: Instant,
    /// Whether something was written that may not be on disk.
    is_dirty: bool,
}

impl Writer {
    fn new(log: &Arc<Log>) -> Writer {
        Writer {
            node: Arc::clone(&log.node),
            log: Arc::clone(log),
            batch: LogBatch::default(),
            written: 0,
            last_sync: Instant::now(),
            is_dirty: false,
        }
    }

    fn run(mut self) {
        loop {
            let stops = self.log.stopping.load(Ordering::SeqCst);
            let settings = self.node.settings();
            match self.advance(&settings) {
                Ok(()) => self.note_failing(None),
                Err(error) if !self.node.append_log.is_on() => self.give_up(&error),
                Err(error) if settings.appendfsync == "always" => {
                    tracing::error!(
                        "Can't recover from AOF write error when the AOF fsync policy is 'always': {error}. Exiting..."
                    );
                    process::exit(1);
                }
                Err(error) => self.note_failing(Some(&error)),
            }
            if stops {
                return;
            }
            self.rest(&settings);
        }
    }

    /// Forgets what cannot be written of a log that was turned off.
    fn give_up(&mut self, error: &io::Error) {
        tracing::warn!("Error writing to the AOF file, which is off now: {error}");
        (self.batch, self.written, self.is_dirty) = (LogBatch::default(), 0, false);
        *self.log.files.lock() = None;
        self.note_failing(None);
    }

    /// Waits for something to do.
    fn rest(&self, settings: &Settings) {
        if self.node.append_log.is_failing() {
            return thread::sleep(RETRY);
        }
        match self.is_dirty {
            true => thread::park_timeout(SYNC.saturating_sub(self.last_sync.elapsed())),
            false => thread::park(),
        }
        if settings.appendfsync != "always" && !self.log.stopping.load(Ordering::SeqCst) {
            thread::sleep(GATHER);
        }
    }

    fn note_failing(&self, error: Option<&io::Error>) {
        let log = &self.node.append_log;
        match error {
            Some(error) if !log.is_failing() => tracing::warn!("Error writing to the AOF file: {error}"),
            None if log.is_failing() => {
                tracing::warn!("AOF write error looks solved. The server can write again.");
            }
            _ => {}
        }
        log.note_fault(error.map(reason));
    }

    /// Writes what there is, and brings it to disk when that is due.
    fn advance(&mut self, settings: &Settings) -> io::Result<()> {
        let log = Arc::clone(&self.log);
        let mut files = log.files.lock();
        self.write(&mut files, settings)?;
        let taken = self.node.append_log.take(std::mem::take(&mut self.batch.bytes));
        (self.batch, self.written) = (taken, 0);
        self.write(&mut files, settings)?;
        self.sync_if_due(files.as_mut(), settings)?;
        if !self.node.append_log.is_on() && !self.node.append_log.has_cut_ahead() {
            *files = None;
        }
        Ok(())
    }

    /// Writes what is left of the batch.
    fn write(&mut self, files: &mut Option<Files>, settings: &Settings) -> io::Result<()> {
        while let Some(cut) = self.batch.cuts.first().copied() {
            self.write_up_to(files, cut.at)?;
            if let Some(file) = files.as_mut().and_then(Files::current) {
                // If it cannot be, the base that is being written will have all of it.
                if let Err(error) = file.sync_data() {
                    tracing::warn!("Fail to fsync the AOF file: {error}");
                }
            }
            Files::opened(files, settings)?.begin_increment(cut.begins)?;
            self.batch.cuts.remove(0);
            self.node.append_log.note_cut();
        }
        self.write_up_to(files, self.batch.bytes.len())?;
        self.node.append_log.note_written(self.batch.end);
        Ok(())
    }

    fn write_up_to(&mut self, files: &mut Option<Files>, end: usize) -> io::Result<()> {
        if self.written == end {
            return Ok(());
        }
        let Some(file) = files.as_mut().and_then(Files::current) else {
            return Err(io::Error::other("there is no file of the log to write to"));
        };
        while self.written < end {
            match file.write(&self.batch.bytes[self.written..end]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => {
                    self.written += len;
                    self.is_dirty = true;
                    self.node.append_log.change_report(|report| report.bytes += len as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync_if_due(&mut self, files: Option<&mut Files>, settings: &Settings) -> io::Result<()> {
        let stops = self.log.stopping.load(Ordering::SeqCst) || !self.node.append_log.is_on();
        let spares = settings.no_appendfsync_on_rewrite && self.node.snapshots.is_running() && !stops;
        let is_due = match settings.appendfsync {
            "always" => true,
            "everysec" => self.last_sync.elapsed() >= SYNC,
            _ => false,
        };
        if !self.is_dirty || !(is_due || stops) {
            if !self.is_dirty {
                self.node.append_log.note_synced(self.batch.end);
            }
            return Ok(());
        }
        if let Some(file) = files.and_then(Files::current)
            && !spares
        {
            self.sync(file)?;
        }
        self.is_dirty = false;
        self.last_sync = Instant::now();
        self.node.append_log.note_synced(self.batch.end);
        Ok(())
    }

    /// Brings a file to disk. If that fails, nobody knows what of it is there: a new base will have it all.
    fn sync(&self, file: &mut File) -> io::Result<()> {
        let begun = Instant::now();
        file.sync_data().inspect_err(|_| self.node.rewriting.ask())?;
        if begun.elapsed() > SLOW_SYNC {
            tracing::warn!("Asynchronous AOF fsync is taking too long (disk is busy?).");
            self.node.append_log.change_report(|report| report.delayed_syncs += 1);
        }
        Ok(())
    }
}
