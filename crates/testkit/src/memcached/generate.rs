//! Requests of the memcached protocol, made by chance.

use std::fmt;

use super::Side;
use super::reply::CasPairs;
use crate::chance::Chance;
use crate::peer::Version;

/// Meta requests are compared from this version on: earlier ones know fewer flags and refuse others.
const META_SINCE: Version = Version(1, 6, 40);
/// Lengths about which something changes: the size of an entry, of a block, of an item that is too large.
const LENGTHS: &[usize] = &[0, 1, 2, 8, 20, 44, 45, 255, 256, 1000, 4095, 4096, 4097, 20_000];
/// Longer than an item may be.
const TOO_LARGE: usize = 1_100_000;
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "5",
    "9",
    "10",
    "99",
    "100",
    "1000",
    "18446744073709551615",
    "18446744073709551614",
    "9223372036854775807",
    "9223372036854775808",
    "00012",
    "18446744073709551616",
    "-1",
    "1a",
    " 5",
    "5 ",
    "",
];
/// Never near: an item must not expire while requests are compared. 2592001 is a moment in 1970.
const TIMES: &[&str] = &["0", "0", "0", "1000", "100000", "2592000", "2592001", "2000000000", "-1"];
const FLAGS: &[&str] = &["0", "0", "0", "1", "255", "65536", "4294967295"];

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    key: Vec<u8>,
    /// Up to where the CAS unique belongs, if the request has one.
    head: Vec<u8>,
    cas: Option<Cas>,
    tail: Vec<u8>,
}

/// Which CAS unique a request names.
#[derive(Clone, Copy, Debug)]
enum Cas {
    /// The one seen so many ago, or else one that nobody has.
    Seen(usize),
    /// One that nobody has.
    Unknown,
}

/// A number that no server comes to give.
const UNKNOWN: u64 = 1 << 60;

impl Request {
    /// A request without a CAS unique.
    pub(super) fn plain(key: &[u8], bytes: &[u8]) -> Request {
        Request { key: key.to_vec(), head: bytes.to_vec(), cas: None, tail: Vec::new() }
    }

    /// The key it is about, or the first of them.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether it counts a number up or down.
    pub(super) fn is_arithmetic(&self) -> bool {
        [b"incr ".as_slice(), b"decr ", b"ma "].iter().any(|verb| self.head.starts_with(verb))
    }

    /// What is sent to a side.
    pub(super) fn bytes(&self, pairs: &CasPairs, side: Side) -> Vec<u8> {
        let unique = match self.cas {
            None => return self.head.clone(),
            Some(Cas::Unknown) => None,
            Some(Cas::Seen(ago)) => pairs.seen(&self.key, ago, side),
        };
        [&self.head, unique.unwrap_or(UNKNOWN).to_string().as_bytes(), &self.tail].concat()
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.head.escape_ascii())?;
        match self.cas {
            None => Ok(()),
            Some(cas) => write!(f, "({cas:?}){}", self.tail.escape_ascii()),
        }
    }
}

/// Makes requests that a memcached of its version knows.
pub(super) struct Generator {
    /// Whether meta requests are made, and of the text protocol only what stores: its errors are those of earlier versions.
    meta: bool,
}

impl Generator {
    pub(super) fn new(version: Version) -> Generator {
        Generator { meta: version >= META_SINCE }
    }

    pub(super) fn request(&self, chance: &mut Chance) -> Request {
        if chance.percent(1) {
            let suffix = *chance.pick(&["", " noreply", " 0", " 0 noreply"]);
            return Request::plain(b"", format!("flush_all{suffix}\r\n").as_bytes());
        }
        match (self.meta, chance.below(20)) {
            (true, 0..=15) => meta(chance),
            (_, 0..=5) => store(chance),
            (_, 17..=18) => cas(chance),
            (true, _) => store(chance),
            (false, 6..=9) => get(chance),
            (false, 10..=12) => arithmetic(chance),
            (false, 13) => delete(chance),
            (false, 14..=16) => touch(chance),
            (false, _) => wrong(chance),
        }
    }
}

fn key(chance: &mut Chance) -> Vec<u8> {
    if chance.percent(2) { vec![b'k'; 251] } else { short_key(chance) }
}

/// A key that is not too long: before a value, where versions differ in what they make of the value after an error.
fn short_key(chance: &mut Chance) -> Vec<u8> {
    match chance.below(40) {
        0..=1 => vec![b'k'; 250],
        2..=5 => b"\xc3\xa9\xff\x01".to_vec(),
        _ => chance.pick(&["a", "b", "c", "key:1"]).as_bytes().to_vec(),
    }
}

fn value(chance: &mut Chance) -> Vec<u8> {
    match chance.below(8) {
        0..=3 => chance.pick(NUMBERS).as_bytes().to_vec(),
        4 if chance.percent(2) => vec![b'x'; TOO_LARGE],
        4 => {
            let len = *chance.pick(LENGTHS);
            chance.bytes(len)
        }
        5 => {
            let len = *chance.pick(LENGTHS);
            vec![b'a' + chance.below(26) as u8; len]
        }
        _ => (0..chance.below(10)).map(|_| b'a' + chance.below(4) as u8).collect(),
    }
}

fn pick(choices: &[&str], chance: &mut Chance) -> String {
    (*chance.pick(choices)).to_owned()
}

fn noreply(chance: &mut Chance) -> &'static str {
    if chance.percent(10) { " noreply" } else { "" }
}

/// A line of these words, ended.
fn line(words: &[&[u8]], end: &str) -> Vec<u8> {
    let mut line = words.join(&b' ');
    line.extend_from_slice(end.as_bytes());
    line.extend_from_slice(b"\r\n");
    line
}

fn store(chance: &mut Chance) -> Request {
    let verb = pick(&["set", "set", "set", "add", "replace", "append", "prepend"], chance);
    let (key, value) = (short_key(chance), value(chance));
    let (flags, time, len) = (pick(FLAGS, chance), pick(TIMES, chance), value.len().to_string());
    let words = [verb.as_bytes(), &key, flags.as_bytes(), time.as_bytes(), len.as_bytes()];
    let bytes = [line(&words, noreply(chance)), value, b"\r\n".to_vec()].concat();
    Request::plain(&key, &bytes)
}

fn cas(chance: &mut Chance) -> Request {
    let (key, value) = (short_key(chance), value(chance));
    let (flags, time) = (pick(FLAGS, chance), pick(TIMES, chance));
    let head = [b"cas ", key.as_slice(), format!(" {flags} {time} {} ", value.len()).as_bytes()].concat();
    let tail = [noreply(chance).as_bytes(), b"\r\n", &value, b"\r\n"].concat();
    Request { key, head, cas: Some(which_cas(chance)), tail }
}

fn which_cas(chance: &mut Chance) -> Cas {
    match chance.below(10) {
        0 => Cas::Unknown,
        1..=2 => Cas::Seen(1),
        _ => Cas::Seen(0),
    }
}

fn get(chance: &mut Chance) -> Request {
    let verb = pick(&["get", "gets", "gets", "gat", "gats"], chance);
    let time = pick(TIMES, chance);
    // What comes before a key that is too long is done all the same by memcached, and not by Larder.
    let first = key(chance);
    let keys: Vec<Vec<u8>> =
        std::iter::once(first).chain((0..chance.below(3)).map(|_| short_key(chance))).collect();
    let mut words = vec![verb.as_bytes()];
    if verb.starts_with("gat") {
        words.push(time.as_bytes());
    }
    words.extend(keys.iter().map(Vec::as_slice));
    Request::plain(&keys[0], &line(&words, ""))
}

fn arithmetic(chance: &mut Chance) -> Request {
    let (verb, key, delta) = (pick(&["incr", "decr"], chance), key(chance), pick(NUMBERS, chance));
    let words = [verb.as_bytes(), &key, delta.as_bytes()];
    Request::plain(&key, &line(&words, noreply(chance)))
}

fn delete(chance: &mut Chance) -> Request {
    let key = key(chance);
    let suffix = *chance.pick(&["", "", "", " noreply", " 0", " 1", " 0 noreply"]);
    Request::plain(&key, &line(&[b"delete", &key], suffix))
}

fn touch(chance: &mut Chance) -> Request {
    let (key, time) = (key(chance), pick(TIMES, chance));
    Request::plain(&key, &line(&[b"touch", &key, time.as_bytes()], noreply(chance)))
}

/// A request that is refused. None of them announces a value: what becomes of that after an error is not the same everywhere.
fn wrong(chance: &mut Chance) -> Request {
    let lines = [
        "",
        "get",
        "gets",
        "gat",
        "gat 0",
        "gat x a",
        "incr",
        "incr a",
        "incr a x",
        "decr a -1",
        "incr a 1 2 3",
        "delete",
        "delete a 5 noreply x",
        "touch",
        "touch a",
        "touch a x",
        "foo",
        "set",
        "set a",
        "GET a",
        "cas",
        "flush_all x",
    ];
    Request::plain(b"a", format!("{}\r\n", pick(&lines, chance)).as_bytes())
}

const GET_FLAGS: &str = "v c f s k t h l q O123 T1000 N0 N1000 E5000000000 b";
const SET_FLAGS: &str = "c k q O1 T1000 T-1 F5 I MS ME MA MP MR N1000 s b";
const ARITHMETIC_FLAGS: &str = "v c t k q N0 N100 J13 D5 D18446744073709551615 MD M- MI T1000 Ox";
const DELETE_FLAGS: &str = "k q I x T1000 O9 b";

/// A meta request: its flags by chance, each at most once.
fn meta(chance: &mut Chance) -> Request {
    let key = short_key(chance);
    let (verb, flags) = match chance.below(8) {
        0..=2 => ("mg", GET_FLAGS),
        3..=5 => ("ms", SET_FLAGS),
        6 => ("ma", ARITHMETIC_FLAGS),
        _ => ("md", DELETE_FLAGS),
    };
    let flags: Vec<&str> = flags.split(' ').collect();
    let mut chosen: Vec<&str> = Vec::new();
    for _ in 0..chance.below(5) {
        let flag = *chance.pick(&flags);
        if !chosen.iter().any(|other| other[..1] == flag[..1]) {
            chosen.push(flag);
        }
    }
    // memcached forgets of an item that `mg` makes that its key was in base64, and from then on returns the bytes as they are.
    if verb == "mg" && chosen.iter().any(|flag| flag.starts_with('N')) {
        chosen.retain(|flag| *flag != "b");
    }
    let value = (verb == "ms").then(|| value(chance));
    let len = value.as_ref().map(|value| value.len().to_string());
    let words = [len.as_deref()].into_iter().flatten().chain(chosen);
    let words: String = words.map(|word| format!(" {word}")).collect();
    let head = [verb.as_bytes(), b" ", &key, words.as_bytes()].concat();
    let value = value.map(|value| [value.as_slice(), b"\r\n"].concat()).unwrap_or_default();
    let tail = [b"\r\n".as_slice(), &value].concat();
    if verb != "mg" && chance.percent(25) {
        return Request { key, head: [&head, b" C".as_slice()].concat(), cas: Some(which_cas(chance)), tail };
    }
    Request::plain(&key, &[head, tail].concat())
}
