//! When an item expires.

/// Thirty days: the longest expiry time that is counted from now. A larger one is a date.
pub const RELATIVE_SECONDS_MAX: i64 = 60 * 60 * 24 * 30;

/// When an item expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Not by time.
    Never,
    /// At this time, in seconds since 1970.
    At(u64),
    /// It is gone as soon as it is stored.
    AlreadyExpired,
}

/// When an item with this expiry time expires, if it is stored `now` (seconds since 1970).
///
/// 0 means never, a negative number at once, up to thirty days a time from now, and more a date.
pub fn expiry(exptime: i64, now: u64) -> Expiry {
    match u64::try_from(exptime) {
        Ok(0) => Expiry::Never,
        Ok(seconds) if exptime <= RELATIVE_SECONDS_MAX => Expiry::At(now.saturating_add(seconds)),
        Ok(date) if date > now => Expiry::At(date),
        Ok(_) | Err(_) => Expiry::AlreadyExpired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    #[test]
    fn each_range_has_its_meaning() {
        let cases = [
            (0, Expiry::Never),
            (1, Expiry::At(NOW + 1)),
            (2_592_000, Expiry::At(NOW + 2_592_000)),
            (2_592_001, Expiry::AlreadyExpired),
            (1_700_000_000, Expiry::AlreadyExpired),
            (1_700_000_001, Expiry::At(NOW + 1)),
            (4_102_444_800, Expiry::At(4_102_444_800)),
            (i64::MAX, Expiry::At(i64::MAX.unsigned_abs())),
            (-1, Expiry::AlreadyExpired),
            (i64::MIN, Expiry::AlreadyExpired),
        ];
        for (exptime, expected) in cases {
            assert_eq!(expiry(exptime, NOW), expected, "{exptime}");
        }
        assert_eq!(expiry(1, u64::MAX), Expiry::At(u64::MAX));
    }
}
