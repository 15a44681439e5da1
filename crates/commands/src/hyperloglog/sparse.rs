//! Sparse registers: runs of equal ones.
//!
//! | byte | run |
//! |---|---|
//! | 00xxxxxx | up to 64 registers of 0 |
//! | 01xxxxxx yyyyyyyy | up to 16,384 registers of 0 |
//! | 1vvvvvxx | up to 4 registers of a count up to 32 |

use super::REGISTERS;
use super::sketch::Problem;

/// Highest count that a run can have.
pub(super) const COUNT_MAX: u8 = 32;
const ZEROS_MAX: usize = 64;
const RUN_MAX: usize = 4;
/// Runs looked at for neighbours to join after one was changed, as in Redis.
const JOINED_WITHIN: usize = 5;

/// No register set.
pub(super) const EMPTY: [u8; 2] = [0x7F, 0xFF];

/// A run of registers.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) len: usize,
    /// 0 or the count.
    pub(super) count: u8,
    /// Bytes that it takes.
    size: usize,
}

fn run_at(bytes: &[u8], at: usize) -> Option<Run> {
    let first = *bytes.get(at)?;
    Some(match first >> 6 {
        0 => Run { len: usize::from(first & 63) + 1, count: 0, size: 1 },
        1 => {
            let len = usize::from(first & 63) << 8 | usize::from(*bytes.get(at + 1)?);
            Run { len: len + 1, count: 0, size: 2 }
        }
        _ => Run { len: usize::from(first & 3) + 1, count: (first >> 2 & 31) + 1, size: 1 },
    })
}

/// All runs; an error when they do not cover the registers exactly.
pub(super) fn each_run(bytes: &[u8], mut visit: impl FnMut(usize, Run)) -> Result<(), Problem> {
    let (mut at, mut register) = (0, 0);
    while at < bytes.len() {
        let run = run_at(bytes, at).ok_or(Problem::Corrupted)?;
        if register + run.len > REGISTERS {
            return Err(Problem::Corrupted);
        }
        visit(register, run);
        at += run.size;
        register += run.len;
    }
    if register == REGISTERS { Ok(()) } else { Err(Problem::Corrupted) }
}

/// What raising a register came to.
pub(super) enum Raised {
    /// It was as high already.
    No,
    Yes,
    /// The runs would take more than they may: the registers have to be dense.
    TooLong,
}

/// Raises a register, in runs that may take `longest` bytes.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    register: usize,
    count: u8,
    longest: usize,
) -> Result<Raised, Problem> {
    let (mut at, mut first, mut before) = (0, 0, None);
    let run = loop {
        let run = run_at(bytes, at).ok_or(Problem::Corrupted)?;
        if register < first + run.len {
            break run;
        }
        before = Some(at);
        at += run.size;
        first += run.len;
    };
    if run.count >= count {
        return Ok(Raised::No);
    }
    let mut parts = Vec::with_capacity(5);
    push_run(&mut parts, register - first, run.count);
    push_run(&mut parts, 1, count);
    push_run(&mut parts, first + run.len - 1 - register, run.count);
    if parts.len() > run.size && bytes.len() + parts.len() - run.size > longest {
        return Ok(Raised::TooLong);
    }
    bytes.splice(at..at + run.size, parts);
    join(bytes, before.unwrap_or(0));
    Ok(Raised::Yes)
}

fn push_run(out: &mut Vec<u8>, len: usize, count: u8) {
    match (len, count) {
        (0, _) => {}
        (_, 1..) => out.push(0x80 | (count - 1) << 2 | (len - 1) as u8),
        (1..=ZEROS_MAX, 0) => out.push((len - 1) as u8),
        _ => out.extend_from_slice(&[0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]),
    }
}

/// Joins neighbouring runs of the same count, from one run on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOINED_WITHIN {
        let Some(run) = run_at(bytes, at) else { return };
        match run_at(bytes, at + run.size) {
            Some(next) if run.count > 0 && next.count == run.count && run.len + next.len <= RUN_MAX => {
                bytes[at + 1] = 0x80 | (run.count - 1) << 2 | (run.len + next.len - 1) as u8;
                bytes.remove(at);
            }
            _ => at += run.size,
        }
    }
}
