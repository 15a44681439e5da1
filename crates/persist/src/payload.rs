//! A value by itself, as DUMP gives it: its type, its content, the version of the format in 2 bytes, a checksum in 8.

use larder_store::{Attributes, Entry};

use crate::checksum::checksum;
use crate::reader::Reader;
use crate::value::{Limits, View, decode, encode, number_of, version_of};
use crate::writer::{Compression, Counter, Memory, Sink};

/// The highest version that is read: Valkey's; those of Redis end at 12.
pub const VERSION_READ_MAX: u16 = 80;
const FOOTER_BYTES: usize = 10;

/// Why a payload was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// It is of a later version, or the checksum is not that of its bytes.
    Footer,
    /// Its content makes no value.
    Content,
}

/// The payload of a value.
#[must_use]
pub fn dump(entry: &Entry, compression: Compression) -> Vec<u8> {
    let view = View::from(entry);
    let number = number_of(view);
    let mut out = Memory::new(compression);
    out.put(&[number]);
    encode(&mut out, view);
    sealed_as(out.bytes, version_of(number))
}

/// A content with the lowest version that has it, and the checksum, which make a payload of it.
#[must_use]
pub fn sealed(content: &[u8]) -> Vec<u8> {
    sealed_as(content.to_vec(), version_of(content.first().copied().unwrap_or_default()))
}

/// As [`sealed`], with this version.
pub(crate) fn sealed_as(mut payload: Vec<u8>, version: u16) -> Vec<u8> {
    payload.reserve_exact(FOOTER_BYTES);
    payload.extend_from_slice(&version.to_le_bytes());
    let checksum = checksum(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// Bytes that a value takes in a snapshot, its type not counted.
#[must_use]
pub fn serialized_len(entry: &Entry, compression: Compression) -> usize {
    let mut out = Counter::new(compression);
    encode(&mut out, View::from(entry));
    out.len
}

/// The value of a payload under a key. Fields of a hash that have expired are there too: nobody here knows the time. Costs the
/// length of the payload, and what the value takes.
///
/// # Errors
/// The payload is damaged.
pub fn restore(payload: &[u8], key: &[u8], limits: &Limits) -> Result<Entry, Damaged> {
    let (content, version) = opened(payload)?;
    let mut reader = Reader::new(content);
    let number = reader.byte().ok_or(Damaged::Content)?;
    let entry = decode(number, &mut reader, version, key, &Attributes::default(), limits);
    let entry = entry.map_err(|_| Damaged::Content)?;
    if reader.is_empty() { Ok(entry) } else { Err(Damaged::Content) }
}

/// The content of a payload whose footer is right, and the version of its format.
pub(crate) fn opened(payload: &[u8]) -> Result<(&[u8], u16), Damaged> {
    let (content, footer) =
        payload.split_at_checked(payload.len().wrapping_sub(FOOTER_BYTES)).ok_or(Damaged::Footer)?;
    let (version, told) = footer.split_at(2);
    let version = version.try_into().map(u16::from_le_bytes).map_err(|_| Damaged::Footer)?;
    let expected = checksum(&payload[..payload.len() - 8]).to_le_bytes();
    if version > VERSION_READ_MAX || told != expected {
        return Err(Damaged::Footer);
    }
    Ok((content, version))
}

#[cfg(test)]
mod tests {
    use larder_store::{Attributes, NewValue};
    use proptest::prelude::*;

    use super::*;
    use crate::value::tests::{LIMITS, compressions, entries};

    proptest! {
        /// A value survives the way out and back, with its encoding.
        #[test]
        fn what_is_dumped_is_restored(entry in entries(), compression in compressions()) {
            let payload = dump(&entry, compression);
            prop_assert_eq!(serialized_len(&entry, compression), payload.len() - FOOTER_BYTES - 1);
            let back = restore(&payload, b"other", &LIMITS).unwrap();
            prop_assert_eq!(dump(&back, compression), payload);
            prop_assert_eq!((back.value_type(), back.encoding_name()), (entry.value_type(), entry.encoding_name()));
            prop_assert_eq!(back.size(), entry.size());
        }

        /// Nothing damaged is let in, and nothing panics, even under a checksum that is right.
        #[test]
        fn damage_is_refused(entry in entries(), compression in compressions(), at in any::<usize>(), bit in 0..8_u32, cut in any::<usize>()) {
            let mut payload = dump(&entry, compression);
            let place = at % payload.len();
            payload[place] ^= 1 << bit;
            prop_assert!(restore(&payload, b"k", &LIMITS).is_err());
            let content = payload.len() - FOOTER_BYTES;
            let sealed = sealed(&payload[..content.min(cut % (content + 1)).max(1)]);
            if let Ok(entry) = restore(&sealed, b"k", &LIMITS) {
                let _ = dump(&entry, compression);
            }
        }

        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 0..28_u8) {
            let _ = restore(&sealed(&[&[kind], &bytes[..]].concat()), b"k", &LIMITS);
        }
    }

    #[test]
    fn payloads_are_those_of_redis() {
        // As redis-server 7.0 dumps the string "10" and the string "hello".
        let ten = b"\x00\xc0\x0a\x0a\x00";
        let entry = Entry::new(b"k", 0, &Attributes::default(), NewValue::Int(10));
        assert!(dump(&entry, Compression::Lzf).starts_with(ten));
        let hello = Entry::new(b"k", 0, &Attributes::default(), NewValue::of(b"hello"));
        assert!(dump(&hello, Compression::Lzf).starts_with(b"\x00\x05hello\x0a\x00"));
        assert_eq!(restore(b"", b"k", &LIMITS).unwrap_err(), Damaged::Footer);
        let mut later = dump(&hello, Compression::Lzf);
        later[7] = 81;
        assert_eq!(restore(&later, b"k", &LIMITS).unwrap_err(), Damaged::Footer);
    }
}
