//! Walking over the leaves of a tree.

use smallvec::SmallVec;

use super::{Child, DEPTH_MAX, Inner, Leaf, Node};

/// The leaves of a tree from one on, in order; or back from it, by [`Leaves::previous`].
#[derive(Clone)]
pub struct Leaves<'a, L: Leaf> {
    /// From the root down: each inner node with the child that is next.
    path: SmallVec<[(&'a Inner<L>, usize); DEPTH_MAX]>,
    /// The leaf that is next.
    leaf: Option<&'a L>,
}

impl<'a, L: Leaf> Leaves<'a, L> {
    pub(super) fn new(
        root: Option<&'a Child<L>>,
        mut choose: impl FnMut(&Inner<L>) -> usize,
    ) -> Leaves<'a, L> {
        let mut leaves = Leaves { path: SmallVec::new(), leaf: None };
        if let Some(root) = root {
            leaves.descend(&root.node, &mut choose);
        }
        leaves
    }

    /// The next leaf; what comes next is then the one before it.
    pub fn previous(&mut self) -> Option<&'a L> {
        self.step(|at, _| at.checked_sub(1), |inner| inner.children.len() - 1)
    }

    /// The leaf that is next, and goes to the nearest neighbour: up to where `beside` names one, and down along `edge`.
    #[inline]
    fn step(
        &mut self,
        beside: impl Fn(usize, usize) -> Option<usize>,
        mut edge: impl FnMut(&Inner<L>) -> usize,
    ) -> Option<&'a L> {
        let leaf = self.leaf.take();
        while let Some((inner, at)) = self.path.pop() {
            if let Some(neighbour) = beside(at, inner.children.len()) {
                self.path.push((inner, neighbour));
                self.descend(&inner.children[neighbour].node, &mut edge);
                break;
            }
        }
        leaf
    }

    fn descend(&mut self, from: &'a Node<L>, choose: &mut impl FnMut(&Inner<L>) -> usize) {
        let mut node = from;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    self.leaf = Some(leaf);
                    return;
                }
                Node::Inner(inner) => {
                    let chosen = choose(inner);
                    self.path.push((inner, chosen));
                    node = &inner.children[chosen].node;
                }
            }
        }
    }
}

impl<'a, L: Leaf> Iterator for Leaves<'a, L> {
    type Item = &'a L;

    #[inline]
    fn next(&mut self) -> Option<&'a L> {
        self.step(|at, len| Some(at + 1).filter(|next| *next < len), |_| 0)
    }
}
