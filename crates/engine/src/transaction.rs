//! Transactions: requests that are queued after MULTI, and executed together by EXEC.

use std::cell::RefCell;

use larder_resp::{Output, Protocol, Reply, Span};
use larder_store::Touch;

use crate::append_log::Record;
use crate::args::Args;
use crate::blocking::serve_everywhere;
use crate::client::Client;
use crate::command::{Flags, Scope};
use crate::context::{KeyAt, exclusive};
use crate::error::CommandError;
use crate::held::{Held, Reserved};
use crate::locked::Locked;
use crate::node::{Time, moment};
use crate::observe::Attention;
use crate::outcome::{CommandResult, Outcome};
use crate::program::{Answer, Launch, Program, ProgramStep};
use crate::programs::ProgramToken;
use crate::table::Row;
use crate::turn::Turn;
use crate::watch::Watch;

/// Requests whose turn comes with EXEC.
#[derive(Debug, Default)]
pub struct Queue {
    requests: Vec<Queued>,
    input: Vec<u8>,
    args: Vec<Span>,
    keys: Vec<KeyAt>,
    /// Whether one of them was refused, so that none will be executed.
    pub(crate) failed: bool,
    /// Whether one of them may change keys.
    pub(crate) may_write: bool,
    /// Whether one of them may need memory.
    pub(crate) needs_memory: bool,
}

/// One of them, and where its arguments and keys end in the queue's vectors; they begin where the previous request's end.
#[derive(Clone, Copy, Debug)]
struct Queued {
    row: Row,
    args_end: usize,
    keys_end: usize,
}

/// In what a request is executed that is not a client's alone.
#[derive(Clone, Copy)]
pub(crate) enum Nesting<'a> {
    /// In nothing.
    None,
    /// Among others that hold all their stripes together.
    Holding(&'a Held<'a>),
    /// Among others, while no other worker is at work; all of them are one record of the append log.
    Exclusive(&'a RefCell<Record>),
}

impl<'a> Nesting<'a> {
    /// The record of the append log that the request is part of.
    pub(crate) fn record(self) -> Option<&'a RefCell<Record>> {
        match self {
            Nesting::None => None,
            Nesting::Holding(held) => Some(held.record()),
            Nesting::Exclusive(record) => Some(record),
        }
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        matches!(self, Nesting::None)
    }
}

const TOO_LONG: CommandError = CommandError::line("ERR the requests of a transaction take more than 4 GiB");
const ABORTED: CommandError =
    CommandError::line("EXECABORT Transaction discarded because of previous errors.");

/// What EXEC says that is itself refused.
pub(crate) fn discarded(because_of: &CommandError) -> CommandError {
    let line = because_of.to_string();
    let text = line.strip_prefix("ERR ").unwrap_or(&line);
    CommandError::Line(format!("EXECABORT Transaction discarded because of: {text}").into())
}

impl Queue {
    /// How many requests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Bytes of memory that they take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.input.capacity()
            + self.args.capacity() * size_of::<Span>()
            + self.keys.capacity() * size_of::<KeyAt>()
            + self.requests.capacity() * size_of::<Queued>()
    }

    /// Forgets the requests, none of which will be executed.
    pub(crate) fn fail(&mut self) {
        *self = Queue { failed: true, ..Queue::default() };
    }

    fn push(&mut self, row: Row, args: Args<'_>, keys: &[KeyAt]) -> Result<(), CommandError> {
        let bytes: usize = args.iter().map(<[u8]>::len).sum();
        if self.input.len() + bytes > u32::MAX as usize {
            return Err(TOO_LONG);
        }
        for argument in args.iter() {
            self.args.push(Span { start: self.input.len() as u32, len: argument.len() as u32 });
            self.input.extend_from_slice(argument);
        }
        self.keys.extend_from_slice(keys);
        self.requests.push(Queued { row, args_end: self.args.len(), keys_end: self.keys.len() });
        Ok(())
    }

    /// The requests in order: rows, arguments, keys.
    fn iter(&self) -> impl Iterator<Item = (Row, Args<'_>, &[KeyAt])> {
        let (mut args_start, mut keys_start) = (0, 0);
        self.requests.iter().map(move |request| {
            let args = Args::new(&self.input, &self.args[args_start..request.args_end]);
            let keys = &self.keys[keys_start..request.keys_end];
            (args_start, keys_start) = (request.args_end, request.keys_end);
            (request.row, args, keys)
        })
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        self.requests.iter().map(|request| request.row)
    }

    /// Whether one of the requests runs a program.
    fn has_program(&self) -> bool {
        self.rows().any(|row| row.command.flags.has(Flags::RUNS_PROGRAM))
    }

    /// Whether one of the requests touches more than its keys.
    fn needs_everything(&self) -> bool {
        self.rows().any(|row| row.command.scope != Scope::Keys)
    }
}

impl Turn<'_> {
    /// Queues a request of a client that is in MULTI.
    #[cold]
    pub(crate) fn queue(&mut self, row: Row, args: Args<'_>, keys: &[KeyAt]) {
        let mark = self.output.mark();
        self.executed += 1;
        let may_write = self.may_write(row, args);
        let Some(queue) = &mut self.client.queue else { return };
        queue.may_write |= may_write;
        queue.needs_memory |= row.command.flags.has(Flags::DENY_OOM);
        // What will not be executed need not be kept.
        let touched = self.client.watch.as_deref().is_some_and(Watch::is_touched);
        let pushed = if queue.failed || touched { Ok(()) } else { queue.push(row, args, keys) };
        match pushed {
            Ok(()) => {
                Reply { out: self.output, protocol: self.client.protocol }.simple("QUEUED");
                self.after_reply(mark);
            }
            Err(error) => {
                queue.fail();
                self.reply_error(&error, mark);
            }
        }
    }

    /// Executes what was queued, all of it together, and writes the replies; or says why not.
    ///
    /// # Errors
    /// The reply, when a request was refused before; or a stripe is in use, and all is as it was.
    pub(crate) fn execute_queue(&mut self, time: Time) -> CommandResult {
        let Some(queue) = self.client.queue.take() else {
            return Err(CommandError::line("ERR EXEC without MULTI"));
        };
        let watch = self.client.watch.take();
        if queue.failed {
            return Err(ABORTED);
        }
        self.attention = Attention::new(self.node, self.client, self.settings, time);
        let result = if queue.has_program() {
            self.launch(queue, watch.as_deref(), time)
        } else if queue.needs_everything() {
            self.execute_exclusively(&queue, watch.as_deref(), time).map_err(|error| (queue, error))
        } else {
            self.execute_holding(&queue, watch.as_deref(), time).map_err(|error| (queue, error))
        };
        result.map_err(|(queue, error)| {
            (self.client.queue, self.client.watch) = (Some(queue), watch);
            error
        })
    }

    /// Has the requests be executed by a program, because some are programs themselves, which may take long.
    fn launch(
        &mut self,
        queue: Box<Queue>,
        watch: Option<&Watch>,
        time: Time,
    ) -> Result<Outcome, (Box<Queue>, CommandError)> {
        let Some(token) = ProgramToken::claim(self.node) else {
            return Err((queue, CommandError::Contended));
        };
        let held = Held::growing(self.node, self.stats, Reserved::default(), moment(time.now, self.settings));
        if let Some(watch) = watch {
            held.lock_more(watch.keys().iter().map(|key| key.position));
            if self.has_changed(watch, &held, time) {
                return Ok(Outcome::Reply);
            }
        }
        let program = Box::new(QueueProgram::new(queue, self.client.protocol));
        Ok(Outcome::Program(Launch::new(program, token).holding(held)))
    }

    fn execute_exclusively(&mut self, queue: &Queue, watch: Option<&Watch>, time: Time) -> CommandResult {
        let _all = exclusive(self.node, self.running)?;
        if let Some(watch) = watch {
            let moment = moment(time.now, self.settings);
            let positions = watch.keys().iter().map(|key| key.position);
            let held = Held::new(self.node, self.stats, positions, moment)?;
            if self.has_changed(watch, &held, time) {
                return Ok(Outcome::Reply);
            }
        }
        let record = RefCell::default();
        self.execute_all(queue, Nesting::Exclusive(&record), time);
        self.node.append_log.record_all(&mut record.borrow_mut());
        serve_everywhere(self.node, self.stats, moment(time.now, self.settings));
        Ok(Outcome::Reply)
    }

    fn execute_holding(&mut self, queue: &Queue, watch: Option<&Watch>, time: Time) -> CommandResult {
        let watched = watch.iter().flat_map(|watch| watch.keys()).map(|key| key.position);
        let positions = queue.keys.iter().map(|key| key.position).chain(watched);
        let held = Held::new(self.node, self.stats, positions, moment(time.now, self.settings))?;
        if watch.is_some_and(|watch| self.has_changed(watch, &held, time)) {
            return Ok(Outcome::Reply);
        }
        self.execute_all(queue, Nesting::Holding(&held), time);
        Ok(Outcome::Reply)
    }

    /// Says that nothing is executed if a watched key has changed, or has expired meanwhile.
    fn has_changed(&mut self, watch: &Watch, held: &Held<'_>, time: Time) -> bool {
        let moment = moment(time.now, self.settings);
        for watched in watch.keys() {
            let position = [watched.position].into_iter();
            let mut db = Locked::within(self.node, self.stats, held, position, moment, Touch::No, watched.db);
            // One whose time has come is removed, which is a change.
            db.contains(watched.key());
        }
        if watch.is_touched() {
            Reply { out: self.output, protocol: self.client.protocol }.null_array();
        }
        watch.is_touched()
    }

    fn execute_all(&mut self, queue: &Queue, nesting: Nesting<'_>, mut time: Time) {
        Reply { out: self.output, protocol: self.client.protocol }.array(queue.len());
        for (row, args, keys) in queue.iter() {
            let mut turn = self.nested(nesting);
            turn.execute_to_the_end(row, args, keys, &mut time);
            self.executed += turn.executed;
        }
    }

    /// A turn within this one.
    fn nested<'s>(&'s mut self, nesting: Nesting<'s>) -> Turn<'s> {
        Turn {
            node: self.node,
            stats: self.stats,
            settings: &mut *self.settings,
            random: &mut *self.random,
            running: self.running,
            output: &mut *self.output,
            client: &mut *self.client,
            attention: self.attention,
            nesting,
            program: &mut *self.program,
            belongings: &mut *self.belongings,
            executed: 0,
        }
    }

    /// Executes a request of a program, on behalf of a client of the program's own if there is one; returns the program that it has begun,
    /// if it has.
    pub(crate) fn execute_in_program(
        &mut self,
        (row, args, keys): (Row, Args<'_>, &[KeyAt]),
        client: Option<&mut Client>,
        (nesting, output): (Nesting<'_>, &mut Output),
        time: Time,
    ) -> Option<Box<dyn Program>> {
        let mut time = Time { nanos: self.node.host.time().nanos, ..time };
        let mut turn = self.nested(nesting);
        turn.output = output;
        if let Some(client) = client {
            turn.client = client;
        }
        let begun = turn.execute_to_the_end(row, args, keys, &mut time);
        self.executed += turn.executed;
        begun
    }
}

/// A transaction some of whose requests run programs: it runs them all.
struct QueueProgram {
    queue: Box<Queue>,
    protocol: Protocol,
    /// How many of the requests have been asked for.
    asked: usize,
    replies: Vec<u8>,
}

impl QueueProgram {
    fn new(queue: Box<Queue>, protocol: Protocol) -> QueueProgram {
        QueueProgram { queue, protocol, asked: 0, replies: Vec::new() }
    }
}

impl Program for QueueProgram {
    fn resume(&mut self, answer: Answer<'_>) -> ProgramStep {
        match answer {
            // What is to end is a program within, which has ended.
            Answer::Go | Answer::Kill(_) => {}
            Answer::Reply(reply) => self.replies.extend_from_slice(reply),
            Answer::Refused(error) => self.replies.extend_from_slice(format!("-{error}\r\n").as_bytes()),
        }
        if self.asked == self.queue.len() {
            return ProgramStep::Done;
        }
        self.asked += 1;
        ProgramStep::Call
    }

    fn request(&self) -> (&[u8], &[Span]) {
        let end = |index: usize| self.queue.requests[index].args_end;
        let last = self.asked.saturating_sub(1);
        (&self.queue.input, &self.queue.args[last.checked_sub(1).map_or(0, end)..end(last)])
    }

    fn finish(&mut self, reply: &mut Reply<'_>) -> Result<(), CommandError> {
        reply.array(self.queue.len());
        reply.out.raw(&self.replies);
        Ok(())
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn is_transaction(&self) -> bool {
        true
    }
}
