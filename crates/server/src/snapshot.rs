//! Snapshots on disk: a thread that writes them, and the one that is read at the start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use larder_config::{MaxmemoryPolicy, Settings};
use larder_engine::{Node, Paused, Purpose, SnapshotJob, moment};
use larder_persist::Compression;
use larder_persist::log::BaseFormat;
use larder_persist::snapshot::{Checksum, Format, Key, Usage, Writer};
use larder_store::{DbIndex, Due, Entry, Moment, UnixMillis, WalkPlace, idle_seconds};
use tempfile::NamedTempFile;

use crate::append_log::{Commands, Log, temporary};
use crate::background;
use crate::replacement::{directory_of, replace};

mod load;

pub(crate) use load::{load, load_base};

/// Keys taken over while a stripe is locked: some microseconds.
const KEYS_PER_LOCK: usize = 64;
/// How often it is looked whether the last snapshot before the end is written.
const LOOK: Duration = Duration::from_millis(5);

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
            node.snapshots.end(&job, node.host.time().now, true);
            continue;
        }
        tracing::info!("Background saving started");
        let settings = node.settings();
        let path = path_of(&settings);
        let written = write(node, &settings, &job, &path);
        match &written {
            Ok(()) => tracing::info!("DB saved on disk: Background saving terminated with success"),
            Err(error) => {
                tracing::warn!(
                    "Error saving the snapshot {}: {error}. Background saving error",
                    path.display()
                );
            }
        }
        node.snapshots.end(&job, node.host.time().now, written.is_ok());
    }
}

/// Writes a snapshot under another name and, when it is on disk, puts it in the place of the old one. If that cannot be done the old
/// one stays.
fn write(node: &Node, settings: &Settings, job: &SnapshotJob, path: &Path) -> io::Result<()> {
    let created = temporary(directory_of(path), ".rdb");
    let begun = created.and_then(|file| begin(node, settings, job, file).map(Form::Snapshot));
    replace(path, write_keys(node, settings, job, begun)?)
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
    write_keys(node, settings, job, begun)
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
) -> io::Result<NamedTempFile> {
    // Who only looks removes nothing.
    let moment = Moment { due: Due::Kept, ..moment(job.cut, settings) };
    let mut walk = Walk { node, moment, place: Some(job.place), batch: Vec::with_capacity(KEYS_PER_LOCK) };
    let file = begun.and_then(|mut form| {
        let mut db = None;
        while walk.next() {
            for (of, entry) in walk.batch.drain(..) {
                if db != Some(of) {
                    form.database(job, of)?;
                    db = Some(of);
                }
                form.key(&entry, usage(&entry, settings, job.cut))?;
                node.snapshots.note_written(1);
                node.keyspace.discard(entry);
            }
        }
        form.finish()
    });
    // Until its end others leave what they change.
    while walk.next() {
        walk.batch.clear();
    }
    file
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
    /// Fills the batch, which may stay empty; says whether this was not the end.
    fn next(&mut self) -> bool {
        let Some(place) = self.place else { return false };
        let batch = &mut self.batch;
        self.place = self.node.keyspace.walk(place, KEYS_PER_LOCK, self.moment, |db, entry| {
            batch.push((db, entry.renamed(entry.key())));
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
    if settings.save.points().is_empty() {
        return true;
    }
    tracing::info!("Saving the final RDB snapshot before exiting.");
    let now = node.host.time().now;
    node.pause.begin(Paused::All, UnixMillis(i64::MAX), now);
    // What was begun before is waited for, and may be too old.
    node.snapshots.ask();
    while node.snapshots.is_wanted() || node.snapshots.is_running() {
        tokio::time::sleep(LOOK).await;
    }
    let is_good = node.snapshots.report().last_is_good;
    if !is_good {
        node.end_pause();
        tracing::warn!("Error trying to save the DB, can't exit.");
    }
    is_good
}

/// Where the snapshot is.
fn path_of(settings: &Settings) -> PathBuf {
    Path::new(&settings.dir).join(&settings.dbfilename)
}
