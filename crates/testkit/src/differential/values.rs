//! Values for arguments, by their kind and name.

use larder_engine::Group;
use larder_engine::syntax::{Argument, Kind};

use crate::chance::Chance;

/// Keys are few, so that requests meet.
const KEYS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"key:1",
    b"{tag}a-rather-long-key-of-more-than-44-bytes-x",
    b"\x00\xff\r\n",
    b"",
];
/// Lengths about which something changes: embedded strings end at 44, blocks begin at a few KiB.
const LENGTHS: &[usize] =
    &[0, 1, 2, 7, 8, 9, 31, 43, 44, 45, 46, 64, 255, 256, 4095, 4096, 4097, 8192, 20_000];
/// Integers at the edges of what encodings hold, and what only looks like one.
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "10",
    "9999",
    "10000",
    "12345678901",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775809",
    "4611686018427387904",
    "-0",
    "00",
    "+1",
    "01",
    " 1",
    "1 ",
    "1.0",
    "1e2",
    "0x1",
];
/// How many of something: never so many that the reply of a command that takes them by chance has no end.
const COUNTS: &[&str] =
    &["0", "1", "2", "3", "5", "10", "60", "-1", "-2", "-7", "9223372036854775807", "1.5", "x", ""];
const FLOATS: &[&str] = &[
    "0.1",
    "1.5",
    "-2.25",
    "3e5",
    "1e-7",
    "1e17",
    "5.0e3",
    "inf",
    "-inf",
    "nan",
    "1.",
    ".5",
    "1x",
    "0.30000000000000004",
];
const PATTERNS: &[&str] =
    &["*", "?", "a*", "[a-c]", "[^a]", "key:?", "\\a", "[", "", "*e*", "{tag}*", "[c-a]"];
/// Scripts over what keys and arguments happen to be.
const SCRIPTS: &[&str] = &[
    "return 1",
    "return {#KEYS, #ARGV, KEYS[1], ARGV[1]}",
    "return redis.call('GET', KEYS[1])",
    "return redis.pcall('GET', KEYS[1])",
    "return redis.call('SET', KEYS[1], ARGV[1] or 'x')",
    "return redis.call('INCRBY', KEYS[1], ARGV[1])",
    "return {redis.call('EXISTS', unpack(KEYS)), redis.call('TYPE', KEYS[1])}",
    "local v = redis.pcall('RPUSH', KEYS[1], unpack(ARGV)) if type(v) == 'table' then return v.err end return v",
    "redis.setresp(3) local t = redis.pcall('HGETALL', KEYS[1]) if t.map then local n = 0 for _ in pairs(t.map) do n = n + 1 end \
     return n end return t",
    "return redis.call(ARGV[1], KEYS[1])",
    "return redis.call()",
    "return cjson.encode(ARGV)",
    "return {pcall(cjson.decode, ARGV[1])}",
    "local ok, v = pcall(cjson.decode, ARGV[1]) return ok and cjson.encode(v)",
    "return cmsgpack.pack(KEYS, ARGV, #ARGV, 1.5, -300)",
    "return {pcall(cmsgpack.unpack, ARGV[1])}",
    "return {pcall(struct.pack, ARGV[1], ARGV[2], 1, 2)}",
    "return {pcall(struct.unpack, ARGV[1], ARGV[2])}",
    "return {pcall(struct.size, ARGV[1])}",
    "return {pcall(string.find, ARGV[1], ARGV[2])}",
    "return {pcall(string.match, ARGV[1], ARGV[2])}",
    "return {pcall(string.gsub, ARGV[1], ARGV[2], '<%0>')}",
    "return {pcall(string.gsub, ARGV[1], '.', ARGV[2])}",
    "return {pcall(string.rep, ARGV[1], #ARGV)}",
    "return tostring(tonumber(ARGV[1])) .. bit.tohex(tonumber(ARGV[1]) or 0, tonumber(ARGV[2]) or 8)",
    "return {bit.bor(#KEYS, 64), bit.lshift(1, #ARGV), bit.bnot(#KEYS), bit.bswap(#ARGV)}",
    "table.sort(ARGV) return ARGV",
    "return loadstring(ARGV[1])",
    "return select(2, loadstring('return ' .. (ARGV[1] or '')))",
    "return {err = ARGV[1]}",
    "return {ok = ARGV[1]}",
    "error(ARGV[1] or {err = 'A b'})",
    "return nosuch",
    "KEYS[1] = nil ARGV = nil",
    "return redis.sha1hex(ARGV[1] or '')",
    "return redis.error_reply(ARGV[1])",
    "#!lua flags=no-writes\nreturn redis.call('DEL', KEYS[1])",
    "#!lua flags=allow-oom\nreturn redis.call('STRLEN', KEYS[1])",
];

/// The SHA-1 of some of them, and of none.
const DIGESTS: &[&str] = &[
    "e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
    "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB",
    "d3c21d0c2b9ca22f82737626a27bcaf5d288f99f",
    "ffffffffffffffffffffffffffffffffffffffff",
    "x",
];

const LIBRARIES: &[&str] = &[
    "#!lua name=one\nredis.register_function('f', function(keys, args) return {#keys, args[1]} end)",
    "#!lua name=one\nredis.register_function{function_name='g', callback=function(keys) return redis.call('GET', keys[1]) end, \
     description='reads', flags={'no-writes'}}",
    "#!lua name=two\nredis.register_function('h', function(keys, args) return redis.call('SET', keys[1], args[1]) end)",
    "#!lua name=two\nredis.register_function('f', function() return redis.status_reply('two') end)",
    "#!lua name=two\nredis.register_function('f', 1)",
    "#!lua name=bad name\n",
];

const BIT_TYPES: &[&str] =
    &["u1", "u8", "i8", "u16", "i5", "u63", "i64", "i1", "u64", "i65", "u0", "x8", "u"];

/// A value for an argument; sometimes one of another kind.
pub(super) fn argument(argument: &Argument, group: Group, chance: &mut Chance) -> Vec<u8> {
    let name = argument.name.as_str();
    match (argument.kind, name) {
        (_, "seconds") => seconds(chance, 1, 0),
        (_, "milliseconds") => seconds(chance, 1000, 0),
        (_, "unix-time-seconds") => seconds(chance, 1, 4_000_000_000),
        (_, "unix-time-milliseconds") => seconds(chance, 1000, 4_000_000_000),
        (_, "count") => word(COUNTS, chance),
        _ if chance.percent(3) => value(chance),
        // Mostly keys of the command's own family, so that most requests meet what they work on.
        (Kind::Key, _) if group.is_collection() && chance.percent(85) => {
            format!("{}:{}", group.name(), chance.below(3)).into_bytes()
        }
        (Kind::Key, _) => chance.pick(KEYS).to_vec(),
        (Kind::String, "member" | "field" | "element" | "pivot") if chance.percent(85) => member(chance),
        (Kind::Double, "score" | "min" | "max" | "increment") if chance.percent(70) => score(chance),
        (Kind::String, "start" | "stop" | "min" | "max") => bound(chance),
        (Kind::Pattern, _) => word(PATTERNS, chance),
        (Kind::Double, _) => word(if chance.percent(70) { FLOATS } else { INTEGERS }, chance),
        (_, "encoding") => word(BIT_TYPES, chance),
        (_, "type") => word(&["string", "hash", "none", "STRING"], chance),
        (_, "bit") => word(&["0", "1", "1", "0", "2"], chance),
        (_, "offset") => offset(chance),
        (_, "cursor") => b"0".to_vec(),
        (_, "script") => word(SCRIPTS, chance),
        (_, "sha1") => word(DIGESTS, chance),
        (_, "function-code") => word(LIBRARIES, chance),
        (_, "function") => word(&["f", "g", "h", "F", "none"], chance),
        (_, "library-name") => word(&["one", "two", "ONE", "none"], chance),
        (Kind::Integer, name) if name.contains("db") || name.starts_with("index") => {
            word(&["0", "0", "1", "2", "15", "16", "-1", "x"], chance)
        }
        (Kind::Integer, _) => match chance.below(4) {
            0 => word(INTEGERS, chance),
            1 => word(&["0", "1"], chance),
            _ => (chance.below(60) as i64 - 20).to_string().into_bytes(),
        },
        _ => value(chance),
    }
}

/// A value for an argument of a stream's command that has values of its own; they are ids that grow with the number of the request.
pub(super) fn stream_argument(argument: &Argument, number: u64, chance: &mut Chance) -> Option<Vec<u8>> {
    // A request in twenty or so adds an entry: ids that are read lie among the last few hundred.
    let recent = |chance: &mut Chance| number.saturating_sub(chance.below(400) as u64);
    let id = |millis: u64, chance: &mut Chance| match chance.below(3) {
        0 => format!("{millis}"),
        _ => format!("{millis}-{}", chance.below(3)),
    };
    if chance.percent(3) {
        return None;
    }
    let text = match argument.name.as_str() {
        "id" if chance.percent(40) => {
            let sequence = if chance.percent(50) { "*" } else { "0" };
            format!("{number}-{sequence}")
        }
        "id" | "lastid" | "last-id" => {
            let millis = recent(chance);
            id(millis, chance)
        }
        "start" | "end" if chance.percent(40) => (*chance.pick(&["-", "+"])).to_owned(),
        "start" | "end" => {
            let (millis, open) = (recent(chance), if chance.percent(20) { "(" } else { "" });
            format!("{open}{}", id(millis, chance))
        }
        "threshold" if chance.percent(50) => chance.below(30).to_string(),
        "threshold" => recent(chance).to_string(),
        "group" => (*chance.pick(&["g", "h"])).to_owned(),
        "consumer" => (*chance.pick(&["one", "two", "three"])).to_owned(),
        // What has been pending for so long does not depend on the clock.
        "min-idle-time" => (*chance.pick(&["0", "0", "-1", "99999999999999", "x"])).to_owned(),
        _ => return None,
    };
    Some(text.into_bytes())
}

/// A member or an element: few, so that they are met again; sometimes too long to be packed.
fn member(chance: &mut Chance) -> Vec<u8> {
    match chance.below(20) {
        0 => vec![b'x'; 60 + chance.below(10)],
        1..10 => (chance.below(60) as i64 - 20).to_string().into_bytes(),
        _ => vec![b'a' + chance.below(4) as u8; 1 + chance.below(4)],
    }
}

/// A score: many are equal.
fn score(chance: &mut Chance) -> Vec<u8> {
    format!("{}", (chance.below(40) as f64 - 10.0) / 4.0).into_bytes()
}

/// One end of a range: a rank, a score, or a member.
fn bound(chance: &mut Chance) -> Vec<u8> {
    let exclusive: &[u8] = if chance.percent(30) { b"(" } else { b"" };
    match chance.below(6) {
        0 => word(&["-", "+", "-inf", "+inf", "inf"], chance),
        1 => [exclusive, &score(chance)].concat(),
        2 => [if chance.percent(50) { b"[" } else { b"(" }, &member(chance)[..]].concat(),
        _ => (chance.below(30) as i64 - 12).to_string().into_bytes(),
    }
}

fn word(choices: &[&str], chance: &mut Chance) -> Vec<u8> {
    chance.pick(choices).as_bytes().to_vec()
}

/// Times that are out of range, in the past, or none: nothing that comes to pass while requests are compared.
const ODD_TIMES: &[&str] = &[
    "0",
    "-1",
    "-1000",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775",
    "-9223372036854775",
    "9223372036854775808",
    "99999999999999999",
    "1.5",
    "1x",
    "",
    " 1",
    "+1",
    "-0",
];

/// A time far enough from now that neither side's clock matters; sometimes an odd one.
fn seconds(chance: &mut Chance, per_second: i64, since: i64) -> Vec<u8> {
    if chance.percent(12) {
        return chance.pick(ODD_TIMES).as_bytes().to_vec();
    }
    // Two equal ones from now on, given a moment apart, are later than each other or not as it happens; absolute ones may meet.
    let ahead = if since == 0 { 10_000 + chance.below(10_000_000) } else { 10_000 * (1 + chance.below(20)) };
    let seconds = since + ahead as i64;
    (seconds * per_second).to_string().into_bytes()
}

/// A place in a string: near, or beyond what is allowed, never so far that the string takes long to make.
fn offset(chance: &mut Chance) -> Vec<u8> {
    let near = [40, 600, 70_000];
    match chance.below(12) {
        0 => chance
            .pick(&["-1", "4294967296", "9223372036854775807", "x", "", "1.0", "#-1"])
            .as_bytes()
            .to_vec(),
        1 => format!("#{}", chance.below(40)).into_bytes(),
        _ => {
            let end = *chance.pick(&near);
            chance.below(end).to_string().into_bytes()
        }
    }
}

/// A value: integers, floats, and strings of the lengths that matter.
pub(super) fn value(chance: &mut Chance) -> Vec<u8> {
    match chance.below(6) {
        0 => chance.pick(INTEGERS).as_bytes().to_vec(),
        1 => (chance.seed() as i64 >> chance.below(63)).to_string().into_bytes(),
        2 => chance.pick(FLOATS).as_bytes().to_vec(),
        3 => {
            let len = *chance.pick(LENGTHS);
            chance.bytes(len)
        }
        4 => {
            let len = *chance.pick(LENGTHS);
            vec![b'a' + chance.below(26) as u8; len]
        }
        _ => {
            let len = chance.below(12);
            (0..len).map(|_| b'a' + chance.below(4) as u8).collect()
        }
    }
}
