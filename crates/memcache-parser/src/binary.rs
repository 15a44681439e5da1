//! The binary protocol: requests and replies of a header of 24 bytes and a body whose parts the header measures.
//!
//! memcached has deprecated it, and clients still speak it: a connection is binary when its first byte is [`REQUEST_MAGIC`], which
//! no text request begins with. [`parse`] is to it what [`parse`](crate::parse) is to the text protocol, and the functions of
//! [`reply`] write the answers.
//!
//! ```
//! use memcache_parser::Limits;
//! use memcache_parser::binary::{Command, Parsed, parse};
//!
//! let mut request = [0; 27];
//! request[..4].copy_from_slice(&[0x80, 0x00, 0, 3]);
//! request[11] = 3;
//! request[24..].copy_from_slice(b"key");
//! let Parsed::Request { request, end: 27 } = parse(&request, &Limits::default()) else { panic!("a whole request") };
//! let Command::Get(get) = request.command else { panic!("a read") };
//! assert_eq!((get.key, request.quiet), (&b"key"[..], false));
//! ```
//!
//! # Whose behaviour
//!
//! It answers as memcached 1.6 does, with the opcodes of ElastiCache's configuration beside. It departs where memcached reads a body
//! for something else than its header says:
//!
//! * The body of an unknown request is skipped to its end. memcached skips as many bytes again as key and extras have.
//! * A request whose body is longer than what it is to contain is refused and ends the connection. memcached takes the rest of some
//!   of them (`stat`, `touch`) for the next request.
//! * A wrong first byte ends the connection at once, not when the header is complete.

mod opcode;
pub mod reply;
mod request;

pub use opcode::is_about_sasl;
pub use request::{
    Arithmetic, Command, Error, Get, Head, Parsed, Request, Returned, SaslRound, Store, parse,
};

/// The first byte of every request.
pub const REQUEST_MAGIC: u8 = 0x80;

/// The first byte of every reply.
pub const RESPONSE_MAGIC: u8 = 0x81;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 24;
