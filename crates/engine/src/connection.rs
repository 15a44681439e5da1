//! A RESP connection as a state machine: bytes in, bytes out, no I/O.
//!
//! The driver hands in what it has read; up to sixteen complete requests are parsed, looked up and hashed, their stripes,
//! slots and entries are prefetched one stage after the other, and only then are they executed: the memory latencies of a
//! pipeline overlap instead of adding up. A request that does not end at once (it found a stripe in use, or its command goes on
//! later) is kept with a copy of its arguments; nothing behind it is executed before it is done.

use std::sync::Arc;

use larder_resp::{Output, RequestParser, Span};
use larder_store::UnixMillis;

use crate::client::Client;
use crate::context::KeyAt;
use crate::execute::Going;
use crate::observe::Attention;
use crate::outcome::When;
use crate::program::ProgramRun;
use crate::table::Row;
use crate::transaction::Nesting;
use crate::turn::{self, Turn};
use crate::worker::Worker;

/// What the driver should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Send the output, then wait for input: at least so many bytes beyond those not consumed.
    NeedInput(usize),
    /// Send the output, let others have their turn, then call again, with or without new input.
    Again,
    /// Send the output, then call again at this time.
    At(UnixMillis),
    /// Send the output, then end the connection.
    Close,
}

/// See the module's documentation.
pub struct Connection {
    /// Its client.
    pub client: Client,
    parser: RequestParser,
    pending: Option<Box<Pending>>,
}

/// A request that did not end at once.
pub(crate) struct Pending {
    pub(crate) row: Row,
    pub(crate) input: Vec<u8>,
    pub(crate) args: Vec<Span>,
    pub(crate) keys: Vec<KeyAt>,
    /// When it goes on.
    pub(crate) when: When,
    /// What goes on; `None` when the handler is to be called again from the start.
    pub(crate) resume: Option<Going>,
    /// Nanoseconds for which it has been executed so far.
    pub(crate) nanos: u64,
    /// Bytes written of its reply so far.
    pub(crate) reply_bytes: usize,
}

impl Pending {
    fn memory_bytes(&self) -> usize {
        let (args, keys) = (size_of_val(&*self.args), size_of_val(&*self.keys));
        size_of::<Pending>() + self.input.capacity() + args + keys
    }

    /// What the driver should do about it.
    pub(crate) fn served(&self) -> Served {
        self.when.time().map_or(Served::Again, Served::At)
    }
}

impl Connection {
    /// The connection of a client that has just arrived.
    #[must_use]
    pub fn new(client: Client) -> Connection {
        Connection { client, parser: RequestParser::default(), pending: None }
    }

    /// Looks ahead at `input`, which [`Connection::serve`] will be called with soon: if it is a single request, hashes its keys and
    /// asks the processor for their stripes. (A pipeline overlaps its own latencies.) The caller goes on with [`Worker::prefetch`]
    /// once it has looked ahead on all connections that are ready, so that the memory latencies of different clients overlap.
    /// Changes nothing.
    pub fn look_ahead(&self, worker: &mut Worker, input: &mut [u8]) {
        if self.pending.is_none() && !self.parser.is_partial() {
            turn::look_ahead(worker, self.client.db, input);
        }
    }

    /// Executes what is complete in `input` as far as this turn allows, and appends the replies to `output`. Returns how many
    /// bytes were consumed, and what to do next. The bytes not consumed must come first in the next call's input.
    pub fn serve(&mut self, worker: &mut Worker, input: &mut [u8], output: &mut Output) -> (usize, Served) {
        let Worker { node, index, random, settings, batch, program, belongings, .. } = worker;
        settings.refresh(node);
        let Some(running) = node.safepoint.enter(*index) else { return (0, Served::Again) };
        self.take_inbox(output);
        let (time, stats) = (node.host.time(), &node.stats[*index]);
        let (client, running) = (&mut self.client, &running);
        let (attention, nesting) = (Attention::new(node, client, settings, time), Nesting::None);
        let mut turn = Turn {
            node,
            stats,
            settings,
            random,
            running,
            output,
            client,
            attention,
            nesting,
            program,
            belongings,
            executed: 0,
        };
        let (consumed, mut served) = match self.pending.take().and_then(|pending| turn.resume(pending, time))
        {
            Some((pending, served)) => {
                self.pending = Some(pending);
                (0, served)
            }
            None => turn.serve(&mut self.parser, &mut self.pending, batch, input, time),
        };
        let executed = turn.executed;
        batch.clear();
        node.caching.tell_pending();
        self.take_inbox(output);
        self.client.shared.note_batch(&self.client, time.now, executed);
        self.client
            .shared
            .note_memory(&self.client, self.pending.as_ref().map_or(0, |kept| kept.memory_bytes()));
        if self.client.closing && self.pending.is_none() {
            served = Served::Close;
        }
        (consumed, served)
    }

    /// Takes what others have sent the client, unless that would come amid a reply, or before the reply that it has waited for: what is
    /// told of a change comes after it. A transaction that is put aside may have subscribed to something, of which the client knows
    /// nothing yet.
    fn take_inbox(&mut self, output: &mut Output) {
        let is_answered = self.client.shared.waiting().is_over();
        let lets = |pending: &Pending| {
            pending.when != When::Replying && !is_answered && !matches!(pending.resume, Some(Going::Program))
        };
        if self.pending.as_deref().is_none_or(lets) {
            self.client.take_inbox(output);
        }
    }

    /// Whether a request waits for something other than input.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }
}

impl Worker {
    /// Goes on with a program that is put aside and whose client has gone: what it has begun is done to its end. Says whether there is
    /// more of it to do.
    pub(crate) fn go_on_with_orphan(&mut self) -> bool {
        let Worker { node, index, random, settings, program, belongings, .. } = self;
        let is_orphan = |run: &ProgramRun| !node.clients.contains_key(&run.client().id());
        if !program.as_deref().is_some_and(is_orphan) {
            return false;
        }
        let Some(running) = &node.safepoint.enter(*index) else { return true };
        let (time, stats) = (node.host.time(), &node.stats[*index]);
        let shared = program.as_ref().map(|run| Arc::clone(&run.client().shared));
        let Some(client) = &mut shared.map(|shared| Client::new(shared, true)) else { return false };
        let (attention, output) = (Attention::new(node, client, settings, time), &mut Output::default());
        let nesting = Nesting::None;
        let mut turn = Turn {
            node,
            stats,
            settings,
            random,
            running,
            output,
            client,
            attention,
            nesting,
            program,
            belongings,
            executed: 0,
        };
        turn.go_on_with_program(time).is_none()
    }
}
