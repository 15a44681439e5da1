//! A counted B+tree that is copied where it is changed: what every large collection is made of.
//!
//! **Leaves** are packed chunks of a few KiB that hold the elements; what they look like is their own business, as long as they can be
//! split and joined. **Inner nodes** hold, child by child, where it begins (a separator), how many elements it has, and the
//! child itself. So a leaf is found by order, through separators, or by rank, through the counts; a list needs no order and
//! has separators that take no room.
//!
//! Nodes are counted, and cloning a tree shares the root: that is a **view**, which costs nothing and never changes. A change
//! copies those nodes of its path that a view still shares, a few KiB each, and goes in place everywhere else. So a
//! reader that takes a view and lets go of its lock sees one moment of the collection for as long as it likes.
//!
//! A node that has become too full is split, one that has become sparse is joined with a neighbour, on the way up from the
//! change; so a change costs the depth of the tree, which is 3 for a million elements.

use std::ops::Range;

use smallvec::SmallVec;
use triomphe::Arc;

use crate::size_class::size_class;

#[cfg(test)]
mod tests;
mod walk;

pub use walk::Leaves;

/// Most children of an inner node. Small in tests, so that their trees are deep.
const FAN_OUT: usize = if cfg!(test) { 6 } else { 64 };
/// With fewer children than this a node looks for a neighbour to join.
const SPARSE: usize = FAN_OUT / 4;
/// More levels than any tree has.
const DEPTH_MAX: usize = 12;

/// A chunk of elements.
pub trait Leaf: Clone {
    /// What tells where a leaf begins: nothing for lists, which are only looked up by rank.
    type Separator: Clone;

    /// Number of elements.
    fn len(&self) -> usize;

    /// Whether there are no elements.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How full it is.
    fn fill(&self) -> Fill;

    /// Whether the elements of the next leaf would find room in this one without making it nearly full.
    fn has_room_for(&self, next: &Self) -> bool;

    /// Where it begins: at most the order of its first element, and more than that of anything before it. It is not empty.
    fn separator(&self) -> Self::Separator;

    /// Gives its upper part away, of one element at least, and keeps one at least. It has two or more.
    #[must_use]
    fn split(&mut self) -> Self;

    /// Takes over the elements of the leaf that follows.
    fn append(&mut self, next: &Self);

    /// Removes elements by their numbers.
    fn remove(&mut self, elements: Range<usize>);

    /// Bytes of memory that it holds beside itself.
    fn memory_bytes(&self) -> usize;
}

/// How full a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// So empty that it should be joined with a neighbour.
    Sparse,
    /// Neither.
    Fair,
    /// So full that it has to be split.
    Full,
}

/// See the module's documentation.
#[derive(Clone)]
pub struct Tree<L: Leaf> {
    root: Option<Child<L>>,
}

#[derive(Clone)]
struct Child<L: Leaf> {
    /// Elements under it.
    len: usize,
    node: Arc<Node<L>>,
}

#[derive(Clone)]
enum Node<L: Leaf> {
    Leaf(L),
    Inner(Inner<L>),
}

/// As many separators as children. The first is never compared with: whatever comes before all others belongs to the first child.
struct Inner<L: Leaf> {
    separators: Vec<L::Separator>,
    children: Vec<Child<L>>,
}

impl<L: Leaf> Clone for Inner<L> {
    fn clone(&self) -> Inner<L> {
        Inner { separators: self.separators.clone(), children: self.children.clone() }
    }
}

/// Parts that a node gave away: where each begins, and the part.
type Parts<L> = SmallVec<[(<L as Leaf>::Separator, Child<L>); 1]>;

/// What became of a child by a change below it.
enum After<L: Leaf> {
    Fine,
    /// It has lost so much that it should be joined with a neighbour, or everything.
    Sparse,
    Empty,
    /// It gave parts of itself away, which follow it.
    Split(Parts<L>),
}

impl<L: Leaf> Default for Tree<L> {
    fn default() -> Tree<L> {
        Tree { root: None }
    }
}

impl<L: Leaf> Tree<L> {
    /// A tree of leaves in their order, none of them empty.
    #[must_use]
    pub fn from_leaves(leaves: impl IntoIterator<Item = L>) -> Tree<L> {
        let mut level: Vec<(L::Separator, Child<L>)> =
            leaves.into_iter().map(|leaf| (leaf.separator(), Child::leaf(leaf))).collect();
        while level.len() > 1 {
            // Not full, so that the first changes do not split everything.
            let nodes = level.len().div_ceil(FAN_OUT * 3 / 4);
            let each = level.len().div_ceil(nodes);
            let mut rest = level.into_iter().peekable();
            level = Vec::with_capacity(nodes);
            while rest.peek().is_some() {
                level.push(Inner::of(rest.by_ref().take(each)).into_child());
            }
        }
        Tree { root: level.pop().map(|(_, root)| root) }
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.len)
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The leaf that `choose` leads to: given the separators of some neighbours, it names the one to go on with, which is the last
    /// that does not come after what is wanted. (The first is no bound: it may be larger than what comes before all others.)
    #[inline]
    #[must_use]
    pub fn leaf(&self, mut choose: impl FnMut(&[L::Separator]) -> usize) -> Option<&L> {
        let mut node = &*self.root.as_ref()?.node;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => node = &inner.children[choose(&inner.separators)].node,
            }
        }
    }

    /// The leaf that `choose` leads to, and the number of elements before it.
    #[must_use]
    pub fn leaf_and_rank(&self, mut choose: impl FnMut(&[L::Separator]) -> usize) -> Option<(&L, usize)> {
        let mut node = &*self.root.as_ref()?.node;
        let mut rank = 0;
        loop {
            match node {
                Node::Leaf(leaf) => return Some((leaf, rank)),
                Node::Inner(inner) => {
                    let chosen = choose(&inner.separators);
                    rank += inner.children[..chosen].iter().map(|child| child.len).sum::<usize>();
                    node = &inner.children[chosen].node;
                }
            }
        }
    }

    /// The leaf that holds the element of this rank, and the element's number in it.
    #[must_use]
    pub fn leaf_at(&self, mut rank: usize) -> Option<(&L, usize)> {
        let root = self.root.as_ref().filter(|root| rank < root.len)?;
        let mut node = &*root.node;
        loop {
            match node {
                Node::Leaf(leaf) => return Some((leaf, rank)),
                Node::Inner(inner) => node = &inner.children[inner.child_at(&mut rank)].node,
            }
        }
    }

    /// The first leaf.
    #[must_use]
    pub fn first(&self) -> Option<&L> {
        self.leaf(|_| 0)
    }

    /// The last leaf.
    #[must_use]
    pub fn last(&self) -> Option<&L> {
        self.leaf(|separators| separators.len() - 1)
    }

    /// Changes the leaf that `choose` leads to, see [`Tree::leaf`].
    #[inline]
    pub fn change<R>(
        &mut self,
        mut choose: impl FnMut(&[L::Separator]) -> usize,
        change: impl FnOnce(&mut L) -> R,
    ) -> Option<R> {
        self.change_by(&mut |inner| choose(&inner.separators), change)
    }

    /// Changes the leaf that holds the element of this rank, given the element's number in it.
    pub fn change_at<R>(&mut self, mut rank: usize, change: impl FnOnce(&mut L, usize) -> R) -> Option<R> {
        let (_, number) = self.leaf_at(rank)?;
        self.change_by(&mut |inner| inner.child_at(&mut rank), |leaf| change(leaf, number))
    }

    /// Puts a leaf, which is not empty, behind all others: what fills up from one end has full leaves.
    pub fn push_back(&mut self, leaf: L) {
        if self.root.is_none() {
            self.root = Some(Child::leaf(leaf));
            return;
        }
        self.divide(&mut |inner| inner.children.len() - 1, |_| vec![leaf]);
    }

    /// Puts a leaf, which is not empty, in front of all others.
    pub fn push_front(&mut self, leaf: L) {
        if self.root.is_none() {
            self.root = Some(Child::leaf(leaf));
            return;
        }
        self.divide(&mut |_| 0, |first| vec![std::mem::replace(first, leaf)]);
    }

    /// Changes the leaf that holds the element of this rank, given the element's number in it, into itself and leaves that follow
    /// it, none of them empty.
    pub fn divide_at(&mut self, mut rank: usize, change: impl FnOnce(&mut L, usize) -> Vec<L>) {
        if let Some((_, number)) = self.leaf_at(rank) {
            self.divide(&mut |inner| inner.child_at(&mut rank), |leaf| change(leaf, number));
        }
    }

    /// Removes elements by their ranks. Leaves that lose all are not looked at.
    pub fn remove(&mut self, ranks: Range<usize>) {
        let Some(root) = &mut self.root else { return };
        let ranks = ranks.start.min(root.len)..ranks.end.min(root.len);
        if ranks.is_empty() {
            return;
        }
        if ranks.len() == root.len {
            self.root = None;
            return;
        }
        root.remove(ranks);
        self.settle(After::Fine);
    }

    /// The leaves from the one on that `choose` leads to, in order.
    #[must_use]
    pub fn leaves_from(&self, mut choose: impl FnMut(&[L::Separator]) -> usize) -> Leaves<'_, L> {
        Leaves::new(self.root.as_ref(), |inner| choose(&inner.separators))
    }

    /// The leaves from the one on that holds the element of this rank, in order, and the element's number in the first.
    #[must_use]
    pub fn leaves_at(&self, mut rank: usize) -> (Leaves<'_, L>, usize) {
        let number = self.leaf_at(rank).map_or(0, |(_, number)| number);
        let root = self.root.as_ref().filter(|root| rank < root.len);
        (Leaves::new(root, |inner| inner.child_at(&mut rank)), number)
    }

    /// All leaves in order.
    #[must_use]
    pub fn leaves(&self) -> Leaves<'_, L> {
        self.leaves_from(|_| 0)
    }

    /// Bytes of memory that it holds: counted if it has `sample` leaves at most, else estimated from so many.
    #[must_use]
    pub fn memory_bytes(&self, sample: usize) -> usize {
        // A child's share of its parent, which is about two thirds full.
        let share = (size_of::<Child<L>>() + size_of::<L::Separator>()) * 3 / 2;
        let node = size_class(size_of::<Node<L>>() + size_of::<usize>());
        let bytes = |leaf: &L| leaf.memory_bytes() + node + share;
        let mut leaves = self.leaves();
        let counted = leaves.by_ref().take(sample).map(bytes).sum();
        if leaves.next().is_none() {
            return counted;
        }
        // A leaf is met as often as it has elements: what an element takes in it, on average, is what all take.
        let ranks = (0..sample).map(|number| self.len() * number / sample);
        let each = ranks
            .filter_map(|rank| self.leaf_at(rank))
            .map(|(leaf, _)| bytes(leaf) as f64 / leaf.len() as f64);
        (each.sum::<f64>() / sample as f64 * self.len() as f64) as usize
    }

    #[inline]
    fn change_by<R>(
        &mut self,
        choose: &mut impl FnMut(&Inner<L>) -> usize,
        change: impl FnOnce(&mut L) -> R,
    ) -> Option<R> {
        let (result, after) = self.root.as_mut()?.change(choose, change);
        if !matches!(after, After::Fine) {
            self.settle(after);
        }
        Some(result)
    }

    fn divide(&mut self, choose: &mut impl FnMut(&Inner<L>) -> usize, change: impl FnOnce(&mut L) -> Vec<L>) {
        if let Some(root) = &mut self.root {
            let after = root.divide(choose, change);
            self.settle(after);
        }
    }

    /// Gives the root what became of it: a level more, or less.
    #[cold]
    fn settle(&mut self, after: After<L>) {
        match after {
            After::Empty => self.root = None,
            After::Split(parts) => {
                if let Some(root) = self.root.take() {
                    let first = (root.node.separator(), root);
                    let (_, root) = Inner::of(std::iter::once(first).chain(parts)).into_child();
                    self.root = Some(root);
                    // Parts of one giant change may be more than a node takes.
                    while let Some(root) = &mut self.root
                        && let Some(parts) = root.split_inner()
                    {
                        self.settle(After::Split(parts));
                    }
                }
            }
            After::Fine | After::Sparse => {
                while let Some(root) = &mut self.root
                    && let Node::Inner(inner) = &*root.node
                    && let [only] = &inner.children[..]
                {
                    *root = only.clone();
                }
            }
        }
    }
}

impl<L: Leaf> Child<L> {
    fn leaf(leaf: L) -> Child<L> {
        Child { len: leaf.len(), node: Arc::new(Node::Leaf(leaf)) }
    }

    #[inline]
    fn change<R>(
        &mut self,
        choose: &mut impl FnMut(&Inner<L>) -> usize,
        change: impl FnOnce(&mut L) -> R,
    ) -> (R, After<L>) {
        match Arc::make_mut(&mut self.node) {
            Node::Leaf(leaf) => {
                let result = change(leaf);
                self.len = leaf.len();
                let after = match leaf.fill() {
                    _ if self.len == 0 => After::Empty,
                    Fill::Fair => After::Fine,
                    Fill::Sparse => After::Sparse,
                    Fill::Full => self.split_leaf(),
                };
                (result, after)
            }
            Node::Inner(inner) => {
                let chosen = choose(inner);
                let before = inner.children[chosen].len;
                let (result, after) = inner.children[chosen].change(choose, change);
                self.len = self.len - before + inner.children[chosen].len;
                match after {
                    After::Fine => (result, After::Fine),
                    after => {
                        let after = inner.settle(chosen, after);
                        self.len = inner.len();
                        (result, after)
                    }
                }
            }
        }
    }

    /// Splits a leaf that is full until no part is.
    #[cold]
    fn split_leaf(&mut self) -> After<L> {
        let mut parts = SmallVec::new();
        if let Node::Leaf(leaf) = Arc::make_mut(&mut self.node) {
            split_into(leaf, &mut parts);
            self.len = leaf.len();
        }
        if parts.is_empty() { After::Fine } else { After::Split(parts) }
    }

    /// Splits an inner node that has too many children.
    fn split_inner(&mut self) -> Option<Parts<L>> {
        let Node::Inner(inner) = Arc::make_mut(&mut self.node) else { return None };
        let parts = inner.split();
        self.len = inner.len();
        parts
    }

    fn divide(
        &mut self,
        choose: &mut impl FnMut(&Inner<L>) -> usize,
        change: impl FnOnce(&mut L) -> Vec<L>,
    ) -> After<L> {
        match Arc::make_mut(&mut self.node) {
            Node::Leaf(leaf) => {
                let parts: Parts<L> =
                    change(leaf).into_iter().map(|part| (part.separator(), Child::leaf(part))).collect();
                self.len = leaf.len();
                if parts.is_empty() { After::Fine } else { After::Split(parts) }
            }
            Node::Inner(inner) => {
                let chosen = choose(inner);
                let after = inner.children[chosen].divide(choose, change);
                let after = inner.settle(chosen, after);
                self.len = inner.len();
                after
            }
        }
    }

    /// Removes some elements, but not all.
    fn remove(&mut self, ranks: Range<usize>) {
        self.len -= ranks.len();
        match Arc::make_mut(&mut self.node) {
            Node::Leaf(leaf) => leaf.remove(ranks),
            Node::Inner(inner) => inner.remove(ranks),
        }
    }
}

fn split_into<L: Leaf>(leaf: &mut L, parts: &mut Parts<L>) {
    if leaf.fill() != Fill::Full || leaf.len() < 2 {
        return;
    }
    let mut upper = leaf.split();
    split_into(leaf, parts);
    let at = parts.len();
    split_into(&mut upper, parts);
    parts.insert(at, (upper.separator(), Child::leaf(upper)));
}

impl<L: Leaf> Node<L> {
    fn separator(&self) -> L::Separator {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.separator(),
                Node::Inner(inner) => node = &inner.children[0].node,
            }
        }
    }
}

impl<L: Leaf> Inner<L> {
    fn of(children: impl Iterator<Item = (L::Separator, Child<L>)>) -> Inner<L> {
        let (separators, children) = children.unzip();
        Inner { separators, children }
    }

    fn into_child(self) -> (L::Separator, Child<L>) {
        (self.separators[0].clone(), Child { len: self.len(), node: Arc::new(Node::Inner(self)) })
    }

    fn len(&self) -> usize {
        self.children.iter().map(|child| child.len).sum()
    }

    /// The child that holds the element of this rank, which becomes its rank in the child.
    #[inline]
    fn child_at(&self, rank: &mut usize) -> usize {
        for (at, child) in self.children.iter().enumerate() {
            if *rank < child.len {
                return at;
            }
            *rank -= child.len;
        }
        self.children.len() - 1
    }

    /// Puts right what a change has done to a child, and says what that does to this node.
    #[cold]
    fn settle(&mut self, chosen: usize, after: After<L>) -> After<L> {
        match after {
            After::Fine => {}
            After::Empty => {
                self.separators.remove(chosen);
                self.children.remove(chosen);
            }
            After::Sparse => self.join(chosen),
            After::Split(parts) => {
                let (separators, children): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                self.separators.splice(chosen + 1..chosen + 1, separators);
                self.children.splice(chosen + 1..chosen + 1, children);
            }
        }
        match self.split() {
            Some(parts) => After::Split(parts),
            None if self.children.is_empty() => After::Empty,
            None if self.children.len() < SPARSE => After::Sparse,
            None => After::Fine,
        }
    }

    /// Gives children away until this node and the parts have no more than they may.
    fn split(&mut self) -> Option<Parts<L>> {
        if self.children.len() <= FAN_OUT {
            return None;
        }
        let nodes = self.children.len().div_ceil(FAN_OUT).max(2);
        let each = self.children.len().div_ceil(nodes);
        let children = self.children.split_off(each);
        let mut rest = self.separators.split_off(each).into_iter().zip(children).peekable();
        let mut parts = SmallVec::new();
        while rest.peek().is_some() {
            parts.push(Inner::of(rest.by_ref().take(each)).into_child());
        }
        Some(parts)
    }

    /// Joins a child with a neighbour if one has room.
    fn join(&mut self, chosen: usize) {
        let before = chosen.checked_sub(1);
        for first in [Some(chosen), before].into_iter().flatten() {
            if first + 1 < self.children.len() && self.join_with_next(first) {
                return;
            }
        }
    }

    fn join_with_next(&mut self, first: usize) -> bool {
        let begins = self.separators[first + 1].clone();
        let (head, tail) = self.children.split_at_mut(first + 1);
        let (one, next) = (&mut head[first], &tail[0]);
        let fits = match (&*one.node, &*next.node) {
            (Node::Leaf(one), Node::Leaf(next)) => one.has_room_for(next),
            (Node::Inner(one), Node::Inner(next)) => {
                one.children.len() + next.children.len() <= FAN_OUT * 3 / 4
            }
            _ => false,
        };
        if !fits {
            return false;
        }
        match (Arc::make_mut(&mut one.node), &*next.node) {
            (Node::Leaf(one), Node::Leaf(next)) => one.append(next),
            (Node::Inner(one), Node::Inner(next)) => {
                // The first child may begin before its own separator, which was never compared with.
                one.separators.push(begins);
                one.separators.extend_from_slice(&next.separators[1..]);
                one.children.extend_from_slice(&next.children);
            }
            _ => {}
        }
        one.len += next.len;
        self.separators.remove(first + 1);
        self.children.remove(first + 1);
        true
    }

    /// Removes some elements, but not all.
    fn remove(&mut self, ranks: Range<usize>) {
        let (mut start, mut gone, mut edges) = (0, Vec::new(), Vec::new());
        for (at, child) in self.children.iter_mut().enumerate() {
            let end = start + child.len;
            let cut = ranks.start.clamp(start, end)..ranks.end.clamp(start, end);
            if cut.len() == child.len {
                gone.push(at);
            } else if !cut.is_empty() {
                child.remove(cut.start - start..cut.end - start);
                edges.push(at - gone.len());
            }
            start = end;
        }
        if let (Some(first), Some(last)) = (gone.first(), gone.last()) {
            self.separators.drain(*first..=*last);
            self.children.drain(*first..=*last);
        }
        for edge in edges.into_iter().rev() {
            let sparse = match &*self.children[edge].node {
                Node::Leaf(leaf) => leaf.fill() == Fill::Sparse,
                Node::Inner(inner) => inner.children.len() < SPARSE,
            };
            if sparse {
                self.join(edge);
            }
        }
    }
}
