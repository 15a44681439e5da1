//! Points in time as the keyspace keeps them.

/// A point in time: milliseconds since 1970-01-01 00:00 UTC, negative before it.
///
/// Arithmetic saturates: a time out of range is the nearest one in range, never a time on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Before every other time.
    pub const MIN: UnixMillis = UnixMillis(i64::MIN);

    /// After every other time.
    pub const MAX: UnixMillis = UnixMillis(i64::MAX);

    /// The time `millis` later, or earlier if `millis` is negative.
    #[must_use]
    pub const fn saturating_add(self, millis: i64) -> UnixMillis {
        UnixMillis(self.0.saturating_add(millis))
    }

    /// The milliseconds from `earlier` to this time; negative if `earlier` is in truth the later one.
    #[must_use]
    pub const fn saturating_millis_since(self, earlier: UnixMillis) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::UnixMillis;

    #[test]
    fn the_ends_of_time_hold() {
        assert_eq!(UnixMillis::MAX.saturating_add(1), UnixMillis::MAX);
        assert_eq!(UnixMillis::MIN.saturating_add(-1), UnixMillis::MIN);
        assert_eq!(UnixMillis(5).saturating_add(-7), UnixMillis(-2));
        assert_eq!(UnixMillis::MAX.saturating_millis_since(UnixMillis(-1)), i64::MAX);
        assert_eq!(UnixMillis(5).saturating_millis_since(UnixMillis(7)), -2);
    }
}
