//! Reading RDB: lengths, strings, numbers. What is not there is `None`.

use std::borrow::Cow;

use crate::lzf;

/// No string that is packed becomes longer than this when it is unpacked.
const UNPACKED_MAX: usize = 512 << 20;

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// A length, or what can be in its place: a string in another form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    Of(u64),
    Special(u8),
}

/// What can be instead of a length.
pub(crate) mod special {
    pub(crate) const INT8: u8 = 0;
    pub(crate) const INT16: u8 = 1;
    pub(crate) const INT32: u8 = 2;
    pub(crate) const PACKED: u8 = 3;
}

/// What lengths are read from.
pub(crate) trait Input {
    /// Why something was not read.
    type Stop;

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Self::Stop>;

    /// A length does not begin with this byte.
    fn no_length(&self, first: u8) -> Self::Stop;
}

/// The length that comes next.
pub(crate) fn length<I: Input>(input: &mut I) -> Result<Length, I::Stop> {
    let [first] = input.array()?;
    let low = u64::from(first & 63);
    Ok(match (first >> 6, first) {
        (0, _) => Length::Of(low),
        (1, _) => Length::Of(low << 8 | u64::from(u8::from_be_bytes(input.array()?))),
        (2, 0x80) => Length::Of(u64::from(u32::from_be_bytes(input.array()?))),
        (2, 0x81) => Length::Of(u64::from_be_bytes(input.array()?)),
        (3, _) => Length::Special(first & 63),
        _ => return Err(input.no_length(first)),
    })
}

impl Input for Reader<'_> {
    type Stop = ();

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ()> {
        Reader::array(self).ok_or(())
    }

    fn no_length(&self, _first: u8) {}
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
        match length(self).ok()? {
            Length::Of(len) => Some(len),
            Length::Special(_) => None,
        }
    }

    /// A string, whatever its form.
    pub(crate) fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        let number = |number: i64| Cow::Owned(number.to_string().into_bytes());
        match length(self).ok()? {
            Length::Of(len) => self.take(usize::try_from(len).ok()?).map(Cow::Borrowed),
            Length::Special(special::INT8) => Some(number(i64::from(i8::from_le_bytes(self.array()?)))),
            Length::Special(special::INT16) => Some(number(i64::from(i16::from_le_bytes(self.array()?)))),
            Length::Special(special::INT32) => Some(number(i64::from(i32::from_le_bytes(self.array()?)))),
            Length::Special(special::PACKED) => {
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
