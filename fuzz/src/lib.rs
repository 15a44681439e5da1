//! What several fuzz targets need: an input taken apart, a node to send it to, and what must hold of a node whatever it was sent.

use std::collections::BTreeSet;

use larder_config::{DIRECTIVES, Rewrite, Settings};
use larder_engine::Worker;
use larder_persist::Limits;
use larder_resp::Protocol;
use larder_store::PackedLimits;
use larder_store::list::ListLimit;
use larder_store::set::SetLimits;
use larder_store::stream::ChunkLimits;
use larder_testkit::{Client, Node, Value};

/// Most bytes of a value. Small, so that what costs the product of two lengths stays fast; but values become blocks of their own.
pub const VALUE_BYTES_MAX: u64 = 8 * 1024;

const PACKED: PackedLimits = PackedLimits { entries: 8, value_bytes: 32 };
/// Up to where collections that are read are packed: so low that few bytes make a large one.
pub const LIMITS: Limits = Limits {
    hash: PACKED,
    list: ListLimit::Elements(8),
    set: SetLimits { intset_entries: 8, packed: PACKED },
    sorted_set: PACKED,
    stream: ChunkLimits { bytes: 256, entries: 8 },
};

/// Databases of a node. Creating more of them costs more than what is tried in them.
const DATABASES: u32 = 3;

/// An input whose first byte says how many bytes that follow are lengths of reads; the rest is the stream.
pub struct Reads<'a> {
    lens: &'a [u8],
    /// What the client sends.
    pub stream: &'a [u8],
}

impl<'a> Reads<'a> {
    /// Takes the input apart, of which the first byte has been read already.
    pub fn new(cuts: u8, data: &'a [u8]) -> Reads<'a> {
        let (lens, stream) = data.split_at(usize::from(cuts).min(data.len()));
        Reads { lens, stream }
    }

    /// The stream as it arrives; what remains when there are no more lengths arrives at once.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> {
        let (mut rest, mut lens) = (self.stream, self.lens.iter());
        std::iter::from_fn(move || {
            let len = lens.next().map_or(usize::MAX, |len| usize::from(*len).max(1));
            let (piece, after) = rest.split_at(len.min(rest.len()));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

/// A node in process with one worker.
pub struct Host {
    pub node: Node,
    pub worker: Worker,
}

impl Default for Host {
    fn default() -> Host {
        let settings =
            Settings { proto_max_bulk_len: VALUE_BYTES_MAX, databases: DATABASES, ..Settings::default() };
        let node = Node::new(settings, 1, 1);
        let worker = node.worker(0);
        Host { node, worker }
    }
}

impl Host {
    /// The keys counted are those walked, in each database; and after FLUSHALL there are none.
    pub fn check_keys(&mut self) {
        let dropped: Result<(), String> = self
            .node
            .engine
            .change_settings(|settings| Ok(Settings { requirepass: String::new(), ..settings.clone() }));
        dropped.expect("the clock in the host's place permits everything");
        self.node.advance(&mut [&mut self.worker], 0);
        let mut client = self.node.connect(Protocol::Resp2);
        for db in 0..DATABASES {
            self.ask(&mut client, &["SELECT", &db.to_string()]);
            let walked = self.walk(&mut client);
            assert_eq!(self.ask(&mut client, &["DBSIZE"]), Value::Integer(walked as i64), "database {db}");
        }
        self.ask(&mut client, &["FLUSHALL"]);
        for db in 0..DATABASES {
            self.ask(&mut client, &["SELECT", &db.to_string()]);
            assert_eq!(self.ask(&mut client, &["DBSIZE"]), Value::Integer(0));
            assert_eq!(self.walk(&mut client), 0);
        }
    }

    /// How many keys SCAN returns, each of them once.
    fn walk(&mut self, client: &mut Client) -> usize {
        let (mut cursor, mut keys) = (b"0".to_vec(), BTreeSet::new());
        loop {
            let Value::Array(reply) = self.ask(client, &[&b"SCAN"[..], &cursor]) else {
                panic!("no reply of SCAN")
            };
            let [Value::Bulk(next), Value::Array(found)] = &reply[..] else { panic!("{reply:?}") };
            for key in found {
                assert!(keys.insert(key.clone()), "{key:?} twice");
            }
            if next == b"0" {
                return keys.len();
            }
            cursor.clone_from(next);
        }
    }

    fn ask<W: AsRef<[u8]>>(&mut self, client: &mut Client, words: &[W]) -> Value {
        let mut replies = client.request(&mut self.worker, words).expect("replies can be read");
        assert_eq!(replies.len(), 1);
        let reply = replies.remove(0);
        assert!(!matches!(reply, Value::Error(_)), "{reply:?}");
        reply
    }
}

/// Whether a stream has none of these words, in any case of letters: it says nothing of how its requests arrived.
pub fn has_none_of(stream: &[u8], words: &[&str]) -> bool {
    let lower = stream.to_ascii_lowercase();
    words.iter().all(|word| !lower.windows(word.len()).any(|part| part == word.as_bytes()))
}

/// What is printed of settings and can be read is read as the same.
pub fn check_settings(settings: &Settings) {
    for directive in DIRECTIVES {
        let value = settings.value(directive);
        if value == directive.default {
            continue;
        }
        // Not onto the same settings: a line `save` adds to those before it.
        let mut again = Settings::default();
        if again.apply(directive, &[value.as_str()]).is_ok() {
            assert_eq!(again.value(directive), value, "{}", directive.name);
        }
    }
}

/// A file that is rewritten says what is in force, and has nothing to be rewritten any more.
pub fn check_rewriting(text: &str, settings: &Settings) {
    let rewrite = |text: &[u8]| settings.rewrite(text, Rewrite::Needed, &Settings::default());
    let rewritten = rewrite(text.as_bytes());
    assert_eq!(rewrite(&rewritten), rewritten);
    // What is included may say something else after it.
    if has_none_of(text.as_bytes(), &["include"]) {
        let rewritten = String::from_utf8(rewritten).expect("a text stays one");
        let mut no_file = |_: &str| Err("nothing is included".to_owned());
        let again = Settings::load(&rewritten, "rewritten.conf", &mut no_file).expect("it was read before");
        for directive in DIRECTIVES {
            assert_eq!(again.value(directive), settings.value(directive), "{}", directive.name);
        }
    }
}
