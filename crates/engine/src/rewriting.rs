//! The append log from its beginning to its end: when it is begun, given a new base in the place of all that it has, and ended.

use std::sync::Arc;

use larder_config::Settings;
use larder_store::{Moment, STRIPES};

use crate::context::Context;
use crate::error::CommandError;
use crate::node::{Node, moment};
use crate::snapshots::Purpose;
use crate::sync::{AtomicBool, Ordering};

/// Milliseconds after which a rewriting that has failed is tried again by itself, for each time in a row; and the most.
const RETRY_MILLIS: i64 = 60_000;
const RETRY_MILLIS_MAX: i64 = 3_600_000;

/// What a client is told that asks for what is going on.
const IN_PROGRESS: CommandError =
    CommandError::line("ERR Background append only file rewriting already in progress");

/// Whether the append log is to get a new base.
#[derive(Debug, Default)]
pub struct Rewriting {
    wanted: AtomicBool,
}

impl Rewriting {
    /// Has one be made soon, once a snapshot that is being made is done.
    pub fn ask(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    /// Whether one is asked for that has not begun.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }
}

/// How a rewriting that was asked for comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// It has begun.
    Begun,
    /// It begins when a snapshot is done.
    Scheduled,
}

impl Node {
    /// Begins to record, while nobody is served: all that there is stands in the log already.
    pub fn start_append_log(&self) {
        let settings = self.settings();
        let moment = moment(self.host.time().now, &settings);
        self.follow_removals(moment);
        self.append_log.go_on();
        self.append_log.follow(&settings);
    }

    /// Begins to record, while nobody is served, with a base that is still to be written.
    pub fn start_append_log_anew(&self) {
        let moment = moment(self.host.time().now, &self.settings());
        self.begin_base(moment);
    }

    /// Makes the cut between the base and what follows it, while nobody else is at work; says whether it could.
    pub(crate) fn begin_base(&self, moment: Moment) -> bool {
        if self.snapshots.is_running() {
            return false;
        }
        self.rewriting.wanted.store(false, Ordering::Release);
        let settings = self.settings();
        // Without a log there is only the base.
        if settings.appendonly {
            self.follow_removals(moment);
            // Before anybody can be done with the base, who then looks whether the cut is made.
            self.append_log.cut();
            self.append_log.follow(&settings);
        }
        self.begin_snapshot(moment, Purpose::LogBase)
    }

    /// Has what goes by itself be recorded from now on.
    fn follow_removals(&self, moment: Moment) {
        for stripe in 0..STRIPES {
            self.keyspace.lock(stripe, moment).side().log = Some(Arc::clone(&self.append_log));
        }
    }

    /// Takes over changed settings.
    pub(crate) fn follow_log_settings(&self, before: &Settings) {
        let settings = self.settings();
        if settings.appendonly != before.appendonly {
            if settings.appendonly {
                self.rewriting.ask();
            } else {
                self.append_log.turn_off();
            }
        }
        self.append_log.follow(&settings);
    }

    /// Asks for a new base if the log has grown by as much as the settings say. For who looks now and then.
    pub fn ask_for_due_rewrite(&self) {
        let (settings, report) = (self.settings(), self.append_log.report());
        if settings.aof_timestamp_enabled {
            self.append_log.note_second(self.host.time().now);
        }
        let percentage = u64::from(settings.auto_aof_rewrite_percentage);
        if !self.append_log.is_on()
            || percentage == 0
            || self.snapshots.report().since(Purpose::LogBase).is_some()
            || self.rewriting.is_wanted()
        {
            return;
        }
        let failures = i64::try_from(report.rewrite_failures).unwrap_or(i64::MAX);
        let waits = RETRY_MILLIS.saturating_mul(failures).min(RETRY_MILLIS_MAX);
        let since = self.host.time().now.saturating_millis_since(report.rewrite_ended_at);
        let base = report.base_bytes.max(1);
        let growth = (report.bytes.saturating_mul(100) / base).saturating_sub(100);
        if report.bytes > settings.auto_aof_rewrite_min_size && growth >= percentage && since >= waits {
            self.host.notice(&format!("Starting automatic rewriting of AOF on {growth}% growth"));
            self.rewriting.ask();
        }
    }
}

impl Context<'_> {
    /// Has the append log get a new base.
    ///
    /// # Errors
    /// It gets one already; or others are at work, and the request is to be tried again.
    pub fn rewrite_log(&self) -> Result<Rewrite, CommandError> {
        let report = self.node.snapshots.report();
        match (report.began_at, report.purpose) {
            (Some(_), Purpose::LogBase) => Err(IN_PROGRESS),
            (Some(_), Purpose::Snapshot) => {
                self.node.rewriting.ask();
                Ok(Rewrite::Scheduled)
            }
            (None, _) => {
                let _all = self.exclusive()?;
                if self.node.begin_base(self.moment) { Ok(Rewrite::Begun) } else { Err(IN_PROGRESS) }
            }
        }
    }
}
