//! Scripts that run for long, and what scripts leave behind, where a script of requests cannot show it.

use larder_config::Settings;
use larder_engine::{Served, Worker};
use larder_resp::Protocol;
use larder_testkit::{Client, Node};

/// A node whose clock moves on by a millisecond with each look at it, so that every pause of a script ends its slice.
fn node(workers: usize) -> Node {
    let settings = Settings { busy_reply_threshold: 1, ..Settings::default() };
    let node = Node::new(settings, workers, 1);
    node.clock.set_reading_nanos(1_000_000);
    node
}

/// What a client gets for a request.
fn ask(client: &mut Client, worker: &mut Worker, words: &[&str]) -> String {
    String::from_utf8_lossy(&client.send(worker, &encoded(words))).into_owned()
}

fn encoded(words: &[&str]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    request
}

/// Begins a request that does not end at once.
fn begin(client: &mut Client, worker: &mut Worker, words: &[&str]) {
    let mut replies = Vec::new();
    let served = client.turn(worker, &encoded(words), &mut replies);
    assert!(matches!(served, Served::Again | Served::At(_)), "{words:?}: {served:?}");
    assert_eq!(replies, b"", "{words:?}");
}

#[test]
fn a_long_script_lets_others_know_and_is_killed() {
    let node = node(1);
    let mut worker = node.worker(0);
    let (mut client, mut other) = (node.connect(Protocol::Resp2), node.connect(Protocol::Resp2));
    for source in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "redis.call('GET', 'k') while true do redis.pcall('GET', 'k') end",
    ] {
        begin(&mut client, &mut worker, &["EVAL", source, "0"]);
        for _ in 0..3 {
            client.turn(&mut worker, b"", &mut Vec::new());
            let busy = ask(&mut other, &mut worker, &["PING"]);
            assert!(busy.contains("BUSY Redis is busy running a script"), "{busy}");
        }
        let wrong = ask(&mut other, &mut worker, &["FUNCTION", "KILL"]);
        assert!(wrong.contains("You can only call SCRIPT KILL"), "{wrong}");
        assert!(ask(&mut other, &mut worker, &["FUNCTION", "STATS"]).contains("BUSY"));
        assert!(ask(&mut other, &mut worker, &["SCRIPT", "KILL"]).contains("OK"));
        let reply = String::from_utf8_lossy(&client.send(&mut worker, b"")).into_owned();
        assert!(reply.starts_with("-ERR Script killed by user with SCRIPT KILL."), "{reply}");
        assert!(ask(&mut other, &mut worker, &["PING"]).contains("PONG"));
        assert!(ask(&mut client, &mut worker, &["EVAL", "return 'fine'", "0"]).starts_with('$'));
    }
}

#[test]
fn what_follows_a_long_script_is_not_told_of_it() {
    let node = node(1);
    let mut worker = node.worker(0);
    let (mut client, mut other) = (node.connect(Protocol::Resp2), node.connect(Protocol::Resp2));
    let requests = [encoded(&["EVAL", "while true do end", "0"]), encoded(&["PING"])].concat();
    client.turn(&mut worker, &requests, &mut Vec::new());
    client.turn(&mut worker, b"", &mut Vec::new());
    assert!(ask(&mut other, &mut worker, &["SCRIPT", "KILL"]).contains("OK"));
    let reply = String::from_utf8_lossy(&client.send(&mut worker, b"")).into_owned();
    assert!(reply.contains("killed by user") && reply.ends_with("\r\n+PONG\r\n"), "{reply}");
}

#[test]
fn who_has_written_is_not_killed() {
    let node = node(1);
    let mut worker = node.worker(0);
    let (mut client, mut other) = (node.connect(Protocol::Resp2), node.connect(Protocol::Resp2));
    let source = "redis.call('SET', 'k', 1) for i = 1, 100000 do end return redis.call('GET', 'k')";
    begin(&mut client, &mut worker, &["EVAL", source, "0"]);
    client.turn(&mut worker, b"", &mut Vec::new());
    let reply = ask(&mut other, &mut worker, &["SCRIPT", "KILL"]);
    assert!(reply.contains("UNKILLABLE"), "{reply}");
    assert_eq!(client.send(&mut worker, b""), b"$1\r\n1\r\n");
}

#[test]
fn functions_are_told_of_and_killed() {
    let node = node(1);
    let mut worker = node.worker(0);
    let (mut client, mut other) = (node.connect(Protocol::Resp2), node.connect(Protocol::Resp2));
    node.clock.set_reading_nanos(1);
    let source = "#!lua name=lib\nredis.register_function('loop', function() while true do end end)";
    assert!(ask(&mut client, &mut worker, &["FUNCTION", "LOAD", source]).starts_with('$'));
    node.clock.set_reading_nanos(1_000_000);
    begin(&mut client, &mut worker, &["FCALL", "loop", "0"]);
    client.turn(&mut worker, b"", &mut Vec::new());
    let stats = ask(&mut other, &mut worker, &["FUNCTION", "STATS"]);
    assert!(stats.contains("$4\r\nloop\r\n") && stats.contains("$5\r\nFCALL\r\n"), "{stats}");
    let wrong = ask(&mut other, &mut worker, &["SCRIPT", "KILL"]);
    assert!(wrong.contains("You can only call FUNCTION KILL"), "{wrong}");
    assert!(ask(&mut other, &mut worker, &["FUNCTION", "KILL"]).contains("OK"));
    let reply = String::from_utf8_lossy(&client.send(&mut worker, b"")).into_owned();
    assert!(reply.starts_with("-ERR Script killed by user with FUNCTION KILL."), "{reply}");
}

#[test]
fn a_library_that_takes_too_long_is_not_loaded() {
    let node = node(1);
    let mut worker = node.worker(0);
    let mut client = node.connect(Protocol::Resp2);
    let endless = "#!lua name=lib\nwhile true do end";
    let reply = ask(&mut client, &mut worker, &["FUNCTION", "LOAD", endless]);
    assert!(reply.contains("Error registering functions: ERR FUNCTION LOAD timeout"), "{reply}");
    node.clock.set_reading_nanos(1);
    assert!(ask(&mut client, &mut worker, &["FUNCTION", "LIST"]) == "*0\r\n");
}

/// Stripes of a script that is put aside are reserved: another worker waits for them, and for no others.
#[test]
fn a_script_keeps_its_keys_while_others_have_their_turn() {
    let settings = Settings { busy_reply_threshold: 0, ..Settings::default() };
    let node = Node::new(settings, 2, 1);
    let (mut worker, mut second) = (node.worker(0), node.worker(1));
    let (mut client, mut other) = (node.connect(Protocol::Resp2), node.connect(Protocol::Resp2));
    node.clock.set_reading_nanos(1_000_000);
    let source = "redis.call('SET', 'k', 1) for i = 1, 10000 do end redis.call('INCR', 'k') return redis.call('GET', 'k')";
    begin(&mut client, &mut worker, &["EVAL", source, "0"]);
    begin(&mut other, &mut second, &["INCR", "k"]);
    let mut third = node.connect(Protocol::Resp2);
    assert!(ask(&mut third, &mut second, &["SET", "elsewhere", "1"]).contains("OK"));
    assert_eq!(client.send(&mut worker, b""), b"$1\r\n2\r\n");
    assert_eq!(other.send(&mut second, b""), b":3\r\n");
}

#[test]
fn a_script_whose_client_leaves_ends() {
    let node = node(1);
    let mut worker = node.worker(0);
    let mut other = node.connect(Protocol::Resp2);
    let mut client = node.connect(Protocol::Resp2);
    begin(
        &mut client,
        &mut worker,
        &["EVAL", "redis.call('SET', 'k', 1) for i = 1, 30000 do end redis.call('SET', 'k', 2)", "0"],
    );
    drop(client);
    // The worker goes on with it when it looks round.
    node.clock.set_reading_nanos(1);
    for _ in 0..100 {
        node.advance(&mut [&mut worker], 20);
    }
    assert_eq!(ask(&mut other, &mut worker, &["GET", "k"]), "$1\r\n2\r\n");
    assert_eq!(ask(&mut other, &mut worker, &["EVAL", "return 'next'", "0"]), "$4\r\nnext\r\n");
}

/// Each worker has interpreters of its own; what is loaded, flushed or replaced is so for all.
#[test]
fn workers_share_scripts_and_libraries() {
    let node = Node::new(Settings::default(), 2, 1);
    let (mut worker, mut second) = (node.worker(0), node.worker(1));
    let mut client = node.connect(Protocol::Resp2);
    let digest = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    ask(&mut client, &mut worker, &["SCRIPT", "LOAD", "return 1"]);
    assert_eq!(client.send(&mut second, &encoded(&["EVALSHA", digest, "0"])), b":1\r\n");
    ask(&mut client, &mut worker, &["SCRIPT", "FLUSH"]);
    assert!(client.send(&mut second, &encoded(&["EVALSHA", digest, "0"])).starts_with(b"-NOSCRIPT"));
    let library =
        |number: u8| format!("#!lua name=lib\nredis.register_function('f', function() return {number} end)");
    for number in 1..4 {
        ask(&mut client, &mut worker, &["FUNCTION", "LOAD", "REPLACE", &library(number)]);
        for worker in [&mut worker, &mut second] {
            let reply = client.send(worker, &encoded(&["FCALL", "f", "0"]));
            assert_eq!(String::from_utf8_lossy(&reply), format!(":{number}\r\n"));
        }
    }
    ask(&mut client, &mut second, &["FUNCTION", "FLUSH"]);
    assert!(client.send(&mut worker, &encoded(&["FCALL", "f", "0"])).starts_with(b"-ERR Function not found"));
}

/// A script is told before its commands, whose client is `lua`.
#[test]
fn monitors_see_scripts_and_their_commands() {
    let node = Node::new(Settings::default(), 1, 1);
    let mut worker = node.worker(0);
    let (mut client, mut monitor) = (node.connect(Protocol::Resp2), node.connect(Protocol::Resp2));
    monitor.send(&mut worker, &encoded(&["MONITOR"]));
    ask(&mut client, &mut worker, &["EVAL", "redis.call('SET', KEYS[1], ARGV[1])", "1", "k", "v"]);
    let lines = String::from_utf8_lossy(&monitor.send(&mut worker, b"")).into_owned();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("\"EVAL\"") && !lines[0].contains("lua]"), "{lines:?}");
    assert!(lines[1].contains("[0 lua] \"SET\" \"k\" \"v\""), "{lines:?}");
}
