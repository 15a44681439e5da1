//! Lua's coroutines, as far as they are not its own.

use crate::native::Stack;
use crate::raise::Raise;
use crate::sandbox::Functions;

/// Lua's, behind a check.
pub(crate) const GUARDS: Functions = &[(c"resume", resume)];

/// A script that has to end does not catch that with a coroutine.
fn resume(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let results = stack.call_original(0);
    stack.port().killed()?;
    Ok(results)
}
