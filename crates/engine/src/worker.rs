//! A worker's own things: buffers, random numbers, its copy of the settings.

use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;

use larder_config::Settings;
use larder_resp::Span;
use larder_store::{DbIndex, Position};

use crate::args::Args;
use crate::command_log::LogKind;
use crate::context::KeyAt;
use crate::latency;
use crate::node::Node;
use crate::program::ProgramRun;
use crate::table::Row;

/// The state of one worker, used by the connection being served and by no other at the time.
pub struct Worker {
    /// The node that all workers share.
    pub node: Arc<Node>,
    /// This worker's number.
    pub index: usize,
    /// Uniform random numbers.
    pub random: Random,
    pub(crate) settings: WorkerSettings,
    pub(crate) batch: Batch,
    /// Keys that requests not yet served will ask for.
    pub(crate) ahead: Vec<(DbIndex, Position)>,
    /// The program that is put aside, if it is one of this worker's clients'.
    pub(crate) program: Option<Box<ProgramRun>>,
    pub(crate) belongings: Belongings,
}

/// What a worker keeps for its commands: one thing of each type.
#[derive(Default)]
pub(crate) struct Belongings(Vec<Box<dyn Any>>);

impl Belongings {
    pub(crate) fn of<T: Default + 'static>(&mut self) -> &mut T {
        let place = self.0.iter().position(|thing| thing.is::<T>()).unwrap_or_else(|| {
            self.0.push(Box::new(T::default()));
            self.0.len() - 1
        });
        self.0[place].downcast_mut().expect("a thing of this type was found or put here")
    }
}

/// The settings in force when they were last looked for: reading them costs no lock and no counter.
pub(crate) struct WorkerSettings {
    settings: Arc<Settings>,
    version: u64,
    pub(crate) limits: NotedLimits,
}

/// What must be exceeded for a command to be worth a second look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotedLimits {
    /// Nanoseconds that it takes.
    pub(crate) nanos: u64,
    /// Bytes of its request.
    pub(crate) request_bytes: u64,
    /// Bytes of its reply.
    pub(crate) reply_bytes: u64,
}

impl NotedLimits {
    fn of(settings: &Settings) -> NotedLimits {
        let limit = |kind: LogKind| kind.limit(settings).unwrap_or(u64::MAX);
        let latency = latency::threshold_nanos(settings).unwrap_or(u64::MAX);
        NotedLimits {
            nanos: limit(LogKind::Slow).saturating_mul(1000).min(latency),
            request_bytes: limit(LogKind::LargeRequest),
            reply_bytes: limit(LogKind::LargeReply),
        }
    }
}

impl WorkerSettings {
    fn new(node: &Node) -> WorkerSettings {
        // In this order: a change in between is taken over by the next refresh.
        let version = node.settings_version();
        let settings = node.settings();
        WorkerSettings { limits: NotedLimits::of(&settings), settings, version }
    }

    /// Takes over settings that were changed since; says whether there are any.
    #[inline]
    pub(crate) fn refresh(&mut self, node: &Node) -> bool {
        let changed = node.settings_version() != self.version;
        if changed {
            *self = WorkerSettings::new(node);
        }
        changed
    }
}

impl Deref for WorkerSettings {
    type Target = Settings;
    #[inline]
    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// Arguments and keys for which a batch keeps memory; those of a request with more are given back after it.
const KEPT_CAPACITY_MAX: usize = 1 << 14;

/// Requests parsed together; the vectors keep their capacity, unless it is great, from batch to batch.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) args: Vec<Span>,
    pub(crate) keys: Vec<KeyAt>,
    pub(crate) requests: Vec<Prepared>,
    /// The last request's name and row: a pipeline mostly repeats one command.
    pub(crate) repeated: Option<(Span, Row)>,
}

/// One request of a batch, before its turn.
#[derive(Clone, Copy)]
pub(crate) struct Prepared {
    /// Its row; none when the name is unknown.
    pub(crate) row: Option<Row>,
    /// Ends of its arguments and keys in the batch's vectors; they begin where the previous request's end.
    pub(crate) args_end: u32,
    pub(crate) keys_end: u32,
    /// Where the next request begins in the input.
    pub(crate) end: usize,
}

impl Prepared {
    /// The number of its row.
    #[inline]
    pub(crate) fn row_index(&self) -> Option<u32> {
        self.row.map(|row| row.index)
    }
}

impl Batch {
    /// The arguments of a request.
    pub(crate) fn args_of<'a>(&'a self, index: usize, input: &'a [u8]) -> Args<'a> {
        let first = index.checked_sub(1).map_or(0, |before| self.requests[before].args_end as usize);
        Args::new(input, &self.args[first..self.requests[index].args_end as usize])
    }

    pub(crate) fn clear(&mut self) {
        self.args.clear();
        self.args.shrink_to(KEPT_CAPACITY_MAX);
        self.keys.clear();
        self.keys.shrink_to(KEPT_CAPACITY_MAX);
        self.requests.clear();
        self.repeated = None;
    }
}

impl Worker {
    /// The worker of this number.
    #[must_use]
    pub fn new(node: Arc<Node>, index: usize, seed: u64) -> Worker {
        let settings = WorkerSettings::new(&node);
        Worker {
            node,
            index,
            random: Random::new(seed),
            settings,
            batch: Batch::default(),
            ahead: Vec::new(),
            program: None,
            belongings: Belongings::default(),
        }
    }

    /// Notes a key that a request not yet served will ask for.
    #[inline]
    pub fn will_need(&mut self, db: DbIndex, position: Position) {
        self.ahead.push((db, position));
    }

    /// Brings the slots and then the entries of the keys that were looked ahead for into the cache, each time all at once.
    pub fn prefetch(&mut self) {
        self.node.stats[self.index].rounds.add(1);
        if let Some(_running) = self.node.safepoint.enter(self.index) {
            self.node.keyspace.prefetch(self.ahead.iter().copied());
        }
        self.ahead.clear();
    }

    /// The settings in force, as of the last call of [`Worker::refresh`].
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes over changed settings: once per batch.
    #[inline]
    pub fn refresh(&mut self) {
        self.settings.refresh(&self.node);
    }
}

/// A small generator of uniform random numbers (SplitMix64). Not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// 40 hexadecimal digits, which is what names of nodes and histories look like.
    pub fn hexadecimal_id(&mut self) -> String {
        let mut digits: String = (0..3).map(|_| format!("{:016x}", self.next_u64())).collect();
        digits.truncate(40);
        digits
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
