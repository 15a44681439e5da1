//! Numbers as text, as C's printf and strtod have them.

/// Appends `value` as `%.{precision}g` prints it.
pub(crate) fn append_general(out: &mut Vec<u8>, value: f64, precision: usize) {
    let precision = precision.max(1);
    if value.is_nan() {
        out.extend_from_slice(if value.is_sign_negative() { b"-nan" } else { b"nan" });
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        out.extend_from_slice(b"inf");
        return;
    }
    // `d.ddde-7`
    let text = format!("{:.*e}", precision - 1, value.abs());
    let Some((significand, exponent)) = text.split_once('e') else { return };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mut digits = [0; 64];
    let mut len = 0;
    for byte in significand.bytes().filter(u8::is_ascii_digit).take(digits.len()) {
        digits[len] = byte;
        len += 1;
    }
    while len > 1 && digits[len - 1] == b'0' {
        len -= 1;
    }
    let digits = &digits[..len];
    if exponent < -4 || exponent >= precision as i32 {
        out.push(digits[0]);
        append_fraction(out, &digits[1..]);
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        out.extend_from_slice(format!("{:02}", exponent.unsigned_abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend((exponent + 1..0).map(|_| b'0'));
        out.extend_from_slice(digits);
    } else {
        let whole = exponent as usize + 1;
        out.extend_from_slice(&digits[..whole.min(len)]);
        out.extend((len..whole).map(|_| b'0'));
        append_fraction(out, digits.get(whole..).unwrap_or_default());
    }
}

fn append_fraction(out: &mut Vec<u8>, digits: &[u8]) {
    if !digits.is_empty() {
        out.push(b'.');
        out.extend_from_slice(digits);
    }
}

/// Reads the number at the beginning of `text` as strtod does: decimal, hexadecimal, infinity or not a number. Returns it with the
/// number of its bytes.
pub(crate) fn number_prefix(text: &[u8]) -> Option<(f64, usize)> {
    let (negative, sign) = match text.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let rest = &text[sign..];
    let begins = |word: &[u8]| rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word);
    let (value, len) = if begins(b"0x") && rest.get(2).is_some_and(u8::is_ascii_hexdigit) {
        hexadecimal(rest)
    } else if begins(b"infinity") {
        (f64::INFINITY, 8)
    } else if begins(b"inf") {
        (f64::INFINITY, 3)
    } else if begins(b"nan") {
        (f64::NAN, 3)
    } else {
        decimal(rest)?
    };
    Some((if negative { -value } else { value }, sign + len))
}

fn decimal(text: &[u8]) -> Option<(f64, usize)> {
    let run = |from: usize| from + text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = run(0);
    let mut digits = end;
    if text.get(end) == Some(&b'.') {
        let fraction_end = run(end + 1);
        digits += fraction_end - end - 1;
        end = fraction_end;
    }
    if digits == 0 {
        return None;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent_end = run((end + 1 + sign).min(text.len()));
        if exponent_end > end + 1 + sign {
            end = exponent_end;
        }
    }
    let value = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((value, end))
}

/// `0x1F.8p-3`. More digits than a double holds are rounded towards zero.
fn hexadecimal(text: &[u8]) -> (f64, usize) {
    let mut significand = 0.0;
    let mut exponent = 0_i32;
    let mut end = 2;
    let mut point = false;
    while let Some(&byte) = text.get(end) {
        if byte == b'.' && !point {
            point = true;
        } else if let Some(digit) = char::from(byte).to_digit(16) {
            if significand < 1e15 {
                significand = significand * 16.0 + f64::from(digit);
                exponent -= if point { 4 } else { 0 };
            } else {
                exponent += if point { 0 } else { 4 };
            }
        } else {
            break;
        }
        end += 1;
    }
    if matches!(text.get(end), Some(b'p' | b'P')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let negative = text.get(end + 1) == Some(&b'-');
        let mut at = end + 1 + sign;
        let mut power = 0_i32;
        while let Some(digit) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
            power = power.saturating_mul(10).saturating_add(i32::from(digit - b'0'));
            at += 1;
        }
        if at > end + 1 + sign {
            end = at;
            exponent = exponent.saturating_add(if negative { -power } else { power });
        }
    }
    (significand * 2_f64.powi(exponent.clamp(-4000, 4000)), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn general(value: f64, precision: usize) -> String {
        let mut out = Vec::new();
        append_general(&mut out, value, precision);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_printed_as_printf_does() {
        for (value, precision, text) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (1.0, 14, "1"),
            (0.1, 14, "0.1"),
            (1e14, 14, "1e+14"),
            (123_456_789_012_345.0, 14, "1.2345678901234e+14"),
            (99_999_999_999_999.0, 14, "99999999999999"),
            (1e-5, 14, "1e-05"),
            (0.000_1, 14, "0.0001"),
            (std::f64::consts::PI, 14, "3.1415926535898"),
            (std::f64::consts::PI, 3, "3.14"),
            (1e300, 14, "1e+300"),
            (-2.5, 14, "-2.5"),
            (f64::INFINITY, 14, "inf"),
            (f64::NEG_INFINITY, 14, "-inf"),
            (9.999, 1, "1e+01"),
        ] {
            assert_eq!(general(value, precision), text);
        }
    }

    #[test]
    fn numbers_are_read_as_strtod_does() {
        for (text, value, len) in [
            ("12,", 12.0, 2),
            ("-1.5e3]", -1500.0, 6),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            (".5", 0.5, 2),
            ("5.", 5.0, 2),
            ("0x1F", 31.0, 4),
            ("0x.8p1", 0.0, 1),
            ("0x1.8p1", 3.0, 7),
            ("0xg", 0.0, 1),
            ("infinity", f64::INFINITY, 8),
            ("-InFx", f64::NEG_INFINITY, 4),
        ] {
            assert_eq!(number_prefix(text.as_bytes()), Some((value, len)), "{text}");
        }
        assert!(number_prefix(b"nan").is_some_and(|(value, len)| value.is_nan() && len == 3));
        assert_eq!(number_prefix(b"-"), None);
        assert_eq!(number_prefix(b"e5"), None);
        assert_eq!(number_prefix(b""), None);
    }
}
