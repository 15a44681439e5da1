//! Reading and writing scores as the peers do.

use crate::string::Extended;

/// Reads a score: a decimal or hexadecimal number, or an infinity by name. What is no number, or too large or too small for one, is
/// none.
pub(crate) fn parse(text: &[u8]) -> Option<f64> {
    let number = read(std::str::from_utf8(text).ok()?)?;
    let magnitude = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let named = matches!(magnitude.first(), Some(b'i' | b'I'));
    let mut mantissa = magnitude.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
    let vanished = number == 0.0 && mantissa.any(|digit| matches!(digit, b'1'..=b'9'));
    if number.is_infinite() && !named || vanished { None } else { Some(number) }
}

/// Reads a bound of a range as the peers do, who let C's `strtod` judge: nothing is 0, too much infinite, and space may come first.
pub(super) fn parse_bound(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() { Some(0.0) } else { read(text.trim_ascii_start()) }
}

/// Reads what SORT compares by, as the peers do: nothing is 0, and space may come first.
pub(crate) fn parse_weight(text: &[u8]) -> Option<f64> {
    if text.is_empty() { Some(0.0) } else { parse(text.trim_ascii_start()) }
}

/// A number, but not what is none.
fn read(text: &str) -> Option<f64> {
    let magnitude = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = if magnitude.starts_with("0x") || magnitude.starts_with("0X") {
        Extended::parse(text.as_bytes())?.to_f64()
    } else {
        text.parse().ok()?
    };
    (!number.is_nan()).then_some(number)
}

/// A number in the form of C's `%.17g`, in which the peers write the scores of a scan.
pub(crate) fn general(number: f64) -> String {
    if !number.is_finite() {
        return if number > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    let scientific = format!("{number:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..17).contains(&exponent) {
        let fixed = format!("{number:.*}", usize::try_from(16 - exponent).unwrap_or(0));
        return if fixed.contains('.') { trimmed(&fixed).to_owned() } else { fixed };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}

/// Without zeros at the end of the fraction.
fn trimmed(text: &str) -> &str {
    text.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_as_c_reads_them() {
        for (text, number) in [
            ("1", 1.0),
            ("-1.5", -1.5),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0x1p3", 8.0),
            ("0e-400", 0.0),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(number), "{text}");
        }
        for text in ["", " 1", "1 ", "x", "nan", "1e400", "-1e400", "1e-400", "1.2.3", "0x"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        for (text, bound) in [("", 0.0), (" 2", 2.0), ("1e400", f64::INFINITY), ("-1e-400", -0.0)] {
            assert_eq!(parse_bound(text.as_bytes()), Some(bound), "{text}");
        }
        assert_eq!([parse_bound(b"x"), parse_bound(b"nan"), parse_bound(b" ")], [None; 3]);
    }

    #[test]
    fn numbers_are_written_as_c_writes_them() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (3.2, "3.2000000000000002"),
            (0.1, "0.10000000000000001"),
            (1e20, "1e+20"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (f64::NEG_INFINITY, "-inf"),
            (1.5e300, "1.5000000000000001e+300"),
        ] {
            assert_eq!(general(number), text);
        }
    }
}
