use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::entry::{Attributes, Entry, NewValue, Value};

/// Cases of a property. Miri, which looks at every access, is hundreds of times slower than the machine.
const CASES: u32 = if cfg!(miri) { 2 } else { 24 };
/// Keys and steps of a case are this many times fewer there, which still splits and merges segments.
const LESS: u64 = if cfg!(miri) { 8 } else { 1 };

fn entry(key: &[u8], number: i64) -> Entry {
    Entry::new(key, 0, &Attributes::default(), NewValue::Int(number))
}

fn number(entry: &Entry) -> i64 {
    match entry.value() {
        Value::Int(number) => number,
        other => panic!("only integers are stored here, not {other:?}"),
    }
}

/// Spreads small numbers over all bits (SplitMix64), leaving some to collide.
fn scatter(key: &[u8]) -> u64 {
    let mut z = u64::from_le_bytes(key.try_into().expect("keys are eight bytes"));
    if z % 10 == 3 {
        z = z / 100 * 100; // groups of ten keys share one position
    }
    z = z.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (z ^ (z >> 27)) << 11
}

/// All positions in a narrow range, as the keys of one hash slot are.
fn narrow(key: &[u8]) -> u64 {
    0xA5A5_0000_0000_0000 | scatter(key) >> 14
}

/// All keys at the same place.
fn constant(_: &[u8]) -> u64 {
    0x1234_5678_9ABC_0000
}

fn check(table: &Table<Entry>, model: &BTreeMap<u64, i64>, order: fn(&[u8]) -> u64) {
    assert_eq!(table.len(), model.len());
    for (key, value) in model {
        let key = key.to_le_bytes();
        let (at, _) = table.find(order(&key), &key).expect("a key of the model is in the table");
        assert_eq!(number(&table.entry(at)), *value);
    }
    let mut positions = Vec::new();
    let end = table.scan(0, usize::MAX, &order, |entry| positions.push(order(entry.key())));
    assert_eq!((end, positions.len()), (None, model.len()));
    if table.is_empty() {
        assert_eq!(table.memory_bytes(), 0);
    }
}

fn run(order: fn(&[u8]) -> u64, steps: &[(u8, u64)]) {
    let (mut table, mut model) = (Table::default(), BTreeMap::new());
    for (action, id) in steps {
        let key = id.to_le_bytes();
        let within = order(&key);
        match (action, table.find(within, &key).map(|(at, _)| at)) {
            (0..=4, None) => {
                assert!(!model.contains_key(id));
                table.insert(within, entry(&key, i64::from(*action)), &order);
                model.insert(*id, i64::from(*action));
            }
            (0..=4, Some(at)) => {
                let longer = NewValue::Inline(&[b'x'; 200], crate::entry::Encoding::Raw);
                table.entry_mut(at).replace(&Attributes::default(), longer);
                table.entry_mut(at).replace(&Attributes::default(), NewValue::Int(i64::from(*action)));
                model.insert(*id, i64::from(*action));
            }
            (_, Some(at)) => {
                assert_eq!(Some(number(&table.remove(at))), model.remove(id));
            }
            (_, None) => assert!(!model.contains_key(id)),
        }
    }
    check(&table, &model, order);
    for id in model.keys().copied().collect::<Vec<_>>() {
        let key = id.to_le_bytes();
        let (at, _) = table.find(order(&key), &key).expect("still there");
        table.remove(at);
        model.remove(&id);
        if id % 64 == 0 {
            check(&table, &model, order);
        }
    }
    check(&table, &model, order);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]
    #[test]
    fn behaves_like_a_map(steps in prop::collection::vec((0..8_u8, 0..3000 / LESS), 0..4000 / LESS as usize)) {
        run(scatter, &steps);
        run(narrow, &steps);
    }

    #[test]
    fn keys_at_one_position_only_cost_time(steps in prop::collection::vec((0..8_u8, 0..200_u64), 0..400)) {
        run(constant, &steps);
    }

    /// A scan in steps, with insertions and removals of other keys between them, visits every lasting key exactly once.
    #[test]
    fn a_scan_survives_splits_and_merges(count in 1..50_usize, lasting in 1..2000 / LESS, moves in prop::collection::vec((any::<bool>(), 0..4000 / LESS), 0..3000 / LESS as usize)) {
        let order = scatter as fn(&[u8]) -> u64;
        let mut table = Table::default();
        for id in 0..lasting {
            table.insert(order(&id.to_le_bytes()), entry(&id.to_le_bytes(), 1), &order);
        }
        let (mut cursor, mut seen, mut moves) = (Some(0), BTreeMap::new(), moves.chunks(7).cycle());
        let mut guard = 0;
        while let Some(from) = cursor {
            cursor = table.scan(from, count, &order, |entry| {
                *seen.entry(u64::from_le_bytes(entry.key().try_into().unwrap())).or_insert(0) += 1;
            });
            prop_assert!(cursor.is_none_or(|next| next > from), "the cursor must move on");
            guard += 1;
            if guard > 6000 { break; }
            for (insert, id) in moves.next().into_iter().flatten() {
                let key = (1_000_000 + id).to_le_bytes();
                match (insert, table.find(order(&key), &key).map(|(at, _)| at)) {
                    (true, None) => table.insert(order(&key), entry(&key, 2), &order),
                    (false, Some(at)) => drop(table.remove(at)),
                    _ => {}
                }
            }
        }
        for id in 0..lasting {
            prop_assert_eq!(seen.get(&id), Some(&1), "key {} of {}", id, lasting);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "many keys, of which only the memory is looked at")]
fn slots_are_well_used_at_every_size() {
    let order = scatter as fn(&[u8]) -> u64;
    let mut table = Table::default();
    let (mut worst, mut sum, mut samples) = (0.0_f64, 0.0, 0);
    for id in 0..100_000_u64 {
        let key = (id * 10).to_le_bytes();
        table.insert(order(&key), entry(&key, 0), &order);
        if table.len() > 1000 && table.len() % 500 == 0 {
            let bytes = table.memory_bytes() as f64 / table.len() as f64;
            worst = worst.max(bytes);
            sum += bytes;
            samples += 1;
        }
    }
    let mean = sum / f64::from(samples);
    assert!(mean < 9.5 && worst < 10.5, "bytes per key: mean {mean:.2}, worst {worst:.2}");
}

#[test]
fn a_fragment_finds_its_keys() {
    let order = scatter as fn(&[u8]) -> u64;
    let mut table = Table::default();
    for id in 0..5000 / LESS {
        table.insert(order(&(id * 10).to_le_bytes()), entry(&(id * 10).to_le_bytes(), 0), &order);
    }
    for id in 0..5000 / LESS {
        let key = (id * 10).to_le_bytes();
        let fragment = (order(&key) >> 32) as u32;
        assert!(table.find_fragment(fragment, |entry| entry.key() == key).is_some());
    }
}
