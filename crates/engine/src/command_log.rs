//! Commands worth a second look: the slow ones, and those with a large request or a large reply (SLOWLOG, COMMANDLOG).
//!
//! A command only comes here when a worker has found that it exceeds a limit, by one comparison per command or batch. Only then
//! is there a lock, and a copy of at most 32 arguments of at most 128 bytes.

use std::collections::VecDeque;

use larder_config::Settings;
use larder_store::UnixMillis;

use crate::args::Args;
use crate::client::SharedClient;
use crate::sync::Mutex;
use crate::table::Row;

/// Arguments that an entry keeps; with more, the last one says how many are missing.
const ARGS_MAX: usize = 32;
/// Bytes of an argument that an entry keeps.
const ARG_BYTES_MAX: usize = 128;
/// What is shown instead of a secret.
pub(crate) const REDACTED: &[u8] = b"(redacted)";

/// Why a command was worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// It took long.
    Slow,
    /// Its request was large.
    LargeRequest,
    /// Its reply was large.
    LargeReply,
}

impl LogKind {
    /// The amount from which on a command is kept; none is when it is negative. Microseconds, or bytes.
    #[must_use]
    pub fn limit(self, settings: &Settings) -> Option<u64> {
        let limit = match self {
            LogKind::Slow => settings.slowlog_log_slower_than,
            LogKind::LargeRequest => settings.commandlog_request_larger_than,
            LogKind::LargeReply => settings.commandlog_reply_larger_than,
        };
        u64::try_from(limit).ok()
    }

    /// How many commands are kept.
    fn len_max(self, settings: &Settings) -> usize {
        let len_max = match self {
            LogKind::Slow => settings.slowlog_max_len,
            LogKind::LargeRequest => settings.commandlog_large_request_max_len,
            LogKind::LargeReply => settings.commandlog_large_reply_max_len,
        };
        usize::try_from(len_max).unwrap_or(usize::MAX)
    }
}

/// A command that was kept.
#[derive(Clone, Debug)]
pub struct LoggedCommand {
    /// Rises by one with each.
    pub id: u64,
    /// When it ended.
    pub at: UnixMillis,
    /// Microseconds, or bytes.
    pub amount: u64,
    /// Its arguments, the first of them and the beginnings of long ones.
    pub args: Vec<Box<[u8]>>,
    /// Who sent it.
    pub address: String,
    /// What that client calls itself.
    pub name: Box<str>,
}

/// The logs of a node, one for each kind; see the module's documentation.
#[derive(Debug, Default)]
pub struct CommandLogs([Mutex<Log>; 3]);

#[derive(Debug, Default)]
struct Log {
    next_id: u64,
    /// The latest first.
    entries: VecDeque<LoggedCommand>,
}

impl CommandLogs {
    /// Keeps a command, and forgets the oldest if there are too many.
    pub(crate) fn note(
        &self,
        kind: LogKind,
        amount: u64,
        (row, args): (Row, Args<'_>),
        client: &SharedClient,
        (now, settings): (UnixMillis, &Settings),
    ) {
        let len_max = kind.len_max(settings);
        if len_max == 0 {
            return;
        }
        let args = kept_args(row, args);
        let (address, name) = (client.address.clone(), client.names.lock().name.clone());
        let mut log = self.0[kind as usize].lock();
        let id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(LoggedCommand { id, at: now, amount, args, address, name });
        log.entries.truncate(len_max);
    }

    /// The latest commands, the very latest first; no more than are to be kept now.
    #[must_use]
    pub fn latest(&self, kind: LogKind, count: usize, settings: &Settings) -> Vec<LoggedCommand> {
        let count = count.min(kind.len_max(settings));
        self.0[kind as usize].lock().entries.iter().take(count).cloned().collect()
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self, kind: LogKind, settings: &Settings) -> usize {
        self.0[kind as usize].lock().entries.len().min(kind.len_max(settings))
    }

    /// Forgets all.
    pub fn clear(&self, kind: LogKind) {
        self.0[kind as usize].lock().entries.clear();
    }
}

fn kept_args(row: Row, args: Args<'_>) -> Vec<Box<[u8]>> {
    let cut = args.len() > ARGS_MAX;
    let shown = if cut { ARGS_MAX - 1 } else { args.len() };
    let mut kept: Vec<Box<[u8]>> = (0..shown).map(|index| kept_arg(row.shown(args, index))).collect();
    if cut {
        kept.push(format!("... ({} more arguments)", args.len() - shown).into_bytes().into());
    }
    kept
}

fn kept_arg(argument: &[u8]) -> Box<[u8]> {
    match argument.split_at_checked(ARG_BYTES_MAX) {
        Some((beginning, rest)) if !rest.is_empty() => {
            [beginning, format!("... ({} more bytes)", rest.len()).as_bytes()].concat().into()
        }
        _ => argument.into(),
    }
}
