//! The execution of one request: gates, handler, reply; and what goes on later of one that does not end at once.

use larder_resp::{Mark, Reply};

use crate::args::Args;
use crate::client::ReplyMode;
use crate::command::Flags;
use crate::context::{Context, KeyAt};
use crate::error::CommandError;
use crate::gates;
use crate::node::Time;
use crate::observe::Attention;
use crate::outcome::{CommandResult, Later, Outcome, Resume, When};
use crate::program::{Launch, Program, ProgramRun, Run};
use crate::replay::Replays;
use crate::sync::Ordering;
use crate::table::Row;
use crate::transaction;
use crate::turn::{Turn, unknown};

/// What became of a request.
pub(crate) enum Ended {
    /// It is executed, or refused.
    Done,
    /// It will be executed with others.
    Queued,
    /// It goes on later.
    Not(Unfinished),
    /// It has begun a program within a program.
    Begun(Box<dyn Program>),
}

/// What goes on later of a request.
pub(crate) enum Going {
    /// What its handler has left.
    Handler(Resume),
    /// The program that is put aside on its worker.
    Program,
}

/// What is left of a request that did not end: what goes on, or nothing when its handler is to be called again.
pub(crate) struct Unfinished {
    pub(crate) resume: Option<Going>,
    pub(crate) when: When,
    /// Bytes written of its reply.
    pub(crate) reply_bytes: usize,
}

impl Unfinished {
    /// That of a request whose program is put aside.
    fn program() -> Unfinished {
        Unfinished { resume: Some(Going::Program), when: When::Soon, reply_bytes: 0 }
    }
}

/// What goes on of a request that did not end at once.
pub(crate) struct Rest {
    pub(crate) resume: Going,
    /// Bytes written of its reply before.
    pub(crate) reply_bytes: usize,
}

/// Why what a request stands for was not executed to its end.
enum Others {
    /// It goes on later, or elsewhere.
    Ended(Ended),
    /// The client is told this.
    Failed(CommandError),
}

impl From<CommandError> for Others {
    fn from(error: CommandError) -> Others {
        match error {
            // All is as it was: it is tried again.
            CommandError::Contended => {
                Others::Ended(Ended::Not(Unfinished { resume: None, when: When::Soon, reply_bytes: 0 }))
            }
            error => Others::Failed(error),
        }
    }
}

impl Turn<'_> {
    /// Runs one request.
    #[inline]
    pub(crate) fn execute(
        &mut self,
        row: Row,
        args: Args<'_>,
        keys: &[KeyAt],
        time: Time,
        rest: Option<Rest>,
    ) -> Ended {
        let mut mark = self.output.mark();
        if rest.is_none()
            && let Some(ended) = self.keep_out(row, args, keys, time)
        {
            return ended;
        }
        self.client.shared.row.store(row.index, Ordering::Relaxed);
        let observed = if self.attention.needed { self.begin_observing(keys) } else { None };
        let before = rest.as_ref().map_or(0, |rest| rest.reply_bytes);
        let first_call = rest.is_none();
        let (result, going_on) = self.call(row, args, keys, time, rest);
        match result {
            Ok(Outcome::Reply) => self.after_reply(mark),
            Ok(Outcome::Later(Later { resume, when })) => {
                if first_call && self.attention.needed {
                    // When it is called, not when it has ended, which may never be.
                    self.tell_monitors(row, args);
                }
                let (resume, reply_bytes) = (Some(Going::Handler(resume)), self.after_part(mark));
                return Ended::Not(Unfinished { resume, when, reply_bytes });
            }
            Err(CommandError::Contended) => {
                self.stats.contended.add(1);
                let resume = going_on.map(Going::Handler);
                return Ended::Not(Unfinished { resume, when: self.when_free(time), reply_bytes: 0 });
            }
            Err(error) => {
                self.stats.commands[row.index as usize].failed.add(1);
                self.reply_error(&error, mark);
            }
            Ok(outcome) => {
                if self.attention.needed && matches!(outcome, Outcome::Program(_)) {
                    self.announce(row, args);
                    mark = self.take_inbox_between_replies(mark);
                }
                match self.execute_others(outcome, row, time) {
                    Ok(()) => self.after_reply(mark),
                    Err(Others::Ended(ended)) => return ended,
                    Err(Others::Failed(error)) => {
                        self.stats.commands[row.index as usize].failed.add(1);
                        self.reply_error(&error, mark);
                    }
                }
            }
        }
        self.stats.commands[row.index as usize].calls.add(1);
        self.executed += 1;
        if (before + self.output.len()) as u64 >= self.settings.limits.reply_bytes {
            self.note_large_reply(row, args, (before + self.output.len_since(mark)) as u64, time);
        }
        if self.attention.needed {
            if let Some(begun) = observed {
                let reply_bytes = before + self.output.len_since(mark);
                self.count_keys(args, keys, begun, reply_bytes);
            }
            if first_call {
                self.tell_monitors(row, args);
            }
            let keeps_caching = row.command.flags.has(Flags::KEEPS_CACHING)
                || self.client.is_in_transaction()
                || !self.nesting.is_none();
            if self.attention.caching_given && !keeps_caching {
                self.client.forget_given_caching();
            }
            // What a request has caused comes behind its reply, and before those to the next ones.
            self.take_inbox_between_replies(mark);
        }
        Ended::Done
    }

    /// Takes over what others have sent, or the client itself, unless that would come amid the reply of a transaction. Returns where the
    /// reply that follows begins, if none has begun.
    #[cold]
    fn take_inbox_between_replies(&mut self, mark: Mark) -> Mark {
        if !self.nesting.is_none() {
            return mark;
        }
        self.client.take_inbox(self.output);
        self.output.mark()
    }

    /// What becomes of a request that is not executed now: it is refused, queued or postponed.
    #[inline]
    fn keep_out(&mut self, row: Row, args: Args<'_>, keys: &[KeyAt], time: Time) -> Option<Ended> {
        let admitted = if self.client.replays == Replays::No {
            self.admit(row, args).and_then(|()| self.find_room(row, args, time))
        } else {
            gates::arity(row, args.len())
        };
        if let Err(error) = admitted {
            self.stats.commands[row.index as usize].rejected.add(1);
            self.reject(Some(row), error, self.output.mark());
            return Some(Ended::Done);
        }
        if self.attention.needed {
            if self.attention.queued && !row.command.flags.has(Flags::UNQUEUED) {
                self.queue(row, args, keys);
                return Some(Ended::Queued);
            }
            if let Some(until) = self.postponed(row, args, time) {
                let when = When::Postponed(until);
                return Some(Ended::Not(Unfinished { resume: None, when, reply_bytes: 0 }));
            }
        }
        None
    }

    /// Calls the handler, or what it has left; that is returned with the result, to be called again.
    #[inline]
    fn call(
        &mut self,
        row: Row,
        args: Args<'_>,
        keys: &[KeyAt],
        time: Time,
        rest: Option<Rest>,
    ) -> (CommandResult, Option<Resume>) {
        let mut cx = Context {
            node: self.node,
            settings: self.settings,
            moment: self.moment(row, args, time),
            args,
            keys,
            command: row.command,
            row,
            stats: self.stats,
            running: self.running,
            shared_node: self.node,
            nesting: self.nesting,
            belongings: self.belongings,
            random: self.random,
            reply: Reply { out: self.output, protocol: self.client.protocol },
            client: self.client,
        };
        match rest {
            None => ((row.command.run)(&mut cx), None),
            Some(Rest { resume: Going::Handler(mut resume), .. }) => (resume(&mut cx), Some(resume)),
            Some(Rest { resume: Going::Program, .. }) => (Ok(Outcome::ProgramAside), None),
        }
    }

    /// Executes what a request stands for: what was queued, or a program.
    #[cold]
    fn execute_others(&mut self, outcome: Outcome, row: Row, time: Time) -> Result<(), Others> {
        let outcome = match outcome {
            Outcome::Transaction => self.execute_queue(time)?,
            outcome => outcome,
        };
        let finished = match outcome {
            Outcome::Program(launch) if !self.nesting.is_none() => {
                self.stats.commands[row.index as usize].calls.add(1);
                return Err(Others::Ended(Ended::Begun(launch.into_program())));
            }
            Outcome::Program(launch) => self.run_program(launch, time),
            Outcome::ProgramAside => self.go_on_with_program(time),
            _ => Some(Ok(())),
        };
        self.client.shared.row.store(row.index, Ordering::Relaxed);
        match finished {
            Some(result) => {
                // What others were refused for is over: this client's next requests are not.
                self.attention = Attention::new(self.node, self.client, self.settings, time);
                Ok(result?)
            }
            None => Err(Others::Ended(Ended::Not(Unfinished::program()))),
        }
    }

    #[inline]
    fn admit(&self, row: Row, args: Args<'_>) -> Result<(), CommandError> {
        let (client, settings) = (&*self.client, &**self.settings);
        let busy = (self.attention.busy && self.nesting.is_none()).then_some(&self.node.programs);
        let unsaved = self.attention.unsaved && self.may_write(row, args);
        let unlogged =
            (self.attention.unlogged && self.may_write(row, args)).then_some(&*self.node.append_log);
        let loading = self.attention.loading;
        let request =
            gates::Request { row, args_len: args.len(), client, settings, loading, busy, unsaved, unlogged };
        gates::pass(&request)?;
        if self.attention.needed { gates::pass_rare(&request) } else { Ok(()) }
    }

    /// Answers a request for which there is no row.
    #[cold]
    pub(crate) fn refuse(&mut self, args: Args<'_>) {
        let mark = self.output.mark();
        let error = if self.client.authenticated { unknown(self.node, args) } else { CommandError::NoAuth };
        self.executed += 1;
        self.reject(None, error, mark);
    }

    /// Refuses a request that has not been executed: of a transaction, none will be.
    #[cold]
    fn reject(&mut self, row: Option<Row>, mut error: CommandError, mark: Mark) {
        if row.is_some_and(|row| row.command.flags.has(Flags::RUNS_QUEUE)) {
            self.client.discard_transaction();
            error = transaction::discarded(&error);
        } else if self.nesting.is_none()
            && let Some(queue) = &mut self.client.queue
        {
            queue.fail();
        }
        self.reply_error(&error, mark);
    }

    #[cold]
    pub(crate) fn reply_error(&mut self, error: &CommandError, mark: Mark) {
        let line = error.to_string();
        let code = line.split(' ').next().unwrap_or_default();
        match error {
            CommandError::PassedOn(_) => {}
            CommandError::MadeUp(_) => self.stats.count_made_up_error(code),
            _ => self.stats.count_error(code),
        }
        self.output.truncate(mark);
        Reply { out: self.output, protocol: self.client.protocol }.error(&line);
        self.after_reply(mark);
    }

    /// Takes the part of a reply that was written back when the client does not want it; returns how long it is.
    fn after_part(&mut self, mark: Mark) -> usize {
        if self.client.reply_mode != ReplyMode::On && self.nesting.is_none() {
            self.output.truncate(mark);
        }
        self.output.len_since(mark)
    }

    /// Takes the reply back when the client does not want it.
    #[inline]
    pub(crate) fn after_reply(&mut self, mark: Mark) {
        if self.client.reply_mode != ReplyMode::On && self.nesting.is_none() {
            self.output.truncate(mark);
            self.client.reply_mode = match self.client.reply_mode {
                ReplyMode::SkipNext => ReplyMode::Skip,
                ReplyMode::Skip => ReplyMode::On,
                mode => mode,
            };
        }
    }

    /// Runs a request that is part of another to its end, and moves the time on by what it took; or to where it begins a program.
    pub(crate) fn execute_to_the_end(
        &mut self,
        row: Row,
        args: Args<'_>,
        keys: &[KeyAt],
        time: &mut Time,
    ) -> Option<Box<dyn Program>> {
        let mut rest = None;
        loop {
            match self.execute(row, args, keys, *time, rest) {
                Ended::Not(Unfinished { resume, when, .. }) => {
                    if let When::At(until) = when {
                        self.node.host.sleep_until(until);
                    }
                    rest = resume.map(|resume| Rest { resume, reply_bytes: 0 });
                }
                Ended::Begun(program) => return Some(program),
                Ended::Done | Ended::Queued => break,
            }
        }
        let end = self.node.host.time().nanos;
        let nanos = end.saturating_sub(time.nanos);
        self.add_time(row, nanos, 1);
        if nanos >= self.settings.limits.nanos {
            self.note_slow(row, args, nanos, *time);
        }
        time.nanos = end;
        None
    }

    /// Runs a program for as long as its first slice takes; returns what it has come to, or none when it was put aside.
    fn run_program(&mut self, launch: Launch, time: Time) -> Option<Result<(), CommandError>> {
        let run = Box::new(ProgramRun::new(launch, self.client));
        self.program_slice(run, time)
    }

    /// The same of the program that was put aside.
    pub(crate) fn go_on_with_program(&mut self, time: Time) -> Option<Result<(), CommandError>> {
        let run = self.program.take().expect("a program is put aside on the worker that it began on");
        self.program_slice(run, time)
    }

    fn program_slice(&mut self, run: Box<ProgramRun>, time: Time) -> Option<Result<(), CommandError>> {
        match run.go_on(self, time) {
            Run::Done(result) => Some(result),
            Run::Aside(run) => {
                *self.program = Some(run);
                None
            }
        }
    }

    /// When a request is tried again that has found a stripe in use: not at once while a program has stripes for longer.
    fn when_free(&self, time: Time) -> When {
        if self.node.programs.is_aside() { When::At(time.now.saturating_add(1)) } else { When::Soon }
    }
}
