//! The gates: what may refuse a request before its handler runs, in order.

use crate::client::Client;
use crate::command::{Command, Flags};
use crate::error::CommandError;

/// What a gate may look at.
pub(crate) struct Request<'a> {
    pub(crate) command: &'static Command,
    pub(crate) client: &'a Client,
}

type Gate = fn(&Request<'_>) -> Result<(), CommandError>;

/// The order matters: a stranger learns nothing but that it must authenticate.
const GATES: &[Gate] = &[
    authenticated, // before everything that would tell a stranger about the node
];

/// Whether a request may go on to its handler.
#[inline]
pub(crate) fn pass(request: &Request<'_>) -> Result<(), CommandError> {
    GATES.iter().try_for_each(|gate| gate(request))
}

fn authenticated(request: &Request<'_>) -> Result<(), CommandError> {
    if request.client.authenticated || request.command.flags.has(Flags::NO_AUTH) {
        Ok(())
    } else {
        Err(CommandError::NoAuth)
    }
}
