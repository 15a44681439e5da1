//! CONFIG SET.

use crate::choice::EnableFor;
use crate::directive::{Directive, Live, directive};
use crate::error::SetError;
use crate::table::Settings;
use crate::value::Source;

/// Where the client that asks is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// On this machine: a loopback address or the Unix socket.
    Local,
    /// Anywhere else.
    Remote,
}

impl Settings {
    /// The settings after CONFIG SET with these names and values, or why nothing is set; for a client that is
    /// not known to be on this machine.
    pub fn set_many(&self, pairs: &[(&str, &str)]) -> Result<Self, SetError> {
        self.set_many_for(Client::Remote, pairs)
    }

    /// The settings after CONFIG SET with these names and values, or why nothing is set.
    ///
    /// As in Redis all names are judged before any value, and a name given twice is refused, while a name
    /// beside its own alias is not: the later of the two holds.
    pub fn set_many_for(&self, client: Client, pairs: &[(&str, &str)]) -> Result<Self, SetError> {
        let mut found: Vec<(&'static str, &'static Directive, &str)> = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            let row = directive(name).ok_or_else(|| SetError::Unknown((*name).to_owned()))?;
            self.may_set(row, client).map_err(|reason| failed(name, reason))?;
            let spelling = spelling(row, name);
            if found.iter().any(|(earlier, ..)| *earlier == spelling) {
                return Err(failed(name, "duplicate parameter"));
            }
            found.push((spelling, row, value));
        }
        let mut next = self.clone();
        for (name, row, value) in found {
            next.change(row, &[value], Source::Set).map_err(|error| failed(name, error))?;
        }
        Ok(next)
    }

    fn may_set(&self, row: &Directive, client: Client) -> Result<(), &'static str> {
        match (row.live, self.enable_protected_configs, client) {
            (Live::Immutable, ..) => Err("can't set immutable config"),
            (Live::Live, ..)
            | (Live::Protected, EnableFor::Yes, _)
            | (Live::Protected, EnableFor::Local, Client::Local) => Ok(()),
            (Live::Protected, ..) => Err("can't set protected config"),
        }
    }
}

/// The name or alias of the row that the client wrote, in lower case.
fn spelling(row: &'static Directive, name: &str) -> &'static str {
    row.aliases.iter().find(|alias| alias.eq_ignore_ascii_case(name)).unwrap_or(&row.name)
}

fn failed(name: &str, reason: impl ToString) -> SetError {
    SetError::Failed { name: name.to_owned(), reason: reason.to_string() }
}
