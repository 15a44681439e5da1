//! Numbers that many threads add to at a high rate, each in a cell of its own that it seldom empties into the common sum.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::LocalKey;

/// Adds to a sum by way of the calling thread's cell, which is emptied when it holds more than `slack` in either direction. Costs a few
/// instructions and no shared line as a rule.
#[inline]
pub fn add_held_back(cell: &'static LocalKey<Cell<i64>>, sum: &AtomicI64, slack: u64, number: i64) {
    // While a thread ends its cell may be gone; what it counts then goes to the sum directly.
    let emptied = cell.try_with(|cell| {
        let held_back = cell.get() + number;
        let over = held_back.unsigned_abs() > slack;
        cell.set(if over { 0 } else { held_back });
        if over { held_back } else { 0 }
    });
    let number = emptied.unwrap_or(number);
    if number != 0 {
        sum.fetch_add(number, Ordering::Relaxed);
    }
}
