use proptest::prelude::*;

use super::*;
use crate::{Attributes, Encoding};

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0..300_u32).prop_map(|number| number.to_string().into_bytes()),
        2 => (0..50_u32).prop_map(|number| format!("member{number}").into_bytes()),
        1 => Just(vec![b'x'; 2000]),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-5..5_i32).prop_map(f64::from),
        (-100..100_i32).prop_map(|n| f64::from(n) / 8.0),
        Just(f64::INFINITY)
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, f64),
    Remove(Vec<u8>),
    Pop(Direction),
    RemoveRanks(usize, usize),
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (member(), score()).prop_map(|(member, score)| Step::Put(member, score)),
        4 => member().prop_map(Step::Remove),
        1 => direction().prop_map(Step::Pop),
        1 => (any::<usize>(), 0..20_usize).prop_map(|(start, len)| Step::RemoveRanks(start, len)),
    ]
}

/// In order.
type Model = Vec<(f64, Vec<u8>)>;

fn place(model: &Model, score: f64, member: &[u8]) -> usize {
    model.partition_point(|(other, other_member)| (*other, &other_member[..]) < (score, member))
}

fn forget(model: &mut Model, member: &[u8]) -> Option<f64> {
    let at = model.iter().position(|(_, other)| other == member)?;
    Some(model.remove(at).0)
}

fn all(set: SortedSetRef<'_>, ranks: Range<usize>, direction: Direction) -> Model {
    let mut all = Vec::new();
    set.each(ranks, direction, |member, score| all.push((score, member.to_vec())));
    all
}

proptest! {
    /// Small or large, a sorted set holds what a sorted vector would hold, and knows ranks and counts.
    #[test]
    fn a_sorted_set_is_a_sorted_vector(steps in prop::collection::vec(step(), 0..600), entries in prop_oneof![Just(8_usize), Just(128)]) {
        let limits = PackedLimits { entries, value_bytes: 64 };
        let mut entry = Entry::new(b"key", 0, &Attributes::default(), empty());
        let mut model = Model::new();
        for step in steps {
            let mut set = SortedSetMut::of(&mut entry, limits);
            match step {
                Step::Put(member, score) => {
                    let old = set.put(&member, score);
                    prop_assert_eq!(old, forget(&mut model, &member));
                    let at = place(&model, score, &member);
                    model.insert(at, (score, member));
                }
                Step::Remove(member) => prop_assert_eq!(set.remove(&member), forget(&mut model, &member)),
                Step::Pop(from) if !model.is_empty() => {
                    let popped = set.pop(from, |member, score| (score, member.to_vec()));
                    let expected = match from {
                        Direction::Ascending => Some(model.remove(0)),
                        Direction::Descending => model.pop(),
                    };
                    prop_assert_eq!(popped, expected);
                }
                Step::RemoveRanks(start, len) => {
                    let start = start % (model.len() + 1);
                    let end = model.len().min(start + len);
                    set.remove_ranks(start..end);
                    model.drain(start..end);
                }
                Step::Pop(_) => {}
            }
            prop_assert_eq!(SortedSetRef::of(&entry).len(), model.len());
            prop_assert_eq!(entry.is_spent(), model.is_empty());
            prop_assert!(model.len() <= entries || entry.encoding() == Encoding::Large);
            if let Some(Large::SortedSet(set)) = entry.large() {
                prop_assert_eq!(set.scores.len(), set.order.len());
            }
        }
        let set = SortedSetRef::of(&entry);
        prop_assert_eq!(&all(set, 0..usize::MAX, Direction::Ascending), &model);
        let mut descending = all(set, 0..usize::MAX, Direction::Descending);
        descending.reverse();
        prop_assert_eq!(&descending, &model);
        let middle = model.len() / 3..model.len() / 2;
        prop_assert_eq!(&all(set, middle.clone(), Direction::Ascending)[..], &model[middle.clone()]);
        let mut part = all(set, middle.clone(), Direction::Descending);
        part.reverse();
        prop_assert_eq!(&part[..], &model[middle]);
        for (rank, (score, member)) in model.iter().enumerate() {
            prop_assert_eq!(set.rank(member), Some((rank, *score)));
            prop_assert_eq!(set.score(member), Some(*score));
            prop_assert_eq!(set.at(rank).map(|(member, score)| (score, member.to_vec())), Some((*score, member.clone())));
            let below = model.partition_point(|(other, _)| other < score);
            prop_assert_eq!(set.count_while(|other, _| other < *score), below);
        }
        prop_assert_eq!((set.rank(b"none"), set.score(b"none")), (None, None));
    }
}
