use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::keyspace::Keyspace;
use crate::position::STRIPES;
use crate::slab::{begin_emptying, end_emptying};
use crate::{AccessPolicy, Attributes, Change, Due, Event, Moment, NewValue, Touch, UnixMillis, Value};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// One at a time has spans emptied: all tests share the slab.
static ALONE: parking_lot::Mutex<()> = parking_lot::const_mutex(());

/// Nobody is to be told that an entry moved.
#[derive(Default)]
struct Counted(usize);

impl SideState for Counted {
    fn changed(&mut self, _change: Change<'_>) {
        self.0 += 1;
    }
    fn fields_expired(&mut self, _fields: usize) {}
    fn flushed(&mut self, _db: DbIndex, _keys: usize, _had: &dyn Fn(&[u8]) -> bool) {}
    fn swapped(&mut self, _dbs: (DbIndex, DbIndex), _has: &dyn Fn(DbIndex, &[u8]) -> bool) {}
}

fn moment() -> Moment {
    Moment { now: NOW, clock: NOW, policy: AccessPolicy::Lru, due: Due::Removed }
}

fn put(keyspace: &Keyspace<Counted>, db: DbIndex, name: &str, attributes: &Attributes, value: &[u8]) {
    let key = keyspace.key(name.as_bytes());
    let mut guard = keyspace.lock(key.position.stripe(), moment());
    guard.put(db, key, attributes, NewValue::of(value), Event::string("set"));
}

fn delete(keyspace: &Keyspace<Counted>, db: DbIndex, name: &str) {
    let key = keyspace.key(name.as_bytes());
    keyspace.lock(key.position.stripe(), moment()).delete(db, key, Event::DELETED);
}

/// Everything about a key: attributes, access bits, flags and value.
fn all_of(
    keyspace: &Keyspace<Counted>,
    db: DbIndex,
    name: &str,
) -> Option<(Attributes, u32, [bool; 3], Vec<u8>)> {
    let key = keyspace.key(name.as_bytes());
    let mut guard = keyspace.lock(key.position.stripe(), moment());
    let entry = guard.find(db, key, Touch::No)?;
    let value = match entry.value() {
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Inline(bytes) => bytes.to_vec(),
        Value::Block(block) => block.to_vec(),
    };
    let flags = [entry.is_fetched(), entry.is_timed(), entry.is_preserved()];
    Some((entry.attributes(), entry.access(), flags, value))
}

fn changes(keyspace: &Keyspace<Counted>) -> usize {
    (0..STRIPES).map(|stripe| keyspace.lock(stripe, moment()).side().0).sum()
}

/// Goes over all stripes; returns how many entries moved.
fn move_all(keyspace: &Keyspace<Counted>) -> usize {
    let Some(emptying) = begin_emptying(usize::MAX) else { return 0 };
    let mut moved = 0;
    for stripe in 0..STRIPES {
        let mut place = DefragPlace::default();
        loop {
            let moves = keyspace.lock(stripe, moment()).move_entries(&emptying, &mut place);
            moved += moves.moved;
            if moves.done {
                break;
            }
        }
    }
    end_emptying();
    moved
}

#[derive(Clone, Debug)]
enum Step {
    Put { db: u32, key: u16, len: usize, expires: bool, cas: bool },
    Delete { db: u32, from: u16, step: u16 },
    Move,
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![3 => 100..5000_usize, 1 => Just(700), 1 => 0..100_usize];
    prop_oneof![
        20 => (0..2_u32, 0..3000_u16, len, any::<bool>(), any::<bool>())
            .prop_map(|(db, key, len, expires, cas)| Step::Put { db, key, len, expires, cas }),
        1 => (0..2_u32, any::<u16>(), 1..8_u16).prop_map(|(db, from, step)| Step::Delete { db, from, step }),
        1 => Just(Step::Move),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 32 }))]
    #[test]
    fn keys_stay_what_they_are(steps in prop::collection::vec(step(), 0..400)) {
        let _alone = ALONE.lock();
        let keyspace = Keyspace::<Counted>::new(2, 5).0;
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put { db, key, len, expires, cas } => {
                    let attributes = Attributes {
                        expires_at: expires.then_some(UnixMillis(NOW.0 + 100_000)),
                        cas: cas.then_some(7),
                        ..Attributes::default()
                    };
                    let (db, name) = (DbIndex(db), format!("key:{key}"));
                    put(&keyspace, db, &name, &attributes, &vec![key as u8; len]);
                    let is = all_of(&keyspace, db, &name);
                    model.insert((db, name), is);
                }
                Step::Delete { db, from, step } => {
                    for key in (from % 3000..3000).step_by(usize::from(step)) {
                        let (db, name) = (DbIndex(db), format!("key:{key}"));
                        delete(&keyspace, db, &name);
                        model.remove(&(db, name));
                    }
                }
                Step::Move => {
                    let before = changes(&keyspace);
                    move_all(&keyspace);
                    prop_assert_eq!(changes(&keyspace), before);
                }
            }
        }
        move_all(&keyspace);
        for ((db, name), was) in model {
            prop_assert_eq!(all_of(&keyspace, db, &name), was);
        }
    }
}

#[test]
fn sparse_spans_lose_their_entries() {
    let _alone = ALONE.lock();
    let keyspace = Keyspace::<Counted>::new(1, 5).0;
    let keys = if cfg!(miri) { 600 } else { 20_000 };
    let name = |number: usize| format!("key:{number}");
    for number in 0..keys {
        put(&keyspace, DbIndex(0), &name(number), &Attributes::default(), &vec![number as u8; 3000]);
    }
    for number in (0..keys).filter(|number| number % 10 != 0) {
        delete(&keyspace, DbIndex(0), &name(number));
    }
    let moved = move_all(&keyspace);
    assert!(moved > keys / 20, "{moved}");
    for number in (0..keys).step_by(10) {
        let (.., value) = all_of(&keyspace, DbIndex(0), &name(number)).expect("it was not deleted");
        assert_eq!(value, vec![number as u8; 3000]);
    }
}
