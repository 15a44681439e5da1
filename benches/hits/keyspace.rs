//! Larder's keyspace and its eviction, without a server around them.

use std::cell::Cell;

use larder_store::{
    AccessPolicy, Among, Attributes, Change, DbIndex, Due, Effect, Event, Evicted, EvictionRule, Evictor,
    First, Keyspace, Moment, NewValue, SideState, Touch, UnixMillis,
};

use crate::Cache;
use crate::trace::{Request, bytes, value_bytes};

/// When requests begin.
const START: UnixMillis = UnixMillis(1_700_000_000_000);

/// The directive's default.
const SAMPLES: usize = 5;
/// Requests in a millisecond, as a server of one worker may get them: the clock of LRU goes by seconds.
const REQUESTS_PER_MILLI: u32 = 50;

thread_local! {
    /// Bytes of all keys that are there.
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// Counts bytes as keys come and go.
#[derive(Debug, Default)]
struct Counting;

impl SideState for Counting {
    fn changed(&mut self, change: Change<'_>) {
        let number = std::str::from_utf8(change.key).ok().and_then(|key| key.parse().ok());
        let size = u64::from(number.map_or(0, bytes));
        match change.effect {
            Effect::Created => BYTES.set(BYTES.get() + size),
            Effect::Removed => BYTES.set(BYTES.get() - size),
            _ => {}
        }
    }
    fn fields_expired(&mut self, _fields: usize) {}
    fn flushed(&mut self, _db: DbIndex, _keys: usize, _had: &dyn Fn(&[u8]) -> bool) {}
    fn swapped(&mut self, _dbs: (DbIndex, DbIndex), _has: &dyn Fn(DbIndex, &[u8]) -> bool) {}
}

/// A keyspace that evicts by a rule when it takes more than its room.
pub(crate) struct Keyspaced {
    keyspace: Keyspace<Counting>,
    evictor: Evictor,
    rule: EvictionRule,
    moment: Moment,
    room: u64,
    random: fastrand::Rng,
    requests: u32,
}

impl Keyspaced {
    pub(crate) fn lru(room: u64) -> Keyspaced {
        Keyspaced::new(room, First::Idle, AccessPolicy::Lru)
    }

    pub(crate) fn lfu(room: u64) -> Keyspaced {
        Keyspaced::new(room, First::Rare, AccessPolicy::Lfu { log_factor: 10, decay_minutes: 1 })
    }

    pub(crate) fn queued(room: u64) -> Keyspaced {
        Keyspaced::new(room, First::Queued, AccessPolicy::Queued)
    }

    fn new(room: u64, first: First, policy: AccessPolicy) -> Keyspaced {
        BYTES.set(0);
        Keyspaced {
            keyspace: Keyspace::new(1, 5).0,
            evictor: Evictor::default(),
            rule: EvictionRule { among: Among::All, first },
            moment: Moment { now: START, clock: START, policy, due: Due::Removed },
            room,
            random: fastrand::Rng::with_seed(3),
            requests: 0,
        }
    }
}

impl Cache for Keyspaced {
    fn request(&mut self, number: Request) -> bool {
        self.requests += 1;
        if self.requests.is_multiple_of(REQUESTS_PER_MILLI) {
            self.moment.now = self.moment.now.saturating_add(1);
            self.moment.clock = self.moment.now;
        }
        let name = format!("{number:016}");
        let key = self.keyspace.key(name.as_bytes());
        let db = DbIndex(0);
        let mut guard = self.keyspace.lock(key.position.stripe(), self.moment);
        if guard.find(db, key, Touch::Yes).is_some() {
            return true;
        }
        drop(guard);
        while BYTES.get() + u64::from(bytes(number)) > self.room {
            let random = &mut || self.random.u64(..);
            let gone = self.evictor.evict(&self.keyspace, self.rule, SAMPLES, self.moment, random);
            assert_ne!(gone, Evicted::Nothing, "keys may go, and none does");
        }
        let value = vec![b'x'; value_bytes(number) as usize];
        let mut guard = self.keyspace.lock(key.position.stripe(), self.moment);
        guard.put(db, key, &Attributes::default(), NewValue::raw(&value), Event::string("set"));
        false
    }
}
