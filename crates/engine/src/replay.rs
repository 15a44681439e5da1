//! Reading a log again: its commands are executed as those of a client, at a time when nothing had expired yet.
//!
//! Whatever went by itself stands in the log too, as deleted. So a key whose time has come meanwhile is there for the commands that
//! used it, until the log is at its end.

use std::sync::Arc;

use larder_resp::{Limits, Output, Parsed, RequestParser, Span};
use larder_store::{Attributes, DbIndex, Due, Event, Moment, Touch, UnixMillis, parse_integer};

use crate::args::Args;
use crate::client::{Client, NoLink, SharedClient};
use crate::connection::Connection;
use crate::node::{Node, moment};
use crate::turn::find_row;
use crate::worker::Worker;

/// Whether, and at what time, a client's requests are those of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replays {
    /// They are its own.
    #[default]
    No,
    /// Before anything expires.
    BeforeAll,
    /// When they were executed.
    At(UnixMillis),
    /// Now, because they reckon from the present time.
    Now,
}

impl Replays {
    /// The moment of a request, made of the present one.
    pub(crate) fn moment(self, present: Moment) -> Moment {
        let now = match self {
            Replays::No | Replays::Now => present.now,
            Replays::BeforeAll => UnixMillis(1),
            Replays::At(time) => time,
        };
        Moment { now, due: Due::Kept, ..present }
    }
}

/// See the module's documentation. The node's workers touch no keys meanwhile, and nothing is recorded.
pub struct Replay {
    node: Arc<Node>,
    worker: Worker,
    connection: Connection,
    output: Output,
    request: Vec<u8>,
    spans: Vec<Span>,
    next: Annotations,
    /// Items whose commands are still to be executed, or just were.
    items: Vec<(DbIndex, Vec<u8>, (u32, u8))>,
}

/// What was said of the next command.
#[derive(Default)]
struct Annotations {
    time: Option<UnixMillis>,
    item: Option<(u32, u8)>,
}

impl Replay {
    /// Begins with database 0.
    #[must_use]
    pub fn new(node: &Arc<Node>) -> Replay {
        let (id, now, limits) =
            (node.next_client_id(), node.host.time().now, Arc::clone(&node.output_limits));
        let shared = SharedClient::new(id, String::new(), String::new(), now, limits, Box::new(NoLink));
        Replay {
            node: Arc::clone(node),
            worker: Worker::new(Arc::clone(node), node.workers(), 0),
            connection: Connection::new(Client::new(Arc::new(shared), true)),
            output: Output::default(),
            request: Vec::new(),
            spans: Vec::new(),
            next: Annotations::default(),
            items: Vec::new(),
        }
    }

    /// Takes an annotation of the next command, `#` included. Those that are not known mean nothing.
    pub fn annotate(&mut self, text: &[u8]) {
        if let Some(millis) = text.strip_prefix(b"#NOW:").and_then(parse_integer) {
            self.next.time = Some(UnixMillis(millis));
        } else if let Some(item) = text.strip_prefix(b"#ITEM:") {
            let mut numbers = item.split(|byte| *byte == b' ').map(parse_integer);
            let flags = numbers.next().flatten().and_then(|number| u32::try_from(number).ok());
            let state = numbers.next().flatten().and_then(|number| u8::try_from(number).ok());
            self.next.item = flags.zip(state);
        }
    }

    /// Executes a command, the bytes of one request; what it replies to does not matter, as the log has what has happened.
    ///
    /// # Errors
    /// Its name, if there is no such command.
    pub fn execute(&mut self, request: &[u8]) -> Result<(), String> {
        self.request.clear();
        self.request.extend_from_slice(request);
        let Annotations { time, item } = std::mem::take(&mut self.next);
        self.connection.client.replays = match time {
            Some(time) => Replays::At(time),
            None if self.counts_from_now()? => Replays::Now,
            None => Replays::BeforeAll,
        };
        self.output.clear();
        if let (Some(item), Some(key)) = (item, self.spans.get(1)) {
            let key = key.of(&self.request).to_vec();
            self.items.push((self.connection.client.db, key, item));
        }
        while self.connection.is_pending() || !self.request.is_empty() {
            let (consumed, _) = self.connection.serve(&mut self.worker, &mut self.request, &mut self.output);
            self.request.drain(..consumed);
        }
        if !self.connection.client.is_in_transaction() {
            self.mark_items();
        }
        Ok(())
    }

    /// Finds the arguments of the request, and says whether its command reckons from the present time.
    fn counts_from_now(&mut self) -> Result<bool, String> {
        self.spans.clear();
        let limits = Limits { bulk_len_max: u64::MAX, ..Limits::DEFAULT };
        let parsed = RequestParser::default().parse(&mut self.request, 0, &limits, &mut self.spans);
        let args = Args::new(&self.request, &self.spans);
        if !matches!(parsed, Ok(Parsed::Request { .. })) {
            return Err(String::new());
        }
        let row = find_row(&self.node, args);
        row.map(|row| row.command.arity.accepts(args.len()) && (row.command.counts_from_now)(args))
            .ok_or_else(|| String::from_utf8_lossy(args.at(0)).into_owned())
    }

    /// Gives strings what memcached's clients see of them.
    fn mark_items(&mut self) {
        let moment = moment(self.node.host.time().now, &self.node.settings());
        let moment = Replays::BeforeAll.moment(moment);
        for (db, name, (client_flags, item_state)) in self.items.drain(..) {
            let key = self.node.keyspace.key(&name);
            let mut stripe = self.node.keyspace.lock(key.position.stripe(), moment);
            let found = stripe.find(db, key, Touch::No).map(|entry| entry.attributes());
            if let Some(found) = found {
                stripe.put_attributes(
                    db,
                    key,
                    &Attributes { client_flags, item_state, ..found },
                    Event::UNTOLD,
                );
            }
        }
    }

    /// What the last command was replied.
    #[must_use]
    pub fn reply(&self) -> Vec<u8> {
        self.output.to_vec()
    }
}
