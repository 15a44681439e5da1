//! Commands that walk over all keys let others have their turn meanwhile, and still find what they should.

use std::collections::BTreeMap;

use larder_config::Settings;
use larder_engine::{Served, Worker};
use larder_resp::Protocol;
use larder_testkit::{Client, Node, Value};

const LASTING: u32 = 4000;
/// A step of a walk seems to take as long as a piece may.
const STEP_NANOS: u64 = 1_000_000;

struct Setting {
    node: Node,
    worker: Worker,
    walker: Client,
    other: Client,
}

fn setting() -> Setting {
    let node = Node::new(Settings::default(), 1, 7);
    let (mut worker, walker, mut other) =
        (node.worker(0), node.connect(Protocol::Resp2), node.connect(Protocol::Resp2));
    for number in 0..LASTING {
        let set = other.request(&mut worker, &["SET", &format!("lasting:{number}"), "value"]);
        assert_eq!(set, Ok(vec![Value::Simple(b"OK".to_vec())]));
    }
    node.clock.set_reading_nanos(STEP_NANOS);
    Setting { node, worker, walker, other }
}

impl Setting {
    /// Sends a request that takes several turns, between which `between` has its own; returns the reply and the turns.
    fn in_turns(
        &mut self,
        request: &str,
        mut between: impl FnMut(usize, &mut Client, &mut Worker),
    ) -> (Value, usize) {
        let mut bytes = format!("{request}\r\n").into_bytes();
        for turn in 1.. {
            let mut written = Vec::new();
            let served = self.walker.turn(&mut self.worker, &bytes, &mut written);
            bytes.clear();
            if served != Served::Again {
                let mut values = Value::decode_all(&written).expect("whole replies");
                assert_eq!(values.len(), 1);
                return (values.remove(0), turn);
            }
            assert!(written.is_empty(), "the number of keys is not known before the end");
            between(turn, &mut self.other, &mut self.worker);
        }
        unreachable!("it ends or goes on")
    }
}

fn times_found(keys: &Value) -> BTreeMap<String, usize> {
    let Value::Array(keys) = keys else { panic!("{keys:?} is no array") };
    let mut found = BTreeMap::new();
    for key in keys {
        let Value::Bulk(key) = key else { panic!("{key:?} is no key") };
        *found.entry(String::from_utf8(key.clone()).expect("keys of this test are text")).or_default() += 1;
    }
    found
}

fn assert_lasting_keys_once(keys: &Value) {
    let mut found = times_found(keys);
    for number in 0..LASTING {
        assert_eq!(found.remove(&format!("lasting:{number}")), Some(1), "lasting:{number}");
    }
    assert!(found.into_iter().all(|(key, times)| key.starts_with("passing:") && times == 1));
}

/// Adds and deletes keys: the table grows and shrinks while it is walked over.
fn change_keys(turn: usize, other: &mut Client, worker: &mut Worker) {
    for number in 0..100 {
        let words = match turn % 2 {
            0 => vec!["DEL".to_owned(), format!("passing:{}:{number}", turn - 1)],
            _ => vec!["SET".to_owned(), format!("passing:{turn}:{number}"), "value".to_owned()],
        };
        let done = other.request(worker, &words).expect("whole replies");
        assert!(matches!(done[..], [Value::Simple(_) | Value::Integer(1)]), "{done:?}");
    }
}

#[test]
fn keys_lets_others_have_their_turn() {
    let mut setting = setting();
    let (keys, turns) = setting.in_turns("KEYS *", change_keys);
    assert!(turns > 5, "{turns} turns");
    assert_lasting_keys_once(&keys);
}

#[test]
fn a_scan_of_many_keys_lets_others_have_their_turn() {
    let mut setting = setting();
    let (reply, turns) = setting.in_turns("SCAN 0 COUNT 1000000 MATCH *:* TYPE string", change_keys);
    assert!(turns > 5, "{turns} turns");
    let Value::Array(parts) = reply else { panic!("{reply:?}") };
    assert_eq!(parts[0], Value::Bulk(b"0".to_vec()));
    assert_lasting_keys_once(&parts[1]);
}

#[test]
fn scans_of_few_keys_find_all_of_them() {
    let mut setting = setting();
    let (mut cursor, mut keys, mut calls) = (b"0".to_vec(), Vec::new(), 0);
    loop {
        let request = format!("SCAN {} COUNT 25", String::from_utf8(cursor).unwrap());
        let (reply, turns) = setting.in_turns(&request, |_, _, _| {});
        assert_eq!(turns, 1, "few keys are visited at once");
        let Value::Array(parts) = reply else { panic!("{reply:?}") };
        let [Value::Bulk(next), Value::Array(found)] = &parts[..] else { panic!("{parts:?}") };
        cursor = next.clone();
        keys.extend(found.iter().cloned());
        calls += 1;
        change_keys(calls, &mut setting.other, &mut setting.worker);
        if cursor == b"0" {
            break;
        }
    }
    assert!((100..=200).contains(&calls), "{calls} calls");
    assert_lasting_keys_once(&Value::Array(keys));
}

#[test]
fn keys_of_a_database_flushed_meanwhile_end() {
    let mut setting = setting();
    let (keys, turns) = setting.in_turns("KEYS *", |turn, other, worker| {
        if turn == 3 {
            assert_eq!(other.request(worker, &["FLUSHALL"]), Ok(vec![Value::Simple(b"OK".to_vec())]));
        }
    });
    assert_eq!(turns, 4);
    assert!((1..LASTING as usize).contains(&times_found(&keys).len()));
}

#[test]
fn random_key_passes_over_keys_whose_time_has_come() {
    let mut setting = setting();
    for number in 1..LASTING {
        let key = format!("lasting:{number}");
        let expires = setting.other.request(&mut setting.worker, &["PEXPIRE", &key, "1000"]);
        assert_eq!(expires, Ok(vec![Value::Integer(1)]));
    }
    // Nothing removes them but who meets them.
    setting.node.clock.advance(1000);
    let mut most_turns = 0;
    for _ in 0..100 {
        let (key, turns) = setting.in_turns("RANDOMKEY", |_, _, _| {});
        assert_eq!(key, Value::Bulk(b"lasting:0".to_vec()));
        most_turns = most_turns.max(turns);
    }
    assert!(most_turns > 1, "thousands of keys were passed over at once");
    assert_eq!(
        setting.other.request(&mut setting.worker, &["DEL", "lasting:0"]),
        Ok(vec![Value::Integer(1)])
    );
    assert_eq!(setting.in_turns("RANDOMKEY", |_, _, _| {}).0, Value::Null);
}
