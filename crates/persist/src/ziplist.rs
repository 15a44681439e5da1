//! What small collections were packed into before listpacks: ziplists, and zipmaps before those. They are only read.

use std::borrow::Cow;

use crate::reader::Reader;

/// The elements of a ziplist.
pub(crate) fn read_ziplist(bytes: &[u8]) -> Option<Vec<Cow<'_, [u8]>>> {
    let mut reader = Reader::new(bytes);
    let total = u32::from_le_bytes(reader.array()?);
    let _tail = reader.take(4)?;
    let count = u16::from_le_bytes(reader.array()?);
    if total as usize != bytes.len() {
        return None;
    }
    let (mut elements, mut before) = (Vec::new(), 0);
    let mut at = bytes.len() - 10;
    loop {
        let first = reader.byte()?;
        if first == 0xFF {
            break;
        }
        let previous =
            if first == 0xFE { u32::from_le_bytes(reader.array()?) as usize } else { usize::from(first) };
        if previous != before {
            return None;
        }
        elements.push(read_element(&mut reader)?);
        let left = reader.left();
        (before, at) = (at - left, left);
    }
    let told = count == u16::MAX || usize::from(count) == elements.len();
    (told && reader.is_empty()).then_some(elements)
}

fn read_element<'a>(reader: &mut Reader<'a>) -> Option<Cow<'a, [u8]>> {
    let first = reader.byte()?;
    let number = |number: i64| Some(Cow::Owned(number.to_string().into_bytes()));
    match (first >> 6, first) {
        (0, _) => reader.take(usize::from(first & 63)).map(Cow::Borrowed),
        (1, _) => {
            let len = usize::from(first & 63) << 8 | usize::from(reader.byte()?);
            reader.take(len).map(Cow::Borrowed)
        }
        (2, _) => {
            let len = u32::from_be_bytes(reader.array()?) as usize;
            reader.take(len).map(Cow::Borrowed)
        }
        (_, 0xC0) => number(i64::from(i16::from_le_bytes(reader.array()?))),
        (_, 0xD0) => number(i64::from(i32::from_le_bytes(reader.array()?))),
        (_, 0xE0) => number(i64::from_le_bytes(reader.array()?)),
        (_, 0xF0) => {
            let [a, b, c] = reader.array()?;
            number(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8))
        }
        (_, 0xFE) => number(i64::from(i8::from_le_bytes(reader.array()?))),
        (_, 0xF1..=0xFD) => number(i64::from(first & 15) - 1),
        _ => None,
    }
}

/// The fields and values of a zipmap, one after the other.
pub(crate) fn read_zipmap(bytes: &[u8]) -> Option<Vec<Cow<'_, [u8]>>> {
    let mut reader = Reader::new(bytes);
    let count = reader.byte()?;
    let mut elements = Vec::new();
    while let Some(len) = read_zipmap_len(&mut reader)? {
        elements.push(Cow::Borrowed(reader.take(len)?));
        let len = read_zipmap_len(&mut reader)??;
        let free = usize::from(reader.byte()?);
        elements.push(Cow::Borrowed(reader.take(len)?));
        reader.take(free)?;
    }
    let told = count >= 254 || usize::from(count) == elements.len() / 2;
    (told && reader.is_empty()).then_some(elements)
}

/// A length, or the end.
#[expect(clippy::option_option, reason = "the end is something else than bytes that are missing")]
fn read_zipmap_len(reader: &mut Reader<'_>) -> Option<Option<usize>> {
    Some(match reader.byte()? {
        0xFF => None,
        0xFE => Some(u32::from_le_bytes(reader.array()?) as usize),
        len => Some(usize::from(len)),
    })
}
