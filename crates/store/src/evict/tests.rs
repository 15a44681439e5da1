use super::*;
use crate::{AccessPolicy, Attributes, Change, Due, Event, EventClass, NewValue, Touch, UnixMillis};

const START: UnixMillis = UnixMillis(1_700_000_000_000);

/// Counts what goes by eviction.
#[derive(Debug, Default)]
struct Counted(usize);

impl SideState for Counted {
    fn changed(&mut self, change: Change<'_>) {
        self.0 += usize::from(change.event.class == EventClass::Evicted && change.effect == Effect::Removed);
    }
    fn fields_expired(&mut self, _fields: usize) {}
    fn flushed(&mut self, _db: DbIndex, _keys: usize, _had: &dyn Fn(&[u8]) -> bool) {}
    fn swapped(&mut self, _dbs: (DbIndex, DbIndex), _has: &dyn Fn(DbIndex, &[u8]) -> bool) {}
}

/// A cache under a rule: what a server does around the keyspace.
struct Cache {
    keyspace: Keyspace<Counted>,
    evictor: Evictor,
    rule: EvictionRule,
    moment: Moment,
    random: u64,
}

impl Cache {
    fn new(among: Among, first: First, policy: AccessPolicy) -> Cache {
        let moment = Moment { now: START, clock: START, policy, due: Due::Removed };
        let rule = EvictionRule { among, first };
        let keyspace = Keyspace::new(16, 7).0;
        Cache { keyspace, evictor: Evictor::default(), rule, moment, random: 9 }
    }

    fn put(&mut self, db: u32, key: &str, expires_at: Option<UnixMillis>) {
        let key = self.keyspace.key(key.as_bytes());
        let mut guard = self.keyspace.lock(key.position.stripe(), self.moment);
        let attributes = Attributes::expiring(expires_at);
        guard.put(DbIndex(db), key, &attributes, NewValue::of(b"some value"), Event::string("set"));
    }

    fn has(&self, key: &str) -> bool {
        let key = self.keyspace.key(key.as_bytes());
        self.keyspace.lock(key.position.stripe(), self.moment).contains(DbIndex(0), key)
    }

    /// Whether a key is there, which counts as a use.
    fn get(&self, key: &str) -> bool {
        let key = self.keyspace.key(key.as_bytes());
        let mut guard = self.keyspace.lock(key.position.stripe(), self.moment);
        guard.find(DbIndex(0), key, Touch::Yes).is_some()
    }

    fn evict(&mut self) -> Evicted {
        let random = &mut self.random;
        let mut next = || {
            *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *random ^ *random >> 29
        };
        self.evictor.evict(&self.keyspace, self.rule, 5, self.moment, &mut next)
    }

    fn evict_many(&mut self, keys: usize) {
        let mut gone = 0;
        while gone < keys {
            match self.evict() {
                Evicted::One { .. } => gone += 1,
                Evicted::NotNow => {}
                Evicted::Nothing => panic!("{gone} keys are gone, and no more can go"),
            }
        }
    }

    fn tell(&self) -> usize {
        (0..STRIPES).map(|stripe| self.keyspace.lock(stripe, self.moment).side().0).sum()
    }
}

const LFU: AccessPolicy = AccessPolicy::Lfu { log_factor: 0, decay_minutes: 0 };

#[test]
fn keys_that_were_not_used_for_longest_go_first() {
    let mut cache = Cache::new(Among::All, First::Idle, AccessPolicy::Lru);
    (0..4000).for_each(|number| cache.put(0, &format!("old{number}"), None));
    cache.moment.now = START.saturating_add(60_000);
    cache.moment.clock = cache.moment.now;
    (0..4000).for_each(|number| cache.put(0, &format!("new{number}"), None));
    cache.evict_many(3000);
    let old = (0..4000).filter(|number| !cache.has(&format!("old{number}"))).count();
    assert!(old > 2700, "only {old} of 3000 evicted keys were old");
    assert_eq!((cache.tell(), cache.keyspace.len(DbIndex(0))), (3000, 5000));
}

#[test]
fn keys_that_are_seldom_used_go_first() {
    let mut cache = Cache::new(Among::All, First::Rare, LFU);
    (0..4000).for_each(|number| cache.put(0, &format!("k{number}"), None));
    for _ in 0..5 {
        assert!((0..2000).all(|number| cache.get(&format!("k{number}"))));
    }
    cache.evict_many(1000);
    let kept = (0..2000).filter(|number| cache.has(&format!("k{number}"))).count();
    assert!(kept > 1850, "{kept} of 2000 keys in use are left");
}

#[test]
fn what_has_been_used_since_it_was_looked_at_stays() {
    let mut cache = Cache::new(Among::All, First::Idle, AccessPolicy::Lru);
    cache.put(0, "used", None);
    cache.put(0, "idle", None);
    let candidate = |key: &str| Candidate {
        db: DbIndex(0),
        position: cache.keyspace.key(key.as_bytes()).position,
        rank: 60,
    };
    let pool = vec![candidate("idle"), candidate("used")];
    cache.moment.now = START.saturating_add(60_000);
    cache.moment.clock = cache.moment.now;
    assert!(cache.get("used"));
    let mut evictor = Evictor { pool: Pool(pool), rule: Some(cache.rule), ..Evictor::default() };
    assert!(evictor.evict_worst(&cache.keyspace, cache.rule, cache.moment).is_some());
    assert!(cache.has("used") && !cache.has("idle"));
    assert_eq!(evictor.evict_worst(&cache.keyspace, cache.rule, cache.moment), None);
}

#[test]
fn only_keys_that_expire_go_where_the_policy_says_so() {
    for first in [First::Idle, First::Random, First::Soonest] {
        let mut cache = Cache::new(Among::Expiring, first, AccessPolicy::Lru);
        (0..5000).for_each(|number| cache.put(0, &format!("stays{number}"), None));
        assert_eq!(cache.evict(), Evicted::Nothing);
        (0..50).for_each(|number| cache.put(3, &format!("goes{number}"), Some(START.saturating_add(9999))));
        cache.evict_many(50);
        assert_eq!(cache.keyspace.len(DbIndex(0)), 5000);
        assert_eq!(cache.keyspace.len(DbIndex(3)), 0);
        assert!(!matches!(cache.evict(), Evicted::One { .. }));
    }
}

#[test]
fn keys_that_expire_soonest_go_first() {
    let mut cache = Cache::new(Among::Expiring, First::Soonest, AccessPolicy::Lru);
    for number in 0..20_000 {
        let at = START.saturating_add(10_000 + 1000 * (number * 7919 % 20_000));
        cache.put(0, &format!("k{number}"), Some(at));
    }
    cache.evict_many(10_000);
    let early = (0..20_000).filter(|n| n * 7919 % 20_000 < 10_000 && !cache.has(&format!("k{n}"))).count();
    assert!(early > 8000, "{early} of 10000 evicted keys were among the first to expire");
}

/// A cache of so many keys of which some are used all the time while a scan passes; how many of those are left.
fn left_after_a_scan(among: Among, first: First, policy: AccessPolicy) -> usize {
    const KEYS: usize = 4000;
    let mut cache = Cache::new(among, first, policy);
    let expires_at = Some(START.saturating_add(9_999_999));
    for number in 0..40_000 {
        cache.moment.now = cache.moment.now.saturating_add(10);
        cache.moment.clock = cache.moment.now;
        let hot = format!("hot{}", number * 7919 % 1000);
        if !cache.get(&hot) {
            cache.put(0, &hot, expires_at);
        }
        (0..8).for_each(|part| cache.put(0, &format!("scan{number}:{part}"), expires_at));
        let excess = cache.keyspace.len(DbIndex(0)).saturating_sub(KEYS);
        cache.evict_many(excess);
    }
    (0..1000).filter(|number| cache.has(&format!("hot{number}"))).count()
}

#[test]
fn keys_in_use_outlast_a_scan_where_there_are_queues() {
    for among in [Among::All, Among::Expiring] {
        let queued = left_after_a_scan(among, First::Queued, AccessPolicy::Queued);
        assert!(queued > 950, "{queued} of 1000 keys in use are left");
    }
    let idle = left_after_a_scan(Among::All, First::Idle, AccessPolicy::Lru);
    assert!(idle < 700, "{idle} are left without them: the scan is none");
}
