//! Single bits and ranges of bits in a string of bytes: reading, setting, counting, finding.
//!
//! Long runs are taken eight bytes at a time in loops that the compiler turns into vector code.

use std::ops::Range;

/// The bit at an offset, if the bytes reach that far.
pub(super) fn get(bytes: &[u8], offset: u64) -> Option<bool> {
    let byte = bytes.get(usize::try_from(offset / 8).ok()?)?;
    Some(byte & mask(offset) != 0)
}

/// Sets or clears the bit at an offset that the bytes reach.
pub(super) fn put(bytes: &mut [u8], offset: u64, bit: bool) {
    let byte = &mut bytes[(offset / 8) as usize];
    if bit {
        *byte |= mask(offset);
    } else {
        *byte &= !mask(offset);
    }
}

/// How many bits are set in a range that lies within the bytes.
pub(super) fn count(bytes: &[u8], range: Range<u64>) -> u64 {
    let Some(Parts { first, inner, last }) = parts(bytes, range, 0) else { return 0 };
    let (words, rest) = inner.as_chunks::<8>();
    let words: u64 = words.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
    let rest = rest.iter().chain([&first, &last]).map(|byte| u64::from(byte.count_ones())).sum::<u64>();
    words + rest
}

/// The offset of the first bit with this value in a range that lies within the bytes.
pub(super) fn find(bytes: &[u8], range: Range<u64>, bit: bool) -> Option<u64> {
    // Where zeros are looked for, everything is inverted.
    let inverted = if bit { 0 } else { u8::MAX };
    let start = range.start / 8;
    let Parts { first, inner, last } = parts(bytes, range, inverted)?;
    if first != 0 {
        return Some(start * 8 + u64::from(first.leading_zeros()));
    }
    if let Some(place) = position(inner, inverted) {
        let found = (inner[place] ^ inverted).leading_zeros();
        return Some((start + 1 + place as u64) * 8 + u64::from(found));
    }
    let end = start + 1 + inner.len() as u64;
    (last != 0).then(|| end * 8 + u64::from(last.leading_zeros()))
}

/// A range of bits cut at the borders of bytes.
struct Parts<'a> {
    /// The first byte, inverted if asked for, without the bits outside of the range.
    first: u8,
    /// The whole bytes between first and last, as they are.
    inner: &'a [u8],
    /// The last byte, like the first; zero when the first is the last.
    last: u8,
}

fn parts(bytes: &[u8], range: Range<u64>, inverted: u8) -> Option<Parts<'_>> {
    if range.is_empty() {
        return None;
    }
    let (start, end) = ((range.start / 8) as usize, ((range.end - 1) / 8) as usize);
    let from_start = u8::MAX >> (range.start % 8);
    let to_end = u8::MAX << (7 - (range.end - 1) % 8);
    let (first, last) = (bytes[start] ^ inverted, bytes[end] ^ inverted);
    Some(if start == end {
        Parts { first: first & from_start & to_end, inner: &[], last: 0 }
    } else {
        Parts { first: first & from_start, inner: &bytes[start + 1..end], last: last & to_end }
    })
}

/// The place of the first byte that is another than this.
fn position(bytes: &[u8], usual: u8) -> Option<usize> {
    let usual_word = [usual; 8];
    let (words, _) = bytes.as_chunks::<8>();
    let skipped = words.iter().position(|word| *word != usual_word).unwrap_or(words.len()) * 8;
    bytes[skipped..].iter().position(|byte| *byte != usual).map(|place| skipped + place)
}

fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The naive model: one `bool` a bit.
    fn model(bytes: &[u8]) -> Vec<bool> {
        bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte & (0x80 >> bit) != 0)).collect()
    }

    /// Bytes in which long runs are frequent, and a range of their bits.
    fn bytes_and_range() -> impl Strategy<Value = (Vec<u8>, Range<u64>)> {
        let byte = prop_oneof![8 => Just(0_u8), 8 => Just(u8::MAX), 1 => any::<u8>()];
        let run = (byte, 0_usize..30).prop_map(|(byte, len)| vec![byte; len]);
        proptest::collection::vec(run, 0..6).prop_map(|runs| runs.concat()).prop_flat_map(|bytes| {
            let len = bytes.len() as u64 * 8;
            (Just(bytes), 0..=len, 0..=len).prop_map(|(bytes, a, b)| (bytes, a.min(b)..a.max(b)))
        })
    }

    proptest! {
        #[test]
        fn counts_as_the_model_does((bytes, range) in bytes_and_range()) {
            let bits = model(&bytes);
            let expected = bits[range.start as usize..range.end as usize].iter().filter(|bit| **bit).count();
            prop_assert_eq!(count(&bytes, range), expected as u64);
        }

        #[test]
        fn finds_as_the_model_does((bytes, range) in bytes_and_range(), bit: bool) {
            let bits = model(&bytes);
            let expected = range.clone().find(|offset| bits[*offset as usize] == bit);
            prop_assert_eq!(find(&bytes, range, bit), expected);
        }

        #[test]
        fn gets_and_puts_as_the_model_does(mut bytes: Vec<u8>, place: prop::sample::Index, bit: bool) {
            let mut bits = model(&bytes);
            prop_assert_eq!(get(&bytes, bits.len() as u64), None);
            prop_assume!(!bits.is_empty());
            let offset = place.index(bits.len());
            prop_assert_eq!(get(&bytes, offset as u64), Some(bits[offset]));
            bits[offset] = bit;
            put(&mut bytes, offset as u64, bit);
            prop_assert_eq!(model(&bytes), bits);
        }
    }
}
