//! Writing binary answers.

use super::{HEADER_BYTES, Head, RESPONSE_MAGIC};
use crate::reply::Sink;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// How a request went.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Status {
            $($(#[$doc])* $name,)*
        }

        impl Status {
            /// The number in the header.
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What the body says.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

statuses! {
    /// Well.
    Success = 0x00, "";
    /// There is no such item.
    NotFound = 0x01, "Not found";
    /// There is such an item, or it has another CAS value.
    Exists = 0x02, "Data exists for key.";
    /// The value is larger than an item may be.
    TooLarge = 0x03, "Too large.";
    /// The request has not the form that its opcode has.
    InvalidArguments = 0x04, "Invalid arguments";
    /// Nothing was appended to, because there is no such item.
    NotStored = 0x05, "Not stored.";
    /// The value is no counter.
    NonNumeric = 0x06, "Non-numeric server-side value for incr or decr";
    /// Wrong credentials, or none yet.
    AuthenticationError = 0x20, "Auth failure.";
    /// The authentication wants another round.
    Continue = 0x21, "";
    /// No such opcode.
    UnknownCommand = 0x81, "Unknown command";
    /// No memory for it.
    OutOfMemory = 0x82, "Out of memory";
    /// Not now.
    TemporaryFailure = 0x86, "Temporary failure";
}

/// What a reply is made of beside what it repeats of the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Body<'a> {
    /// The item's CAS value, or 0.
    pub cas: u64,
    /// Numbers before the key.
    pub extras: &'a [u8],
    /// The key.
    pub key: &'a [u8],
    /// How long the value is, which the caller sends after this.
    pub value_bytes: usize,
}

/// A reply up to its value.
#[inline]
pub fn start(sink: &mut impl Sink, head: Head, status: Status, body: &Body<'_>) {
    let Body { cas, extras, key, value_bytes } = *body;
    let mut header = [0; HEADER_BYTES];
    header[0] = RESPONSE_MAGIC;
    header[1] = head.opcode;
    header[2..4].copy_from_slice(&(key.len() as u16).to_be_bytes());
    header[4] = extras.len() as u8;
    header[6..8].copy_from_slice(&status.code().to_be_bytes());
    let body_len = (extras.len() + key.len() + value_bytes) as u32;
    header[8..12].copy_from_slice(&body_len.to_be_bytes());
    header[12..16].copy_from_slice(&head.opaque.to_be_bytes());
    header[16..].copy_from_slice(&cas.to_be_bytes());
    sink.put(&header);
    sink.put(extras);
    sink.put(key);
}

/// Success with a value and nothing else.
pub fn value(sink: &mut impl Sink, head: Head, cas: u64, value: &[u8]) {
    start(sink, head, Status::Success, &Body { cas, value_bytes: value.len(), ..Body::default() });
    sink.put(value);
}

/// A refusal and its text.
pub fn error(sink: &mut impl Sink, head: Head, status: Status) {
    let text = status.text().as_bytes();
    start(sink, head, status, &Body { value_bytes: text.len(), ..Body::default() });
    sink.put(text);
}

/// One of the statistics. Their end is [`value`] without one.
pub fn stat(sink: &mut impl Sink, head: Head, name: &[u8], value: &[u8]) {
    start(sink, head, Status::Success, &Body { key: name, value_bytes: value.len(), ..Body::default() });
    sink.put(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { opcode: 0x0c, opaque: 0x0102_0304 };

    #[test]
    fn a_reply_measures_its_parts() {
        let mut output = Vec::new();
        let body = Body { cas: 9, extras: &[0, 0, 0, 7], key: b"key", value_bytes: 2 };
        start(&mut output, HEAD, Status::Success, &body);
        output.put(b"ab");
        let expected = b"\x81\x0c\0\x03\x04\0\0\0\0\0\0\x09\x01\x02\x03\x04\0\0\0\0\0\0\0\x09\0\0\0\x07keyab";
        assert_eq!(output, expected);
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        let mut output = Vec::new();
        error(&mut output, HEAD, Status::NotFound);
        let expected = b"\x81\x0c\0\0\0\0\0\x01\0\0\0\x09\x01\x02\x03\x04\0\0\0\0\0\0\0\0Not found";
        assert_eq!(output, expected);
    }

    #[test]
    fn statistics_are_keys_with_values() {
        let mut output = Vec::new();
        stat(&mut output, HEAD, b"pid", b"7");
        value(&mut output, HEAD, 0, b"");
        assert_eq!(output[..4], *b"\x81\x0c\0\x03");
        assert_eq!(output[24..28], *b"pid7");
        assert_eq!(output[28..], *b"\x81\x0c\0\0\0\0\0\0\0\0\0\0\x01\x02\x03\x04\0\0\0\0\0\0\0\0");
    }
}
