//! Snapshots on disk: a thread that writes them, and the one that is read at the start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use larder_config::{MaxmemoryPolicy, Settings};
use larder_engine::{Node, Paused, Purpose, SnapshotEnd, SnapshotJob, moment};
use larder_persist::Compression;
use larder_persist::log::BaseFormat;
use larder_persist::snapshot::{Checksum, Format, Key, Usage, Writer};
use larder_store::{DbIndex, Due, Entry, Met, Moment, UnixMillis, WalkPlace, idle_seconds};
use tempfile::NamedTempFile;

use crate::append_log::{Commands, Log};
use crate::background;
use crate::replacement::{directory_of, replace, temporary};

mod load;
mod pace;

pub(crate) use load::{Counted, load, load_base};

use self::pace::Bounds;
pub(crate) use self::pace::Pace;

/// Keys taken over while a stripe is locked: some microseconds.
const KEYS_PER_LOCK: usize = 64;
/// How often whoever waits looks whether there is something new.
const LOOK: Duration = Duration::from_millis(5);
/// How long the end of the process waits for that of a snapshot that nobody wants.
const GIVE_UP: Duration = Duration::from_secs(1);

/// Starts the thread that writes snapshots.
pub(crate) fn start(node: &Arc<Node>, log: &Arc<Log>) -> io::Result<()> {
    let Some(jobs) = node.snapshots.take_jobs() else { return Ok(()) };
    let (node, log) = (Arc::clone(node), Arc::clone(log));
    background::spawn("snapshot", move || serve(&node, &log, &jobs)).map(drop)
}

fn serve(node: &Node, log: &Log, jobs: &Receiver<SnapshotJob>) {
    for job in jobs {
        if job.purpose == Purpose::LogBase {
            log.write_base(&job);
            node.snapshots.end(&job, node.host.time().now, SnapshotEnd::Written);
            continue;
        }
        tracing::info!("Background saving started");
        let settings = node.settings();
        let path = path_of(&settings);
        let end = match write(node, &settings, &job, &path) {
            Ok(()) => {
                tracing::info!("DB saved on disk: Background saving terminated with success");
                SnapshotEnd::Written
            }
            Err(Stop::Cancelled) => {
                tracing::warn!("Background saving was cancelled");
                SnapshotEnd::Cancelled
            }
            Err(Stop::Failed(error)) => {
                tracing::warn!(
                    "Error saving the snapshot {}: {error}. Background saving error",
                    path.display()
                );
                SnapshotEnd::Failed
            }
        };
        node.snapshots.end(&job, node.host.time().now, end);
    }
}

/// Why there is no file.
enum Stop {
    Failed(io::Error),
    Cancelled,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Failed(error)
    }
}

/// Writes a snapshot under another name and, when it is on disk, puts it in the place of the old one. If that cannot be done the old
/// one stays, and nothing is left of the new one.
fn write(node: &Node, settings: &Settings, job: &SnapshotJob, path: &Path) -> Result<(), Stop> {
    let created = temporary(directory_of(path), ".rdb");
    let begun = created.and_then(|file| begin(node, settings, job, file).map(Form::Snapshot));
    let file = write_keys(node, settings, job, begun)?;
    if node.snapshots.is_cancelled() {
        return Err(Stop::Cancelled);
    }
    Ok(replace(path, file)?)
}

/// Writes what the append log is to begin with, under a name that it is not to keep.
pub(crate) fn write_base(
    node: &Node,
    settings: &Settings,
    job: &SnapshotJob,
    directory: &Path,
    format: BaseFormat,
) -> io::Result<NamedTempFile> {
    let begun = fs::create_dir_all(directory).and_then(|()| temporary(directory, ".base")).and_then(|file| {
        if format == BaseFormat::Snapshot {
            return begin(node, settings, job, file).map(Form::Snapshot);
        }
        let mut commands = Commands::new(file);
        job.functions.iter().try_for_each(|source| commands.function(source))?;
        Ok(Form::Commands(commands))
    });
    write_keys(node, settings, job, begun).map_err(|stop| match stop {
        Stop::Failed(error) => error,
        Stop::Cancelled => io::Error::other("the process ends"),
    })
}

/// What keys are written as.
enum Form {
    Snapshot(Writer<NamedTempFile>),
    Commands(Commands),
}

impl Form {
    fn database(&mut self, job: &SnapshotJob, db: DbIndex) -> io::Result<()> {
        let sizes = job.dbs.iter().find(|sizes| sizes.db == db);
        let (keys, expiring) = sizes.map_or((0, 0), |sizes| (sizes.keys, sizes.expiring));
        match self {
            Form::Snapshot(writer) => writer.database(db.0, keys, expiring),
            Form::Commands(commands) => commands.database(db),
        }
    }

    fn key(&mut self, entry: &Entry, usage: Usage) -> io::Result<()> {
        match self {
            Form::Snapshot(writer) => writer.key(&Key::of(entry, usage)),
            Form::Commands(commands) => commands.key(entry),
        }
    }

    fn finish(self) -> io::Result<NamedTempFile> {
        match self {
            Form::Snapshot(writer) => writer.finish(),
            Form::Commands(commands) => commands.finish(),
        }
    }
}

/// Walks to the end of the keyspace, whatever becomes of the file.
fn write_keys(
    node: &Node,
    settings: &Settings,
    job: &SnapshotJob,
    begun: io::Result<Form>,
) -> Result<NamedTempFile, Stop> {
    // Who only looks removes nothing.
    let moment = Moment { due: Due::Kept, ..moment(job.cut, settings) };
    let mut walk = Walk { node, moment, place: Some(job.place), batch: Vec::with_capacity(KEYS_PER_LOCK) };
    let file = begun.map_err(Stop::from).and_then(|form| {
        let bounds = Bounds::of(node.host.used_memory());
        let pace = Pace::new(settings.rdb_key_save_delay);
        Output { node, settings, job, form, db: None, bounds, pace, stop: None }.fill(&mut walk)
    });
    // Until its end others leave what they change. That is soon: nothing is written.
    while walk.next(|_, _| {}) {
        walk.batch.clear();
    }
    file
}

/// A file that is being written.
struct Output<'a> {
    node: &'a Node,
    settings: &'a Settings,
    job: &'a SnapshotJob,
    form: Form,
    /// The database of the last key.
    db: Option<DbIndex>,
    bounds: Bounds,
    pace: Pace,
    /// Why nothing more is written.
    stop: Option<Stop>,
}

impl Output<'_> {
    /// Writes whatever is met on the walk.
    fn fill(mut self, walk: &mut Walk<'_>) -> Result<NamedTempFile, Stop> {
        while walk.next(|db, entry| self.preserved(db, entry)) {
            for (db, entry) in walk.batch.drain(..) {
                self.key(db, &entry)?;
                self.node.keyspace.discard(entry);
                self.wait()?;
            }
            self.go_on()?;
        }
        Ok(self.form.finish()?)
    }

    fn key(&mut self, of: DbIndex, entry: &Entry) -> io::Result<()> {
        if self.db != Some(of) {
            self.form.database(self.job, of)?;
            self.db = Some(of);
        }
        self.form.key(entry, usage(entry, self.settings, self.job.cut))?;
        self.node.snapshots.note_written(1);
        Ok(())
    }

    /// A pre-image is written from where it is, without a copy: after FLUSHALL they may be all keys.
    fn preserved(&mut self, db: DbIndex, entry: &Entry) {
        if self.stop.is_none() {
            let written = self.key(db, entry).map_err(Stop::from);
            self.stop = written.and_then(|()| self.go_on()).err();
        }
    }

    /// Whether there is any sense in writing more.
    fn go_on(&mut self) -> Result<(), Stop> {
        if let Some(stop) = self.stop.take() {
            return Err(stop);
        }
        if self.node.snapshots.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        self.bounds.check(self.node.keyspace.preserved_bytes()).map_err(|text| io::Error::other(text).into())
    }

    /// Lets time pass between two keys as the directive says, but has no pre-image wait for that.
    fn wait(&mut self) -> Result<(), Stop> {
        let mut left = self.pace.after_key();
        while !left.is_zero() && self.bounds.permit_waiting(self.node.keyspace.preserved_bytes()) {
            let slice = left.min(LOOK);
            thread::sleep(slice);
            left -= slice;
            let node = self.node;
            node.keyspace.take_preserved(|db, entry| self.preserved(db, entry));
            self.go_on()?;
        }
        self.go_on()
    }
}

fn begin(
    node: &Node,
    settings: &Settings,
    job: &SnapshotJob,
    file: NamedTempFile,
) -> io::Result<Writer<NamedTempFile>> {
    let format = if job.has_expiring_fields { Format::Valkey80 } else { Format::Redis10 };
    let checksum = if settings.rdbchecksum { Checksum::Written } else { Checksum::Zero };
    let compression = if settings.rdbcompression { Compression::Lzf } else { Compression::Off };
    let mut writer = Writer::new(file, format, checksum, compression);
    let facts = [
        ("redis-ver", larder_commands::COMPATIBLE_VERSION.to_owned()),
        ("redis-bits", usize::BITS.to_string()),
        ("ctime", (job.cut.0 / 1000).to_string()),
        ("used-mem", node.host.used_memory().to_string()),
        ("aof-base", u8::from(job.purpose == Purpose::LogBase).to_string()),
    ];
    for (name, value) in facts {
        writer.aux(name.as_bytes(), value.as_bytes())?;
    }
    for source in &job.functions {
        writer.function(source)?;
    }
    Ok(writer)
}

/// The walk of a snapshot, some keys at a time. They are copied under the lock of their stripe, and written without.
struct Walk<'a> {
    node: &'a Node,
    moment: Moment,
    place: Option<WalkPlace>,
    batch: Vec<(DbIndex, Entry)>,
}

impl Walk<'_> {
    /// Fills the batch, which may stay empty, and has pre-images written; says whether this was not the end.
    fn next(&mut self, mut write: impl FnMut(DbIndex, &Entry)) -> bool {
        let Some(place) = self.place else { return false };
        let batch = &mut self.batch;
        self.place = self.node.keyspace.walk(place, KEYS_PER_LOCK, self.moment, |met, db, entry| match met {
            Met::InPlace => batch.push((db, entry.renamed(entry.key()))),
            Met::Preserved => write(db, entry),
        });
        true
    }
}

/// What is told of how a key was used, as far as the policy of eviction goes by that.
fn usage(entry: &Entry, settings: &Settings, now: UnixMillis) -> Usage {
    match settings.maxmemory_policy {
        MaxmemoryPolicy::AllkeysLru | MaxmemoryPolicy::VolatileLru => {
            Usage::IdleSeconds(u64::from(idle_seconds(entry.access(), now)))
        }
        MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu => {
            Usage::Frequency((entry.access() & 0xFF) as u8)
        }
        _ => Usage::Unknown,
    }
}

/// Makes a last snapshot before the process ends, if the settings have any made; nothing changes any more from then on. Says whether
/// the process may end.
pub(crate) async fn make_last(node: &Node) -> bool {
    let settings = node.settings();
    // What is on disk is more than what is loaded so far.
    if settings.save.points().is_empty() || node.loading.is_active() {
        return true;
    }
    tracing::info!("Saving the final RDB snapshot before exiting.");
    let now = node.host.time().now;
    node.pause.begin(Paused::All, UnixMillis(i64::MAX), now);
    // One that was begun before is too old.
    let _ = node.snapshots.cancel();
    node.snapshots.ask();
    while node.snapshots.is_wanted() || node.snapshots.is_running() {
        tokio::time::sleep(LOOK).await;
    }
    let is_good = node.snapshots.report().last_end == SnapshotEnd::Written;
    if !is_good {
        node.end_pause();
        tracing::warn!("Error trying to save the DB, can't exit.");
    }
    is_good
}

/// Leaves no file of a snapshot that is being made behind when the process ends. The file goes before the walk ends, which is not
/// waited for if it takes long.
pub(crate) fn give_up(node: &Node) {
    node.snapshots.abort();
    let looks = GIVE_UP.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        if !node.snapshots.is_running() {
            return;
        }
        thread::sleep(LOOK);
    }
}

/// Where the snapshot is.
fn path_of(settings: &Settings) -> PathBuf {
    Path::new(&settings.dir).join(&settings.dbfilename)
}
