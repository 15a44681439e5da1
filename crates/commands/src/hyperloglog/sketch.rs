//! A HyperLogLog as the string that holds it.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | `HYLL` |
//! | 1 | 0: dense, 1: sparse |
//! | 3 | unused |
//! | 8 | the last estimate; the highest bit says that it no longer holds |
//! | | the registers |

use super::estimate::Histogram;
use super::sparse::{self, Raised};
use super::{REGISTERS, dense, murmur};

const MAGIC: &[u8; 4] = b"HYLL";
const HEADER_BYTES: usize = 16;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// In the last byte of the estimate.
const STALE: u8 = 0x80;
/// Bits of a hash that choose the register.
const INDEX_BITS: u32 = 14;

/// Why a string cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It is something else.
    Foreign,
    /// Its registers do not add up.
    Corrupted,
}

/// Whether a string has the form of a HyperLogLog.
pub(super) fn check(bytes: &[u8]) -> Result<(), Problem> {
    let whole = bytes.len() >= HEADER_BYTES && bytes.starts_with(MAGIC);
    match bytes.get(4) {
        Some(&SPARSE) if whole => Ok(()),
        Some(&DENSE) if whole && bytes.len() == HEADER_BYTES + dense::BYTES => Ok(()),
        _ => Err(Problem::Foreign),
    }
}

/// Whether the registers are dense.
pub(super) fn is_dense(bytes: &[u8]) -> bool {
    bytes[4] == DENSE
}

/// The register of an element, and the count that it has at least.
#[inline]
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur::hash(element);
    // A hash of nothing but zeros still ends.
    let rest = hash >> INDEX_BITS | 1 << (64 - INDEX_BITS);
    (hash as usize & (REGISTERS - 1), rest.trailing_zeros() as u8 + 1)
}

/// Whether an element would raise a dense register.
pub(super) fn is_new(bytes: &[u8], element: &[u8]) -> bool {
    let (register, count) = place(element);
    dense::register(&bytes[HEADER_BYTES..], register) < count
}

/// Adds an element to dense registers where they lie.
pub(super) fn add_in_place(bytes: &mut [u8], element: &[u8]) {
    if is_new(bytes, element) {
        let (register, count) = place(element);
        dense::set_register(&mut bytes[HEADER_BYTES..], register, count);
        bytes[HEADER_BYTES - 1] |= STALE;
    }
}

/// Raises registers to those of a HyperLogLog.
pub(super) fn merge(bytes: &[u8], registers: &mut [u8; REGISTERS]) -> Result<(), Problem> {
    let body = &bytes[HEADER_BYTES..];
    if is_dense(bytes) {
        for (number, register) in registers.iter_mut().enumerate() {
            *register = (*register).max(dense::register(body, number));
        }
        return Ok(());
    }
    sparse::each_run(body, |first, run| {
        registers[first..first + run.len]
            .iter_mut()
            .for_each(|register| *register = (*register).max(run.count));
    })
}

/// See the module's documentation.
#[derive(Clone)]
pub(super) struct Sketch {
    header: [u8; HEADER_BYTES],
    body: Vec<u8>,
}

impl Default for Sketch {
    fn default() -> Sketch {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(MAGIC);
        header[4] = SPARSE;
        Sketch { header, body: sparse::EMPTY.to_vec() }
    }
}

impl Sketch {
    /// A copy of a string that has the form.
    pub(super) fn of(bytes: &[u8]) -> Sketch {
        let (header, body) = bytes.split_at(HEADER_BYTES);
        let header = header.try_into().expect("the length was looked at before");
        Sketch { header, body: body.to_vec() }
    }

    /// The string.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [&self.header[..], &self.body].concat()
    }

    pub(super) fn is_dense(&self) -> bool {
        self.header[4] == DENSE
    }

    /// Adds an element; says whether that changed a register. The last estimate is then to be forgotten.
    pub(super) fn add(&mut self, element: &[u8], sparse_max: usize) -> Result<bool, Problem> {
        let (register, count) = place(element);
        self.raise(register, count, sparse_max)
    }

    /// Raises a register; says whether it was lower.
    pub(super) fn raise(&mut self, register: usize, count: u8, sparse_max: usize) -> Result<bool, Problem> {
        if !self.is_dense() {
            // As in Redis, the limit is on the whole string.
            let longest = sparse_max.saturating_sub(HEADER_BYTES);
            if count <= sparse::COUNT_MAX {
                match sparse::raise(&mut self.body, register, count, longest)? {
                    Raised::No => return Ok(false),
                    Raised::Yes => return Ok(true),
                    Raised::TooLong => {}
                }
            }
            self.make_dense()?;
        }
        let lower = dense::register(&self.body, register) < count;
        if lower {
            dense::set_register(&mut self.body, register, count);
        }
        Ok(lower)
    }

    /// Holds the registers dense from now on.
    pub(super) fn make_dense(&mut self) -> Result<(), Problem> {
        if self.is_dense() {
            return Ok(());
        }
        let mut body = vec![0; dense::BYTES];
        sparse::each_run(&self.body, |first, run| {
            for register in first..first + if run.count > 0 { run.len } else { 0 } {
                dense::set_register(&mut body, register, run.count);
            }
        })?;
        self.body = body;
        self.header[4] = DENSE;
        Ok(())
    }

    /// All registers.
    pub(super) fn registers(&self) -> Result<[u8; REGISTERS], Problem> {
        let mut registers = [0; REGISTERS];
        merge(&self.bytes(), &mut registers)?;
        Ok(registers)
    }

    /// The runs of sparse registers.
    pub(super) fn each_run(&self, visit: impl FnMut(usize, sparse::Run)) -> Result<(), Problem> {
        sparse::each_run(&self.body, visit)
    }

    pub(super) fn estimate(&self) -> Result<u64, Problem> {
        let mut histogram = Histogram::empty();
        if self.is_dense() {
            (0..REGISTERS).for_each(|number| histogram.add(dense::register(&self.body, number), 1));
        } else {
            self.each_run(|_, run| histogram.add(run.count, run.len))?;
        }
        Ok(histogram.estimate())
    }

    /// The last estimate, if it still holds.
    pub(super) fn cached(&self) -> Option<u64> {
        let bytes: [u8; 8] = self.header[8..].try_into().ok()?;
        (bytes[7] & STALE == 0).then(|| u64::from_le_bytes(bytes))
    }

    pub(super) fn cache(&mut self, estimate: u64) {
        self.header[8..].copy_from_slice(&estimate.to_le_bytes());
    }

    pub(super) fn forget_cached(&mut self) {
        self.header[HEADER_BYTES - 1] |= STALE;
    }
}
