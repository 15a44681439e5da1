//! From bytes to a binary request.

use super::opcode::{Verb, verb};
use super::reply::Status;
use super::{HEADER_BYTES, REQUEST_MAGIC};
use crate::command::{Direction, StoreMode};
use crate::limits::Limits;

/// What a reply repeats of its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// What was asked for.
    pub opcode: u8,
    /// Bytes for the client's own use, as a number.
    pub opaque: u32,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What its reply repeats.
    pub head: Head,
    /// The CAS value that the item must have; 0 is any.
    pub cas: u64,
    /// Whether a reply is wanted only if it is not the usual one: reads that find nothing and changes that are done are not
    /// answered.
    pub quiet: bool,
    /// What it asks for.
    pub command: Command<'a>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `get`, `getk`, `gat`, `gatk` and `touch`.
    Get(Get<'a>),
    /// `set`, `add`, `replace`, `append` and `prepend`.
    Store(Store<'a>),
    /// `delete`.
    Delete {
        /// The key.
        key: &'a [u8],
    },
    /// `increment` and `decrement`.
    Arithmetic(Arithmetic<'a>),
    /// `flush`.
    Flush {
        /// When: an expiry time; 0 means now.
        delay: u32,
    },
    /// `noop`: answered, so that the client knows all before it to be answered.
    Noop,
    /// `version`.
    Version,
    /// `stat`.
    Stat {
        /// Which statistics; the general ones if empty.
        which: &'a [u8],
    },
    /// `quit`.
    Quit,
    /// Which mechanisms of authentication there are.
    SaslMechanisms,
    /// A round of authentication.
    Sasl {
        /// Which one.
        round: SaslRound,
        /// The mechanism.
        mechanism: &'a [u8],
        /// What the mechanism has the client say.
        data: &'a [u8],
    },
    /// ElastiCache: asks for a configuration.
    ConfigGet {
        /// Its name.
        name: &'a [u8],
    },
    /// ElastiCache: stores a configuration.
    ConfigSet {
        /// Its name.
        name: &'a [u8],
        /// What clients are to be told of it.
        client_flags: u32,
        /// The configuration.
        value: &'a [u8],
    },
    /// ElastiCache: removes a configuration.
    ConfigDelete {
        /// Its name.
        name: &'a [u8],
    },
}

/// A request for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Get<'a> {
    /// The key.
    pub key: &'a [u8],
    /// What is returned of it.
    pub returned: Returned,
    /// The new expiry time of what is found.
    pub exptime: Option<u32>,
}

/// What is returned of an item. Its client flags and CAS value always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// Nothing else: `touch`.
    Nothing,
    /// The value.
    Value,
    /// The key, also of an item that is not there, and the value.
    KeyAndValue,
}

/// A value to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    /// What to do if there is such an item, or none.
    pub mode: StoreMode,
    /// The key.
    pub key: &'a [u8],
    /// A number for the client's own use.
    pub client_flags: u32,
    /// The expiry time: see [`expiry`](crate::expiry).
    pub exptime: u32,
    /// The value.
    pub value: &'a [u8],
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
    /// What a counter that is not there begins with.
    pub initial: u64,
    /// The expiry time of a counter that is not there; none if none shall be made.
    pub exptime: Option<u32>,
}

/// Which round of an authentication a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslRound {
    /// The first.
    Start,
    /// One that the server has asked for.
    Step,
}

/// What the input begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// A request.
    Request {
        /// It.
        request: Request<'a>,
        /// Where it ends in the input, and the next one begins.
        end: usize,
    },
    /// The beginning of a request.
    Incomplete {
        /// How long the input must be before it is worth another look.
        needed: usize,
    },
    /// A request that is refused.
    Error(Error<'a>),
}

/// A request that was refused: what to say, and where the next request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error<'a> {
    /// What to say, and to which request; none if the connection is closed without a word.
    pub reply: Option<(Head, Status)>,
    /// How many bytes of the input are used up.
    pub end: usize,
    /// How many bytes after `end` belong to the refused request and must be thrown away. They need not have arrived yet.
    pub swallow: u64,
    /// Whether the connection must be closed once the reply is out.
    pub close: bool,
    /// A key to delete: its new value was too large, and to go on serving the old one would be wrong.
    pub unlink: Option<&'a [u8]>,
}

/// The exptime by which a client says that no counter is to be made.
const NO_COUNTER: u32 = u32::MAX;

/// A mechanism of authentication has a name of at most so many bytes.
const MECHANISM_BYTES_MAX: usize = 32;

/// The largest body of any request. memcached counts lengths in 32 bits with a sign, and leaves itself room.
const BODY_BYTES_MAX: usize = 1 << 30;

/// Parses the first request of the input.
///
/// The same bytes give the same answer however they arrive: a longer input never changes an answer other than
/// [`Parsed::Incomplete`].
#[inline]
pub fn parse<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a> {
    let (Some(&REQUEST_MAGIC) | None) = input.first() else {
        return Parsed::Error(Error { reply: None, end: 1, swallow: 0, close: true, unlink: None });
    };
    let Some((header, rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
        return Parsed::Incomplete { needed: HEADER_BYTES };
    };
    match Frame::new(header, rest).and_then(|frame| frame.request(limits)) {
        Ok((request, end)) => Parsed::Request { request, end },
        Err(Stop::Incomplete { needed }) => Parsed::Incomplete { needed },
        Err(Stop::Error(error)) => Parsed::Error(error),
    }
}

/// Why there is no request.
enum Stop<'a> {
    Incomplete { needed: usize },
    Error(Error<'a>),
}

/// A header, and what has come of its body.
struct Frame<'a> {
    head: Head,
    cas: u64,
    extras_len: usize,
    key_len: usize,
    value_len: usize,
    rest: &'a [u8],
}

impl<'a> Frame<'a> {
    #[inline]
    fn new(header: &[u8; HEADER_BYTES], rest: &'a [u8]) -> Result<Frame<'a>, Stop<'a>> {
        let [_, opcode, k0, k1, extras, _, _, _, b0, b1, b2, b3, o0, o1, o2, o3, cas @ ..] = *header;
        let head = Head { opcode, opaque: u32::from_be_bytes([o0, o1, o2, o3]) };
        let (extras_len, key_len) = (usize::from(extras), usize::from(u16::from_be_bytes([k0, k1])));
        let body_len = u32::from_be_bytes([b0, b1, b2, b3]) as usize;
        let frame = Frame { head, cas: u64::from_be_bytes(cas), extras_len, key_len, value_len: 0, rest };
        match body_len.checked_sub(extras_len + key_len) {
            None => Err(frame.end_with(Status::UnknownCommand)),
            Some(_) if body_len > BODY_BYTES_MAX => Err(frame.end_with(Status::InvalidArguments)),
            Some(value_len) => Ok(Frame { value_len, ..frame }),
        }
    }

    #[inline]
    fn request(&self, limits: &Limits) -> Result<(Request<'a>, usize), Stop<'a>> {
        if self.key_len > limits.key_bytes {
            return Err(self.end_with(Status::InvalidArguments));
        }
        let Some((verb, quiet)) = verb(self.head.opcode) else {
            return Err(self.unknown());
        };
        let command = match verb {
            Verb::Get { key_returned } => self.get(0, returned(key_returned))?,
            Verb::GetAndTouch { key_returned } => self.get(4, returned(key_returned))?,
            Verb::Touch => self.get(4, Returned::Nothing)?,
            Verb::Store(mode) => self.store(mode, 8, limits)?,
            Verb::Concatenate(mode) => self.store(mode, 0, limits)?,
            Verb::Delete => Command::Delete { key: self.key_only(0)? },
            Verb::Arithmetic(direction) => self.arithmetic(direction)?,
            _ => self.rare(verb, limits)?,
        };
        let request = Request { head: self.head, cas: self.cas, quiet, command };
        Ok((request, HEADER_BYTES + self.extras_len + self.key_len + self.value_len))
    }

    /// Requests that are not about an item.
    #[cold]
    fn rare(&self, verb: Verb, limits: &Limits) -> Result<Command<'a>, Stop<'a>> {
        Ok(match verb {
            Verb::Flush => self.flush()?,
            Verb::Noop => self.empty(Command::Noop)?,
            Verb::Version => self.empty(Command::Version)?,
            Verb::Quit => self.empty(Command::Quit)?,
            Verb::SaslMechanisms => self.empty(Command::SaslMechanisms)?,
            Verb::SaslStart => self.sasl(SaslRound::Start, limits)?,
            Verb::SaslStep => self.sasl(SaslRound::Step, limits)?,
            Verb::ConfigGet => Command::ConfigGet { name: self.key_only(0)? },
            Verb::ConfigDelete => Command::ConfigDelete { name: self.key_only(0)? },
            Verb::ConfigSet => match self.store(StoreMode::Set, 4, limits)? {
                Command::Store(Store { key: name, client_flags, value, .. }) => {
                    Command::ConfigSet { name, client_flags, value }
                }
                other => other,
            },
            _ => {
                self.expect(self.extras_len == 0 && self.value_len == 0)?;
                Command::Stat { which: self.key()? }
            }
        })
    }

    #[inline]
    fn get(&self, extras_len: usize, returned: Returned) -> Result<Command<'a>, Stop<'a>> {
        let key = self.key_only(extras_len)?;
        let exptime = (extras_len > 0).then(|| self.number(0));
        Ok(Command::Get(Get { key, returned, exptime }))
    }

    #[inline]
    fn store(&self, mode: StoreMode, extras_len: usize, limits: &Limits) -> Result<Command<'a>, Stop<'a>> {
        self.expect(self.key_len > 0 && self.extras_len == extras_len)?;
        let key = self.key()?;
        let client_flags = if extras_len > 0 { self.number(0) } else { 0 };
        let exptime = if extras_len > 4 { self.number(4) } else { 0 };
        if !limits.admit(self.key_len, client_flags, self.value_len) {
            let unlink = (mode == StoreMode::Set && extras_len > 4).then_some(key);
            return Err(self.skip_value(Status::TooLarge, unlink));
        }
        Ok(Command::Store(Store { mode, key, client_flags, exptime, value: self.value()? }))
    }

    fn arithmetic(&self, direction: Direction) -> Result<Command<'a>, Stop<'a>> {
        let key = self.key_only(20)?;
        let wide = |at| u64::from(self.number(at)) << 32 | u64::from(self.number(at + 4));
        let exptime = Some(self.number(16)).filter(|exptime| *exptime != NO_COUNTER);
        Ok(Command::Arithmetic(Arithmetic { direction, key, delta: wide(0), initial: wide(8), exptime }))
    }

    fn flush(&self) -> Result<Command<'a>, Stop<'a>> {
        let has_delay = self.extras_len == 4;
        self.expect(self.key_len == 0 && self.value_len == 0 && (has_delay || self.extras_len == 0))?;
        self.key()?;
        Ok(Command::Flush { delay: if has_delay { self.number(0) } else { 0 } })
    }

    fn sasl(&self, round: SaslRound, limits: &Limits) -> Result<Command<'a>, Stop<'a>> {
        self.expect(self.extras_len == 0 && self.key_len > 0)?;
        let mechanism = self.key()?;
        if mechanism.len() > MECHANISM_BYTES_MAX {
            return Err(self.skip_value(Status::InvalidArguments, None));
        }
        if self.value_len > limits.line_bytes {
            return Err(self.skip_value(Status::OutOfMemory, None));
        }
        Ok(Command::Sasl { round, mechanism, data: self.value()? })
    }

    fn empty(&self, command: Command<'a>) -> Result<Command<'a>, Stop<'a>> {
        self.expect(self.extras_len == 0 && self.key_len == 0 && self.value_len == 0)?;
        Ok(command)
    }

    /// The key of a request that has one, so many bytes of extras and no value.
    #[inline]
    fn key_only(&self, extras_len: usize) -> Result<&'a [u8], Stop<'a>> {
        self.expect(self.key_len > 0 && self.extras_len == extras_len && self.value_len == 0)?;
        self.key()
    }

    /// The key, once it and the extras are there.
    #[inline]
    fn key(&self) -> Result<&'a [u8], Stop<'a>> {
        let end = self.extras_len + self.key_len;
        let needed = HEADER_BYTES + end;
        self.rest.get(self.extras_len..end).ok_or(Stop::Incomplete { needed })
    }

    #[inline]
    fn value(&self) -> Result<&'a [u8], Stop<'a>> {
        let start = self.extras_len + self.key_len;
        let needed = HEADER_BYTES + start + self.value_len;
        self.rest.get(start..start + self.value_len).ok_or(Stop::Incomplete { needed })
    }

    /// The four bytes of the extras from there on, which the caller knows to have come.
    #[inline]
    fn number(&self, at: usize) -> u32 {
        let bytes = self.rest[at..].first_chunk().expect("extras come before the key, which is there");
        u32::from_be_bytes(*bytes)
    }

    /// Refuses a request of another form than its opcode has.
    #[inline]
    fn expect(&self, holds: bool) -> Result<(), Stop<'a>> {
        if holds { Ok(()) } else { Err(self.end_with(Status::InvalidArguments)) }
    }

    /// A refusal after which nobody knows what follows.
    #[cold]
    fn end_with(&self, status: Status) -> Stop<'a> {
        let reply = Some((self.head, status));
        Stop::Error(Error { reply, end: HEADER_BYTES, swallow: 0, close: true, unlink: None })
    }

    /// A refusal of an opcode that nobody knows: what its body is, is known.
    #[cold]
    fn unknown(&self) -> Stop<'a> {
        let swallow = (self.extras_len + self.key_len + self.value_len) as u64;
        let reply = Some((self.head, Status::UnknownCommand));
        Stop::Error(Error { reply, end: HEADER_BYTES, swallow, close: false, unlink: None })
    }

    /// A refusal of a request, whose value is skipped.
    #[cold]
    fn skip_value(&self, status: Status, unlink: Option<&'a [u8]>) -> Stop<'a> {
        let end = HEADER_BYTES + self.extras_len + self.key_len;
        let reply = Some((self.head, status));
        Stop::Error(Error { reply, end, swallow: self.value_len as u64, close: false, unlink })
    }
}

fn returned(key_returned: bool) -> Returned {
    if key_returned { Returned::KeyAndValue } else { Returned::Value }
}
