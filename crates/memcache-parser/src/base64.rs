//! Base64 as memcached reads and writes it, for keys that are not text.
//!
//! Reading is lax in the same way as memcached's, since two servers that disagree about which key a request
//! names would be worse than either: bytes outside the alphabet are skipped, a padding sign counts as a zero
//! digit wherever it stands, and what follows a padded group is ignored. Writing is the standard form.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes `text` into `output` and returns how many bytes it wrote; none if it is no base64, or too long.
pub(crate) fn decode(text: &[u8], output: &mut [u8]) -> Option<usize> {
    let digits = text.iter().filter(|&&byte| digit(byte).is_some()).count();
    if digits == 0 || !digits.is_multiple_of(4) || digits / 4 * 3 > output.len() {
        return None;
    }
    let mut written = 0;
    let mut group = 0_u32;
    let mut filled = 0;
    let mut padding = 0;
    for &byte in text {
        let Some(digit) = digit(byte) else { continue };
        padding += usize::from(byte == b'=');
        group = group << 6 | u32::from(digit);
        filled += 1;
        if filled == 4 {
            output[written..written + 3].copy_from_slice(&group.to_be_bytes()[1..]);
            written += 3;
            (group, filled) = (0, 0);
            match padding {
                0 => {}
                1 | 2 => return Some(written - padding),
                _ => return None,
            }
        }
    }
    Some(written)
}

/// Encodes `bytes` in pieces of four characters.
pub(crate) fn encode(bytes: &[u8], mut put: impl FnMut(&[u8; 4])) {
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        let mut text = [18, 12, 6, 0].map(|shift| ALPHABET[(group >> shift & 63) as usize]);
        text[chunk.len() + 1..].fill(b'=');
        put(&text);
    }
}

/// The six bits a character stands for; the padding sign stands for none, that is for zero.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        b'=' => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8]) -> Option<Vec<u8>> {
        let mut output = [0; 189];
        decode(text, &mut output).map(|length| output[..length].to_vec())
    }

    fn encoded(bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        encode(bytes, |group| text.extend_from_slice(group));
        text
    }

    #[test]
    fn what_is_written_is_read_back() {
        for length in 1..=187 {
            let bytes: Vec<u8> = (0..length).map(|n| (n * 37 + length) as u8).collect();
            assert_eq!(decoded(&encoded(&bytes)).as_ref(), Some(&bytes));
        }
        assert_eq!(encoded(b"a"), b"YQ==");
        assert_eq!(encoded(b"ab"), b"YWI=");
        assert_eq!(encoded(b"abc"), b"YWJj");
        assert_eq!(encoded(b""), b"");
    }

    /// Each answer was taken from memcached 1.6.18.
    #[test]
    fn reading_is_as_lax_as_memcached_s() {
        assert_eq!(decoded(b"!YWFh").as_deref(), Some(&b"aaa"[..]));
        assert_eq!(decoded(b"YR==").as_deref(), Some(&b"a"[..]));
        assert_eq!(decoded(b"YQ==YQ==").as_deref(), Some(&b"a"[..]));
        assert_eq!(decoded(b"Y=Fh").as_deref(), Some(&b"\x60\x01"[..]));
        assert_eq!(decoded(b"YW"), None);
        assert_eq!(decoded(b"===="), None);
        assert_eq!(decoded(b"!"), None);
        assert_eq!(decoded(&[b'A'; 256]), None, "does not fit the buffer");
    }
}
