//! The two protocols as this program speaks them: requests cut from templates, replies checked to the byte.
//!
//! A key is a four-byte prefix and a twelve-digit number, sixteen bytes in all. The prefix ends in `1` so that the
//! number as a whole (`1` and twelve digits) is what `memtier_benchmark` prints without padding and what
//! `redis-benchmark` prints with it: all three clients then ask for the same keys.

use std::fmt;

/// Digits of a key's number.
pub(crate) const KEY_DIGITS: usize = 12;

/// Digits of a moment in milliseconds since 1970, until the year 2286.
const UNIX_MILLIS_DIGITS: usize = 13;

/// Length of every key's name.
pub(crate) const KEY_BYTES: usize = 16;

/// The largest value any work asks for; bounds the pool of value bytes.
pub(crate) const VALUE_BYTES_MAX: usize = 64 * 1024;

/// A protocol a server is driven in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// RESP2: arrays of bulk strings.
    Resp,
    /// memcached's text protocol: `get` and `set`, one key a request.
    MemcachedText,
}

/// How long a stored key lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Until it is deleted.
    Unbounded,
    /// For so many seconds (at most 30 days, where memcached would take the number for a date).
    Seconds(u32),
    /// Until this Unix second.
    UntilUnixSecond(u64),
    /// Until a moment of its own: more and more keys end per second. Not over memcached's protocol, which knows no milliseconds.
    Ramp(Ramp),
}

/// Keys that end one after the other, in the order of their numbers, at a rate that grows evenly from nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ramp {
    /// When the first ends, in milliseconds since 1970.
    pub(crate) from_unix_millis: u64,
    /// When the last does, in milliseconds after the first.
    pub(crate) millis: u64,
    /// How many there are.
    pub(crate) keys: u64,
}

impl Ramp {
    /// When key `number` ends, in milliseconds after the first.
    pub(crate) fn end_of(self, number: u64) -> f64 {
        self.millis as f64 * (number as f64 / self.keys as f64).sqrt()
    }

    /// Keys that end per second, so many milliseconds after the first.
    pub(crate) fn keys_per_second(self, millis: f64) -> f64 {
        let share = millis.min(self.millis as f64) / self.millis as f64;
        2.0 * share * self.keys as f64 / (self.millis as f64 / 1e3)
    }
}

/// How long the value of a key is. A size is a function of the key, so that a reply can be checked without
/// remembering what was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueSize {
    /// The same for every key.
    Fixed(u32),
    /// Every octave between the two equally likely.
    LogUniform {
        /// Smallest size, inclusive.
        min: u32,
        /// Largest size, inclusive.
        max: u32,
    },
}

impl ValueSize {
    /// The size of the value of key `number`.
    pub(crate) fn of(self, number: u64) -> u32 {
        match self {
            Self::Fixed(size) => size,
            Self::LogUniform { min, max } => {
                let share = mix(number) as f64 / u64::MAX as f64;
                let octaves = (f64::from(max) / f64::from(min)).ln();
                ((f64::from(min) * (share * octaves).exp()).round() as u32).clamp(min, max)
            }
        }
    }
}

impl fmt::Display for ValueSize {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(out, "{size} B"),
            Self::LogUniform { min, max } => write!(out, "log-uniform {min}-{max} B"),
        }
    }
}

/// What the next reply on a connection has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The confirmation of a SET.
    Stored,
    /// A hit of exactly this many bytes.
    Hit(u32),
    /// A hit of this many bytes, or a miss: for keys that an event may have taken away.
    HitOrMiss(u32),
    /// Any reply of RESP2 but an error.
    Success,
}

/// A reply that is not the expected one; the run has measured something else and fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(String);

impl Fault {
    fn new(expected: Expected, data: &[u8]) -> Self {
        let start = &data[..data.len().min(60)];
        Self(format!("expected {expected:?}, the server sent \"{}\"", start.escape_ascii()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl Wire {
    /// Checks the reply at the start of `data`: its length, or `None` while it is incomplete.
    pub(crate) fn reply(self, data: &[u8], expected: Expected) -> Result<Option<usize>, Fault> {
        match expected {
            Expected::Stored => literal(data, self.stored(), expected),
            Expected::Hit(size) => self.hit(data, size, expected),
            Expected::Success => success(data),
            Expected::HitOrMiss(size) => {
                let miss: &[u8] = if self == Self::Resp { b"$-1\r\n" } else { b"END\r\n" };
                match data.get(..2) {
                    None => Ok(None),
                    Some(opening) if opening == &miss[..2] => literal(data, miss, expected),
                    Some(_) => self.hit(data, size, expected),
                }
            }
        }
    }

    fn stored(self) -> &'static [u8] {
        match self {
            Self::Resp => b"+OK\r\n",
            Self::MemcachedText => b"STORED\r\n",
        }
    }

    fn hit(self, data: &[u8], size: u32, expected: Expected) -> Result<Option<usize>, Fault> {
        let (size_at, tail): (usize, &[u8]) = match self {
            Self::Resp => (b"$".len(), b"\r\n"),
            Self::MemcachedText => (b"VALUE ".len() + KEY_BYTES + b" 0 ".len(), b"\r\nEND\r\n"),
        };
        let opening: &[u8] = if self == Self::Resp { b"$" } else { b"VALUE " };
        let seen = data.len().min(opening.len());
        if data[..seen] != opening[..seen] {
            return Err(Fault::new(expected, data));
        }
        let Some((digits, stated)) = number_at(data, size_at) else { return Ok(None) };
        if stated != u64::from(size) {
            return Err(Fault::new(expected, data));
        }
        let value_at = size_at + digits + b"\r\n".len();
        let end = value_at + size as usize + tail.len();
        if data.len() < end {
            return Ok(None);
        }
        if data[size_at + digits..value_at] != *b"\r\n" || data[end - tail.len()..end] != *tail {
            return Err(Fault::new(expected, data));
        }
        Ok(Some(end))
    }
}

/// A RESP2 reply of any kind but an error at the start of `data`.
fn success(data: &[u8]) -> Result<Option<usize>, Fault> {
    let (mut at, mut left) = (0, 1);
    while left > 0 {
        let Some(&[kind, first]) = data.get(at..at + 2) else { return Ok(None) };
        let Some(line) = data[at..].iter().position(|&byte| byte == b'\r') else { return Ok(None) };
        let number = if first == b'-' { None } else { number_at(data, at + 1).map(|(_, number)| number) };
        at += line + b"\r\n".len();
        left -= 1;
        match (kind, number) {
            (b'+' | b':', _) | (b'$' | b'*', None) => {}
            (b'$', Some(len)) => at += len as usize + b"\r\n".len(),
            (b'*', Some(len)) => left += len,
            _ => return Err(Fault::new(Expected::Success, data)),
        }
    }
    Ok((at <= data.len()).then_some(at))
}

/// A whole-literal reply at the start of `data`.
fn literal(data: &[u8], wanted: &[u8], expected: Expected) -> Result<Option<usize>, Fault> {
    let seen = data.len().min(wanted.len());
    if data[..seen] != wanted[..seen] {
        return Err(Fault::new(expected, data));
    }
    Ok((seen == wanted.len()).then_some(seen))
}

/// The decimal number at `at` with its count of digits; `None` until the byte after it has come too.
fn number_at(data: &[u8], at: usize) -> Option<(usize, u64)> {
    let mut value = 0;
    for (digits, &byte) in data.get(at..)?.iter().enumerate() {
        if !byte.is_ascii_digit() || digits > 9 {
            return Some((digits, value));
        }
        value = value * 10 + u64::from(byte - b'0');
    }
    None
}

/// Requests of one work on one protocol, copied from templates in which only the key's digits (and, where sizes
/// differ, the value) change: a request costs a `memcpy` and six two-digit look-ups.
pub(crate) struct Requests {
    wire: Wire,
    size: ValueSize,
    life: Life,
    get: Vec<u8>,
    set_head: Vec<u8>,
    /// All that follows the key of a SET, when it is the same for every key.
    set_tail: Vec<u8>,
    key_in_get: usize,
    key_in_set: usize,
    values: Vec<u8>,
}

impl Requests {
    /// Templates for keys that begin with `prefix`.
    pub(crate) fn new(wire: Wire, prefix: [u8; 4], size: ValueSize, life: Life) -> Self {
        let (get_opening, get_closing, set_opening): (&[u8], &[u8], &[u8]) = match (wire, life) {
            (Wire::Resp, Life::Unbounded) => {
                (b"*2\r\n$3\r\nGET\r\n$16\r\n", b"\r\n", b"*3\r\n$3\r\nSET\r\n$16\r\n")
            }
            (Wire::Resp, _) => (b"*2\r\n$3\r\nGET\r\n$16\r\n", b"\r\n", b"*5\r\n$3\r\nSET\r\n$16\r\n"),
            (Wire::MemcachedText, _) => (b"get ", b"\r\n", b"set "),
        };
        let mut random = fastrand::Rng::with_seed(0x1a5d);
        let mut requests = Self {
            wire,
            size,
            life,
            get: [get_opening, &prefix, &[b'0'; KEY_DIGITS], get_closing].concat(),
            set_head: [set_opening, &prefix, &[b'0'; KEY_DIGITS]].concat(),
            set_tail: Vec::new(),
            key_in_get: get_opening.len() + prefix.len(),
            key_in_set: set_opening.len() + prefix.len(),
            values: (0..2 * VALUE_BYTES_MAX).map(|_| random.alphanumeric() as u8).collect(),
        };
        if let ValueSize::Fixed(size) = size {
            let mut tail = Vec::new();
            requests.append_set_tail(&mut tail, 0, size);
            requests.set_tail = tail;
        }
        requests
    }

    /// The size of the value of key `number`.
    pub(crate) fn value_size(&self, number: u64) -> u32 {
        self.size.of(number)
    }

    /// Appends a GET of key `number`.
    pub(crate) fn append_get(&self, out: &mut Vec<u8>, number: u64) {
        let start = out.len();
        out.extend_from_slice(&self.get);
        write_digits(&mut out[start + self.key_in_get..][..KEY_DIGITS], number);
    }

    /// Appends a SET of key `number`.
    pub(crate) fn append_set(&self, out: &mut Vec<u8>, number: u64) {
        let start = out.len();
        out.extend_from_slice(&self.set_head);
        write_digits(&mut out[start + self.key_in_set..][..KEY_DIGITS], number);
        if self.set_tail.is_empty() {
            self.append_set_tail(out, mix(number) as usize % VALUE_BYTES_MAX, self.size.of(number));
        } else {
            out.extend_from_slice(&self.set_tail);
        }
        if let Life::Ramp(ramp) = self.life {
            let end = ramp.from_unix_millis + ramp.end_of(number) as u64;
            let digits = out.len() - b"\r\n".len() - UNIX_MILLIS_DIGITS..out.len() - b"\r\n".len();
            write_digits(&mut out[digits], end);
        }
    }

    fn append_set_tail(&self, out: &mut Vec<u8>, value_at: usize, size: u32) {
        let expires = match self.life {
            Life::Unbounded => 0,
            Life::Seconds(seconds) => u64::from(seconds),
            Life::UntilUnixSecond(second) => second,
            // The digits of each key's own moment take its place.
            Life::Ramp(ramp) => ramp.from_unix_millis,
        };
        let value = &self.values[value_at..value_at + size as usize];
        match self.wire {
            Wire::Resp => {
                out.extend_from_slice(format!("\r\n${size}\r\n").as_bytes());
                out.extend_from_slice(value);
                let option = match self.life {
                    Life::Unbounded => None,
                    Life::Seconds(_) => Some("EX"),
                    Life::UntilUnixSecond(_) => Some("EXAT"),
                    Life::Ramp(_) => Some("PXAT"),
                };
                if let Some(option) = option {
                    let digits = expires.to_string();
                    out.extend_from_slice(
                        format!("\r\n${}\r\n{option}\r\n${}\r\n{digits}", option.len(), digits.len())
                            .as_bytes(),
                    );
                }
            }
            Wire::MemcachedText => {
                out.extend_from_slice(format!(" 0 {expires} {size}\r\n").as_bytes());
                out.extend_from_slice(value);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes `number` into `place`, padded with zeros.
pub(crate) fn write_digits(place: &mut [u8], number: u64) {
    let mut rest = number;
    let mut pairs = place.rchunks_exact_mut(2);
    for pair in &mut pairs {
        pair.copy_from_slice(&TWO_DIGITS[(rest % 100) as usize]);
        rest /= 100;
    }
    if let [first] = pairs.into_remainder() {
        *first = b'0' + (rest % 10) as u8;
    }
}

const TWO_DIGITS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        table[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    table
};

/// A fixed, well-mixed 64-bit function of a key's number (the finaliser of SplitMix64).
fn mix(number: u64) -> u64 {
    let mut word = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(wire: Wire, size: ValueSize, life: Life) -> Requests {
        Requests::new(wire, *b"key1", size, life)
    }

    fn get(wire: Wire, number: u64) -> String {
        let mut out = Vec::new();
        requests(wire, ValueSize::Fixed(3), Life::Unbounded).append_get(&mut out, number);
        String::from_utf8(out).unwrap()
    }

    fn set_without_value(wire: Wire, life: Life) -> String {
        let requests = requests(wire, ValueSize::Fixed(3), life);
        let mut out = Vec::new();
        requests.append_set(&mut out, 7);
        let value = std::str::from_utf8(&requests.values[..3]).unwrap();
        String::from_utf8(out).unwrap().replace(value, "VAL")
    }

    #[test]
    fn requests_carry_the_padded_number() {
        assert_eq!(get(Wire::Resp, 42), "*2\r\n$3\r\nGET\r\n$16\r\nkey1000000000042\r\n");
        assert_eq!(get(Wire::MemcachedText, 999_999_999_999), "get key1999999999999\r\n");
    }

    #[test]
    fn sets_carry_value_and_expiry() {
        let resp = |life| set_without_value(Wire::Resp, life);
        assert_eq!(resp(Life::Unbounded), "*3\r\n$3\r\nSET\r\n$16\r\nkey1000000000007\r\n$3\r\nVAL\r\n");
        assert_eq!(
            resp(Life::Seconds(86400)),
            "*5\r\n$3\r\nSET\r\n$16\r\nkey1000000000007\r\n$3\r\nVAL\r\n$2\r\nEX\r\n$5\r\n86400\r\n"
        );
        assert_eq!(
            resp(Life::UntilUnixSecond(1_700_000_000)),
            "*5\r\n$3\r\nSET\r\n$16\r\nkey1000000000007\r\n$3\r\nVAL\r\n$4\r\nEXAT\r\n$10\r\n1700000000\r\n"
        );
        let ramp = Ramp { from_unix_millis: 1_700_000_000_000, millis: 4_000, keys: 28 };
        assert_eq!(
            resp(Life::Ramp(ramp)),
            "*5\r\n$3\r\nSET\r\n$16\r\nkey1000000000007\r\n$3\r\nVAL\r\n$4\r\nPXAT\r\n$13\r\n1700000002000\r\n"
        );
        let memcached = set_without_value(Wire::MemcachedText, Life::Seconds(60));
        assert_eq!(memcached, "set key1000000000007 0 60 3\r\nVAL\r\n");
    }

    #[test]
    fn a_ramp_ends_as_many_keys_as_there_are() {
        let ramp = Ramp { from_unix_millis: 0, millis: 5_000, keys: 5_000_000 };
        assert_eq!([ramp.end_of(0), ramp.end_of(5_000_000)], [0.0, 5_000.0]);
        assert_eq!(ramp.keys_per_second(5_000.0), 2e6);
        // A quarter of them in the first half of the time, and twice that rate at its end.
        assert_eq!([ramp.end_of(1_250_000), ramp.keys_per_second(2_500.0)], [2_500.0, 1e6]);
        assert_eq!(ramp.keys_per_second(9_000.0), 2e6);
    }

    #[test]
    fn a_whole_reply_is_accepted_and_every_prefix_of_it_is_incomplete() {
        let cases: [(Wire, &[u8], Expected); 11] = [
            (Wire::Resp, b"+OK\r\n", Expected::Success),
            (Wire::Resp, b":-12\r\n", Expected::Success),
            (Wire::Resp, b"$-1\r\n", Expected::Success),
            (Wire::Resp, b"*3\r\n$2\r\nab\r\n*1\r\n:7\r\n*0\r\n", Expected::Success),
            (Wire::Resp, b"+OK\r\n", Expected::Stored),
            (Wire::Resp, b"$3\r\nabc\r\n", Expected::Hit(3)),
            (Wire::Resp, b"$3\r\nabc\r\n", Expected::HitOrMiss(3)),
            (Wire::Resp, b"$-1\r\n", Expected::HitOrMiss(3)),
            (Wire::MemcachedText, b"STORED\r\n", Expected::Stored),
            (Wire::MemcachedText, b"VALUE key1000000000007 0 3\r\nabc\r\nEND\r\n", Expected::Hit(3)),
            (Wire::MemcachedText, b"END\r\n", Expected::HitOrMiss(3)),
        ];
        for (wire, reply, expected) in cases {
            let mut followed = reply.to_vec();
            followed.extend_from_slice(b"+more");
            assert_eq!(wire.reply(&followed, expected), Ok(Some(reply.len())), "{expected:?}");
            for end in 0..reply.len() {
                assert_eq!(wire.reply(&reply[..end], expected), Ok(None), "{expected:?} cut at {end}");
            }
        }
    }

    #[test]
    fn any_other_reply_is_a_fault() {
        let cases: [(Wire, &[u8], Expected); 10] = [
            (Wire::Resp, b"-WRONGTYPE no\r\n", Expected::Success),
            (Wire::Resp, b"*2\r\n:1\r\n-ERR no\r\n", Expected::Success),
            (Wire::Resp, b"-ERR unknown command\r\n", Expected::Stored),
            (Wire::Resp, b"-OOM command not allowed\r\n", Expected::Hit(3)),
            (Wire::Resp, b"$-1\r\n", Expected::Hit(3)),
            (Wire::Resp, b"$4\r\nabcd\r\n", Expected::Hit(3)),
            (Wire::Resp, b"$3\r\nabcd\r\n", Expected::Hit(3)),
            (Wire::MemcachedText, b"SERVER_ERROR out of memory\r\n", Expected::Stored),
            (Wire::MemcachedText, b"END\r\n", Expected::Hit(3)),
            (Wire::MemcachedText, b"VALUE key1000000000007 0 4\r\nabcd\r\nEND\r\n", Expected::Hit(3)),
        ];
        for (wire, reply, expected) in cases {
            assert!(wire.reply(reply, expected).is_err(), "{expected:?}: {}", reply.escape_ascii());
        }
    }

    #[test]
    fn log_uniform_sizes_fill_every_octave_alike() {
        let size = ValueSize::LogUniform { min: 16, max: 4096 };
        let mut octaves = [0; 8];
        for number in 0..80_000 {
            let bytes = size.of(number);
            assert!((16..=4096).contains(&bytes));
            octaves[((bytes.ilog2() - 4) as usize).min(7)] += 1;
        }
        assert!(octaves.iter().all(|&count| (9_300..10_700).contains(&count)), "{octaves:?}");
    }
}
