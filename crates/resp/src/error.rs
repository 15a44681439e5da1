//! Why a request could not be read.

use std::fmt;

/// A request that breaks the protocol. The peers answer it with one error reply and close the connection.
///
/// `Display` gives the error's text without its leading `-ERR `;
/// [`Reply::protocol_error`](crate::Reply::protocol_error) writes the whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number after `*` is no integer, or more than a request may have arguments.
    InvalidMultibulkLength,
    /// The number after `*` is more than a client may send before it has authenticated.
    UnauthenticatedMultibulkLength,
    /// No carriage return within the limit after `*`.
    MultibulkCountTooLong,
    /// An argument begins with another byte than `$`.
    ExpectedBulk {
        /// The byte in the place of the `$`.
        found: u8,
    },
    /// The number after `$` is no integer, negative, or more than an argument may have bytes.
    InvalidBulkLength,
    /// The number after `$` is more than a client may send before it has authenticated.
    UnauthenticatedBulkLength,
    /// No carriage return within the limit after `$`.
    BulkCountTooLong,
    /// No line feed within the limit of an inline request.
    InlineTooLong,
    /// A quote of an inline request is not closed, or is closed in the middle of a word.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// The text up to where it quotes the client, and the byte it quotes there.
    pub(crate) fn parts(self) -> (&'static str, Option<u8>) {
        match self {
            Self::InvalidMultibulkLength => ("Protocol error: invalid multibulk length", None),
            Self::UnauthenticatedMultibulkLength => {
                ("Protocol error: unauthenticated multibulk length", None)
            }
            Self::MultibulkCountTooLong => ("Protocol error: too big mbulk count string", None),
            // A line end would end the reply too early: the peers send a space.
            Self::ExpectedBulk { found: b'\r' | b'\n' } => {
                ("Protocol error: expected '$', got '", Some(b' '))
            }
            Self::ExpectedBulk { found } => ("Protocol error: expected '$', got '", Some(found)),
            Self::InvalidBulkLength => ("Protocol error: invalid bulk length", None),
            Self::UnauthenticatedBulkLength => ("Protocol error: unauthenticated bulk length", None),
            Self::BulkCountTooLong => ("Protocol error: too big bulk count string", None),
            Self::InlineTooLong => ("Protocol error: too big inline request", None),
            Self::UnbalancedQuotes => ("Protocol error: unbalanced quotes in request", None),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (text, None) => formatter.write_str(text),
            (text, Some(found)) => write!(formatter, "{text}{}'", char::from(found)),
        }
    }
}

impl std::error::Error for ProtocolError {}
