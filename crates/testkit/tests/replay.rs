//! What a node records of its requests makes the same keys when it is executed on another one: after the scripts of all commands, and after
//! requests by chance.
//!
//! `DIFF_COMMANDS=500000 DIFF_SEED=7 cargo test -p larder-testkit --test replay` asks for more of the latter.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use larder_engine::Replay;
use larder_persist::log::{Item, Reader};
use larder_resp::Protocol;
use larder_testkit::differential::{compare, real_now};
use larder_testkit::script::{Script, run, scripts_in};
use larder_testkit::{InProcess, Peer, PeerError, RedisServer, Value, Version, number};

/// A client of its own, which begins in database 0.
const ASKS: usize = 9999;

/// A node that records. Whenever it begins anew, what it recorded before is executed on another one.
struct Recorded {
    node: InProcess,
    settings: Vec<(String, String)>,
    /// How many bytes were compared so far.
    compared: usize,
    /// The first records, as many as are wanted.
    kept: Vec<Vec<u8>>,
    wanted: usize,
}

impl Recorded {
    fn new() -> Recorded {
        Recorded::keeping(0)
    }

    /// Keeps so many records.
    fn keeping(wanted: usize) -> Recorded {
        let (node, settings, kept) = (InProcess::default(), Vec::new(), Vec::new());
        let recorded = Recorded { node, settings, compared: 0, kept, wanted };
        recorded.begin();
        recorded
    }

    /// Has a new node record.
    fn begin(&self) {
        self.node.node().clock.advance_to(real_now());
        self.node.node().engine.start_append_log();
    }

    /// How what it has recorded makes other keys than it has, if it does.
    fn difference(&mut self) -> Option<String> {
        let bytes = self.node.node().engine.append_log.take(Vec::new()).bytes;
        let mut node = std::mem::take(&mut self.node);
        self.begin();
        let mut other = InProcess::default();
        for (name, value) in &std::mem::take(&mut self.settings) {
            other.configure(name, value).unwrap();
        }
        other.node().clock.advance_to(node.node().clock.now());
        if let Err(error) = execute(&other, &bytes) {
            return Some(error);
        }
        if !bytes.is_empty() && self.kept.len() < self.wanted {
            self.kept.push(bytes.clone());
        }
        // Whoever reads a log at a later time finds less, as does this one.
        node.advance(1);
        other.advance(1);
        self.compared += bytes.len();
        let (here, there) = (keys(&mut node), keys(&mut other));
        let differs = here.keys().chain(there.keys()).find(|name| here.get(*name) != there.get(*name))?;
        let shown = |looks: Option<&Vec<Value>>| format!("{looks:?}").chars().take(2000).collect::<String>();
        Some(format!(
            "{:?} of database {} is not as it was:\n{}\nbut\n{}\nafter\n{}",
            differs.1.escape_ascii().to_string(),
            differs.0,
            shown(here.get(differs)),
            shown(there.get(differs)),
            about(&bytes, &differs.1)
        ))
    }
}

/// The commands of a log that name a key, or select or flush databases.
fn about(bytes: &[u8], key: &[u8]) -> String {
    let (mut reader, mut lines) = (Reader::new(bytes), Vec::new());
    while let Ok(Some(item)) = reader.next_item() {
        let Item::Command(command) = item else {
            lines.push(format!("{item:?}"));
            continue;
        };
        let words: Vec<&[u8]> = command.arguments().collect();
        if words.len() < 3 || words.iter().any(|word| word.eq_ignore_ascii_case(key)) {
            let words = words.iter().map(|word| word[..word.len().min(60)].escape_ascii().to_string());
            lines.push(words.collect::<Vec<_>>().join(" "));
        }
    }
    let first = lines.len().saturating_sub(40);
    lines.split_off(first).join("\n")
}

fn execute(node: &InProcess, bytes: &[u8]) -> Result<(), String> {
    let (mut replay, mut reader) = (Replay::new(&node.node().engine), Reader::new(bytes));
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::Command(command) => {
                replay.execute(command.request)?;
                let reply = replay.reply();
                if reply.starts_with(b"-") {
                    let request = command.request[..command.request.len().min(500)].escape_ascii();
                    return Err(format!("{request}: {}", reply.escape_ascii()));
                }
            }
            Item::Annotation(text) => replay.annotate(text),
            Item::Timestamp(_) => {}
        }
    }
    Ok(())
}

impl Peer for Recorded {
    fn version(&self) -> Option<Version> {
        Some(Version(7, 0, 15))
    }

    fn reset(&mut self, protocol: Protocol) -> Result<(), PeerError> {
        if let Some(difference) = self.difference() {
            panic!("{difference}");
        }
        self.node.reset(protocol)?;
        self.begin();
        self.settings.clear();
        Ok(())
    }

    fn send(&mut self, client: usize, bytes: &[u8], expected: usize) -> Result<Vec<Value>, PeerError> {
        self.node.send(client, bytes, expected)
    }

    fn advance(&mut self, millis: u32) {
        self.node.advance(millis);
    }

    fn configure(&mut self, name: &str, value: &str) -> Result<(), PeerError> {
        self.settings.push((name.to_owned(), value.to_owned()));
        self.node.configure(name, value)
    }
}

fn ask(node: &mut dyn Peer, words: &[&[u8]]) -> Value {
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
    node.request(ASKS, &words, 1).unwrap().pop().unwrap_or(Value::Null)
}

/// Everything that a node has.
fn keys(node: &mut dyn Peer) -> BTreeMap<(usize, Vec<u8>), Vec<Value>> {
    let mut found = BTreeMap::new();
    node.configure("requirepass", "").unwrap();
    ask(node, &[b"CLIENT", b"UNPAUSE"]);
    ask(node, &[b"HELLO", b"2"]);
    for db in 0..16 {
        ask(node, &[b"SELECT", db.to_string().as_bytes()]);
        let Value::Array(names) = ask(node, &[b"KEYS", b"*"]) else { panic!("KEYS replies an array") };
        for name in names.iter().filter_map(Value::text) {
            found.insert((db, name.clone()), looks(node, &name));
        }
    }
    found.insert((usize::MAX, b"functions".to_vec()), vec![ask(node, &[b"FUNCTION", b"LIST", b"WITHCODE"])]);
    found
}

fn looks(node: &mut dyn Peer, key: &[u8]) -> Vec<Value> {
    let mut looks = vec![ask(node, &[b"TYPE", key]), ask(node, &[b"PEXPIRETIME", key]), Value::Null];
    if looks[0] != Value::Simple(b"string".to_vec()) {
        // A string that was made by adding up is written as one that was set.
        looks[2] = ask(node, &[b"OBJECT", b"ENCODING", key]);
    }
    match looks[0].text().unwrap_or_default().as_slice() {
        b"string" => looks.push(ask(node, &[b"GET", key])),
        b"list" => looks.push(ask(node, &[b"LRANGE", key, b"0", b"-1"])),
        b"set" => looks.push(ask(node, &[b"SORT", key, b"ALPHA"])),
        b"zset" => looks.push(ask(node, &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"])),
        b"hash" => {
            looks.push(ask(node, &[b"SORT", key, b"BY", b"nosort", b"GET", b"#"]));
            let Value::Array(fields) = ask(node, &[b"HKEYS", key]) else { panic!("HKEYS replies an array") };
            let mut fields: Vec<Vec<u8>> = fields.iter().filter_map(Value::text).collect();
            fields.sort();
            looks.pop();
            for field in fields {
                looks.push(Value::Bulk(field.clone()));
                looks.push(ask(node, &[b"HGET", key, &field]));
                looks.push(ask(node, &[b"HPEXPIRETIME", key, b"FIELDS", b"1", &field]));
            }
        }
        b"stream" => looks.push(timeless(ask(node, &[b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]))),
        other => panic!("a type of its own: {}", other.escape_ascii()),
    }
    looks
}

/// Without the times at which consumers were last seen, which no log has.
fn timeless(value: Value) -> Value {
    let Value::Array(items) = value else { return value };
    let mut kept = Vec::new();
    let mut items = items.into_iter();
    while let Some(item) = items.next() {
        let name = item.text().unwrap_or_default();
        if [&b"seen-time"[..], b"active-time"].contains(&name.as_slice()) {
            items.next();
        } else if name == b"radix-tree-keys" || name == b"radix-tree-nodes" {
            // How entries are divided among chunks is nobody's business.
            items.next();
        } else {
            kept.push(timeless(item));
        }
    }
    Value::Array(kept)
}

#[test]
fn after_the_scripts_of_all_commands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands/tests/scripts");
    let (mut recorded, mut faults) = (Recorded::new(), Vec::new());
    for path in scripts_in(&folder).unwrap() {
        let script = Script::parse(&path, &fs::read_to_string(&path).unwrap()).unwrap();
        // Whether the replies are right is not asked here.
        run(&script, &mut recorded, Protocol::Resp2);
        faults.extend(recorded.difference().map(|fault| format!("{}: {fault}", path.display())));
    }

    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(recorded.compared > 50_000, "only {} bytes were recorded", recorded.compared);
}

#[test]
fn after_requests_by_chance() {
    let mut recorded = Recorded::new();
    let requests = number("DIFF_COMMANDS", 20_000) as usize;
    if let Err(mismatch) = compare(&mut recorded, requests, number("DIFF_SEED", 1)).unwrap() {
        panic!("{mismatch}");
    }
    assert!(recorded.compared > requests, "only {} bytes were recorded", recorded.compared);
}

#[test]
fn redis_server_makes_the_same_of_what_is_recorded() {
    let mut recorded = Recorded::keeping(number("DIFF_LOGS", 10) as usize);
    let seed = number("DIFF_SEED", 1);
    compare(&mut recorded, number("DIFF_COMMANDS", 20_000) as usize / 4, seed).unwrap().unwrap();
    let mut checked = 0;
    for log in &recorded.kept {
        let manifest = b"file log.1.incr.aof seq 1 type i\n";
        let files = [("log/log.manifest", &manifest[..]), ("log/log.1.incr.aof", log.as_slice())];
        let arguments = ["--appendonly", "yes", "--appenddirname", "log", "--appendfilename", "log"];
        let Some(mut server) = RedisServer::start_with(&files, &arguments).unwrap() else {
            println!("skipped: redis-server is not installed");
            return;
        };
        let mut node = InProcess::default();
        node.node().clock.advance_to(real_now());
        execute(&node, log).unwrap();
        let (ours, theirs) = (keys(&mut node), keys(&mut server));
        let names = ours.keys().chain(theirs.keys());
        for name in names.filter(|name| name.0 < 16) {
            assert_eq!(bare(ours.get(name)), bare(theirs.get(name)), "{name:?}\n{}", about(log, &name.1));
        }
        checked += theirs.len();
    }
    assert!(checked > 10, "redis-server had {checked} keys only");
}

#[test]
fn what_redis_server_writes_makes_the_same_here() {
    let Some(mut server) =
        RedisServer::start_with(&[], &["--appendonly", "yes", "--enable-debug-command", "yes"]).unwrap()
    else {
        println!("skipped: redis-server is not installed");
        return;
    };
    compare(&mut server, number("DIFF_COMMANDS", 20_000) as usize / 4, number("DIFF_SEED", 1))
        .unwrap()
        .unwrap();
    let theirs = keys(&mut server);
    let log = server.file("appendonlydir/appendonly.aof.1.incr.aof").unwrap();
    let mut node = InProcess::default();
    node.node().clock.advance_to(real_now());
    execute(&node, &log).unwrap();
    let ours = keys(&mut node);
    for name in ours.keys().chain(theirs.keys()).filter(|name| name.0 < 16) {
        assert_eq!(bare(ours.get(name)), bare(theirs.get(name)), "{name:?}\n{}", about(&log, &name.1));
    }
    assert!(log.len() > 100_000, "only {} bytes were written", log.len());
}

/// What both servers know of a value: at the edges of packing encodings may differ, and redis-server knows of no fields that expire.
fn bare(looks: Option<&Vec<Value>>) -> Option<Vec<&Value>> {
    const LASTING: &Value = &Value::Integer(-1);
    fn shown(value: &Value) -> &Value {
        match value {
            Value::Error(_) => LASTING,
            Value::Array(only) if only == std::slice::from_ref(LASTING) => LASTING,
            value => value,
        }
    }
    looks.map(|looks| [&looks[0], &looks[1]].into_iter().chain(&looks[3..]).map(shown).collect())
}
