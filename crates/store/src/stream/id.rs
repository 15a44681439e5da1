//! The ids of a stream's entries.

use std::fmt;

/// The id of an entry: a time, and a number among the entries of that time. Ids only ever grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970, as a rule.
    pub millis: u64,
    /// The number among the entries of that millisecond.
    pub sequence: u64,
}

impl StreamId {
    /// The smallest, which no entry has.
    pub const MIN: StreamId = StreamId { millis: 0, sequence: 0 };
    /// The largest.
    pub const MAX: StreamId = StreamId { millis: u64::MAX, sequence: u64::MAX };

    /// The one that follows, unless this is the largest.
    #[must_use]
    pub fn next(self) -> Option<StreamId> {
        match self.sequence.checked_add(1) {
            Some(sequence) => Some(StreamId { sequence, ..self }),
            None => Some(StreamId { millis: self.millis.checked_add(1)?, sequence: 0 }),
        }
    }

    /// The one before, unless this is the smallest.
    #[must_use]
    pub fn previous(self) -> Option<StreamId> {
        match self.sequence.checked_sub(1) {
            Some(sequence) => Some(StreamId { sequence, ..self }),
            None => Some(StreamId { millis: self.millis.checked_sub(1)?, sequence: u64::MAX }),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_neighbours() {
        let id = |millis, sequence| StreamId { millis, sequence };
        assert_eq!(id(5, u64::MAX).next(), Some(id(6, 0)));
        assert_eq!(id(6, 0).previous(), Some(id(5, u64::MAX)));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.previous()), (None, None));
        assert_eq!(id(5, 7).next().and_then(StreamId::previous), Some(id(5, 7)));
        assert!(id(5, 7) < id(6, 0));
        assert_eq!(id(5, 7).to_string(), "5-7");
    }
}
