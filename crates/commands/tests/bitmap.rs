//! Commands on large bitmaps take several turns of their connection. What others do between these turns must not show.

use larder_config::Settings;
use larder_engine::{Served, Worker};
use larder_resp::Protocol;
use larder_testkit::{Client, Node, Value};

/// Bytes of a bitmap that takes several turns to count.
const LEN: usize = 5 << 20;
const LAST_BIT: usize = LEN * 8 - 1;
/// More turns than any of these commands takes.
const TURNS_MAX: usize = 100;

/// One worker and two clients: one whose command takes long, and one that comes in between.
struct Stage {
    worker: Worker,
    slow: Client,
    other: Client,
}

impl Stage {
    /// With a bitmap of [`LEN`] bytes in each of `keys`, of which the last bit is set.
    fn new(keys: &[&str]) -> Stage {
        let node = Node::new(Settings::default(), 1, 1);
        let (slow, other) = (node.connect(Protocol::Resp3), node.connect(Protocol::Resp3));
        let mut stage = Stage { worker: node.worker(0), slow, other };
        for key in keys {
            assert_eq!(stage.integer(&format!("SETBIT {key} {LAST_BIT} 1")), 0);
        }
        stage
    }

    fn integer(&mut self, request: &str) -> i64 {
        let words: Vec<&str> = request.split(' ').collect();
        let reply = self.other.request(&mut self.worker, &words).expect("a reply").remove(0);
        let Value::Integer(number) = reply else { panic!("{request}: {reply:?}") };
        number
    }

    /// Sends a request and calls `between` after each of its turns but the last; the reply, and how many turns it took.
    fn slowly(&mut self, request: &str, mut between: impl FnMut(&mut Stage, usize)) -> (String, usize) {
        let mut replies = Vec::new();
        let mut bytes = format!("{request}\r\n").into_bytes();
        for turn in 1..TURNS_MAX {
            let served = self.slow.turn(&mut self.worker, &bytes, &mut replies);
            bytes.clear();
            match served {
                Served::Again => {
                    assert_eq!(replies, b"", "no reply before the end");
                    between(self, turn);
                }
                _ => return (String::from_utf8(replies).expect("a number").trim_end().to_owned(), turn),
            }
        }
        panic!("{request} does not come to an end");
    }
}

#[test]
fn bitcount_is_true_of_the_moment_of_its_reading() {
    let mut stage = Stage::new(&["a"]);
    let (reply, turns) = stage.slowly("BITCOUNT a", |stage, turn| {
        stage.integer(&format!("SETBIT a {} 1", LAST_BIT - turn));
    });
    assert_eq!(reply, ":1");
    assert!(turns > 2, "{turns} turns");
    assert_eq!(stage.integer("BITCOUNT a"), turns as i64);
}

#[test]
fn bitpos_goes_on_though_the_key_is_deleted() {
    let mut stage = Stage::new(&["a"]);
    let (reply, _) = stage.slowly("BITPOS a 1", |stage, _| {
        stage.integer("DEL a");
    });
    assert_eq!(reply, format!(":{LAST_BIT}"));
    assert_eq!(stage.integer("EXISTS a"), 0);
}

#[test]
fn bitop_stores_what_it_made_when_nobody_interferes() {
    let mut stage = Stage::new(&["a", "b"]);
    stage.integer("SETBIT a 0 1");
    let (reply, turns) = stage.slowly("BITOP XOR d a b", |stage, _| {
        assert_eq!(stage.integer("EXISTS d"), 0, "nothing is stored before the end");
    });
    assert_eq!(reply, format!(":{LEN}"));
    assert!(turns > 2, "{turns} turns");
    assert_eq!((stage.integer("BITCOUNT d"), stage.integer("GETBIT d 0")), (1, 1));
}

#[test]
fn bitop_sees_a_source_that_changed_meanwhile() {
    let mut stage = Stage::new(&["a", "b"]);
    let (_, undisturbed) = stage.slowly("BITOP OR d a b", |_, _| {});
    let (reply, turns) = stage.slowly("BITOP OR d a b", |stage, turn| {
        if turn == 3 {
            stage.integer("SETBIT b 7 1");
        }
    });
    assert_eq!(reply, format!(":{LEN}"));
    assert!(turns > undisturbed, "{turns} turns, {undisturbed} when undisturbed");
    assert_eq!((stage.integer("BITCOUNT d"), stage.integer("GETBIT d 7")), (2, 1));
}

#[test]
fn bitop_sees_a_source_that_came_or_went_meanwhile() {
    let mut stage = Stage::new(&["a", "b"]);
    let (reply, _) = stage.slowly("BITOP XOR d a b c", |stage, turn| match turn {
        2 => drop(stage.integer("SETBIT c 3 1")),
        3 => drop(stage.integer("DEL b")),
        _ => {}
    });
    assert_eq!(reply, format!(":{LEN}"));
    assert_eq!((stage.integer("BITCOUNT d"), stage.integer("GETBIT d 3")), (2, 1));
    let (reply, _) = stage.slowly("BITOP XOR d a b c", |stage, turn| {
        if turn == 1 {
            stage.integer("DEL a c");
        }
    });
    assert_eq!(reply, ":0");
    assert_eq!(stage.integer("EXISTS d"), 0);
}

#[test]
fn bitop_comes_to_an_end_though_its_sources_never_rest() {
    let mut stage = Stage::new(&["a", "b"]);
    let mut set = 0;
    let (reply, _) = stage.slowly("BITOP OR d a b", |stage, turn| {
        stage.integer(&format!("SETBIT a {turn} 1"));
        set = turn as i64;
    });
    assert_eq!(reply, format!(":{LEN}"));
    assert_eq!(stage.integer("BITCOUNT d"), set + 1, "all that was set before the end");
}
