//! Append logs, exchanged with redis-server both ways; and what a check says of them, beside what redis-check-aof says.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking, in its helpers too")]

mod tool;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use larder_persist::Compression;
use larder_persist::log::check::{Files, Mode, Sanity, check};
use larder_persist::log::{BaseFormat, Item, Manifest, Opened, Reader, open, write_command, write_timestamp};
use larder_persist::snapshot::{self, Checksum, Format, Key, Usage, Writer};
use larder_resp::Protocol;
use larder_store::{Attributes, Entry, NewValue, UnixMillis};
use larder_testkit::{Peer, RedisServer, Value};

use crate::tool::Tool;

/// Files of this machine, for a person who always agrees.
struct Disk;

impl Files for Disk {
    type File = File;

    fn open(&mut self, path: &Path, from: u64) -> io::Result<(File, u64)> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(from))?;
        Ok((file, len))
    }

    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(len)
    }

    fn agrees(&mut self) -> bool {
        true
    }
}

/// Files by their names; the first is given to the check.
type Log<'a> = [(&'a str, &'a [u8])];

/// Lines, exit status, and what the files have afterwards.
type Outcome = (Vec<String>, i32, Vec<Option<Vec<u8>>>);

fn outcome(tool: &Tool, log: &Log<'_>, run: impl FnOnce(&str) -> (String, i32)) -> Outcome {
    let paths: Vec<String> = log.iter().map(|(name, bytes)| tool.put(name, bytes)).collect();
    let (text, status) = run(&paths[0]);
    let after = paths.iter().map(|path| fs::read(path).ok()).collect();
    let text = tool.lines(&text).iter().map(|line| said(line)).filter(|line| !line.is_empty()).collect();
    (text, status, after)
}

/// A line without what a log puts before it.
fn said(line: &str) -> String {
    match line.split_once(" # ") {
        Some((head, text)) if head.contains(":C ") => text.to_owned(),
        _ => line.to_owned(),
    }
}

fn compare(tool: &Tool, what: &str, log: &Log<'_>, mode: Mode) {
    let until;
    let options = match mode {
        Mode::Check => vec![],
        Mode::Fix => vec!["--fix"],
        Mode::TruncateToTimestamp(seconds) => {
            until = seconds.to_string();
            vec!["--truncate-to-timestamp", &until]
        }
    };
    let theirs = outcome(tool, log, |path| tool.run(&[&options[..], &[path]].concat()));
    let ours = outcome(tool, log, |path| {
        let mut out = Vec::new();
        let sanity = check(&mut Disk, Path::new(path), mode, UnixMillis(0), &mut out).unwrap();
        (String::from_utf8(out).unwrap(), i32::from(sanity == Sanity::Damaged))
    });
    assert_eq!((&ours.0, ours.1), (&theirs.0, theirs.1), "{what}, {mode:?}");
    assert!(ours.2 == theirs.2, "files after {what}, {mode:?}");
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    write_command(&mut out, words.iter().map(|word| word.as_bytes()));
    out
}

/// A log of some commands, of which some are a transaction, at three times.
fn sample() -> Vec<u8> {
    let mut log = Vec::new();
    write_timestamp(&mut log, 100);
    log.extend(command(&["SELECT", "0"]));
    log.extend(command(&["SET", "k", "v\r\n*1"]));
    write_timestamp(&mut log, 200);
    log.extend(command(&["MULTI"]));
    log.extend(command(&["INCR", "n"]));
    log.extend(command(&["EXEC"]));
    write_timestamp(&mut log, 300);
    log.extend(command(&["RPUSH", "l", "", "b"]));
    log
}

fn base() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Format::Redis10, Checksum::Written, Compression::Lzf);
    writer.aux(b"redis-ver", b"7.0.0").unwrap();
    writer.aux(b"aof-base", b"1").unwrap();
    writer.database(0, 1, 0).unwrap();
    let entry = Entry::new(b"base", 0, &Attributes::default(), NewValue::of(b"there"));
    writer.key(&Key::of(&entry, Usage::Unknown)).unwrap();
    writer.finish().unwrap()
}

#[test]
fn redis_check_aof_says_the_same_of_single_files() {
    let Some(tool) = Tool::find("redis-check-aof") else {
        println!("skipped: redis-check-aof is not installed");
        return;
    };
    let log = sample();
    for mode in [Mode::Check, Mode::Fix] {
        for len in 0..=log.len() {
            // Of a line that breaks off they print what happens to lie in memory behind it, and an annotation that does is a whole
            // one to them.
            let line = log[..len].rsplit(|byte| *byte == b'\n').next().unwrap();
            let odd = line.starts_with(b"#") || matches!(line.first(), Some(b'*' | b'$'));
            if !odd {
                compare(&tool, &format!("{len} bytes"), &[("some.aof", &log[..len])], mode);
            }
        }
        for (what, tail) in [
            ("no command", &b"SET k v\r\n"[..]),
            ("another prefix", b"*1\r\n+4\r\nPING\r\n"),
            ("no end of a header", b"*1x\r\n"),
            ("no end of an argument", b"*1\r\n$4\r\nPINGxx"),
            ("negative", b"*1\r\n$-1\r\n"),
            ("nested", b"*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nmulti\r\n"),
            ("exec", b"*1\r\n$4\r\nEXEC\r\n"),
            ("open", b"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPING\r\n"),
            ("another annotation", b"#something\r\n"),
        ] {
            compare(&tool, what, &[("some.aof", &[&log[..], tail].concat())], mode);
        }
        let preamble = [base(), log.clone()].concat();
        compare(&tool, "preamble", &[("some.aof", &preamble)], mode);
        compare(&tool, "preamble breaks off", &[("some.aof", &preamble[..50])], mode);
        compare(
            &tool,
            "what follows a preamble breaks off",
            &[("some.aof", &preamble[..preamble.len() - 3])],
            mode,
        );
    }
    for until in [50, 100, 150, 200, 300, 1000] {
        compare(&tool, "times", &[("some.aof", &log)], Mode::TruncateToTimestamp(until));
    }
}

#[test]
fn redis_check_aof_says_the_same_of_manifests() {
    let Some(tool) = Tool::find("redis-check-aof") else {
        println!("skipped: redis-check-aof is not installed");
        return;
    };
    let (base, log) = (base(), sample());
    let mut manifest = Manifest::default();
    manifest.replace_base("a.aof", BaseFormat::Snapshot);
    manifest.begin_increment("a.aof");
    manifest.begin_increment("a.aof");
    let text = manifest.to_bytes();
    let short = &log[..log.len() - 2];
    for mode in [Mode::Check, Mode::Fix, Mode::TruncateToTimestamp(250)] {
        for (base, first, second) in [
            (&base[..], &log[..], &log[..]),
            (&base, &log, short),
            (&base, short, &log),
            (&log, &log, b""),
            (b"", b"", b""),
        ] {
            let files = [
                ("a.aof.manifest", &text[..]),
                ("a.aof.1.base.rdb", base),
                ("a.aof.1.incr.aof", first),
                ("a.aof.2.incr.aof", second),
            ];
            compare(&tool, &format!("{} {} {}", base.len(), first.len(), second.len()), &files, mode);
        }
    }
    for text in [
        "file nosuch.aof seq 1 type i\n",
        "# a comment\nfile \"some.aof\" seq 1 type b whatever 5\n",
        "file some.aof seq 1 type b",
        "file some.aof seq 1\n",
        "file some.aof seq 1 type\n",
        "file some.aof seq x type b\n",
        "file a/some.aof seq 1 type b\n",
        "file some.aof seq 1 type x\n",
        "file some.aof seq 1 type b\n\n",
        "file some.aof seq 1 type b\nfile some.aof seq 2 type b\n",
        "file some.aof seq 2 type i\nfile some.aof seq 2 type i\n",
        "file \"some.aof seq 1 type i\n",
        "FILE some.aof seq 1 type i\n",
        "file some.aof SEQ 1 Type ix\n",
    ] {
        compare(&tool, text, &[("b.aof.manifest", text.as_bytes()), ("some.aof", &log)], Mode::Check);
    }
    let long = format!("file {}.aof seq 1 type b\n", "x".repeat(1100));
    compare(&tool, "long", &[("b.aof.manifest", long.as_bytes())], Mode::Check);
}

fn ask(redis: &mut RedisServer, line: &str) -> Value {
    let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    redis.request(1, &words, 1).unwrap().swap_remove(0)
}

#[test]
fn redis_loads_what_is_written() {
    let mut manifest = Manifest::default();
    manifest.replace_base("appendonly.aof", BaseFormat::Snapshot);
    manifest.begin_increment("appendonly.aof");
    let files = [
        ("appendonlydir/appendonly.aof.manifest", &manifest.to_bytes()[..]),
        ("appendonlydir/appendonly.aof.1.base.rdb", &base()),
        ("appendonlydir/appendonly.aof.1.incr.aof", &sample()),
    ];
    let Some(mut redis) = RedisServer::start_with(&files, &["--appendonly", "yes"]).unwrap() else {
        println!("skipped: redis-server is not installed");
        return;
    };
    assert_eq!(ask(&mut redis, "GET base"), Value::Bulk(b"there".to_vec()));
    assert_eq!(ask(&mut redis, "GET k"), Value::Bulk(b"v\r\n*1".to_vec()));
    assert_eq!(ask(&mut redis, "GET n"), Value::Bulk(b"1".to_vec()));
    assert_eq!(ask(&mut redis, "LLEN l"), Value::Integer(2));
}

/// The commands of a log, in words, and how many times it tells.
fn commands(log: &[u8]) -> (Vec<String>, usize) {
    let (mut commands, mut times) = (Vec::new(), 0);
    let mut reader = match open(log).unwrap() {
        Opened::Commands(rest) => Reader::new(rest),
        Opened::Snapshot(rest) => {
            let mut snapshot = snapshot::Reader::new(rest).unwrap();
            while snapshot.next_item().unwrap().is_some() {}
            let offset = snapshot.offset();
            let mut rest = Vec::new();
            snapshot.into_rest().read_to_end(&mut rest).unwrap();
            assert_eq!(offset, log.len() as u64);
            return (commands, times);
        }
    };
    loop {
        match reader.next_item().unwrap() {
            Some(Item::Command(command)) => {
                let words: Vec<_> = command.arguments().map(String::from_utf8_lossy).collect();
                commands.push(words.join(" "));
            }
            Some(Item::Timestamp(_)) => times += 1,
            Some(Item::Annotation(_)) => panic!("redis-server writes no others"),
            None => break,
        }
    }
    assert_eq!(reader.intact_up_to(), log.len() as u64);
    (commands, times)
}

#[test]
fn what_redis_writes_is_read() {
    let arguments = ["--appendonly", "yes", "--appendfsync", "always", "--aof-timestamp-enabled", "yes"];
    let Some(mut redis) = RedisServer::start_with(&[], &arguments).unwrap() else {
        println!("skipped: redis-server is not installed");
        return;
    };
    redis.reset(Protocol::Resp2).unwrap();
    ask(&mut redis, "SET k v");
    for line in ["MULTI", "INCR n", "INCR n", "EXEC", "SELECT 3", "RPUSH l a b"] {
        ask(&mut redis, line);
    }
    let manifest = Manifest::parse(&redis.file("appendonlydir/appendonly.aof.manifest").unwrap()).unwrap();
    let mut expected = Manifest::default();
    expected.replace_base("appendonly.aof", BaseFormat::Snapshot);
    expected.begin_increment("appendonly.aof");
    assert_eq!(manifest, expected);
    let mut found = Vec::new();
    for file in manifest.files() {
        let name = format!("appendonlydir/{}", String::from_utf8_lossy(&file.name));
        let (commands, times) = commands(&redis.file(&name).unwrap());
        assert_eq!(times > 0, !commands.is_empty());
        found.extend(commands);
    }
    let begin = found.iter().position(|line| line == "SET k v").unwrap();
    let expected = ["SET k v", "MULTI", "INCR n", "INCR n", "EXEC", "SELECT 3", "RPUSH l a b"];
    assert_eq!(found[begin..], expected);
}
