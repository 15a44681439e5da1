use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{Attributes, Encoding};

const LIMITS: PackedLimits = PackedLimits { entries: 20, value_bytes: 10 };

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..40_u32).prop_map(|number| number.to_string().into_bytes()),
        4 => (0..40_u32).prop_map(|number| format!("word{number}").into_bytes()),
        1 => (9..12_usize).prop_map(|len| vec![b'x'; len]),
        1 => (0..3_u8).prop_map(|fill| vec![fill; 1500]),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<u8>, Vec<u8>),
    Update(Vec<u8>, Vec<u8>),
    Put(Vec<u8>, Vec<u8>, i64),
    PutExpiry(Vec<u8>, Option<i64>),
    Remove(Vec<u8>),
    RemoveDue(usize),
    /// Time passes.
    Pass(i64),
}

/// Steps that give no field an expiry, so that hashes stay packed, or any.
fn step(expiring: bool) -> impl Strategy<Value = Step> {
    let set = (word(), word()).prop_map(|(field, value)| Step::Set(field, value));
    let lasting = prop_oneof![
        6 => set,
        2 => (word(), word()).prop_map(|(field, value)| Step::Update(field, value)),
        3 => word().prop_map(Step::Remove),
    ];
    if !expiring {
        return lasting.boxed();
    }
    prop_oneof![
        8 => lasting,
        4 => (word(), word(), 0..60_i64).prop_map(|(field, value, ttl)| Step::Put(field, value, ttl)),
        3 => (word(), prop::option::weighted(0.7, 0..60_i64)).prop_map(|(field, ttl)| Step::PutExpiry(field, ttl)),
        1 => (0..6_usize).prop_map(Step::RemoveDue),
        2 => (1..20_i64).prop_map(Step::Pass),
    ]
    .boxed()
}

/// The fields that are there, seen or not: value and expiry.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn is_due(expires_at: Option<i64>, now: i64) -> bool {
    expires_at.is_some_and(|at| at <= now)
}

/// What `step` does to the model; returns what is to be told of it: a new field, and one that was overdue.
fn put(model: &mut Model, field: Vec<u8>, value: Vec<u8>, expires_at: Option<i64>, now: i64) -> (bool, bool) {
    let old = model.insert(field, (value, expires_at));
    let overdue = old.as_ref().is_some_and(|(_, at)| is_due(*at, now));
    (old.is_none() || overdue, overdue)
}

fn visible(model: &Model, now: i64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let seen = model.iter().filter(|(_, (_, at))| !is_due(*at, now));
    seen.map(|(field, (value, _))| (field.clone(), value.clone())).collect()
}

fn check(entry: &Entry, model: &Model, now: i64) {
    let hash = HashRef::of(entry, UnixMillis(now));
    let seen = visible(model, now);
    assert_eq!((hash.len(), hash.visible()), (model.len(), seen.len()));
    assert_eq!(entry.is_spent(), model.is_empty());
    assert!(model.len() <= LIMITS.entries || entry.encoding() == Encoding::Large);
    let next = model.values().filter_map(|(_, at)| *at).min();
    assert_eq!(entry.next_field_expiry(), next.map(UnixMillis));
    assert!(next.is_none() || entry.encoding() == Encoding::Large);
}

fn check_all(entry: &Entry, model: &Model, now: i64) {
    let hash = HashRef::of(entry, UnixMillis(now));
    let mut all = BTreeMap::new();
    hash.each(0, usize::MAX, |field, value| assert!(all.insert(field.to_vec(), value.to_vec()).is_none()));
    assert_eq!(all, visible(model, now));
    for (field, (value, expires_at)) in model {
        let found = hash.find(field).map(|found| (found.value.to_vec(), found.expires_at.map(|at| at.0)));
        assert_eq!(found, (!is_due(*expires_at, now)).then(|| (value.clone(), *expires_at)));
    }
    let at: BTreeMap<_, _> = (0..model.len())
        .filter_map(|rank| hash.at(rank))
        .map(|(field, value)| (field.to_vec(), value.to_vec()))
        .collect();
    assert_eq!(at, all);
    assert!(hash.at(model.len()).is_none());
}

fn run(steps: Vec<Step>) {
    let mut entry = Entry::new(b"key", 0, &Attributes::default(), empty());
    let (mut model, mut now) = (Model::new(), 1000);
    for step in steps {
        let view = (entry.renamed(b"view"), model.clone());
        let mut hash = HashMut::of(&mut entry, LIMITS, UnixMillis(now));
        let told = match step {
            Step::Set(field, value) => {
                let set = hash.set(&field, &value);
                Some((set, put(&mut model, field, value, None, now)))
            }
            Step::Update(field, value) => {
                let kept = model.get(&field).and_then(|(_, at)| *at).filter(|at| !is_due(Some(*at), now));
                let set = hash.update(&field, &value);
                Some((set, put(&mut model, field, value, kept, now)))
            }
            Step::Put(field, value, ttl) => {
                let set = hash.put(&field, &value, Some(UnixMillis(now + ttl)));
                Some((set, put(&mut model, field, value, Some(now + ttl), now)))
            }
            Step::PutExpiry(field, ttl) => {
                if hash.as_ref().find(&field).is_some() {
                    hash.put_expiry(&field, ttl.map(|ttl| UnixMillis(now + ttl)));
                    model.get_mut(&field).unwrap().1 = ttl.map(|ttl| now + ttl);
                }
                None
            }
            Step::Remove(field) => {
                let there = model.get(&field).is_some_and(|(_, at)| !is_due(*at, now));
                assert_eq!(hash.remove(&field), there);
                if there {
                    model.remove(&field);
                }
                None
            }
            Step::RemoveDue(limit) => {
                let mut due: Vec<_> = model
                    .iter()
                    .filter(|(_, (_, at))| is_due(*at, now))
                    .map(|(field, (_, at))| (*at, field.clone()))
                    .collect();
                due.sort();
                due.truncate(limit);
                assert_eq!(entry.remove_due_fields(UnixMillis(now), limit, |_| ()), due.len());
                due.iter().for_each(|(_, field)| drop(model.remove(field)));
                check(&entry, &model, now);
                continue;
            }
            Step::Pass(millis) => {
                now += millis;
                None
            }
        };
        if let Some((set, (created, overdue))) = told {
            assert_eq!((set == FieldSet::Created, hash.overdue() == 1), (created, overdue));
        }
        check(&entry, &model, now);
        check(&view.0, &view.1, now);
    }
    check_all(&entry, &model, now);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Small or large, a hash holds what a map would hold.
    #[test]
    fn a_hash_is_a_map(steps in prop::collection::vec(step(false), 0..150)) {
        run(steps);
    }

    /// While time passes, a hash shows what a map of values and expiries would show; and its views stay as they are.
    #[test]
    fn fields_go_by_time(steps in prop::collection::vec(step(true), 0..300)) {
        run(steps);
    }
}
