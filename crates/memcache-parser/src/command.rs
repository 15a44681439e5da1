//! What a client can ask for.

use crate::key::Key;
use crate::meta::{MetaArithmetic, MetaRequest, MetaSet};
use crate::tokens::Tokens;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `get`, `gets`, `gat` and `gats`.
    Get(Get<'a>),
    /// `set`, `add`, `replace`, `append`, `prepend` and `cas`.
    Store(Store<'a>),
    /// `delete`.
    Delete(Delete<'a>),
    /// `incr` and `decr`.
    Arithmetic(Arithmetic<'a>),
    /// `touch`.
    Touch(Touch<'a>),
    /// `flush_all`.
    FlushAll {
        /// When: an expiry time; 0 and less mean now.
        delay: i64,
        /// Whether to answer.
        reply: ReplyMode,
    },
    /// `version`.
    Version,
    /// `verbosity`.
    Verbosity {
        /// How much to log.
        level: u32,
        /// Whether to answer.
        reply: ReplyMode,
    },
    /// `stats`.
    Stats {
        /// Which statistics; the general ones if empty.
        arguments: Tokens<'a>,
    },
    /// `quit`.
    Quit,
    /// `mg`.
    MetaGet(MetaRequest<'a>),
    /// `ms`.
    MetaSet(MetaSet<'a>),
    /// `md`.
    MetaDelete(MetaRequest<'a>),
    /// `ma`.
    MetaArithmetic(MetaArithmetic<'a>),
    /// `mn`: answered with `MN`, so that the client knows all before it to be answered.
    MetaNoop,
    /// `me`: what is known about an item, for people.
    MetaDebug {
        /// Which item.
        key: Key<'a>,
    },
    /// `config`, of ElastiCache.
    Config(Config<'a>),
    /// A command that concerns the server rather than items.
    Other(Other<'a>),
}

/// Whether a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// It is.
    Send,
    /// It ended in `noreply`: it is not, whatever comes of it.
    Suppress,
}

impl ReplyMode {
    /// What the last word of a line says.
    #[inline]
    pub(crate) fn from_last(token: &[u8]) -> Self {
        if token == b"noreply" { Self::Suppress } else { Self::Send }
    }
}

/// A request for the values of some keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Get<'a> {
    /// The keys, each of them within the limit. `gat` may name none.
    pub keys: Tokens<'a>,
    /// Whether the CAS value is part of the answer: `gets` and `gats`.
    pub cas: CasField,
    /// The new expiry time of what is found: `gat` and `gats`.
    pub touch: Option<i64>,
}

/// Whether a `VALUE` line ends in the CAS value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CasField {
    /// It does not.
    Omit,
    /// It does.
    Include,
}

/// A value to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    /// What to do if there is such an item, or none.
    pub mode: StoreMode,
    /// Store only over an item with this CAS value: `cas`, whose mode is [`StoreMode::Set`].
    pub compare_cas: Option<u64>,
    /// The key.
    pub key: &'a [u8],
    /// A number for the client's own use.
    pub client_flags: u32,
    /// The expiry time: see [`expiry`](crate::expiry).
    pub exptime: i64,
    /// The value.
    pub value: &'a [u8],
    /// Whether to answer.
    pub reply: ReplyMode,
}

/// How to store a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMode {
    /// In any case.
    Set,
    /// If there is no such item.
    Add,
    /// If there is such an item.
    Replace,
    /// Behind the value that is there.
    Append,
    /// Before the value that is there.
    Prepend,
}

/// A key to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delete<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Whether to answer.
    pub reply: ReplyMode,
}

/// A counter to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arithmetic<'a> {
    /// Up or down.
    pub direction: Direction,
    /// The key.
    pub key: &'a [u8],
    /// By how much.
    pub delta: u64,
    /// Whether to answer.
    pub reply: ReplyMode,
}

/// Which way a counter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Up, and from 2^64 - 1 on to 0.
    Increment,
    /// Down, and not below 0.
    Decrement,
}

/// An item to give a new expiry time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The expiry time: see [`expiry`](crate::expiry).
    pub exptime: i64,
    /// Whether to answer.
    pub reply: ReplyMode,
}

/// What is wanted of a configuration, which is a value apart from the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Config<'a> {
    /// To be told it.
    Get {
        /// Its name.
        name: &'a [u8],
    },
    /// To store it.
    Set {
        /// Its name.
        name: &'a [u8],
        /// What clients are to be told with it.
        client_flags: u32,
        /// The value.
        value: &'a [u8],
    },
    /// To remove it.
    Delete {
        /// Its name.
        name: &'a [u8],
    },
}

/// A command that concerns the server: what its arguments mean is the server's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other<'a> {
    /// Which command.
    pub verb: OtherVerb,
    /// All words after it, a closing `noreply` included.
    pub arguments: Tokens<'a>,
    /// Whether the last of them is `noreply`.
    pub reply: ReplyMode,
}

/// The commands that concern the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherVerb {
    /// `cache_memlimit`: how many megabytes items may take.
    CacheMemlimit,
    /// `debugitem`, in debug builds of memcached.
    DebugItem,
    /// `debugtime`, in debug builds of memcached.
    DebugTime,
    /// `extstore`: values on flash.
    Extstore,
    /// `lru`: how items age.
    Lru,
    /// `lru_crawler`: the search for expired items, and dumps.
    LruCrawler,
    /// `misbehave`, in debug builds of memcached.
    Misbehave,
    /// `refresh_certs`: reads the TLS certificates again.
    RefreshCerts,
    /// `shutdown`.
    Shutdown,
    /// `slabs`: moves memory between sizes.
    Slabs,
    /// `watch`: turns the connection into a log.
    Watch,
}
