//! What the text of a node in process says.

use std::collections::{BTreeMap, BTreeSet};

use larder_config::Settings;
use larder_engine::{ExpireTurn, Worker};
use larder_metrics::{METRICS, render};
use larder_resp::Protocol;
use larder_testkit::{Client, Node};

fn ask(client: &mut Client, worker: &mut Worker, words: &[&str]) {
    client.request(worker, words).expect("replies");
}

/// The values, by name with labels; checks the form of the text on the way.
fn values(text: &str) -> BTreeMap<String, f64> {
    let (mut family, mut values) = (String::new(), BTreeMap::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["#", "HELP", name, ..] => family = name.to_owned(),
            ["#", "TYPE", name, kind] => {
                assert!(name == family && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
            }
            _ => {
                let (name, value) = line.rsplit_once(' ').expect("a value");
                assert!(name.starts_with(&family), "{line} stands under {family}");
                let fresh = values.insert(name.to_owned(), value.parse().expect("a number"));
                assert_eq!(fresh, None, "{name} is there twice");
            }
        }
    }
    values
}

#[test]
fn counters_of_all_workers_are_added_up() {
    let node = Node::new(Settings::default(), 2, 7);
    let (mut workers, mut client) = ([node.worker(0), node.worker(1)], node.connect(Protocol::Resp3));
    for worker in &mut workers {
        ask(&mut client, worker, &["SET", "k", "v"]);
        ask(&mut client, worker, &["GET", "k"]);
        ask(&mut client, worker, &["GET", "absent"]);
    }
    ask(&mut client, &mut workers[0], &["CONFIG", "GET", "port"]);
    let found = values(&render(&node.engine));
    for (name, value) in [
        ("larder_command_calls_total{command=\"set\"}", 2.0),
        ("larder_command_calls_total{command=\"get\"}", 4.0),
        ("larder_command_calls_total{command=\"config|get\"}", 1.0),
        ("larder_requests_total{protocol=\"resp\"}", 7.0),
        ("larder_keyspace_hits_total", 2.0),
        ("larder_keyspace_misses_total", 2.0),
        ("larder_key_changes_total", 2.0),
        ("larder_keys{db=\"0\"}", 1.0),
        ("larder_workers", 2.0),
        ("larder_memory_limit_bytes", 0.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name}");
    }
    assert!(!found.keys().any(|name| name.contains("command=\"del\"")), "nobody asked for it");
}

#[test]
fn histograms_grow_with_their_bounds() {
    let node = Node::new(Settings::default(), 1, 7);
    let (mut worker, mut client) = (node.worker(0), node.connect(Protocol::Resp2));
    node.clock.set_reading_nanos(3_000);
    (0..10).for_each(|_| ask(&mut client, &mut worker, &["GET", "k"]));
    let text = render(&node.engine);
    let buckets: Vec<(f64, u64)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("larder_command_latency_seconds_bucket{command=\"get\",le=\""))
        .map(|rest| {
            let (bound, count) = rest.split_once("\"} ").expect("a bound and a count");
            (bound.replace("+Inf", "inf").parse().expect("a bound"), count.parse().expect("a count"))
        })
        .collect();
    assert!(buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{buckets:?}");
    assert_eq!((buckets[0].1, buckets.last().map(|bucket| bucket.1)), (0, Some(10)));
}

#[test]
fn a_node_that_is_behind_with_expiry_says_so() {
    let node = Node::new(Settings::default(), 2, 7);
    let mut workers = [node.worker(0), node.worker(1)];
    let lag = || values(&render(&node.engine))["larder_expiry_lag_seconds"];
    assert_eq!(lag(), 0.0);
    node.clock.advance(2_000);
    assert!(!ExpireTurn::default().run(&mut workers[0]));
    assert_eq!(lag(), 2.0, "the other worker has yet to look");
    assert!(!ExpireTurn::default().run(&mut workers[1]));
    node.clock.advance(10);
    assert_eq!(lag(), 0.01);
}

/// A stranger to this test is a metric that nothing brings forth.
#[test]
fn every_metric_shows_up() {
    let node = Node::new(Settings::default(), 1, 7);
    let (mut worker, mut client) = (node.worker(0), node.connect(Protocol::Resp2));
    ask(&mut client, &mut worker, &["SET", "k", "v"]);
    ask(&mut client, &mut worker, &["GET"]);
    let text = render(&node.engine);
    let shown: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let missing: Vec<&str> = METRICS
        .iter()
        .flat_map(|(_, metrics)| *metrics)
        .map(|metric| metric.name)
        .filter(|name| !shown.contains(name))
        .collect();
    // Only a process has threads whose time can be told.
    assert_eq!(missing, ["larder_worker_cpu_seconds_total"]);
}
