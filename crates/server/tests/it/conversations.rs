//! What clients on different workers have to do with each other: messages, elements that are waited for, transactions, scripts.

use crate::client::{Client, Reply, request};
use crate::server::{Server, eventually};

/// Clients enough that some are on other workers than others.
const CLIENTS: usize = 8;

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.to_owned())
}

fn message(parts: &[&str]) -> Reply {
    Reply::Array(parts.iter().map(|part| bulk(part)).collect())
}

#[test]
fn messages_reach_all_subscribers_in_order() {
    const MESSAGES: usize = 200;
    let server = Server::start(&[]);
    let mut subscribers: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    for subscriber in &mut subscribers {
        subscriber.send(&request(&["SUBSCRIBE", "news", "other"])).unwrap();
        subscriber.send(&request(&["PSUBSCRIBE", "n*"])).unwrap();
        for count in 1..=3 {
            let Reply::Array(parts) = subscriber.reply().unwrap() else { panic!("no confirmation") };
            assert_eq!(parts[2], Reply::Integer(count));
        }
    }
    let mut publisher = server.client();
    for number in 0..MESSAGES {
        let receivers = publisher.call(&["PUBLISH", "news", &number.to_string()]);
        assert_eq!(receivers, Reply::Integer(2 * CLIENTS as i64));
    }
    for subscriber in &mut subscribers {
        for number in (0..MESSAGES).map(|number| number.to_string()) {
            assert_eq!(subscriber.reply().unwrap(), message(&["message", "news", &number]));
            assert_eq!(subscriber.reply().unwrap(), message(&["pmessage", "n*", "news", &number]));
        }
    }
    let mut last = subscribers.pop().unwrap();
    let refused = last.call(&["GET", "key"]);
    assert!(refused.text().starts_with("ERR Can't execute 'get': only (P|S)SUBSCRIBE"), "{refused:?}");
    drop(subscribers);
    eventually("one subscriber", || publisher.call(&["PUBLISH", "other", "x"]) == Reply::Integer(1));
    assert_eq!(last.reply().unwrap(), message(&["message", "other", "x"]));
    drop(last);
    eventually("no channels", || publisher.info("pubsub_channels") + publisher.info("pubsub_patterns") == 0);
    server.end();
}

#[test]
fn a_subscriber_that_does_not_read_is_sent_away_and_others_are_not() {
    let server = Server::start(&["--client-output-buffer-limit", "pubsub 5mb 0 0"]);
    let (mut slow, mut reader, mut publisher) = (server.client(), server.client(), server.client());
    for subscriber in [&mut slow, &mut reader] {
        subscriber.call(&["SUBSCRIBE", "channel"]);
    }
    let text = "x".repeat(500_000);
    // What the sockets take comes on top of the limit.
    let sent = (0..200).find(|_| {
        let receivers = publisher.call(&["PUBLISH", "channel", &text]).integer();
        assert_eq!(reader.reply().unwrap(), message(&["message", "channel", &text]));
        receivers == 1
    });
    assert!(sent.is_some(), "it was never sent away");
    assert_eq!(publisher.info("client_output_buffer_limit_disconnections"), 1);
    server.end();
}

#[test]
fn elements_go_to_those_who_wait_in_the_order_in_which_they_came() {
    let server = Server::start(&[]);
    let mut witness = server.client();
    let mut waiting: Vec<Client> = Vec::new();
    for count in 1..=CLIENTS as u64 {
        let mut client = server.client();
        client.send(&request(&["BLPOP", "queue", "0"])).unwrap();
        eventually("so many blocked clients", || witness.info("blocked_clients") == count);
        waiting.push(client);
    }
    // One gives up by going.
    drop(waiting.remove(3));
    eventually("one less", || witness.info("blocked_clients") == CLIENTS as u64 - 1);
    for (number, client) in waiting.iter_mut().enumerate() {
        let element = number.to_string();
        witness
            .send(&[request(&["RPUSH", "queue", &element]), request(&["LLEN", "queue"])].concat())
            .unwrap();
        assert_eq!(witness.reply().unwrap(), Reply::Integer(1));
        assert_eq!(witness.reply().unwrap(), Reply::Integer(0));
        assert_eq!(client.reply().unwrap(), message(&["queue", &element]));
    }
    assert_eq!(witness.info("total_blocking_keys"), 0);
    server.end();
}

#[test]
fn time_ends_waiting_and_so_do_others() {
    let server = Server::start(&[]);
    let (mut client, mut witness) = (server.client(), server.client());
    assert_eq!(client.call(&["BLPOP", "nosuch", "0.05"]), Reply::Null);
    let id = client.call(&["CLIENT", "ID"]).integer().to_string();
    for (how, reply) in [
        ("TIMEOUT", Reply::Null),
        ("ERROR", Reply::Error("UNBLOCKED client unblocked via CLIENT UNBLOCK".to_owned())),
    ] {
        client.send(&request(&["BRPOP", "nosuch", "0"])).unwrap();
        eventually("it waits", || witness.call(&["CLIENT", "UNBLOCK", &id, how]) == Reply::Integer(1));
        assert_eq!(client.reply().unwrap(), reply);
    }
    // What was sent behind it is served then.
    client.send(&[request(&["BLPOP", "list", "0"]), request(&["ECHO", "behind"])].concat()).unwrap();
    eventually("it waits", || witness.info("blocked_clients") == 1);
    witness.call(&["RPUSH", "list", "x"]);
    assert_eq!(client.reply().unwrap(), message(&["list", "x"]));
    assert_eq!(client.reply().unwrap(), bulk("behind"));
    server.end();
}

#[test]
fn a_script_that_runs_for_long_leaves_others_alone_until_it_is_ended() {
    let server = Server::start(&["--busy-reply-threshold", "0"]);
    let mut runners: Vec<Client> = (0..2).map(|_| server.client()).collect();
    let mut others: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    runners[0]
        .send(&request(&["EVAL", "while redis.call('GET', KEYS[1]) == false do end", "1", "held"]))
        .unwrap();
    eventually("a script runs", || {
        let line = others[0].call(&["CLIENT", "LIST"]);
        line.text().contains("cmd=eval")
    });
    // Those on its own worker, too.
    for (number, other) in others.iter_mut().enumerate() {
        let key = format!("key-{number}");
        assert_eq!(other.call(&["SET", &key, "v"]), Reply::Status("OK".to_owned()));
        assert_eq!(other.call(&["GET", &key]), bulk("v"));
    }
    let mut ender = others.pop().unwrap();
    eventually("it is ended", || ender.call(&["SCRIPT", "KILL"]) == Reply::Status("OK".to_owned()));
    let killed = runners[0].reply().unwrap();
    assert!(killed.text().contains("Script killed by user with SCRIPT KILL"), "{killed:?}");
    assert_eq!(ender.call(&["SET", "held", "v"]), Reply::Status("OK".to_owned()));
    // One whose client goes runs to its end.
    runners[1]
        .send(&request(&[
            "EVAL",
            "for i = 1, 30000000 do end redis.call('SET', KEYS[1], 'done')",
            "1",
            "orphan",
        ]))
        .unwrap();
    eventually("a script runs", || ender.call(&["CLIENT", "LIST"]).text().contains("cmd=eval"));
    drop(runners);
    eventually("it has run to its end", || ender.call(&["GET", "orphan"]) == bulk("done"));
    server.end();
}

#[test]
fn a_request_that_fails_after_it_has_waited_counts_as_failed() {
    let server = Server::start(&[]);
    let (mut client, mut witness) = (server.client(), server.client());
    witness.call(&["XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM"]);
    let read = request(&["XREADGROUP", "GROUP", "group", "one", "BLOCK", "0", "STREAMS", "stream", ">"]);
    client.send(&read).unwrap();
    eventually("it waits", || witness.info("blocked_clients") == 1);
    witness.call(&["XGROUP", "DESTROY", "stream", "group"]);
    let refused = client.reply().unwrap();
    assert!(refused.text().starts_with("NOGROUP"), "{refused:?}");
    let info = witness.call(&["INFO", "everything"]);
    let counted = info.text().lines().find(|line| line.starts_with("cmdstat_xreadgroup:")).unwrap();
    assert!(counted.contains("calls=1,") && counted.ends_with("failed_calls=1"), "{counted}");
    assert!(info.text().contains("errorstat_NOGROUP:count=1\r\n"), "{info:?}");
    server.end();
}
