//! The memcached protocol: transcripts on a node in process and on a real memcached, and what no transcript can show.
#![expect(
    clippy::disallowed_methods,
    reason = "transcripts are read from files and played to a memcached over a socket"
)]
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking, in its helpers too")]

mod binary;
mod connection;
mod peer;
mod protocols;
mod transcript;

use connection::Connection;
use larder_config::Settings;
use larder_testkit::Node;
use peer::Memcached;
use transcript::{Audience, Step, Transcript};

/// A node with these settings, and its only worker.
fn node(settings: Settings) -> (Node, larder_engine::Worker) {
    let node = Node::new(settings, 1, 7);
    let worker = node.worker(0);
    (node, worker)
}

/// How the bytes of a transcript reach a connection.
#[derive(Clone, Copy)]
enum Arrival {
    Whole,
    OneByOne,
}

fn play_in_process(transcript: &Transcript, arrival: Arrival) {
    let (node, mut worker) = node(Settings::default());
    let mut connection = Connection::new(&node);
    let mut names = transcript::Names::default();
    for step in &transcript.steps {
        match step {
            Step::Advance(millis) => node.advance(&mut [&mut worker], *millis),
            Step::Exchange(exchange) => {
                let request = exchange.request(&names);
                let answer = match arrival {
                    Arrival::Whole => connection.send(&mut worker, &request),
                    Arrival::OneByOne => {
                        request.iter().flat_map(|byte| connection.send(&mut worker, &[*byte])).collect()
                    }
                };
                exchange.check(&answer, &mut names, "larder");
                assert_eq!(exchange.closes, connection.is_closed(), "{}", exchange.place);
                if connection.is_closed() {
                    connection = Connection::new(&node);
                }
            }
        }
    }
}

#[test]
fn transcripts_in_process() {
    for transcript in transcript::all() {
        play_in_process(&transcript, Arrival::Whole);
    }
}

#[test]
fn transcripts_a_byte_at_a_time() {
    for transcript in transcript::all() {
        play_in_process(&transcript, Arrival::OneByOne);
    }
}

#[test]
fn transcripts_on_memcached() {
    for transcript in transcript::all() {
        let Some(mut server) = Memcached::start() else {
            println!("skipped: there is no memcached to compare with");
            return;
        };
        let mut names = transcript::Names::default();
        for step in &transcript.steps {
            match step {
                Step::Advance(millis) => std::thread::sleep(std::time::Duration::from_millis(*millis as u64)),
                Step::Exchange(exchange) if exchange.audience == Audience::Both => {
                    let answer = server.ask(&exchange.request(&names));
                    exchange.check(&answer, &mut names, "memcached");
                }
                Step::Exchange(_) => {}
            }
        }
    }
}
