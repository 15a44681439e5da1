//! One turn of a connection on its worker: what each request works with, and which function is whose.

use std::sync::Arc;

use larder_config::Settings;
use larder_engine::{
    Locked, MemcacheStats, Node, PrefixCounts, Room, Running, SharedClient, Topics, WorkerStats,
};
use larder_store::{DbIndex, Key, Moment, Position, Touch, UnixMillis};
use memcache_parser::reply::Sink as _;
use memcache_parser::{Command, ErrorReply, Limits, ReplyMode, reply};

use super::dump::Dump;
use super::item::{Contended, Item};
use super::wire::Wire;

/// The database that the protocol serves.
pub(super) const DB: DbIndex = DbIndex(0);
/// Requests, or keys of one request, served before others have their turn.
const TURN_REQUESTS_MAX: u64 = 256;
/// Reply bytes above which nothing more is executed before they are sent.
const OUTPUT_HIGH_WATER: usize = 1 << 20;

/// See the module's documentation.
pub(super) struct Turn<'t> {
    pub(super) node: &'t Node,
    pub(super) settings: &'t Settings,
    pub(super) moment: Moment,
    pub(super) limits: Limits,
    pub(super) output: Wire<'t>,
    /// Whose turn it is.
    pub(super) client: &'t Arc<SharedClient>,
    /// Requests executed so far, each key of a request for several counted as one.
    pub(super) executed: u64,
    pub(super) stats: &'t WorkerStats,
    pub(super) running: &'t Running<'t>,
    /// Whether keys are being read from disk.
    pub(super) is_loading: bool,
    /// Whether requests are counted by the beginnings of their keys.
    detailed: bool,
    /// What is to be logged.
    pub(super) watched: Topics,
}

/// How a request ended that was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With its reply, if it wanted one.
    Done,
    /// With the connection.
    Close,
    /// As a watcher's, with the last of its replies.
    Watch,
    /// It goes on as a dump.
    Dump(Dump),
}

/// Why a request was not executed to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paused {
    /// Nothing has happened yet: it is to be tried again.
    AtStart,
    /// Keys of a `get` are answered; so many bytes of its line, to the line end, are not.
    WithinKeys {
        /// The bytes.
        left: usize,
    },
}

impl From<Contended> for Paused {
    fn from(_: Contended) -> Paused {
        Paused::AtStart
    }
}

impl<'t> Turn<'t> {
    pub(super) fn new(
        node: &'t Node,
        running: &'t Running<'t>,
        settings: &'t Settings,
        moment: Moment,
        output: Wire<'t>,
        client: &'t Arc<SharedClient>,
    ) -> Turn<'t> {
        Turn {
            node,
            settings,
            moment,
            limits: limits(settings),
            output,
            client,
            executed: 0,
            stats: &node.stats[running.worker()],
            running,
            is_loading: node.loading.is_active(),
            detailed: node.memcache.detail.is_on(),
            watched: node.memcache.watchers.wanted(),
        }
    }

    /// Whether others are to have their turn, or the client its replies, before more is executed.
    pub(super) fn is_over(&self) -> bool {
        self.executed >= TURN_REQUESTS_MAX || self.output.0.len() >= OUTPUT_HIGH_WATER
    }

    /// The time at which the turn runs.
    pub(super) fn now(&self) -> UnixMillis {
        self.moment.now
    }

    /// Whether there is memory for a value, after evicting what may be.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.settings.maxmemory == 0
            || self.node.make_room(self.running.worker(), self.settings, self.moment) == Room::Made
    }

    /// What this worker counts.
    pub(super) fn stats(&self) -> &'t MemcacheStats {
        &self.stats.memcache
    }

    /// Counts what was executed, read and written in this turn.
    pub(super) fn count_traffic(&self, bytes_read: u64, bytes_written: u64) {
        self.stats().requests.add(self.executed);
        self.stats().bytes_read.add(bytes_read);
        self.stats().bytes_written.add(bytes_written);
        self.stats.memcache_input_bytes.add(bytes_read);
        self.stats.memcache_output_bytes.add(bytes_written);
    }

    /// Counts a request by the beginning of its key, if somebody has asked for that.
    #[inline]
    pub(super) fn note(&self, key: &[u8], count: impl FnOnce(&mut PrefixCounts)) {
        if self.detailed {
            self.node.memcache.detail.count(key, count);
        }
    }

    /// Locks the stripe of a key.
    #[inline]
    pub(super) fn item<'k>(&self, bytes: &'k [u8], position: Position) -> Result<Item<'k>, Contended>
    where
        't: 'k,
    {
        let keys = std::iter::once(position);
        let locked = Locked::new(self.node, self.stats, keys, self.moment, Touch::Yes, DB)
            .inspect_err(|_| self.stats.contended.add(1))?;
        let mut locked: Locked<'k> = locked;
        locked.log_value_of(Key { bytes, position });
        let mut item = Item::new(locked, Key { bytes, position });
        if self.watched.meet(Topics::FETCHERS) {
            self.log_fetch(&mut item);
        }
        Ok(item)
    }

    /// Executes a request. `position` is that of its key, the first one if it names several.
    #[inline]
    pub(super) fn execute(&mut self, command: &Command<'_>, position: Position) -> Result<Ended, Paused> {
        if self.is_loading && concerns_keys(command) {
            self.refuse_while_loading(command);
            return Ok(Ended::Done);
        }
        match command {
            Command::Get(get) => self.get(get, position)?,
            Command::Store(store) => self.store(store, position)?,
            Command::Delete(delete) => self.delete(delete, position)?,
            Command::Arithmetic(arithmetic) => self.arithmetic(arithmetic, position)?,
            Command::Touch(touch) => self.touch(touch, position)?,
            Command::FlushAll { delay, reply } => {
                if self.flush_all(*delay).is_ok() {
                    self.status(reply::Status::Ok, *reply);
                } else if *reply == ReplyMode::Send {
                    self.output.put(b"CLIENT_ERROR flush_all not allowed\r\n");
                }
            }
            Command::Version => reply::version(&mut self.output, super::server::VERSION),
            Command::Verbosity { reply, .. } => self.status(reply::Status::Ok, *reply),
            Command::Stats { arguments } => return Ok(self.text_statistics(arguments.as_bytes())),
            Command::Quit => return Ok(Ended::Close),
            Command::MetaGet(request) => self.meta_get(request, position)?,
            Command::MetaSet(set) => self.meta_set(set, position)?,
            Command::MetaDelete(request) => self.meta_delete(request, position)?,
            Command::MetaArithmetic(arithmetic) => self.meta_arithmetic(arithmetic, position)?,
            Command::MetaDebug { key } => self.meta_debug(key, position)?,
            Command::MetaNoop => reply::meta_noop(&mut self.output),
            Command::Config(config) => self.config(config),
            Command::Other(other) => return Ok(self.other(other)),
        }
        self.executed += 1;
        Ok(Ended::Done)
    }

    /// There is no word for it in memcached, whose clients take this one for a fault that passes.
    #[cold]
    fn refuse_while_loading(&mut self, command: &Command<'_>) {
        let reply = match command {
            Command::Store(store) => store.reply,
            Command::Delete(delete) => delete.reply,
            Command::Arithmetic(arithmetic) => arithmetic.reply,
            Command::Touch(touch) => touch.reply,
            Command::FlushAll { reply, .. } => *reply,
            _ => ReplyMode::Send,
        };
        if reply == ReplyMode::Send {
            self.output.put(b"SERVER_ERROR loading the dataset in memory\r\n");
        }
        self.executed += 1;
    }

    /// Answers with a line that is always the same, if an answer is wanted.
    #[inline]
    pub(super) fn status(&mut self, status: reply::Status, reply: ReplyMode) {
        if reply == ReplyMode::Send {
            reply::status(&mut self.output, status);
        }
    }

    /// Answers with an error line, if an answer is wanted.
    pub(super) fn error(&mut self, error: ErrorReply, reply: ReplyMode) {
        if reply == ReplyMode::Send {
            reply::error(&mut self.output, error);
        }
    }
}

/// Whether a request is about items.
fn concerns_keys(command: &Command<'_>) -> bool {
    !matches!(
        command,
        Command::Version
            | Command::Verbosity { .. }
            | Command::Stats { .. }
            | Command::Quit
            | Command::MetaNoop
            | Command::Config(_)
            | Command::Other(_)
    )
}

/// What a client may send.
pub(super) fn limits(settings: &Settings) -> Limits {
    let item_bytes = usize::try_from(settings.memcached_item_size_max).unwrap_or(usize::MAX);
    Limits { item_bytes, ..Limits::default() }
}
