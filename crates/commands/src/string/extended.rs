//! The numbers that INCRBYFLOAT counts in: the 80-bit floating point numbers of the x87, which is what redis-server computes
//! with on the machines that most people run it on, written as it writes them.
//!
//! A mantissa of 64 bits and a decimal form of 17 digits behind the point make 0.1 + 0.2 come out as 0.3.

use std::fmt;

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, FloatConvert, Round};

/// A text is shorter than this, as in Redis.
const TEXT_LIMIT: usize = 5 * 1024;
/// Digits behind the point before trailing zeros are dropped.
const FRACTION_DIGITS: usize = 17;
/// 10 to the power of them.
const FRACTION_SCALE: u128 = 100_000_000_000_000_000;
/// What must be added to the exponent in the bits of 1.0, so that it belongs to a mantissa taken as an integer.
const EXPONENT_BIAS: i32 = 16383 + 63;

/// A finite number, or an infinity. `Display` gives the form that Redis stores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extended(X87DoubleExtended);

impl Extended {
    /// An integer, which is represented exactly.
    pub(crate) fn of(number: i64) -> Extended {
        Extended(X87DoubleExtended::from_i128(number.into()).value)
    }

    /// Reads what C's `strtold` reads to the end of the text: a decimal or hexadecimal number, or an infinity by name. A number
    /// that is too large to be represented, or too small, is none.
    pub(crate) fn parse(text: &[u8]) -> Option<Extended> {
        if text.len() >= TEXT_LIMIT {
            return None;
        }
        let text = str::from_utf8(text).ok()?;
        let (negative, magnitude) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let number = parse_magnitude(magnitude)?;
        Some(Extended(if negative { -number } else { number }))
    }

    /// A number of 64 bits, which is represented exactly.
    pub(crate) fn of_f64(number: f64) -> Extended {
        let double = rustc_apfloat::ieee::Double::from_bits(number.to_bits().into());
        Extended(double.convert(&mut false).value)
    }

    /// The nearest number of 64 bits.
    pub(crate) fn to_f64(self) -> f64 {
        let mut loses = false;
        let double: rustc_apfloat::ieee::Double = self.0.convert(&mut loses).value;
        f64::from_bits(double.to_bits() as u64)
    }

    /// Whether it is no infinity.
    pub(crate) fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// The sum, unless it is infinite or no number.
    pub(crate) fn plus(self, other: Extended) -> Option<Extended> {
        let sum = (self.0 + other.0).value;
        sum.is_finite().then_some(Extended(sum))
    }
}

impl fmt::Display for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.to_bits();
        let mantissa = bits as u64;
        // Numbers without a leading one have the exponent of the smallest with one.
        let exponent = (bits >> 64 & 0x7FFF).max(1) as i32 - EXPONENT_BIAS;
        let magnitude = match u32::try_from(exponent) {
            Ok(exponent) => integer_text(mantissa, exponent),
            Err(_) => fraction_text(mantissa, exponent.unsigned_abs()),
        };
        // Zero has no sign, also when it came by it by being rounded.
        if self.0.is_negative() && magnitude != "0" {
            f.write_str("-")?;
        }
        f.write_str(&magnitude)
    }
}

fn parse_magnitude(text: &str) -> Option<X87DoubleExtended> {
    if text.eq_ignore_ascii_case("inf") || text.eq_ignore_ascii_case("infinity") {
        return Some(X87DoubleExtended::INFINITY);
    }
    let (digits, radix, mark) = match text.get(..2) {
        Some("0x" | "0X") => (&text[2..], 16, ['p', 'P']),
        _ => (text, 10, ['e', 'E']),
    };
    let (mantissa, exponent) = match digits.split_once(mark) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (digits, "0"),
    };
    let exponent_digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let is_exponent =
        !exponent_digits.is_empty() && exponent_digits.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.chars().chain(fraction.chars());
    let is_mantissa = mantissa.len() > usize::from(mantissa.contains('.'))
        && digits.clone().all(|digit| digit.is_digit(radix));
    if !is_exponent || !is_mantissa {
        return None;
    }
    let is_zero = digits.all(|digit| digit == '0');
    let prefix = if radix == 16 { "0x" } else { "" };
    let canonical = format!("{prefix}{mantissa}{}{exponent}", mark[0]);
    let number = X87DoubleExtended::from_str_r(&canonical, Round::NearestTiesToEven).ok()?.value;
    (number.is_finite() && number.is_zero() == is_zero).then_some(number)
}

/// The decimal form of `mantissa` times 2 to the power of `exponent`: up to 4,933 digits.
fn integer_text(mantissa: u64, exponent: u32) -> String {
    use std::fmt::Write as _;
    const LIMB: u64 = 1_000_000_000;
    const STEP_BITS: u32 = 32;
    // The lowest nine digits first.
    let mut limbs = vec![mantissa % LIMB, mantissa / LIMB % LIMB, mantissa / LIMB / LIMB];
    let mut left = exponent;
    while left > 0 {
        let step = left.min(STEP_BITS);
        left -= step;
        let mut carry = 0;
        for limb in &mut limbs {
            let shifted = (*limb << step) + carry;
            (*limb, carry) = (shifted % LIMB, shifted / LIMB);
        }
        while carry > 0 {
            limbs.push(carry % LIMB);
            carry /= LIMB;
        }
    }
    let mut text = String::with_capacity(limbs.len() * 9);
    for limb in limbs.iter().rev() {
        write!(text, "{limb:09}").expect("a string takes any text");
    }
    let leading = text.len() - text.trim_start_matches('0').len();
    text.split_off(leading)
}

/// The decimal form of `mantissa` divided by 2 to the power of `shift`, rounded half to even.
fn fraction_text(mantissa: u64, shift: u32) -> String {
    // Below 2^121, so that nothing is left of it where the shift would be out of range.
    let scaled = u128::from(mantissa) * FRACTION_SCALE;
    let rounded = if shift < u128::BITS {
        let (quotient, rest, half) = (scaled >> shift, scaled & ((1 << shift) - 1), 1 << (shift - 1));
        let up = rest > half || rest == half && quotient & 1 == 1;
        quotient + u128::from(up)
    } else {
        0
    };
    let (whole, fraction) = (rounded / FRACTION_SCALE, rounded % FRACTION_SCALE);
    let mut text = format!("{whole}.{fraction:0FRACTION_DIGITS$}");
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    text
}
#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        let (a, b) = (Extended::parse(a.as_bytes())?, Extended::parse(b.as_bytes())?);
        Some(a.plus(b)?.to_string())
    }

    #[test]
    fn sums_are_written_as_people_write_them() {
        for (a, b, expected) in [
            ("0.1", "0.2", "0.3"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("-1", "1", "0"),
            ("-0", "-0", "0"),
            ("0", "-1e-18", "0"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("1e30", "0", "1000000000000000000024696061952"),
            ("0x1p64", "-1", "18446744073709551615"),
            ("3", "0.00000000000000001", "3.00000000000000001"),
        ] {
            assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        }
    }

    #[test]
    fn a_sum_that_is_no_finite_number_is_none() {
        for (a, b) in [("inf", "1"), ("inf", "-inf"), ("1e4932", "1e4932"), ("-infinity", "0")] {
            assert_eq!(sum(a, b), None, "{a} + {b}");
        }
    }

    #[test]
    fn what_is_rounded_to_zero_or_infinity_is_no_number() {
        for text in ["1e4933", "-1e4933", "1e-4952", "0x1p-16447", "1e99999999999", "1e-99999999999"] {
            assert!(Extended::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Extended::parse(b"0e99999999999").is_some());
        assert!(Extended::parse(b"3.6451995318824746025e-4951").is_some());
    }

    #[test]
    fn the_largest_number_has_all_its_digits() {
        let largest = Extended::parse(b"0xffffffffffffffffp16320").unwrap().to_string();
        assert_eq!(largest.len(), 4933);
        assert!(largest.starts_with("1189731495357231765021263853030970205169063322294624200440"));
        assert!(largest.ends_with("89770240"), "{largest}");
    }
}
