use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::DbIndex;
use crate::access::AccessPolicy;
use crate::entry::{Attributes, NewValue, Type};
use crate::hash::{self, HashMut, HashRef};
use crate::large::PackedLimits;
use crate::position::Key;
use crate::stripe::{Expiries, Missing, Moment, Touch};

const LIMITS: PackedLimits = PackedLimits { entries: 8, value_bytes: 64 };
const STRIPE: usize = 5;
const DB: DbIndex = DbIndex(0);
const BEGIN: i64 = 1_700_000_000_000;

/// Writes down what a stripe is told.
#[derive(Debug, Default)]
struct Told {
    changes: Vec<(Vec<u8>, Effect, &'static str)>,
    fields: usize,
}

impl SideState for Told {
    fn changed(&mut self, change: Change<'_>) {
        self.changes.push((change.key.to_vec(), change.effect, change.event.name));
    }

    fn fields_expired(&mut self, fields: usize) {
        self.fields += fields;
    }

    fn flushed(&mut self, _: DbIndex, _: usize, _: &dyn Fn(&[u8]) -> bool) {}
    fn swapped(&mut self, _: (DbIndex, DbIndex), _: &dyn Fn(DbIndex, &[u8]) -> bool) {}
}

/// Keys of one stripe.
fn names(keyspace: &Keyspace<Told>, count: usize) -> Vec<Vec<u8>> {
    let names = (0..).map(|number: u32| format!("key:{number}").into_bytes());
    names.filter(|name| keyspace.key(name).position.stripe() == STRIPE).take(count).collect()
}

fn at(now: i64) -> Moment {
    Moment {
        now: UnixMillis(now),
        clock: UnixMillis(now),
        policy: AccessPolicy::Lru,
        due: crate::Due::Removed,
    }
}

fn put_field(
    stripe: &mut StripeGuard<'_, Told>,
    key: Key<'_>,
    field: &[u8],
    expires_at: Option<i64>,
    now: i64,
) {
    let put = |entry: &mut Entry| {
        let mut hash = HashMut::of(entry, LIMITS, UnixMillis(now));
        hash.put(field, b"value", expires_at.map(UnixMillis));
        ((), Some(Event::hash("hset")))
    };
    stripe.change_collection(DB, key, Type::Hash, Missing::Create(hash::empty()), put).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Put(usize, u8, Option<i64>),
    Remove(usize, u8),
    Expire(usize, Option<i64>),
    Rename(usize, usize),
    Copy(usize, usize),
    Overwrite(usize),
    Delete(usize),
    /// Time passes, and at most so many nodes and fields are looked at in a call.
    Pass(i64, usize),
}

const KEYS: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    // The clock stands between the times at which something expires, and further from them than a tick of the wheel is long.
    let ttl = || (0..30_i64).prop_map(|steps| 64 * steps + 32);
    prop_oneof![
        12 => (0..KEYS, 0..40_u8, prop::option::weighted(0.7, ttl())).prop_map(|(key, field, ttl)| Step::Put(key, field, ttl)),
        3 => (0..KEYS, 0..40_u8).prop_map(|(key, field)| Step::Remove(key, field)),
        1 => (0..KEYS, prop::option::of(ttl())).prop_map(|(key, ttl)| Step::Expire(key, ttl)),
        1 => (0..KEYS, 0..KEYS).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => (0..KEYS, 0..KEYS).prop_map(|(from, to)| Step::Copy(from, to)),
        1 => (0..KEYS).prop_map(Step::Overwrite),
        1 => (0..KEYS).prop_map(Step::Delete),
        4 => (0..12_i64, 1..20_usize).prop_map(|(steps, limit)| Step::Pass(64 * steps, limit)),
    ]
}

/// A key: its expiry, and the fields of its hash with theirs; a string has none.
#[derive(Clone, Debug, Default)]
struct Model {
    expires_at: Option<i64>,
    fields: Option<BTreeMap<u8, Option<i64>>>,
}

type Models = BTreeMap<usize, Model>;

/// Removes from the model what has expired; returns how many fields.
fn pass(models: &mut Models, now: i64) -> usize {
    let is_due = |at: Option<i64>| at.is_some_and(|at| at <= now);
    models.retain(|_, model| !is_due(model.expires_at));
    let mut expired = 0;
    models.retain(|_, model| {
        let Some(fields) = &mut model.fields else { return true };
        let before = fields.len();
        fields.retain(|_, at| !is_due(*at));
        expired += before - fields.len();
        !fields.is_empty()
    });
    expired
}

fn check(stripe: &mut StripeGuard<'_, Told>, keys: &[Key<'_>], models: &Models) {
    let expires = |model: &Model| model.fields.iter().flatten().any(|(_, at)| at.is_some());
    assert_eq!(stripe.len(DB), models.len());
    assert_eq!(stripe.expiring_hashes(DB), models.values().filter(|model| expires(model)).count());
    let mut expiries = Expiries::default();
    models.values().for_each(|model| expiries.add(model.expires_at.map(UnixMillis)));
    assert_eq!(stripe.expiries(DB), expiries);
    for (number, model) in models {
        let entry = stripe.find(DB, keys[*number], Touch::No).unwrap();
        assert_eq!(entry.expires_at(), model.expires_at.map(UnixMillis));
        if let Some(fields) = &model.fields {
            let hash = HashRef::of(&entry, UnixMillis::MIN);
            assert_eq!(hash.len(), fields.len());
            for (field, at) in fields {
                assert_eq!(hash.find(&[*field]).unwrap().expires_at, at.map(UnixMillis));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Hashes come, change, move and go, while time passes; what is there, and what is counted, is what a plain map says.
    #[test]
    fn fields_and_keys_go_on_time(steps in prop::collection::vec(step(), 0..250)) {
        let keyspace = Keyspace::<Told>::new(1, 7).0;
        let names = names(&keyspace, KEYS);
        let keys: Vec<Key<'_>> = names.iter().map(|name| keyspace.key(name)).collect();
        let (mut models, mut now, mut expired) = (Models::new(), BEGIN, 0);
        for step in steps {
            let mut stripe = keyspace.lock(STRIPE, at(now));
            match step {
                Step::Put(number, field, ttl) => {
                    let model = models.entry(number).or_insert_with(|| Model { fields: Some(BTreeMap::new()), ..Model::default() });
                    let Some(fields) = &mut model.fields else { continue };
                    put_field(&mut stripe, keys[number], &[field], ttl.map(|ttl| now + ttl), now);
                    fields.insert(field, ttl.map(|ttl| now + ttl));
                }
                Step::Remove(number, field) => {
                    let Some(fields) = models.get_mut(&number).and_then(|model| model.fields.as_mut()) else { continue };
                    let removed = fields.remove(&field).is_some();
                    let remove = |entry: &mut Entry| {
                        let was_there = HashMut::of(entry, LIMITS, UnixMillis(now)).remove(&[field]);
                        (was_there, was_there.then_some(Event::hash("hdel")))
                    };
                    let result = stripe.change_collection(DB, keys[number], Type::Hash, Missing::Leave, remove);
                    prop_assert_eq!(result, Ok(Some(removed)));
                    if fields.is_empty() {
                        models.remove(&number);
                    }
                }
                Step::Expire(number, ttl) => {
                    let expires_at = ttl.map(|ttl| now + ttl);
                    stripe.put_expiry(DB, keys[number], expires_at.map(UnixMillis), Event::generic("expire"));
                    models.entry(number).and_modify(|model| model.expires_at = expires_at);
                }
                Step::Rename(from, to) => {
                    if let Some(entry) = stripe.take(DB, keys[from], Event::generic("rename_from")) {
                        stripe.place(DB, keys[to], entry, Event::generic("rename_to"));
                        let model = models.remove(&from).unwrap();
                        models.insert(to, model);
                    }
                }
                Step::Copy(from, to) => {
                    let copy = stripe.find(DB, keys[from], Touch::No).map(|entry| entry.renamed(&names[to]));
                    if let Some(copy) = copy.filter(|_| from != to) {
                        stripe.place(DB, keys[to], copy, Event::generic("copy_to"));
                        models.insert(to, models[&from].clone());
                    }
                }
                Step::Overwrite(number) => {
                    stripe.put(DB, keys[number], &Attributes::default(), NewValue::Int(1), Event::string("set"));
                    models.insert(number, Model::default());
                }
                Step::Delete(number) => {
                    prop_assert_eq!(stripe.delete(DB, keys[number], Event::DELETED), models.remove(&number).is_some());
                }
                Step::Pass(millis, limit) => {
                    drop(stripe);
                    // From between two times to expire to between two others.
                    now += millis;
                    stripe = keyspace.lock(STRIPE, at(now));
                    while keyspace.is_due(STRIPE, UnixMillis(now)) && stripe.expire_due(limit) == ExpireProgress::More {}
                    expired += pass(&mut models, now);
                }
            }
            prop_assert_eq!(stripe.side().fields, expired);
            check(&mut stripe, &keys, &models);
        }
    }
}

/// However many fields are due at once, a call removes about as many as it may; and the hash goes with the last.
#[test]
fn many_fields_go_a_few_at_a_time() {
    const FIELDS: usize = 5000;
    const LIMIT: usize = 64;
    let keyspace = Keyspace::<Told>::new(1, 7).0;
    let names = names(&keyspace, 1);
    let key = keyspace.key(&names[0]);
    let mut stripe = keyspace.lock(STRIPE, at(BEGIN));
    for number in 0..FIELDS {
        put_field(
            &mut stripe,
            key,
            number.to_string().as_bytes(),
            Some(BEGIN + 100 + number as i64 % 50),
            BEGIN,
        );
    }
    drop(stripe);
    let mut stripe = keyspace.lock(STRIPE, at(BEGIN + 1000));
    stripe.side().changes.clear();
    let (mut before, mut calls) = (0, 0);
    loop {
        let progress = stripe.expire_due(LIMIT);
        let removed = stripe.side().fields - before;
        assert!(removed <= LIMIT, "{removed} fields in one call");
        (before, calls) = (before + removed, calls + 1);
        if progress == ExpireProgress::Done {
            break;
        }
        assert!(stripe.contains(DB, key) || before == FIELDS);
    }
    assert!(calls <= FIELDS / LIMIT + 2, "{calls} calls");
    assert_eq!((before, stripe.len(DB), stripe.expiring_hashes(DB)), (FIELDS, 0, 0));
    let told = &stripe.side().changes;
    let (last, others) = told.split_last().unwrap();
    assert_eq!((last.1, last.2), (Effect::Removed, "del"));
    assert!(others.iter().all(|(_, effect, name)| (*effect, *name) == (Effect::Modified, "hexpired")));
}
