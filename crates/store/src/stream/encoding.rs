//! How numbers and texts are written in a chunk of a stream.
//!
//! A number takes 7 bits a byte, the lowest first; all bytes but the last have their highest bit set. A text begins with a number
//! whose two lowest bits say what it is:
//!
//! | bits | the number above them | then |
//! |---|---|---|
//! | 0 | how many bytes it has | the bytes |
//! | 1 | which block it lies in | |
//! | 2 | a short integer, its sign as the lowest bit | |
//! | 3 | 0 | an integer in 8 bytes |

use crate::element::Element;
use crate::entry::Block;

/// A longer text lies in a block of its own.
pub(super) const LONG: usize = 1024;
/// Bytes that a text takes at most beside its own.
pub(super) const BESIDE_MAX: usize = 9;

const BYTES: u64 = 0;
const BLOCK: u64 = 1;
const SHORT_INTEGER: u64 = 2;
const INTEGER: u64 = 3;

#[inline]
pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The number at a place, which moves behind it.
#[inline]
pub(super) fn read_number(bytes: &[u8], at: &mut usize) -> u64 {
    let first = bytes[*at];
    *at += 1;
    if first < 0x80 {
        return u64::from(first);
    }
    let (mut number, mut shift) = (u64::from(first & 0x7F), 7);
    loop {
        let byte = bytes[*at];
        *at += 1;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

/// Writes a text; one that is long becomes a block.
#[inline]
pub(super) fn write_text(out: &mut Vec<u8>, blocks: &mut Vec<Block>, text: Element<'_>) {
    let block = match text {
        Element::Int(number) => return write_integer(out, number),
        Element::Bytes(bytes) if bytes.len() <= LONG => {
            write_number(out, (bytes.len() as u64) << 2 | BYTES);
            return out.extend_from_slice(bytes);
        }
        Element::Bytes(bytes) => Block::new(bytes.to_vec()),
        Element::Block(block) => Block::clone(block),
    };
    write_number(out, (blocks.len() as u64) << 2 | BLOCK);
    blocks.push(block);
}

fn write_integer(out: &mut Vec<u8>, number: i64) {
    let folded = (number << 1 ^ number >> 63) as u64;
    if folded >> 61 == 0 {
        write_number(out, folded << 2 | SHORT_INTEGER);
    } else {
        out.push(INTEGER as u8);
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// The text at a place, which moves behind it.
#[inline]
pub(super) fn read_text<'a>(bytes: &'a [u8], blocks: &'a [Block], at: &mut usize) -> Element<'a> {
    let head = read_number(bytes, at);
    let number = head >> 2;
    match head & 3 {
        BYTES => {
            let text = &bytes[*at..*at + number as usize];
            *at += text.len();
            Element::Bytes(text)
        }
        BLOCK => Element::Block(&blocks[number as usize]),
        SHORT_INTEGER => Element::Int((number >> 1) as i64 ^ -((number & 1) as i64)),
        _ => {
            let eight = bytes[*at..*at + 8].try_into().map_or(0, i64::from_le_bytes);
            *at += 8;
            Element::Int(eight)
        }
    }
}

/// Moves behind the text at a place.
#[inline]
pub(super) fn skip_text(bytes: &[u8], at: &mut usize) {
    let head = read_number(bytes, at);
    match head & 3 {
        BYTES => *at += (head >> 2) as usize,
        INTEGER => *at += 8,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in prop::collection::vec((any::<u64>(), 0..64_u32), 0..20), len in 0..3000_usize) {
            let (mut bytes, mut blocks) = (Vec::new(), Vec::new());
            let numbers: Vec<u64> = numbers.into_iter().map(|(number, by)| number >> by).collect();
            let long = vec![b'x'; len];
            for number in &numbers {
                write_number(&mut bytes, *number);
                write_text(&mut bytes, &mut blocks, Element::Int(*number as i64));
                write_text(&mut bytes, &mut blocks, Element::Bytes(&long));
            }
            let (mut at, mut skipped) = (0, 0);
            for number in &numbers {
                prop_assert_eq!(read_number(&bytes, &mut at), *number);
                prop_assert_eq!(read_number(&bytes, &mut skipped), *number);
                prop_assert_eq!(read_text(&bytes, &blocks, &mut at), Element::Int(*number as i64));
                prop_assert_eq!(read_text(&bytes, &blocks, &mut at).to_vec(), long.clone());
                skip_text(&bytes, &mut skipped);
                skip_text(&bytes, &mut skipped);
                prop_assert_eq!(skipped, at);
            }
            prop_assert_eq!(at, bytes.len());
        }
    }
}
