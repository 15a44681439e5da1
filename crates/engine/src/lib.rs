//! Executes requests: rows, keys, locks, gates, context. Names no command, opens no socket, reads no clock.
//!
//! The table of commands is handed in by whoever starts a node. A new fact about commands is a new column of
//! [`Command`], never a comparison with a name here.

mod args;
mod blocking;
mod caching;
mod client;
mod client_line;
mod command;
mod command_log;
mod connection;
mod context;
mod defrag;
mod error;
mod evict;
mod execute;
mod expire;
mod flush_timer;
mod gates;
pub mod glob;
mod held;
mod histogram;
mod hot_keys;
mod inbox;
mod key_map;
mod latency;
mod listeners;
mod locked;
mod memcache_shared;
mod memcache_stats;
mod memcache_watch;
mod monitor;
mod node;
mod notifications;
mod observe;
mod outcome;
mod output_limits;
mod pause;
mod pool;
mod program;
mod programs;
mod pubsub;
mod rates;
mod recent;
mod safepoint;
mod scripts;
mod snapshots;
mod stats;
mod sync;
pub mod syntax;
mod table;
mod transaction;
mod turn;
mod waiting;
mod watch;
mod worker;

pub use args::{Args, ArgsFrom, is_word};
pub use blocking::{Blocking, Readiness, Wait};
pub use caching::{Caching, CachingOptions, CachingState, ClientCaching, Remembered};
pub use client::{Client, ClientNames, Link, NoLink, ReplyMode, SharedClient, is_local};
pub use client_line::ClientLine;
pub use command::{
    Access, Arity, CATEGORIES, Command, FindKeys, Flags, Group, Handler, InvalidKeys, KeySpec, Scope,
};
pub use command_log::{CommandLogs, LogKind, LoggedCommand};
pub use connection::{Connection, Served};
pub use context::Context;
pub use defrag::{DefragReport, Defragmentation};
pub use error::CommandError;
pub use evict::{Eviction, OUT_OF_MEMORY, Room};
pub use expire::ExpireTurn;
pub use flush_timer::FlushTimer;
pub use histogram::{Histogram, Latencies};
pub use hot_keys::{HotKeys, HotKeysOptions, HotKeysReport, HotMetric};
pub use latency::{Happening, LatencyMonitor, LatencySample, LatencySeries, SAMPLES_MAX};
pub use listeners::Listeners;
pub use locked::Locked;
pub use memcache_shared::{
    Configs, Crawler, Detail, MemcacheShared, MemcacheUser, PrefixCounts, StoredConfig, Switch,
};
pub use memcache_stats::MemcacheStats;
pub use memcache_watch::{Topics, WATCHER_BYTES_MAX, WatchCounts, Watchers};
pub use monitor::Monitors;
pub use node::{Host, Identity, Node, Time, moment};
pub use outcome::{CommandResult, Later, Outcome, Resume, When};
pub use output_limits::OutputLimits;
pub use pause::{Pause, Paused};
pub use pool::{ClientClass, ClientPool};
pub use program::{Answer, Launch, Program, ProgramStep};
pub use programs::{Kill, ProgramToken, Programs, Running as RunningProgram, Unkillable};
pub use pubsub::{PubSub, Subscriptions, Topic};
pub use rates::{Rate, Rates};
pub use recent::Peak;
pub use safepoint::{Exclusive, Running, Safepoint};
pub use scripts::{Libraries, Library, LibraryFunction, Script, ScriptOrigin, Scripts};
pub use snapshots::{DbSizes, SnapshotJob, SnapshotReport, Snapshots};
pub use stats::{CommandStats, Counter, Largest, StripeStats, StripeTotals, WorkerStats};
pub use table::{CommandTable, RenameError, Row};
pub use transaction::Queue;
pub use waiting::Waiting;
pub use watch::Watch;
pub use worker::{Random, Worker};
