//! Reading the snapshot at the start: one thread goes over the file, the others make entries of what it finds.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use larder_commands::value_limits;
use larder_engine::{Node, Replay, moment};
use larder_persist::snapshot::{Item, Reader, Record, Unusable, Usage};
use larder_store::{DbIndex, Entry, Event, Moment};
use parking_lot::Mutex;

use super::{Pace, path_of};
use crate::background;

/// Keys that are handed over together.
const BATCH: usize = 256;
/// Batches that may wait for somebody who makes entries of them.
const WAITING_MAX: usize = 16;

type Batch = Vec<(DbIndex, Record)>;
/// The sources of a file's libraries of functions, what follows the snapshot in it, and where that begins.
type Other<R> = (Vec<Vec<u8>>, Rest<R>, u64);
/// What follows a snapshot in a file.
pub(crate) type Rest<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// Reads the snapshot that the settings name, if there is one, into a node that serves nobody yet. Without a name for it there is
/// none.
///
/// # Errors
/// It cannot be read to its end: the process is not to begin with a part of what it had.
pub(crate) fn load(node: &Arc<Node>) -> io::Result<()> {
    let settings = node.settings();
    let path = path_of(&settings);
    if settings.dbfilename.is_empty() || !path.exists() {
        return Ok(());
    }
    let file = File::open(&path).map_err(|error| failed(&path, error.to_string()))?;
    node.loading.expect(file.metadata()?.len());
    read_file(node, Counted::new(node, file), &path, Expired::Skipped).map(drop)
}

/// A file that is counted as it is read.
pub(crate) struct Counted {
    node: Arc<Node>,
    file: File,
}

impl Counted {
    pub(crate) fn new(node: &Arc<Node>, file: File) -> Counted {
        Counted { node: Arc::clone(node), file }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.node.loading.advance(read as u64);
        Ok(read)
    }
}

/// Reads the snapshot that the append log begins with; returns what follows in the same file, and where that begins. Keys whose time has
/// come are read, too: what follows in the log may be about them.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_base<R: Read>(node: &Arc<Node>, file: R, path: &Path) -> io::Result<(Rest<R>, u64)> {
    read_file(node, file, path, Expired::Read)
}

/// What becomes of keys whose time has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expired {
    Skipped,
    Read,
}

fn read_file<R: Read>(
    node: &Arc<Node>,
    file: R,
    path: &Path,
    expires: Expired,
) -> io::Result<(Rest<R>, u64)> {
    let begun = node.host.time().nanos;
    let loader = Loader::new(node, expires);
    let rest = loader.read(file).map_err(|error| failed(path, error))?;
    let (expired, loaded) = (loader.expired.into_inner(), loader.loaded.into_inner());
    let moment = moment(node.host.time().now, &node.settings());
    node.snapshots.note_loaded(expired, loaded, node.stripe_totals(moment).changes);
    let seconds = (node.host.time().nanos - begun) as f64 / 1e9;
    tracing::info!("Done loading RDB, keys loaded: {loaded}, keys expired: {expired}.");
    tracing::info!("DB loaded from disk: {seconds:.3} seconds");
    Ok(rest)
}

fn failed(path: &Path, error: String) -> io::Error {
    io::Error::other(format!("Fatal error loading the DB {}: {error}. Exiting.", path.display()))
}

struct Loader<'a> {
    node: &'a Arc<Node>,
    moment: Moment,
    expires: Expired,
    expired: AtomicU64,
    loaded: AtomicU64,
    /// Why a record makes no entry: the first reason.
    fault: Mutex<Option<String>>,
}

impl<'a> Loader<'a> {
    fn new(node: &'a Arc<Node>, expires: Expired) -> Loader<'a> {
        let moment = moment(node.host.time().now, &node.settings());
        let (expired, loaded) = Default::default();
        Loader { node, moment, expires, expired, loaded, fault: Mutex::new(None) }
    }

    /// Reads a file; returns what follows the snapshot in it, and how long that is.
    fn read<R: Read>(&self, file: R) -> Result<(Rest<R>, u64), String> {
        let (sender, receiver) = sync_channel::<Batch>(WAITING_MAX);
        let receiver = Mutex::new(receiver);
        let decoders = thread::available_parallelism().map_or(1, usize::from);
        let (functions, rest, offset) = thread::scope(|scope| {
            for _ in 0..decoders {
                scope.spawn(|| {
                    // All processors take part, and clients are told at once to wait.
                    background::take_short_turns();
                    self.decode_all(&receiver);
                });
            }
            self.go_over(file, sender)
        })?;
        if let Some(fault) = self.fault.lock().take() {
            return Err(fault);
        }
        functions.iter().try_for_each(|source| self.load_library(source))?;
        Ok((rest, offset))
    }

    /// Hands over the keys of a file; returns the sources of its libraries of functions, and what follows.
    fn go_over<R: Read>(&self, file: R, sender: SyncSender<Batch>) -> Result<Other<R>, String> {
        let mut reader = Reader::new(file).map_err(|error| error.to_string())?;
        let (mut db, mut functions, mut batch) = (DbIndex(0), Vec::new(), Batch::new());
        while let Some(item) = reader.next_item().map_err(|error| error.to_string())? {
            match item {
                Item::Key(record) => {
                    batch.push((db, record));
                    if batch.len() == BATCH && sender.send(std::mem::take(&mut batch)).is_err() {
                        break;
                    }
                }
                Item::Database(number) => db = self.database(number)?,
                Item::Function(source) => functions.push(source),
                Item::ModuleAux { module } => {
                    return Err(format!("the file has data of the module {module}, which cannot be loaded"));
                }
                Item::SlotImport(_) => {
                    return Err("the file has keys of slots that were being moved".to_owned());
                }
                Item::Aux { .. } | Item::Sizes { .. } | Item::SlotSizes { .. } => {}
            }
        }
        let _ = sender.send(batch);
        let offset = reader.offset();
        Ok((functions, reader.into_rest(), offset))
    }

    fn database(&self, number: u64) -> Result<DbIndex, String> {
        let databases = self.node.keyspace.databases();
        match u32::try_from(number) {
            Ok(db) if (db as usize) < databases => Ok(DbIndex(db)),
            _ => Err(format!("it has keys of database {number}, and there are only {databases}")),
        }
    }

    /// Makes entries until there is nothing more to be made of.
    fn decode_all(&self, batches: &Mutex<Receiver<Batch>>) {
        let settings = self.node.settings();
        let (limits, mut pace) = (value_limits(&settings), Pace::new(settings.key_load_delay));
        loop {
            let next = batches.lock().recv();
            let Ok(batch) = next else { return };
            for (db, record) in batch {
                thread::sleep(pace.after_key());
                let is_over = record.expires_at().is_some_and(|at| at <= self.moment.now);
                if is_over && self.expires == Expired::Skipped {
                    self.expired.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                match record.decode(&limits) {
                    Ok(entry) => self.store(db, entry, record.usage()),
                    // Old versions of the peers wrote some by mistake.
                    Err(Unusable::Empty) => {}
                    Err(fault) => self.note_fault(&record, &fault),
                }
            }
        }
    }

    fn note_fault(&self, record: &Record, fault: &Unusable) {
        let key = String::from_utf8_lossy(record.key()).into_owned();
        let mut first = self.fault.lock();
        first.get_or_insert_with(|| format!("key '{key}': {fault}"));
    }

    fn store(&self, db: DbIndex, mut entry: Entry, usage: Usage) {
        let Moment { now, policy, .. } = self.moment;
        let (idle_seconds, frequency) = match usage {
            Usage::Unknown => (None, None),
            Usage::IdleSeconds(seconds) => (Some(seconds), None),
            Usage::Frequency(frequency) => (None, Some(frequency)),
        };
        let access = policy.told(idle_seconds, frequency, now);
        entry.set_access(access.unwrap_or_else(|| policy.created(now)));
        let name = entry.key().to_vec();
        let key = self.node.keyspace.key(&name);
        self.node.keyspace.lock(key.position.stripe(), self.moment).place(db, key, entry, Event::UNTOLD);
        self.loaded.fetch_add(1, Ordering::Relaxed);
    }

    /// Loads a library as FUNCTION LOAD does, on a worker that nobody else has yet.
    fn load_library(&self, source: &[u8]) -> Result<(), String> {
        let mut replay = Replay::new(self.node);
        let mut request = Vec::new();
        let words = [&b"FUNCTION"[..], b"LOAD", b"REPLACE", source];
        larder_persist::log::write_command(&mut request, words.into_iter());
        replay.execute(&request)?;
        let reply = replay.reply();
        let refusal =
            reply.strip_prefix(b"-").map(|line| String::from_utf8_lossy(line).trim_end().to_owned());
        refusal.map_or(Ok(()), Err)
    }
}
