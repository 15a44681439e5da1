//! Writing RDB: lengths, strings, numbers.

use larder_store::{Digits, Element, parse_integer};

use crate::lzf::Packer;

/// Longest string that may be an integer of 32 bits.
const INTEGER_DIGITS_MAX: usize = 11;
/// Longest string that is never packed.
const UNPACKED_MAX: usize = 20;
/// What packing has to save.
const SAVED_MIN: usize = 4;

/// Whether long strings are packed (directive `rdbcompression`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Where that makes them shorter.
    Lzf,
    /// Never.
    Off,
}

impl Compression {
    pub(crate) fn packer(self) -> Option<Packer> {
        (self == Compression::Lzf).then(Packer::default)
    }
}

/// Takes what is written. Never fails: one that can, remembers that it did.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    /// What packs strings, unless they are not to be packed. It can be taken away meanwhile.
    fn packer(&mut self) -> &mut Option<Packer>;
}

/// What is written, in memory.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) bytes: Vec<u8>,
    packer: Option<Packer>,
}

impl Memory {
    pub(crate) fn new(compression: Compression) -> Memory {
        Memory { bytes: Vec::new(), packer: compression.packer() }
    }
}

impl Sink for Memory {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn packer(&mut self) -> &mut Option<Packer> {
        &mut self.packer
    }
}

/// Counts what is written.
pub(crate) struct Counter {
    pub(crate) len: usize,
    packer: Option<Packer>,
}

impl Counter {
    pub(crate) fn new(compression: Compression) -> Counter {
        Counter { len: 0, packer: compression.packer() }
    }
}

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
    }

    fn packer(&mut self) -> &mut Option<Packer> {
        &mut self.packer
    }
}

/// Writes a number of elements.
pub(crate) fn write_len(out: &mut impl Sink, len: usize) {
    write_number(out, len as u64);
}

/// Writes a number as lengths are written.
pub(crate) fn write_number(out: &mut impl Sink, number: u64) {
    match number {
        0..64 => out.put(&[number as u8]),
        64..16_384 => out.put(&[0x40 | (number >> 8) as u8, number as u8]),
        _ => match u32::try_from(number) {
            Ok(number) => {
                out.put(&[0x80]);
                out.put(&number.to_be_bytes());
            }
            Err(_) => {
                out.put(&[0x81]);
                out.put(&number.to_be_bytes());
            }
        },
    }
}

/// Writes a string: as an integer if it is a small one.
pub(crate) fn write_string(out: &mut impl Sink, bytes: &[u8]) {
    let number = if bytes.len() <= INTEGER_DIGITS_MAX { parse_integer(bytes) } else { None };
    if !number.is_some_and(|number| write_small(out, number)) {
        write_text(out, bytes);
    }
}

/// Writes an element as a string.
pub(crate) fn write_element(out: &mut impl Sink, element: Element<'_>) {
    match element {
        Element::Int(number) if write_small(out, number) => {}
        other => write_text(out, other.text(&mut Digits::default())),
    }
}

/// Writes a string that is not a small integer: packed if it is to be, and becomes shorter.
pub(crate) fn write_text(out: &mut impl Sink, bytes: &[u8]) {
    if bytes.len() <= UNPACKED_MAX {
        return write_raw(out, bytes);
    }
    let mut packer = out.packer().take();
    match packer.as_mut().and_then(|packer| packer.pack(bytes, bytes.len() - SAVED_MIN)) {
        Some(packed) => {
            out.put(&[0xC3]);
            write_len(out, packed.len());
            write_len(out, bytes.len());
            out.put(packed);
        }
        None => write_raw(out, bytes),
    }
    *out.packer() = packer;
}

/// Writes bytes as they are.
pub(crate) fn write_raw(out: &mut impl Sink, bytes: &[u8]) {
    write_len(out, bytes.len());
    out.put(bytes);
}

/// Writes an integer of up to 32 bits; says whether it is one.
fn write_small(out: &mut impl Sink, number: i64) -> bool {
    let bytes = number.to_le_bytes();
    if i8::try_from(number).is_ok() {
        out.put(&[0xC0, bytes[0]]);
    } else if i16::try_from(number).is_ok() {
        out.put(&[0xC1, bytes[0], bytes[1]]);
    } else if i32::try_from(number).is_ok() {
        out.put(&[0xC2, bytes[0], bytes[1], bytes[2], bytes[3]]);
    } else {
        return false;
    }
    true
}
