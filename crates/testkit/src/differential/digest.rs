//! Everything in a keyspace, as a peer tells it: by requests, so that a real server can be asked as well.

use std::collections::BTreeMap;
use std::fmt;

use larder_engine::Group;

use super::compare::{Verdict, judge, sorted};
use crate::peer::{Peer, PeerError, Version};
use crate::script::reply_lines;
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

/// All keys of these databases, the first of which is where a client begins. Only `commands` are used.
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
    if !["keys", "type"].iter().all(|command| knows(command)) {
        return Ok(found);
    }
    let databases = if knows("select") { databases } else { &databases[..1] };
    for db in databases {
        if knows("select") {
            ask(&[b"SELECT", db.as_bytes()])?;
        }
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
            if *unordered {
                value = sorted(&value);
            }
            let ttl = if let Value::Integer(ttl) = ttl { ttl } else { i64::MIN };
            found.insert(((*db).to_owned(), key), Held { encoding, ttl, value });
        }
    }
    Ok(found)
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Value| reply_lines(value).join(" ");
        write!(f, "{}, {} ms left, {}", text(&self.encoding), self.ttl, text(&self.value))
    }
}

impl Held {
    /// Whether Larder holds the same as a real server of this version, but for the time that passed between asking.
    pub(super) fn agrees(&self, other: &Held, version: Version) -> bool {
        let encodings =
            judge(version, ("object|encoding", Group::Generic), &[], &self.encoding, &other.encoding);
        let in_time = self.ttl == other.ttl
            || self.ttl >= 0 && other.ttl >= 0 && self.ttl.abs_diff(other.ttl) <= EXPIRY_GRAIN.unsigned_abs();
        // Only sorted sets are read with numbers whose digits may differ.
        let values = judge(version, ("zrange", Group::SortedSet), &[], &other.value, &self.value);
        encodings != Verdict::Different && values != Verdict::Different && in_time
    }
}
