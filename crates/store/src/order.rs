//! Members in the order of a number, then of their bytes: by which a sorted set is kept beside its hashtable, and the fields of
//! a hash that expire.
//!
//! A tree (see [`mod@crate::tree`]) whose leaves hold a hundred or two of them. It knows ranks by counting, so a range of numbers
//! is a range of ranks, found by one descent for each end. A member may be there under several numbers, but under each once.

use std::ops::Range;

use crate::hashtable::Members;
use crate::records::Records;
use crate::texts::Text;
use crate::tree::{Leaf, Tree};

/// Where a leaf begins.
type Place = (f64, Box<[u8]>);

/// The members of a range of places.
type Page = Records<f64, Members>;

/// From which end an order is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The lowest first.
    Ascending,
    /// The highest first.
    Descending,
}

/// See the module's documentation.
#[derive(Clone, Default)]
pub(crate) struct Order {
    tree: Tree<Page>,
}

impl Order {
    /// Number of members.
    pub(crate) fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there are none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Bytes of memory that it holds, estimated from some leaves.
    pub(crate) fn memory_bytes(&self, sample: usize) -> usize {
        self.tree.memory_bytes(sample)
    }

    /// Adds a member under a number, under which it is not there.
    pub(crate) fn add(&mut self, number: f64, member: &[u8]) {
        if self.tree.is_empty() {
            let mut page = Page::default();
            page.insert(0, number, Text::Bytes(member), ());
            self.tree.push_back(page);
            return;
        }
        self.tree.change(by(|other, other_member| (other, other_member) < (number, member)), |page| {
            page.insert(place_of(page, number, member), number, Text::Bytes(member), ());
        });
    }

    /// Removes a member that is there under a number.
    pub(crate) fn remove(&mut self, number: f64, member: &[u8]) {
        self.tree.change(by(|other, other_member| (other, other_member) <= (number, member)), |page| {
            page.remove_at(place_of(page, number, member));
        });
    }

    /// The lowest number.
    #[inline]
    pub(crate) fn lowest(&self) -> Option<f64> {
        self.tree.first()?.indexes().first().copied()
    }

    /// The rank of a member that is there under a number.
    pub(crate) fn rank(&self, number: f64, member: &[u8]) -> Option<usize> {
        let at_most = by(|other, other_member| (other, other_member) <= (number, member));
        let (page, rank) = self.tree.leaf_and_rank(at_most)?;
        Some(rank + place_of(page, number, member))
    }

    /// The member of a rank, with its number.
    pub(crate) fn at(&self, rank: usize) -> Option<(Text<'_>, f64)> {
        let (page, place) = self.tree.leaf_at(rank)?;
        Some((page.member(place), page.indexes()[place]))
    }

    /// How many members come before the first for which `before` does not hold.
    pub(crate) fn count_while(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        let Some((page, rank)) = self.tree.leaf_and_rank(by(&before)) else { return 0 };
        rank + place_while(page, before)
    }

    /// Gives the members of some ranks, which are there, to `visit`, in either direction, as long as it says that it wants more.
    #[inline]
    pub(crate) fn each_while<'a>(
        &'a self,
        ranks: Range<usize>,
        direction: Direction,
        mut visit: impl FnMut(Text<'a>, f64) -> bool,
    ) {
        let first = if direction == Direction::Ascending { ranks.start } else { ranks.end - 1 };
        let (mut pages, place) = self.tree.leaves_at(first);
        let (mut left, mut from) = (ranks.len(), Some(place));
        while let Some(page) = match direction {
            Direction::Ascending => pages.next(),
            Direction::Descending => pages.previous(),
        } {
            let mut one = |place: usize| visit(page.member(place), page.indexes()[place]);
            let go_on = match direction {
                Direction::Ascending => {
                    let start = from.take().unwrap_or(0);
                    let end = page.len().min(start + left);
                    left -= end - start;
                    (start..end).all(&mut one)
                }
                Direction::Descending => {
                    let end = from.take().map_or(page.len(), |last| last + 1);
                    let start = end.saturating_sub(left);
                    left -= end - start;
                    (start..end).rev().all(&mut one)
                }
            };
            if !go_on || left == 0 {
                return;
            }
        }
    }

    /// Removes the lowest or the highest member, and shows it to `take` before.
    pub(crate) fn pop<R>(&mut self, from: Direction, take: impl FnOnce(Text<'_>, f64) -> R) -> Option<R> {
        let pop = |page: &mut Page| {
            let place = if from == Direction::Ascending { 0 } else { page.len() - 1 };
            let result = take(page.member(place), page.indexes()[place]);
            page.remove_at(place);
            result
        };
        match from {
            Direction::Ascending => self.tree.change(|_| 0, pop),
            Direction::Descending => self.tree.change(|all| all.len() - 1, pop),
        }
    }

    /// Removes the members of some ranks.
    pub(crate) fn remove_ranks(&mut self, ranks: Range<usize>) {
        self.tree.remove(ranks);
    }
}

/// Leads to the leaf with the first member for which `before` no longer holds, or to the one before it, behind which it is.
#[inline]
fn by(before: impl Fn(f64, &[u8]) -> bool) -> impl FnMut(&[Place]) -> usize {
    move |separators| separators[1..].partition_point(|(number, member)| before(*number, member))
}

/// How many members of a leaf come before this one. The numbers, which lie together, say nearly all.
#[inline]
fn place_of(page: &Page, number: f64, member: &[u8]) -> usize {
    let numbers = page.indexes();
    let below = numbers.iter().map(|other| u32::from(*other < number)).sum::<u32>() as usize;
    let equal = numbers[below..].partition_point(|other| *other <= number);
    first_place(below..below + equal, |place| page.member(place).bytes() < member)
}

/// How many members of a leaf come before the first for which `before` no longer holds.
#[inline]
fn place_while(page: &Page, before: impl Fn(f64, &[u8]) -> bool) -> usize {
    first_place(0..page.len(), |place| before(page.indexes()[place], page.member(place).bytes()))
}

/// The first of some places for which `before` no longer holds, found by halving.
#[inline]
fn first_place(places: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let Range { start: mut low, end: mut high } = places;
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
