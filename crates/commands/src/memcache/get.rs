//! `get`, `gets`, `gat`, `gats` and `touch`.

use larder_store::Position;
use memcache_parser::reply::{self, Status};
use memcache_parser::{CasField, Get, Touch};
use smallvec::SmallVec;

use super::item::{Contended, Lifetime};
use super::turn::{DB, Paused, Turn};

/// Keys of one request that are looked up together.
const KEYS_MAX: usize = 16;

/// What to do with each key of a request.
#[derive(Clone, Copy)]
struct Wanted {
    cas: CasField,
    lifetime: Option<Lifetime>,
}

/// A key of a request for several.
struct KeyAt<'k> {
    bytes: &'k [u8],
    position: Position,
    /// Bytes of the line from this key on.
    left: usize,
}

impl Turn<'_> {
    /// Answers with the items found. Not one moment for all keys: as in memcached, each is looked at by itself.
    #[inline]
    pub(super) fn get(&mut self, get: &Get<'_>, first: Position) -> Result<(), Paused> {
        let lifetime = get.touch.map(|exptime| Lifetime::of(exptime, self.now()));
        let wanted = Wanted { cas: get.cas, lifetime };
        let mut keys = get.keys;
        match keys.next() {
            Some(key) if keys.is_empty() => self.answer_key(key, first, wanted)?,
            _ => self.answer_keys(get, wanted)?,
        }
        reply::end(&mut self.output);
        Ok(())
    }

    /// Answers several keys, a batch of them at a time.
    fn answer_keys(&mut self, get: &Get<'_>, wanted: Wanted) -> Result<(), Paused> {
        let keyspace = &self.node.keyspace;
        let mut rest = get.keys;
        while !rest.is_empty() {
            if self.is_over() {
                return Err(Paused::WithinKeys { left: rest.as_bytes().len() });
            }
            let mut keys: SmallVec<[KeyAt<'_>; KEYS_MAX]> = SmallVec::new();
            while keys.len() < KEYS_MAX {
                let left = rest.as_bytes().len();
                let Some(bytes) = rest.next() else { break };
                let position = keyspace.positioner().position(bytes);
                keyspace.prefetch_stripe(position);
                keys.push(KeyAt { bytes, position, left });
            }
            keyspace.prefetch(keys.iter().map(|key| (DB, key.position)));
            for key in &keys {
                self.answer_key(key.bytes, key.position, wanted)
                    .map_err(|Contended| Paused::WithinKeys { left: key.left })?;
                self.executed += 1;
            }
        }
        Ok(())
    }

    /// Answers with the item of a key, if there is one.
    #[inline]
    fn answer_key(&mut self, key: &[u8], position: Position, wanted: Wanted) -> Result<(), Contended> {
        let stats = self.stats();
        let mut item = self.item(key, position)?;
        let cas = match wanted.cas {
            CasField::Include => item.cas(),
            CasField::Omit => None,
        };
        let found = item.read();
        match (wanted.lifetime.is_some(), found.is_some()) {
            (false, true) => stats.get_hits.add(1),
            (false, false) => stats.get_misses.add(1),
            (true, true) => stats.touch_hits.add(1),
            (true, false) => stats.touch_misses.add(1),
        }
        self.note_get(key, found.is_some().into());
        let Some(entry) = found else {
            drop(item);
            self.nodes_as_item(key);
            return Ok(());
        };
        let client_flags = if entry.is_item() { entry.attributes().client_flags } else { 0 };
        reply::value_line(&mut self.output, key, client_flags, entry.value_len(), cas);
        self.output.value(&entry);
        if let Some(lifetime) = wanted.lifetime {
            item.set_lifetime(lifetime);
        }
        Ok(())
    }

    /// Counts a key that was asked for by its beginning, if somebody has asked for that.
    #[inline]
    pub(super) fn note_get(&self, key: &[u8], hits: u64) {
        self.note(key, |counts| {
            counts.gets += 1;
            counts.hits += hits;
        });
    }

    /// Gives an item another lifetime.
    pub(super) fn touch(&mut self, touch: &Touch<'_>, position: Position) -> Result<(), Contended> {
        let stats = self.stats();
        let mut item = self.item(touch.key, position)?;
        let status = if item.read().is_some() {
            item.set_lifetime(Lifetime::of(touch.exptime, self.now()));
            stats.touch_hits.add(1);
            Status::Touched
        } else {
            stats.touch_misses.add(1);
            Status::NotFound
        };
        self.status(status, touch.reply);
        Ok(())
    }
}
