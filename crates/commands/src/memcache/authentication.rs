//! The password: memcached's way of giving one over the text protocol.
//!
//! Where the directive requirepass asks RESP clients for a password, memcached clients need it too, or the other port would be an
//! open side door. As with memcached's own option -Y, the first request must be a `set` of any key whose value is a name, a space
//! and the password; the name is that of RESP's only user, `default`.

use larder_config::Settings;
use memcache_parser::reply::{self, Sink, Status};
use memcache_parser::{Command, Limits};

use super::turn::Turn;

/// Longest value that a stranger may send, as in memcached.
const STRANGER_BYTES_MAX: usize = 16 * 1024;

/// The only user.
const USER: &[u8] = b"default";

/// Whether a client has what it takes to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It has.
    Granted,
    /// It has yet to give the password.
    Needed,
}

impl Admission {
    /// What a client that has just arrived has.
    pub(super) fn needed(settings: &Settings) -> Admission {
        if settings.requirepass.is_empty() { Admission::Granted } else { Admission::Needed }
    }
}

impl Turn<'_> {
    /// What a stranger may send: no more than it takes to give a password, so that nobody without one occupies much memory.
    pub(super) fn stranger_limits(&self) -> Limits {
        let item_bytes = self.limits.item_bytes.min(STRANGER_BYTES_MAX);
        Limits { item_bytes, get_line_bytes: self.limits.line_bytes, ..self.limits }
    }

    /// Hears what a stranger has to say.
    pub(super) fn authenticate(&mut self, command: &Command<'_>) -> Admission {
        let Command::Store(store) = command else {
            self.refuse_stranger();
            return Admission::Needed;
        };
        self.executed += 1;
        self.stats().auth_cmds.add(1);
        let Some(space) = store.value.iter().position(|byte| *byte == b' ') else {
            self.output.put(b"CLIENT_ERROR bad authentication token format\r\n");
            return Admission::Needed;
        };
        let (user, password) = (&store.value[..space], &store.value[space + 1..]);
        if user == USER && equal(password, self.settings.requirepass.as_bytes()) {
            reply::status(&mut self.output, Status::Stored);
            Admission::Granted
        } else {
            self.stats().auth_errors.add(1);
            self.output.put(b"CLIENT_ERROR authentication failure\r\n");
            Admission::Needed
        }
    }

    /// Answers a request of somebody who has not given the password.
    pub(super) fn refuse_stranger(&mut self) {
        self.executed += 1;
        self.output.put(b"CLIENT_ERROR unauthenticated\r\n");
    }
}

/// Compares without telling by the time it takes where the first difference is.
fn equal(given: &[u8], wanted: &[u8]) -> bool {
    let different = given.iter().zip(wanted).fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == wanted.len() && different == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_compared_to_its_end() {
        assert!(equal(b"secret", b"secret"));
        assert!(!equal(b"secreT", b"secret"));
        assert!(!equal(b"secret1", b"secret"));
        assert!(!equal(b"", b"secret"));
    }
}
