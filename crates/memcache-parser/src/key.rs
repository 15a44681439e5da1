//! The key of a meta request.

use crate::base64;

/// How a key is written in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEncoding {
    /// As it is.
    Plain,
    /// In base64, because it is not text.
    Base64,
}

/// A key as it stands in the request. What it names is [`bytes`](Self::bytes).
///
/// A base64 key is decoded when it is asked for, not when it is parsed: so a request stays small and is free of
/// copies, and who needs the bytes keeps the buffer for as long as they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    token: &'a [u8],
    encoding: KeyEncoding,
    /// The length once decoded; of no use for a plain key.
    length: u8,
}

/// Where a base64 key is decoded to.
#[derive(Clone, Debug)]
pub struct KeyBuffer([u8; DECODED_BYTES_MAX]);

/// What 250 characters can hold, and the rest of their last group.
const DECODED_BYTES_MAX: usize = 189;

impl Default for KeyBuffer {
    fn default() -> Self {
        Self([0; DECODED_BYTES_MAX])
    }
}

impl<'a> Key<'a> {
    pub(crate) fn plain(token: &'a [u8]) -> Self {
        Self { token, encoding: KeyEncoding::Plain, length: 0 }
    }

    /// None if the token cannot be decoded.
    pub(crate) fn base64(token: &'a [u8]) -> Option<Self> {
        let length = base64::decode(token, &mut KeyBuffer::default().0)?;
        Some(Self { token, encoding: KeyEncoding::Base64, length: u8::try_from(length).ok()? })
    }

    /// The bytes of the key; `buffer` takes them if they have to be decoded.
    pub fn bytes<'b>(&self, buffer: &'b mut KeyBuffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self.encoding {
            KeyEncoding::Plain => self.token,
            KeyEncoding::Base64 => {
                let length = base64::decode(self.token, &mut buffer.0);
                &buffer.0[..length.expect("a base64 key has been decoded once to make it")]
            }
        }
    }

    /// The key as it is written in the request.
    pub fn token(&self) -> &'a [u8] {
        self.token
    }

    /// How it is written there.
    pub fn encoding(&self) -> KeyEncoding {
        self.encoding
    }

    /// How many bytes [`bytes`](Self::bytes) has.
    pub(crate) fn decoded_bytes(&self) -> usize {
        match self.encoding {
            KeyEncoding::Plain => self.token.len(),
            KeyEncoding::Base64 => usize::from(self.length),
        }
    }
}

/// Writes a key in base64, as a meta request with the flag `b` has it.
pub fn encode_key(key: &[u8], to: &mut Vec<u8>) {
    base64::encode(key, |group| to.extend_from_slice(group));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_decoded_on_demand() {
        let mut buffer = KeyBuffer::default();
        let plain = Key::plain(b"YWI=");
        assert_eq!(plain.bytes(&mut buffer), b"YWI=");
        assert_eq!(plain.decoded_bytes(), 4);
        let binary = Key::base64(b"YWI=").unwrap();
        assert_eq!(binary.bytes(&mut buffer), b"ab");
        assert_eq!((binary.token(), binary.encoding()), (&b"YWI="[..], KeyEncoding::Base64));
        assert_eq!(binary.decoded_bytes(), 2);
        assert_eq!(Key::base64(b"YW"), None);
    }

    #[test]
    fn the_longest_key_fits_the_buffer() {
        let token = [b'A'; 248];
        let key = Key::base64(&token).unwrap();
        assert_eq!(key.bytes(&mut KeyBuffer::default()), [0; 186]);
        assert_eq!(Key::base64(&[b'A'; 256]), None);
    }
}
