//! The range that BITCOUNT and BITPOS take: `[start [end [BYTE | BIT]]]`.

use std::ops::Range;

use crate::prelude::*;

/// What the numbers of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

/// A range as it was given: both ends belong to it, negative numbers count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenRange {
    start: i64,
    /// `None` = to the last byte.
    end: Option<i64>,
    unit: Unit,
}

impl GivenRange {
    /// A whole string.
    pub(super) const WHOLE: GivenRange = GivenRange { start: 0, end: None, unit: Unit::Byte };

    /// Reads the arguments from an index to the end.
    pub(super) fn parse(args: Args<'_>, from: usize) -> Result<GivenRange, CommandError> {
        if args.len() <= from {
            return Ok(GivenRange::WHOLE);
        }
        if args.len() > from + 3 {
            return Err(CommandError::Syntax);
        }
        let start = args.integer(from)?;
        let unit = match args.find(from + 2) {
            None => Unit::Byte,
            Some(word) if is_word(word, "byte") => Unit::Byte,
            Some(word) if is_word(word, "bit") => Unit::Bit,
            Some(_) => return Err(CommandError::Syntax),
        };
        let end = if args.len() > from + 1 { Some(args.integer(from + 1)?) } else { None };
        Ok(GivenRange { start, end, unit })
    }

    /// Whether an end was given: then nothing is known of what lies behind it.
    pub(super) fn has_end(&self) -> bool {
        self.end.is_some()
    }

    /// Whether both numbers count from the end, and the first lies behind the second.
    pub(super) fn is_reversed(&self) -> bool {
        matches!(self.end, Some(end) if self.start < 0 && end < self.start)
    }

    /// The bits meant of a string of so many bytes. What lies outside of the string is cut off; a number before its beginning
    /// means its beginning.
    pub(super) fn bits(&self, len: usize) -> Range<u64> {
        let width = match self.unit {
            Unit::Byte => 8,
            Unit::Bit => 1,
        };
        // Strings are far shorter than 2^60 bytes.
        let total = len as i64 * 8 / width;
        let absolute = |number: i64| if number < 0 { number.saturating_add(total).max(0) } else { number };
        let start = absolute(self.start);
        let end = self.end.map_or(total - 1, absolute).min(total - 1);
        if start > end {
            return 0..0;
        }
        (start * width) as u64..((end + 1) * width) as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers one would list by hand: those from start to end that exist, once each negative one has its place.
    fn model(given: GivenRange, len: usize) -> Vec<u64> {
        let units: Vec<u64> = match given.unit {
            Unit::Byte => (0..len as u64).collect(),
            Unit::Bit => (0..len as u64 * 8).collect(),
        };
        let place = |number: i64| match number {
            0.. => i128::from(number),
            _ => (units.len() as i128 + i128::from(number)).max(0),
        };
        let start = place(given.start);
        let end = given.end.map_or(i128::MAX, place);
        let chosen = units.iter().filter(|unit| (start..=end).contains(&i128::from(**unit)));
        match given.unit {
            Unit::Byte => chosen.flat_map(|byte| byte * 8..byte * 8 + 8).collect(),
            Unit::Bit => chosen.copied().collect(),
        }
    }

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![8 => -50_i64..50, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
    }

    proptest! {
        #[test]
        fn chooses_as_the_model_does(
            start in number(),
            end in prop::option::of(number()),
            unit in prop_oneof![Just(Unit::Byte), Just(Unit::Bit)],
            len in 0_usize..6,
        ) {
            let given = GivenRange { start, end, unit };
            prop_assert_eq!(given.bits(len).collect::<Vec<_>>(), model(given, len));
        }
    }
}
