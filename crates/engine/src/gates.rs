//! The gates: what may refuse a request before its handler runs, in order.

use larder_config::{EnableFor, Settings};

use crate::append_log::AppendLog;
use crate::client::Client;
use crate::command::Flags;
use crate::error::CommandError;
use crate::loading::LOADING;
use crate::programs::Programs;
use crate::snapshots::UNSAVED;
use crate::table::Row;

/// What a gate may look at.
pub(crate) struct Request<'a> {
    pub(crate) row: Row,
    pub(crate) args_len: usize,
    pub(crate) client: &'a Client,
    pub(crate) settings: &'a Settings,
    /// Whether keys are being read from disk.
    pub(crate) loading: bool,
    /// A program that has been running for too long.
    pub(crate) busy: Option<&'a Programs>,
    /// Whether it may write, and snapshots cannot be made, so that it would not be kept.
    pub(crate) unsaved: bool,
    /// The same because the append log cannot be written.
    pub(crate) unlogged: Option<&'a AppendLog>,
}

type Gate = fn(&Request<'_>) -> Result<(), CommandError>;

/// The order matters: a stranger learns nothing but that it must authenticate.
const GATES: &[Gate] = &[
    authenticated, // before everything that would tell a stranger about the node
    has_arity,     // before everything that looks at arguments
    permitted,     // what a directive must allow
];

/// Those behind them that refuse nobody unless requests need attention at all, and so cost nothing otherwise.
const RARE_GATES: &[Gate] = &[
    no_monitor,     // keys are not for who monitors
    no_listener,    // whose replies would be taken for messages
    no_transaction, // before what would be queued
    loaded,         // before anything that looks at keys
    not_busy,       // before anything that might wait for the program's end
    saved,          // what would be lost with the process
    logged,         // the same
];

/// Whether a request may go on to its handler.
#[inline]
pub(crate) fn pass(request: &Request<'_>) -> Result<(), CommandError> {
    GATES.iter().try_for_each(|gate| gate(request))
}

/// As [`pass`], for the gates that matter only while requests need attention.
#[cold]
pub(crate) fn pass_rare(request: &Request<'_>) -> Result<(), CommandError> {
    RARE_GATES.iter().try_for_each(|gate| gate(request))
}

fn authenticated(request: &Request<'_>) -> Result<(), CommandError> {
    if request.client.authenticated || request.row.command.flags.has(Flags::NO_AUTH) {
        Ok(())
    } else {
        Err(CommandError::NoAuth)
    }
}

/// Whether a request has as many arguments as its row demands.
fn has_arity(request: &Request<'_>) -> Result<(), CommandError> {
    arity(request.row, request.args_len)
}

/// Whether so many arguments are as many as a row demands.
pub(crate) fn arity(row: Row, args_len: usize) -> Result<(), CommandError> {
    if row.command.arity.accepts(args_len) {
        Ok(())
    } else {
        Err(CommandError::WrongArity(row.full_name().into()))
    }
}

fn no_monitor(request: &Request<'_>) -> Result<(), CommandError> {
    if request.client.is_kept_from_keys(request.row.command.flags) {
        return Err(CommandError::line("ERR Replica can't interact with the keyspace"));
    }
    Ok(())
}

fn no_listener(request: &Request<'_>) -> Result<(), CommandError> {
    if request.client.is_only_listening() && !request.row.command.flags.has(Flags::FOR_LISTENERS) {
        let line = format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            request.row.full_name()
        );
        return Err(CommandError::Line(line.into()));
    }
    Ok(())
}

fn no_transaction(request: &Request<'_>) -> Result<(), CommandError> {
    if request.client.queue.is_some() && request.row.command.flags.has(Flags::NO_MULTI) {
        return Err(CommandError::line("ERR Command not allowed inside a transaction"));
    }
    Ok(())
}

fn loaded(request: &Request<'_>) -> Result<(), CommandError> {
    if request.loading && !request.row.command.flags.has(Flags::LOADING) {
        return Err(LOADING);
    }
    Ok(())
}

fn not_busy(request: &Request<'_>) -> Result<(), CommandError> {
    match request.busy {
        Some(programs) if !request.row.command.flags.has(Flags::ALLOW_BUSY) => Err(programs.busy_error()),
        _ => Ok(()),
    }
}

/// A program's own requests are refused one by one.
fn saved(request: &Request<'_>) -> Result<(), CommandError> {
    if request.unsaved && !request.row.command.flags.has(Flags::RUNS_PROGRAM) {
        return Err(UNSAVED);
    }
    Ok(())
}

/// As above.
fn logged(request: &Request<'_>) -> Result<(), CommandError> {
    match request.unlogged {
        Some(log) if !request.row.command.flags.has(Flags::RUNS_PROGRAM) => Err(log.refusal()),
        _ => Ok(()),
    }
}

fn permitted(request: &Request<'_>) -> Result<(), CommandError> {
    if !request.row.command.flags.has(Flags::PROTECTED) {
        return Ok(());
    }
    match request.settings.enable_debug_command {
        EnableFor::Yes => Ok(()),
        EnableFor::Local if request.client.shared.is_local() => Ok(()),
        EnableFor::No | EnableFor::Local => Err(CommandError::NotPermitted(request.row.full_name().into())),
    }
}
