//! `math.random`: the same numbers for the same seed, everywhere. The generator is that of POSIX's lrand48.

use std::cell::Cell;

use crate::native::Stack;
use crate::raise::Raise;
use crate::sandbox::Functions;

/// Under their names.
pub(crate) const FUNCTIONS: Functions = &[(c"random", random), (c"randomseed", seed)];

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
/// What POSIX puts below a seed of 32 bits.
const LOW: u64 = 0x330E;
const RANGE: f64 = 2_147_483_647.0;

/// Where redis-server begins.
pub(crate) const REDIS_SEED: u64 = 0x1234_ABCD_330E;

/// 48 bits of state.
#[derive(Debug)]
pub(crate) struct Random(Cell<u64>);

impl Random {
    /// Begins with the lowest 48 bits.
    pub(crate) fn new(state: u64) -> Self {
        Self(Cell::new(state & MASK))
    }

    /// Begins anew.
    pub(crate) fn seed(&self, seed: u32) {
        self.0.set((u64::from(seed) << 16) | LOW);
    }

    /// The next number, of 31 bits.
    fn next(&self) -> u32 {
        let state = self.0.get().wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        self.0.set(state);
        (state >> 17) as u32
    }
}

fn random(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let number = f64::from(stack.port().random.next() % RANGE as u32) / RANGE;
    let (low, high, last) = match stack.top() {
        0 => {
            stack.push_number(number);
            return Ok(1);
        }
        1 => (1, integer(stack, 1)?, 1),
        2 => (integer(stack, 1)?, integer(stack, 2)?, 2),
        _ => return Err(Raise::Message("wrong number of arguments")),
    };
    if low > high {
        return Err(Raise::Argument(last, c"interval is empty"));
    }
    let width = (high - low + 1) as f64;
    stack.push_number((number * width).floor() + low as f64);
    Ok(1)
}

/// An int, as C has it.
fn integer(stack: &Stack<'_>, index: i32) -> Result<i64, Raise> {
    stack.check_integer(index).map(|value| i64::from(value as i32))
}

fn seed(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let seed = integer(stack, 1)?;
    stack.port().random.seed(seed as u32);
    Ok(0)
}
