//! Messages at the edges of a subscription, and subscribers that do not read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::client::{Client, Reply, request};
use crate::server::{Server, eventually};

/// Subscriptions that are begun and ended while others publish.
const ROUNDS: usize = 300;

fn requests(all: &[&[&str]]) -> Vec<u8> {
    all.iter().flat_map(|words| request(words)).collect()
}

/// Has a client do something while others publish on `news` as fast as they can, on both workers.
fn while_others_publish(work: impl FnOnce(&mut Client) + Send) {
    let server = Server::start(&[]);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            let (server, over) = (&server, &over);
            scope.spawn(move || {
                let mut publisher = server.client();
                while !over.load(Ordering::Relaxed) {
                    publisher.send(&request(&["PUBLISH", "news", "x"]).repeat(16)).unwrap();
                    for _ in 0..16 {
                        publisher.reply().unwrap().integer();
                    }
                }
            });
        }
        let mut client = server.client();
        let done = scope.spawn(move || work(&mut client)).join();
        over.store(true, Ordering::Relaxed);
        assert!(done.is_ok());
    });
    server.end();
}

fn is_message(parts: &[Reply]) -> bool {
    parts[0] == Reply::Bulk("message".to_owned())
}

/// Reads past messages to what is none.
fn next_reply(client: &mut Client) -> Reply {
    loop {
        match client.reply().unwrap() {
            Reply::Array(parts) if is_message(&parts) => {}
            reply => return reply,
        }
    }
}

fn assert_confirms(reply: &Reply, word: &str) {
    let (Reply::Array(parts) | Reply::Push(parts)) = reply else { panic!("{reply:?} confirms nothing") };
    assert_eq!(parts[0], Reply::Bulk(word.to_owned()));
}

#[test]
fn no_message_comes_after_the_end_of_a_subscription() {
    while_others_publish(|client| {
        for _ in 0..ROUNDS {
            client.send(&requests(&[&["SUBSCRIBE", "news"], &["PING"]])).unwrap();
            assert_confirms(&client.reply().unwrap(), "subscribe");
            assert!(matches!(next_reply(client), Reply::Array(pong) if pong[0].text() == "pong"));
            client.send(&requests(&[&["UNSUBSCRIBE", "news"], &["PING"]])).unwrap();
            assert_confirms(&next_reply(client), "unsubscribe");
            assert_eq!(client.reply().unwrap().text(), "PONG");
            assert_eq!(client.call(&["ECHO", "a reply"]).text(), "a reply");
            client.send(&requests(&[&["PSUBSCRIBE", "n*"], &["RESET"], &["PING"]])).unwrap();
            assert_confirms(&client.reply().unwrap(), "psubscribe");
            let reset = loop {
                match client.reply().unwrap() {
                    Reply::Array(parts) => assert_eq!(parts[0].text(), "pmessage"),
                    reply => break reply,
                }
            };
            assert_eq!(reset.text(), "RESET");
            assert_eq!(client.reply().unwrap().text(), "PONG");
            assert_eq!(client.call(&["ECHO", "a reply"]).text(), "a reply");
        }
    });
}

#[test]
fn nothing_of_a_subscription_within_a_transaction_is_taken_for_a_reply() {
    while_others_publish(|client| {
        for _ in 0..ROUNDS {
            let transaction: &[&[&str]] =
                &[&["MULTI"], &["SUBSCRIBE", "news"], &["UNSUBSCRIBE", "news"], &["EXEC"], &["PING"]];
            client.send(&requests(transaction)).unwrap();
            assert_eq!(client.reply().unwrap().text(), "OK");
            assert_eq!(client.reply().unwrap().text(), "QUEUED");
            assert_eq!(client.reply().unwrap().text(), "QUEUED");
            let Reply::Array(both) = client.reply().unwrap() else { panic!("no transaction") };
            assert_confirms(&both[0], "subscribe");
            assert_confirms(&both[1], "unsubscribe");
            assert_eq!(client.reply().unwrap().text(), "PONG");
            assert_eq!(client.call(&["ECHO", "a reply"]).text(), "a reply");
        }
    });
}

#[test]
fn a_transaction_that_goes_on_is_answered_before_what_it_subscribes_to() {
    let server = Server::start(&[]);
    let (mut client, mut witness) = (server.client(), server.client());
    let script = "for i = 1, 30000000 do end return 'done'";
    client.send(&requests(&[&["MULTI"], &["SUBSCRIBE", "news"], &["EVAL", script, "0"], &["EXEC"]])).unwrap();
    eventually("it subscribes", || witness.call(&["PUBLISH", "news", "x"]).integer() == 1);
    let running = witness.call(&["CLIENT", "LIST"]);
    assert!(
        ["cmd=exec", "cmd=eval"].iter().any(|command| running.text().contains(command)),
        "the script was too short: {running:?}"
    );
    assert_eq!(client.reply().unwrap().text(), "OK");
    assert_eq!(client.reply().unwrap().text(), "QUEUED");
    assert_eq!(client.reply().unwrap().text(), "QUEUED");
    let Reply::Array(both) = client.reply().unwrap() else { panic!("no transaction") };
    assert_confirms(&both[0], "subscribe");
    assert_eq!(both[1].text(), "done");
    assert!(matches!(client.reply().unwrap(), Reply::Array(parts) if is_message(&parts)));
    server.end();
}

#[test]
fn messages_are_in_the_version_that_was_spoken_last() {
    while_others_publish(|client| {
        for _ in 0..ROUNDS {
            client.send(&requests(&[&["HELLO", "3"], &["SUBSCRIBE", "news"], &["HELLO", "2"]])).unwrap();
            assert!(matches!(client.reply().unwrap(), Reply::Map(_)));
            assert_confirms(&client.reply().unwrap(), "subscribe");
            loop {
                match client.reply().unwrap() {
                    Reply::Push(parts) => assert!(is_message(&parts)),
                    Reply::Array(fields) => {
                        assert_eq!(
                            fields[0].text(),
                            "server",
                            "a message of RESP2 before RESP2 was agreed on"
                        );
                        break;
                    }
                    other => panic!("{other:?}"),
                }
            }
            client.send(&request(&["UNSUBSCRIBE", "news"])).unwrap();
            let ended = next_reply(client);
            assert!(matches!(ended, Reply::Array(_)), "{ended:?}");
            assert_confirms(&ended, "unsubscribe");
        }
    });
}

#[test]
fn its_own_message_comes_behind_the_reply_to_publish() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.send(&requests(&[&["HELLO", "3"], &["SUBSCRIBE", "news"]])).unwrap();
    assert!(matches!(client.reply().unwrap(), Reply::Map(_)));
    assert_confirms(&client.reply().unwrap(), "subscribe");
    let script = "redis.call('PUBLISH', 'news', '3') return redis.call('PUBLISH', 'news', '4')";
    let all: &[&[&str]] = &[
        &["PUBLISH", "news", "1"],
        &["MULTI"],
        &["PUBLISH", "news", "2"],
        &["EXEC"],
        &["EVAL", script, "0"],
        &["MULTI"],
        &["PUBLISH", "news", "5"],
        &["UNSUBSCRIBE", "news"],
        &["EXEC"],
        &["ECHO", "end"],
    ];
    client.send(&requests(all)).unwrap();
    let mut seen = Vec::new();
    loop {
        match client.reply().unwrap() {
            Reply::Bulk(end) if end == "end" => break,
            Reply::Push(parts) => seen.push(parts[2].text().to_owned()),
            Reply::Array(parts) => seen.push(format!("array of {}", parts.len())),
            Reply::Integer(receivers) => seen.push(format!("to {receivers}")),
            Reply::Status(text) => seen.push(text),
            other => panic!("{other:?}"),
        }
    }
    let expected = "to 1|1|OK|QUEUED|array of 1|2|to 1|3|4|OK|QUEUED|QUEUED|array of 2|5";
    assert_eq!(seen.join("|"), expected);
    server.end();
}

/// Publishes 32 MB in pieces that are each below every limit here.
fn publish_much(publisher: &mut Client) {
    let text = "x".repeat(100_000);
    for _ in 0..320 {
        publisher.call(&["PUBLISH", "news", &text]);
    }
}

#[test]
fn a_subscriber_that_leaves_too_much_unread_for_too_long_is_sent_away() {
    let server = Server::start(&["--client-output-buffer-limit", "pubsub 0 1mb 1"]);
    let (mut slow, mut publisher) = (server.client(), server.client());
    slow.call(&["SUBSCRIBE", "news"]);
    publish_much(&mut publisher);
    eventually("it is gone", || publisher.call(&["PUBLISH", "news", "x"]).integer() == 0);
    assert_eq!(publisher.info("client_output_buffer_limit_disconnections"), 1);
    server.end();
}

#[test]
fn reading_little_by_little_does_not_keep_a_subscriber() {
    let server = Server::start(&["--client-output-buffer-limit", "pubsub 0 1mb 1"]);
    let (mut slow, mut publisher) = (server.client(), server.client());
    slow.call(&["SUBSCRIBE", "news"]);
    let text = "x".repeat(100_000);
    eventually("it is gone", || {
        for _ in 0..50 {
            publisher.call(&["PUBLISH", "news", &text]);
        }
        // All that is sent to it in one go is read now and then, but never all that waits.
        for _ in 0..5 {
            if slow.reply().is_err() {
                return true;
            }
        }
        publisher.info("pubsub_clients") == 0
    });
    assert_eq!(publisher.info("client_output_buffer_limit_disconnections"), 1);
    server.end();
}

#[test]
fn one_that_has_read_everything_is_forgiven() {
    let server = Server::start(&["--client-output-buffer-limit", "pubsub 0 1mb 2"]);
    let (mut reader, mut publisher) = (server.client(), server.client());
    reader.call(&["SUBSCRIBE", "news"]);
    for _ in 0..3 {
        publish_much(&mut publisher);
        for _ in 0..320 {
            reader.reply().unwrap();
        }
        thread::sleep(Duration::from_millis(1100));
    }
    assert_eq!(publisher.call(&["PUBLISH", "news", "x"]).integer(), 1);
    assert_eq!(publisher.info("client_output_buffer_limit_disconnections"), 0);
    server.end();
}

#[test]
fn a_monitor_that_leaves_too_much_unread_for_too_long_is_sent_away() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 0 1mb 1"]);
    let (mut slow, mut publisher) = (server.client(), server.client());
    slow.call(&["MONITOR"]);
    publish_much(&mut publisher);
    eventually("it is gone", || publisher.info("connected_clients") == 1);
    assert_eq!(publisher.info("client_output_buffer_limit_disconnections"), 1);
    server.end();
}

#[test]
fn a_changed_limit_holds_for_notifications_and_for_who_is_behind_already() {
    let server = Server::start(&["--notify-keyspace-events", "KEA"]);
    let limit = "client-output-buffer-limit";
    let (mut slow, mut other, mut witness) = (server.client(), server.client(), server.client());
    slow.call(&["PSUBSCRIBE", "__key*"]);
    assert_eq!(witness.call(&["CONFIG", "SET", limit, "pubsub 2mb 0 0"]).text(), "OK");
    let key = "k".repeat(100_000);
    for _ in 0..200 {
        witness.call(&["SET", &key, "v"]);
    }
    eventually("it is gone", || witness.info("pubsub_clients") == 0);
    assert_eq!(witness.info("client_output_buffer_limit_disconnections"), 1);
    assert_eq!(witness.call(&["CONFIG", "SET", limit, "pubsub 0 0 0"]).text(), "OK");
    other.call(&["SUBSCRIBE", "news"]);
    publish_much(&mut witness);
    assert_eq!(witness.call(&["CONFIG", "SET", limit, "pubsub 0 1mb 0"]).text(), "OK");
    eventually("the other is gone", || witness.info("pubsub_clients") == 0);
    assert_eq!(witness.info("client_output_buffer_limit_disconnections"), 2);
    server.end();
}
