//! Reading the snapshot at the start: one thread goes over the file, the others make entries of what it finds.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use larder_commands::value_limits;
use larder_engine::{Client, Connection, NoLink, Node, SharedClient, Worker, moment};
use larder_persist::snapshot::{Item, Reader, Record, Unusable, Usage};
use larder_resp::Output;
use larder_store::{DbIndex, Entry, Event, Moment};
use parking_lot::Mutex;

use super::path_of;

/// Keys that are handed over together.
const BATCH: usize = 256;
/// Batches that may wait for somebody who makes entries of them.
const WAITING_MAX: usize = 16;

type Batch = Vec<(DbIndex, Record)>;

/// Reads the snapshot that the settings name, if there is one, into a node that serves nobody yet. Without a name for it there is
/// none. Returns how many bytes of memory it takes.
///
/// # Errors
/// It cannot be read to its end: the process is not to begin with a part of what it had.
pub(crate) fn load(node: &Arc<Node>) -> io::Result<u64> {
    let settings = node.settings();
    let path = path_of(&settings);
    if settings.dbfilename.is_empty() || !path.exists() {
        return Ok(0);
    }
    let before = node.host.used_memory();
    let begun = node.host.time().nanos;
    let failed = |error: String| {
        let text = format!("Fatal error loading the DB {}: {error}. Exiting.", path.display());
        io::Error::other(text)
    };
    let file = File::open(&path).map_err(|error| failed(error.to_string()))?;
    let loader = Loader::new(node);
    loader.read(file).map_err(failed)?;
    let (expired, loaded) = (loader.expired.into_inner(), loader.loaded.into_inner());
    let moment = moment(node.host.time().now, &node.settings());
    node.snapshots.note_loaded(expired, loaded, node.stripe_totals(moment).changes);
    let seconds = (node.host.time().nanos - begun) as f64 / 1e9;
    tracing::info!("Done loading RDB, keys loaded: {loaded}, keys expired: {expired}.");
    tracing::info!("DB loaded from disk: {seconds:.3} seconds");
    Ok(node.host.used_memory().saturating_sub(before))
}

struct Loader<'a> {
    node: &'a Arc<Node>,
    moment: Moment,
    expired: AtomicU64,
    loaded: AtomicU64,
    /// Why a record makes no entry: the first reason.
    fault: Mutex<Option<String>>,
}

impl<'a> Loader<'a> {
    fn new(node: &'a Arc<Node>) -> Loader<'a> {
        let moment = moment(node.host.time().now, &node.settings());
        let (expired, loaded) = Default::default();
        Loader { node, moment, expired, loaded, fault: Mutex::new(None) }
    }

    fn read(&self, file: File) -> Result<(), String> {
        let (sender, receiver) = sync_channel::<Batch>(WAITING_MAX);
        let receiver = Mutex::new(receiver);
        let decoders = thread::available_parallelism().map_or(1, usize::from);
        let functions = thread::scope(|scope| {
            for _ in 0..decoders {
                scope.spawn(|| self.decode_all(&receiver));
            }
            self.go_over(file, sender)
        })?;
        if let Some(fault) = self.fault.lock().take() {
            return Err(fault);
        }
        functions.iter().try_for_each(|source| self.load_library(source))
    }

    /// Hands over the keys of a file; returns the sources of its libraries of functions.
    fn go_over(&self, file: File, sender: SyncSender<Batch>) -> Result<Vec<Vec<u8>>, String> {
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
        Ok(functions)
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
        let limits = value_limits(&self.node.settings());
        loop {
            let next = batches.lock().recv();
            let Ok(batch) = next else { return };
            for (db, record) in batch {
                if record.expires_at().is_some_and(|at| at <= self.moment.now) {
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
        let node = self.node;
        let mut worker = Worker::new(Arc::clone(node), 0, 0);
        let (id, now, limits) = (node.next_client_id(), self.moment.now, Arc::clone(&node.output_limits));
        let shared = SharedClient::new(id, String::new(), String::new(), now, limits, Box::new(NoLink));
        let mut connection = Connection::new(Client::new(Arc::new(shared), true));
        let (mut request, mut output) = (Vec::new(), Output::default());
        let words = [&b"FUNCTION"[..], b"LOAD", b"REPLACE", source];
        larder_persist::log::write_command(&mut request, words.into_iter());
        connection.serve(&mut worker, &mut request, &mut output);
        let reply = output.to_vec();
        let refusal =
            reply.strip_prefix(b"-").map(|line| String::from_utf8_lossy(line).trim_end().to_owned());
        refusal.map_or(Ok(()), Err)
    }
}
