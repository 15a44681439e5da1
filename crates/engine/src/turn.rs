//! One turn of a connection on its worker: parse, prefetch, execute.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use larder_resp::{
    Client as ParserClient, Limits, Output, Parsed, ProtocolError, Reply, RequestParser, Span,
};
use larder_store::{DbIndex, UnixMillis};

use crate::args::Args;
use crate::client::Client;
use crate::connection::{Pending, Served};
use crate::context::KeyAt;
use crate::error::CommandError;
use crate::execute::{Ended, Rest, Unfinished};
use crate::node::{Node, Time};
use crate::observe::Attention;
use crate::outcome::When;
use crate::program::ProgramRun;
use crate::safepoint::Running;
use crate::stats::WorkerStats;
use crate::sync::Ordering;
use crate::table::Row;
use crate::transaction::Nesting;
use crate::waiting::Waiting;
use crate::worker::{Batch, Belongings, Prepared, Random, Worker, WorkerSettings};

/// Requests parsed and prefetched together.
const BATCH_MAX: usize = 16;
/// Requests served before others have their turn.
const TURN_REQUESTS_MAX: u64 = 256;
/// Reply bytes above which nothing more is executed before they are sent.
const OUTPUT_HIGH_WATER: usize = 1 << 20;
/// Bytes of unknown arguments that an error repeats, as in Redis.
const ERROR_ARGS_MAX: usize = 128;

/// What a client is told whose waiting CLIENT UNBLOCK ends with an error.
const UNBLOCKED: CommandError = CommandError::line("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/// See the module's documentation.
pub(crate) struct Turn<'t> {
    pub(crate) node: &'t Arc<Node>,
    pub(crate) stats: &'t WorkerStats,
    pub(crate) settings: &'t mut WorkerSettings,
    pub(crate) random: &'t mut Random,
    pub(crate) running: &'t Running<'t>,
    pub(crate) output: &'t mut Output,
    pub(crate) client: &'t mut Client,
    /// Whether requests need more than to be executed.
    pub(crate) attention: Attention,
    /// In what they are executed.
    pub(crate) nesting: Nesting<'t>,
    /// The program that is put aside on this worker.
    pub(crate) program: &'t mut Option<Box<ProgramRun>>,
    pub(crate) belongings: &'t mut Belongings,
    /// Requests executed so far.
    pub(crate) executed: u64,
}

/// Why no more requests were added to a batch.
enum Stop {
    /// It is full.
    Full,
    /// The input ends within a request, which begins at `start` and needs more bytes.
    Incomplete { start: usize, needed: usize },
    /// What follows is no request.
    Error(ProtocolError),
}

/// How the execution of a batch ended.
enum Executed {
    /// To its end.
    All,
    /// Before its end: something changed on which parsing depends, so what follows is to be looked at again.
    Changed,
    /// At a request that did not end.
    Pending(Box<Pending>),
}

impl Turn<'_> {
    /// Serves input, batch by batch, as far as the turn allows. Returns the bytes consumed.
    pub(crate) fn serve(
        &mut self,
        parser: &mut RequestParser,
        pending: &mut Option<Box<Pending>>,
        batch: &mut Batch,
        input: &mut [u8],
        mut time: Time,
    ) -> (usize, Served) {
        let mut consumed = 0;
        self.evict_before_turn(time);
        loop {
            if self.executed >= TURN_REQUESTS_MAX || self.output.len() >= OUTPUT_HIGH_WATER {
                return (consumed, Served::Again);
            }
            batch.clear();
            let stop = self.parse(parser, batch, input, consumed);
            if batch.keys.len() > 1 {
                let db = self.client.db;
                self.node.keyspace.prefetch(batch.keys.iter().map(|key| (db, key.position)));
            }
            let executed = self.execute_batch(batch, input, &mut consumed, &mut time);
            if !matches!(executed, Executed::All) {
                // The parser may be amid a request behind the one that stopped the batch.
                *parser = RequestParser::default();
            }
            match (executed, stop) {
                (Executed::Pending(mut kept), _) => {
                    let served = self.wait(&mut kept, time);
                    *pending = Some(kept);
                    return (consumed, served);
                }
                _ if self.client.closing => return (consumed, Served::Close),
                (Executed::Changed, _) | (Executed::All, Stop::Full) => {}
                (Executed::All, Stop::Incomplete { start, needed }) => {
                    // Blank requests before the incomplete one are done with.
                    return (start.max(consumed), Served::NeedInput(needed));
                }
                (Executed::All, Stop::Error(error)) => {
                    Reply { out: self.output, protocol: self.client.protocol }.protocol_error(&error);
                    self.client.closing = true;
                    return (input.len(), Served::Close);
                }
            }
        }
    }

    /// Goes on with a request that did not end at once; gives it back when it still has not.
    pub(crate) fn resume(&mut self, mut pending: Box<Pending>, time: Time) -> Option<(Box<Pending>, Served)> {
        if let Some(at) = self.still_waits(&pending, time) {
            return Some((pending, Served::At(at)));
        }
        let args = Args::new(&pending.input, &pending.args);
        let ended = if self.client.shared.waiting() == Waiting::Refused {
            let counted = &self.stats.commands[pending.row.index as usize];
            counted.calls.add(1);
            counted.failed.add(1);
            self.executed += 1;
            self.reply_error(&UNBLOCKED, self.output.mark());
            Ended::Done
        } else {
            let reply_bytes = pending.reply_bytes;
            let rest = pending.resume.take().map(|resume| Rest { resume, reply_bytes });
            self.execute(pending.row, args, &pending.keys, time, rest)
        };
        let nanos = self.node.host.time().nanos.saturating_sub(time.nanos);
        self.stats.longest_hold_nanos.note(nanos);
        pending.nanos += nanos;
        let Ended::Not(Unfinished { resume, when, reply_bytes }) = ended else {
            self.end_pending(&pending, args, time);
            drop(pending);
            self.client.shared.waiting.set(Waiting::No);
            return None;
        };
        (pending.resume, pending.when) = (resume, when);
        pending.reply_bytes += reply_bytes;
        let served = self.wait(&mut pending, time);
        Some((pending, served))
    }

    /// Until when a request still waits, unless somebody has ended that.
    fn still_waits(&self, pending: &Pending, time: Time) -> Option<UnixMillis> {
        let client = &self.client.shared;
        let over = client.waiting().is_over()
            || client.nudged.swap(false, Ordering::Acquire)
            || matches!(pending.when, When::Postponed(_))
                && self.postponed(pending.row, Args::new(&pending.input, &pending.args), time).is_none();
        pending.when.time().filter(|at| *at > time.now && !over)
    }

    /// Says how a request waits that did not end, and what its driver should do.
    fn wait(&self, pending: &mut Pending, time: Time) -> Served {
        if let When::At(at) = pending.when {
            let millis = u64::try_from(at.0.saturating_sub(time.now.0)).unwrap_or(0);
            pending.nanos = pending.nanos.saturating_add(millis.saturating_mul(1_000_000));
        }
        let client = &self.client.shared;
        match (pending.when, client.waiting()) {
            // It has been waiting since it queued up at its keys, and may have been served by now.
            (When::Blocked(_) | When::Soon, Waiting::Blocked | Waiting::BlockedUntil) => {}
            (_, waiting) if waiting.is_over() => pending.when = When::Soon,
            (when, _) => client.waiting.set(when.waiting()),
        }
        if matches!(pending.when, When::Postponed(_)) && self.node.pause.in_force(time.now).is_none() {
            // It was ended before it could be known that somebody waits.
            pending.when = When::Soon;
        }
        pending.served()
    }

    /// Counts what a request took that did not end at once.
    fn end_pending(&self, pending: &Pending, args: Args<'_>, time: Time) {
        self.add_time(pending.row, pending.nanos, 1);
        if pending.nanos >= self.settings.limits.nanos {
            self.note_slow(pending.row, args, pending.nanos, time);
        }
    }

    /// Parses a batch and finds rows and keys of its requests.
    fn parse(&self, parser: &mut RequestParser, batch: &mut Batch, input: &mut [u8], from: usize) -> Stop {
        let limits = Limits {
            bulk_len_max: self.settings.proto_max_bulk_len,
            client: if self.client.authenticated {
                ParserClient::Authenticated
            } else {
                ParserClient::Unauthenticated
            },
            ..Limits::DEFAULT
        };
        let mut start = from;
        while batch.requests.len() < BATCH_MAX {
            // An inline request is unescaped in place and cannot be parsed twice: it is executed by itself.
            let inline = input.get(start).is_some_and(|first| *first != b'*');
            if inline && !batch.requests.is_empty() {
                return Stop::Full;
            }
            match parser.parse(input, start, &limits, &mut batch.args) {
                Ok(Parsed::Request { end }) => {
                    self.prepare(batch, input, end);
                    start = end;
                    if inline {
                        return Stop::Full;
                    }
                }
                Ok(Parsed::Empty { end }) => start = end,
                Ok(Parsed::Incomplete { needed }) => {
                    return Stop::Incomplete {
                        start,
                        needed: needed.saturating_sub(input.len() - start).max(1),
                    };
                }
                Err(error) => return Stop::Error(error),
            }
        }
        Stop::Full
    }

    /// Looks up the request whose arguments were just pushed, extracts its keys and asks for their stripes.
    #[inline]
    fn prepare(&self, batch: &mut Batch, input: &[u8], end: usize) {
        let first = batch.requests.last().map_or(0, |before| before.args_end as usize);
        let args = Args::new(input, &batch.args[first..]);
        let row = match batch.repeated {
            Some((name, row)) if name.of(input) == args.at(0) => Some(row),
            _ => find_row(self.node, args),
        };
        batch.repeated = row.filter(Row::is_plain).map(|row| (batch.args[first], row));
        if let Some(row) = row
            && row.command.arity.accepts(args.len())
        {
            extract_keys(self.node, row, args, &mut batch.keys);
        }
        batch.requests.push(Prepared {
            row,
            args_end: batch.args.len() as u32,
            keys_end: batch.keys.len() as u32,
            end,
        });
    }

    /// Executes a batch in order, moving `consumed` on with each request that ended, and `time` with each that took long.
    fn execute_batch(
        &mut self,
        batch: &Batch,
        input: &[u8],
        consumed: &mut usize,
        time: &mut Time,
    ) -> Executed {
        // Whether a request among them may be large enough to be kept.
        let large = batch
            .requests
            .last()
            .is_some_and(|last| (last.end - *consumed) as u64 >= self.settings.limits.request_bytes);
        let (mut args_start, mut keys_start) = (0, 0);
        // Brief requests from this one on are still to be timed, together.
        let mut untimed = 0;
        for (index, request) in batch.requests.iter().enumerate() {
            let spans = &batch.args[args_start..request.args_end as usize];
            let keys = &batch.keys[keys_start..request.keys_end as usize];
            (args_start, keys_start) = (request.args_end as usize, request.keys_end as usize);
            let args = Args::new(input, spans);
            let request_bytes = (request.end - *consumed) as u64;
            *consumed = request.end;
            let Some(row) = request.row else {
                self.refuse(args);
                continue;
            };
            if large {
                self.note_large_request(row, args, request_bytes, *time);
            }
            let brief = row.command.is_brief();
            if !brief {
                self.time_brief(batch, untimed..index, input, time);
            }
            let before = (self.client.authenticated, self.client.protocol);
            let ended = self.execute(row, args, keys, *time, None);
            if let Ended::Not(Unfinished { resume, when, reply_bytes }) = ended {
                self.time_brief(batch, untimed..index, input, time);
                let nanos = self.node.host.time().nanos.saturating_sub(time.nanos);
                self.stats.longest_hold_nanos.note(nanos);
                let (input, args) = copy_request(args);
                let keys = keys.to_vec();
                let pending = Pending { row, input, args, keys, when, resume, nanos, reply_bytes };
                return Executed::Pending(Box::new(pending));
            }
            if matches!(ended, Ended::Queued) {
                // Timed when it is executed; there is nothing brief before it, as MULTI is not.
                untimed = index + 1;
                continue;
            }
            if brief {
                continue;
            }
            let now = self.node.host.time();
            let nanos = now.nanos.saturating_sub(time.nanos);
            self.stats.longest_hold_nanos.note(nanos);
            self.add_time(row, nanos, 1);
            if nanos >= self.settings.limits.nanos {
                self.note_slow(row, args, nanos, now);
            }
            (*time, untimed) = (now, index + 1);
            self.attention = Attention::new(self.node, self.client, self.settings, *time);
            if self.client.closing
                || self.settings.refresh(self.node)
                || before != (self.client.authenticated, self.client.protocol)
            {
                return Executed::Changed;
            }
        }
        self.time_brief(batch, untimed..batch.requests.len(), input, time);
        Executed::All
    }

    /// Counts for each of these requests that is brief an equal part of the time since `time`, and moves that on.
    #[inline]
    fn time_brief(&self, batch: &Batch, range: Range<usize>, input: &[u8], time: &mut Time) {
        let requests = &batch.requests[range.clone()];
        let is_brief = |request: &&Prepared| request.row.is_some_and(|row| row.command.is_brief());
        let Some(count) = NonZeroU64::new(requests.iter().filter(is_brief).count() as u64) else { return };
        let now = self.node.host.time();
        let nanos = now.nanos.saturating_sub(time.nanos);
        self.stats.longest_hold_nanos.note(nanos);
        let nanos_each = nanos / count;
        *time = now;
        if nanos_each >= self.settings.limits.nanos {
            self.note_slow_brief(batch, range, input, nanos_each, now);
        }
        // A pipeline mostly repeats one command.
        for run in requests.chunk_by(|one, next| one.row_index() == next.row_index()) {
            if let Some(row) =
                run.first().and_then(|request| request.row).filter(|row| row.command.is_brief())
            {
                self.add_time(row, nanos_each, run.len() as u64);
            }
        }
    }

    /// Counts that so many requests took so long each.
    #[inline]
    pub(crate) fn add_time(&self, row: Row, nanos_each: u64, count: u64) {
        let counted = &self.stats.commands[row.index as usize];
        counted.nanos.add(nanos_each * count);
        if self.settings.latency_tracking {
            counted.latency.record(nanos_each, count);
        }
    }
}

/// Notes the keys of a request that is all of some input, and asks for their stripes. A pipeline overlaps its own latencies.
pub(crate) fn look_ahead(worker: &mut Worker, db: DbIndex, input: &mut [u8]) {
    // An inline request is unescaped in place and cannot be parsed twice.
    if input.first() != Some(&b'*') {
        return;
    }
    let Worker { node, batch, ahead, .. } = worker;
    batch.clear();
    let parsed = RequestParser::default().parse(input, 0, &Limits::DEFAULT, &mut batch.args);
    if parsed == Ok(Parsed::Request { end: input.len() }) {
        let args = Args::new(input, &batch.args);
        if let Some(row) = find_row(node, args).filter(|row| row.command.arity.accepts(args.len())) {
            extract_keys(node, row, args, &mut batch.keys);
            ahead.extend(batch.keys.iter().map(|key| (db, key.position)));
        }
    }
    batch.clear();
}

/// The row of a request: its command, or the subcommand that a container's first argument names.
#[inline]
pub(crate) fn find_row(node: &Node, args: Args<'_>) -> Option<Row> {
    let row = node.table.find(args.at(0))?;
    match args.find(1) {
        Some(name) if !row.command.subcommands.is_empty() => node.table.find_subcommand(row, name).copied(),
        _ => Some(*row),
    }
}

/// What is said of a request for which there is no row.
pub(crate) fn unknown(node: &Node, args: Args<'_>) -> CommandError {
    match (node.table.find(args.at(0)), args.find(1)) {
        (Some(row), Some(name)) => unknown_subcommand(row, name),
        _ => unknown_command(args),
    }
}

/// Pushes the keys of a request. One whose keys cannot be found gets none; its handler will say what is wrong.
#[inline]
pub(crate) fn extract_keys(node: &Node, row: Row, args: Args<'_>, keys: &mut Vec<KeyAt>) {
    let first = keys.len();
    for spec in row.command.keys {
        let Ok(indices) = spec.indices(args) else {
            keys.truncate(first);
            return;
        };
        for index in indices {
            let position = node.keyspace.positioner().position(args.at(index));
            node.keyspace.prefetch_stripe(position);
            keys.push(KeyAt { argument: index as u32, position });
        }
    }
}

fn copy_request(args: Args<'_>) -> (Vec<u8>, Vec<Span>) {
    let mut input = Vec::with_capacity(args.iter().map(<[u8]>::len).sum());
    let mut spans = Vec::with_capacity(args.len());
    for argument in args.iter() {
        spans.push(Span { start: input.len() as u32, len: argument.len() as u32 });
        input.extend_from_slice(argument);
    }
    (input, spans)
}

fn unknown_command(args: Args<'_>) -> CommandError {
    let name = printable(args.at(0), ERROR_ARGS_MAX);
    let mut shown = String::new();
    for argument in args.iter().skip(1) {
        if shown.len() >= ERROR_ARGS_MAX {
            break;
        }
        let room = ERROR_ARGS_MAX - shown.len();
        shown.push('\'');
        shown.push_str(&printable(argument, room));
        shown.push_str("' ");
    }
    CommandError::UnknownCommand(name.into(), shown.into())
}

fn unknown_subcommand(row: &Row, name: &[u8]) -> CommandError {
    CommandError::UnknownSubcommand(printable(name, ERROR_ARGS_MAX).into(), row.command.name.into())
}

/// At most `len_max` bytes as text.
fn printable(bytes: &[u8], len_max: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(len_max)]).into_owned()
}
