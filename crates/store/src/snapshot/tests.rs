use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{AccessPolicy, Attributes, Change, Event, Missing, NewValue, Type, UnixMillis, Value};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn moment() -> Moment {
    Moment { now: NOW, clock: NOW, policy: AccessPolicy::Lru, due: crate::Due::Removed }
}

/// Nobody is told of changes.
#[derive(Default)]
struct Untold;

impl SideState for Untold {
    fn changed(&mut self, _change: Change<'_>) {}
    fn fields_expired(&mut self, _fields: usize) {}
    fn flushed(&mut self, _db: DbIndex, _keys: usize, _had: &dyn Fn(&[u8]) -> bool) {}
    fn swapped(&mut self, _dbs: (DbIndex, DbIndex), _has: &dyn Fn(DbIndex, &[u8]) -> bool) {}
}

type Model = BTreeMap<(u32, Vec<u8>), Vec<u8>>;

/// What may happen beside a walk.
#[derive(Clone, Debug)]
enum Step {
    Put(u32, u8, u16),
    Append(u32, u8),
    Expire(u32, u8),
    Delete(u32, u8),
    Push(u32, u8),
    Flush(Option<u32>),
    Swap(u32, u32),
    Walk(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let db = 0..3_u32;
    prop::collection::vec(
        prop_oneof![
            8 => (db.clone(), any::<u8>(), any::<u16>()).prop_map(|(db, key, value)| Step::Put(db, key, value)),
            3 => (db.clone(), any::<u8>()).prop_map(|(db, key)| Step::Append(db, key)),
            2 => (db.clone(), any::<u8>()).prop_map(|(db, key)| Step::Expire(db, key)),
            6 => (db.clone(), any::<u8>()).prop_map(|(db, key)| Step::Delete(db, key)),
            3 => (db.clone(), any::<u8>()).prop_map(|(db, key)| Step::Push(db, key)),
            1 => prop::option::of(db.clone()).prop_map(Step::Flush),
            1 => (db.clone(), db).prop_map(|(a, b)| Step::Swap(a, b)),
            6 => any::<u8>().prop_map(Step::Walk),
        ],
        0..120,
    )
}

fn name(key: u8) -> String {
    format!("key:{key}")
}

fn apply(keyspace: &Keyspace<Untold>, step: &Step) {
    let at = |db: u32, key: u8, act: &dyn Fn(&mut StripeGuard<'_, Untold>, DbIndex, crate::Key<'_>)| {
        let name = name(key);
        let key = keyspace.key(name.as_bytes());
        act(&mut keyspace.lock(key.position.stripe(), moment()), DbIndex(db), key);
    };
    let event = Event::string("set");
    match *step {
        Step::Put(db, key, value) => at(db, key, &|guard, db, key| {
            // Some are blocks, which are shared.
            let value = vec![value as u8; usize::from(value)];
            guard.put(db, key, &Attributes::default(), NewValue::of(&value), event);
        }),
        Step::Append(db, key) => at(db, key, &|guard, db, key| {
            let _ = guard.change_string(db, key, 9, event, |bytes| bytes[0] ^= 1);
        }),
        Step::Expire(db, key) => at(db, key, &|guard, db, key| {
            guard.put_expiry(db, key, Some(NOW.saturating_add(5000)), event);
        }),
        Step::Delete(db, key) => at(db, key, &|guard, db, key| {
            guard.delete(db, key, Event::DELETED);
        }),
        Step::Push(db, key) => at(db, key, &|guard, db, key| {
            let missing = Missing::Create(crate::empty(Type::Set, crate::Packing::Intset));
            let _ = guard.change_collection(db, key, Type::Set, missing, |_| ((), [event]));
        }),
        Step::Flush(db) => drop(keyspace.flush(db.map(DbIndex), moment())),
        Step::Swap(a, b) => keyspace.swap(DbIndex(a), DbIndex(b), moment()),
        Step::Walk(_) => {}
    }
}

fn content(entry: &Entry) -> Vec<u8> {
    let mut bytes = match entry.value() {
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Inline(bytes) => bytes.to_vec(),
        Value::Block(block) => block.to_vec(),
    };
    bytes.extend(format!("{:?} {:?}", entry.value_type(), entry.expires_at()).bytes());
    bytes
}

/// All keys, by a walk that nothing interferes with.
fn all(keyspace: &Keyspace<Untold>) -> Model {
    let mut model = Model::new();
    for stripe in 0..STRIPES {
        let mut guard = keyspace.lock(stripe, moment());
        let positioner = keyspace.positioner();
        for db in guard.stripe.dbs_mut().0 {
            let number = db.index.0;
            let _ = db.table.scan(0, usize::MAX, &order(positioner), |entry| {
                model.insert((number, entry.key().to_vec()), content(&entry));
            });
        }
    }
    model
}

proptest! {
    /// Whatever happens meanwhile, a walk sees each key once, as it was at the cut.
    #[test]
    fn a_walk_sees_the_keyspace_as_it_was(before in steps(), beside in steps(), again in steps()) {
        let (keyspace, _garbage) = Keyspace::<Untold>::new(3, 7);
        before.iter().for_each(|step| apply(&keyspace, step));
        // A second one finds no marks of the first.
        for beside in [beside, again] {
            let expected = all(&keyspace);
            let mut seen = Model::new();
            let mut twice = 0;
            let mut visit = |_: Met, db: DbIndex, entry: &Entry| {
                twice += usize::from(seen.insert((db.0, entry.key().to_vec()), content(entry)).is_some());
            };
            let mut place = Some(keyspace.begin_snapshot());
            for step in &beside {
                apply(&keyspace, step);
                if let Step::Walk(steps) = step {
                    keyspace.take_preserved(|db, entry| visit(Met::Preserved, db, entry));
                    for _ in 0..=*steps {
                        place = place.and_then(|place| keyspace.walk(place, 1, moment(), &mut visit));
                    }
                }
            }
            while let Some(here) = place {
                place = keyspace.walk(here, 2, moment(), &mut visit);
            }
            prop_assert_eq!(twice, 0);
            prop_assert!(seen == expected, "{} of {} keys", seen.len(), expected.len());
            prop_assert_eq!(keyspace.preserved_bytes(), 0);
        }
    }
}
