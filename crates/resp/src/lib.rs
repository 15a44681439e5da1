//! The RESP2 and RESP3 wire format: requests in, replies out.
//!
//! [`RequestParser`] turns the bytes of a connection into argument [`Span`]s without copying them; [`Reply`]
//! writes replies in the connection's protocol into an [`Output`], which the caller sends when it likes.
//!
//! This crate knows bytes only: no command, no client, no socket, no clock. Everything it refuses is a
//! [`ProtocolError`] with the text that Redis and Valkey send, after which they close the connection.

mod double;
mod error;
mod inline;
mod limits;
mod output;
mod reply;
mod request;

pub use double::append as append_double;
pub use error::ProtocolError;
pub use inline::split as split_words;
pub use limits::{Client, Limits};
pub use output::{Mark, Output};
pub use reply::{Deferred, Protocol, Reply};
pub use request::{Parsed, RequestParser, Span};
