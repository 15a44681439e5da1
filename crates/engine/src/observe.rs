//! What becomes of a request beside its reply: lines for monitors, entries of the command logs, postponement by CLIENT PAUSE.
//!
//! All of it is off the usual path, which pays one look at two numbers a batch, and a comparison or two a command.

use std::ops::Range;

use larder_config::Settings;
use larder_store::{Due, Moment, UnixMillis};

use crate::args::Args;
use crate::client::Client;
use crate::command::Flags;
use crate::command_log::LogKind;
use crate::context::KeyAt;
use crate::latency::Happening;
use crate::monitor;
use crate::node::{Node, Time, moment};
use crate::pause::Paused;
use crate::replay::Replays;
use crate::table::Row;
use crate::turn::Turn;
use crate::worker::Batch;

/// Whether requests need more than to be executed just now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention {
    /// Some may be kept waiting.
    paused: bool,
    /// Somebody is to be told of them.
    monitored: bool,
    /// Their keys are observed.
    hot_keys: bool,
    /// They are queued until EXEC.
    pub(crate) queued: bool,
    /// A program has been running for too long.
    pub(crate) busy: bool,
    /// Those that may write are refused, because snapshots cannot be made.
    pub(crate) unsaved: bool,
    /// The same because the append log cannot be written.
    pub(crate) unlogged: bool,
    /// Keys are being read from disk.
    pub(crate) loading: bool,
    /// The client has said whether the reads of its next request are remembered.
    pub(crate) caching_given: bool,
    /// Any of this.
    pub(crate) needed: bool,
}

impl Attention {
    /// To be asked once a batch.
    #[inline]
    pub(crate) fn new(node: &Node, client: &Client, settings: &Settings, time: Time) -> Attention {
        let now = time.now;
        let (paused, monitored) = (node.pause.in_force(now).is_some(), node.monitors.any());
        let (hot_keys, queued) = (node.hot_keys.is_active(now), client.queue.is_some());
        let busy = node.programs.busy_nanos(time.nanos).is_some_and(|nanos| {
            let threshold = settings.busy_reply_threshold.saturating_mul(1_000_000);
            threshold > 0 && nanos >= threshold
        });
        let unsaved = node.snapshots.is_failing()
            && settings.stop_writes_on_bgsave_error
            && !settings.save.points().is_empty();
        let unlogged = node.append_log.is_on() && node.append_log.is_failing();
        let loading = node.loading.is_active();
        let caching_given = client.has_given_caching();
        let listening = client.hears();
        let needed = paused
            || monitored
            || hot_keys
            || queued
            || busy
            || unsaved
            || unlogged
            || loading
            || listening
            || caching_given;
        Attention {
            paused,
            monitored,
            hot_keys,
            queued,
            busy,
            unsaved,
            unlogged,
            loading,
            caching_given,
            needed,
        }
    }
}

impl Turn<'_> {
    /// Until when a request is to wait, if it is.
    #[cold]
    pub(crate) fn postponed(&self, row: Row, args: Args<'_>, time: Time) -> Option<UnixMillis> {
        // As in Redis, for which they are replicas, monitors are not kept waiting.
        if !self.attention.paused || self.client.shared.is_monitor() || !self.nesting.is_none() {
            return None;
        }
        let (paused, until) = self.node.pause.in_force(time.now)?;
        let waits = paused == Paused::All || self.may_write(row, args);
        waits.then_some(until)
    }

    /// The moment of a request: one that changes nothing leaves keys alone whose time has come while CLIENT PAUSE is in force.
    #[inline]
    pub(crate) fn moment(&self, row: Row, args: Args<'_>, time: Time) -> Moment {
        let mut moment = moment(time.now, self.settings);
        if self.client.replays != Replays::No {
            return self.client.replays.moment(moment);
        }
        if self.attention.paused && !self.may_write(row, args) {
            moment.due = Due::Kept;
        }
        moment
    }

    /// Whether a request may change keys.
    pub(crate) fn may_write(&self, row: Row, args: Args<'_>) -> bool {
        let flags = row.command.flags;
        let queued = self.client.queue.as_ref().filter(|_| flags.has(Flags::RUNS_QUEUE));
        queued.is_some_and(|queue| queue.may_write)
            || flags.has_any(Flags::WRITE.and(Flags::MAY_REPLICATE))
                && !(row.command.only_reads)(self.node, args)
    }

    /// Tells monitors of a request that was executed.
    #[cold]
    pub(crate) fn tell_monitors(&mut self, row: Row, args: Args<'_>) {
        if row.command.flags.has_any(Flags::SKIP_MONITOR.and(Flags::ADMIN)) {
            return;
        }
        self.announce(row, args);
    }

    /// The same of a request whose own requests are told behind it.
    #[cold]
    pub(crate) fn announce(&mut self, row: Row, args: Args<'_>) {
        if !self.attention.monitored {
            return;
        }
        let line = monitor::line(self.node.host.unix_micros(), &*self.client, row, args);
        self.node.monitors.send(line);
    }

    /// When a request begins whose keys are observed; none otherwise.
    #[cold]
    pub(crate) fn begin_observing(&self, keys: &[KeyAt]) -> Option<u64> {
        (self.attention.hot_keys && !keys.is_empty()).then(|| self.node.host.time().nanos)
    }

    /// Counts what a request took for its keys.
    #[cold]
    pub(crate) fn count_keys(&mut self, args: Args<'_>, keys: &[KeyAt], begun: u64, reply_bytes: usize) {
        let nanos = self.node.host.time().nanos.saturating_sub(begun);
        let bytes = request_bytes(args) + reply_bytes as u64;
        let keys = keys.iter().map(|key| (key.position, args.at(key.argument as usize)));
        let chance = self.random.next_u64();
        self.node.hot_keys.count(self.running.worker(), keys, (nanos, bytes), chance);
    }

    /// Keeps a request that took longer than a directive says. One that was refused is not kept.
    #[cold]
    pub(crate) fn note_slow(&self, row: Row, args: Args<'_>, nanos: u64, time: Time) {
        let (command, settings) = (row.command, &**self.settings);
        if !self.is_admitted(row, args) {
            return;
        }
        let happening =
            if command.flags.has(Flags::FAST) { Happening::FastCommand } else { Happening::Command };
        self.node.latency.note(happening, nanos, time.now, settings);
        let micros = nanos / 1000;
        if LogKind::Slow.limit(settings).is_some_and(|limit| micros >= limit)
            && !command.flags.has(Flags::SKIP_SLOWLOG)
        {
            self.log(LogKind::Slow, micros, row, args, time);
        }
    }

    /// Keeps brief requests, which were timed together.
    #[cold]
    pub(crate) fn note_slow_brief(
        &self,
        batch: &Batch,
        requests: Range<usize>,
        input: &[u8],
        nanos_each: u64,
        time: Time,
    ) {
        for index in requests {
            if let Some(row) = batch.requests[index].row.filter(|row| row.command.is_brief()) {
                self.note_slow(row, batch.args_of(index, input), nanos_each, time);
            }
        }
    }

    /// Keeps a request that is larger than a directive says. One that was refused is not kept.
    #[cold]
    pub(crate) fn note_large_request(&self, row: Row, args: Args<'_>, bytes: u64, time: Time) {
        if bytes >= self.settings.limits.request_bytes && self.is_admitted(row, args) {
            self.log(LogKind::LargeRequest, bytes, row, args, time);
        }
    }

    /// Whether the client may use the command, and with so many arguments.
    fn is_admitted(&self, row: Row, args: Args<'_>) -> bool {
        let command = row.command;
        command.arity.accepts(args.len()) && (self.client.authenticated || command.flags.has(Flags::NO_AUTH))
    }

    /// Keeps a request whose reply is larger than a directive says.
    #[cold]
    pub(crate) fn note_large_reply(&self, row: Row, args: Args<'_>, bytes: u64, time: Time) {
        if bytes >= self.settings.limits.reply_bytes {
            self.log(LogKind::LargeReply, bytes, row, args, time);
        }
    }

    fn log(&self, kind: LogKind, amount: u64, row: Row, args: Args<'_>, time: Time) {
        let (client, settings) = (&self.client.shared, &**self.settings);
        self.node.command_logs.note(kind, amount, (row, args), client, (time.now, settings));
    }
}

/// Bytes of a request as an array of strings, which nearly all are.
fn request_bytes(args: Args<'_>) -> u64 {
    let digits = |number: usize| number.checked_ilog10().unwrap_or(0) as usize + 1;
    let strings: usize = args.iter().map(|argument| digits(argument.len()) + argument.len() + 5).sum();
    (digits(args.len()) + 3 + strings) as u64
}

impl Client {
    /// Whether it may not use this command because it monitors, which Redis takes for a kind of replica.
    pub(crate) fn is_kept_from_keys(&self, flags: Flags) -> bool {
        flags.has_any(Flags::READONLY.and(Flags::WRITE)) && self.shared.is_monitor()
    }
}
