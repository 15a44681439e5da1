//! What a script's coroutine and its caller share: buffers, and the few words that pass between them.
//!
//! Nothing here borrows from the caller. What is to be said lies in an [`Exchange`], which both sides hold; a switch of stacks
//! tells the other side to look at it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corosensei::Yielder;
use larder_resp::{Output, Protocol};

use crate::arguments::Arguments;
use crate::json::JsonSettings;
use crate::library::Registration;
use crate::random::Random;

/// What the caller asks of the coroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Go on with what was suspended; for a command, its reply lies in the exchange.
    Go,
    /// The command was refused before it ran: the reason lies in the exchange.
    Refuse,
    /// Compile the source that lies in the exchange, for scripts.
    Compile,
    /// Compile and run the library that lies in the exchange.
    Register,
    /// Run what an earlier order compiled.
    Run(Entry),
    /// Forget what an earlier order compiled.
    Forget(Reference),
    /// Leave.
    Exit,
}

/// A function in Lua's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference(pub(crate) i32);

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A script: it finds KEYS and ARGV among its globals.
    Script(Reference),
    /// A function of a library: it is given both as arguments.
    Function(Reference),
}

/// What the coroutine has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It waits for an order.
    Idle,
    /// What was compiled can be run.
    Compiled(Reference),
    /// What was to be compiled or registered has a fault: its text lies in the exchange.
    Faulty,
    /// A library has registered its functions.
    Registered,
    /// A command is to be executed: its arguments lie in the exchange.
    Call,
    /// Whether the user may execute the command in the exchange.
    Permission,
    /// A line for the log lies in the exchange.
    Log(LogLevel),
    /// A slice of time is over.
    Paused,
    /// The reply lies in the exchange.
    Replied,
    /// The error's text lies in the exchange.
    Failed { counted: bool },
}

/// How much a line of `redis.log` matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `redis.LOG_DEBUG`.
    Debug,
    /// `redis.LOG_VERBOSE`.
    Verbose,
    /// `redis.LOG_NOTICE`.
    Notice,
    /// `redis.LOG_WARNING`.
    Warning,
}

/// Where a script wants its writes to go (`redis.set_repl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// Into the append log.
    pub log: bool,
    /// To the replicas.
    pub replicas: bool,
}

impl Default for Propagation {
    fn default() -> Self {
        Self::ALL
    }
}

impl Propagation {
    /// To both, which is how every script begins.
    pub const ALL: Self = Self { log: true, replicas: true };
}

/// The answer to whether a command is permitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// The user may.
    Granted,
    /// The user may not.
    #[default]
    Denied,
    /// There is no such command.
    UnknownCommand,
}

/// The buffers through which both sides speak.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// The command's arguments; at the start, keys and arguments of the script.
    pub(crate) arguments: RefCell<Arguments>,
    /// How many of the arguments at the start are keys.
    pub(crate) keys: Cell<usize>,
    /// What comes from the caller: a reply, a refusal, a source.
    pub(crate) answer: RefCell<Vec<u8>>,
    /// The answer about a permission.
    pub(crate) permission: Cell<Permission>,
    /// The reply to the client.
    pub(crate) reply: RefCell<Output>,
    /// Texts for the caller: an error, a line of the log.
    pub(crate) text: RefCell<Vec<u8>>,
    /// What a library has registered so far.
    pub(crate) registrations: RefCell<Vec<Registration>>,
    /// What the client speaks.
    pub(crate) client_protocol: Cell<Protocol>,
    /// What the script speaks (`redis.setresp`).
    pub(crate) script_protocol: Cell<Protocol>,
    /// Where writes go.
    pub(crate) propagation: Cell<Propagation>,
    /// With which words everything is to end, if it is.
    pub(crate) killed: Cell<Option<&'static str>>,
    /// With which it would be.
    pub(crate) killed_by: Cell<&'static str>,
    /// The script's name, for its errors.
    pub(crate) name: RefCell<Vec<u8>>,
}

/// What a native function finds beside Lua's stack: the way out of the coroutine, and the state that lasts as long as the
/// interpreter does.
pub(crate) struct Port<'coroutine> {
    pub(crate) yielder: &'coroutine Yielder<Order, Event>,
    pub(crate) exchange: Rc<Exchange>,
    /// Where texts are put together before they become Lua's.
    pub(crate) scratch: RefCell<Vec<u8>>,
    /// `math.random`.
    pub(crate) random: Random,
    /// `cjson`'s settings.
    pub(crate) json: JsonSettings,
    /// Whether a library is being registered.
    pub(crate) registering: Cell<bool>,
    /// Whether a function runs, which has globals of its own.
    pub(crate) in_function: Cell<bool>,
    /// Where the parts of the sandbox are kept.
    pub(crate) sandbox: [Cell<Reference>; crate::sandbox::Sandbox::LEN],
    /// Work done since the last pause by what Lua's instruction count does not see.
    pub(crate) work: Cell<usize>,
    /// How much memory one script may have.
    pub(crate) memory_limit: usize,
}
