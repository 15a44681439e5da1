//! The text protocol: what each command means, and the error for each way to get it wrong.

use memcache_parser::{
    Arithmetic, CasField, Command, Config, Delete, Direction, Error, ErrorReply, Limits, Other, OtherVerb,
    Parsed, ReplyMode, Store, StoreMode, Touch, parse,
};

fn parsed(input: &[u8]) -> Parsed<'_> {
    parse(input, &Limits::default())
}

/// The command, which must take up all of the input.
#[track_caller]
fn command(input: &[u8]) -> Command<'_> {
    match parsed(input) {
        Parsed::Request { command, end } if end == input.len() => command,
        other => panic!("{}: {other:?}", input.escape_ascii()),
    }
}

#[track_caller]
fn error(input: &[u8]) -> Error<'_> {
    match parsed(input) {
        Parsed::Error(error) => error,
        other => panic!("{}: {other:?}", input.escape_ascii()),
    }
}

/// The error line, of a request that ends with its line and leaves the connection open.
#[track_caller]
fn error_line(input: &[u8]) -> &'static str {
    let error = error(input);
    assert_eq!((error.end, error.swallow, error.close, error.unlink), (input.len(), 0, false, None));
    error.reply.map_or("", |reply| std::str::from_utf8(reply.line()).expect("error lines are text"))
}

#[track_caller]
fn keys_of(input: &[u8]) -> (Vec<&[u8]>, CasField, Option<i64>) {
    match command(input) {
        Command::Get(get) => (get.keys.collect(), get.cas, get.touch),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn store_of(input: &[u8]) -> Store<'_> {
    match command(input) {
        Command::Store(store) => store,
        other => panic!("{other:?}"),
    }
}

#[test]
fn retrieval() {
    assert_eq!(keys_of(b"get a\r\n"), (vec![&b"a"[..]], CasField::Omit, None));
    assert_eq!(keys_of(b"get a\n"), (vec![&b"a"[..]], CasField::Omit, None));
    assert_eq!(keys_of(b"  get  a  b\tc \r\n"), (vec![&b"a"[..], b"b\tc"], CasField::Omit, None));
    assert_eq!(keys_of(b"gets a b c\r\n"), (vec![&b"a"[..], b"b", b"c"], CasField::Include, None));
    assert_eq!(keys_of(b"gat 30 a b\r\n"), (vec![&b"a"[..], b"b"], CasField::Omit, Some(30)));
    assert_eq!(keys_of(b"gats -1 a\r\n"), (vec![&b"a"[..]], CasField::Include, Some(-1)));
    assert_eq!(keys_of(b"gat 0\r\n"), (vec![], CasField::Omit, Some(0)));
    for line in [&b"get\r\n"[..], b"get \r\n", b"gets\r\n", b"gat\r\n", b"gats \r\n"] {
        assert_eq!(error_line(line), "ERROR\r\n");
    }
    assert_eq!(error_line(b"gat x a\r\n"), "CLIENT_ERROR invalid exptime argument\r\n");
}

#[test]
fn storage() {
    let set = Store {
        mode: StoreMode::Set,
        compare_cas: None,
        key: b"k",
        client_flags: 7,
        exptime: -1,
        value: b"a\r\nb",
        reply: ReplyMode::Send,
    };
    assert_eq!(store_of(b"set k 7 -1 4\r\na\r\nb\r\n"), set);
    assert_eq!(store_of(b"add k 7 -1 4\na\r\nb\r\n"), Store { mode: StoreMode::Add, ..set });
    assert_eq!(store_of(b"replace k 7 -1 4\r\na\r\nb\r\n"), Store { mode: StoreMode::Replace, ..set });
    assert_eq!(store_of(b"append k 7 -1 4\r\na\r\nb\r\n"), Store { mode: StoreMode::Append, ..set });
    assert_eq!(store_of(b"prepend k 7 -1 4\r\na\r\nb\r\n"), Store { mode: StoreMode::Prepend, ..set });
    assert_eq!(store_of(b"cas k 7 -1 4 99\r\na\r\nb\r\n"), Store { compare_cas: Some(99), ..set });
    let silent = Store { reply: ReplyMode::Suppress, ..set };
    assert_eq!(store_of(b"set k 7 -1 4 noreply\r\na\r\nb\r\n"), silent);
    assert_eq!(store_of(b"cas k 7 -1 4 99 noreply\r\na\r\nb\r\n"), Store { compare_cas: Some(99), ..silent });
    assert_eq!(store_of(b"set k 7 -1 4 what\r\na\r\nb\r\n"), set);
    assert_eq!(store_of(b"set k 0 0 0\r\n\r\n").value, b"");
    assert_eq!(store_of(b"set k 4294967303 0 0\r\n\r\n").client_flags, 7, "cut down to 32 bits");
    assert_eq!(store_of(b"set k 0 4102444800 0\r\n\r\n").exptime, 4_102_444_800);
}

#[test]
fn storage_lines_that_are_wrong() {
    for line in [
        &b"set\r\n"[..],
        b"set k 0 0\r\n",
        b"set k 0 0 5 noreply x\r\n",
        b"cas k 0 0\r\n",
        b"cas k 0 0 5 1 noreply x\r\n",
        b"add k\r\n",
    ] {
        assert_eq!(error_line(line), "ERROR\r\n");
    }
    for line in [&b"set k 0 0 -1\r\n"[..], b"set k 0 0 x\r\n", b"set k 0 0 2147483646\r\n"] {
        assert_eq!(error_line(line), "CLIENT_ERROR bad command line format\r\n");
    }
    assert_eq!(error_line(b"set k 0 0 noreply\r\n"), "");
}

/// The value behind a line that is wrong is no request.
#[test]
fn a_value_of_known_length_is_skipped() {
    let key = "k".repeat(251);
    for line in [
        "set k -1 0 5".to_owned(),
        "set k 0 x 5".to_owned(),
        "cas k 0 0 5 x".to_owned(),
        "cas k 0 0 5".to_owned(),
        format!("append {key} 0 0 5"),
    ] {
        let input = format!("{line}\r\nhello\r\n");
        let error = error(input.as_bytes());
        assert_eq!(error.reply, Some(ErrorReply::BadCommandLine), "{line}");
        assert_eq!((error.end, error.swallow, error.close), (line.len() + 2, 7, false), "{line}");
    }
    let error = error(b"set k -1 0 5 noreply\r\n");
    assert_eq!((error.reply, error.swallow), (None, 7));
}

#[test]
fn a_value_without_its_line_end_is_bad() {
    for input in
        [&b"set k 0 0 5\r\nhelloXXget a\r\n"[..], b"set k 0 0 5\r\nhello\r\r", b"set k 0 0 5\r\nhello\n\n"]
    {
        let error = error(input);
        assert_eq!(error.reply, Some(ErrorReply::BadDataChunk));
        assert_eq!((error.end, error.swallow, error.close, error.unlink), (13, 7, false, None));
    }
    assert_eq!(error(b"set k 0 0 1 noreply\r\nxxx").reply, None);
}

#[test]
fn a_value_that_is_too_large_is_refused_with_its_line() {
    let input = b"set k 0 0 1048517\r\n";
    let refused = error(input);
    assert_eq!(refused.reply, Some(ErrorReply::ObjectTooLarge));
    assert_eq!((refused.end, refused.swallow, refused.close), (input.len(), 1_048_519, false));
    assert_eq!(refused.unlink.map(|key| key.token()), Some(&b"k"[..]));

    let silent = error(b"set k 0 0 1048517 noreply\r\n");
    assert_eq!((silent.reply, silent.unlink.is_some()), (None, true));
    for line in [&b"add k 0 0 1048517\r\n"[..], b"append k 0 0 2000000000\r\n", b"cas k 0 0 1048517 1\r\n"] {
        assert_eq!((error(line).reply, error(line).unlink), (Some(ErrorReply::ObjectTooLarge), None));
    }
    let fits = b"set k 0 0 1048516\r\n";
    assert_eq!(parsed(fits), Parsed::Incomplete { needed: fits.len() + 1_048_518 });
}

#[test]
fn what_is_missing_is_counted() {
    for (input, needed) in [
        (&b""[..], 1),
        (b"g", 2),
        (b"get a\r", 7),
        (b"set k 0 0 5\r\n", 20),
        (b"set k 0 0 5\r\nhello", 20),
        (b"set k 0 0 5\r\nhelloX", 20),
        (b"ms k 5\r\nhel", 15),
    ] {
        assert_eq!(parsed(input), Parsed::Incomplete { needed }, "{}", input.escape_ascii());
    }
}

#[test]
fn deletion() {
    let delete = Delete { key: b"k", reply: ReplyMode::Send };
    let silent = Delete { reply: ReplyMode::Suppress, ..delete };
    assert_eq!(command(b"delete k\r\n"), Command::Delete(delete));
    assert_eq!(command(b"delete k 0\r\n"), Command::Delete(delete));
    assert_eq!(command(b"delete k noreply\r\n"), Command::Delete(silent));
    assert_eq!(command(b"delete k 0 noreply\r\n"), Command::Delete(silent));
    let usage = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n";
    assert_eq!(error_line(b"delete k 1\r\n"), usage);
    assert_eq!(error_line(b"delete k 0 1\r\n"), usage);
    assert_eq!(error_line(b"delete k 1 noreply\r\n"), "");
    assert_eq!(error_line(b"delete\r\n"), "ERROR\r\n");
    assert_eq!(error_line(b"delete k 0 noreply x\r\n"), "ERROR\r\n");
}

#[test]
fn counters_and_touch() {
    let incr = Arithmetic { direction: Direction::Increment, key: b"k", delta: 5, reply: ReplyMode::Send };
    assert_eq!(command(b"incr k 5\r\n"), Command::Arithmetic(incr));
    let decr = Arithmetic { direction: Direction::Decrement, delta: u64::MAX, ..incr };
    assert_eq!(command(b"decr k 18446744073709551615\r\n"), Command::Arithmetic(decr));
    let silent = Arithmetic { reply: ReplyMode::Suppress, ..incr };
    assert_eq!(command(b"incr k 5 noreply\r\n"), Command::Arithmetic(silent));
    let delta = "CLIENT_ERROR invalid numeric delta argument\r\n";
    assert_eq!(error_line(b"incr k x\r\n"), delta);
    assert_eq!(error_line(b"decr k -1\r\n"), delta);
    assert_eq!(error_line(b"incr k 18446744073709551616\r\n"), delta);
    assert_eq!(error_line(b"incr k noreply\r\n"), "");

    let touch = Touch { key: b"k", exptime: 30, reply: ReplyMode::Send };
    assert_eq!(command(b"touch k 30\r\n"), Command::Touch(touch));
    assert_eq!(
        command(b"touch k 30 noreply\r\n"),
        Command::Touch(Touch { reply: ReplyMode::Suppress, ..touch })
    );
    assert_eq!(error_line(b"touch k x\r\n"), "CLIENT_ERROR invalid exptime argument\r\n");
    for line in [&b"incr k\r\n"[..], b"decr\r\n", b"touch k\r\n", b"touch k 1 2 3\r\n"] {
        assert_eq!(error_line(line), "ERROR\r\n");
    }
}

#[test]
fn server_commands() {
    let (send, suppress) = (ReplyMode::Send, ReplyMode::Suppress);
    assert_eq!(command(b"flush_all\r\n"), Command::FlushAll { delay: 0, reply: send });
    assert_eq!(command(b"flush_all 10\r\n"), Command::FlushAll { delay: 10, reply: send });
    assert_eq!(command(b"flush_all noreply\r\n"), Command::FlushAll { delay: 0, reply: suppress });
    assert_eq!(command(b"flush_all -5 noreply\r\n"), Command::FlushAll { delay: -5, reply: suppress });
    assert_eq!(error_line(b"flush_all x\r\n"), "CLIENT_ERROR invalid exptime argument\r\n");
    assert_eq!(error_line(b"flush_all 1 2 3\r\n"), "ERROR\r\n");
    assert_eq!(command(b"verbosity 2\r\n"), Command::Verbosity { level: 2, reply: send });
    assert_eq!(command(b"verbosity 2 noreply\r\n"), Command::Verbosity { level: 2, reply: suppress });
    assert_eq!(error_line(b"verbosity x\r\n"), "CLIENT_ERROR bad command line format\r\n");
    assert_eq!(error_line(b"verbosity\r\n"), "ERROR\r\n");
    assert_eq!(command(b"version\r\n"), Command::Version);
    assert_eq!(command(b"quit now\r\n"), Command::Quit);
    let Command::Stats { arguments } = command(b"stats detail on\r\n") else { panic!("stats") };
    assert_eq!(arguments.collect::<Vec<_>>(), [&b"detail"[..], b"on"]);
}

#[test]
fn other_verbs_keep_their_words() {
    let verbs = [
        ("cache_memlimit", OtherVerb::CacheMemlimit),
        ("debugitem", OtherVerb::DebugItem),
        ("debugtime", OtherVerb::DebugTime),
        ("extstore", OtherVerb::Extstore),
        ("lru", OtherVerb::Lru),
        ("lru_crawler", OtherVerb::LruCrawler),
        ("misbehave", OtherVerb::Misbehave),
        ("refresh_certs", OtherVerb::RefreshCerts),
        ("shutdown", OtherVerb::Shutdown),
        ("slabs", OtherVerb::Slabs),
        ("watch", OtherVerb::Watch),
    ];
    for (name, expected) in verbs {
        let line = format!("{name} one noreply\r\n");
        let Command::Other(Other { verb, arguments, reply }) = command(line.as_bytes()) else {
            panic!("{name}")
        };
        assert_eq!((verb, reply), (expected, ReplyMode::Suppress), "{name}");
        assert_eq!(arguments.collect::<Vec<_>>(), [&b"one"[..], b"noreply"], "{name}");
    }
    for line in [&b"cache_memlimit\r\n"[..], b"cache_memlimit 1 2 3\r\n", b"lru\r\n", b"extstore\r\n"] {
        assert_eq!(error_line(line), "ERROR\r\n");
    }
}

#[test]
fn what_is_no_command() {
    for line in
        [&b"\r\n"[..], b"\n", b"  \r\n", b"x\r\n", b"GET a\r\n", b"mx a\r\n", b"bget a\r\n", b"\0\r\n"]
    {
        assert_eq!(error_line(line), "ERROR\r\n", "{}", line.escape_ascii());
    }
}

#[test]
fn web_browsers_are_shown_the_door() {
    for line in [&b"GET / HTTP/1.1\r\n"[..], b"POST /x HTTP/1.0\r\n", b"HTTP/1.1\r\n"] {
        let error = error(line);
        assert_eq!((error.reply, error.close, error.end), (None, true, line.len()));
    }
    assert_eq!(keys_of(b"get / HTTP/1.1\r\n").0, [&b"/"[..], b"HTTP/1.1"]);
}

#[test]
fn a_key_has_250_bytes_at_most() {
    let (fits, long) = ("k".repeat(250), "k".repeat(251));
    let bad = "CLIENT_ERROR bad command line format\r\n";
    for (before, after) in [
        ("get ", ""),
        ("gets a b ", " c"),
        ("gat 0 ", ""),
        ("delete ", ""),
        ("incr ", " 1"),
        ("touch ", " 1"),
        ("mg ", " v"),
        ("md ", ""),
        ("ma ", ""),
        ("me ", ""),
    ] {
        command(format!("{before}{fits}{after}\r\n").as_bytes());
        assert_eq!(error_line(format!("{before}{long}{after}\r\n").as_bytes()), bad, "{before}");
    }
}

#[test]
fn long_lines_close_the_connection() {
    let limits = Limits::default();
    let edge = [vec![b'x'; 2048], b"\r".to_vec()].concat();
    assert_eq!(parse(&edge[..2048], &limits), Parsed::Incomplete { needed: 2049 });
    for input in
        [edge, [vec![b'x'; 2049], b"\n".to_vec()].concat(), [vec![b' '; 101], b"get ".repeat(600)].concat()]
    {
        let error = error(&input);
        assert_eq!((error.reply, error.close, error.end), (None, true, 2049));
    }
    assert_eq!(error_line(&[vec![b'x'; 2047], b"\r\n".to_vec()].concat()), "ERROR\r\n");
}

#[test]
fn a_line_of_keys_may_be_longer() {
    let limits = Limits { get_line_bytes: 10_000, ..Limits::default() };
    for verb in ["get", "gets", " get", "gat 1", "gats 1"] {
        let line = format!("{verb}{}\r\n", " abcd".repeat(1_900));
        for cut in [2_048, 2_049, 5_000, line.len() - 1] {
            assert_eq!(parse(&line.as_bytes()[..cut], &limits), Parsed::Incomplete { needed: cut + 1 });
        }
        match parse(line.as_bytes(), &limits) {
            Parsed::Request { command: Command::Get(get), end } => {
                assert_eq!((get.keys.count(), end), (1_900, line.len()));
            }
            other => panic!("{other:?}"),
        }
        let endless = format!("{verb}{}", " abcd".repeat(2_100));
        let Parsed::Error(error) = parse(endless.as_bytes(), &limits) else { panic!("endless") };
        assert_eq!(error.reply, Some(ErrorReply::OutOfMemoryReading));
        assert_eq!((error.close, error.end), (true, 10_001));
    }
}

#[test]
fn configurations() {
    let config = |input| match command(input) {
        Command::Config(config) => config,
        other => panic!("{other:?}"),
    };
    assert_eq!(config(b"config get cluster\r\n"), Config::Get { name: b"cluster" });
    assert_eq!(config(b"config get cluster\n"), Config::Get { name: b"cluster" });
    assert_eq!(config(b"config delete cluster\r\n"), Config::Delete { name: b"cluster" });
    let set = Config::Set { name: b"cluster", client_flags: 7, value: b"1\na|b|1\n" };
    assert_eq!(config(b"config set cluster 7 8\r\n1\na|b|1\n\r\n"), set);
    for line in [
        &b"config\r\n"[..],
        b"config get\r\n",
        b"config get a b\r\n",
        b"config set a 0\r\n",
        b"config list a\r\n",
    ] {
        assert_eq!(error_line(line), "ERROR\r\n");
    }
    assert_eq!(error_line(b"config set a 0 x\r\n"), "CLIENT_ERROR bad command line format\r\n");
    assert_eq!(error(b"config set a x 1\r\n1\r\n").swallow, 3);
}
