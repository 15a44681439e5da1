//! The sequential model: a few strings and lists.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::Model;
use crate::chance::Chance;
use crate::script::request_line;
use crate::value::Value;

/// A key, by its number.
type Key = u8;

/// A request about strings and lists.
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
    RPush(Key, Vec<u8>),
    LPop(Key),
    /// Of the first of these lists that has an element; waits a moment for one.
    BlPop(Vec<Key>),
    /// To the end of the second list; waits a moment for an element of the first.
    BlMove(Key, Key),
    /// Several as one, between MULTI and EXEC.
    Exec(Vec<Request>),
}

/// The strings of a few keys, and the lists of others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Values {
    strings: BTreeMap<Key, Vec<u8>>,
    lists: BTreeMap<Key, VecDeque<Vec<u8>>>,
}

impl Request {
    /// The commands that requests are made of.
    pub const COMMANDS: &[&str] = &[
        "set", "get", "incr", "append", "getdel", "setnx", "mset", "mget", "rename", "rpush", "lpop",
        "blpop", "blmove", "exec",
    ];

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
            "rpush" => Request::RPush(key(chance), value(chance)),
            "lpop" => Request::LPop(key(chance)),
            "blpop" => Request::BlPop((0..several).map(|_| key(chance)).collect()),
            "blmove" => Request::BlMove(key(chance), key(chance)),
            "exec" => {
                let single: Vec<&str> =
                    commands.iter().copied().filter(|command| *command != "exec").collect();
                let single = if single.is_empty() { &["incr"][..] } else { &single };
                let generate = |_| Request::generate(single, keys, chance);
                Request::Exec((0..several).map(generate).collect())
            }
            _ => Request::Get(key(chance)),
        }
    }

    /// What to send, request by request; the reply to the last counts.
    #[must_use]
    pub fn sent(&self, prefix: &str) -> Vec<Vec<Vec<u8>>> {
        match self {
            Request::Exec(requests) => {
                let queued = requests.iter().map(|request| request.words(prefix));
                let (multi, exec) = (vec![b"MULTI".to_vec()], vec![b"EXEC".to_vec()]);
                [multi].into_iter().chain(queued).chain([exec]).collect()
            }
            single => vec![single.words(prefix)],
        }
    }

    /// The words of a single request; the names of the keys begin with `prefix`.
    fn words(&self, prefix: &str) -> Vec<Vec<u8>> {
        let key = |key: &Key| format!("{prefix}{key}").into_bytes();
        let list = |key: &Key| format!("{prefix}list{key}").into_bytes();
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
            Request::RPush(at, value) => vec![name("RPUSH"), list(at), value.clone()],
            Request::LPop(at) => vec![name("LPOP"), list(at)],
            Request::BlPop(keys) => {
                [name("BLPOP")].into_iter().chain(keys.iter().map(list)).chain([name("0.001")]).collect()
            }
            Request::BlMove(from, to) => {
                let ends = ["LEFT", "RIGHT", "0.001"].map(name);
                [name("BLMOVE"), list(from), list(to)].into_iter().chain(ends).collect()
            }
            Request::Exec(_) => vec![name("EXEC")],
        }
    }
}

impl Request {
    /// A reply with the names of lists as their numbers, which is how the model answers.
    pub(super) fn normalised(&self, reply: Value, prefix: &str) -> Value {
        match (self, reply) {
            (Request::BlPop(_), Value::Array(mut parts)) => {
                if let Some(Value::Bulk(name)) = parts.first() {
                    let name = String::from_utf8_lossy(name);
                    let number =
                        name.strip_prefix(prefix).and_then(|name| name.strip_prefix("list")?.parse().ok());
                    parts[0] = Value::Integer(number.unwrap_or(-1));
                }
                Value::Array(parts)
            }
            (Request::Exec(requests), Value::Array(replies)) if requests.len() == replies.len() => {
                let pairs = requests.iter().zip(replies);
                Value::Array(pairs.map(|(request, reply)| request.normalised(reply, prefix)).collect())
            }
            (_, reply) => reply,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.sent("k").iter().map(|words| request_line(words)).collect();
        f.write_str(&lines.join("; "))
    }
}

impl Model for Values {
    type Request = Request;

    fn apply(&mut self, request: &Request) -> Value {
        let strings = &mut self.strings;
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
            Request::Exec(requests) => {
                // What waits elsewhere does not here, and BLMOVE then answers like LMOVE.
                let reply = |request: &Request| match (request, self.apply(request)) {
                    (Request::BlMove(..), Value::NullArray) => Value::Null,
                    (_, reply) => reply,
                };
                Value::Array(requests.iter().map(reply).collect())
            }
            _ => self.apply_to_lists(request),
        }
    }
}

impl Values {
    fn apply_to_lists(&mut self, request: &Request) -> Value {
        let lists = &mut self.lists;
        match request {
            Request::RPush(key, value) => {
                let list = lists.entry(*key).or_default();
                list.push_back(value.clone());
                Value::Integer(list.len() as i64)
            }
            Request::LPop(key) => pop(lists, *key).map_or(Value::Null, Value::Bulk),
            Request::BlPop(keys) => {
                let popped = keys.iter().find_map(|key| Some((*key, pop(lists, *key)?)));
                popped.map_or(Value::NullArray, |(key, element)| {
                    Value::Array(vec![Value::Integer(i64::from(key)), Value::Bulk(element)])
                })
            }
            Request::BlMove(from, to) => match pop(lists, *from) {
                None => Value::NullArray,
                Some(element) => {
                    lists.entry(*to).or_default().push_back(element.clone());
                    Value::Bulk(element)
                }
            },
            _ => unreachable!("the others are about strings"),
        }
    }
}

/// The first element of a list, which goes with its last.
fn pop(lists: &mut BTreeMap<Key, VecDeque<Vec<u8>>>, key: Key) -> Option<Vec<u8>> {
    let list = lists.get_mut(&key)?;
    let element = list.pop_front();
    if list.is_empty() {
        lists.remove(&key);
    }
    element
}

/// The number that a string is, if it is written as numbers are: appending digits to a zero makes none.
fn integer(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}
