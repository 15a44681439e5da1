//! Numbers as the two protocols write them.
//!
//! The text protocol of memcached reads numbers with C's `strtoul` and its kin, so a sign, white space before
//! and anything after white space are accepted (only tabs and the like can stand inside a word). The meta
//! protocol accepts digits, and a minus sign where a number may be negative.

/// An unsigned number of the text protocol.
///
/// A negative number wraps around, as in C, and is refused if it is then still "negative": so -1 is refused,
/// -0 is 0, and -18446744073709551615 is 1.
#[inline]
pub(crate) fn unsigned(token: &[u8]) -> Option<u64> {
    plain(token).or_else(|| {
        let (sign, magnitude) = c_number(token)?;
        match sign {
            Sign::Plus => Some(magnitude),
            Sign::Minus => Some(magnitude.wrapping_neg()).filter(|&wrapped| wrapped <= i64::MAX as u64),
        }
    })
}

/// What a stored value counts to; none if it is no counter.
///
/// memcached looks at the value as at a word of a request: white space before the digits and whatever stands behind
/// white space after them do not matter, and a zero byte ends it.
pub fn counter_value(value: &[u8]) -> Option<u64> {
    plain(value).or_else(|| unsigned(value.split(|&byte| byte == 0).next()?))
}

/// A signed number of the text protocol.
#[inline]
pub(crate) fn signed(token: &[u8]) -> Option<i64> {
    if let Some(number) = plain(token) {
        return i64::try_from(number).ok();
    }
    let (sign, magnitude) = c_number(token)?;
    with_sign(sign, magnitude)
}

/// An unsigned number of the meta protocol.
#[inline]
pub(crate) fn strict_unsigned(token: &[u8]) -> Option<u64> {
    plain(token).or_else(|| {
        let (magnitude, rest) = digits(token)?;
        rest.is_empty().then_some(magnitude)
    })
}

/// A signed number of the meta protocol.
#[inline]
pub(crate) fn strict_signed(token: &[u8]) -> Option<i64> {
    match token {
        [b'-', magnitude @ ..] => with_sign(Sign::Minus, strict_unsigned(magnitude)?),
        _ => with_sign(Sign::Plus, strict_unsigned(token)?),
    }
}

/// The common form of a number within a line: one space, and at most 18 digits. Also returns what follows them,
/// which may be anything but a digit.
#[inline]
pub(crate) fn after_space(text: &[u8]) -> Option<(u64, &[u8])> {
    let [b' ', text @ ..] = text else { return None };
    let (mut number, mut rest) = (0_u64, text);
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        rest = after;
    }
    (1..19).contains(&(text.len() - rest.len())).then_some((number, rest))
}

enum Sign {
    Plus,
    Minus,
}

fn with_sign(sign: Sign, magnitude: u64) -> Option<i64> {
    match sign {
        Sign::Plus => i64::try_from(magnitude).ok(),
        Sign::Minus => 0_i64.checked_sub_unsigned(magnitude),
    }
}

/// The common case: nothing but digits, and too few of them to overflow.
#[inline]
fn plain(token: &[u8]) -> Option<u64> {
    if token.is_empty() || token.len() > 19 {
        return None;
    }
    let mut number = 0;
    for byte in token {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(number)
}

/// White space, a sign, digits, and then white space or the end.
#[cold]
fn c_number(token: &[u8]) -> Option<(Sign, u64)> {
    let start = token.iter().position(|&byte| !is_white_space(byte))?;
    let (sign, unsigned) = match &token[start..] {
        [b'-', rest @ ..] => (Sign::Minus, rest),
        [b'+', rest @ ..] => (Sign::Plus, rest),
        rest => (Sign::Plus, rest),
    };
    let (magnitude, rest) = digits(unsigned)?;
    rest.first().is_none_or(|&byte| is_white_space(byte)).then_some((sign, magnitude))
}

/// The number at the start of `text` and what follows it; none if there is no digit or it has over 64 bits.
fn digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let length = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(length);
    if number.is_empty() {
        return None;
    }
    let magnitude = number
        .iter()
        .try_fold(0_u64, |sum, &byte| sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')))?;
    Some((magnitude, rest))
}

/// C's `isspace`, which, unlike Rust's, counts the vertical tab.
fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_text_numbers() {
        let cases: [(&[u8], Option<u64>); 19] = [
            (b"0", Some(0)),
            (b"007", Some(7)),
            (b"4294967296", Some(4_294_967_296)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"00000000000000000000000000001", Some(1)),
            (b"18446744073709551616", None),
            (b"+5", Some(5)),
            (b"-0", Some(0)),
            (b"-1", None),
            (b"-18446744073709551615", Some(1)),
            (b"\t5", Some(5)),
            (b"\x0b5\x0b6", Some(5)),
            (b"5\t", Some(5)),
            (b"5x", None),
            (b"x", None),
            (b"", None),
            (b"+", None),
            (b"--1", None),
            (b"\t", None),
        ];
        for (token, expected) in cases {
            assert_eq!(unsigned(token), expected, "{}", token.escape_ascii());
        }
    }

    #[test]
    fn values_that_count() {
        let cases: [(&[u8], Option<u64>); 9] = [
            (b"10", Some(10)),
            (b"9 ", Some(9)),
            (b"12 months", Some(12)),
            (b"12months", None),
            (b"12\0months", Some(12)),
            (b"\0", None),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"-5", None),
            (b"", None),
        ];
        for (value, expected) in cases {
            assert_eq!(counter_value(value), expected, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn signed_text_numbers() {
        let cases: [(&[u8], Option<i64>); 9] = [
            (b"0", Some(0)),
            (b"-1", Some(-1)),
            (b"+1", Some(1)),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"9223372036854775808", None),
            (b"-9223372036854775808", Some(i64::MIN)),
            (b"-9223372036854775809", None),
            (b"1 ", Some(1)),
            (b"-", None),
        ];
        for (token, expected) in cases {
            assert_eq!(signed(token), expected, "{}", token.escape_ascii());
        }
    }

    #[test]
    fn common_numbers_within_a_line() {
        assert_eq!(after_space(b" 12"), Some((12, &b""[..])));
        assert_eq!(after_space(b" 12 3"), Some((12, &b" 3"[..])));
        assert_eq!(after_space(b" 999999999999999999 "), Some((999_999_999_999_999_999, &b" "[..])));
        assert_eq!(after_space(b" 1\r\n"), Some((1, &b"\r\n"[..])));
        for text in [&b""[..], b" ", b"12", b"  1", b" -1", b" x", b" 1000000000000000000"] {
            assert_eq!(after_space(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn meta_numbers_are_digits() {
        assert_eq!(strict_unsigned(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(strict_signed(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(strict_signed(b"-30"), Some(-30));
        for token in [&b""[..], b"+1", b"-1", b"1x", b"\t1", b"18446744073709551616"] {
            assert_eq!(strict_unsigned(token), None, "{}", token.escape_ascii());
        }
        for token in [&b""[..], b"-", b"+1", b"--1", b"9223372036854775808"] {
            assert_eq!(strict_signed(token), None, "{}", token.escape_ascii());
        }
    }
}
