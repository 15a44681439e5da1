//! Passwords: memcached's two ways of giving one.
//!
//! Where the directive requirepass asks RESP clients for a password, memcached clients need one too, or the other port would be an
//! open side door: that of RESP's only user, `default`, or that of a user in the file that memcached-auth-file names. A text client
//! gives it as to a memcached with the option -Y: its first request must be a `set` of any key whose value is a name, a space and
//! the password. A binary client uses SASL, whose only mechanism here is PLAIN.

use larder_config::Settings;
use larder_engine::MemcacheUser;
use memcache_parser::binary::reply::{self as binary_reply, Body};
use memcache_parser::binary::{self, Head, Request, SaslRound};
use memcache_parser::reply::{self, Sink, Status};
use memcache_parser::{Command, Limits};

use super::connection::Dialogue;
use super::turn::Turn;

/// Longest value that a stranger may send, as in memcached.
const STRANGER_BYTES_MAX: usize = 16 * 1024;

/// The only user of RESP.
const USER: &[u8] = b"default";

/// The only mechanism of SASL.
const PLAIN: &[u8] = b"PLAIN";

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
        if wants_password(settings) { Admission::Needed } else { Admission::Granted }
    }
}

/// Whether memcached clients must say who they are.
#[must_use]
pub fn wants_password(settings: &Settings) -> bool {
    settings.memcached_sasl || !settings.requirepass.is_empty() || !settings.memcached_auth_file.is_empty()
}

/// The users of a file as memcached's option -Y reads it: a line `name:password` for each.
///
/// # Errors
/// The number of a line that has no colon.
pub fn parse_users(file: &[u8]) -> Result<Vec<MemcacheUser>, usize> {
    let text = file.strip_suffix(b"\n").unwrap_or(file);
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines
        .map(|(number, line)| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = line.iter().position(|byte| *byte == b':').ok_or(number + 1)?;
            Ok(MemcacheUser { name: line[..colon].into(), password: line[colon + 1..].into() })
        })
        .collect()
}

/// Which round of an authentication by SASL may come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SaslRounds {
    /// The first.
    #[default]
    None,
    /// A further one.
    Started,
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
        if self.knows(user, password) {
            reply::status(&mut self.output, Status::Stored);
            Admission::Granted
        } else {
            self.stats().auth_errors.add(1);
            self.output.put(b"CLIENT_ERROR authentication failure\r\n");
            Admission::Needed
        }
    }

    /// Whether a user has this password.
    fn knows(&self, name: &[u8], password: &[u8]) -> bool {
        let wanted = self.settings.requirepass.as_bytes();
        let is_default = !wanted.is_empty() && name == USER && equal(password, wanted);
        let users = self.node.memcache.users();
        is_default || users.iter().any(|user| *user.name == *name && equal(password, &user.password))
    }

    /// Whether these are the credentials of a user, as PLAIN has them: whom to act for, who one is, and the password, with zero
    /// bytes between. Nobody acts for another.
    fn knows_plain(&self, data: &[u8]) -> bool {
        let mut parts = data.splitn(3, |byte| *byte == 0);
        let (Some(acts_for), Some(name), Some(password)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        (acts_for.is_empty() || acts_for == name) && self.knows(name, password)
    }

    /// Answers a request of somebody who has not given the password.
    pub(super) fn refuse_stranger(&mut self) {
        self.executed += 1;
        self.output.put(b"CLIENT_ERROR unauthenticated\r\n");
    }
}

impl Dialogue {
    /// Answers a binary request that is about authentication; none if it is not, or if there is none here.
    #[cold]
    pub(super) fn sasl(&mut self, turn: &mut Turn<'_>, request: &Request<'_>) -> Option<()> {
        if !wants_password(turn.settings) {
            return None;
        }
        let head = request.head;
        let (round, mechanism, data) = match request.command {
            binary::Command::SaslMechanisms => {
                binary_reply::value(&mut turn.output, head, 0, PLAIN);
                return Some(());
            }
            binary::Command::Sasl { round, mechanism, data } => (round, mechanism, data),
            _ => return None,
        };
        // Whoever begins anew is nobody until then.
        self.admission = Admission::Needed;
        let in_turn = match round {
            SaslRound::Start => mechanism == PLAIN,
            SaslRound::Step => self.sasl == SaslRounds::Started,
        };
        if in_turn && round == SaslRound::Start && data.is_empty() {
            self.sasl = SaslRounds::Started;
            binary_reply::start(&mut turn.output, head, binary_reply::Status::Continue, &Body::default());
            return Some(());
        }
        turn.stats().auth_cmds.add(1);
        let known = in_turn && turn.knows_plain(data);
        self.sasl = if known { SaslRounds::Started } else { SaslRounds::None };
        if known {
            self.admission = Admission::Granted;
            binary_reply::value(&mut turn.output, head, 0, b"Authenticated");
        } else {
            turn.refuse_binary_stranger(head);
            turn.stats().auth_errors.add(1);
        }
        Some(())
    }
}

impl Turn<'_> {
    /// Answers a binary request of somebody who has not given the password.
    pub(super) fn refuse_binary_stranger(&mut self, head: Head) {
        binary_reply::error(&mut self.output, head, binary_reply::Status::AuthenticationError);
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
    fn a_file_of_users_has_a_line_for_each() {
        let users = |file: &[u8]| {
            parse_users(file).map(|users| {
                users.iter().map(|user| (user.name.to_vec(), user.password.to_vec())).collect::<Vec<_>>()
            })
        };
        let two = vec![(b"foo".to_vec(), b"bar".to_vec()), (b"baaaz".to_vec(), b"quux:1".to_vec())];
        assert_eq!(users(b"foo:bar\nbaaaz:quux:1\n"), Ok(two.clone()));
        assert_eq!(users(b"foo:bar\r\nbaaaz:quux:1"), Ok(two));
        assert_eq!(users(b"foo:bar\nbaz\n"), Err(2));
        assert_eq!(users(b""), Err(1));
    }

    #[test]
    fn a_password_is_compared_to_its_end() {
        assert!(equal(b"secret", b"secret"));
        assert!(!equal(b"secreT", b"secret"));
        assert!(!equal(b"secret1", b"secret"));
        assert!(!equal(b"", b"secret"));
    }
}
