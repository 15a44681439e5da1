//! The same lines to a memcached and to this parser: both must say the same.
//!
//! Skipped, with a word about it, where there is no `memcached`.
#![expect(clippy::disallowed_methods, reason = "this test talks to another server over a socket")]
#![expect(clippy::print_stdout, reason = "a test that skips must say so")]
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking, in its helpers too")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use memcache_parser::{Command, Limits, Parsed, ReplyMode, parse};

/// Sent behind each line, and answered with `MN`: so a line that is not answered is noticed at once.
const SENTINEL: &[u8] = b"mn\r\n";

/// What is heard first.
#[derive(Clone, PartialEq, Eq)]
enum Heard {
    /// An error line, word for word.
    Error(String),
    /// Some other line: which one depends on what is stored.
    Answer,
    /// Nothing before the answer to the sentinel.
    Nothing,
    /// The end of the connection.
    Close,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(line) => write!(formatter, "{line:?}"),
            Self::Answer => formatter.write_str("an answer"),
            Self::Nothing => formatter.write_str("nothing"),
            Self::Close => formatter.write_str("the end"),
        }
    }
}

impl Heard {
    fn line(line: &str) -> Self {
        let is_error = ["ERROR", "CLIENT_ERROR", "SERVER_ERROR"].iter().any(|word| line.starts_with(word));
        match line {
            "" => Self::Close,
            "MN\r\n" => Self::Nothing,
            // Said for what is stored, not for how the line is written.
            "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n" => Self::Answer,
            _ if is_error => Self::Error(line.to_owned()),
            _ => Self::Answer,
        }
    }

    /// What this parser has to say; none if the answer is the server's affair.
    fn expected(input: &[u8]) -> Option<Self> {
        let silent = |reply| if reply == ReplyMode::Suppress { Self::Nothing } else { Self::Answer };
        match parse(input, &Limits::default()) {
            Parsed::Incomplete { .. } => None,
            Parsed::Error(error) => Some(match (error.reply, error.close) {
                (Some(reply), _) => Self::line(std::str::from_utf8(reply.line()).unwrap()),
                (None, true) => Self::Close,
                (None, false) => Self::Nothing,
            }),
            Parsed::Request { command, .. } => Some(match command {
                Command::Other(_) | Command::Stats { .. } => return None,
                Command::Quit => Self::Close,
                Command::Store(store) => silent(store.reply),
                Command::Delete(delete) => silent(delete.reply),
                Command::Arithmetic(arithmetic) => silent(arithmetic.reply),
                Command::Touch(touch) => silent(touch.reply),
                Command::FlushAll { reply, .. } | Command::Verbosity { reply, .. } => silent(reply),
                // The answer to `mn` cannot be told from the one to the sentinel.
                Command::MetaNoop => Self::Nothing,
                Command::MetaGet(request) if request.flags.has(memcache_parser::Flag::Quiet) => return None,
                Command::MetaSet(set) if set.flags.has(memcache_parser::Flag::Quiet) => return None,
                Command::MetaDelete(request) if request.flags.has(memcache_parser::Flag::Quiet) => {
                    return None;
                }
                Command::MetaArithmetic(request) if request.flags.has(memcache_parser::Flag::Quiet) => {
                    return None;
                }
                _ => Self::Answer,
            }),
        }
    }
}

struct Memcached {
    process: Child,
    port: u16,
}

impl Memcached {
    /// None if there is no such program.
    fn start() -> Option<Self> {
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let spawned = Process::new("memcached")
                .args(["-l", "127.0.0.1", "-U", "0", "-u", "root", "-t", "1", "-p", &port.to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let mut server = match spawned {
                Err(error) if error.kind() == ErrorKind::NotFound => return None,
                spawned => Self { process: spawned.unwrap(), port },
            };
            for _ in 0..100 {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(server);
                }
                if server.process.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("memcached does not start");
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The first line that comes back, on a connection of its own.
    fn hears(&self, input: &[u8]) -> Heard {
        let mut stream = self.connect();
        stream.write_all(&[input, SENTINEL].concat()).unwrap();
        let (mut line, mut byte) = (Vec::new(), [0]);
        while line.last() != Some(&b'\n') {
            match stream.read(&mut byte) {
                Ok(1) => line.push(byte[0]),
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{}: {error}", input.escape_ascii()),
            }
        }
        Heard::line(std::str::from_utf8(&line).unwrap())
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The line, and the value it asks for, or the one to be skipped: memcached sends the error behind it. It skips
/// no value without a word, so where there is no error line there is none.
fn complete(mut input: Vec<u8>) -> Vec<u8> {
    let length = match parse(&input, &Limits::default()) {
        Parsed::Incomplete { needed } => needed,
        Parsed::Error(error) if error.swallow > 0 && error.reply.is_some() => {
            error.end + usize::try_from(error.swallow).unwrap()
        }
        _ => return input,
    };
    input.resize(length - 2, b'v');
    input.extend_from_slice(b"\r\n");
    input
}

/// Compares one line: what differs, nothing if nothing does, and none if it cannot be compared.
fn difference(server: &Memcached, line: &[u8]) -> Option<String> {
    let input = complete(line.to_vec());
    let expected = Heard::expected(&input)?;
    let heard = server.hears(&input);
    if heard == expected || later_versions_say_more(line, &heard, &expected) {
        return Some(String::new());
    }
    Some(format!("{}\n  memcached: {heard:?}\n  parser:    {expected:?}\n", line.escape_ascii()))
}

/// As late as 1.6.38 `md` had one text for all errors in its flags, as `ma` still has. A `cas` without a CAS value is
/// refused with its value in 1.6.45; 1.6.18 runs the value as a command.
fn later_versions_say_more(line: &[u8], heard: &Heard, expected: &Heard) -> bool {
    let words = || line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let said_less = match words().next() {
        Some(b"md") => "CLIENT_ERROR invalid or duplicate flag\r\n",
        Some(b"cas") if words().count() == 5 => "ERROR\r\n",
        _ => return false,
    };
    *heard == Heard::line(said_less) && matches!(expected, Heard::Error(_) | Heard::Nothing)
}

fn compare(lines: impl Iterator<Item = Vec<u8>>) {
    let Some(server) = Memcached::start() else {
        println!("skipped: there is no memcached to compare with");
        return;
    };
    let compared: Vec<_> = lines.filter_map(|line| difference(&server, &line)).collect();
    println!("{} lines compared", compared.len());
    assert!(compared.iter().all(String::is_empty), "{}", compared.concat());
}

const LINES: &[&str] = &[
    "",
    " ",
    "x",
    "get",
    "get ",
    " get a",
    "get a",
    "gets a b",
    "gat 10",
    "gat",
    "gat x",
    "gat x a",
    "gat 10 a b",
    "gats",
    "gats -1 a",
    "set",
    "set a",
    "set a 0 0",
    "set a 0 0 5",
    "set a 0 0 5 noreply",
    "set a 0 0 5 what",
    "set a 0 0 5 noreply x",
    "set a 0 0 noreply",
    "set a -1 0 5",
    "set a x 0 5",
    "set a 0 x 5",
    "set a 0 0 x",
    "set a 0 0 -1",
    "set a \t1\t2 0 5",
    "set a +1 +1 +5",
    "set a 4294967296 0 5",
    "set a 18446744073709551616 0 1",
    "set a 0 9223372036854775808 1",
    "set a -18446744073709551615 0 1",
    "set a 0 0 2147483646",
    "cas a 0 0 5",
    "cas a 0 0 5 1",
    "cas a 0 0 5 x",
    "cas a 0 0 5 -1",
    "cas a 0 0 5 1 noreply",
    "cas a 0 0 5 1 noreply x",
    "add b 0 0 1",
    "replace nothing 0 0 1",
    "append nothing 0 0 1",
    "prepend nothing 0 0 1",
    "prepend a 0 0",
    "delete",
    "delete a",
    "delete a 0",
    "delete a 1",
    "delete a noreply",
    "delete a 0 noreply",
    "delete a 0 1",
    "delete a 1 noreply",
    "delete a 0 noreply x",
    "incr",
    "incr n",
    "incr n 1",
    "incr n x",
    "incr n -1",
    "incr n 18446744073709551615",
    "incr n 18446744073709551616",
    "incr n 1 noreply",
    "incr n noreply",
    "incr n 1 2",
    "incr n 1 2 3",
    "decr n 1",
    "decr n +1",
    "decr n \t1",
    "touch",
    "touch a",
    "touch a x",
    "touch a -1",
    "touch a 1 noreply",
    "touch a 1 2",
    "touch a 1 2 3",
    "flush_all",
    "flush_all 0",
    "flush_all x",
    "flush_all -1",
    "flush_all noreply",
    "flush_all 0 noreply",
    "flush_all x noreply",
    "flush_all noreply x",
    "flush_all 1 2 3",
    "version",
    "version x",
    "verbosity",
    "verbosity 0",
    "verbosity x",
    "verbosity 0 noreply",
    "verbosity x noreply",
    "verbosity 0 1 2",
    "quit",
    "quit x",
    "cache_memlimit",
    "cache_memlimit 1 2 3",
    "lru",
    "extstore",
    "GET / HTTP/1.1",
    "POST / HTTP/1.0",
    "HTTP/1.1",
    "get / HTTP/1.1",
    "nonsense",
    "nonsense x y",
    "mn",
    "mn x",
    "mx",
    "mx a",
    "mg a",
    "mg a v",
    "mg a v v",
    "mg a s t f v h l Oabc k c",
    "mg a z",
    "mg a 1",
    "mg a T",
    "mg a T30",
    "mg a Tx",
    "mg a T1x",
    "mg a T99999999999",
    "mg a Fx",
    "mg a Jx",
    "mg a Dx",
    "mg a Cx",
    "mg a Tx Dx",
    "mg a Dx Tx",
    "mg a Tx Fx",
    "mg YWJj b k",
    "mg YW b",
    "mg ==== b",
    "mg !YWJj b",
    "mg a b",
    "ms a",
    "ms a x",
    "ms a -1",
    "ms a 5",
    "ms a 5 T30 F7 c k Oabc",
    "ms a 5 MX",
    "ms a 5 ME",
    "ms a 5 MR C1",
    "ms a 5 v v",
    "ms a 5 z",
    "ms a 5 Tx",
    "ms YW 5 b",
    "md a",
    "md a I T30",
    "md a z",
    "md a Cx",
    "ma n",
    "ma n D5 MD",
    "ma n MX",
    "ma n Dx",
    "ma n v v",
    "ma n z",
    "ma n N30 J5 v",
    "me a",
    "me YWJj b",
    "me YW b",
];

#[test]
fn lines_made_by_hand() {
    let long = ["get ", "gets a ", "gat 0 ", "delete ", "mg ", "md ", "ma ", "me "]
        .map(|before| format!("{before}{}", "k".repeat(251)));
    let opaque = ["mg a O", "md a O", "ma n O"]
        .iter()
        .flat_map(|before| [31, 32].map(|length| format!("{before}{}", "o".repeat(length))));
    let spaces = [format!("get{}a b", " ".repeat(60)), format!("{}get a", " ".repeat(100))];
    let lines = LINES.iter().map(|&line| line.to_owned()).chain(long).chain(opaque).chain(spaces);
    compare(lines.flat_map(|line| [format!("{line}\r\n").into_bytes(), format!("{line}\n").into_bytes()]));
}

/// Values that do not end where they should, and values that are too large.
#[test]
fn values() {
    let inputs: [&[u8]; 9] = [
        b"set a 0 0 5\r\nhelloXX",
        b"set a 0 0 5 noreply\r\nhelloXX",
        b"ms a 5 q\r\nhelloXX",
        b"ms a 5\r\nhello\n\r",
        b"set a 0 0 1048517 noreply\r\n",
        b"set a 0 0 1048517\r\n",
        b"set abcd 9 0 1048510\r\n",
        b"ms a 1048517\r\n",
        b"ms YWJj 1048516 b\r\n",
    ];
    compare(inputs.iter().map(|input| {
        let mut input = input.to_vec();
        if let Parsed::Error(error) = parse(&input, &Limits::default()) {
            let swallow = usize::try_from(error.swallow).unwrap();
            input.resize(error.end + swallow, b'v');
        }
        input
    }));
    compare([&b"set a 0 0 1048516\r\n"[..], b"ms YWJj 1048514 b\r\n"].iter().map(|line| line.to_vec()));
}

/// Some thousand lines of words that mean something to somebody, always the same ones.
#[test]
fn lines_made_by_chance() {
    const VERBS: [&str; 24] = [
        "get",
        "gets",
        "gat",
        "gats",
        "set",
        "add",
        "replace",
        "append",
        "prepend",
        "cas",
        "delete",
        "incr",
        "decr",
        "touch",
        "verbosity",
        "version",
        "cache_memlimit",
        "lru",
        "mg",
        "ms",
        "md",
        "ma",
        "mn",
        "nonsense",
    ];
    const TEXT_WORDS: [&str; 14] = [
        "k",
        "0",
        "1",
        "-1",
        "+1",
        "5",
        "30",
        "x",
        "1x",
        "noreply",
        "\t1",
        "",
        "18446744073709551615",
        "7\t",
    ];
    const META_WORDS: [&str; 28] = [
        "v", "t", "f", "s", "c", "k", "h", "l", "u", "b", "Oabc", "T30", "T-1", "T", "Tx", "N30", "R5", "F7",
        "Fx", "C1", "C", "D5", "Dx", "J5", "Jx", "MA", "z", "I",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut chance = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    compare((0..3_000).map(move |_| {
        let verb = VERBS[chance(VERBS.len())];
        let mut words = vec![verb];
        match verb {
            "mg" | "md" | "ma" => words.push(["k", "YWJj", "YWJ"][chance(3)]),
            "ms" => words.extend([["k", "YWJj"][chance(2)], ["5", "0", "x", "-1"][chance(4)]]),
            _ => {}
        }
        let is_meta = words.len() > 1;
        for _ in 0..chance(7) {
            words.push(if is_meta { META_WORDS[chance(28)] } else { TEXT_WORDS[chance(14)] });
        }
        format!("{}\r\n", words.join(" ")).into_bytes()
    }));
}
