//! The interpreter as its caller sees it.

use std::cell::Ref;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use foldhash::fast::RandomState;
use larder_resp::{Output, Protocol};

use crate::arguments::Arguments;
use crate::base::SOURCE_BYTES_MAX;
use crate::digest::ScriptDigest;
use crate::library::Registration;
use crate::port::{Entry, Event, Exchange, LogLevel, Order, Permission, Propagation, Reference};
use crate::run::serve;

/// The size of the stack on which scripts run. Only what is touched is ever in memory: some 20 KiB for most scripts. Lua nests no
/// more than 200 calls of native functions, and ours limit their own recursion.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// What an interpreter is made with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many bytes scripts may have in use. What goes beyond is an error in the script that does.
    pub memory_limit: usize,
    /// Where `math.random` begins. It goes on from script to script, as in Redis 7.
    pub random_seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { memory_limit: 512 * 1024 * 1024, random_seed: crate::random::REDIS_SEED }
    }
}

/// Lua with Redis's environment, in which one script runs at a time, on a stack of its own.
///
/// It stays with the thread that made it. To have several scripts under way on one thread, have several interpreters.
pub struct Interpreter {
    state: Box<State>,
}

struct State {
    coroutine: Coroutine<Order, Event, (), DefaultStack>,
    exchange: Rc<Exchange>,
    scripts: HashMap<ScriptDigest, Reference, RandomState>,
    libraries: HashMap<Vec<u8>, Vec<Registration>, RandomState>,
}

/// What a script is given.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a, K, A> {
    /// Its keys.
    pub keys: K,
    /// Its other arguments.
    pub arguments: A,
    /// The protocol of the client that gets its reply.
    pub protocol: Protocol,
    /// By what its errors call it: a script's digest, a function's name.
    pub name: &'a [u8],
}

/// A script under way. Dropping it ends it.
pub struct Run {
    interpreter: Option<Interpreter>,
    next: Order,
    done: bool,
    library: Option<Vec<u8>>,
}

/// With what a script goes on.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// At the start, and after a pause or a line for the log.
    Go,
    /// The command's reply, in the protocol that [`Run::protocol`] says.
    Reply(&'a [u8]),
    /// The command was not executed. The text may begin with a dash and a code; without, its code is ERR.
    Refused(&'a [u8]),
    /// The answer to [`Step::Permission`].
    Permission(Permission),
}

/// What a script has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It wants a command executed: see [`Run::arguments`].
    Call,
    /// It wants to know whether its user may execute a command: see [`Run::arguments`].
    Permission,
    /// It has a line for the log: see [`Run::text`].
    Log(LogLevel),
    /// It has run for about 5 microseconds since it was resumed.
    Paused,
    /// It has ended.
    Done(Ending),
}

/// How a script has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a reply: see [`Run::reply`].
    Replied,
    /// With an error: see [`Run::text`]. Of one that a command caused, the command's execution has been told already.
    Failed {
        /// Whether the error has been counted.
        counted: bool,
    },
    /// A library has registered its functions: see [`Interpreter::functions`].
    Registered,
}

impl std::fmt::Debug for Interpreter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Interpreter")
            .field("scripts", &self.state.scripts.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Run").field("done", &self.done).finish_non_exhaustive()
    }
}

impl Interpreter {
    /// Makes one, with its sandbox: about 100 KiB and 160 microseconds.
    ///
    /// # Errors
    ///
    /// There is no memory for its stack, or too little for the sandbox.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let exchange = Rc::new(Exchange::default());
        let theirs = Rc::clone(&exchange);
        let coroutine = Coroutine::with_stack(DefaultStack::new(STACK_BYTES)?, move |yielder, _| {
            serve(yielder, theirs, settings);
        });
        let state = Box::new(State {
            coroutine,
            exchange,
            scripts: HashMap::default(),
            libraries: HashMap::default(),
        });
        let mut interpreter = Self { state };
        match interpreter.order(Order::Go) {
            Event::Idle => Ok(interpreter),
            _ => Err(io::Error::other("the sandbox of scripts cannot be built")),
        }
    }

    fn order(&mut self, order: Order) -> Event {
        match self.state.coroutine.resume(order) {
            CoroutineResult::Yield(event) => event,
            CoroutineResult::Return(()) => Event::Faulty,
        }
    }

    /// Compiles a script, given without its first line if that says something about it.
    ///
    /// # Errors
    ///
    /// It is no Lua: the error says where.
    pub fn load(&mut self, digest: ScriptDigest, body: &[u8]) -> Result<(), Vec<u8>> {
        if self.state.scripts.contains_key(&digest) {
            return Ok(());
        }
        if body.len() > SOURCE_BYTES_MAX {
            return Err(b"script is too large".to_vec());
        }
        self.answer(body);
        match self.order(Order::Compile) {
            Event::Compiled(reference) => {
                self.state.scripts.insert(digest, reference);
                Ok(())
            }
            _ => Err(self.state.exchange.text.borrow().clone()),
        }
    }

    /// Whether the script has been compiled.
    #[must_use]
    pub fn has_script(&self, digest: ScriptDigest) -> bool {
        self.state.scripts.contains_key(&digest)
    }

    /// Forgets a script.
    pub fn forget_script(&mut self, digest: ScriptDigest) {
        if let Some(reference) = self.state.scripts.remove(&digest) {
            self.order(Order::Forget(reference));
        }
    }

    /// How many scripts have been compiled.
    #[must_use]
    pub fn script_count(&self) -> usize {
        self.state.scripts.len()
    }

    /// Forgets those scripts that are not to stay.
    pub fn retain_scripts(&mut self, stays: impl Fn(ScriptDigest) -> bool) {
        let going: Vec<_> = self.state.scripts.keys().copied().filter(|digest| !stays(*digest)).collect();
        going.into_iter().for_each(|digest| self.forget_script(digest));
    }

    /// Forgets all scripts.
    pub fn forget_scripts(&mut self) {
        for (_, reference) in std::mem::take(&mut self.state.scripts) {
            self.order(Order::Forget(reference));
        }
    }

    /// The functions of a library, if it has been loaded.
    #[must_use]
    pub fn functions(&self, library: &[u8]) -> Option<&[Registration]> {
        self.state.libraries.get(library).map(Vec::as_slice)
    }

    /// Forgets those libraries that are not to stay.
    pub fn retain_libraries(&mut self, stays: impl Fn(&[u8]) -> bool) {
        let going: Vec<_> = self.state.libraries.keys().filter(|name| !stays(name)).cloned().collect();
        going.iter().for_each(|name| self.forget_library(name));
    }

    /// Forgets a library with its functions.
    pub fn forget_library(&mut self, library: &[u8]) {
        for function in self.state.libraries.remove(library).into_iter().flatten() {
            self.order(Order::Forget(function.reference));
        }
    }

    /// Prepares to run a script. The first [`Run::resume`] starts it.
    ///
    /// # Errors
    ///
    /// The script has not been loaded; the interpreter comes back.
    pub fn start_script<'a, K, A>(self, digest: ScriptDigest, start: Start<'_, K, A>) -> Result<Run, Self>
    where
        K: IntoIterator<Item = &'a [u8]>,
        A: IntoIterator<Item = &'a [u8]>,
    {
        match self.state.scripts.get(&digest) {
            Some(&reference) => Ok(self.start(Entry::Script(reference), KILLED_SCRIPT, start)),
            None => Err(self),
        }
    }

    /// Prepares to run a function of a library. The first [`Run::resume`] starts it.
    ///
    /// # Errors
    ///
    /// The library has not been loaded or has no such function; the interpreter comes back.
    pub fn start_function<'a, K, A>(self, library: &[u8], start: Start<'_, K, A>) -> Result<Run, Self>
    where
        K: IntoIterator<Item = &'a [u8]>,
        A: IntoIterator<Item = &'a [u8]>,
    {
        let functions = self.state.libraries.get(library).into_iter().flatten();
        let Some(function) = functions.into_iter().find(|function| function.name == start.name) else {
            return Err(self);
        };
        let reference = function.reference;
        Ok(self.start(Entry::Function(reference), KILLED_FUNCTION, start))
    }

    fn start<'a, K, A>(self, entry: Entry, killed_by: &'static str, start: Start<'_, K, A>) -> Run
    where
        K: IntoIterator<Item = &'a [u8]>,
        A: IntoIterator<Item = &'a [u8]>,
    {
        let exchange = &self.state.exchange;
        {
            let mut arguments = exchange.arguments.borrow_mut();
            arguments.clear();
            start.keys.into_iter().for_each(|key| arguments.push(key));
            exchange.keys.set(arguments.len());
            start.arguments.into_iter().for_each(|argument| arguments.push(argument));
            let mut name = exchange.name.borrow_mut();
            name.clear();
            name.extend_from_slice(start.name);
        }
        exchange.client_protocol.set(start.protocol);
        exchange.script_protocol.set(Protocol::Resp2);
        exchange.propagation.set(Propagation::ALL);
        exchange.reply.borrow_mut().clear();
        exchange.killed.set(None);
        exchange.killed_by.set(killed_by);
        Run { interpreter: Some(self), next: Order::Run(entry), done: false, library: None }
    }

    /// Prepares to load a library under a name, from its source without the first line. When its run is done, its functions can
    /// be started; an older library of that name stays until then. It gets no keys and can call no command, so that all it does
    /// is to pause, to log, and to end: whoever resumes it ends it after a while.
    #[must_use]
    pub fn start_library(self, name: &[u8], body: &[u8]) -> Run {
        self.answer(body);
        self.state.exchange.registrations.borrow_mut().clear();
        self.state.exchange.killed.set(None);
        self.state.exchange.killed_by.set(LOAD_TIMEOUT);
        Run { interpreter: Some(self), next: Order::Register, done: false, library: Some(name.to_vec()) }
    }

    /// Leaves bytes for the coroutine.
    fn answer(&self, bytes: &[u8]) {
        let mut answer = self.state.exchange.answer.borrow_mut();
        answer.clear();
        answer.extend_from_slice(bytes);
    }

    /// Gives memory back that only an unusual script needed.
    fn shrink(&self) {
        self.state.exchange.arguments.borrow_mut().shrink();
        let mut answer = self.state.exchange.answer.borrow_mut();
        if answer.capacity() > KEPT_ANSWER_BYTES {
            *answer = Vec::new();
        }
    }
}

const KILLED_SCRIPT: &str = "Script killed by user with SCRIPT KILL.";
const KILLED_FUNCTION: &str = "Script killed by user with FUNCTION KILL.";
const LOAD_TIMEOUT: &str = "FUNCTION LOAD timeout";

/// The buffer of answers keeps its memory up to this many bytes.
const KEPT_ANSWER_BYTES: usize = 64 * 1024;

impl Drop for Interpreter {
    fn drop(&mut self) {
        if !self.state.coroutine.done() {
            self.order(Order::Exit);
        }
    }
}

impl Run {
    /// Goes on until there is something for the caller to do.
    #[inline]
    pub fn resume(&mut self, answer: Answer<'_>) -> Step {
        let Some(interpreter) = self.interpreter.as_mut().filter(|_| !self.done) else {
            return Step::Done(Ending::Failed { counted: false });
        };
        let order = std::mem::replace(&mut self.next, Order::Go);
        let order = match answer {
            Answer::Go => order,
            Answer::Reply(reply) => {
                interpreter.answer(reply);
                order
            }
            Answer::Refused(text) => {
                interpreter.answer(text);
                Order::Refuse
            }
            Answer::Permission(permission) => {
                interpreter.state.exchange.permission.set(permission);
                order
            }
        };
        let ending = match interpreter.order(order) {
            Event::Call => return Step::Call,
            Event::Permission => return Step::Permission,
            Event::Log(level) => return Step::Log(level),
            Event::Paused => return Step::Paused,
            Event::Replied => Ending::Replied,
            Event::Registered => {
                let functions = std::mem::take(&mut *interpreter.state.exchange.registrations.borrow_mut());
                let name = self.library.take().unwrap_or_default();
                interpreter.forget_library(&name);
                interpreter.state.libraries.insert(name, functions);
                Ending::Registered
            }
            Event::Failed { counted } => Ending::Failed { counted },
            Event::Idle | Event::Compiled(_) | Event::Faulty => Ending::Failed { counted: false },
        };
        self.done = true;
        if !matches!(ending, Ending::Replied) {
            interpreter.state.exchange.reply.borrow_mut().clear();
            let functions = std::mem::take(&mut *interpreter.state.exchange.registrations.borrow_mut());
            for function in functions {
                interpreter.order(Order::Forget(function.reference));
            }
        }
        Step::Done(ending)
    }

    /// Sees to it that the script ends: whatever it does when it is resumed next, it fails, and cannot catch that.
    pub fn kill(&mut self) {
        if let Some(interpreter) = &self.interpreter {
            interpreter.state.exchange.killed.set(Some(interpreter.state.exchange.killed_by.get()));
        }
    }

    fn exchange(&self) -> &Exchange {
        // The interpreter is taken out only when the run goes.
        &self.interpreter.as_ref().expect("a run has its interpreter").state.exchange
    }

    /// The command of [`Step::Call`] and [`Step::Permission`], until the next `resume`.
    #[must_use]
    pub fn arguments(&self) -> Ref<'_, Arguments> {
        self.exchange().arguments.borrow()
    }

    /// Exchanges that command's arguments for a list that is no longer needed, without copying them.
    pub fn swap_arguments(&mut self, arguments: &mut Arguments) {
        std::mem::swap(&mut *self.exchange().arguments.borrow_mut(), arguments);
    }

    /// In which protocol the script wants its replies.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.exchange().script_protocol.get()
    }

    /// Where the script's writes are to go.
    #[must_use]
    pub fn propagation(&self) -> Propagation {
        self.exchange().propagation.get()
    }

    /// The text of an error, without the dash before it, or of a line for the log.
    #[must_use]
    pub fn text(&self) -> Ref<'_, Vec<u8>> {
        self.exchange().text.borrow()
    }

    /// Appends the reply to an output.
    pub fn reply(&mut self, out: &mut Output) {
        let mut reply = self.exchange().reply.borrow_mut();
        match reply.contiguous() {
            Some(bytes) => {
                out.raw(bytes);
                reply.clear();
            }
            None => out.append(reply.take()),
        }
    }

    /// Gives the interpreter back for the next script. One that has not ended is ended.
    #[must_use]
    pub fn finish(mut self) -> Interpreter {
        self.end();
        let interpreter = self.interpreter.take().expect("a run has its interpreter");
        interpreter.shrink();
        interpreter
    }

    /// Ends what is under way.
    fn end(&mut self) {
        self.kill();
        while self.interpreter.is_some() && !self.done && self.is_started() {
            self.resume(Answer::Go);
        }
    }

    fn is_started(&self) -> bool {
        self.next == Order::Go
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end();
    }
}
