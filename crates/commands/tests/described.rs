//! The rows say of commands what a real redis-server says of them: COMMAND INFO and COMMAND DOCS of both are compared.
//!
//! Words are not compared, nor the names of groups of arguments, which the one-line syntax does not have.

use std::collections::BTreeMap;

use larder_commands::command_table;
use larder_resp::Protocol;
use larder_testkit::{InProcess, Peer, RedisServer, Value};

/// Where a row differs on purpose: its name, the fact, and why. One that no longer differs must leave the list.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("bgsave", "arguments", NEWER),
    ("bitcount", "arguments", NEWER),
    ("bitop", "arguments", NEWER),
    ("blmove", "flags", NEWER),
    ("blpop", "flags", NEWER),
    ("brpop", "flags", NEWER),
    ("brpoplpush", "flags", NEWER),
    ("bzpopmax", "flags", NEWER),
    ("bzpopmin", "flags", NEWER),
    ("client|getname", "flags", NEWER),
    ("client|getredir", "flags", NEWER),
    ("client|id", "flags", NEWER),
    ("client|kill", "arguments", NEWER),
    ("client|list", "arguments", NEWER),
    ("client|no-evict", "flags", NEWER),
    ("client|pause", "since", NEWER),
    ("client|reply", "flags", NEWER),
    ("client|setname", "flags", NEWER),
    ("client|setname", "tips", NEWER),
    ("command|getkeys", "arguments", NEWER),
    ("command|getkeys", "arity", NEWER),
    ("command|getkeysandflags", "arguments", NEWER),
    ("command|getkeysandflags", "arity", NEWER),
    ("config|get", "arguments", NEWER),
    ("config|resetstat", "tips", NEWER),
    ("config|rewrite", "tips", NEWER),
    ("debug", "arguments", "Redis does not say that it takes any"),
    ("geohash", "arguments", NEWER),
    ("geopos", "arguments", NEWER),
    ("geosearch", "arguments", SHAPES),
    ("geosearchstore", "arguments", SHAPES),
    ("hscan", "arguments", NEWER),
    ("lcs", "arguments", NEWER),
    ("msetnx", "tips", NEWER),
    ("multi", "flags", NEWER),
    ("pfmerge", "arguments", NEWER),
    ("psetex", "deprecated", DEPRECATED),
    ("psubscribe", "arguments", "Redis says so by a block of one argument, which comes to the same"),
    ("randomkey", "tips", NEWER),
    ("scan", "tips", NEWER),
    ("select", "flags", NEWER),
    ("set", "arguments", NEWER),
    ("setex", "deprecated", DEPRECATED),
    ("setnx", "deprecated", DEPRECATED),
    ("shutdown", "arguments", NEWER),
    ("sort", "arguments", PATTERNS),
    ("sort_ro", "arguments", PATTERNS),
    ("wait", "acl", NEWER),
    ("wait", "flags", NEWER),
    ("watch", "flags", NEWER),
    ("xclaim", "arguments", NEWER),
    ("xgroup|create", "arguments", NEWER),
    ("xgroup|createconsumer", "arguments", NEWER),
    ("xgroup|delconsumer", "arguments", NEWER),
    ("xgroup|destroy", "arguments", NEWER),
    ("xgroup|setid", "arguments", NEWER),
    ("xinfo|consumers", "arguments", NEWER),
    ("xinfo|stream", "arguments", "Redis says that COUNT belongs to FULL, which comes to the same"),
    ("xsetid", "arguments", NEWER),
    ("zrank", "arguments", NEWER),
    ("zrank", "arity", NEWER),
    ("zrevrank", "arguments", NEWER),
    ("zrevrank", "arity", NEWER),
    ("zscan", "arguments", NEWER),
];

/// Debian's redis-server is 7.0.
const NEWER: &str = "as in Valkey 9.1";
const PATTERNS: &str = "Redis also says which key specs the patterns of BY and GET belong to";
const SHAPES: &str = "BYRADIUS and BYBOX are said to belong to their first argument, which comes to the same";
const DEPRECATED: &str = "as in Redis 7.2";

/// What is said of a command, fact by fact.
type Facts = BTreeMap<&'static str, String>;

#[test]
fn rows_agree_with_redis() {
    let Some(mut redis) = RedisServer::start().unwrap() else {
        println!("skipped: redis-server is not installed");
        return;
    };
    let mut larder = InProcess::default();
    let (theirs, ours) = (described(&mut redis), described(&mut larder));
    let mut problems = Vec::new();
    for row in command_table().rows() {
        let name = row.full_name();
        let Some(theirs) = theirs.get(&name) else { continue };
        for (fact, ours) in &ours[&name] {
            let theirs = theirs.get(fact).map_or("", String::as_str);
            let excepted = EXCEPTIONS.iter().any(|(row, what, _)| *row == name && what == fact);
            match (ours == theirs, excepted) {
                (false, false) => {
                    problems.push(format!("{name}, {fact}:\n  ours   {ours}\n  theirs {theirs}"))
                }
                (true, true) => problems.push(format!("{name}, {fact}: is the same, so it is no exception")),
                _ => {}
            }
        }
    }
    assert!(problems.is_empty(), "{} differences\n{}", problems.len(), problems.join("\n"));
}

/// What a peer says of each of our commands that it knows.
fn described(peer: &mut dyn Peer) -> BTreeMap<String, Facts> {
    peer.reset(Protocol::Resp3).expect("the peer answers");
    let mut all = BTreeMap::new();
    for row in command_table().rows() {
        let name = row.full_name();
        let mut ask = |what: &str| {
            let words: Vec<Vec<u8>> =
                ["command", what, &name].iter().map(|word| word.as_bytes().to_vec()).collect();
            peer.request(1, &words, 1).expect("the peer answers").remove(0)
        };
        let (info, docs) = (ask("info"), ask("docs"));
        let Value::Array(mut info) = info else { panic!("{info:?}") };
        if let Value::Array(info) = info.remove(0) {
            let docs = field(&docs, &name).expect("what has info has docs");
            all.insert(name, facts(&info, docs));
        }
    }
    all
}

fn facts(info: &[Value], docs: &Value) -> Facts {
    let text = |field_name: &str| field(docs, field_name).map(text).unwrap_or_default();
    let arguments = field(docs, "arguments").map(arguments).unwrap_or_default();
    Facts::from([
        ("arity", format!("{:?}", info[1])),
        ("flags", words(&info[2])),
        ("range", format!("{:?} {:?} {:?}", info[3], info[4], info[5])),
        ("acl", words(&info[6])),
        ("tips", words(&info[7])),
        ("key specs", elements(&info[8]).iter().map(key_spec).collect::<Vec<_>>().join(" ")),
        ("group", text("group")),
        ("since", text("since")),
        ("deprecated", format!("{} {}", text("deprecated_since"), words_or_none(field(docs, "doc_flags")))),
        ("arguments", arguments),
    ])
}

fn key_spec(spec: &Value) -> String {
    let flags = field(spec, "flags").map(words).unwrap_or_default();
    let search = |name: &str| {
        let search = field(spec, name).expect("a spec says where keys begin and how they go on");
        let Some(Value::Map(numbers)) = field(search, "spec") else { panic!("{search:?}") };
        let numbers: Vec<String> =
            numbers.iter().map(|(name, number)| format!("{}={number:?}", text(name))).collect();
        format!("{} {}", field(search, "type").map(text).unwrap_or_default(), numbers.join(" "))
    };
    format!("({flags}; {}; {})", search("begin_search"), search("find_keys"))
}

/// A tree on one line: `kind[TOKEN]{flags}(members)`, a value with its name.
fn arguments(list: &Value) -> String {
    let one = |argument: &Value| {
        let mut shown = field(argument, "type").map(text).unwrap_or_default();
        if !matches!(shown.as_str(), "oneof" | "block" | "pure-token") {
            shown = format!("{}:{shown}", field(argument, "name").map(text).unwrap_or_default());
        }
        if let Some(token) = field(argument, "token") {
            shown += &format!("[{}]", text(token));
        }
        if let Some(index) = field(argument, "key_spec_index") {
            shown += &format!("#{index:?}");
        }
        shown += &words_or_none(field(argument, "flags"));
        if let Some(members) = field(argument, "arguments") {
            shown += &format!("({})", arguments(members));
        }
        shown
    };
    elements(list).iter().map(one).collect::<Vec<_>>().join(" ")
}

fn words_or_none(list: Option<&Value>) -> String {
    list.map(words).filter(|words| !words.is_empty()).map_or_else(String::new, |words| format!("{{{words}}}"))
}

/// The words of a list in alphabetical order.
fn words(list: &Value) -> String {
    let mut words: Vec<String> = elements(list).iter().map(text).collect();
    words.sort_unstable();
    words.join(",")
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) | Value::Set(elements) => elements,
        other => panic!("no list: {other:?}"),
    }
}

fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    let Value::Map(pairs) = map else { panic!("no map: {map:?}") };
    pairs.iter().find(|(key, _)| text(key) == name).map(|(_, value)| value)
}

fn text(value: &Value) -> String {
    match value {
        Value::Simple(text) | Value::Bulk(text) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}
