//! Floating point numbers as Redis 7.2 and Valkey print them.

use std::cmp::Ordering;

/// At least as many digits as ryu writes: it writes no more than 24 bytes, point and exponent included.
const DIGITS_MAX: usize = 24;

/// Whole numbers up to here are printed without a point or an exponent.
const WHOLE_MAX: f64 = (i64::MAX / 2) as f64;

/// Appends the digits that identify `value` and no more, which read back give the same number.
///
/// A whole number below 2^62 is printed whole; other numbers get an exponent only where many zeros would be
/// written without it. The peers find their digits by an algorithm that for about one number in a thousand
/// ends in one digit more than needed, or in another last digit that reads back the same; these are always
/// the fewest and the nearest.
pub fn append(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"nan");
    } else if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
    } else if value == 0.0 {
        out.extend_from_slice(if value.is_sign_negative() { b"-0" } else { b"0" });
    } else if value.abs() <= WHOLE_MAX && value.trunc() == value {
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    } else {
        append_digits(out, value);
    }
}

/// Where a number's decimal point stands, and how the number is therefore written.
fn append_digits(out: &mut Vec<u8>, value: f64) {
    let mut buffer = [0; DIGITS_MAX];
    let (digits, point) = shortest(value.abs(), &mut buffer);
    // How many zeros stand between the last digit and the point; below zero, how many digits stand behind the
    // point.
    let zeros = point - digits.len() as i32;
    // The exponent with one digit before the point.
    let exponent = point - 1;

    if value < 0.0 {
        out.push(b'-');
    }
    if zeros >= 0 && exponent.abs() < digits.len() as i32 + 7 {
        out.extend_from_slice(digits);
        out.extend((0..zeros).map(|_| b'0'));
    } else if zeros < 0 && (zeros > -7 || exponent.abs() < 4) {
        match point.cmp(&0) {
            Ordering::Greater => {
                let (whole, fraction) = digits.split_at(point as usize);
                out.extend_from_slice(whole);
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
            Ordering::Less | Ordering::Equal => {
                out.extend_from_slice(b"0.");
                out.extend((point..0).map(|_| b'0'));
                out.extend_from_slice(digits);
            }
        }
    } else {
        let (first, others) = digits.split_at(1);
        out.extend_from_slice(first);
        if !others.is_empty() {
            out.push(b'.');
            out.extend_from_slice(others);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
    }
}

/// The fewest digits that identify a positive number, the first and last of which are not zero, and how many
/// of them stand before the point (below zero: how many zeros stand between the point and them).
fn shortest(value: f64, buffer: &mut [u8; DIGITS_MAX]) -> (&[u8], i32) {
    let mut printed = ryu::Buffer::new();
    let printed = printed.format_finite(value);
    let (mantissa, exponent) = printed.split_once('e').unwrap_or((printed, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().expect("ryu writes an integer behind the e");

    let mut digits_len = 0;
    let digits = whole.bytes().chain(fraction.bytes());
    for (place, digit) in buffer.iter_mut().zip(digits.skip_while(|digit| *digit == b'0')) {
        *place = digit;
        digits_len += 1;
    }
    let leading_zeros = whole.len() + fraction.len() - digits_len;
    let point = whole.len() as i32 - leading_zeros as i32 + exponent;
    let digits = buffer[..digits_len].trim_ascii_end();
    let significant = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    (&digits[..significant], point)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn printed(value: f64) -> String {
        let mut out = Vec::new();
        super::append(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn prints_as_the_peers_do() {
        let cases = [
            (0.1, "0.1"),
            (-0.1, "-0.1"),
            (3.0, "3"),
            (-3.5, "-3.5"),
            (0.0, "0"),
            (-0.0, "-0"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (1234.5678, "1234.5678"),
            (0.000001, "0.000001"),
            (0.0000001, "1e-7"),
            (0.0012345678, "0.0012345678"),
            (0.00012345678, "1.2345678e-4"),
            (0.000012345678, "1.2345678e-5"),
            (1e17, "100000000000000000"),
            (4e18, "4000000000000000000"),
            (4611686018427387904.0, "4611686018427387904"),
            (5e18, "5e+18"),
            (1e20, "1e+20"),
            (1.5e300, "1.5e+300"),
            (1e-300, "1e-300"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (12345678901234567000.0, "12345678901234567000"),
            (9007199254740993.0, "9007199254740992"),
        ];
        for (value, text) in cases {
            assert_eq!(printed(value), text);
        }
    }

    proptest! {
        #[test]
        fn reads_back_as_the_same_number(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(printed(value).parse::<f64>().unwrap().to_bits(), bits);
            // A sign, 17 digits and seven zeros.
            prop_assert!(printed(value).len() <= 25);
        }

        #[test]
        fn reads_back_as_the_same_number_of_everyday_size(value in -1e9..1e9, scale in 0i32..12) {
            let value = value / 10f64.powi(scale);
            prop_assert_eq!(printed(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
