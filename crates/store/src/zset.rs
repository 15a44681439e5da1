//! Sorted sets: members with scores, in the order of the scores, then of the members.
//!
//! A small one is a listpack of members, each followed by its score, in order. A large one, which OBJECT ENCODING calls a skiplist as Redis
//! does, is a tree in that order (see `order`), which knows ranks by counting, beside a hashtable from members to scores.
//!
//! Whatever is asked by rank, score or member comes down to a range of ranks: how many elements come before a bound is found by
//! one descent of the tree ([`SortedSetRef::count_while`]).

use std::ops::Range;

use crate::buffer::Buffer;
use crate::element::{Digits, Element};
use crate::entry::{Content, Entry, NewValue, Packing, Type};
use crate::hashtable::{Hashtable, Scores};
use crate::large::{Large, PACKED_BYTES_MAX, PackedLimits};
use crate::listpack::{self, Listpack};
use crate::order::Order;

mod score;
#[cfg(test)]
mod tests;

use score::{ScoreText, score_of};

pub use crate::order::Direction;

/// A large sorted set.
#[derive(Clone, Default)]
pub struct SortedSet {
    order: Order,
    scores: Hashtable<Scores>,
}

impl std::fmt::Debug for SortedSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SortedSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl SortedSet {
    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The members in the order of a hash, with their scores: what a scan walks over.
    #[must_use]
    pub fn hashtable(&self) -> &Hashtable<Scores> {
        &self.scores
    }

    /// Bytes of memory that it holds, estimated from some leaves.
    #[must_use]
    pub fn memory_bytes(&self, sample: usize) -> usize {
        self.order.memory_bytes(sample) + self.scores.memory_bytes(sample)
    }

    /// Gives a member a score; returns the one that it had.
    fn put(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let old = self.scores.put(member, score, |old| old);
        match old {
            // Another zero is no other place.
            Some(old) if old == score => return Some(old),
            Some(old) => self.order.remove(old, member),
            None => {}
        }
        self.order.add(score, member);
        old
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.remove(member, |score| score)?;
        self.order.remove(score, member);
        Some(score)
    }
}

/// A sorted set to be read.
#[derive(Clone, Copy)]
pub enum SortedSetRef<'a> {
    /// A small one.
    Packed(Listpack<'a>),
    /// A large one.
    Large(&'a SortedSet),
}

impl<'a> SortedSetRef<'a> {
    /// The sorted set of an entry, which is of that type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a Entry) -> SortedSetRef<'a> {
        match entry.content() {
            Content::Packed(_, bytes) => SortedSetRef::Packed(Listpack::new(bytes)),
            Content::Large(Large::SortedSet(set)) => SortedSetRef::Large(set),
            _ => unreachable!("the type was looked at before"),
        }
    }

    /// Number of members.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            SortedSetRef::Packed(pairs) => pairs.len() / 2,
            SortedSetRef::Large(set) => set.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    #[inline]
    #[must_use]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            SortedSetRef::Packed(pairs) => {
                let at = pairs.find(member, pairs.first(), 2)?;
                Some(score_of(pairs.at(pairs.next(at))))
            }
            SortedSetRef::Large(set) => set.scores.find(member),
        }
    }

    /// The rank of a member in ascending order, and its score.
    #[must_use]
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            SortedSetRef::Packed(pairs) => {
                let wanted = Element::of(member);
                let mut found = None;
                each_pair(pairs, |rank, _, element, score| {
                    found = (element == wanted).then_some((rank, score));
                    found.is_none()
                });
                found
            }
            SortedSetRef::Large(set) => {
                let score = self.score(member)?;
                Some((set.order.rank(score, member)?, score))
            }
        }
    }

    /// The element of a rank in ascending order.
    #[must_use]
    pub fn at(self, rank: usize) -> Option<(Element<'a>, f64)> {
        match self {
            SortedSetRef::Packed(pairs) => {
                let at = pairs.offset_of(2 * i64::try_from(rank).ok()?)?;
                Some((pairs.at(at), score_of(pairs.at(pairs.next(at)))))
            }
            SortedSetRef::Large(set) => {
                let (member, score) = set.order.at(rank)?;
                Some((member.into(), score))
            }
        }
    }

    /// How many elements come before the first, in ascending order, for which `before` does not hold.
    #[must_use]
    pub fn count_while(self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        match self {
            SortedSetRef::Packed(pairs) => {
                let (mut count, mut digits) = (0, Digits::default());
                each_pair(pairs, |rank, _, member, score| {
                    let holds = before(score, member.text(&mut digits));
                    count = if holds { rank + 1 } else { rank };
                    holds
                });
                count
            }
            SortedSetRef::Large(set) => set.order.count_while(before),
        }
    }

    /// Gives the elements of some ranks (in ascending order, as far as there are any) to `visit`, in either direction, as long as
    /// it says that it wants more.
    pub fn each_while(
        self,
        ranks: Range<usize>,
        direction: Direction,
        mut visit: impl FnMut(Element<'a>, f64) -> bool,
    ) {
        let ranks = ranks.start..ranks.end.min(self.len());
        if ranks.is_empty() {
            return;
        }
        match self {
            SortedSetRef::Packed(pairs) => each_packed(pairs, ranks, direction, visit),
            SortedSetRef::Large(set) => {
                set.order.each_while(ranks, direction, |member, score| visit(member.into(), score));
            }
        }
    }

    /// Gives the elements of some ranks to `visit`, in either direction.
    #[inline]
    pub fn each(self, ranks: Range<usize>, direction: Direction, mut visit: impl FnMut(Element<'a>, f64)) {
        self.each_while(ranks, direction, |member, score| {
            visit(member, score);
            true
        });
    }
}

/// Walks over a packed sorted set: rank, offset, member and score of each, as long as `visit` says that it wants more.
#[inline]
fn each_pair<'a>(pairs: Listpack<'a>, mut visit: impl FnMut(usize, usize, Element<'a>, f64) -> bool) {
    let (mut offset, end, mut rank) = (pairs.first(), pairs.end(), 0);
    while offset < end {
        let score = pairs.next(offset);
        if !visit(rank, offset, pairs.at(offset), score_of(pairs.at(score))) {
            return;
        }
        offset = pairs.next(score);
        rank += 1;
    }
}

fn each_packed<'a>(
    pairs: Listpack<'a>,
    ranks: Range<usize>,
    direction: Direction,
    mut visit: impl FnMut(Element<'a>, f64) -> bool,
) {
    let first = if direction == Direction::Ascending { ranks.start } else { ranks.end - 1 };
    let Some(mut offset) = pairs.offset_of(2 * first as i64) else { return };
    for _ in ranks {
        let score = pairs.next(offset);
        if !visit(pairs.at(offset), score_of(pairs.at(score))) {
            return;
        }
        offset = match direction {
            Direction::Ascending => pairs.next(score),
            Direction::Descending => {
                let Some(before) = pairs.previous(offset).and_then(|score| pairs.previous(score)) else {
                    return;
                };
                before
            }
        };
    }
}

/// A sorted set to be changed.
pub struct SortedSetMut<'a> {
    entry: &'a mut Entry,
    limits: PackedLimits,
}

impl<'a> SortedSetMut<'a> {
    /// The sorted set of an entry, which is of that type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a mut Entry, limits: PackedLimits) -> SortedSetMut<'a> {
        SortedSetMut { entry, limits }
    }

    /// To be read.
    #[inline]
    #[must_use]
    pub fn as_ref(&self) -> SortedSetRef<'_> {
        SortedSetRef::of(self.entry)
    }

    /// Gives a member a score, which is a number; returns the one that it had.
    #[inline]
    pub fn put(&mut self, member: &[u8], score: f64) -> Option<f64> {
        debug_assert!(!score.is_nan(), "what is no number has no place");
        if let Some(set) = self.large() {
            return set.put(member, score);
        }
        let SortedSetRef::Packed(pairs) = self.as_ref() else { return None };
        let found = pairs.find(member, pairs.first(), 2);
        let old = found.map(|at| score_of(pairs.at(pairs.next(at))));
        if old == Some(score) {
            return old;
        }
        let (len, bytes) = (pairs.len() / 2, pairs.bytes().len() + member.len());
        if old.is_none()
            && (len >= self.limits.entries
                || member.len() > self.limits.value_bytes
                || bytes > PACKED_BYTES_MAX)
        {
            self.grow();
            return self.put(member, score);
        }
        let mut packed = self.entry.packed_mut()?;
        if let Some(at) = found {
            listpack::remove(&mut packed, at, 2);
        }
        let pairs = Listpack::new(packed.bytes());
        let (mut place, mut digits) = (pairs.end(), Digits::default());
        each_pair(pairs, |_, offset, other, other_score| {
            let before = other_score < score || other_score == score && other.text(&mut digits) < member;
            if !before {
                place = offset;
            }
            before
        });
        let text = ScoreText::of(score);
        listpack::insert(&mut packed, place, [Element::of(member), text.element()]);
        old
    }

    /// Removes a member; returns its score.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        if let Some(set) = self.large() {
            return set.remove(member);
        }
        let mut packed = self.entry.packed_mut()?;
        let pairs = Listpack::new(packed.bytes());
        let at = pairs.find(member, pairs.first(), 2)?;
        let score = score_of(pairs.at(pairs.next(at)));
        listpack::remove(&mut packed, at, 2);
        Some(score)
    }

    /// Removes the lowest or the highest element, and shows it to `take` before.
    pub fn pop<R>(&mut self, from: Direction, take: impl FnOnce(Element<'_>, f64) -> R) -> Option<R> {
        if let Some(set) = self.large() {
            let SortedSet { order, scores } = set;
            return order.pop(from, |member, score| {
                let _ = scores.remove(member.bytes(), |_| ());
                take(member.into(), score)
            });
        }
        let mut packed = self.entry.packed_mut()?;
        let pairs = Listpack::new(packed.bytes());
        let at = match from {
            Direction::Ascending => pairs.first(),
            Direction::Descending => pairs.previous(pairs.last()?)?,
        };
        let result = take(pairs.at(at), score_of(pairs.at(pairs.next(at))));
        listpack::remove(&mut packed, at, 2);
        Some(result)
    }

    /// Removes the elements of some ranks in ascending order.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        if ranks.is_empty() {
            return;
        }
        if let Some(set) = self.large() {
            let SortedSet { order, scores } = set;
            if ranks.len() == order.len() {
                *set = SortedSet::default();
                return;
            }
            order.each_while(ranks.clone(), Direction::Ascending, |member, _| {
                let _ = scores.remove(member.bytes(), |_| ());
                true
            });
            order.remove_ranks(ranks);
            return;
        }
        let Some(mut packed) = self.entry.packed_mut() else { return };
        if let Some(at) = Listpack::new(packed.bytes()).offset_of(2 * ranks.start as i64) {
            listpack::remove(&mut packed, at, 2 * ranks.len());
        }
    }

    #[inline]
    fn large(&mut self) -> Option<&mut SortedSet> {
        match self.entry.large_mut() {
            Some(Large::SortedSet(set)) => Some(set),
            _ => None,
        }
    }

    /// Makes a packed sorted set a large one.
    #[cold]
    fn grow(&mut self) {
        let mut set = SortedSet::default();
        self.as_ref().each(0..usize::MAX, Direction::Ascending, |member, score| {
            set.put(member.text(&mut Digits::default()), score);
        });
        self.entry.become_large(Large::SortedSet(set));
    }
}

/// An empty sorted set.
#[must_use]
pub fn empty() -> NewValue<'static> {
    crate::empty(Type::SortedSet, Packing::Listpack)
}
