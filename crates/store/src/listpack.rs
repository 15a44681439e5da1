//! Listpacks: Redis's packed sequences of integers and strings, byte for byte, so that DUMP and snapshots copy them.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | length of the whole, in bytes |
//! | 2 | number of elements; 65535 when they are too many to be written here |
//! | | the elements: what it is, its data, and the length of both once more, to be read from behind |
//! | 1 | 0xFF, the end |
//!
//! | first byte | element |
//! |---|---|
//! | 0xxxxxxx | an integer from 0 to 127 |
//! | 10xxxxxx | a string of up to 63 bytes |
//! | 110xxxxx | an integer of 13 bits |
//! | 1110xxxx | a string of up to 4095 bytes |
//! | 0xF0 | a string whose length follows in 4 bytes |
//! | 0xF1, F2, F3, F4 | an integer of 16, 24, 32, 64 bits |
//!
//! A string that is the decimal form of an integer is always held as that integer. Readers trust the bytes: those that come from
//! outside are to be judged by [`validate`] first. An element is named by its **offset**; that of the end stands for what comes
//! after the last one.

use smallvec::SmallVec;

use crate::buffer::Buffer;
use crate::element::Element;

/// Bytes in front of the elements.
const HEADER_BYTES: usize = 6;
/// What marks the end.
const END: u8 = 0xFF;
/// The number of elements that says that it is not known.
const UNKNOWN: u16 = u16::MAX;

/// Bytes that an element takes in a listpack.
#[must_use]
pub fn packed_len(element: Element<'_>) -> usize {
    let size = match element {
        Element::Int(number) => int_size(number),
        other => string_head(other.len()) + other.len(),
    };
    size + back_len_size(size)
}

#[inline]
fn write(element: Element<'_>, out: &mut Scratch) {
    let start = out.len();
    match element {
        Element::Int(number) => write_int(out, number),
        Element::Bytes(bytes) => write_string(out, bytes),
        Element::Block(block) => write_string(out, block),
    }
    write_back_len(out, out.len() - start);
}

/// Where elements are put together before they are spliced in.
type Scratch = SmallVec<[u8; 160]>;

/// A listpack to be read.
#[derive(Clone, Copy, Debug)]
pub struct Listpack<'a>(&'a [u8]);

impl<'a> Listpack<'a> {
    /// Reads these bytes, which are a listpack.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Listpack<'a> {
        debug_assert!(bytes.len() > HEADER_BYTES && bytes.last() == Some(&END));
        Listpack(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Number of elements. Walks over all when there are 65535 or more.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        match u16::from_le_bytes([self.0[4], self.0[5]]) {
            UNKNOWN => self.iter().count(),
            known => usize::from(known),
        }
    }

    /// Whether there are no elements.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0[HEADER_BYTES] == END
    }

    /// Offset of the first element, or of the end.
    #[inline]
    #[must_use]
    pub fn first(self) -> usize {
        HEADER_BYTES
    }

    /// Offset of the end.
    #[inline]
    #[must_use]
    pub fn end(self) -> usize {
        self.0.len() - 1
    }

    /// Offset of the last element.
    #[inline]
    #[must_use]
    pub fn last(self) -> Option<usize> {
        self.previous(self.end())
    }

    /// Offset of what follows an element.
    #[inline]
    #[must_use]
    pub fn next(self, offset: usize) -> usize {
        // By branches and not by a table: they are foreseen, so a walk does not wait for one byte after the other.
        let first = self.0[offset];
        if let 0x80..=0xBF = first {
            return offset + usize::from(first & 0x3F) + 2;
        }
        if first < 0x80 {
            return offset + 2;
        }
        let size = size_at(self.0, offset);
        offset + size + back_len_size(size)
    }

    /// Offset of what precedes an element, or the end.
    #[inline]
    #[must_use]
    pub fn previous(self, offset: usize) -> Option<usize> {
        if offset <= HEADER_BYTES {
            return None;
        }
        let (mut at, mut size, mut shift) = (offset - 1, 0, 0);
        loop {
            size |= usize::from(self.0[at] & 0x7F) << shift;
            if self.0[at] & 0x80 == 0 {
                return Some(at - size);
            }
            (at, shift) = (at - 1, shift + 7);
        }
    }

    /// The element at an offset, which is not the end's.
    #[inline]
    #[must_use]
    pub fn at(self, offset: usize) -> Element<'a> {
        let bytes = &self.0[offset..];
        let int = |len: usize| {
            let mut wide = [0; 8];
            wide[8 - len..].copy_from_slice(&bytes[1..=len]);
            i64::from_le_bytes(wide) >> (64 - 8 * len)
        };
        match bytes[0] {
            small @ 0..=0x7F => Element::Int(i64::from(small)),
            short @ 0x80..=0xBF => Element::Bytes(&bytes[1..1 + usize::from(short & 0x3F)]),
            high @ 0xC0..=0xDF => {
                let number = i64::from(high & 0x1F) << 8 | i64::from(bytes[1]);
                Element::Int(number << 51 >> 51)
            }
            high @ 0xE0..=0xEF => {
                let len = usize::from(high & 0xF) << 8 | usize::from(bytes[1]);
                Element::Bytes(&bytes[2..2 + len])
            }
            0xF1 => Element::Int(int(2)),
            0xF2 => Element::Int(int(3)),
            0xF3 => Element::Int(int(4)),
            0xF4 => Element::Int(int(8)),
            _ => Element::Bytes(&bytes[5..size_at(bytes, 0)]),
        }
    }

    /// Offset of the element of this number, counted from 0, or from -1 backwards.
    #[must_use]
    pub fn offset_of(self, index: i64) -> Option<usize> {
        let len = i64::try_from(self.len()).unwrap_or(i64::MAX);
        let index = if index < 0 { index + len } else { index };
        if index < 0 || index >= len {
            return None;
        }
        if index <= len / 2 {
            return Some((0..index).fold(self.first(), |offset, _| self.next(offset)));
        }
        (index..len).try_fold(self.end(), |offset, _| self.previous(offset))
    }

    /// All elements with their offsets.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        self.iter_from(self.first())
    }

    /// The elements from an offset on, with their offsets.
    #[inline]
    pub fn iter_from(self, offset: usize) -> Iter<'a> {
        Iter { listpack: self, offset }
    }

    /// Offset of the first element that equals a string, looking only at one of `step`, from an offset on. Fields of a packed hash
    /// are found with a step of 2.
    #[inline]
    #[must_use]
    pub fn find(self, wanted: &[u8], mut offset: usize, step: usize) -> Option<usize> {
        match Element::of(wanted) {
            Element::Int(number) => {
                let mut written = Scratch::new();
                write_int(&mut written, number);
                self.find_written(written[0], &written[1..], offset, step)
            }
            _ if wanted.len() < 64 => self.find_written(0x80 | wanted.len() as u8, wanted, offset, step),
            long => {
                while offset < self.end() {
                    if self.at(offset) == long {
                        return Some(offset);
                    }
                    offset = self.skip(offset, step);
                }
                None
            }
        }
    }

    /// Offset of the first element that is written as a byte and these that follow.
    #[inline]
    fn find_written(self, head: u8, rest: &[u8], mut offset: usize, step: usize) -> Option<usize> {
        let bytes = self.0;
        // Strings of one length differ in their last bytes, mostly.
        let (front, tail) = match rest.split_last_chunk::<8>() {
            Some((front, tail)) => (front, Some(u64::from_le_bytes(*tail))),
            None => (rest, None),
        };
        let size = 1 + rest.len();
        loop {
            let first = bytes[offset];
            if first == head {
                let (at, end) = (offset + 1, offset + size);
                let same_tail = match tail {
                    Some(tail) => {
                        bytes[at..end].last_chunk().map(|last| u64::from_le_bytes(*last)) == Some(tail)
                    }
                    None => true,
                };
                if same_tail && bytes[at..at + front.len()] == *front {
                    return Some(offset);
                }
                // Where the next one is does not depend on what was read.
                offset = self.skip(end + 1, step - 1);
            } else if first == END {
                return None;
            } else {
                offset = self.skip(offset, step);
            }
        }
    }

    /// Offset of what follows so many elements, or of the end.
    #[inline]
    fn skip(self, offset: usize, elements: usize) -> usize {
        (0..elements).fold(offset, |offset, _| self.next(offset))
    }
}

/// See [`Listpack::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    listpack: Listpack<'a>,
    offset: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (usize, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<(usize, Element<'a>)> {
        let offset = self.offset;
        if offset >= self.listpack.end() {
            return None;
        }
        self.offset = self.listpack.next(offset);
        Some((offset, self.listpack.at(offset)))
    }
}

/// A listpack of these elements.
#[must_use]
pub fn from_elements<'a>(elements: impl IntoIterator<Item = Element<'a>>) -> Vec<u8> {
    let mut bytes = crate::Packing::Listpack.empty().to_vec();
    let mut scratch = Scratch::new();
    bytes.truncate(HEADER_BYTES);
    let mut count = 0_usize;
    for element in elements {
        write(element, &mut scratch);
        bytes.extend_from_slice(&scratch);
        scratch.clear();
        count += 1;
    }
    bytes.push(END);
    write_header(&mut bytes, count);
    bytes
}

/// Inserts elements before the one at an offset, or at the end.
#[inline]
pub fn insert<'a>(buffer: &mut impl Buffer, offset: usize, elements: impl IntoIterator<Item = Element<'a>>) {
    splice(buffer, offset..offset, 0, elements);
}

/// Adds elements behind the last one.
#[inline]
pub fn push_back<'a>(buffer: &mut impl Buffer, elements: impl IntoIterator<Item = Element<'a>>) {
    let end = buffer.bytes().len() - 1;
    insert(buffer, end, elements);
}

/// Puts another element in the place of the one at an offset.
#[inline]
pub fn replace(buffer: &mut impl Buffer, offset: usize, element: Element<'_>) {
    let next = Listpack(buffer.bytes()).next(offset);
    splice(buffer, offset..next, 1, [element]);
}

/// Removes up to `count` elements from an offset on; returns how many there were.
#[inline]
pub fn remove(buffer: &mut impl Buffer, offset: usize, count: usize) -> usize {
    let listpack = Listpack(buffer.bytes());
    let (mut next, mut removed) = (offset, 0);
    while removed < count && next < listpack.end() {
        next = listpack.next(next);
        removed += 1;
    }
    splice(buffer, offset..next, removed, []);
    removed
}

/// Puts elements in the place of those `removed` ones that lie in a range.
#[inline]
fn splice<'a>(
    buffer: &mut impl Buffer,
    range: std::ops::Range<usize>,
    removed: usize,
    elements: impl IntoIterator<Item = Element<'a>>,
) {
    let mut scratch = Scratch::new();
    let mut added = 0;
    for element in elements {
        write(element, &mut scratch);
        added += 1;
    }
    let known = u16::from_le_bytes([buffer.bytes()[4], buffer.bytes()[5]]);
    buffer.splice(range, &scratch);
    let count = if known == UNKNOWN { usize::from(UNKNOWN) } else { usize::from(known) - removed + added };
    write_header(buffer.bytes_mut(), count);
}

fn write_header(bytes: &mut [u8], count: usize) {
    let total =
        u32::try_from(bytes.len()).expect("a listpack is turned into something else long before 4 GiB");
    bytes[..4].copy_from_slice(&total.to_le_bytes());
    bytes[4..6].copy_from_slice(&u16::try_from(count).unwrap_or(UNKNOWN).to_le_bytes());
}

/// Whether bytes from outside are a listpack: every length in it leads where it should. Costs a walk over all elements.
#[must_use]
pub fn validate(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return false };
    let [a, b, c, d, e, f] = *header;
    if u32::from_le_bytes([a, b, c, d]) as usize != bytes.len() || bytes.last() != Some(&END) {
        return false;
    }
    let (end, mut at, mut count) = (bytes.len() - 1, HEADER_BYTES, 0_usize);
    while at < end {
        let Some(next) = checked_next(&bytes[..end], at) else { return false };
        at = next;
        count += 1;
    }
    let told = u16::from_le_bytes([e, f]);
    at == end && (told == UNKNOWN || usize::from(told) == count)
}

/// Where the element at an offset ends, if all of it is there and it is told the same from behind.
fn checked_next(bytes: &[u8], at: usize) -> Option<usize> {
    let head = match bytes[at] {
        0..=0xBF | 0xF1..=0xF4 => 1,
        0xC0..=0xEF => 2,
        0xF0 => 5,
        0xF5..=0xFF => return None,
    };
    if at + head > bytes.len() {
        return None;
    }
    let size = size_at(bytes, at);
    let next = at.checked_add(size)?.checked_add(back_len_size(size))?;
    let told = bytes.get(at + size..next)?;
    let mut expected = Scratch::new();
    write_back_len(&mut expected, size);
    (told == &expected[..]).then_some(next)
}

/// Bytes of an element without what is read from behind.
#[inline]
fn size_at(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        0..=0x7F => 1,
        short @ 0x80..=0xBF => 1 + usize::from(short & 0x3F),
        0xC0..=0xDF => 2,
        high @ 0xE0..=0xEF => 2 + (usize::from(high & 0xF) << 8 | usize::from(bytes[at + 1])),
        0xF1 => 3,
        0xF2 => 4,
        0xF3 => 5,
        0xF4 => 9,
        _ => {
            let len = [bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4]];
            5 + u32::from_le_bytes(len) as usize
        }
    }
}

/// Bytes in which the length of an element is written behind it. The limits are one lower than they would need to be, as in
/// Redis.
#[inline]
fn back_len_size(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

#[inline]
fn write_back_len(out: &mut Scratch, size: usize) {
    for group in (0..back_len_size(size)).rev() {
        let more = if group + 1 == back_len_size(size) { 0 } else { 0x80 };
        out.push((size >> (7 * group)) as u8 & 0x7F | more);
    }
}

fn string_head(len: usize) -> usize {
    match len {
        0..=63 => 1,
        64..=4095 => 2,
        _ => 5,
    }
}

#[inline]
fn write_string(out: &mut Scratch, bytes: &[u8]) {
    let len = bytes.len();
    match len {
        0..=63 => out.push(0x80 | len as u8),
        64..=4095 => out.extend_from_slice(&[0xE0 | (len >> 8) as u8, len as u8]),
        _ => {
            let long = u32::try_from(len).expect("a string in a listpack is far shorter than 4 GiB");
            out.push(0xF0);
            out.extend_from_slice(&long.to_le_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

fn int_size(number: i64) -> usize {
    match number {
        0..=127 => 1,
        -4096..=4095 => 2,
        _ => 1 + int_bytes(number),
    }
}

/// Bytes of an integer that has a first byte of its own.
fn int_bytes(number: i64) -> usize {
    match number {
        -0x8000..=0x7FFF => 2,
        -0x80_0000..=0x7F_FFFF => 3,
        -0x8000_0000..=0x7FFF_FFFF => 4,
        _ => 8,
    }
}

#[inline]
fn write_int(out: &mut Scratch, number: i64) {
    match number {
        0..=127 => out.push(number as u8),
        -4096..=4095 => out.extend_from_slice(&[0xC0 | (number >> 8) as u8 & 0x1F, number as u8]),
        _ => {
            let len = int_bytes(number);
            out.push(if len == 8 { 0xF4 } else { 0xEF + len as u8 });
            out.extend_from_slice(&number.to_le_bytes()[..len]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Packing;

    fn texts(bytes: &[u8]) -> Vec<Vec<u8>> {
        Listpack::new(bytes).iter().map(|(_, element)| element.to_vec()).collect()
    }

    fn word() -> impl Strategy<Value = Vec<u8>> {
        let len = prop_oneof![0..70_usize, 120..135_usize, 4090..4100_usize, 16_370..16_390_usize];
        prop_oneof![
            3 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
            3 => (-5000..5000_i64).prop_map(|number| number.to_string().into_bytes()),
            2 => (any::<i64>(), 0..64_u32).prop_map(|(number, by)| (number >> by).to_string().into_bytes()),
            4 => prop::collection::vec(any::<u8>(), 0..70),
            1 => len.prop_map(|len| vec![b'x'; len]),
        ]
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(usize, Vec<u8>),
        Replace(usize, Vec<u8>),
        Remove(usize, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (any::<usize>(), word()).prop_map(|(at, word)| Step::Insert(at, word)),
            2 => (any::<usize>(), word()).prop_map(|(at, word)| Step::Replace(at, word)),
            1 => (any::<usize>(), 0..4_usize).prop_map(|(at, count)| Step::Remove(at, count)),
        ]
    }

    proptest! {
        /// Whatever is done to a listpack, it holds what a vector of strings would hold, however it is read.
        #[test]
        fn a_listpack_is_a_sequence(steps in prop::collection::vec(step(), 0..60)) {
            let mut bytes = Packing::Listpack.empty().to_vec();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for step in steps {
                let listpack = Listpack::new(&bytes);
                match step {
                    Step::Insert(at, word) => {
                        let at = at % (model.len() + 1);
                        let offset = listpack.offset_of(at as i64).unwrap_or(listpack.end());
                        insert(&mut bytes, offset, [Element::of(&word)]);
                        model.insert(at, word);
                    }
                    Step::Replace(at, word) if !model.is_empty() => {
                        let at = at % model.len();
                        let offset = listpack.offset_of(at as i64 - model.len() as i64).unwrap();
                        replace(&mut bytes, offset, Element::of(&word));
                        model[at] = word;
                    }
                    Step::Remove(at, count) if !model.is_empty() => {
                        let at = at % model.len();
                        let end = model.len().min(at + count);
                        let offset = listpack.offset_of(at as i64).unwrap();
                        prop_assert_eq!(remove(&mut bytes, offset, count), end - at);
                        model.drain(at..end);
                    }
                    Step::Replace(..) | Step::Remove(..) => {}
                }
                prop_assert!(validate(&bytes));
            }
            prop_assert_eq!(&texts(&bytes), &model);
            let listpack = Listpack::new(&bytes);
            let mut backwards = Vec::new();
            let mut at = listpack.last();
            while let Some(offset) = at {
                backwards.push(listpack.at(offset).to_vec());
                at = listpack.previous(offset);
            }
            backwards.reverse();
            prop_assert_eq!(&backwards, &model);
            prop_assert_eq!((listpack.len(), listpack.is_empty()), (model.len(), model.is_empty()));
            let packed: usize = listpack.iter().map(|(_, element)| packed_len(element)).sum();
            prop_assert_eq!(packed + HEADER_BYTES + 1, bytes.len());
            for word in &model {
                let offset = listpack.find(word, listpack.first(), 1).unwrap();
                prop_assert_eq!(&listpack.at(offset).to_vec(), word);
            }
            prop_assert_eq!(from_elements(model.iter().map(|word| Element::of(word))), bytes);
        }

        /// Nothing that is not a listpack passes for one, and nothing panics.
        #[test]
        fn damage_is_noticed(words in prop::collection::vec(word(), 0..8), at in any::<usize>(), bit in 0..8_u32, cut in any::<usize>()) {
            let good = from_elements(words.iter().map(|word| Element::of(word)));
            prop_assert!(validate(&good));
            prop_assert!(!validate(&good[..cut % good.len()]));
            let mut bad = good.clone();
            let at = at % bad.len();
            bad[at] ^= 1 << bit;
            if validate(&bad) {
                prop_assert_eq!(texts(&bad).len(), Listpack::new(&bad).len());
            }
        }
    }

    #[test]
    fn bytes_are_those_of_redis() {
        // As redis-server 7.0 dumps a hash of these fields and values.
        let words: [&[u8]; 6] = [b"a", b"1", b"field", b"-5000", b"n", b"1234567890123"];
        let expected = b"\x24\x00\x00\x00\x06\x00\x81a\x02\x01\x01\x85field\x06\xf1\x78\xec\x03\x81n\x02\xf4\xcb\x04\xfb\x71\x1f\x01\x00\x00\x09\xff";
        assert_eq!(from_elements(words.map(Element::of)), expected);
    }

    #[test]
    fn more_elements_than_can_be_written_are_counted() {
        let mut bytes = from_elements((0..70_000).map(Element::Int));
        assert_eq!(Listpack::new(&bytes).len(), 70_000);
        remove(&mut bytes, HEADER_BYTES, 60_000);
        assert_eq!(Listpack::new(&bytes).len(), 10_000);
        assert!(validate(&bytes));
    }
}
