//! Transactions: requests that are queued after MULTI, and executed together by EXEC.

use larder_resp::{Reply, Span};
use larder_store::Touch;

use crate::args::Args;
use crate::blocking::serve_everywhere;
use crate::command::Scope;
use crate::context::KeyAt;
use crate::error::CommandError;
use crate::held::Held;
use crate::locked::Locked;
use crate::node::{Time, moment};
use crate::observe::Attention;
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
    /// Among others, while no other worker is at work.
    Exclusive,
}

impl Nesting<'_> {
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
        let Some(queue) = &mut self.client.queue else { return };
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
    pub(crate) fn execute_queue(&mut self, time: Time) -> Result<(), CommandError> {
        let Some(queue) = self.client.queue.take() else {
            return Err(CommandError::line("ERR EXEC without MULTI"));
        };
        let watch = self.client.watch.take();
        if queue.failed {
            return Err(ABORTED);
        }
        self.attention = Attention::new(self.node, self.client, time.now);
        let result = if queue.needs_everything() {
            self.execute_exclusively(&queue, watch.as_deref(), time)
        } else {
            self.execute_holding(&queue, watch.as_deref(), time)
        };
        if result.is_err() {
            (self.client.queue, self.client.watch) = (Some(queue), watch);
        }
        result
    }

    fn execute_exclusively(
        &mut self,
        queue: &Queue,
        watch: Option<&Watch>,
        time: Time,
    ) -> Result<(), CommandError> {
        let _all = self.running.exclusive().ok_or(CommandError::Contended)?;
        if let Some(watch) = watch {
            let moment = moment(time.now, self.settings);
            let positions = watch.keys().iter().map(|key| key.position);
            let held = Held::new(self.node, self.stats, positions, moment)?;
            if self.has_changed(watch, &held, time) {
                return Ok(());
            }
        }
        self.execute_all(queue, Nesting::Exclusive, time);
        serve_everywhere(self.node, self.stats, moment(time.now, self.settings));
        Ok(())
    }

    fn execute_holding(
        &mut self,
        queue: &Queue,
        watch: Option<&Watch>,
        time: Time,
    ) -> Result<(), CommandError> {
        let watched = watch.iter().flat_map(|watch| watch.keys()).map(|key| key.position);
        let positions = queue.keys.iter().map(|key| key.position).chain(watched);
        let held = Held::new(self.node, self.stats, positions, moment(time.now, self.settings))?;
        if watch.is_some_and(|watch| self.has_changed(watch, &held, time)) {
            return Ok(());
        }
        self.execute_all(queue, Nesting::Holding(&held), time);
        Ok(())
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
            self.execute_nested((row, args, keys), nesting, time);
            time.nanos = self.node.host.time().nanos;
        }
    }
}

impl Turn<'_> {
    /// Executes one request of several, to its end.
    pub(crate) fn execute_nested(
        &mut self,
        (row, args, keys): (Row, Args<'_>, &[KeyAt]),
        nesting: Nesting<'_>,
        time: Time,
    ) {
        let mut turn = Turn {
            node: self.node,
            stats: self.stats,
            settings: &mut *self.settings,
            random: &mut *self.random,
            running: self.running,
            output: &mut *self.output,
            client: &mut *self.client,
            attention: self.attention,
            nesting,
            executed: 0,
        };
        turn.execute_to_the_end(row, args, keys, time);
    }
}
