//! The row of a command: one constant, beside its handler, from which everything known about the command is derived.

use std::fmt;

use crate::args::{Args, is_word};
use crate::context::Context;
use crate::error::CommandError;
use crate::node::Node;
use crate::outcome::CommandResult;
use crate::recording::Logged;

/// What runs a command.
pub type Handler = fn(&mut Context<'_>) -> CommandResult;

/// One command, or one subcommand of a container.
#[derive(Clone, Copy)]
pub struct Command {
    /// Lower-case name; a subcommand's is its own word only.
    pub name: &'static str,
    /// The arguments in the notation of the commands' reference, one line, from which COMMAND DOCS takes them.
    pub syntax: &'static str,
    /// What it does: one sentence.
    pub summary: &'static str,
    /// The family it belongs to.
    pub group: Group,
    /// The version of Redis (or Valkey, or Larder) that had it first.
    pub since: &'static str,
    /// Cost in O-notation.
    pub complexity: &'static str,
    /// How many arguments it takes, its name included.
    pub arity: Arity,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Where the shard channels are that it is about, which decide about nodes as keys do.
    pub channels: &'static [KeySpec],
    /// Which part of the keyspace it may touch.
    pub scope: Scope,
    /// Facts that gates and clients decide by.
    pub flags: Flags,
    /// ACL categories beyond those that follow from group and flags.
    pub acl: &'static [&'static str],
    /// Hints for clients, as COMMAND INFO gives them.
    pub tips: &'static [&'static str],
    /// Later changes: version and what it brought.
    pub history: &'static [(&'static str, &'static str)],
    /// The version since which another command should be used, and that command.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Says whether the argument of an index is a secret, which no log may show.
    pub is_secret: fn(Args<'_>, usize) -> bool,
    /// Says of a request which may write, as far as the flags go, that it will not.
    pub only_reads: fn(&Node, Args<'_>) -> bool,
    /// As what it stands in the append log, if it has changed anything.
    pub logged: fn(Args<'_>) -> Logged,
    /// Says of a request that it reckons from the present time, so that it does something else when it is read from a log.
    pub counts_from_now: fn(Args<'_>) -> bool,
    /// For a container: its subcommands.
    pub subcommands: &'static [Command],
    /// The handler.
    pub run: Handler,
}

impl Command {
    /// The columns that most rows leave empty; the others must be given.
    pub const PLAIN: Command = Command {
        name: "",
        syntax: "",
        summary: "",
        group: Group::Generic,
        since: "",
        complexity: "",
        arity: Arity::Exactly(1),
        keys: &[],
        channels: &[],
        scope: Scope::Keys,
        flags: Flags::NONE,
        acl: &[],
        tips: &[],
        history: &[],
        deprecated: None,
        is_secret: |_, _| false,
        only_reads: |_, _| false,
        logged: |_| Logged::AsSent,
        counts_from_now: |_| false,
        subcommands: &[],
        run: container_without_subcommand,
    };

    /// Whether the name is the command's; case does not matter.
    #[must_use]
    pub fn is_named(&self, name: &[u8]) -> bool {
        self.name.as_bytes().eq_ignore_ascii_case(name)
    }

    /// Whether it takes so little time that a clock would be the larger part of timing it.
    #[inline]
    #[must_use]
    pub const fn is_brief(&self) -> bool {
        self.flags.has_any(Flags::FAST.and(Flags::BRIEF)) && !self.flags.has(Flags::CHANGES_CLIENT)
    }

    /// The ACL categories in the order in which Redis lists them: derived from group and flags, and the row's own. A container,
    /// which does nothing by itself, is in none of its group's.
    #[must_use]
    pub fn categories(&self) -> Vec<&'static str> {
        let flags = self.flags;
        let mut categories = Vec::new();
        let derived = [
            (flags.has(Flags::WRITE), "write"),
            // As in Redis: a read-only command of no data (scripting, connection) is not in the category read.
            (flags.has(Flags::READONLY) && self.group.is_data(), "read"),
            (flags.has(Flags::ADMIN), "admin"),
            (flags.has(Flags::ADMIN), "dangerous"),
            (flags.has(Flags::PUBSUB), "pubsub"),
            (flags.has(Flags::FAST), "fast"),
            (!flags.has(Flags::FAST), "slow"),
            (flags.has(Flags::BLOCKING), "blocking"),
        ];
        categories.extend(derived.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name));
        // A row that names other families (WAIT, SORT) is in those only.
        let elsewhere = self.acl.iter().any(|name| ["connection", "list"].contains(name));
        let of_group = self.group.category().filter(|_| self.subcommands.is_empty() && !elsewhere);
        categories.extend(of_group);
        categories.extend(self.acl);
        CATEGORIES.iter().copied().filter(|name| categories.contains(name)).collect()
    }
}

/// Every ACL category, in the order in which Redis lists them.
pub const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A container is called by its subcommands' names; dispatch answers a call without one by arity before it comes here.
fn container_without_subcommand(cx: &mut Context<'_>) -> CommandResult {
    Err(CommandError::WrongArity(cx.command.name.into()))
}

/// A family of commands, as COMMAND DOCS names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Keys of any type.
    Generic,
    /// Strings.
    String,
    /// Strings as bits.
    Bitmap,
    /// Strings that estimate how many different elements were added.
    HyperLogLog,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Sorted sets of places.
    Geo,
    /// Hashes.
    Hash,
    /// Streams.
    Stream,
    /// Several requests as one.
    Transactions,
    /// Scripts and functions.
    Scripting,
    /// Publish and subscribe.
    PubSub,
    /// The connection itself.
    Connection,
    /// The server.
    Server,
}

impl Group {
    /// The name that COMMAND DOCS prints.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::Bitmap => "bitmap",
            Group::HyperLogLog => "hyperloglog",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Geo => "geo",
            Group::Hash => "hash",
            Group::Stream => "stream",
            Group::Transactions => "transactions",
            Group::Scripting => "scripting",
            Group::PubSub => "pubsub",
            Group::Connection => "connection",
            Group::Server => "server",
        }
    }

    /// The ACL category of the family, if it has one.
    #[must_use]
    pub fn category(self) -> Option<&'static str> {
        match self {
            Group::Generic => Some("keyspace"),
            Group::String => Some("string"),
            Group::Bitmap => Some("bitmap"),
            Group::HyperLogLog => Some("hyperloglog"),
            Group::List => Some("list"),
            Group::Set => Some("set"),
            Group::SortedSet => Some("sortedset"),
            Group::Geo => Some("geo"),
            Group::Hash => Some("hash"),
            Group::Stream => Some("stream"),
            Group::Transactions => Some("transaction"),
            Group::Scripting => Some("scripting"),
            // Those that publish or subscribe have a flag.
            Group::PubSub => None,
            Group::Connection => Some("connection"),
            Group::Server => None,
        }
    }

    /// Whether its commands work on collections of one type.
    #[must_use]
    pub fn is_collection(self) -> bool {
        matches!(self, Group::List | Group::Set | Group::SortedSet | Group::Hash | Group::Stream)
    }

    fn is_data(self) -> bool {
        !matches!(
            self,
            Group::Transactions | Group::Scripting | Group::PubSub | Group::Connection | Group::Server
        )
    }
}

/// How many arguments a command takes, its name (and a subcommand's) included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// This many.
    Exactly(u8),
    /// This many or more.
    AtLeast(u8),
}

impl Arity {
    /// Whether a request of `len` arguments fits.
    #[inline]
    #[must_use]
    pub fn accepts(self, len: usize) -> bool {
        match self {
            Arity::Exactly(count) => len == usize::from(count),
            Arity::AtLeast(count) => len >= usize::from(count),
        }
    }

    /// The number that COMMAND INFO prints: negative for a minimum.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Arity::Exactly(count) => i64::from(count),
            Arity::AtLeast(count) => -i64::from(count),
        }
    }
}

/// Which part of the keyspace a command may touch, and so how it is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The stripes of its keys, all locked before the first effect.
    Keys,
    /// Each stripe in turn, one at a time.
    EachStripe,
    /// The whole keyspace, with nobody else at work.
    Exclusive,
}

/// A set of facts about a command, named as COMMAND INFO prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// No fact.
    pub const NONE: Flags = Flags(0);
    /// Changes keys.
    pub const WRITE: Flags = Flags(1);
    /// Reads keys and changes none.
    pub const READONLY: Flags = Flags(1 << 1);
    /// May take memory: refused when there is none left.
    pub const DENY_OOM: Flags = Flags(1 << 2);
    /// For administrators.
    pub const ADMIN: Flags = Flags(1 << 3);
    /// Publish and subscribe.
    pub const PUBSUB: Flags = Flags(1 << 4);
    /// Not from scripts.
    pub const NO_SCRIPT: Flags = Flags(1 << 5);
    /// May wait.
    pub const BLOCKING: Flags = Flags(1 << 6);
    /// Allowed while a snapshot is loaded.
    pub const LOADING: Flags = Flags(1 << 7);
    /// Allowed on a replica that has lost its primary.
    pub const STALE: Flags = Flags(1 << 8);
    /// Not shown by MONITOR.
    pub const SKIP_MONITOR: Flags = Flags(1 << 9);
    /// Not in the slow log.
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 10);
    /// Constant or logarithmic time: timed by the batch.
    pub const FAST: Flags = Flags(1 << 11);
    /// Allowed before authentication.
    pub const NO_AUTH: Flags = Flags(1 << 12);
    /// Not inside MULTI.
    pub const NO_MULTI: Flags = Flags(1 << 13);
    /// Allowed while a script runs too long.
    pub const ALLOW_BUSY: Flags = Flags(1 << 14);
    /// Its keys may be none.
    pub const NO_MANDATORY_KEYS: Flags = Flags(1 << 15);
    /// Only when the matching enable-* directive allows it.
    pub const PROTECTED: Flags = Flags(1 << 16);
    /// As short as a fast one, though clients are not told so, nor is the ACL: timed by the batch all the same.
    pub const BRIEF: Flags = Flags(1 << 17);
    /// Changes what the client's next requests are parsed by: authentication, protocol, the end of the connection.
    pub const CHANGES_CLIENT: Flags = Flags(1 << 18);

    /// For the people who build the server.
    pub const SYSTEM: Flags = Flags(1 << 19);

    /// Not while a replica loads a new snapshot beside the data that it serves.
    pub const NO_ASYNC_LOADING: Flags = Flags(1 << 20);

    /// Works on a slot that is being moved here without being asked for.
    pub const ASKING: Flags = Flags(1 << 21);

    /// Executed at once also after MULTI, which queues the others.
    pub const UNQUEUED: Flags = Flags(1 << 23);

    /// Executes what was queued.
    pub const RUNS_QUEUE: Flags = Flags(1 << 24);

    /// Runs a program: a script or a function.
    pub const RUNS_PROGRAM: Flags = Flags(1 << 25);

    /// Leaves it to the request that follows to be the one for which CLIENT CACHING was given.
    pub const KEEPS_CACHING: Flags = Flags(1 << 26);

    /// Allowed to a client of RESP2 that subscribes to something.
    pub const FOR_LISTENERS: Flags = Flags(1 << 27);

    /// Reads, and may leave something for replicas all the same.
    pub const MAY_REPLICATE: Flags = Flags(1 << 22);

    const NAMES: [(Flags, &'static str); 18] = [
        (Flags::WRITE, "write"),
        (Flags::READONLY, "readonly"),
        (Flags::DENY_OOM, "denyoom"),
        (Flags::ADMIN, "admin"),
        (Flags::PUBSUB, "pubsub"),
        (Flags::NO_SCRIPT, "noscript"),
        (Flags::BLOCKING, "blocking"),
        (Flags::LOADING, "loading"),
        (Flags::STALE, "stale"),
        (Flags::SKIP_MONITOR, "skip_monitor"),
        (Flags::SKIP_SLOWLOG, "skip_slowlog"),
        (Flags::ASKING, "asking"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
        (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        (Flags::NO_MULTI, "no_multi"),
        (Flags::ALLOW_BUSY, "allow_busy"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all of `other` hold.
    #[inline]
    #[must_use]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` holds.
    #[inline]
    #[must_use]
    pub const fn has_any(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// The names that COMMAND INFO prints.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Flags::NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}

/// What a command does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(u16);

impl Access {
    const RO: Access = Access(1);
    const RW: Access = Access(1 << 1);
    const OW: Access = Access(1 << 2);
    const RM: Access = Access(1 << 3);
    const ACCESS: Access = Access(1 << 4);
    const UPDATE: Access = Access(1 << 5);
    const INSERT: Access = Access(1 << 6);
    const DELETE: Access = Access(1 << 7);
    /// Is no key, but a channel of a shard.
    pub const CHANNEL: Access = Access(1 << 8);

    /// Looks at the value and returns it or something derived from it.
    pub const READ: Access = Access::RO.and(Access::ACCESS);
    /// Looks only at what is beside the value: existence, type, expiry.
    pub const INSPECT: Access = Access::RO;
    /// Changes the value, depending on what it was, without returning it.
    pub const UPDATE_ONLY: Access = Access::RW.and(Access::UPDATE);
    /// Changes the value and returns something of it.
    pub const READ_AND_UPDATE: Access = Access::RW.and(Access::ACCESS).and(Access::UPDATE);
    /// Returns something of the value and keeps a note in it.
    pub const READ_AND_CACHE: Access = Access::RW.and(Access::ACCESS);
    /// Adds to the value and returns something of it.
    pub const READ_AND_ADD: Access = Access::RW.and(Access::ACCESS).and(Access::INSERT);
    /// Adds to the value, never replacing what is there.
    pub const ADD: Access = Access::RW.and(Access::INSERT);
    /// Puts a new value in place, whatever was there.
    pub const OVERWRITE: Access = Access::OW.and(Access::UPDATE);
    /// Puts a value in place only where there is none.
    pub const CREATE: Access = Access::OW.and(Access::INSERT);
    /// Removes parts of the value, and perhaps the key with the last of them.
    pub const REMOVE_PART: Access = Access::RW.and(Access::DELETE);
    /// Removes the key.
    pub const REMOVE: Access = Access::RM.and(Access::DELETE);
    /// Returns the value and removes the key.
    pub const READ_AND_DELETE: Access = Access::RW.and(Access::ACCESS).and(Access::DELETE);

    const NAMES: [(Access, &'static str); 9] = [
        (Access::RO, "RO"),
        (Access::RW, "RW"),
        (Access::OW, "OW"),
        (Access::RM, "RM"),
        (Access::ACCESS, "access"),
        (Access::UPDATE, "update"),
        (Access::INSERT, "insert"),
        (Access::DELETE, "delete"),
        (Access::CHANNEL, "not_key"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Access) -> Access {
        Access(self.0 | other.0)
    }

    /// Whether the key may change.
    #[must_use]
    pub const fn writes(self) -> bool {
        self.0 & Access::RO.0 == 0
    }

    /// The names that COMMAND GETKEYSANDFLAGS prints.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Access::NAMES.iter().filter(move |(flag, _)| self.0 & flag.0 != 0).map(|(_, name)| *name)
    }
}

/// Where some of a command's keys are among its arguments, and what it does with them.
#[derive(Clone, Copy)]
pub struct KeySpec {
    /// Where they begin.
    pub begin: usize,
    /// How they go on from there.
    pub find: FindKeys,
    /// What happens to them.
    pub access: Access,
    /// What the flags cannot say.
    pub notes: &'static str,
    /// Tells the access from the arguments when it varies (SET with GET, BITFIELD); `access` is then the widest.
    pub variable_access: Option<fn(Args<'_>) -> Access>,
}

/// How the keys of a spec follow from its beginning.
#[derive(Clone, Copy, Debug)]
pub enum FindKeys {
    /// From the beginning to `last` (relative to it; negative from the end of the arguments), every `step`-th argument.
    Range {
        /// Last one, relative to the beginning; -1 = the last argument.
        last: i32,
        /// Distance between keys.
        step: usize,
    },
    /// At the beginning stands the number of keys; the first follows, `step` arguments apart.
    Counted {
        /// Distance between keys.
        step: usize,
    },
    /// The argument behind the last of these words, at or after an index.
    After {
        /// The word.
        word: &'static str,
        /// The first place at which it may stand.
        from: usize,
    },
    /// The first half of the arguments from an index on, which the function finds; the index follows the first of these words, at or
    /// after an index.
    FirstHalf {
        /// The word.
        word: &'static str,
        /// The first place at which it may stand.
        from: usize,
        /// Finds the first key.
        find: fn(Args<'_>) -> Option<usize>,
    },
    /// One key at most, behind an option that the function finds. Clients are told that they cannot know.
    Optional(fn(Args<'_>) -> Option<usize>),
}

impl KeySpec {
    /// One key: the first argument.
    #[must_use]
    pub const fn one(access: Access) -> KeySpec {
        KeySpec::at(1, access)
    }

    /// One key at an index.
    #[must_use]
    pub const fn at(begin: usize, access: Access) -> KeySpec {
        KeySpec::range(begin, 0, 1, access)
    }

    /// All arguments from the first on.
    #[must_use]
    pub const fn all(access: Access) -> KeySpec {
        KeySpec::range(1, -1, 1, access)
    }

    /// From `begin` to `last`, every `step`-th argument.
    #[must_use]
    pub const fn range(begin: usize, last: i32, step: usize, access: Access) -> KeySpec {
        KeySpec { begin, find: FindKeys::Range { last, step }, access, notes: "", variable_access: None }
    }

    /// As many as the argument at `begin` says.
    #[must_use]
    pub const fn counted(begin: usize, step: usize, access: Access) -> KeySpec {
        KeySpec { begin, find: FindKeys::Counted { step }, access, notes: "", variable_access: None }
    }

    /// With an access that depends on the arguments.
    #[must_use]
    pub const fn varying(self, access: fn(Args<'_>) -> Access, notes: &'static str) -> KeySpec {
        KeySpec { variable_access: Some(access), notes, ..self }
    }

    /// What happens to the keys in this request.
    #[must_use]
    pub fn access_in(&self, args: Args<'_>) -> Access {
        self.variable_access.map_or(self.access, |access| access(args))
    }

    /// The indices of the keys among `args`.
    ///
    /// # Errors
    /// The number of keys is not a number, or there are not as many.
    #[inline]
    pub fn indices(&self, args: Args<'_>) -> Result<Indices, InvalidKeys> {
        let (first, last, step) = match self.find {
            FindKeys::Range { last, step } => {
                let last = match usize::try_from(last) {
                    Ok(last) => self.begin + last,
                    Err(_) => args.len().checked_sub(last.unsigned_abs() as usize).ok_or(InvalidKeys)?,
                };
                (self.begin, last, step)
            }
            FindKeys::Counted { step } => {
                let count = args.find(self.begin).and_then(larder_store::parse_integer).ok_or(InvalidKeys)?;
                let count = usize::try_from(count).map_err(|_| InvalidKeys)?;
                if count == 0 {
                    return Err(InvalidKeys);
                }
                let last = (count - 1).checked_mul(step).and_then(|span| span.checked_add(self.begin + 1));
                (self.begin + 1, last.ok_or(InvalidKeys)?, step)
            }
            FindKeys::After { word, from } => {
                let mut places = from..args.len().saturating_sub(1);
                match places.rfind(|index| is_word(args.at(*index), word)) {
                    Some(index) => (index + 1, index + 1, 1),
                    None => return Ok(Indices::NONE),
                }
            }
            FindKeys::FirstHalf { find, .. } => match find(args).filter(|first| *first < args.len()) {
                Some(first) if (args.len() - first).is_multiple_of(2) => {
                    (first, (first + args.len()) / 2 - 1, 1)
                }
                _ => return Err(InvalidKeys),
            },
            FindKeys::Optional(find) => match find(args) {
                Some(index) => (index, index, 1),
                None => return Ok(Indices::NONE),
            },
        };
        if last >= args.len() {
            return Err(InvalidKeys);
        }
        Ok(Indices { next: first, last, step })
    }
}

/// The indices of a spec's keys among the arguments. (In the standard library, `(first..=last).step_by(step)`, which costs a
/// request with one key more than finding its command.)
#[derive(Clone, Copy, Debug)]
pub struct Indices {
    next: usize,
    last: usize,
    step: usize,
}

impl Indices {
    const NONE: Indices = Indices { next: 1, last: 0, step: 1 };
}

impl Iterator for Indices {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let index = self.next;
        self.next += self.step;
        (index <= self.last).then_some(index)
    }
}

/// The arguments do not contain the keys that they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKeys;
