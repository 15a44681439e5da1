//! The checksum of payloads and files.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

/// By sixteen bytes at a time: files are as long as the memory of the machine.
static CHECKSUM: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// The checksum of what comes in pieces.
pub(crate) type Running = Digest<'static, u64, Table<16>>;

pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    CHECKSUM.checksum(bytes)
}

pub(crate) fn running() -> Running {
    CHECKSUM.digest()
}
