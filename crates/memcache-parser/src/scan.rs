//! The search for a byte.

/// Where the first byte of this kind is in `text`, or its length if there is none.
///
/// Eight bytes at a time: lines and keys are long for a loop over bytes, and so short that a call of `memchr`
/// costs more than its search.
#[inline]
pub(crate) fn first(byte: u8, text: &[u8]) -> usize {
    let wanted = u64::from_ne_bytes([byte; 8]);
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // Zero where the byte is. Subtracting one sets the high bit there, and in no byte below the first.
        let differing = u64::from_le_bytes(*word) ^ wanted;
        let found = differing.wrapping_sub(ONES) & !differing & HIGH_BITS;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + tail.iter().position(|&other| other == byte).unwrap_or(tail.len())
}

/// Where the first space, line end or other byte below a space is in `text`, or its length if there is none.
#[inline]
pub(crate) fn first_up_to_space(text: &[u8]) -> usize {
    const AFTER_SPACE: u8 = b' ' + 1;
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // Subtracting borrows in bytes that are less, and in no byte below the first of them.
        let word = u64::from_le_bytes(*word);
        let found = word.wrapping_sub(ONES * AFTER_SPACE as u64) & !word & HIGH_BITS;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + tail.iter().position(|&byte| byte < AFTER_SPACE).unwrap_or(tail.len())
}

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_is_found_wherever_it_is() {
        for byte in [b' ', b'\n', 0, 0xff] {
            // Bytes that differ in the lowest or the highest bit, or by one, must not be taken for it.
            let others = [byte ^ 1, byte ^ 0x80, byte.wrapping_add(1), byte.wrapping_sub(1)];
            for length in 0..40 {
                let mut text: Vec<u8> = others.iter().copied().cycle().take(length).collect();
                assert_eq!(first(byte, &text), length);
                for at in (0..length).rev() {
                    text[at] = byte;
                    assert_eq!(first(byte, &text), at);
                    assert_eq!(first(byte, &text[..at]), at);
                }
            }
        }
    }

    #[test]
    fn every_byte_up_to_a_space_is_found() {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                let mut text = [b'!', 0x80, 0xff, 0xa0, 0x7f].repeat(4);
                assert_eq!(first_up_to_space(&text), 20);
                text[at] = byte;
                assert_eq!(first_up_to_space(&text), if byte <= b' ' { at } else { 20 }, "{byte} at {at}");
            }
        }
    }
}
