use proptest::prelude::*;

use super::*;

/// A leaf of at most eight numbers.
#[derive(Clone, Debug)]
struct Numbers(Vec<u32>);

impl Leaf for Numbers {
    type Separator = u32;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn fill(&self) -> Fill {
        match self.0.len() {
            0..=2 => Fill::Sparse,
            3..=8 => Fill::Fair,
            _ => Fill::Full,
        }
    }

    fn has_room_for(&self, next: &Self) -> bool {
        self.0.len() + next.0.len() <= 6
    }

    fn separator(&self) -> u32 {
        self.0[0]
    }

    fn split(&mut self) -> Self {
        Numbers(self.0.split_off(self.0.len() / 2))
    }

    fn append(&mut self, next: &Self) {
        self.0.extend_from_slice(&next.0);
    }

    fn remove(&mut self, elements: Range<usize>) {
        self.0.drain(elements);
    }

    fn memory_bytes(&self) -> usize {
        self.0.capacity() * 4
    }
}

fn by(wanted: u32) -> impl FnMut(&[u32]) -> usize {
    move |separators| separators[1..].partition_point(|separator| *separator <= wanted)
}

fn numbers(tree: &Tree<Numbers>) -> Vec<u32> {
    tree.leaves().flat_map(|leaf| leaf.0.iter().copied()).collect()
}

/// Puts numbers where the first belongs, but only that one if the others might belong to another leaf; returns how many it put.
fn insert(tree: &mut Tree<Numbers>, numbers: &[u32]) -> usize {
    let inserted = tree.change(by(numbers[0]), |leaf| {
        let at = leaf.0.partition_point(|other| *other < numbers[0]);
        let count = if at < leaf.0.len() { numbers.len() } else { 1 };
        leaf.0.splice(at..at, numbers[..count].iter().copied());
        count
    });
    inserted.unwrap_or_else(|| {
        tree.push_back(Numbers(numbers.to_vec()));
        numbers.len()
    })
}

/// Every node has as many separators as children, no more than it may, and knows how many elements it has.
fn check(child: &Child<Numbers>) {
    match &*child.node {
        Node::Leaf(leaf) => {
            assert_eq!(child.len, leaf.len());
            assert!((1..=8).contains(&leaf.len()), "{leaf:?}");
        }
        Node::Inner(inner) => {
            assert_eq!(inner.separators.len(), inner.children.len());
            assert!((1..=FAN_OUT).contains(&inner.children.len()));
            assert_eq!(child.len, inner.len());
            inner.children.iter().for_each(check);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u32, usize),
    RemoveOne(usize),
    Remove(usize, usize),
    PushBack(usize),
    PushFront(usize),
    View,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1000..2000_u32, prop_oneof![9 => Just(1), 1 => 1..70_usize]).prop_map(|(n, times)| Step::Insert(n, times)),
        6 => any::<usize>().prop_map(Step::RemoveOne),
        1 => (any::<usize>(), 0..200_usize).prop_map(|(from, len)| Step::Remove(from, len)),
        1 => (1..9_usize).prop_map(Step::PushBack),
        1 => (1..9_usize).prop_map(Step::PushFront),
        1 => Just(Step::View),
    ]
}

proptest! {
    /// Whatever is done to a tree, it holds what a sorted vector would hold; and a view holds what the tree held then.
    #[test]
    fn a_tree_is_a_sequence(steps in prop::collection::vec(step(), 0..300)) {
        let mut tree: Tree<Numbers> = Tree::default();
        let mut model: Vec<u32> = Vec::new();
        let mut views: Vec<(Tree<Numbers>, Vec<u32>)> = Vec::new();
        for step in steps {
            match step {
                Step::Insert(number, count) => {
                    let (number, count) = (number * 1000, if model.is_empty() { count.min(8) } else { count });
                    let at = model.partition_point(|other| *other < number);
                    let next = model.get(at).copied().unwrap_or(u32::MAX);
                    let new: Vec<u32> = (number..next.min(number + count as u32)).collect();
                    if !new.is_empty() {
                        let count = insert(&mut tree, &new);
                        model.splice(at..at, new[..count].iter().copied());
                    }
                }
                Step::RemoveOne(rank) if !model.is_empty() => {
                    let rank = rank % model.len();
                    let removed = tree.change_at(rank, |leaf, at| leaf.0.remove(at));
                    prop_assert_eq!(removed, Some(model.remove(rank)));
                }
                Step::Remove(from, len) => {
                    let from = from % (model.len() + 1);
                    let to = model.len().min(from + len);
                    tree.remove(from..from + len);
                    model.drain(from..to);
                }
                Step::PushBack(len) => {
                    let last = model.last().copied().unwrap_or(1_500_000);
                    let new: Vec<u32> = (last + 1..).take(len).collect();
                    tree.push_back(Numbers(new.clone()));
                    model.extend(new);
                }
                Step::PushFront(len) => {
                    let first = model.first().copied().unwrap_or(1_500_000);
                    let new: Vec<u32> = (first - len as u32..first).collect();
                    tree.push_front(Numbers(new.clone()));
                    model.splice(0..0, new);
                }
                Step::View => views.push((tree.clone(), model.clone())),
                Step::RemoveOne(_) => {}
            }
            if let Some(root) = &tree.root {
                check(root);
            }
            prop_assert_eq!((tree.len(), tree.is_empty()), (model.len(), model.is_empty()));
        }
        prop_assert_eq!(numbers(&tree), &model[..]);
        for (view, then) in &views {
            prop_assert_eq!(&numbers(view), then);
        }
        for (rank, number) in model.iter().enumerate() {
            let (leaf, at) = tree.leaf_at(rank).unwrap();
            prop_assert_eq!(leaf.0[at], *number);
            let (leaf, before) = tree.leaf_and_rank(by(*number)).unwrap();
            prop_assert_eq!(leaf.0.get(rank - before), Some(number));
            let (mut leaves, at) = tree.leaves_at(rank);
            prop_assert_eq!(leaves.clone().next().unwrap().0[at], *number);
            let before = std::iter::from_fn(|| leaves.previous()).map(Leaf::len).sum::<usize>();
            prop_assert!(before > rank);
        }
        prop_assert!(tree.leaf_at(model.len()).is_none());
    }

    /// A tree made at once is one that was filled step by step.
    #[test]
    fn a_tree_of_leaves_is_their_sequence(lens in prop::collection::vec(1..9_usize, 0..200)) {
        let leaves: Vec<Numbers> = lens.iter().enumerate().map(|(at, len)| Numbers(vec![at as u32; *len])).collect();
        let expected: Vec<u32> = leaves.iter().flat_map(|leaf| leaf.0.clone()).collect();
        let tree = Tree::from_leaves(leaves);
        if let Some(root) = &tree.root {
            check(root);
        }
        prop_assert_eq!(numbers(&tree), expected);
    }
}
