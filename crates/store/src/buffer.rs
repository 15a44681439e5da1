//! Bytes that are edited in place.

use std::ops::Range;

/// Bytes that can grow and shrink anywhere, wherever they lie.
pub trait Buffer {
    /// The bytes.
    fn bytes(&self) -> &[u8];
    /// The bytes, to be overwritten.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// Puts `with` in the place of a range; what follows moves. Costs the length of what follows, and sometimes of everything.
    fn splice(&mut self, range: Range<usize>, with: &[u8]);
}

impl Buffer for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        let (end, new_end, old_len) = (range.end, range.start + with.len(), self.len());
        if new_end > end {
            self.resize(old_len + new_end - end, 0);
        }
        self.copy_within(end..old_len, new_end);
        self.truncate(old_len - end + new_end);
        self[range.start..new_end].copy_from_slice(with);
    }
}
