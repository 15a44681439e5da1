use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0..400_u32).prop_map(|number| number.to_string().into_bytes()),
        1 => (0..10_u8, prop_oneof![Just(251_usize), Just(252), Just(1024), Just(1025)])
            .prop_map(|(fill, len)| vec![fill; len]),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![9 => 0..60_usize, 1 => 240..260_usize, 1 => 1000..1100_usize];
    (len, any::<u8>()).prop_map(|(len, fill)| vec![fill; len])
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, Vec<u8>, Option<i64>),
    Remove(Vec<u8>),
    RemoveAt(usize),
    View,
}

fn step() -> impl Strategy<Value = Step> {
    let expiry = prop_oneof![3 => Just(None), 1 => any::<i64>().prop_map(Some)];
    prop_oneof![
        8 => (member(), value(), expiry).prop_map(|(member, value, expiry)| Step::Put(member, value, expiry)),
        4 => member().prop_map(Step::Remove),
        1 => any::<usize>().prop_map(Step::RemoveAt),
        1 => Just(Step::View),
    ]
}

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn read(field: Field<'_>) -> (Vec<u8>, Option<i64>) {
    (field.text.bytes().to_vec(), field.expires_at.map(|at| at.0))
}

fn all(table: &Hashtable<Fields>) -> Model {
    table.iter().map(|(member, field)| (member.bytes().to_vec(), read(field))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is done to a hashtable, it holds what a map would hold; and a view holds what it held then.
    #[test]
    fn a_hashtable_is_a_map(steps in prop::collection::vec(step(), 0..1200)) {
        let (mut table, mut model) = (Hashtable::<Fields>::default(), Model::new());
        let mut views = Vec::new();
        for step in steps {
            match step {
                Step::Put(member, value, expiry) => {
                    let field = Field { text: Text::Bytes(&value), expires_at: expiry.map(UnixMillis) };
                    let old = table.put(&member, field, |old| old.map(read));
                    prop_assert_eq!(old, model.insert(member, (value, expiry)));
                }
                Step::Remove(member) => {
                    prop_assert_eq!(table.remove(&member, read), model.remove(&member));
                }
                Step::RemoveAt(rank) if !model.is_empty() => {
                    let rank = rank % model.len();
                    let at = table.at(rank).map(|(member, _)| member.bytes().to_vec());
                    let removed = table.remove_at(rank, |member, field| (member.bytes().to_vec(), read(field)));
                    let (member, field) = removed.unwrap();
                    prop_assert_eq!(at, Some(member.clone()));
                    prop_assert_eq!(model.remove(&member), Some(field));
                }
                Step::View if views.len() < 5 => views.push((table.clone(), model.clone())),
                Step::RemoveAt(_) | Step::View => {}
            }
            prop_assert_eq!((table.len(), table.is_empty()), (model.len(), model.is_empty()));
        }
        prop_assert_eq!(&all(&table), &model);
        for (member, field) in &model {
            prop_assert_eq!(table.find(member).map(read), Some(field.clone()));
        }
        prop_assert!(table.find(b"not there").is_none());
        for (view, then) in &views {
            prop_assert_eq!(&all(view), then);
        }
    }

    /// A walk meets what stays exactly once, whatever comes and goes meanwhile.
    #[test]
    fn a_walk_meets_each_lasting_member_once(count in 1..40_usize, coming in prop::collection::vec(0..3000_u32, 0..400)) {
        let mut table = Hashtable::<Members>::default();
        for number in 0..1000_u32 {
            table.put(&number.to_le_bytes(), (), |_| ());
        }
        let (mut met, mut cursor, mut coming) = (BTreeMap::new(), 0, coming.into_iter());
        loop {
            cursor = table.scan(cursor, count, |member, ()| *met.entry(member.bytes().to_vec()).or_insert(0) += 1);
            if cursor == 0 {
                break;
            }
            for number in coming.by_ref().take(10) {
                if number < 1000 || !table.contains(&number.to_le_bytes()) {
                    table.put(&number.to_le_bytes(), (), |_| ());
                } else {
                    table.remove(&number.to_le_bytes(), |()| ());
                }
            }
        }
        for number in 0..1000_u32 {
            prop_assert_eq!(met.get(&number.to_le_bytes()[..]), Some(&1), "{}", number);
        }
        prop_assert_eq!(table.scan(u64::MAX, 10, |_, ()| ()), 0);
    }
}

#[test]
fn a_member_costs_few_bytes_above_its_own() {
    let mut table = Hashtable::<Members>::default();
    for number in 0..200_000_u32 {
        table.put(format!("m{number:012}").as_bytes(), (), |_| ());
    }
    let each = table.memory_bytes(usize::MAX) as f64 / 200_000.0;
    assert!(each < 13.0 + 14.0, "{each} bytes for a member of 13");
}
