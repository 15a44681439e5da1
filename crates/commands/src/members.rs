//! What the commands on members of collections have in common: choosing some by chance, and scanning them.

use std::collections::HashSet;

use larder_engine::Random;
use larder_engine::glob::{self, Case};
use larder_resp::{Deferred, Reply};
use larder_store::{Digits, Element};

use crate::element::reply_element;
use crate::prelude::*;

/// Members that a scan visits when it is not told how many.
const SCAN_COUNT: usize = 10;

/// What HSCAN, SSCAN and ZSCAN were asked beside the cursor.
pub(crate) struct MemberScan<'a> {
    /// How many members to visit.
    pub(crate) count: usize,
    /// Whether values or scores are wanted too.
    pub(crate) with_values: bool,
    pattern: Option<&'a [u8]>,
}

impl<'a> MemberScan<'a> {
    /// Reads the options. `without_values` is the option that leaves values out, where there is one.
    pub(crate) fn parse(
        args: Args<'a>,
        without_values: Option<&str>,
    ) -> Result<MemberScan<'a>, CommandError> {
        let mut scan = MemberScan { count: SCAN_COUNT, with_values: true, pattern: None };
        let mut words = args.from(3);
        while let Some(word) = words.next() {
            if is_word(word, "count") {
                let count = words.integer()?;
                scan.count =
                    usize::try_from(count).ok().filter(|count| *count > 0).ok_or(CommandError::Syntax)?;
            } else if is_word(word, "match") {
                scan.pattern = Some(words.value()?);
            } else if without_values.is_some_and(|without| is_word(word, without)) {
                scan.with_values = false;
            } else if is_word(word, "novalues") {
                return Err(CommandError::line("ERR NOVALUES option can only be used in HSCAN"));
            } else if is_word(word, "noscores") {
                return Err(CommandError::line("ERR NOSCORES option can only be used in ZSCAN"));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(scan)
    }

    /// Whether a member is to be listed.
    pub(crate) fn wants(&self, member: Element<'_>) -> bool {
        match self.pattern {
            None | Some(b"*") => true,
            Some(pattern) => glob::matches(pattern, member.text(&mut Digits::default()), Case::Sensitive),
        }
    }
}

/// The reply of a scan, begun: the cursor comes first and is known last.
pub(crate) struct Listing {
    cursor: Deferred,
    elements: Deferred,
    /// How many elements were written.
    pub(crate) listed: usize,
}

impl Listing {
    pub(crate) fn begin(reply: &mut Reply<'_>) -> Listing {
        reply.array(2);
        Listing { cursor: reply.deferred_bulk(), elements: reply.deferred_array(), listed: 0 }
    }

    pub(crate) fn add(&mut self, reply: &mut Reply<'_>, element: Element<'_>) {
        reply_element(reply, element);
        self.listed += 1;
    }

    /// Ends it with the cursor at which to go on.
    pub(crate) fn end(self, reply: &mut Reply<'_>, cursor: u64) {
        reply.finish_array(self.elements, self.listed);
        reply.finish_bulk_integer(self.cursor, cursor);
    }
}

/// How many members by chance a command wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sample {
    /// So many different ones, or all if there are fewer.
    Different(usize),
    /// So many, of which some may be the same.
    Any(u64),
}

impl Sample {
    /// Reads the count: a negative one allows the same member several times. `elements_each` are returned for each of them.
    pub(crate) fn parse(args: Args<'_>, index: usize, elements_each: i64) -> Result<Sample, CommandError> {
        let count = args.integer(index)?;
        if count == i64::MIN {
            let range =
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
            return Err(CommandError::line(range));
        }
        if count.abs() > i64::MAX / elements_each {
            return Err(CommandError::line("ERR value is out of range"));
        }
        Ok(usize::try_from(count).map_or(Sample::Any(count.unsigned_abs()), Sample::Different))
    }

    /// Reads the count and the word after it that asks for values too, if they are there.
    pub(crate) fn parse_optional(args: Args<'_>, with_values: &str) -> Result<Option<Sample>, CommandError> {
        match args.find(3) {
            None if args.len() == 2 => Ok(None),
            None => Sample::parse(args, 2, 1).map(Some),
            Some(word) => {
                // As in Redis, a count that is no number is told of first.
                args.integer(2)?;
                if args.len() > 4 || !is_word(word, with_values) {
                    return Err(CommandError::Syntax);
                }
                Sample::parse(args, 2, 2).map(Some)
            }
        }
    }
}

/// Reads what LMPOP and ZMPOP are asked: a number of keys, the keys, the word for an end, and perhaps a count. Returns the word, and how
/// many are wanted.
pub(crate) fn parse_first_of_many(args: Args<'_>) -> Result<(&[u8], usize), CommandError> {
    let positive = |word: &[u8], error: &'static str| {
        let number = larder_store::parse_integer(word).and_then(|number| usize::try_from(number).ok());
        number.filter(|number| *number > 0).ok_or(CommandError::line(error))
    };
    let keys = positive(args.at(1), "ERR numkeys should be greater than 0")?;
    let end = keys.checked_add(2).and_then(|index| args.find(index)).ok_or(CommandError::Syntax)?;
    let (mut words, mut count) = (args.from(3 + keys), None);
    while let Some(word) = words.next() {
        if count.is_some() || !is_word(word, "count") || words.is_empty() {
            return Err(CommandError::Syntax);
        }
        count = Some(positive(words.value()?, "ERR count should be greater than 0")?);
    }
    Ok((end, count.unwrap_or(1)))
}

/// Reads the option LIMIT of SINTERCARD and ZINTERCARD; without it, or with 0, all are counted.
pub(crate) fn parse_limit(mut words: ArgsFrom<'_>) -> Result<usize, CommandError> {
    let mut limit = 0;
    while let Some(word) = words.next() {
        if !is_word(word, "limit") || words.is_empty() {
            return Err(CommandError::Syntax);
        }
        let number = words.integer().ok().and_then(|number| usize::try_from(number).ok());
        limit = number.ok_or(CommandError::line("ERR LIMIT can't be negative"))?;
    }
    Ok(if limit == 0 { usize::MAX } else { limit })
}

/// A rank by chance.
#[inline]
pub(crate) fn rank_below(len: usize, random: &mut Random) -> usize {
    // The high half of the product is as good as even: lengths are far below 2^64.
    ((u128::from(random.next_u64()) * len as u128) >> 64) as usize
}

/// So many different ranks below `len`, each choice equally likely, in ascending order; all of them if there are no more. Takes
/// time and memory for those that are chosen only (Floyd's algorithm).
pub(crate) fn different_ranks(count: usize, len: usize, random: &mut Random) -> Vec<usize> {
    if count >= len {
        return (0..len).collect();
    }
    let mut chosen = HashSet::with_capacity_and_hasher(count, foldhash::fast::FixedState::default());
    for last in len - count..len {
        let rank = rank_below(last + 1, random);
        if !chosen.insert(rank) {
            chosen.insert(last);
        }
    }
    let mut ranks: Vec<usize> = chosen.into_iter().collect();
    ranks.sort_unstable();
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_ranks_are_different_and_equally_likely() {
        let mut random = Random::new(1);
        let mut hits = [0; 10];
        for _ in 0..10_000 {
            let ranks = different_ranks(3, 10, &mut random);
            assert!(ranks.len() == 3 && ranks.is_sorted_by(|one, next| one < next), "{ranks:?}");
            ranks.iter().for_each(|rank| hits[*rank] += 1);
        }
        assert!(hits.iter().all(|hits| (2800..3200).contains(hits)), "{hits:?}");
        assert_eq!(different_ranks(5, 3, &mut random), [0, 1, 2]);
        assert!(different_ranks(0, 3, &mut random).is_empty());
    }
}
