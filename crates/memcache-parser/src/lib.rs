//! The memcached wire format: requests of the text, the meta and the [`binary`] protocol, and what answers them.
//!
//! [`parse`] looks at the bytes a client has sent and says one of three things: here is a [`Command`] and this
//! many bytes are used up, more bytes are needed, or this is the error line the client gets and how to find
//! the next request. Nothing is copied and nothing is allocated: keys and values are slices of the input, and
//! several keys are an iterator. The functions of [`reply`] write the answers.
//!
//! ```
//! use memcache_parser::{Command, Limits, Parsed, parse, reply};
//!
//! let Parsed::Request { command, end } = parse(b"set greeting 7 0 5\r\nhello\r\n", &Limits::default()) else {
//!     panic!("a whole request");
//! };
//! assert_eq!(end, 27);
//! let Command::Store(store) = command else { panic!("a storage command") };
//! assert_eq!((store.key, store.value), (&b"greeting"[..], &b"hello"[..]));
//!
//! let mut output = Vec::new();
//! reply::value(&mut output, store.key, store.client_flags, store.value, None);
//! reply::end(&mut output);
//! assert_eq!(output, b"VALUE greeting 7 5\r\nhello\r\nEND\r\n");
//! ```
//!
//! # Whose behaviour
//!
//! The text protocol answers as memcached 1.6.18 does, the meta protocol as 1.6.45. It departs from them where
//! their answer depends on how the network cut the request into pieces, or lets a value be taken for a command:
//!
//! * A line is too long by its length alone. memcached accepts any line that arrives whole in one read.
//! * A value whose length is known is skipped after every error. memcached 1.6.18 does so for some of them and
//!   runs the rest of the value as commands; later versions skip it as here.
//! * The length of a value and the numbers of meta flags are never cut down to 32 bits.
//! * An expiry time has 64 bits, so that a date after the year 2038 means that date.
//! * A line of keys is bounded by [`Limits::get_line_bytes`]; memcached reads on until it has no memory.
//! * A zero byte in a line is a byte like any other, as in 1.6.45; 1.6.18 drops the rest of the line.
//!
//! This crate knows no socket, no clock and no store.

mod base64;
pub mod binary;
mod command;
mod common;
mod config;
mod error;
mod expiry;
mod key;
mod limits;
mod line;
mod meta;
mod number;
mod parse;
pub mod reply;
mod scan;
mod store;
mod text;
mod tokens;

pub use command::{
    Arithmetic, CasField, Command, Config, Delete, Direction, Get, Other, OtherVerb, ReplyMode, Store,
    StoreMode, Touch,
};
pub use error::{Error, ErrorReply};
pub use expiry::{Expiry, RELATIVE_SECONDS_MAX, expiry};
pub use key::{Key, KeyBuffer, KeyEncoding, encode_key};
pub use limits::Limits;
pub use meta::{Flag, MetaArithmetic, MetaFlags, MetaRequest, MetaSet};
pub use number::counter_value;
pub use parse::{Parsed, parse};
pub use tokens::Tokens;
