//! Lua's base functions, as far as they are not its own.

use std::ffi::CStr;

use crate::native::{Ended, Kind, Stack, upvalue};
use crate::raise::Raise;
use crate::sandbox::{Functions, Sandbox};

/// Ours entirely.
pub(crate) const FUNCTIONS: Functions = &[
    (c"collectgarbage", collect_garbage),
    (c"load", load),
    (c"loadstring", load_string),
    (c"pcall", protected_call),
    (c"xpcall", protected_call_with_handler),
];

/// Lua's, behind a check.
pub(crate) const GUARDS: Functions = &[
    (c"next", next),
    (c"rawget", raw_get),
    (c"rawset", guard_change),
    (c"setmetatable", guard_change),
    (c"unpack", unpack),
];

/// No source may be longer. Lua's lexer counts the signs of a long bracket in an int (CVE-2025-46819).
pub(crate) const SOURCE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// No more values come out of one `unpack`, which is Lua's own limit too.
const UNPACKED_MAX: f64 = 8000.0;

const READ_ONLY: &str = "Attempt to modify a readonly table";

/// What an assignment to a protected table does.
pub(crate) fn refuse_change(_stack: &mut Stack<'_>) -> Result<usize, Raise> {
    Err(Raise::Message(READ_ONLY))
}

/// What asking for a global does that is not there.
pub(crate) fn refuse_global(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if !stack.coerce(2) {
        return Err(Raise::Message("Second argument to luaProtectedTableError must be a string or number"));
    }
    let port = stack.port();
    let name = String::from_utf8_lossy(stack.bytes(2).unwrap_or_default());
    Err(port.error(format_args!("Script attempted to access nonexistent global variable '{name}'")))
}

/// Before a function that changes the table that is its first argument.
pub(crate) fn guard_change(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.is_protected(1) {
        return Err(Raise::Message(READ_ONLY));
    }
    Ok(stack.call_original(0))
}

/// Before a function that reads the table that is its first argument: a protected one is read in its place.
fn look_behind(stack: &mut Stack<'_>) {
    if stack.is_protected(1) && stack.metatable(1) {
        stack.raw_field(-1, c"__index");
        stack.replace(1);
        stack.pop(1);
    }
}

fn raw_get(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    look_behind(stack);
    Ok(stack.call_original(0))
}

fn next(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_kind(1, Kind::Table, c"table")?;
    look_behind(stack);
    Ok(stack.call_original(0))
}

/// The first value is Lua's own `next`. Over a protected table goes ours, which does not give the real one away.
pub(crate) fn pairs(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_kind(1, Kind::Table, c"table")?;
    if stack.is_protected(1) {
        stack.push_sandbox(Sandbox::SCRIPT_GLOBALS);
        stack.raw_field(-1, c"next");
        stack.remove(-2);
    } else {
        stack.push_value(upvalue(0));
    }
    stack.push_value(1);
    stack.push_nil();
    Ok(3)
}

/// Lua counts what is to be unpacked in an int (CVE-2025-46817).
fn unpack(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_kind(1, Kind::Table, c"table")?;
    let first = if stack.is_absent(2) { 1.0 } else { stack.check_number(2)? };
    let last = if stack.is_absent(3) { stack.length(1) as f64 } else { stack.check_number(3)? };
    let beyond = |number: f64| !(-2_147_483_648.0..=2_147_483_647.0).contains(&number);
    if last - first >= UNPACKED_MAX || (first <= last && (beyond(first) || beyond(last))) {
        return Err(Raise::Message("too many results to unpack"));
    }
    Ok(stack.call_original(0))
}

/// Scripts collect, but do not stop collection for those that come after them.
fn collect_garbage(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.is_absent(1) {
        stack.set_top(0);
        stack.push_bytes(b"collect");
    }
    stack.check_text(1)?;
    let step = stack.optional_integer(2, 0)?;
    match stack.bytes(1).unwrap_or_default() {
        b"collect" => {
            stack.collect();
            stack.push_number(0.0);
        }
        b"count" => {
            let kib = stack.memory_kib();
            stack.push_number(kib as f64);
        }
        b"step" => {
            let ended = stack.collect_step(step.clamp(0, 1 << 20) as i32);
            stack.push_boolean(ended);
        }
        b"stop" | b"restart" | b"setpause" | b"setstepmul" => stack.push_number(0.0),
        _ => return Err(Raise::Argument(1, c"invalid option")),
    }
    stack.port().pause()?;
    Ok(1)
}

fn load_string(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_text(1)?;
    if !stack.is_absent(2) {
        stack.check_text(2)?;
    }
    stack.push_value(1);
    compile(stack, 2)
}

/// All pieces are read before the first is compiled: what reads them is a script's function, which could collect garbage.
fn load(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_kind(1, Kind::Function, c"function")?;
    stack.set_top(2);
    stack.new_table(0, 0);
    let mut pieces = 0;
    loop {
        stack.push_value(1);
        if stack.protected_call(0, Some(1), 0) == Ended::WithError {
            stack.port().killed()?;
            stack.push_nil();
            stack.insert(-2);
            return Ok(2);
        }
        if stack.is_absent(-1) || stack.bytes(-1).is_some_and(<[u8]>::is_empty) {
            stack.pop(1);
            break;
        }
        if !stack.coerce(-1) {
            stack.push_nil();
            stack.push_bytes(b"reader function must return a string");
            return Ok(2);
        }
        pieces += 1;
        stack.raw_set_at(3, pieces);
    }
    let port = stack.port();
    port.scratch.borrow_mut().clear();
    for at in 1..=pieces {
        stack.raw_get_at(3, at);
        port.append(stack.bytes(-1).unwrap_or_default())?;
        stack.pop(1);
    }
    stack.push_scratch();
    compile(stack, 2)
}

/// Compiles the source on the top under the name at `name`, if there is one; without, it is named by its first line, as Lua does.
fn compile(stack: &mut Stack<'_>, name: i32) -> Result<usize, Raise> {
    if stack.length(-1) > SOURCE_BYTES_MAX {
        return Err(Raise::Message("script is too large"));
    }
    // A name ends at its first zero, and Lua shows no more than 60 bytes of it.
    let mut buffer = [0; 128];
    let named = stack.bytes(name).filter(|_| name < stack.top());
    let bytes = named.or(stack.bytes(-1)).unwrap_or_default();
    let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    let len = bytes.len().min(buffer.len() - 1);
    buffer[..len].copy_from_slice(&bytes[..len]);
    let ended = stack.compile(CStr::from_bytes_until_nul(&buffer).unwrap_or(c"?"));
    stack.port().pause()?;
    if ended == Ended::WithError {
        stack.push_nil();
        stack.insert(-2);
        return Ok(2);
    }
    // Lua gives it the globals of scripts; what a function compiles sees what the function sees.
    if stack.port().in_function.get() {
        stack.push_sandbox(Sandbox::FUNCTION_ENVIRONMENT);
        stack.set_environment(-2);
    }
    Ok(1)
}

/// As Redis has it since 7.0: of an error table, a caller of `pcall` sees the text, as before there were such tables.
fn protected_call(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.kind(1) == Kind::None {
        return Err(Raise::Argument(1, c"value expected"));
    }
    let arguments = stack.top() - 1;
    // Its place is taken now: behind many results there may be none.
    stack.push_boolean(true);
    stack.insert(1);
    if stack.protected_call(arguments, None, 0) == Ended::WithError {
        stack.port().killed()?;
        if stack.kind(-1) == Kind::Table {
            stack.raw_field(-1, c"err");
            if matches!(stack.kind(-1), Kind::String | Kind::Number) {
                stack.replace(-2);
            } else {
                stack.pop(1);
            }
        }
        stack.push_boolean(false);
        stack.replace(1);
    }
    Ok(stack.top() as usize)
}

/// The handler is called when the error has left its frames, not within them as by Lua: there, hooks are off, and a handler that
/// does not end could not be stopped.
fn protected_call_with_handler(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.kind(2) == Kind::None {
        return Err(Raise::Argument(2, c"value expected"));
    }
    stack.set_top(2);
    stack.push_boolean(true);
    stack.push_value(1);
    if stack.protected_call(0, None, 0) == Ended::Well {
        return Ok(stack.top() as usize - 2);
    }
    stack.port().killed()?;
    stack.push_value(2);
    stack.insert(-2);
    if stack.protected_call(1, Some(1), 0) == Ended::WithError {
        stack.port().killed()?;
    }
    stack.push_boolean(false);
    stack.insert(-2);
    Ok(2)
}
