//! Lengths in 1, 3, 5 or 9 bytes: short ones, which are nearly all, take one.

/// Longest length written in one byte.
pub(super) const ONE_BYTE_MAX: u8 = 252;

/// Bytes that a length takes.
#[inline]
pub(super) const fn size(len: usize) -> usize {
    if len <= ONE_BYTE_MAX as usize {
        1
    } else if len <= u16::MAX as usize {
        3
    } else if len <= u32::MAX as usize {
        5
    } else {
        9
    }
}

/// A length's bytes, and how many of them count.
#[inline]
pub(super) const fn encode(len: usize) -> ([u8; 9], usize) {
    let size = size(len);
    let marker = match size {
        1 => return ([len as u8, 0, 0, 0, 0, 0, 0, 0, 0], 1),
        3 => 253,
        5 => 254,
        _ => 255,
    };
    let [a, b, c, d, e, f, g, h] = (len as u64).to_le_bytes();
    ([marker, a, b, c, d, e, f, g, h], size)
}
