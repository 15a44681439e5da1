//! The binary protocol: the same turns of parsed, prefetched and executed batches as the text protocol has, and its own answers.

mod items;

use larder_engine::{Served, StripeStats};
use larder_store::{Keyspace, Position};
use memcache_parser::Limits;
use memcache_parser::binary::reply::{self, Status};
use memcache_parser::binary::{self, Command, Error, Parsed, Request, parse};
use std::sync::atomic::Ordering;

use super::authentication::Admission;
use super::batch::{BATCH_MAX, Batch, BatchEnd, Found, Prepared, fill, prefetch};
use super::connection::Dialogue;
use super::item::Contended;
use super::server::VERSION;
use super::statistics::Form;
use super::turn::{Ended, Turn};

/// Where the key of a request that is all of the input lives.
pub(super) fn look_ahead(
    keyspace: &Keyspace<StripeStats>,
    limits: &Limits,
    input: &[u8],
) -> Option<Position> {
    match parse(input, limits) {
        Parsed::Request { request, end } if end == input.len() => position(keyspace, &request),
        _ => None,
    }
}

impl Dialogue {
    /// Parses, prefetches and executes one batch.
    pub(super) fn binary_batch(&mut self, turn: &mut Turn<'_>, input: &[u8], from: usize) -> BatchEnd {
        let (limits, most) = match self.admission {
            Admission::Granted => (turn.limits, BATCH_MAX),
            // What a stranger may send depends on how its last request went.
            Admission::Needed => (turn.stranger_limits(), 1),
        };
        let mut batch = Batch::new();
        let stop = fill(&mut batch, most, input, from, |rest| find(turn, &limits, rest));
        prefetch(&turn.node.keyspace, &batch);
        for prepared in &batch {
            match self.answer(turn, prepared) {
                Ok(Ended::Done | Ended::Dump(_) | Ended::Watch) => {}
                Ok(Ended::Close) => return BatchEnd::Served(prepared.end, Served::Close),
                Err(Contended) => return BatchEnd::Served(prepared.start, Served::Again),
            }
        }
        stop.end(&batch, input, from, |start, error| self.refuse_binary(turn, start, error))
    }

    /// Executes a request if its client may send it.
    #[inline]
    fn answer(&mut self, turn: &mut Turn<'_>, prepared: &Prepared<Request<'_>>) -> Result<Ended, Contended> {
        let request = &prepared.request;
        let is_about_sasl = matches!(request.command, Command::Sasl { .. } | Command::SaslMechanisms);
        if is_about_sasl && self.sasl(turn, request).is_some() {
            turn.executed += 1;
            return Ok(Ended::Done);
        }
        if self.admission == Admission::Needed && request.command != Command::Version {
            turn.refuse_binary_stranger(request.head);
            return Ok(Ended::Close);
        }
        turn.execute_binary(request, prepared.position.unwrap_or_default())
    }

    /// Answers what is no request, and sees to it that what belongs to it is thrown away.
    #[cold]
    fn refuse_binary(&mut self, turn: &mut Turn<'_>, start: usize, error: &Error<'_>) -> BatchEnd {
        let end = start + error.end;
        if let (Admission::Needed, Some((head, _))) = (self.admission, error.reply)
            && !binary::is_about_sasl(head.opcode)
        {
            turn.refuse_binary_stranger(head);
            return BatchEnd::Served(end, Served::Close);
        }
        if let Some(key) = error.unlink
            && turn.unlink(key).is_err()
        {
            return BatchEnd::Served(start, Served::Again);
        }
        if let Some((head, status)) = error.reply {
            turn.stats().store_too_large.add(u64::from(status == Status::TooLarge));
            reply::error(&mut turn.output, head, status);
        }
        turn.executed += 1;
        self.swallow = error.swallow;
        if !error.close {
            return BatchEnd::Consumed(end);
        }
        turn.client.failed.store(true, Ordering::Relaxed);
        BatchEnd::Served(end, Served::Close)
    }
}

/// The request that an input begins with.
#[inline]
fn find<'i>(turn: &Turn<'_>, limits: &Limits, input: &'i [u8]) -> Found<Request<'i>, Error<'i>> {
    match parse(input, limits) {
        Parsed::Request { request, end } => {
            let position = position(&turn.node.keyspace, &request);
            Found::Request { request, position, end }
        }
        Parsed::Incomplete { needed } => Found::Incomplete { needed },
        Parsed::Error(error) => Found::Error(error),
    }
}

/// Where the key of a request lives; its stripe is on its way to the cache.
#[inline]
fn position(keyspace: &Keyspace<StripeStats>, request: &Request<'_>) -> Option<Position> {
    let key = match &request.command {
        Command::Get(get) => get.key,
        Command::Store(store) => store.key,
        Command::Delete { key } => key,
        Command::Arithmetic(arithmetic) => arithmetic.key,
        _ => return None,
    };
    let position = keyspace.positioner().position(key);
    keyspace.prefetch_stripe(position);
    Some(position)
}

/// Whether a request is about items.
fn concerns_keys(command: &Command<'_>) -> bool {
    matches!(
        command,
        Command::Get(_)
            | Command::Store(_)
            | Command::Delete { .. }
            | Command::Arithmetic(_)
            | Command::Flush { .. }
    )
}

impl Turn<'_> {
    /// Executes a request. `position` is that of its key.
    #[inline]
    fn execute_binary(&mut self, request: &Request<'_>, position: Position) -> Result<Ended, Contended> {
        if self.is_loading && concerns_keys(&request.command) {
            self.executed += 1;
            reply::error(&mut self.output, request.head, Status::TemporaryFailure);
            return Ok(Ended::Done);
        }
        match &request.command {
            Command::Get(get) => self.binary_get(request, get, position)?,
            Command::Store(store) => self.binary_store(request, store, position)?,
            Command::Delete { key } => self.binary_delete(request, key, position)?,
            Command::Arithmetic(arithmetic) => self.binary_arithmetic(request, arithmetic, position)?,
            _ => return Ok(self.execute_rare(request)),
        }
        self.executed += 1;
        Ok(Ended::Done)
    }

    /// Executes a request that is not about an item.
    #[cold]
    fn execute_rare(&mut self, request: &Request<'_>) -> Ended {
        let head = request.head;
        self.executed += 1;
        match request.command {
            Command::Flush { delay } => {
                if self.flush_all(i64::from(delay)).is_ok() {
                    self.binary_done(request, 0);
                } else {
                    self.binary_error(request, Status::AuthenticationError);
                }
            }
            Command::Noop => self.binary_done(request, 0),
            Command::Version => reply::value(&mut self.output, head, 0, VERSION.as_bytes()),
            Command::Quit => {
                self.binary_done(request, 0);
                return Ended::Close;
            }
            Command::Stat { which } => self.statistics(which, Form::Binary(head)),
            _ if self.binary_config(request).is_some() => {}
            // Authentication, of which there is none here.
            _ => reply::error(&mut self.output, head, Status::UnknownCommand),
        }
        Ended::Done
    }

    /// Answers that it is done, if that is to be said.
    #[inline]
    fn binary_done(&mut self, request: &Request<'_>, cas: u64) {
        if !request.quiet {
            reply::value(&mut self.output, request.head, cas, b"");
        }
    }
}
