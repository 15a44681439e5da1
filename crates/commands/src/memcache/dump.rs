//! Dumps: every item named in a line of its own, for `lru_crawler metadump` and `mgdump`, and `stats cachedump`.
//!
//! A dump walks the keyspace as SCAN does, some keys a step, and lets others have their turn whenever the turn is over or the output
//! is full. So it sees each item that stays exactly once, holds nobody up, and takes no more memory than what its client has yet to
//! take.

use larder_store::{Entry, Position, Type};
use memcache_parser::reply::{RemainingTtl, Sink};

use super::connection::Dialogue;
use super::item::Lifetime;
use super::statistics::ONLY_CLASS;
use super::turn::{DB, Turn};

/// Keys visited before it is looked whether the turn is over.
const STEP_KEYS: usize = 64;
/// The longest key that a memcached client can name.
const KEY_BYTES_MAX: usize = 250;
/// Bytes of lines after which `stats cachedump` ends, as in memcached.
const CACHEDUMP_BYTES_MAX: usize = 2 << 20;

/// A dump that has not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dump {
    format: Format,
    next: Position,
    /// Lines that may still come, and their bytes.
    lines_left: u64,
    bytes_left: usize,
}

/// What a line says, and how the lines end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// All about the item; memcached ends these lines without a carriage return.
    Metadump,
    /// The request that reads it.
    Mgdump,
    /// Its length and end.
    Cachedump,
}

impl Format {
    /// Whether a line can name this key: `stats cachedump` writes keys as they are, so that one with a blank or a line end in it, such
    /// as RESP clients may use, would be taken for something else.
    fn can_name(self, key: &[u8]) -> bool {
        let is_plain = |byte: &u8| !byte.is_ascii_whitespace() && !byte.is_ascii_control();
        key.len() <= KEY_BYTES_MAX && (self != Format::Cachedump || key.iter().all(is_plain))
    }
}

impl Dump {
    /// One of all items, or of so many.
    pub(super) fn new(format: Format, lines_max: Option<u64>) -> Dump {
        let bytes_left = if format == Format::Cachedump { CACHEDUMP_BYTES_MAX } else { usize::MAX };
        let lines_left = lines_max.unwrap_or(u64::MAX);
        Dump { format, next: Position::default(), lines_left, bytes_left }
    }

    fn end(self) -> &'static [u8] {
        match self.format {
            Format::Metadump | Format::Cachedump => b"END\r\n",
            Format::Mgdump => b"EN\r\n",
        }
    }

    fn write(self, line: &mut Vec<u8>, entry: &Entry, turn: &Turn<'_>) {
        let attributes = entry.attributes();
        let now_seconds = turn.now().0 / 1000;
        let expires_at = match Lifetime::Until(attributes.expires_at).remaining(turn.now()) {
            RemainingTtl::Unlimited => None,
            RemainingTtl::Seconds(seconds) => i64::try_from(seconds).ok().map(|left| now_seconds + left),
        };
        match self.format {
            Format::Metadump => {
                let idle_seconds = turn.moment.policy.idle_seconds(entry.access(), turn.now());
                line.extend_from_slice(b"key=");
                uri_encode(entry.key(), line);
                let facts = format!(
                    " exp={} la={} cas={} fetch={} cls={ONLY_CLASS} size={} flags={} \n",
                    expires_at.unwrap_or(-1),
                    now_seconds - i64::from(idle_seconds),
                    attributes.cas.unwrap_or_default(),
                    if entry.is_fetched() { "yes" } else { "no" },
                    entry.memory_bytes(),
                    attributes.client_flags,
                );
                line.extend_from_slice(facts.as_bytes());
            }
            Format::Mgdump => {
                line.extend_from_slice(b"mg ");
                if entry.key().iter().all(u8::is_ascii_graphic) {
                    line.extend_from_slice(entry.key());
                    line.extend_from_slice(b"\r\n");
                } else {
                    memcache_parser::encode_key(entry.key(), line);
                    line.extend_from_slice(b" b\r\n");
                }
            }
            Format::Cachedump => {
                line.extend_from_slice(b"ITEM ");
                line.extend_from_slice(entry.key());
                let facts = format!(" [{} b; {} s]\r\n", entry.value_len(), expires_at.unwrap_or_default());
                line.extend_from_slice(facts.as_bytes());
            }
        }
    }
}

impl Dialogue {
    /// Goes on with a dump, if there is one; says whether there was.
    pub(super) fn go_on_dumping(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some(dump) = self.dump else { return false };
        self.dump = turn.dump_some(dump);
        true
    }
}

impl Turn<'_> {
    /// Dumps some items; returns what is left to be dumped.
    fn dump_some(&mut self, mut dump: Dump) -> Option<Dump> {
        let mut lines = Vec::new();
        let mut visited = 0;
        let next = self.node.keyspace.scan(DB, dump.next, STEP_KEYS, self.moment, |entry| {
            visited += 1;
            if dump.lines_left == 0
                || lines.len() >= dump.bytes_left
                || entry.value_type() != Type::String
                || !dump.format.can_name(entry.key())
            {
                return;
            }
            dump.lines_left -= 1;
            dump.write(&mut lines, entry, self);
        });
        self.executed += visited;
        self.output.put(&lines);
        dump.bytes_left = dump.bytes_left.saturating_sub(lines.len());
        match next {
            Some(next) if dump.lines_left > 0 && dump.bytes_left > 0 => Some(Dump { next, ..dump }),
            _ => {
                self.output.put(dump.end());
                None
            }
        }
    }
}

/// Writes bytes as they stand in an address of the web: all but letters, digits and `-._~` by their numbers.
pub(super) fn uri_encode(bytes: &[u8], to: &mut Vec<u8>) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(byte);
        } else {
            to.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_what_it_has_a_way_to_write() {
        for (key, raw) in
            [(&b"k:\xc3\xa9"[..], true), (b"a b", false), (b"a\r\nEND", false), (b"\x7f\0", false)]
        {
            assert_eq!(Format::Cachedump.can_name(key), raw, "{}", key.escape_ascii());
            assert!(Format::Metadump.can_name(key) && Format::Mgdump.can_name(key));
        }
        assert!(!Format::Mgdump.can_name(&[b'k'; 251]));
    }

    #[test]
    fn what_is_not_plain_is_written_by_its_number() {
        let mut encoded = Vec::new();
        uri_encode(b"aZ9-._~/% \0\xff", &mut encoded);
        assert_eq!(encoded, b"aZ9-._~%2F%25%20%00%FF");
    }
}
