//! What requests change survives a process that ends without a word.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Client, Reply, request};
use crate::server::{Directory, eventually};
use crate::snapshots::{Process, ask, fill, looks, ok, refusal, start_with};

fn start(directory: &Directory, policy: &str) -> (Process, Client) {
    start_with(directory, &["--appendonly", "yes", "--appendfsync", policy, "--save", ""])
}

/// The files of the log whose names end like this.
fn files(directory: &Directory, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory.path().join("appendonlydir"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().is_some_and(|path| path.ends_with(ending)))
        .collect();
    found.sort();
    found
}

/// Waits until all that was recorded is in the file.
fn written(client: &mut Client) {
    eventually("the log is written", || info(client, "aof_buffer_length") == "0");
}

fn info(client: &mut Client, field: &str) -> String {
    let reply = ask(client, "INFO persistence");
    let text = reply.text();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).to_owned()
}

fn rewrite(client: &mut Client) {
    let before = info(client, "aof_rewrites");
    let reply = Reply::Status("Background append only file rewriting started".into());
    assert_eq!(ask(client, "BGREWRITEAOF"), reply);
    eventually("the log is rewritten", || info(client, "aof_rewrites") != before);
    assert_eq!(info(client, "aof_last_bgrewrite_status"), "ok");
}

#[test]
fn what_was_written_is_there_after_a_kill() {
    let directory = Directory::new();
    let (child, mut client) = start(&directory, "everysec");
    fill(&mut client);
    let before = looks(&mut client);
    written(&mut client);
    drop(child);

    let (child, mut client) = start(&directory, "everysec");
    assert_eq!(looks(&mut client), before);
    rewrite(&mut client);
    assert_eq!((files(&directory, ".base.rdb").len(), files(&directory, ".incr.aof").len()), (1, 1));
    assert_eq!(ask(&mut client, "RPUSH small more"), Reply::Integer(4));
    let before = looks(&mut client);
    written(&mut client);
    drop(child);

    let (child, mut client) =
        start_with(&directory, &["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--save", ""]);
    assert_eq!(looks(&mut client), before);
    rewrite(&mut client);
    assert_eq!((files(&directory, ".base.rdb").len(), files(&directory, ".base.aof").len()), (0, 1));
    client.send(b"SHUTDOWN\r\n").unwrap();
    child.ends_well();
    let (_child, mut client) = start(&directory, "everysec");
    assert_eq!(looks(&mut client), before);
}

#[test]
fn a_log_begins_with_what_is_there() {
    let directory = Directory::new();
    let (child, mut client) = start_with(&directory, &[]);
    assert_eq!(ask(&mut client, "SET saved 1"), ok());
    client.send(b"SHUTDOWN SAVE\r\n").unwrap();
    child.ends_well();

    let (child, mut client) = start(&directory, "everysec");
    assert_eq!(ask(&mut client, "GET saved").text(), "1");
    assert_eq!(ask(&mut client, "CONFIG SET appendonly no"), ok());
    eventually("the log is off", || info(&mut client, "aof_enabled") == "0");
    assert_eq!(ask(&mut client, "SET unlogged 1"), ok());
    assert_eq!(ask(&mut client, "CONFIG SET appendonly yes"), ok());
    eventually("the log has a base", || info(&mut client, "aof_rewrites") == "2");
    assert_eq!(ask(&mut client, "SET logged 1"), ok());
    written(&mut client);
    drop(child);
    let (_child, mut client) = start(&directory, "everysec");
    assert_eq!(ask(&mut client, "EXISTS saved unlogged logged"), Reply::Integer(3));
}

#[test]
fn with_always_no_acknowledged_write_is_lost() {
    let directory = Directory::new();
    let (child, _) = start(&directory, "always");
    let address = child.1;
    let acknowledged: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
    thread::scope(|scope| {
        for (number, last) in acknowledged.iter().enumerate() {
            scope.spawn(move || {
                let mut client = Client::tcp(address);
                let key = format!("counter:{number}");
                // Until the process is gone.
                while let Ok(Reply::Integer(value)) = client.try_call(&request(&["INCR", &key])) {
                    last.store(value as u64, Ordering::SeqCst);
                }
            });
        }
        eventually("they are at work", || acknowledged.iter().all(|last| last.load(Ordering::SeqCst) > 20));
        kill_process(Pid::from_child(&child.0), Signal::KILL).unwrap();
    });
    drop(child);
    let (_child, mut client) = start(&directory, "always");
    for (number, last) in acknowledged.iter().enumerate() {
        let value: u64 = ask(&mut client, &format!("GET counter:{number}")).text().parse().unwrap();
        let last = last.load(Ordering::SeqCst);
        assert!(value == last || value == last + 1, "{last} was acknowledged, {value} is there");
    }
}

#[test]
fn a_log_that_breaks_off_is_cut_if_that_is_permitted() {
    let directory = Directory::new();
    let (child, mut client) = start(&directory, "always");
    assert_eq!(ask(&mut client, "SET whole 1"), ok());
    assert_eq!(ask(&mut client, "SET torn 1"), ok());
    drop(child);
    let path = files(&directory, ".incr.aof").pop().unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();

    let refused = ["--appendonly", "yes", "--aof-load-truncated", "no"];
    let said = refusal(&directory, &refused);
    assert!(said.contains("Unexpected end of file reading the append only file"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), bytes[..bytes.len() - 3], "it is as it was");

    let (child, mut client) = start(&directory, "always");
    assert_eq!(ask(&mut client, "GET whole").text(), "1");
    assert_eq!(ask(&mut client, "GET torn"), Reply::Null);
    assert_eq!(ask(&mut client, "SET next 1"), ok());
    drop(child);
    let (child, mut client) = start(&directory, "always");
    assert_eq!(ask(&mut client, "EXISTS whole next"), Reply::Integer(2));
    drop(child);

    fs::write(&path, b"*1\r\n$4\r\nPING\r\nnonsense\r\n").unwrap();
    let said = refusal(&directory, &["--appendonly", "yes"]);
    assert!(said.contains("Bad file format reading the append only file"), "{said}");
}

#[test]
fn writes_are_refused_while_the_disk_is_full() {
    let directory = Directory::new();
    let (child, mut client) = start_with(&directory, &["--save", ""]);
    assert_eq!(ask(&mut client, "SET before 1"), ok());
    let folder = directory.path().join("appendonlydir");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.join("appendonly.aof.1.incr.aof")).unwrap();
    assert_eq!(ask(&mut client, "CONFIG SET appendonly yes"), ok());
    eventually("the log has a base", || info(&mut client, "aof_rewrites") == "1");
    // This one is taken: nobody knows yet.
    assert_eq!(ask(&mut client, "SET taken 1"), ok());
    eventually("it is noticed", || info(&mut client, "aof_last_write_status") == "err");
    let refused = Reply::Error("MISCONF Errors writing to the AOF file: No space left on device".into());
    assert_eq!(ask(&mut client, "SET k 1"), refused);
    assert_eq!(ask(&mut client, "GET taken").text(), "1");
    assert_eq!(ask(&mut client, "CONFIG SET appendonly no"), ok());
    assert_eq!(ask(&mut client, "SET k 1"), ok());
    eventually("it is forgotten", || info(&mut client, "aof_last_write_status") == "ok");
    client.send(b"SHUTDOWN NOSAVE\r\n").unwrap();
    child.ends_well();
}

#[test]
fn waitaof_tells_when_writes_are_on_disk() {
    let directory = Directory::new();
    let (_child, mut client) = start(&directory, "everysec");
    assert_eq!(ask(&mut client, "SET k 1"), ok());
    let both = |local| Reply::Array(vec![Reply::Integer(local), Reply::Integer(0)]);
    assert_eq!(ask(&mut client, "WAITAOF 1 0 0"), both(1));
    assert_eq!(ask(&mut client, "WAITAOF 0 1 1"), both(1), "nobody else has it");
}

#[test]
fn a_log_of_a_single_file_is_taken_over_even_if_that_was_begun_before() {
    let old: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n1\r\n";
    let manifest = "file appendonly.aof seq 1 type b\n";
    for begun in [false, true] {
        let directory = Directory::new();
        fs::write(directory.path().join("appendonly.aof"), old).unwrap();
        let folder = directory.path().join("appendonlydir");
        if begun {
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("appendonly.aof.manifest"), manifest).unwrap();
        }
        let (_child, mut client) = start(&directory, "always");
        assert_eq!(ask(&mut client, "GET k").text(), "1", "begun before: {begun}");
        assert!(!directory.path().join("appendonly.aof").exists() && folder.join("appendonly.aof").exists());
    }
}
