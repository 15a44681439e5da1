use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::{Attributes, Encoding};

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (-300..300_i64).prop_map(|number| number.to_string().into_bytes()),
        3 => (0..30_usize, 0..4_u8).prop_map(|(len, fill)| vec![b'a' + fill; len]),
        1 => prop_oneof![Just(500_usize), Just(2048), Just(2049), Just(5000)].prop_map(|len| vec![b'x'; len]),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Push(End, Vec<u8>),
    Fill(End, usize),
    Pop(End),
    Set(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    RemoveEqual(Vec<u8>, usize, End),
    Trim(usize, usize),
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Head), Just(End::Tail)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (end(), word()).prop_map(|(end, word)| Step::Push(end, word)),
        2 => (end(), 0..400_usize).prop_map(|(end, count)| Step::Fill(end, count)),
        6 => end().prop_map(Step::Pop),
        3 => (any::<usize>(), word()).prop_map(|(at, word)| Step::Set(at, word)),
        3 => (any::<usize>(), word()).prop_map(|(at, word)| Step::Insert(at, word)),
        2 => (word(), 1..5_usize, end()).prop_map(|(word, count, end)| Step::RemoveEqual(word, count, end)),
        1 => (0..100_usize, 0..300_usize).prop_map(|(start, len)| Step::Trim(start, len)),
    ]
}

fn push(list: &mut ListMut<'_>, model: &mut VecDeque<Vec<u8>>, end: End, word: Vec<u8>) {
    list.expect(1, word.len());
    list.push(end, Element::of(&word));
    match end {
        End::Head => model.push_front(word),
        End::Tail => model.push_back(word),
    }
}

fn remove_equal(model: &mut VecDeque<Vec<u8>>, word: &[u8], count: usize, from: End) -> usize {
    let mut ranks: Vec<usize> = (0..model.len()).filter(|rank| model[*rank] == word).collect();
    if from == End::Tail {
        ranks.reverse();
    }
    ranks.truncate(count);
    ranks.sort_unstable();
    ranks.iter().rev().for_each(|rank| drop(model.remove(*rank)));
    ranks.len()
}

proptest! {
    /// Small or large, a list holds what a deque would hold, and reads the same from both ends.
    #[test]
    fn a_list_is_a_deque(steps in prop::collection::vec(step(), 0..120), limit in prop_oneof![Just(-2), Just(16)]) {
        let limit = ListLimit::of(limit);
        let mut entry = Entry::new(b"key", 0, &Attributes::default(), empty());
        let mut model = VecDeque::new();
        for step in steps {
            let mut list = ListMut::of(&mut entry, limit);
            match step {
                Step::Push(end, word) => push(&mut list, &mut model, end, word),
                Step::Fill(end, count) => {
                    for number in 0..count {
                        push(&mut list, &mut model, end, format!("element {number}").into_bytes());
                    }
                }
                Step::Pop(end) => {
                    let popped = list.pop(end, |element| element.to_vec());
                    list.settle();
                    let expected = match end {
                        End::Head => model.pop_front(),
                        End::Tail => model.pop_back(),
                    };
                    prop_assert_eq!(popped, expected);
                }
                Step::Set(at, word) if !model.is_empty() => {
                    let at = at % model.len();
                    list.set(at, Element::of(&word));
                    model[at] = word;
                }
                Step::Insert(at, word) => {
                    let at = at % (model.len() + 1);
                    list.insert(at, Element::of(&word));
                    model.insert(at, word);
                }
                Step::RemoveEqual(word, count, from) => {
                    let removed = list.remove_equal(&word, count, from);
                    prop_assert_eq!(removed, remove_equal(&mut model, &word, count, from));
                }
                Step::Trim(start, len) => {
                    let start = start.min(model.len());
                    let end = model.len().min(start + len);
                    list.trim(start..end);
                    model = model.range(start..end).cloned().collect();
                }
                Step::Set(..) => {}
            }
            prop_assert_eq!(ListRef::of(&entry).len(), model.len());
            prop_assert_eq!(entry.is_spent(), model.is_empty());
            if let Some(Large::List(list)) = entry.large() {
                prop_assert_eq!(list.bytes, list.chunks.leaves().map(Chunk::bytes).sum::<usize>());
            }
            prop_assert!(model.len() < 700 || entry.encoding() == Encoding::Large);
        }
        let list = ListRef::of(&entry);
        let mut forward = Vec::new();
        list.each_while(0..list.len(), End::Head, |rank, element| {
            assert_eq!(rank, forward.len());
            forward.push(element.to_vec());
            true
        });
        prop_assert_eq!(&forward, &Vec::from(model.clone()));
        let mut backward = Vec::new();
        list.each_while(0..list.len(), End::Tail, |rank, element| {
            assert_eq!(rank, forward.len() - 1 - backward.len());
            backward.push(element.to_vec());
            true
        });
        backward.reverse();
        prop_assert_eq!(&backward, &forward);
        let middle = model.len() / 3..model.len() / 2;
        let mut part = Vec::new();
        list.each_while(middle.clone(), End::Head, |_, element| {
            part.push(element.to_vec());
            true
        });
        prop_assert_eq!(&part[..], &forward[middle]);
        for (rank, word) in model.iter().enumerate() {
            prop_assert_eq!(list.at(rank).map(Element::to_vec), Some(word.clone()));
            prop_assert_eq!(list.find(word), model.iter().position(|other| other == word));
        }
    }
}
