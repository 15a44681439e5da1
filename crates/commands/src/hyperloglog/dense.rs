//! Dense registers: six bits each, the low bits of the first in the low bits of the first byte.

use super::REGISTERS;

/// Bytes of all registers.
pub(super) const BYTES: usize = REGISTERS * 6 / 8;

#[inline]
pub(super) fn register(bytes: &[u8], number: usize) -> u8 {
    let (byte, bit) = (number * 6 / 8, number * 6 % 8);
    let low = u16::from(bytes[byte]);
    let high = bytes.get(byte + 1).map_or(0, |high| u16::from(*high) << 8);
    ((low | high) >> bit) as u8 & 63
}

#[inline]
pub(super) fn set_register(bytes: &mut [u8], number: usize, count: u8) {
    let (byte, bit) = (number * 6 / 8, number * 6 % 8);
    let (mask, value) = (63_u16 << bit, u16::from(count) << bit);
    bytes[byte] = bytes[byte] & !(mask as u8) | value as u8;
    if let Some(high) = bytes.get_mut(byte + 1) {
        *high = *high & !((mask >> 8) as u8) | (value >> 8) as u8;
    }
}
