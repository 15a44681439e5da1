//! The sequential model: a few strings.

use std::collections::BTreeMap;
use std::fmt;

use super::Model;
use crate::chance::Chance;
use crate::script::request_line;
use crate::value::Value;

/// A key, by its number.
type Key = u8;

/// A request about strings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the command of its name")]
pub enum Request {
    Set(Key, Vec<u8>),
    Get(Key),
    Incr(Key),
    Append(Key, Vec<u8>),
    GetDel(Key),
    SetNx(Key, Vec<u8>),
    MSet(Vec<(Key, Vec<u8>)>),
    MGet(Vec<Key>),
    Rename(Key, Key),
}

/// The strings of a few keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Strings(BTreeMap<Key, Vec<u8>>);

impl Request {
    /// The commands that requests are made of.
    pub const COMMANDS: &[&str] =
        &["set", "get", "incr", "append", "getdel", "setnx", "mset", "mget", "rename"];

    /// A request with one of these commands, on so many keys. Values differ from each other, so that a reply tells whose it is.
    pub fn generate(commands: &[&str], keys: u8, chance: &mut Chance) -> Request {
        let value = |chance: &mut Chance| match chance.below(4) {
            0 => chance.below(1000).to_string().into_bytes(),
            // Beyond what is stored in the entry itself.
            1 if chance.percent(10) => vec![b'a' + chance.below(26) as u8; 5000],
            _ => format!("v{}", chance.below(1_000_000)).into_bytes(),
        };
        let key = |chance: &mut Chance| chance.below(usize::from(keys)) as Key;
        let several = 1 + chance.below(usize::from(keys));
        match *chance.pick(commands) {
            "set" => Request::Set(key(chance), value(chance)),
            "incr" => Request::Incr(key(chance)),
            "append" => Request::Append(key(chance), value(chance)),
            "getdel" => Request::GetDel(key(chance)),
            "setnx" => Request::SetNx(key(chance), value(chance)),
            "mset" => Request::MSet((0..several).map(|_| (key(chance), value(chance))).collect()),
            "mget" => Request::MGet((0..several).map(|_| key(chance)).collect()),
            "rename" => Request::Rename(key(chance), key(chance)),
            _ => Request::Get(key(chance)),
        }
    }

    /// The words to send; the names of the keys begin with `prefix`.
    #[must_use]
    pub fn words(&self, prefix: &str) -> Vec<Vec<u8>> {
        let key = |key: &Key| format!("{prefix}{key}").into_bytes();
        let name = |name: &str| name.as_bytes().to_vec();
        match self {
            Request::Set(at, value) => vec![name("SET"), key(at), value.clone()],
            Request::Get(at) => vec![name("GET"), key(at)],
            Request::Incr(at) => vec![name("INCR"), key(at)],
            Request::Append(at, value) => vec![name("APPEND"), key(at), value.clone()],
            Request::GetDel(at) => vec![name("GETDEL"), key(at)],
            Request::SetNx(at, value) => vec![name("SETNX"), key(at), value.clone()],
            Request::MSet(pairs) => {
                let pairs = pairs.iter().flat_map(|(at, value)| [key(at), value.clone()]);
                [name("MSET")].into_iter().chain(pairs).collect()
            }
            Request::MGet(keys) => [name("MGET")].into_iter().chain(keys.iter().map(key)).collect(),
            Request::Rename(from, to) => vec![name("RENAME"), key(from), key(to)],
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&request_line(&self.words("k")))
    }
}

impl Model for Strings {
    type Request = Request;

    fn apply(&mut self, request: &Request) -> Value {
        let strings = &mut self.0;
        let ok = || Value::Simple(b"OK".to_vec());
        let bulk = |value: Option<&Vec<u8>>| value.map_or(Value::Null, |value| Value::Bulk(value.clone()));
        match request {
            Request::Set(key, value) => {
                strings.insert(*key, value.clone());
                ok()
            }
            Request::Get(key) => bulk(strings.get(key)),
            Request::Incr(key) => {
                let number = strings.get(key).map_or(Some(0), |value| integer(value));
                match number {
                    None => Value::Error(b"ERR value is not an integer or out of range".to_vec()),
                    Some(number) => {
                        strings.insert(*key, (number + 1).to_string().into_bytes());
                        Value::Integer(number + 1)
                    }
                }
            }
            Request::Append(key, value) => {
                let string = strings.entry(*key).or_default();
                string.extend_from_slice(value);
                Value::Integer(string.len() as i64)
            }
            Request::GetDel(key) => bulk(strings.remove(key).as_ref()),
            Request::SetNx(key, value) => {
                let absent = !strings.contains_key(key);
                if absent {
                    strings.insert(*key, value.clone());
                }
                Value::Integer(i64::from(absent))
            }
            Request::MSet(pairs) => {
                strings.extend(pairs.iter().cloned());
                ok()
            }
            Request::MGet(keys) => Value::Array(keys.iter().map(|key| bulk(strings.get(key))).collect()),
            Request::Rename(from, to) => match strings.remove(from) {
                None => Value::Error(b"ERR no such key".to_vec()),
                Some(value) => {
                    strings.insert(*to, value);
                    ok()
                }
            },
        }
    }
}

/// The number that a string is, if it is written as numbers are: appending digits to a zero makes none.
fn integer(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}
