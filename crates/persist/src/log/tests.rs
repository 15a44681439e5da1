use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use larder_store::UnixMillis;
use proptest::prelude::*;

use super::check::{Files, Mode, Sanity, check};
use super::*;

type Words = Vec<Vec<u8>>;

fn commands() -> impl Strategy<Value = Vec<Words>> {
    let word = || {
        prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..20),
            1 => (any::<u8>(), 0..200_000_usize).prop_map(|(byte, len)| vec![byte; len]),
        ]
    };
    prop::collection::vec(prop::collection::vec(word(), 1..5), 0..8)
}

fn written(commands: &[Words]) -> Vec<u8> {
    let mut log = Vec::new();
    for words in commands {
        write_command(&mut log, words.iter().map(Vec::as_slice));
    }
    log
}

fn words(line: &str) -> Vec<u8> {
    written(&[line.split(' ').map(|word| word.as_bytes().to_vec()).collect()])
}

/// What a log has, up to where it is intact, and why reading it ended.
fn read(log: impl Read) -> (Vec<Words>, Vec<i64>, u64, Option<Error>) {
    let (mut reader, mut commands, mut times) = (Reader::new(log), Vec::new(), Vec::new());
    loop {
        let error = match reader.next_item() {
            Ok(Some(Item::Command(command))) => {
                let words: Words = command.arguments().map(<[u8]>::to_vec).collect();
                assert_eq!(command.request, written(std::slice::from_ref(&words)));
                commands.push(words);
                continue;
            }
            Ok(Some(Item::Timestamp(seconds))) => {
                times.push(seconds);
                continue;
            }
            Ok(Some(Item::Annotation(_))) => continue,
            Ok(None) => None,
            Err(error) => Some(error),
        };
        return (commands, times, reader.intact_up_to(), error);
    }
}

/// Gives a few bytes at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(7);
        self.0.read(&mut into[..len])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(commands in commands()) {
        let log = written(&commands);
        let (found, _, intact, error) = read(&log[..]);
        prop_assert!(error.is_none());
        prop_assert_eq!(intact, log.len() as u64);
        prop_assert_eq!(&found, &commands);
        prop_assert_eq!(&read(Trickle(&log)).0, &commands);
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..100), cut in 0..60_usize) {
        read(&bytes[..]);
        let mut log = words("SET k v");
        log.truncate(cut);
        log.extend_from_slice(&bytes);
        let (_, _, intact, _) = read(&log[..]);
        prop_assert!(intact <= log.len() as u64);
        let _ = Manifest::parse(&bytes);
    }

    #[test]
    fn manifests_are_read_back(
        names in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
        has_base in any::<bool>(),
    ) {
        let mut manifest = Manifest::default();
        for (number, name) in names.into_iter().enumerate() {
            let name = name.into_iter().map(|byte| if matches!(byte, b'/' | b'\\' | 0) { b'_' } else { byte }).collect();
            let file = LogFile { name, sequence: number as u64 + 1 };
            match number {
                0 if has_base => manifest.base = Some(file),
                1 => manifest.history.push(file),
                _ => manifest.increments.push(file),
            }
        }
        let written = manifest.to_bytes();
        if !written.is_empty() {
            prop_assert_eq!(Manifest::parse(&written), Ok(manifest));
        }
    }
}

/// A log with a transaction, and the places where it is intact.
fn sample() -> (Vec<u8>, Vec<usize>) {
    let (mut log, mut intact) = (Vec::new(), vec![0]);
    for part in [
        &b"#TS:5\r\n"[..],
        &words("SET k v"),
        &[words("MULTI"), words("INCR n"), words("exec")].concat(),
        b"#x\n",
        &words("DEL k"),
    ] {
        log.extend_from_slice(part);
        intact.push(log.len());
    }
    (log, intact)
}

#[test]
fn a_log_that_breaks_off_is_intact_up_to_there() {
    let (log, intact) = sample();
    for len in 0..=log.len() {
        let (_, times, up_to, error) = read(&log[..len]);
        let expected = intact.iter().copied().filter(|place| *place <= len).max().unwrap();
        assert_eq!(up_to as usize, expected, "{len}");
        assert_eq!(error.is_none(), expected == len, "{len}");
        assert!(error.is_none_or(|error| error.fault.is_unexpected_end()), "{len}");
        assert_eq!(times, if len < intact[1] { vec![] } else { vec![5] });
    }
}

#[test]
fn faults_are_told_in_the_words_of_the_peers() {
    let told = |log: &[u8]| {
        let error = read(log).3.unwrap();
        (error.to_string(), error.message("some.aof").split(' ').next().unwrap().to_owned())
    };
    for (log, text, loading) in [
        (&b"SET k v\r\n"[..], "Expected a command (at offset 0)", "Bad"),
        (b"*0\r\n", "Expected arguments (at offset 0)", "Bad"),
        (b"*1\r\n:5\r\n", "Expected prefix '$', got: ':' (at offset 4)", "Bad"),
        (b"*1x\r\n", "Expected \\r\\n, got: 780d (at offset 0)", "Bad"),
        (b"*1\r\n$1\r\nabc", "Expected \\r\\n, got: 6263 (at offset 8)", "Bad"),
        (b"*1\r\n$5\r\nabc", "Expected to read 7 bytes, got 3 bytes (at offset 8)", "Unexpected"),
        (
            b"*1\r\n$99999999999999999999\r\n",
            "Expected to read string of 9223372036854775807 bytes, which is not in the suitable range (at offset 4)",
            "Bad",
        ),
        (b"*1\r\n$1", "Expected \\r\\n, got: 0000 (at offset 4)", "Unexpected"),
        (b"*1\r\n", "Unexpected end of file (at offset 4)", "Unexpected"),
        (b"#TS:x\r\n", "Invalid timestamp annotation (at offset 0)", "Bad"),
        (b"#TS:1", "Unexpected end of file (at offset 0)", "Unexpected"),
        (b"*1\r\n$4\r\nEXEC\r\n", "Unexpected EXEC in AOF (at offset 8)", "Bad"),
        (b"*1\r\n$5\r\nMULTI\r\n", "Reached EOF before reading EXEC for MULTI (at offset 8)", "Unexpected"),
    ] {
        assert_eq!(told(log), (text.to_owned(), loading.to_owned()));
    }
    let long = [b"#".repeat(2000), b"\n".to_vec()].concat();
    assert_eq!(told(&long).1, "Bad");
}

#[test]
fn how_a_log_begins_is_seen() {
    let kind = |bytes: &[u8]| {
        let (is_snapshot, mut rest) = match open(Trickle(bytes)).unwrap() {
            Opened::Snapshot(rest) => (true, rest),
            Opened::Commands(rest) => (false, rest),
        };
        let mut all = Vec::new();
        rest.read_to_end(&mut all).unwrap();
        assert_eq!(all, bytes);
        is_snapshot
    };
    assert!(kind(b"REDIS0010\xff") && kind(b"VALKEY080\xff"));
    assert!(!kind(b"*1\r\n$4\r\nPING\r\n") && !kind(b"") && !kind(b"VAL"));
}

#[test]
fn a_manifest_follows_its_log() {
    let mut manifest = Manifest::default();
    assert!(manifest.is_empty());
    assert_eq!(manifest.replace_base("a b.aof", BaseFormat::Commands).name, b"a b.aof.1.base.aof");
    assert_eq!(manifest.begin_increment("a b.aof").name, b"a b.aof.1.incr.aof");
    manifest.begin_increment("a b.aof");
    manifest.replace_base("a b.aof", BaseFormat::Snapshot);
    manifest.retire_increments(Written::Last);
    let text = "file \"a b.aof.2.base.rdb\" seq 2 type b\nfile \"a b.aof.1.incr.aof\" seq 1 type h\n\
                file \"a b.aof.1.base.aof\" seq 1 type h\nfile \"a b.aof.2.incr.aof\" seq 2 type i\n";
    assert_eq!(String::from_utf8(manifest.to_bytes()).unwrap(), text);
    let loaded: Vec<u64> = manifest.files().map(|file| file.sequence).collect();
    assert_eq!(loaded, [2, 2]);
    manifest.retire_increments(Written::None);
    assert_eq!((manifest.increments.len(), manifest.history.len()), (0, 3));
    assert_eq!(Manifest::of_single_file(b"old.aof").to_bytes(), b"file old.aof seq 1 type b\n");
}

#[test]
fn manifests_are_refused_in_the_words_of_the_peers() {
    let told = |text: &str| Manifest::parse(text.as_bytes()).unwrap_err().to_string();
    let head = "*** FATAL AOF MANIFEST FILE ERROR ***\n";
    assert_eq!(told(""), format!("{head}Found an empty AOF manifest"));
    assert_eq!(told("file a seq 1 type b"), format!("{head}The AOF manifest file contains too long line"));
    assert_eq!(
        told("#\nfile a seq 1 type b\nfile ../b seq 1 type i \n"),
        format!(
            "{head}Reading the manifest file, at line 3\n>>> 'file ../b seq 1 type i'\nFile can't be a path, just a filename"
        )
    );
}

/// Files in memory, and what a person says.
struct Memory(BTreeMap<PathBuf, Vec<u8>>, bool);

impl Files for Memory {
    type File = io::Cursor<Vec<u8>>;

    fn open(&mut self, path: &Path, from: u64) -> io::Result<(Self::File, u64)> {
        let bytes = self.0.get(path).ok_or(io::Error::from_raw_os_error(2))?.clone();
        let len = bytes.len() as u64;
        let mut file = io::Cursor::new(bytes);
        file.set_position(from);
        Ok((file, len))
    }

    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()> {
        self.0.get_mut(path).ok_or(io::Error::from_raw_os_error(2))?.truncate(len as usize);
        Ok(())
    }

    fn agrees(&mut self) -> bool {
        self.1
    }
}

fn checked(files: &mut Memory, path: &str, mode: Mode) -> (Sanity, String) {
    let mut out = Vec::new();
    let sanity = check(files, Path::new(path), mode, UnixMillis(0), &mut out).unwrap();
    (sanity, String::from_utf8(out).unwrap())
}

#[test]
fn a_log_is_mended_if_the_person_agrees() {
    let (log, intact) = sample();
    let cut = intact[2] + 20;
    let path = PathBuf::from("some.aof");
    for agrees in [false, true] {
        let mut files = Memory(BTreeMap::from([(path.clone(), log[..cut].to_vec())]), agrees);
        let (sanity, text) = checked(&mut files, "some.aof", Mode::Check);
        assert_eq!(sanity, Sanity::Damaged, "{text}");
        let (sanity, text) = checked(&mut files, "some.aof", Mode::Fix);
        assert!(text.contains("Continue? [y/N]: "), "{text}");
        assert_eq!(sanity, if agrees { Sanity::Sane } else { Sanity::Damaged });
        assert_eq!(files.0[&path].len(), if agrees { intact[2] } else { cut });
    }
    let (sanity, text) = checked(&mut Memory(BTreeMap::new(), true), "nosuch", Mode::Check);
    assert_eq!(
        (sanity, &text[..]),
        (Sanity::Damaged, "Cannot open file nosuch: No such file or directory\n")
    );
}
