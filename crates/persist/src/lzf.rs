//! LZF, in which long strings are packed: runs of bytes as they are, and runs that were seen before.
//!
//! | first byte | |
//! |---|---|
//! | `000LLLLL` | L + 1 bytes follow as they are |
//! | `LLLDDDDD DDDDDDDD` | L + 2 bytes that are D + 1 bytes back, L from 1 to 6 |
//! | `111DDDDD LLLLLLLL DDDDDDDD` | L + 9 of them |

/// Longest run of bytes as they are.
const LITERAL_MAX: usize = 32;
/// A run that is repeated is worth it from here on.
const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;
const DISTANCE_MAX: usize = 8192;
/// No longer string is packed: what is packed is held in memory, as its length goes before it.
const STRING_MAX: usize = 64 << 20;
const TABLE_BITS_MIN: u32 = 8;
const TABLE_BITS_MAX: u32 = 13;
/// After so many places where nothing is repeated the search goes on in longer steps, so what cannot be packed costs little.
const MISSES: usize = 64;

/// Packs strings. Where three bytes were seen last is remembered in a table that outlives the string, as clearing it would
/// take longer than packing a short one: positions go on from string to string, and those of earlier ones are too small.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    table: Vec<u32>,
    /// Position of the first byte of the string.
    base: u32,
    /// Position of the first byte of the next string.
    next: u32,
    packed: Vec<u8>,
}

impl Packer {
    /// The bytes packed, if that takes at most `limit`.
    pub(crate) fn pack(&mut self, bytes: &[u8], limit: usize) -> Option<&[u8]> {
        if bytes.len() > STRING_MAX {
            return None;
        }
        self.begin(bytes.len());
        let (mut at, mut literal, mut misses) = (0, 0, 0);
        while let Some(three) = bytes.get(at..).and_then(<[u8]>::first_chunk::<MATCH_MIN>) {
            match self.seen_before(*three, at) {
                Some(before) if bytes[before..].starts_with(three) => {
                    let len = common(&bytes[before..], &bytes[at..]);
                    self.write_literals(&bytes[literal..at]);
                    self.write_match(len, at - before);
                    at += len;
                    (literal, misses) = (at, 0);
                }
                _ => {
                    at += 1 + misses / MISSES;
                    misses += 1;
                }
            }
            if self.packed.len() + (at.min(bytes.len()) - literal) > limit {
                return None;
            }
        }
        self.write_literals(&bytes[literal..]);
        (self.packed.len() <= limit).then_some(&self.packed[..])
    }

    fn begin(&mut self, len: usize) {
        let bits = len.next_power_of_two().ilog2().clamp(TABLE_BITS_MIN, TABLE_BITS_MAX);
        if self.table.len() < 1 << bits || self.next.checked_add(len as u32).is_none() {
            self.table = vec![0; (1 << bits).max(self.table.len())];
            // Above what the table has everywhere.
            self.next = 1;
        }
        self.base = self.next;
        self.next += len as u32;
        self.packed.clear();
    }

    /// Where bytes of the same hash as these at `at` were seen last, if that is near enough; notes that they are here.
    fn seen_before(&mut self, three: [u8; MATCH_MIN], at: usize) -> Option<usize> {
        /// 2^32 divided by the golden ratio.
        const SPREAD: u32 = 0x9E37_79B1;
        let [a, b, c] = three;
        let hash = u32::from_be_bytes([0, a, b, c]).wrapping_mul(SPREAD);
        let slot = hash >> (u32::BITS - self.table.len().ilog2());
        let before = std::mem::replace(&mut self.table[slot as usize], self.base + at as u32);
        let before = before.checked_sub(self.base)? as usize;
        (at - before <= DISTANCE_MAX).then_some(before)
    }

    fn write_literals(&mut self, bytes: &[u8]) {
        for run in bytes.chunks(LITERAL_MAX) {
            self.packed.push((run.len() - 1) as u8);
            self.packed.extend_from_slice(run);
        }
    }

    fn write_match(&mut self, len: usize, distance: usize) {
        let [high, low] = ((distance - 1) as u16).to_be_bytes();
        match len - 2 {
            len @ ..7 => self.packed.extend_from_slice(&[(len as u8) << 5 | high, low]),
            len => self.packed.extend_from_slice(&[0xE0 | high, (len - 7) as u8, low]),
        }
    }
}

/// How many bytes two strings begin with in common, of those that fit a match.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take(MATCH_MAX).take_while(|(one, other)| one == other).count()
}

/// The bytes that some were packed from, if they are `len`. Takes no more memory than twice what it makes.
pub(crate) fn unpack(packed: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::new();
    let mut rest = packed;
    while let [first, after @ ..] = rest {
        let first = usize::from(*first);
        if first < 32 {
            let (run, after) = after.split_at_checked(first + 1)?;
            out.extend_from_slice(run);
            rest = after;
        } else {
            let (more, after) = if first >> 5 == 7 {
                after.split_first().map(|(more, after)| (usize::from(*more), after))?
            } else {
                (0, after)
            };
            let (low, after) = after.split_first()?;
            let run = (first >> 5) + more + 2;
            let start = out.len().checked_sub(((first & 31) << 8 | usize::from(*low)) + 1)?;
            if out.len() + run > len {
                return None;
            }
            // What is copied may be what is being written: then it repeats.
            let mut left = run;
            while left > 0 {
                let step = left.min(out.len() - start);
                out.extend_from_within(start..start + step);
                left -= step;
            }
            rest = after;
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is packed is unpacked, by one packer string after string.
        #[test]
        fn what_is_packed_is_unpacked(strings in prop::collection::vec(prop_oneof![
            prop::collection::vec(0..3_u8, 0..600),
            prop::collection::vec(any::<u8>(), 0..100),
            (any::<u8>(), 0..20_000_usize).prop_map(|(byte, len)| vec![byte; len]),
            (prop::collection::vec(any::<u8>(), 1..300), 1..40_usize).prop_map(|(part, times)| part.repeat(times)),
        ], 1..20)) {
            let mut packer = Packer::default();
            for string in strings {
                if let Some(packed) = packer.pack(&string, string.len()) {
                    prop_assert!(packed.len() <= string.len());
                    prop_assert_eq!(unpack(packed, string.len()), Some(string));
                }
            }
        }
    }

    #[test]
    fn positions_begin_anew_before_they_overflow() {
        let mut packer = Packer::default();
        let string = b"abcabcabcabcabcabcabcabc";
        assert_eq!(packer.pack(string, string.len()), Some(&b"\x02abc\xe0\x0c\x02"[..]));
        packer.next = u32::MAX - 10;
        assert_eq!(packer.pack(string, string.len()), Some(&b"\x02abc\xe0\x0c\x02"[..]));
        assert_eq!(packer.pack(string, 6), None);
    }

    #[test]
    fn runs_are_unpacked() {
        assert_eq!(unpack(b"\x02abc", 3).unwrap(), b"abc");
        // "aaaaaaaaaa": one a, then nine of what was before it.
        assert_eq!(unpack(b"\x00a\xe0\x00\x00", 10).unwrap(), b"aaaaaaaaaa");
        for broken in [&b"\x02ab"[..], b"\x20\x00", b"\x00a\xe0\x00", b"\x00a\xe0\x00\x05"] {
            assert_eq!(unpack(broken, 10), None, "{broken:?}");
        }
        assert_eq!(unpack(b"\x02abc", 4), None);
    }
}
