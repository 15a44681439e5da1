//! Lua's table functions, as far as they are not its own.

use crate::base::guard_change;
use crate::native::{Kind, Stack, upvalue};
use crate::raise::Raise;
use crate::sandbox::{Functions, push_less};

/// Lua's, behind a check.
pub(crate) const GUARDS: Functions = &[(c"insert", guard_change), (c"remove", guard_change)];

/// Above this many elements, sorting compares by a function of Lua's, during which a script can be stopped: Lua's algorithm
/// can be made to take the square of the elements' number.
const UNINTERRUPTED_ELEMENTS_MAX: usize = 1000;

/// Adds `table.sort` to what lies on the stack: the original is its first value, `<` its second.
pub(crate) fn sort(stack: &mut Stack<'_>) {
    stack.raw_field(-1, c"table");
    stack.push_globals();
    stack.raw_field(-1, c"table");
    stack.raw_field(-1, c"sort");
    push_less(stack);
    stack.push_native(sorted, 2);
    stack.set_field(-4, c"sort");
    stack.pop(3);
}

fn sorted(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let long = stack.kind(1) == Kind::Table && stack.length(1) > UNINTERRUPTED_ELEMENTS_MAX;
    if long && stack.is_absent(2) {
        stack.set_top(1);
        stack.push_value(upvalue(1));
    }
    guard_change(stack)
}
