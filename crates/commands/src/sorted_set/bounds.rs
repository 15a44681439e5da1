//! The bounds of ranges: by score, by member, by rank.

use std::ops::{Bound, Range};

use larder_store::zset::{Direction, SortedSetRef};

use super::score;
use crate::list::ranks_of;
use crate::prelude::*;

/// What a range is given by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Span<'a> {
    /// Ranks in the direction of reading, both included; negative ones count from the end.
    Ranks(i64, i64),
    /// The lowest and the highest score.
    Scores(Bound<f64>, Bound<f64>),
    /// The first and the last member, among those of one score.
    Members(Edge<'a>, Edge<'a>),
}

/// A bound among members.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edge<'a> {
    /// `-`
    Lowest,
    /// `+`
    Highest,
    /// `[member`
    Included(&'a [u8]),
    /// `(member`
    Excluded(&'a [u8]),
}

/// Which elements of a range are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// So many are passed over; a negative number passes over all.
    pub(super) offset: i64,
    /// So many are wanted; a negative number means all.
    pub(super) count: i64,
}

impl Limit {
    pub(super) const NONE: Limit = Limit { offset: 0, count: -1 };

    /// The ranks that are wanted of some, seen from an end.
    fn of(self, ranks: Range<usize>, direction: Direction) -> Range<usize> {
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let offset = offset.min(ranks.len());
        let count = usize::try_from(self.count).unwrap_or(usize::MAX).min(ranks.len() - offset);
        match direction {
            Direction::Ascending => ranks.start + offset..ranks.start + offset + count,
            Direction::Descending => ranks.end - offset - count..ranks.end - offset,
        }
    }
}

impl<'a> Span<'a> {
    /// Two ranks.
    pub(super) fn parse_ranks(args: Args<'a>, first: usize) -> Result<Span<'a>, CommandError> {
        Ok(Span::Ranks(args.integer(first)?, args.integer(first + 1)?))
    }

    /// Two scores; in descending order the higher one is given first.
    pub(super) fn parse_scores(
        args: Args<'a>,
        first: usize,
        direction: Direction,
    ) -> Result<Span<'a>, CommandError> {
        let (low, high) = in_order(args, first, direction);
        match (parse_score(low), parse_score(high)) {
            (Some(low), Some(high)) => Ok(Span::Scores(low, high)),
            _ => Err(CommandError::line("ERR min or max is not a float")),
        }
    }

    /// Two members; in descending order the higher one is given first.
    pub(super) fn parse_members(
        args: Args<'a>,
        first: usize,
        direction: Direction,
    ) -> Result<Span<'a>, CommandError> {
        let (low, high) = in_order(args, first, direction);
        match (Edge::parse(low), Edge::parse(high)) {
            (Some(low), Some(high)) => Ok(Span::Members(low, high)),
            _ => Err(CommandError::line("ERR min or max not valid string range item")),
        }
    }

    /// The ranks, in ascending order, of a sorted set's elements that lie in the range.
    pub(super) fn ranks(self, set: SortedSetRef<'_>, direction: Direction, limit: Limit) -> Range<usize> {
        let ranks = match self {
            Span::Ranks(start, stop) => {
                let ranks = ranks_of(start, stop, set.len());
                match direction {
                    Direction::Ascending => ranks,
                    Direction::Descending => set.len() - ranks.end..set.len() - ranks.start,
                }
            }
            Span::Scores(low, high) => {
                let start = set.count_while(|score, _| match low {
                    Bound::Included(low) => score < low,
                    Bound::Excluded(low) => score <= low,
                    Bound::Unbounded => false,
                });
                let end = set.count_while(|score, _| match high {
                    Bound::Included(high) => score <= high,
                    Bound::Excluded(high) => score < high,
                    Bound::Unbounded => true,
                });
                start..end.max(start)
            }
            Span::Members(low, high) => {
                let start = set.count_while(|_, member| low.is_above(member));
                let end = set.count_while(|_, member| !high.is_below(member));
                start..end.max(start)
            }
        };
        limit.of(ranks, direction)
    }
}

impl<'a> Edge<'a> {
    fn parse(word: &'a [u8]) -> Option<Edge<'a>> {
        match word {
            b"-" => Some(Edge::Lowest),
            b"+" => Some(Edge::Highest),
            [b'[', member @ ..] => Some(Edge::Included(member)),
            [b'(', member @ ..] => Some(Edge::Excluded(member)),
            _ => None,
        }
    }

    /// Whether a member comes before a range that begins here.
    fn is_above(self, member: &[u8]) -> bool {
        match self {
            Edge::Lowest => false,
            Edge::Highest => true,
            Edge::Included(first) => member < first,
            Edge::Excluded(first) => member <= first,
        }
    }

    /// Whether a member comes after a range that ends here.
    fn is_below(self, member: &[u8]) -> bool {
        match self {
            Edge::Lowest => true,
            Edge::Highest => false,
            Edge::Included(last) => member > last,
            Edge::Excluded(last) => member >= last,
        }
    }
}

fn in_order(args: Args<'_>, first: usize, direction: Direction) -> (&[u8], &[u8]) {
    match direction {
        Direction::Ascending => (args.at(first), args.at(first + 1)),
        Direction::Descending => (args.at(first + 1), args.at(first)),
    }
}

fn parse_score(word: &[u8]) -> Option<Bound<f64>> {
    match word {
        [b'(', score @ ..] => score::parse_bound(score).map(Bound::Excluded),
        score => score::parse_bound(score).map(Bound::Included),
    }
}
