//! Reading RDB: lengths, strings, numbers. What is not there is `None`.

use std::borrow::Cow;

use crate::lzf;

/// No string that is packed becomes longer than this when it is unpacked.
const UNPACKED_MAX: usize = 512 << 20;

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// What a length can be instead: a string in another form.
enum Length {
    Of(u64),
    Special(u8),
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    /// The next bytes.
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A number of elements. It is only declared: nothing is to be reserved for it.
    pub(crate) fn len(&mut self) -> Option<u64> {
        match self.length()? {
            Length::Of(len) => Some(len),
            Length::Special(_) => None,
        }
    }

    fn length(&mut self) -> Option<Length> {
        let first = self.byte()?;
        let low = u64::from(first & 63);
        Some(match (first >> 6, first) {
            (0, _) => Length::Of(low),
            (1, _) => Length::Of(low << 8 | u64::from(self.byte()?)),
            (2, 0x80) => Length::Of(u64::from(u32::from_be_bytes(self.array()?))),
            (2, 0x81) => Length::Of(u64::from_be_bytes(self.array()?)),
            (3, _) => Length::Special(first & 63),
            _ => return None,
        })
    }

    /// A string, whatever its form.
    pub(crate) fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        let number = |number: i64| Cow::Owned(number.to_string().into_bytes());
        match self.length()? {
            Length::Of(len) => self.take(usize::try_from(len).ok()?).map(Cow::Borrowed),
            Length::Special(0) => Some(number(i64::from(i8::from_le_bytes(self.array()?)))),
            Length::Special(1) => Some(number(i64::from(i16::from_le_bytes(self.array()?)))),
            Length::Special(2) => Some(number(i64::from(i32::from_le_bytes(self.array()?)))),
            Length::Special(3) => {
                let (packed, len) = (usize::try_from(self.len()?).ok()?, usize::try_from(self.len()?).ok()?);
                let packed = self.take(packed)?;
                if len > UNPACKED_MAX { None } else { lzf::unpack(packed, len).map(Cow::Owned) }
            }
            Length::Special(_) => None,
        }
    }

    /// A score in the form of old versions: its digits, with lengths that stand for what has none.
    pub(crate) fn old_score(&mut self) -> Option<f64> {
        let score = match self.byte()? {
            253 => return None,
            254 => f64::INFINITY,
            255 => f64::NEG_INFINITY,
            len => std::str::from_utf8(self.take(usize::from(len))?).ok()?.trim_ascii().parse().ok()?,
        };
        (!score.is_nan()).then_some(score)
    }

    /// A score in 8 bytes.
    pub(crate) fn score(&mut self) -> Option<f64> {
        let score = f64::from_le_bytes(self.array()?);
        (!score.is_nan()).then_some(score)
    }
}
