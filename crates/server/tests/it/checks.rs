//! The binary as redis-check-rdb and redis-check-aof, beside those tools where they are installed.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::client::Reply;
use crate::server::{Directory, Server, command, command_named};

/// What was printed, how it ended, and what the file had afterwards.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    printed: String,
    code: Option<i32>,
    after: Option<Vec<u8>>,
}

/// Runs a program on a file of this name, in a directory of its own, with this for an answer.
fn outcome(
    program: impl Fn(&Directory, &[&str]) -> Command,
    words: &[&str],
    file: &[u8],
    answer: &str,
) -> Outcome {
    let directory = Directory::new();
    let path = directory.path().join("file");
    fs::write(&path, file).unwrap();
    let mut command = program(&directory, words);
    command.current_dir(directory.path());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who asks nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    Outcome { printed, code: output.status.code(), after: fs::read(&path).ok() }
}

fn installed(name: &str) -> Option<PathBuf> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?).find(|dir| dir.join(name).exists());
    if found.is_none() {
        println!("skipped: {name} is not installed");
    }
    found.map(|dir| dir.join(name))
}

/// The installed tool and the binary under its name say and do the same.
fn compare(tool: &Path, words: &[&str], file: &[u8], answer: &str) -> Outcome {
    let name = tool.file_name().unwrap().to_str().unwrap();
    let theirs = outcome(
        |_, words| {
            let mut command = Command::new(name);
            command.args(words);
            command
        },
        words,
        file,
        answer,
    );
    let ours = outcome(|directory, words| command_named(name, directory, words), words, file, answer);
    assert_eq!(ours, theirs, "{name} {words:?}");
    ours
}

/// A log of two commands, of which the second breaks off.
const CUT: &[u8] = b"#TS:100\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n#TS:200\r\n*3\r\n$3\r\nSET\r\n$1\r\nk";
const INTACT: usize = CUT.len() - 18;

#[test]
fn a_log_is_checked_and_mended_as_by_redis_check_aof() {
    let Some(tool) = installed("redis-check-aof") else { return };
    for words in [
        &[][..],
        &["no-such-file"],
        &["--fix"],
        &["--fix", "no-such-file"],
        &["--mend", "file"],
        &["--fix", "file", "file"],
        &["--truncate-to-timestamp", "soon", "file"],
        &["--truncate-to-timestamp", "150", "file"],
        &["--truncate-to-timestamp", "0", "file"],
        &["."],
        &["file"],
    ] {
        compare(&tool, words, CUT, "");
        compare(&tool, words, b"", "");
    }
    for (answer, is_yes) in [("n\n", false), ("", false), ("yes\n", true), ("Y", true)] {
        let mended = compare(&tool, &["--fix", "file"], CUT, answer);
        assert_eq!(
            (mended.code, mended.after.unwrap().len() < CUT.len()),
            (Some(i32::from(!is_yes)), is_yes)
        );
    }
    let cut = compare(&tool, &["--truncate-to-timestamp", "150", "file"], &CUT[..INTACT], "");
    assert!(cut.code == Some(0) && !cut.after.unwrap().ends_with(b"#TS:200\r\n"));
}

#[test]
fn a_snapshot_is_checked_as_by_redis_check_rdb() {
    let Some(tool) = installed("redis-check-rdb") else { return };
    let server = Server::start(&[]);
    let mut client = server.client();
    client.call(&["EVAL", "for i = 1, 100 do redis.call('SET', i, i, 'PX', 1e9 + i) end", "0"]);
    assert_eq!(client.call(&["SAVE"]), Reply::Status("OK".into()));
    let mut file = fs::read(server.directory.path().join("dump.rdb")).unwrap();
    server.end();
    let sane = compare(&tool, &["file"], &file, "");
    assert!(sane.code == Some(0) && sane.printed.contains("[info] 100 expires"), "{}", sane.printed);
    for words in [&[][..], &["no-such-file"], &["file", "file"]] {
        compare(&tool, words, &file, "");
    }
    *file.last_mut().unwrap() ^= 1;
    let damaged = compare(&tool, &["file"], &file, "");
    assert!(damaged.code == Some(1) && damaged.printed.contains("RDB CRC error"), "{}", damaged.printed);
}

#[test]
fn the_binary_has_them_as_subcommands() {
    let call = |words: &[&str], file: &[u8]| outcome(command, words, file, "y\n");
    let usage = call(&["check-aof"], CUT);
    assert_eq!(usage.code, Some(1));
    assert!(usage.printed.starts_with("Usage: larder check-aof [--fix|"), "{}", usage.printed);
    assert_eq!(call(&["check-aof", "file"], CUT).code, Some(1));
    let mended = call(&["check-aof", "--fix", "file"], CUT);
    assert!(mended.code == Some(0) && mended.printed.contains("Successfully truncated AOF file"));
    assert_eq!(call(&["check-aof", "file"], &mended.after.unwrap()).code, Some(0));
    let missing = call(&["check-rdb", "no-such-file"], b"");
    assert_eq!(missing.printed, "[offset 0] Checking RDB file no-such-file\n");
    assert_eq!(missing.code, Some(1));
    assert_eq!(call(&["check-rdb", "file"], b"REDIS0010\xff\0\0\0\0\0\0\0\0").code, Some(0));
    for name in ["valkey-check-rdb", "valkey-check-aof", "redis-check-rdb", "redis-check-aof"] {
        let told = outcome(|directory, words| command_named(name, directory, words), &["--version"], b"", "");
        assert!(told.code == Some(0) && told.printed.starts_with(&format!("{name} v=7.2.4 ")));
    }
}
