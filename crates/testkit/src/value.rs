//! Replies as values.
//!
//! The decoder is our own because a comparison needs what a client library may throw away: the order of a map's pairs, the two
//! nulls of RESP2, the digits of a double as they were sent.

use std::fmt;

/// How deep replies may be nested.
const DEPTH_MAX: usize = 32;

/// A reply, of either protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A status line.
    Simple(Vec<u8>),
    /// An error line, without the leading `-`.
    Error(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// A string.
    Bulk(Vec<u8>),
    /// RESP3's null, or RESP2's null string.
    Null,
    /// RESP2's null array.
    NullArray,
    /// An array.
    Array(Vec<Value>),
    /// A map, in the order in which it was sent.
    Map(Vec<(Value, Value)>),
    /// A set, in the order in which it was sent.
    Set(Vec<Value>),
    /// A message that answers no request.
    Push(Vec<Value>),
    /// A floating point number, as it was written.
    Double(Vec<u8>),
    /// A truth value.
    Boolean(bool),
    /// An integer of any size.
    BigNumber(Vec<u8>),
    /// A text with its three-letter format.
    Verbatim([u8; 3], Vec<u8>),
}

/// Bytes that are no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(pub String);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a reply: {}", self.0)
    }
}

impl std::error::Error for DecodeError {}

impl Value {
    /// The first reply in `bytes` and its length; `None` when its end is missing.
    ///
    /// # Errors
    /// The bytes are no reply.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Value, usize)>, DecodeError> {
        let mut decoder = Decoder { bytes, at: 0 };
        Ok(decoder.value(0)?.map(|value| (value, decoder.at)))
    }

    /// All replies in `bytes`.
    ///
    /// # Errors
    /// The bytes are no replies, or the last is cut off.
    pub fn decode_all(mut bytes: &[u8]) -> Result<Vec<Value>, DecodeError> {
        let mut values = Vec::new();
        while !bytes.is_empty() {
            let (value, len) = Value::decode(bytes)?.ok_or_else(|| DecodeError("cut off".to_owned()))?;
            values.push(value);
            bytes = &bytes[len..];
        }
        Ok(values)
    }

    /// The bytes of a scalar as text would show them; nothing for aggregates and nulls.
    #[must_use]
    pub fn text(&self) -> Option<Vec<u8>> {
        match self {
            Value::Simple(text) | Value::Error(text) | Value::Bulk(text) => Some(text.clone()),
            Value::Double(text) | Value::BigNumber(text) | Value::Verbatim(_, text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string().into_bytes()),
            Value::Boolean(truth) => Some(truth.to_string().into_bytes()),
            _ => None,
        }
    }
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A part of a reply, `None` when it has not arrived whole.
type Part<T> = Result<Option<T>, DecodeError>;

impl<'a> Decoder<'a> {
    fn value(&mut self, depth: usize) -> Part<Value> {
        if depth > DEPTH_MAX {
            return Err(DecodeError("nested too deep".to_owned()));
        }
        let Some(line) = self.line()? else { return Ok(None) };
        let (kind, rest) = line.split_first().ok_or_else(|| DecodeError("empty line".to_owned()))?;
        Ok(Some(match kind {
            b'+' => Value::Simple(rest.to_vec()),
            b'-' => Value::Error(rest.to_vec()),
            b':' => Value::Integer(number(rest)?),
            b',' => Value::Double(rest.to_vec()),
            b'(' => Value::BigNumber(rest.to_vec()),
            b'#' if rest == b"t" || rest == b"f" => Value::Boolean(rest == b"t"),
            b'_' if rest.is_empty() => Value::Null,
            b'$' if rest == b"-1" => Value::Null,
            b'*' if rest == b"-1" => Value::NullArray,
            b'$' => return self.bulk(rest).map(|bytes| bytes.map(|bytes| Value::Bulk(bytes.to_vec()))),
            b'=' => return self.bulk(rest)?.map(verbatim).transpose(),
            b'*' => return Ok(self.values(len(rest)?, depth)?.map(Value::Array)),
            b'~' => return Ok(self.values(len(rest)?, depth)?.map(Value::Set)),
            b'>' => return Ok(self.values(len(rest)?, depth)?.map(Value::Push)),
            b'%' => return Ok(self.values(2 * len(rest)?, depth)?.map(|values| Value::Map(pairs(values)))),
            _ => return Err(DecodeError(String::from_utf8_lossy(line).into_owned())),
        }))
    }

    fn values(&mut self, len: usize, depth: usize) -> Part<Vec<Value>> {
        let mut values = Vec::new();
        for _ in 0..len {
            let Some(value) = self.value(depth + 1)? else { return Ok(None) };
            values.push(value);
        }
        Ok(Some(values))
    }

    fn line(&mut self) -> Part<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let Some(len) = rest.windows(2).position(|end| end == b"\r\n") else { return Ok(None) };
        self.at += len + 2;
        Ok(Some(&rest[..len]))
    }

    fn bulk(&mut self, digits: &[u8]) -> Part<&'a [u8]> {
        let len = len(digits)?;
        let Some(bytes) = self.bytes.get(self.at..self.at + len + 2) else { return Ok(None) };
        let Some(bytes) = bytes.strip_suffix(b"\r\n") else {
            return Err(DecodeError("a string is longer than it says".to_owned()));
        };
        self.at += len + 2;
        Ok(Some(bytes))
    }
}

fn verbatim(bytes: &[u8]) -> Result<Value, DecodeError> {
    match bytes.split_first_chunk() {
        Some((format, [b':', text @ ..])) => Ok(Value::Verbatim(*format, text.to_vec())),
        _ => Err(DecodeError("a verbatim string without format".to_owned())),
    }
}

fn pairs(values: Vec<Value>) -> Vec<(Value, Value)> {
    let mut pairs = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let (Some(key), Some(value)) = (values.next(), values.next()) {
        pairs.push((key, value));
    }
    pairs
}

fn number(digits: &[u8]) -> Result<i64, DecodeError> {
    let text = std::str::from_utf8(digits).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| DecodeError(format!("{} is no integer", digits.escape_ascii())))
}

fn len(digits: &[u8]) -> Result<usize, DecodeError> {
    usize::try_from(number(digits)?).map_err(|_| DecodeError("a negative length".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.into())
    }

    #[test]
    fn every_type_is_read() {
        let replies = b"+OK\r\n-ERR no\r\n:-5\r\n$2\r\n\r\n\r\n$-1\r\n*-1\r\n_\r\n,1.50\r\n#t\r\n(123\r\n=5\r\ntxt:a\r\n\
            *2\r\n*0\r\n$-1\r\n%1\r\n$1\r\na\r\n*1\r\n:1\r\n~1\r\n#f\r\n>1\r\n+x\r\n";
        let expected = vec![
            Value::Simple(b"OK".into()),
            Value::Error(b"ERR no".into()),
            Value::Integer(-5),
            bulk("\r\n"),
            Value::Null,
            Value::NullArray,
            Value::Null,
            Value::Double(b"1.50".into()),
            Value::Boolean(true),
            Value::BigNumber(b"123".into()),
            Value::Verbatim(*b"txt", b"a".into()),
            Value::Array(vec![Value::Array(vec![]), Value::Null]),
            Value::Map(vec![(bulk("a"), Value::Array(vec![Value::Integer(1)]))]),
            Value::Set(vec![Value::Boolean(false)]),
            Value::Push(vec![Value::Simple(b"x".into())]),
        ];
        assert_eq!(Value::decode_all(replies), Ok(expected));
    }

    #[test]
    fn a_reply_cut_off_anywhere_waits_for_its_end() {
        let reply = b"%1\r\n$3\r\nkey\r\n*2\r\n:10\r\n=6\r\ntxt:hi\r\n";
        for cut in 0..reply.len() {
            assert_eq!(Value::decode(&reply[..cut]), Ok(None), "{cut}");
        }
        assert!(matches!(Value::decode(reply), Ok(Some((_, len))) if len == reply.len()));
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in ["hello\r\n", "\r\n", ":x\r\n", "$2\r\nabc\r\n", "*-2\r\n", "#x\r\n", "=2\r\nab\r\n"] {
            assert!(Value::decode(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
        assert!(Value::decode("*1\r\n".repeat(100).as_bytes()).is_err());
    }
}
