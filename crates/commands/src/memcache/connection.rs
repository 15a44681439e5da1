//! A memcached connection as a state machine: bytes in, bytes out, no I/O.
//!
//! As a RESP connection does, it parses up to sixteen complete requests, hashes their keys and prefetches their stripes, slots and
//! entries one stage after the other before it executes any. A request that finds a stripe in use is left in the input and parsed
//! again in the next turn. A `get` of many keys that must stop between two of them (a stripe is in use, the output is full, others
//! wait) is not kept either: what is left of it is made a request of its own, in place, by moving its beginning up to the next
//! key. So the connection holds no request, and no reply is ever written twice.
//!
//! The first byte that a client sends says which protocol it speaks, as in memcached: 0x80 begins a binary request (see
//! [`binary`](super::binary)), anything else a line.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use larder_engine::{Node, Served, SharedClient, StripeStats, Worker, moment};
use larder_resp::Output;
use larder_store::{Keyspace, Position};
use memcache_parser::binary::REQUEST_MAGIC;
use memcache_parser::{Command, Error, Key, KeyBuffer, KeyEncoding, Parsed, parse};

use super::authentication::{Admission, SaslRounds};
use super::batch::{BATCH_MAX, Batch, BatchEnd, Found, Prepared, fill, missing, prefetch};
use super::binary;
use super::dump::Dump;
use super::turn::{DB, Ended, Paused, Turn, limits};
use super::watch::{Watching, log_arrival};
use super::wire::Wire;

/// See the module's documentation.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<SharedClient>,
    dialogue: Dialogue,
}

/// How far a client and the server have come with each other.
#[derive(Debug)]
pub(super) struct Dialogue {
    language: Language,
    /// Bytes that belong to a refused request and are thrown away as they arrive.
    pub(super) swallow: u64,
    pub(super) admission: Admission,
    pub(super) sasl: SaslRounds,
    /// What is being dumped: nothing is executed before it is done.
    pub(super) dump: Option<Dump>,
    watching: Watching,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    /// It has not said anything yet.
    Unknown,
    /// The text and the meta protocol.
    Text,
    /// The binary protocol.
    Binary,
}

impl Connection {
    /// The connection of a client that has just arrived, on a node with these settings.
    #[must_use]
    pub fn new(shared: Arc<SharedClient>, node: &Node) -> Connection {
        let admission = Admission::needed(&node.settings());
        log_arrival(node, &shared);
        let dialogue = Dialogue {
            language: Language::Unknown,
            swallow: 0,
            admission,
            sasl: SaslRounds::default(),
            dump: None,
            watching: Watching::No,
        };
        Connection { shared, dialogue }
    }

    /// Its client.
    #[must_use]
    pub fn shared(&self) -> &SharedClient {
        &self.shared
    }

    /// Looks ahead, as `larder_engine::Connection::look_ahead` does: notes the key of a request that is all of `input`.
    pub fn look_ahead(&self, worker: &mut Worker, input: &[u8]) {
        if self.dialogue.swallow > 0 || self.dialogue.admission == Admission::Needed {
            return;
        }
        let (limits, keyspace) = (limits(worker.settings()), &worker.node.keyspace);
        let position = if self.dialogue.is_binary(input) {
            binary::look_ahead(keyspace, &limits, input)
        } else {
            match parse(input, &limits) {
                Parsed::Request { command, end } if end == input.len() => position(keyspace, &command),
                _ => None,
            }
        };
        if let Some(position) = position {
            worker.will_need(DB, position);
        }
    }

    /// Executes what is complete in `input` as far as this turn allows, and appends the replies to `output`. Returns how many
    /// bytes were consumed, and what to do next. The bytes not consumed must come first in the next call's input.
    pub fn serve(&mut self, worker: &mut Worker, input: &mut [u8], output: &mut Output) -> (usize, Served) {
        worker.refresh();
        let node = Arc::clone(&worker.node);
        let Some(running) = node.safepoint.enter(worker.index) else { return (0, Served::Again) };
        let moment = moment(node.host.time().now, worker.settings());
        node.flush_when_due(&running, &node.stats[worker.index], moment);
        if let Some(until) = self.shared.postpone(&node.pause, moment.now) {
            return (0, Served::At(until));
        }
        let output_before = output.len();
        self.shared.take_lines(output);
        let (settings, wire) = (worker.settings(), Wire(output));
        let mut turn = Turn::new(&node, &running, settings, moment, wire, &self.shared);
        let (consumed, served) = self.dialogue.batches(&mut turn, input);
        let executed = turn.executed;
        turn.count_traffic(consumed as u64, (turn.output.0.len() - output_before) as u64);
        self.shared.take_lines(output);
        self.shared.note_requests(moment.now, executed);
        (consumed, served)
    }
}

impl Dialogue {
    /// Whether the client speaks the binary protocol, as far as it has said anything.
    #[inline]
    fn is_binary(&self, input: &[u8]) -> bool {
        match self.language {
            Language::Unknown => input.first() == Some(&REQUEST_MAGIC),
            language => language == Language::Binary,
        }
    }

    /// Serves input batch by batch.
    fn batches(&mut self, turn: &mut Turn<'_>, input: &mut [u8]) -> (usize, Served) {
        if self.language == Language::Unknown && !input.is_empty() {
            self.language = if self.is_binary(input) { Language::Binary } else { Language::Text };
            if self.language == Language::Text && turn.settings.memcached_sasl {
                return (input.len(), Served::Close);
            }
        }
        let mut consumed = self.skip(input, 0);
        loop {
            if self.watching == Watching::Yes {
                // Whatever a watcher says is not heard.
                return (input.len(), Served::NeedInput(1));
            }
            if turn.is_over() {
                turn.stats().conn_yields.add(1);
                return (consumed, Served::Again);
            }
            if self.go_on_dumping(turn) {
                continue;
            }
            let batch_end = match self.language {
                Language::Binary => self.binary_batch(turn, input, consumed),
                Language::Unknown | Language::Text => self.batch(turn, input, consumed),
            };
            match batch_end {
                BatchEnd::Consumed(end) => consumed = self.skip(input, end),
                BatchEnd::Served(end, served) => return (end, served),
                BatchEnd::WithinKeys { start, first, next } => {
                    return (keep_keys(input, start, first, next), Served::Again);
                }
            }
        }
    }

    /// Passes over bytes that are to be thrown away.
    fn skip(&mut self, input: &[u8], from: usize) -> usize {
        let skipped = self.swallow.min((input.len() - from) as u64);
        self.swallow -= skipped;
        from + skipped as usize
    }

    /// Parses, prefetches and executes one batch.
    fn batch(&mut self, turn: &mut Turn<'_>, input: &[u8], from: usize) -> BatchEnd {
        if let Admission::Needed = self.admission {
            return self.admit(turn, input, from);
        }
        let mut batch = Batch::new();
        let stop = fill(&mut batch, BATCH_MAX, input, from, |rest| find(turn, rest));
        prefetch(&turn.node.keyspace, &batch);
        for prepared in &batch {
            match turn.execute(&prepared.request, prepared.position.unwrap_or_default()) {
                Ok(Ended::Done) => {}
                Ok(Ended::Close) => return BatchEnd::Served(prepared.end, Served::Close),
                Ok(Ended::Watch) => {
                    self.watching = Watching::Yes;
                    return BatchEnd::Consumed(prepared.end);
                }
                Ok(Ended::Dump(dump)) => {
                    self.dump = Some(dump);
                    return BatchEnd::Consumed(prepared.end);
                }
                Err(Paused::AtStart) => return BatchEnd::Served(prepared.start, Served::Again),
                Err(Paused::WithinKeys { left }) => return within_keys(input, prepared, left),
            }
        }
        stop.end(&batch, input, from, |start, error| self.refuse(turn, start, error))
    }

    /// Handles one request of a client that has yet to give the password.
    fn admit(&mut self, turn: &mut Turn<'_>, input: &[u8], from: usize) -> BatchEnd {
        match parse(&input[from..], &turn.stranger_limits()) {
            Parsed::Incomplete { needed } => BatchEnd::Served(from, missing(input, from, needed)),
            Parsed::Request { command, end } => {
                self.admission = turn.authenticate(&command);
                BatchEnd::Consumed(from + end)
            }
            Parsed::Error(error) => {
                turn.refuse_stranger();
                self.swallow = error.swallow;
                let end = from + error.end;
                if error.close { BatchEnd::Served(end, Served::Close) } else { BatchEnd::Consumed(end) }
            }
        }
    }

    /// Answers what is no request, and sees to it that what belongs to it is thrown away.
    #[cold]
    fn refuse(&mut self, turn: &mut Turn<'_>, start: usize, error: &Error<'_>) -> BatchEnd {
        if turn.refuse(error).is_err() {
            return BatchEnd::Served(start, Served::Again);
        }
        self.swallow = error.swallow;
        let end = start + error.end;
        if !error.close {
            return BatchEnd::Consumed(end);
        }
        turn.client.failed.store(true, Ordering::Relaxed);
        BatchEnd::Served(end, Served::Close)
    }
}

/// The request that an input begins with.
#[inline]
fn find<'i>(turn: &Turn<'_>, input: &'i [u8]) -> Found<Command<'i>, Error<'i>> {
    match parse(input, &turn.limits) {
        Parsed::Request { command, end } => {
            let position = position(&turn.node.keyspace, &command);
            Found::Request { request: command, position, end }
        }
        Parsed::Incomplete { needed } => Found::Incomplete { needed },
        Parsed::Error(error) => Found::Error(error),
    }
}

/// Where the key of a request lives, the first one if it names several; its stripe is on its way to the cache.
#[inline]
fn position(keyspace: &Keyspace<StripeStats>, command: &Command<'_>) -> Option<Position> {
    let mut buffer = None;
    let key = match command {
        Command::Get(get) => get.keys.clone().next()?,
        Command::Store(store) => store.key,
        Command::Delete(delete) => delete.key,
        Command::Arithmetic(arithmetic) => arithmetic.key,
        Command::Touch(touch) => touch.key,
        Command::MetaGet(request) | Command::MetaDelete(request) => key_bytes(&request.key, &mut buffer),
        Command::MetaSet(set) => key_bytes(&set.key, &mut buffer),
        Command::MetaArithmetic(arithmetic) => key_bytes(&arithmetic.key, &mut buffer),
        Command::MetaDebug { key } => key_bytes(key, &mut buffer),
        _ => return None,
    };
    let position = keyspace.positioner().position(key);
    keyspace.prefetch_stripe(position);
    Some(position)
}

/// The bytes of a key. Only one in base64 pays for the buffer.
#[inline]
pub(super) fn key_bytes<'b>(key: &Key<'b>, buffer: &'b mut Option<KeyBuffer>) -> &'b [u8] {
    match key.encoding() {
        KeyEncoding::Plain => key.token(),
        KeyEncoding::Base64 => key.bytes(buffer.insert(KeyBuffer::default())),
    }
}

/// The end of a turn within the keys of a `get`, the last `left` bytes of whose line are not answered yet.
fn within_keys(input: &[u8], prepared: &Prepared<Command<'_>>, left: usize) -> BatchEnd {
    let Command::Get(get) = &prepared.request else { unreachable!("no other request names several keys") };
    let feed = prepared.end - 1;
    let line_end = if input[..feed].ends_with(b"\r") { feed - 1 } else { feed };
    let first = line_end - get.keys.as_bytes().len();
    BatchEnd::WithinKeys { start: prepared.start, first, next: line_end - left }
}

/// Makes the keys of a `get` from `next` on a request of its own, and returns where that begins.
///
/// What stands before the first key is copied to where it stands before the next one; there is room, because at least that much
/// stood before it already.
fn keep_keys(input: &mut [u8], start: usize, first: usize, next: usize) -> usize {
    let kept = next - (first - start);
    input.copy_within(start..first, kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_request_is_a_request() {
        for (line, next, left) in [
            ("get a bb c\r\n", "bb", "get bb c\r\n"),
            ("mn\r\n  gats 10   a b  cc \n", "cc", "  gats 10   cc \n"),
            ("get a\r\n", "a", "get a\r\n"),
        ] {
            let mut input = line.as_bytes().to_vec();
            let start = line.find(['g', ' ']).unwrap();
            let (first, next) = (line.rfind(" a").unwrap() + 1, line.rfind(next).unwrap());
            let kept = keep_keys(&mut input, start, first, next);
            assert_eq!(std::str::from_utf8(&input[kept..]), Ok(left));
        }
    }
}
