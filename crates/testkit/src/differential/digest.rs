//! Everything in a keyspace, as a peer tells it: by requests, so that a real server can be asked as well.

use std::collections::BTreeMap;

use crate::peer::{Peer, PeerError};
use crate::value::Value;

/// How each type is read whole, and whether the order of its elements says nothing.
const READS: &[(&str, &[&str], bool)] = &[
    ("string", &["GET"], false),
    ("list", &["LRANGE", "0", "-1"], false),
    ("hash", &["HGETALL"], true),
    ("set", &["SMEMBERS"], true),
    ("zset", &["ZRANGE", "0", "-1", "WITHSCORES"], false),
    ("stream", &["XRANGE", "-", "+"], false),
];
/// The client that asks: not one of those that are compared, whose database must stay as it is.
const CLIENT: usize = 1000;
/// Expiry is compared to so many milliseconds.
const EXPIRY_GRAIN: i64 = 5000;

/// What a peer holds under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    encoding: Value,
    /// Milliseconds; negative without expiry.
    ttl: i64,
    value: Value,
}

/// All keys of these databases. Commands that are not among `commands` are not asked.
pub(super) fn digest(
    peer: &mut dyn Peer,
    databases: &[&str],
    commands: &[String],
) -> Result<BTreeMap<(String, Vec<u8>), Held>, PeerError> {
    let knows = |name: &str| commands.iter().any(|command| command.eq_ignore_ascii_case(name));
    let mut ask = |words: &[&[u8]]| {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
        peer.request(CLIENT, &words, 1).map(|mut replies| replies.swap_remove(0))
    };
    let mut found = BTreeMap::new();
    if !["keys", "type", "select"].iter().all(|command| knows(command)) {
        return Ok(found);
    }
    for db in databases {
        ask(&[b"SELECT", db.as_bytes()])?;
        let Value::Array(keys) = ask(&[b"KEYS", b"*"])? else { continue };
        for key in keys.iter().filter_map(Value::text) {
            let kind = ask(&[b"TYPE", &key])?.text().unwrap_or_default();
            let Some((_, read, unordered)) = READS.iter().find(|(name, ..)| name.as_bytes() == kind) else {
                return Err(PeerError(format!("nobody reads the type {}", kind.escape_ascii())));
            };
            let ttl = if knows("pttl") { ask(&[b"PTTL", &key])? } else { Value::Integer(-1) };
            let encoding =
                if knows("object encoding") { ask(&[b"OBJECT", b"ENCODING", &key])? } else { Value::Null };
            let mut words: Vec<&[u8]> = read.iter().map(|word| word.as_bytes()).collect();
            words.insert(1, &key);
            let mut value = ask(&words)?;
            if let (Value::Set(values) | Value::Array(values), true) = (&mut value, *unordered) {
                values.sort();
            }
            let ttl = if let Value::Integer(ttl) = ttl { ttl } else { i64::MIN };
            found.insert(((*db).to_owned(), key), Held { encoding, ttl, value });
        }
    }
    Ok(found)
}

impl Held {
    /// Whether this is the same, but for the time that passed between asking.
    pub(super) fn agrees(&self, other: &Held) -> bool {
        let in_time = self.ttl == other.ttl
            || self.ttl >= 0 && other.ttl >= 0 && self.ttl.abs_diff(other.ttl) <= EXPIRY_GRAIN.unsigned_abs();
        self.encoding == other.encoding && self.value == other.value && in_time
    }
}
