//! Files of RDB, exchanged with redis-server both ways: values of every type and encoding; and what a check says of them, beside
//! what redis-check-rdb says.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking, in its helpers too")]

mod cases;
mod tool;

use larder_persist::snapshot::check::check;
use larder_persist::snapshot::{Checksum, Format, Item, Key, Reader, Usage, Verdict, Writer};
use larder_persist::{Compression, Limits, dump, restore};
use larder_resp::Protocol;
use larder_store::list::ListLimit;
use larder_store::set::SetLimits;
use larder_store::stream::ChunkLimits;
use larder_store::{Attributes, Entry, PackedLimits, UnixMillis};
use larder_testkit::{InProcess, Peer, RedisServer, Value};

use crate::cases::{ask, cases, words};
use crate::tool::Tool;

const PACKED: PackedLimits = PackedLimits { entries: 128, value_bytes: 64 };
const LIMITS: Limits = Limits {
    hash: PACKED,
    list: ListLimit::Elements(128),
    set: SetLimits { intset_entries: 512, packed: PACKED },
    sorted_set: PACKED,
    stream: ChunkLimits { bytes: 4096, entries: 100 },
};
/// Later than what is to have expired.
const NOW: UnixMillis = UnixMillis(2_000_000_000_000);
/// In the year 2100.
const EXPIRES_AT: UnixMillis = UnixMillis(4_102_444_800_000);

/// A command of a case, for the key of its number.
fn with_key<W: AsRef<[u8]>>(command: &[W], number: usize) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = command.iter().map(|word| word.as_ref().to_vec()).collect();
    words[1] = format!("key:{number}").into_bytes();
    words
}

/// Makes the values of all cases.
fn fill(peer: &mut dyn Peer) {
    for (number, case) in cases().iter().enumerate() {
        let made = ask(peer, &with_key(&case.make, number));
        assert!(!matches!(made, Value::Error(_)), "{made:?}");
    }
    ask(peer, &words("XADD stream 5-1 f v"));
    ask(peer, &words("XADD stream 5-2 f w g x"));
    ask(peer, &words("XGROUP CREATE stream group 0"));
    ask(peer, &words("XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >"));
    ask(peer, &words("XDEL stream 5-2"));
}

fn compare(one: &mut dyn Peer, other: &mut dyn Peer) {
    for (number, case) in cases().iter().enumerate() {
        let read = with_key(case.read, number);
        assert_eq!(ask(one, &read), ask(other, &read), "{read:?}");
    }
    for line in ["XPENDING stream group", "XRANGE stream - +", "XINFO GROUPS stream", "DBSIZE"] {
        assert_eq!(ask(one, &words(line)), ask(other, &words(line)), "{line}");
    }
}

/// The entry of a peer under another key.
fn entry(peer: &mut dyn Peer, key: &str, new_key: &str) -> Entry {
    let payload = ask(peer, &words(&format!("DUMP {key}"))).text().unwrap();
    restore(&payload, new_key.as_bytes(), &LIMITS).unwrap()
}

/// The values of a peer as a file.
fn written(peer: &mut dyn Peer, checksum: Checksum, compression: Compression) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Format::Redis10, checksum, compression);
    writer.aux(b"redis-ver", b"7.0.0").unwrap();
    writer.aux(b"redis-bits", b"64").unwrap();
    writer.function(b"#!lua name=lib\nredis.register_function('one', function() return 1 end)").unwrap();
    writer.database(0, cases().len() as u64 + 1, 1).unwrap();
    let keys = (0..cases().len()).map(|number| format!("key:{number}"));
    for key in keys.chain(["stream".to_owned()]) {
        let mut entry = entry(peer, &key, &key);
        let mut usage = Usage::Unknown;
        if key == "key:0" {
            usage = Usage::IdleSeconds(5000);
            entry.set_attributes(&Attributes { client_flags: 7, ..Attributes::expiring(Some(EXPIRES_AT)) });
        }
        writer.key(&Key::of(&entry, usage)).unwrap();
    }
    writer.database(9, 1, 0).unwrap();
    writer.key(&Key::of(&entry(peer, "key:1", "12345"), Usage::Unknown)).unwrap();
    writer.finish().unwrap()
}

#[test]
fn redis_loads_what_is_written() {
    for (checksum, compression) in [(Checksum::Written, Compression::Lzf), (Checksum::Zero, Compression::Off)]
    {
        let mut larder = InProcess::new(Protocol::Resp2);
        fill(&mut larder);
        let file = written(&mut larder, checksum, compression);
        let arguments = ["--dbfilename", "some.rdb", "--appendonly", "no"];
        let Some(mut redis) = RedisServer::start_with(&[("some.rdb", &file)], &arguments).unwrap() else {
            println!("skipped: redis-server is not installed");
            return;
        };
        assert_eq!(ask(&mut redis, &words("PEXPIRETIME key:0")), Value::Integer(EXPIRES_AT.0));
        let idle = ask(&mut redis, &words("OBJECT IDLETIME key:0"));
        assert!(matches!(idle, Value::Integer(5000..6000)), "{idle:?}");
        compare(&mut larder, &mut redis);
        assert_eq!(ask(&mut redis, &words("FCALL one 0")), Value::Integer(1));
        ask(&mut redis, &words("SELECT 9"));
        assert_eq!(ask(&mut redis, &words("TYPE 12345")), Value::Simple(b"string".to_vec()));
    }
}

/// The entries of a file that has database 0 alone.
fn entries(file: &[u8]) -> Vec<(Entry, Usage)> {
    let mut reader = Reader::new(file).unwrap();
    let (mut entries, mut facts, mut functions) = (Vec::new(), Vec::new(), 0);
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::Aux { name, .. } => facts.push(String::from_utf8(name).unwrap()),
            Item::Function(_) => functions += 1,
            Item::Key(record) => entries.push((record.decode(&LIMITS).unwrap(), record.usage())),
            Item::Database(db) => assert_eq!(db, 0),
            Item::Sizes { keys, .. } => assert_eq!(keys, cases().len() as u64 + 1),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((reader.verdict(), reader.offset()), (Some(Verdict::Checked), file.len() as u64));
    assert!(facts.iter().any(|name| name == "redis-bits"), "{facts:?}");
    assert_eq!(functions, 1);
    entries
}

#[test]
fn what_redis_saves_is_read() {
    for compression in ["yes", "no"] {
        let arguments = ["--rdbcompression", compression, "--maxmemory-policy", "allkeys-lru"];
        let Some(mut redis) = RedisServer::start_with(&[], &arguments).unwrap() else {
            println!("skipped: redis-server is not installed");
            return;
        };
        fill(&mut redis);
        ask(&mut redis, &words("PEXPIREAT key:0 4102444800000"));
        let library = b"#!lua name=lib\nredis.register_function('one', function() return 1 end)".to_vec();
        ask(&mut redis, &[words("FUNCTION LOAD"), vec![library]].concat());
        assert_eq!(ask(&mut redis, &words("SAVE")), Value::Simple(b"OK".to_vec()));
        let mut larder = InProcess::new(Protocol::Resp2);
        for (entry, usage) in entries(&redis.file("dump.rdb").unwrap()) {
            assert!(matches!(usage, Usage::IdleSeconds(_)), "{usage:?}");
            assert_eq!(entry.expires_at(), (entry.key() == b"key:0").then_some(EXPIRES_AT));
            let rest = vec![entry.key().to_vec(), b"0".to_vec(), dump(&entry, Compression::Off)];
            let restored = ask(&mut larder, &[words("RESTORE"), rest].concat());
            assert_eq!(restored, Value::Simple(b"OK".to_vec()));
        }
        compare(&mut redis, &mut larder);
    }
}

/// Lines of both, and whether both think that the file is sane.
fn compare_checks(tool: &Tool, what: &str, file: &[u8]) {
    let path = tool.put("dump.rdb", file);
    let (theirs, status) = tool.run(&[&path]);
    let mut ours = Vec::new();
    let checked = check(file, path.as_bytes(), NOW, &mut ours).unwrap();
    let ours = tool.lines(&String::from_utf8_lossy(&ours));
    let theirs: Vec<String> = tool.lines(&theirs).iter().map(|line| without_place(line)).collect();
    assert_eq!(without_noise(&ours), without_noise(&theirs), "{what}");
    assert_eq!((checked.is_sane, status), if checked.is_sane { (true, 0) } else { (false, 1) }, "{what}");
}

/// A line without the place in their source where the fault was found.
fn without_place(line: &str) -> String {
    match line.split_once(" Internal error in RDB reading offset ") {
        Some((offset, rest)) => format!("{offset} {}", rest.split_once("-> ").unwrap().1),
        None => line.to_owned(),
    }
}

/// Lines without the type that they speak of before they have come to the first key, and without those of the log.
fn without_noise(lines: &[String]) -> Vec<&String> {
    let keyless = lines.iter().any(|line| line == "[info] 0 keys read");
    let is_first = |line: &str| keyless && line == "[additional info] Reading type 0 (string)";
    let is_log = |line: &str| line.ends_with(" # Terminating server after rdb file reading failure.");
    lines.iter().filter(|line| !is_first(line) && !is_log(line)).collect()
}

#[test]
fn redis_check_rdb_says_the_same() {
    let Some(tool) = Tool::find("redis-check-rdb") else {
        println!("skipped: redis-check-rdb is not installed");
        return;
    };
    let Some(mut redis) = RedisServer::start_with(&[], &["--maxmemory-policy", "allkeys-lfu"]).unwrap()
    else {
        return;
    };
    fill(&mut redis);
    ask(&mut redis, &words("PEXPIREAT key:0 4102444800000"));
    // Of a stream that breaks off they tell in which part, and we do not: streams come last, wherever chance would have them.
    let move_streams = "for _, key in ipairs(redis.call('KEYS', '*')) do
        if redis.call('TYPE', key).ok == 'stream' then redis.call('MOVE', key, 1) end end";
    ask(&mut redis, &["EVAL", move_streams, "0"].map(|word| word.as_bytes().to_vec()));
    ask(&mut redis, &words("SAVE"));
    let file = redis.file("dump.rdb").unwrap();
    let streams_at = file.windows(3).rposition(|bytes| bytes == b"\xfe\x01\xfb").unwrap();
    compare_checks(&tool, "whole", &file);
    let end = file.len() - 8;
    compare_checks(&tool, "without checksum", &[&file[..end], &[0; 8]].concat());
    compare_checks(&tool, "wrong checksum", &[&file[..end], &[1; 8]].concat());
    compare_checks(&tool, "signature", b"RUDIS0010 and more");
    compare_checks(&tool, "version", b"REDIS0099 and more");
    let head = &file[..9];
    for rest in [
        &b"\x08\x01k"[..],
        b"\x00\x82",
        b"\xfa\x03abc",
        b"\xfc\0\0",
        b"\xfe",
        b"\xf5\x05abc",
        b"\x02\x01k\x03\x01a",
    ] {
        compare_checks(&tool, &format!("{rest:?}"), &[head, rest].concat());
    }
    for len in (0..300).chain((300..streams_at).step_by(5001)) {
        compare_checks(&tool, &format!("{len} bytes"), &file[..len]);
    }
}
