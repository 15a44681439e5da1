//! Writing RDB: lengths, strings, numbers.

use larder_store::{Digits, Element, parse_integer};

/// Longest string that may be an integer of 32 bits.
const INTEGER_DIGITS_MAX: usize = 11;

pub(crate) fn write_len(out: &mut Vec<u8>, len: usize) {
    match len {
        0..64 => out.push(len as u8),
        64..16_384 => out.extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]),
        _ => match u32::try_from(len) {
            Ok(len) => {
                out.push(0x80);
                out.extend_from_slice(&len.to_be_bytes());
            }
            Err(_) => {
                out.push(0x81);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        },
    }
}

/// Writes a string: as an integer if it is a small one.
pub(crate) fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let number = if bytes.len() <= INTEGER_DIGITS_MAX { parse_integer(bytes) } else { None };
    if !number.is_some_and(|number| write_small(out, number)) {
        write_raw(out, bytes);
    }
}

/// Writes an element as a string.
pub(crate) fn write_element(out: &mut Vec<u8>, element: Element<'_>) {
    match element {
        Element::Int(number) if write_small(out, number) => {}
        other => write_raw(out, other.text(&mut Digits::default())),
    }
}

/// Writes bytes as they are.
pub(crate) fn write_raw(out: &mut Vec<u8>, bytes: &[u8]) {
    write_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes an integer of up to 32 bits; says whether it is one.
fn write_small(out: &mut Vec<u8>, number: i64) -> bool {
    let bytes = number.to_le_bytes();
    if i8::try_from(number).is_ok() {
        out.extend_from_slice(&[0xC0, bytes[0]]);
    } else if i16::try_from(number).is_ok() {
        out.extend_from_slice(&[0xC1, bytes[0], bytes[1]]);
    } else if i32::try_from(number).is_ok() {
        out.extend_from_slice(&[0xC2, bytes[0], bytes[1], bytes[2], bytes[3]]);
    } else {
        return false;
    }
    true
}
