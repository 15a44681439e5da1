use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::access::AccessPolicy;
use crate::change::{Change, Effect, Event};
use crate::entry::{Attributes, Block, NewValue, Type, Value};
use crate::hash::{self, HashMut};
use crate::large::PackedLimits;
use crate::stripe::{Missing, Touch};

const MOMENT: Moment = Moment {
    now: UnixMillis(1_700_000_000_000),
    clock: UnixMillis(1_700_000_000_000),
    policy: AccessPolicy::Lru,
    due: crate::Due::Removed,
};
const SET: Event = Event::string("set");
const ZERO: DbIndex = DbIndex(0);
const ONE: DbIndex = DbIndex(1);

/// Writes down what the stripe is told.
#[derive(Debug, Default)]
struct Told(Vec<(u32, Vec<u8>, Effect, &'static str)>);

impl SideState for Told {
    fn changed(&mut self, change: Change<'_>) {
        self.0.push((change.db.0, change.key.to_vec(), change.effect, change.event.name));
    }

    fn fields_expired(&mut self, _fields: usize) {}

    fn flushed(&mut self, db: DbIndex, keys: usize, had: &dyn Fn(&[u8]) -> bool) {
        assert!(!had(b"never put"), "a key that was not there is not among those flushed");
        self.0.push((db.0, keys.to_string().into_bytes(), Effect::Removed, "flush"));
    }

    fn swapped(&mut self, dbs: (DbIndex, DbIndex), has: &dyn Fn(DbIndex, &[u8]) -> bool) {
        assert!(!has(dbs.0, b"never put") && !has(dbs.1, b"never put"));
    }
}

fn keyspace() -> Keyspace<Told> {
    Keyspace::new(3, 0x5EED).0
}

fn put(keyspace: &Keyspace<Told>, db: DbIndex, key: &[u8], expires_at: Option<UnixMillis>) {
    let key = keyspace.key(key);
    let attributes = Attributes::expiring(expires_at);
    keyspace.lock(key.position.stripe(), MOMENT).put(db, key, &attributes, NewValue::Int(1), SET);
}

fn delete(keyspace: &Keyspace<Told>, db: DbIndex, key: &[u8]) -> bool {
    let key = keyspace.key(key);
    keyspace.lock(key.position.stripe(), MOMENT).delete(db, key, Event::DELETED)
}

fn contains(keyspace: &Keyspace<Told>, db: DbIndex, key: &[u8]) -> bool {
    let key = keyspace.key(key);
    keyspace.lock(key.position.stripe(), MOMENT).contains(db, key)
}

/// How often a walk over a database came to each key; `between` is called after each call, with the number of calls so far.
fn walk(
    keyspace: &Keyspace<Told>,
    db: DbIndex,
    count: usize,
    mut between: impl FnMut(usize),
) -> BTreeMap<Vec<u8>, usize> {
    let (mut seen, mut calls) = (BTreeMap::new(), 0);
    let mut cursor = Some(Position::default());
    while let Some(from) = cursor {
        cursor = keyspace.scan(db, from, count, MOMENT, |entry| {
            *seen.entry(entry.key().to_vec()).or_default() += 1;
        });
        assert!(cursor.is_none_or(|next| next > from), "a walk moves on");
        calls += 1;
        between(calls);
    }
    seen
}

fn key(number: u32) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Keys that are there all the while are met exactly once, whatever is added and deleted during the walk; no key is met
    /// that was never there, and none twice unless it was deleted and added again.
    #[test]
    fn a_walk_meets_each_lasting_key_once(
        lasting in 0_u32..3000,
        count in 1_usize..600,
        batches in prop::collection::vec((any::<bool>(), 10_000_u32..14_000, 0_u32..900), 0..12),
    ) {
        let keyspace = keyspace();
        (0..lasting).for_each(|number| put(&keyspace, ZERO, &key(number), None));
        let mut changes = batches.iter();
        let mut added = BTreeSet::new();
        let seen = walk(&keyspace, ZERO, count, |_| {
            if let Some((adds, first, many)) = changes.next() {
                for number in *first..first + many {
                    if *adds {
                        put(&keyspace, ZERO, &key(number), None);
                        added.insert(key(number));
                    } else {
                        delete(&keyspace, ZERO, &key(number));
                    }
                }
            }
        });
        for number in 0..lasting {
            prop_assert_eq!(seen.get(&key(number)), Some(&1), "key {}", number);
        }
        let others = seen.keys().filter(|seen| !added.contains(*seen)).count();
        prop_assert_eq!(others, lasting as usize);
    }

    /// Counts, walks and lookups agree with a map of what was put and deleted in each database.
    #[test]
    fn databases_are_as_a_map_says(
        steps in prop::collection::vec((0_u32..3, 0_u32..40, 0_u8..12), 1..80),
    ) {
        let keyspace = keyspace();
        let mut model: HashMap<u32, BTreeSet<Vec<u8>>> = HashMap::new();
        for (db, number, step) in steps {
            let (index, key) = (DbIndex(db), key(number));
            let other = (db + 1) % 3;
            match step {
                0 => {
                    keyspace.flush(Some(index), MOMENT);
                    model.remove(&db);
                }
                1 => {
                    keyspace.swap(index, DbIndex(other), MOMENT);
                    let (old, old_other) = (model.remove(&db), model.remove(&other));
                    model.extend(old.map(|keys| (other, keys)));
                    model.extend(old_other.map(|keys| (db, keys)));
                }
                2 => keyspace.swap(index, index, MOMENT),
                3 if number == 0 => {
                    keyspace.flush(None, MOMENT);
                    model.clear();
                }
                3..7 => prop_assert_eq!(
                    delete(&keyspace, index, &key),
                    model.entry(db).or_default().remove(&key)
                ),
                _ => {
                    put(&keyspace, index, &key, None);
                    model.entry(db).or_default().insert(key);
                }
            }
            for db in 0..3 {
                let expected = model.get(&db).cloned().unwrap_or_default();
                prop_assert_eq!(keyspace.len(DbIndex(db)), expected.len());
                let seen = walk(&keyspace, DbIndex(db), 7, |_| {});
                prop_assert_eq!(seen.into_keys().collect::<BTreeSet<_>>(), expected);
            }
        }
    }
}

#[test]
fn a_walk_leaves_out_keys_whose_time_has_come() {
    let keyspace = keyspace();
    put(&keyspace, ZERO, b"stays", Some(MOMENT.now.saturating_add(1)));
    put(&keyspace, ZERO, b"went", Some(MOMENT.now));
    assert_eq!(walk(&keyspace, ZERO, 10, |_| {}).into_keys().collect::<Vec<_>>(), [b"stays"]);
}

#[test]
fn a_walk_over_few_keys_is_short() {
    let keyspace = keyspace();
    (0..20).for_each(|number| put(&keyspace, ZERO, &key(number), None));
    let mut calls = 0;
    assert_eq!(walk(&keyspace, ZERO, 10, |_| calls += 1).len(), 20);
    assert!(calls <= 2, "each call visits as many keys as it was asked for");
    assert_eq!(keyspace.scan(ONE, Position::default(), 10, MOMENT, |_| {}), None);
}

#[test]
fn every_key_is_drawn_about_as_often() {
    const KEYS: u32 = 200;
    const DRAWS: u32 = 400;
    let keyspace = keyspace();
    // Half of them share a stripe, as the keys of one hash slot would.
    let crowded = (0..).filter(|number| keyspace.key(&key(*number)).position.stripe() == 5);
    let others = (0..).filter(|number| keyspace.key(&key(*number)).position.stripe() != 5);
    let keys: Vec<u32> = crowded.take(KEYS as usize / 2).chain(others.take(KEYS as usize / 2)).collect();
    keys.iter().for_each(|number| put(&keyspace, ZERO, &key(*number), None));
    let mut drawn: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut random = 0_u64;
    for _ in 0..KEYS * DRAWS {
        random = random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        match keyspace.random_key(ZERO, MOMENT, random) {
            RandomKey::Found(key) => *drawn.entry(key).or_default() += 1,
            other => panic!("{other:?} of a database with keys"),
        }
    }
    assert_eq!(drawn.len(), keys.len());
    for (key, times) in drawn {
        let key = String::from_utf8_lossy(&key).into_owned();
        assert!((DRAWS / 3..DRAWS * 3).contains(&times), "{key} was drawn {times} times of {DRAWS}");
    }
}

#[test]
fn a_key_whose_time_has_come_is_never_drawn() {
    let keyspace = keyspace();
    assert_eq!(keyspace.random_key(ZERO, MOMENT, 7), RandomKey::Empty);
    put(&keyspace, ZERO, b"went", Some(MOMENT.now));
    assert_eq!(keyspace.random_key(ZERO, MOMENT, 7), RandomKey::Gone);
    assert_eq!(keyspace.random_key(ZERO, MOMENT, 7), RandomKey::Empty);
    assert_eq!(keyspace.len(ZERO), 0);
}

#[test]
fn a_placed_entry_keeps_all_but_its_cas() {
    let keyspace = keyspace();
    let (from, to) = (keyspace.key(b"from"), keyspace.key(b"to"));
    put(&keyspace, ONE, to.bytes, None);
    let expires_at = Some(MOMENT.now.saturating_add(1000));
    let cas = Some(keyspace.next_cas());
    let attributes = Attributes { expires_at, client_flags: 7, cas, ..Attributes::default() };
    let mut source = keyspace.lock(from.position.stripe(), MOMENT);
    source.put(ZERO, from, &attributes, NewValue::of(b"value"), SET);
    let taken = source.take(ZERO, from, Event::generic("rename_from")).expect("just put");
    drop(source);
    let access = taken.access();

    let mut target = keyspace.lock(to.position.stripe(), MOMENT);
    target.side().0.clear();
    target.place(ONE, to, taken, Event::generic("rename_to"));
    assert_eq!(target.side().0, [(1, b"to".to_vec(), Effect::Modified, "rename_to")]);
    assert_eq!(target.expiring(ONE), 1);
    let placed = target.find(ONE, to, Touch::No).expect("just placed");
    assert_eq!((placed.key(), placed.value_len(), placed.access()), (&b"to"[..], 5, access));
    let now = placed.attributes();
    assert_eq!((now.expires_at, now.client_flags), (attributes.expires_at, 7));
    assert!(now.cas > attributes.cas, "a CAS unique names one value of one key");
    drop(target);
    assert!(!contains(&keyspace, ZERO, b"from"));
    assert_eq!((keyspace.len(ZERO), keyspace.len(ONE)), (0, 1));
}

#[test]
fn a_change_is_told_under_each_of_its_names() {
    let keyspace = keyspace();
    let key = keyspace.key(b"hash");
    let mut stripe = keyspace.lock(key.position.stripe(), MOMENT);
    let mut change = |events: &'static [&'static str], remove: bool| {
        let change = |entry: &mut Entry| {
            let mut hash = HashMut::of(entry, PackedLimits { entries: 8, value_bytes: 8 }, MOMENT.now);
            if remove {
                hash.remove(b"field");
            } else {
                hash.set(b"field", b"value");
            }
            ((), events.iter().map(|name| Event::hash(name)))
        };
        stripe.change_collection(ZERO, key, Type::Hash, Missing::Create(hash::empty()), change).unwrap();
        std::mem::take(&mut stripe.side().0)
            .into_iter()
            .map(|(.., effect, name)| (effect, name))
            .collect::<Vec<_>>()
    };
    assert_eq!(change(&["hset", "hexpire"], false), [(Effect::Created, "hset"), (Effect::Noted, "hexpire")]);
    assert_eq!(
        change(&["hexpired", "hset"], false),
        [(Effect::Modified, "hexpired"), (Effect::Noted, "hset")]
    );
    assert_eq!(change(&[], false), []);
    let told = [(Effect::Modified, "hset"), (Effect::Noted, "hexpired"), (Effect::Removed, "del")];
    assert_eq!(change(&["hset", "hexpired"], true), told);
}

#[test]
fn a_copy_of_a_large_value_shares_its_bytes_until_one_changes() {
    let keyspace = keyspace();
    let (from, to) = (keyspace.key(b"from"), keyspace.key(b"to"));
    let large = vec![b'x'; 100_000];
    let mut stripe = keyspace.lock(from.position.stripe(), MOMENT);
    stripe.put(ZERO, from, &Attributes::default(), NewValue::of(&large), SET);
    let copy = stripe.find(ZERO, from, Touch::No).expect("just put").renamed(to.bytes);
    drop(stripe);
    keyspace.lock(to.position.stripe(), MOMENT).place(ONE, to, copy, Event::generic("copy_to"));

    let block = |db, key: Key<'_>| {
        let mut stripe = keyspace.lock(key.position.stripe(), MOMENT);
        let entry = stripe.find(db, key, Touch::No).expect("both are there");
        let Value::Block(block) = entry.value() else { panic!("{:?}", entry.encoding()) };
        Block::clone(block)
    };
    assert!(Block::ptr_eq(&block(ZERO, from), &block(ONE, to)));
    let mut stripe = keyspace.lock(to.position.stripe(), MOMENT);
    assert_eq!(stripe.change_string(ONE, to, 0, SET, |bytes| bytes[0] = b'y'), Ok(()));
    drop(stripe);
    assert_eq!((block(ZERO, from)[0], block(ONE, to)[0]), (b'x', b'y'));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Keys of one stripe come, get other expiries, expire and go; the tally is that of a plain map.
    #[test]
    fn expiries_are_those_of_the_keys_that_are_there(steps in prop::collection::vec((0..3_u8, 0..12_u32, 0..40_i64), 1..80)) {
        let keyspace = keyspace();
        let keys: Vec<Vec<u8>> = (0..).map(key).filter(|key| keyspace.key(key).position.stripe() == 5).take(12).collect();
        let mut model: BTreeMap<u32, Option<UnixMillis>> = BTreeMap::new();
        let mut now = MOMENT.now;
        for (step, number, millis) in steps {
            let mut stripe = keyspace.lock(5, Moment { now, ..MOMENT });
            let key = keyspace.key(&keys[number as usize]);
            // Some expire at once, some never.
            let expires_at = (millis % 4 != 0).then(|| now.saturating_add(millis));
            match step {
                0 => {
                    stripe.put(ZERO, key, &Attributes::expiring(expires_at), NewValue::Int(1), SET);
                    model.insert(number, expires_at);
                }
                1 => {
                    let found = stripe.put_expiry(ZERO, key, expires_at, SET);
                    prop_assert_eq!(found, model.contains_key(&number));
                    if found {
                        model.insert(number, expires_at);
                    }
                }
                _ => {
                    now = now.saturating_add(millis / 4);
                    stripe.moment.now = now;
                    let _ = stripe.expire_due(100);
                    // What is due since less than a tick goes when somebody asks.
                    for key in &keys {
                        stripe.contains(ZERO, keyspace.key(key));
                    }
                    model.retain(|_, at| at.is_none_or(|at| at > now));
                }
            }
            let expected: Vec<i128> = model.values().flatten().map(|at| i128::from(at.0)).collect();
            let found = stripe.expiries(ZERO);
            prop_assert_eq!(found.keys, expected.len());
            prop_assert_eq!(found.sum_millis(), expected.iter().sum::<i128>());
        }
    }
}

#[test]
fn what_is_freed_in_the_background_is_counted() {
    let (keyspace, garbage) = Keyspace::<Told>::new(3, 0x5EED);
    for number in 0..20 {
        put(&keyspace, ZERO, &key(number), None);
    }
    assert_eq!(keyspace.background_frees(), (0, 0));
    keyspace.flush(Some(ZERO), MOMENT);
    assert_eq!(keyspace.background_frees(), (0, 20));
    garbage.try_iter().for_each(drop);
    assert_eq!(keyspace.background_frees(), (20, 0));
}

#[test]
#[ignore = "a measurement: cargo test --release -p larder-store micros_per_flush -- --ignored --nocapture"]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn micros_per_flush() {
    use std::time::Instant;
    for keys in [0, 100_000, 1_000_000, 5_000_000] {
        let (keyspace, garbage) = Keyspace::<Told>::new(16, 0x5EED);
        (0..keys).for_each(|number| {
            let key = key(number);
            let key = keyspace.key(&key);
            let mut stripe = keyspace.lock(key.position.stripe(), MOMENT);
            stripe.put(ZERO, key, &Attributes::default(), NewValue::of(b"value"), SET);
            stripe.side().0.clear();
        });
        let begin = Instant::now();
        keyspace.flush(None, MOMENT);
        let flushed = begin.elapsed();
        garbage.try_iter().for_each(drop);
        println!("{keys} keys: flushed in {flushed:?}, freed after {:?}", begin.elapsed());
    }
}
