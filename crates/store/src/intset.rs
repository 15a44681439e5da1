//! Intsets: Redis's packed sets of integers, byte for byte.
//!
//! Four bytes say how many each integer takes (2, 4 or 8), four how many there are; the integers follow in ascending order. One that needs
//! more bytes than the others makes all of them wider.

use std::cmp::Ordering;

use crate::buffer::Buffer;

/// Bytes in front of the integers.
const HEADER_BYTES: usize = 8;

/// An intset to be read.
#[derive(Clone, Copy, Debug)]
pub struct Intset<'a>(&'a [u8]);

impl<'a> Intset<'a> {
    /// Reads these bytes, which are an intset.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Intset<'a> {
        Intset(bytes)
    }

    /// Number of members.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        (self.0.len() - HEADER_BYTES) / self.width()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.len() == HEADER_BYTES
    }

    /// The member of a rank.
    ///
    /// # Panics
    /// There are not so many.
    #[inline]
    #[must_use]
    pub fn at(self, rank: usize) -> i64 {
        let width = self.width();
        let mut wide = [0; 8];
        wide[8 - width..].copy_from_slice(&self.0[HEADER_BYTES + rank * width..][..width]);
        i64::from_le_bytes(wide) >> (64 - 8 * width)
    }

    /// All members in ascending order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = i64> + use<'a> {
        (0..self.len()).map(move |rank| self.at(rank))
    }

    /// Whether a number is a member.
    #[inline]
    #[must_use]
    pub fn contains(self, number: i64) -> bool {
        width_of(number) <= self.width() && self.rank(number).is_ok()
    }

    /// The rank of a member, or the one that a number would have.
    #[inline]
    fn rank(self, number: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at(middle).cmp(&number) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    #[inline]
    fn width(self) -> usize {
        usize::from(self.0[0])
    }
}

/// Adds a number; says whether it was not there.
#[inline]
pub fn insert(buffer: &mut impl Buffer, number: i64) -> bool {
    let set = Intset(buffer.bytes());
    let width = set.width();
    if width_of(number) > width {
        widen(buffer, number);
        return true;
    }
    let Err(rank) = set.rank(number) else { return false };
    let at = HEADER_BYTES + rank * width;
    buffer.splice(at..at, &number.to_le_bytes()[..width]);
    write_count(buffer);
    true
}

/// Removes a number; says whether it was there.
#[inline]
pub fn remove(buffer: &mut impl Buffer, number: i64) -> bool {
    let set = Intset(buffer.bytes());
    let width = set.width();
    let Ok(rank) = set.rank(number) else { return false };
    let at = HEADER_BYTES + rank * width;
    buffer.splice(at..at + width, &[]);
    write_count(buffer);
    true
}

/// Adds a number that is too wide for the others, and so is less than all or greater than all.
#[cold]
fn widen(buffer: &mut impl Buffer, number: i64) {
    let width = width_of(number);
    let old = Intset(buffer.bytes());
    let mut bytes = Vec::with_capacity(HEADER_BYTES + (old.len() + 1) * width);
    bytes.extend_from_slice(&[width as u8, 0, 0, 0, 0, 0, 0, 0]);
    let (first, last) = if number < 0 { (Some(number), None) } else { (None, Some(number)) };
    for member in first.into_iter().chain(old.iter()).chain(last) {
        bytes.extend_from_slice(&member.to_le_bytes()[..width]);
    }
    buffer.splice(0..buffer.bytes().len(), &bytes);
    write_count(buffer);
}

fn write_count(buffer: &mut impl Buffer) {
    let count =
        u32::try_from(Intset(buffer.bytes()).len()).expect("an intset has far fewer than 2^32 members");
    buffer.bytes_mut()[4..8].copy_from_slice(&count.to_le_bytes());
}

fn width_of(number: i64) -> usize {
    if i16::try_from(number).is_ok() {
        2
    } else if i32::try_from(number).is_ok() {
        4
    } else {
        8
    }
}

/// Whether bytes from outside are an intset: as long as it says, its members in ascending order.
#[must_use]
pub fn validate(bytes: &[u8]) -> bool {
    let Some(&[width @ (2 | 4 | 8), 0, 0, 0, a, b, c, d]) = bytes.first_chunk::<HEADER_BYTES>() else {
        return false;
    };
    let len = u64::from(u32::from_le_bytes([a, b, c, d])) * u64::from(width);
    (bytes.len() - HEADER_BYTES) as u64 == len && Intset(bytes).iter().is_sorted_by(|one, next| one < next)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::Packing;

    proptest! {
        /// Whatever is done to an intset, it holds what a set of numbers would hold.
        #[test]
        fn an_intset_is_a_set(steps in prop::collection::vec((any::<i64>(), 40..64_u32, any::<bool>()), 0..200)) {
            let (mut bytes, mut model) = (Packing::Intset.empty().to_vec(), BTreeSet::new());
            for (number, by, adds) in steps {
                let number = number >> by;
                if adds {
                    prop_assert_eq!(insert(&mut bytes, number), model.insert(number));
                } else {
                    prop_assert_eq!(remove(&mut bytes, number), model.remove(&number));
                }
                prop_assert!(validate(&bytes));
                prop_assert_eq!(Intset::new(&bytes).contains(number), adds);
            }
            prop_assert!(Intset::new(&bytes).iter().eq(model.iter().copied()));
            prop_assert_eq!(Intset::new(&bytes).len(), model.len());
        }

        #[test]
        fn damage_is_noticed(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if validate(&bytes) {
                prop_assert!(Intset::new(&bytes).iter().is_sorted());
            }
        }
    }

    #[test]
    fn bytes_are_those_of_redis() {
        let mut bytes = Packing::Intset.empty().to_vec();
        for number in [5, -1, 70_000] {
            insert(&mut bytes, number);
        }
        let expected = b"\x04\0\0\0\x03\0\0\0\xff\xff\xff\xff\x05\0\0\0\x70\x11\x01\0";
        assert_eq!(bytes, expected);
        assert!(!validate(b"\x02\0\0\0\x02\0\0\0\x05\0\x05\0"), "members are all different");
        assert!(!validate(b"\x02\0\0\0\x01\0\0\0"));
        assert!(!validate(b""));
    }
}
