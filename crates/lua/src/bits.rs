//! `bit`: operations on 32 bits.

use crate::native::Stack;
use crate::raise::Raise;
use crate::sandbox::Functions;

/// Under their names.
pub(crate) const FUNCTIONS: Functions = &[
    (c"arshift", |stack| shift(stack, |bits, by| ((bits as i32) >> by) as u32)),
    (c"band", |stack| fold(stack, |all, bits| all & bits)),
    (c"bnot", |stack| map(stack, |bits| !bits)),
    (c"bor", |stack| fold(stack, |all, bits| all | bits)),
    (c"bswap", |stack| map(stack, u32::swap_bytes)),
    (c"bxor", |stack| fold(stack, |all, bits| all ^ bits)),
    (c"lshift", |stack| shift(stack, |bits, by| bits << by)),
    (c"rol", |stack| shift(stack, u32::rotate_left)),
    (c"ror", |stack| shift(stack, u32::rotate_right)),
    (c"rshift", |stack| shift(stack, |bits, by| bits >> by)),
    (c"tobit", |stack| map(stack, |bits| bits)),
    (c"tohex", to_hex),
];

/// Adding this to a double leaves its whole number, modulo 2^32, in the low bits of its significand, rounded to even.
const SHIFT_TO_LOW_BITS: f64 = 6_755_399_441_055_744.0;

fn bits(stack: &Stack<'_>, index: i32) -> Result<u32, Raise> {
    let number = stack.check_number(index)?;
    Ok((number + SHIFT_TO_LOW_BITS).to_bits() as u32)
}

fn push(stack: &mut Stack<'_>, bits: u32) -> Result<usize, Raise> {
    stack.push_number(f64::from(bits as i32));
    Ok(1)
}

fn map(stack: &mut Stack<'_>, operation: fn(u32) -> u32) -> Result<usize, Raise> {
    let result = operation(bits(stack, 1)?);
    push(stack, result)
}

fn fold(stack: &mut Stack<'_>, operation: fn(u32, u32) -> u32) -> Result<usize, Raise> {
    let mut all = bits(stack, 1)?;
    for index in 2..=stack.top() {
        all = operation(all, bits(stack, index)?);
    }
    push(stack, all)
}

fn shift(stack: &mut Stack<'_>, operation: fn(u32, u32) -> u32) -> Result<usize, Raise> {
    let by = bits(stack, 2)? & 31;
    let result = operation(bits(stack, 1)?, by);
    push(stack, result)
}

/// The number of digits may be any number; eight are there (CVE-2024-31449).
fn to_hex(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let value = bits(stack, 1)?;
    let digits = if stack.top() < 2 { 8 } else { bits(stack, 2)? as i32 };
    let alphabet = if digits < 0 { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let len = digits.unsigned_abs().min(8) as usize;
    let mut text = [0; 8];
    for (at, digit) in text.iter_mut().enumerate() {
        *digit = alphabet[(value >> (28 - 4 * at) & 15) as usize];
    }
    stack.push_bytes(&text[8 - len..]);
    Ok(1)
}
