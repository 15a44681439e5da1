//! Programs: scripts and functions, and transactions that call some. They execute requests of which nobody knows beforehand, all of
//! them as one.
//!
//! A program locks stripes as its requests touch them, and holds them to its end. While everybody else lets go of everything before
//! he waits, a program may wait for a stripe while it holds others, because there is one program at a time on a node
//! ([`Programs`]). One that runs for longer than a moment is put aside at the end of its slice, with its stripes **reserved**
//! instead of locked: its worker serves others meanwhile, to whom those stripes look as if they were in use.

use larder_resp::{Output, Protocol, Reply, Span};
use larder_store::UnixMillis;

use crate::args::Args;
use crate::client::Client;
use crate::command::{Flags, Scope};
use crate::context::KeyAt;
use crate::error::CommandError;
use crate::evict::OUT_OF_MEMORY;
use crate::held::{Held, Reserved};
use crate::node::Time;
use crate::programs::{Kill, ProgramToken};
use crate::table::Row;
use crate::transaction::Nesting;
use crate::turn::{Turn, extract_keys, find_row, unknown};

/// Nanoseconds for which a program runs before others have their turn.
const SLICE_NANOS: u64 = 1_000_000;

/// What executes requests as one.
pub trait Program {
    /// Goes on with an answer to its last step.
    fn resume(&mut self, answer: Answer<'_>) -> ProgramStep;

    /// The request that it asks for: bytes, and where in them the arguments are.
    fn request(&self) -> (&[u8], &[Span]);

    /// Writes the reply to its client, once it is done.
    ///
    /// # Errors
    /// What the client is told instead.
    fn finish(&mut self, reply: &mut Reply<'_>) -> Result<(), CommandError>;

    /// The version of RESP in which it wants replies.
    fn protocol(&self) -> Protocol {
        Protocol::Resp2
    }

    /// Whether its requests may change keys.
    fn may_write(&self) -> bool {
        true
    }

    /// Whether its requests may need memory, as long as none has changed a key.
    fn may_grow(&self) -> bool {
        true
    }

    /// Whether its requests are a client's own, which may be anything that a client may send.
    fn is_transaction(&self) -> bool {
        false
    }
}

/// What a program comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramStep {
    /// It asks for a request to be executed.
    Call,
    /// It has run for a while; somebody should look at the clock.
    Pause,
    /// It is done.
    Done,
}

/// What a program is told.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// To begin, or to go on.
    Go,
    /// The reply to its request.
    Reply(&'a [u8]),
    /// Its request was refused, for this reason.
    Refused(&'a CommandError),
    /// To end.
    Kill(Kill),
}

/// A program on its way.
pub(crate) struct ProgramRun {
    /// Those begun, each called by the one before.
    stack: Vec<Box<dyn Program>>,
    /// In whose name it executes requests; the database that it has selected is its own.
    client: Client,
    /// What is reserved for it while it is put aside.
    reserved: Reserved,
    /// Those of its last request, whose memory serves for the next.
    keys: Vec<KeyAt>,
    /// Whether its last request is still to be executed.
    calling: bool,
    /// Whether it has changed keys otherwise than through their stripes.
    swept: bool,
    /// When it began: as in Redis, no time passes for keys while it runs.
    began: Option<UnixMillis>,
    token: ProgramToken,
}

/// How far a program has come.
pub(crate) enum Run {
    /// To its end: the reply is written.
    Done(Result<(), CommandError>),
    /// It is put aside.
    Aside(Box<ProgramRun>),
}

/// What came of a request of a program.
enum Called {
    /// It is executed, or refused.
    Answered,
    /// It has begun a program of its own.
    Begun,
    /// It needs everybody else to stop, and somebody was first.
    Contended,
}

const NOT_FROM_SCRIPT: CommandError = CommandError::line("ERR This Redis command is not allowed from script");
const READ_ONLY: CommandError =
    CommandError::line("ERR Write commands are not allowed from read-only scripts.");
const WRONG_ARITY: CommandError =
    CommandError::line("ERR Wrong number of args calling Redis command from script");
const UNKNOWN: CommandError = CommandError::line("ERR Unknown Redis command called from script");

/// A program that is to be run.
pub struct Launch {
    program: Box<dyn Program>,
    token: ProgramToken,
    /// What is reserved for it.
    reserved: Reserved,
}

impl Launch {
    /// Runs a program by this right.
    #[must_use]
    pub fn new(program: Box<dyn Program>, token: ProgramToken) -> Launch {
        Launch { program, token, reserved: Reserved::default() }
    }

    pub(crate) fn into_program(self) -> Box<dyn Program> {
        self.program
    }

    /// With stripes that it has from the beginning.
    pub(crate) fn holding(self, held: Held<'_>) -> Launch {
        Launch { reserved: held.reserve(), ..self }
    }
}

impl ProgramRun {
    pub(crate) fn new(launch: Launch, client: &Client) -> ProgramRun {
        let Launch { program, token, reserved } = launch;
        let mut own = Client::new(client.shared.clone(), client.authenticated);
        (own.db, own.no_touch, own.remembers) = (client.db, client.no_touch, client.remembers);
        (own.script, own.replays) = (true, client.replays);
        ProgramRun {
            stack: vec![program],
            client: own,
            reserved,
            keys: Vec::new(),
            calling: false,
            swept: false,
            began: None,
            token,
        }
    }

    /// Whose it is.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    fn top(&mut self) -> &mut dyn Program {
        &mut **self.stack.last_mut().expect("a program runs")
    }

    /// Goes on, on the worker of this turn, for a slice of time.
    pub(crate) fn go_on(mut self: Box<Self>, turn: &mut Turn<'_>, time: Time) -> Run {
        let (node, stats) = (turn.node, turn.stats);
        let time = Time { now: *self.began.get_or_insert(time.now), ..time };
        let moment = crate::node::moment(time.now, turn.settings);
        let held = Held::growing(node, stats, std::mem::take(&mut self.reserved), moment);
        node.programs.resumed();
        let mut output = Output::default();
        let mut step = if self.calling { ProgramStep::Call } else { self.resume_top(None, &mut output) };
        loop {
            match step {
                ProgramStep::Call => {
                    self.calling = true;
                    output.clear();
                    match self.call(turn, &held, &mut output, time) {
                        Ok(Called::Answered) => step = self.resume_top(Some(Ok(())), &mut output),
                        Ok(Called::Begun) => step = self.resume_top(None, &mut output),
                        Ok(Called::Contended) => return self.put_aside(held),
                        Err(error) => {
                            if !self.top().is_transaction() {
                                turn.stats.count_error(&error.code());
                            }
                            step = self.resume_top(Some(Err(error)), &mut output);
                        }
                    }
                }
                ProgramStep::Pause => {
                    let nanos = node.host.time().nanos;
                    if nanos.saturating_sub(time.nanos) >= SLICE_NANOS {
                        return self.put_aside(held);
                    }
                    step = self.resume_top(None, &mut output);
                }
                ProgramStep::Done => {
                    let mut program = self.stack.pop().expect("a program runs");
                    if self.stack.is_empty() {
                        return self.end(turn, program, held);
                    }
                    output.clear();
                    self.token.inner_ended();
                    let protocol = self.top().protocol();
                    let finished = program.finish(&mut Reply { out: &mut output, protocol });
                    step = self.resume_top(Some(finished), &mut output);
                }
            }
        }
    }

    /// Has the innermost program go on, with the answer to its request if it has asked for one.
    fn resume_top(&mut self, answer: Option<Result<(), CommandError>>, output: &mut Output) -> ProgramStep {
        self.calling = false;
        if let Some(kill) = self.token.kill() {
            return self.top().resume(Answer::Kill(kill));
        }
        let program = &mut **self.stack.last_mut().expect("a program runs");
        match answer {
            None => program.resume(Answer::Go),
            Some(Err(error)) => program.resume(Answer::Refused(&error)),
            Some(Ok(())) => match output.contiguous() {
                Some(bytes) => program.resume(Answer::Reply(bytes)),
                None => program.resume(Answer::Reply(&output.to_vec())),
            },
        }
    }

    /// Writes the reply, and lets go of everything.
    fn end(self, turn: &mut Turn<'_>, mut program: Box<dyn Program>, held: Held<'_>) -> Run {
        let protocol = turn.client.protocol;
        let finished = program.finish(&mut Reply { out: turn.output, protocol });
        drop(held);
        if self.swept {
            crate::blocking::serve_everywhere(
                turn.node,
                turn.stats,
                crate::node::moment(turn.node.host.time().now, turn.settings),
            );
        }
        Run::Done(finished)
    }

    fn put_aside(mut self: Box<Self>, held: Held<'_>) -> Run {
        self.reserved = held.reserve();
        self.token.put_aside();
        Run::Aside(self)
    }

    /// Executes the request that the innermost program asks for.
    fn call(
        &mut self,
        turn: &mut Turn<'_>,
        held: &Held<'_>,
        output: &mut Output,
        time: Time,
    ) -> Result<Called, CommandError> {
        let ProgramRun { stack, client, token, swept, keys, .. } = self;
        let program = &**stack.last().expect("a program runs");
        let (input, spans) = program.request();
        let args = Args::new(input, spans);
        let row = find_row(turn.node, args)
            .ok_or_else(|| if program.is_transaction() { unknown(turn.node, args) } else { UNKNOWN })?;
        check(row, args, program, token.has_written()).inspect_err(|_| {
            turn.stats.commands[row.index as usize].rejected.add(1);
        })?;
        keys.clear();
        extract_keys(turn.node, row, args, keys);
        if row.command.flags.has(Flags::WRITE) {
            token.note_write();
        }
        client.protocol = program.protocol();
        // A transaction's requests are its client's own, and may change the client.
        let own = (!program.is_transaction()).then_some(&mut *client);
        let begun = if row.command.scope == Scope::Keys {
            held.lock_more(keys.iter().map(|key| key.position));
            turn.execute_in_program((row, args, keys), own, (Nesting::Holding(held), output), time)
        } else {
            let Some(_all) = turn.running.exclusive() else { return Ok(Called::Contended) };
            // Nobody else is at work: nothing need be held meanwhile, and all is to be had again afterwards.
            *swept = true;
            held.unlocked(|| {
                turn.execute_in_program(
                    (row, args, keys),
                    own,
                    (Nesting::Exclusive(held.record()), output),
                    time,
                )
            })
        };
        match begun {
            None => Ok(Called::Answered),
            Some(inner) => {
                client.db = turn.client.db;
                stack.push(inner);
                Ok(Called::Begun)
            }
        }
    }
}

/// Whether a program may execute such a request.
fn check(row: Row, args: Args<'_>, program: &dyn Program, has_written: bool) -> Result<(), CommandError> {
    if program.is_transaction() {
        return Ok(());
    }
    let flags = row.command.flags;
    if !row.command.arity.accepts(args.len()) {
        return Err(WRONG_ARITY);
    }
    if flags.has(Flags::NO_SCRIPT) {
        return Err(NOT_FROM_SCRIPT);
    }
    if flags.has_any(Flags::WRITE.and(Flags::MAY_REPLICATE)) && !program.may_write() {
        return Err(READ_ONLY);
    }
    if flags.has(Flags::DENY_OOM) && !program.may_grow() && !has_written {
        return Err(OUT_OF_MEMORY);
    }
    Ok(())
}
