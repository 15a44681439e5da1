//! The same bytes are sent to a running redis-server and to the parser, and answered alike.
//!
//! Needs redis-server on the PATH, so it runs only when asked: `cargo test -p larder-resp --test peer --
//! --ignored`.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that talks to a server it has started, and may panic"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use larder_resp::{Limits, Output, Parsed, Protocol, Reply, RequestParser};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A redis-server of our own, ended when dropped.
struct Peer {
    child: Child,
    port: u16,
}

impl Peer {
    fn start(options: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(options)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is on the PATH");
        Self { child, port }
    }

    fn connect(&self) -> TcpStream {
        for _ in 0..100 {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                return stream;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("redis-server does not answer");
    }

    /// All that the peer answers to these bytes on a connection of their own, after which our side is closed.
    fn answer(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            // It closed before it had read everything.
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        answer
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What answers a stream of requests of the form `EVAL script 0 args...`, the script of which returns its
/// arguments.
fn expected(stream: &[u8], limits: &Limits) -> Vec<u8> {
    let (mut parser, mut input, mut start, mut args) =
        (RequestParser::default(), stream.to_vec(), 0, Vec::new());
    let mut out = Output::default();
    let mut reply = Reply { out: &mut out, protocol: Protocol::Resp2 };
    loop {
        args.clear();
        match parser.parse(&mut input, start, limits, &mut args) {
            Ok(Parsed::Request { end }) => {
                let echoed = args.get(3..).expect("the command, the script, a zero");
                reply.array(echoed.len());
                echoed.iter().for_each(|span| reply.bulk(span.of(&input)));
                start = end;
            }
            Ok(Parsed::Empty { end }) => start = end,
            Ok(Parsed::Incomplete { .. }) => break,
            Err(error) => {
                reply.protocol_error(&error);
                break;
            }
        }
    }
    out.contiguous().unwrap().to_vec()
}

fn assert_alike(peer: &Peer, stream: &[u8], limits: &Limits) {
    let (theirs, ours) = (peer.answer(stream), expected(stream, limits));
    assert_eq!(
        theirs.escape_ascii().to_string(),
        ours.escape_ascii().to_string(),
        "to {}",
        stream.escape_ascii()
    );
}

const EVAL: &[u8] = b"*4\r\n$4\r\nEVAL\r\n$11\r\nreturn ARGV\r\n$1\r\n0\r\n$1\r\nx\r\n";

fn broken() -> Vec<Vec<u8>> {
    let mut streams: Vec<Vec<u8>> = [
        "*\r\n",
        "*x\r\n",
        "*01\r\n",
        "*-0\r\n",
        "*+1\r\n",
        "*1 \r\n",
        "*2147483648\r\n",
        "*99999999999999999999\r\n",
        "*1\r\n$\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$+1\r\n",
        "*1\r\n$01\r\n",
        "*1\r\n$536870913\r\n",
        "*1\r\nx\r\n",
        "*1\r\n\r\n",
        "*1\r\n\n\r\n",
        "*1\r\nxyz",
        "*11\r\n$16385\r\n",
        "*1\r\n$16385\r\n",
        "*11\r\n",
        "*10\r\n$16384\r\n",
        "*0\r\n*-7\r\n\r\n\n",
        "*\0\r\n",
        "*1\r\n$1\0\r\n",
        "x\0\r\n",
        "\"x\r\n",
        "'x'y\r\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    streams.push(b"*1\r\n\xff\r\n".to_vec());
    for prefix in ["x", "*", "*1\r\n$", "*1\r\n"] {
        for len in [65_535, 65_536, 65_537] {
            let counted = prefix.rsplit('\n').next().unwrap().len();
            streams.push([prefix.as_bytes(), &vec![b'1'; len - counted]].concat());
        }
    }
    streams
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_refused_is_refused_alike() {
    let peer = Peer::start(&[]);
    for stream in broken() {
        assert_alike(&peer, &stream, &Limits::DEFAULT);
        assert_alike(&peer, &[EVAL, &stream].concat(), &Limits::DEFAULT);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn strangers_are_refused_alike() {
    let peer = Peer::start(&["--requirepass", "secret"]);
    for stream in broken() {
        assert_alike(&peer, &stream, &Limits::UNAUTHENTICATED);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn words_are_split_alike() {
    let peer = Peer::start(&[]);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(1_500) });
    let words = prop::collection::vec(
        prop_oneof![
            6 => "[\"'\\\\ \tanrtbx4Z]{1,6}".prop_map(String::into_bytes),
            2 => "\"([a-z ]|\\\\[nrtbaq\"\\\\]|\\\\x[0-9a-fA-F]{2})*\" ".prop_map(String::into_bytes),
            2 => "'([a-z ]|\\\\')*' ".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..4),
        ],
        0..6,
    );
    runner
        .run(&words, |words| {
            // What follows the first line is no EVAL, so there must be none.
            let line: Vec<u8> = words.concat().into_iter().filter(|byte| *byte != b'\n').collect();
            assert_alike(&peer, &[b"EVAL 'return ARGV' 0 ", &line[..], b"\r\n"].concat(), &Limits::DEFAULT);
            Ok(())
        })
        .unwrap();
}
