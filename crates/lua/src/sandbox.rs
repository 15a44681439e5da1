//! What scripts see: the tables of globals, put together once by `prelude.lua` from Lua's own functions and the native ones.

use std::ffi::CStr;

use crate::native::{Ended, Native, Stack};
use crate::port::{Event, Order, Reference};
use crate::raise::Raise;
use crate::{api, base, bits, coroutines, json, library, messagepack, random, strings, structure, tables};

/// Where the parts of the sandbox are kept, in the order in which the prelude returns them; the environment of scripts, the first,
/// becomes the globals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sandbox;

impl Sandbox {
    /// The table behind it, in which KEYS and ARGV are set.
    pub(crate) const SCRIPT_GLOBALS: usize = 1;
    /// The environment of functions and their libraries.
    pub(crate) const FUNCTION_ENVIRONMENT: usize = 2;
    /// The table behind it.
    pub(crate) const FUNCTION_GLOBALS: usize = 3;
    /// The table behind it while a library is loaded.
    pub(crate) const LOADING_GLOBALS: usize = 4;
    /// The function that sees the errors of scripts.
    pub(crate) const HANDLER: usize = 5;
    /// How many there are.
    pub(crate) const LEN: usize = 6;
}

/// Functions by the names under which scripts find them.
pub(crate) type Functions = &'static [(&'static CStr, Native)];

/// Lua functions that native ones use, as a chunk that returns them.
const LESS: &[u8] = b"return function(a, b) return a < b end";

/// Builds the sandbox.
pub(crate) fn build(stack: &mut Stack<'_>, _order: Order) -> Result<Event, Raise> {
    stack.push_bytes(include_bytes!("prelude.lua"));
    load(stack, c"=prelude")?;

    stack.new_table(0, 16);
    functions(stack, c"base", base::FUNCTIONS);
    guards(stack);
    functions(stack, c"string", strings::FUNCTIONS);
    functions(stack, c"math", random::FUNCTIONS);
    functions(stack, c"bit", bits::FUNCTIONS);
    functions(stack, c"struct", structure::FUNCTIONS);
    functions(stack, c"cmsgpack", messagepack::FUNCTIONS);
    messagepack::constants(stack);
    functions(stack, c"cjson", json::FUNCTIONS);
    json::constants(stack);
    functions(stack, c"api", api::FUNCTIONS);
    api::constants(stack);
    functions(stack, c"script_api", api::SCRIPT_FUNCTIONS);
    functions(stack, c"loading_api", library::FUNCTIONS);
    library::constants(stack);
    for (name, function) in [
        (c"refuse_change", base::refuse_change as Native),
        (c"refuse_global", base::refuse_global),
        (c"handler", api::handler),
    ] {
        stack.push_native(function, 0);
        stack.set_field(-2, name);
    }
    stack.push_mark();
    stack.set_field(-2, c"mark");

    stack.call(1, Some(5));
    for at in 0..5 {
        stack.push_value(at + 1);
        remember(stack, at as usize);
    }
    stack.push_native(api::handler, 0);
    remember(stack, Sandbox::HANDLER);
    stack.push_value(1);
    stack.set_globals();
    stack.set_top(0);
    stack.install_hook();
    Ok(Event::Idle)
}

fn remember(stack: &mut Stack<'_>, at: usize) {
    let reference = stack.keep();
    stack.port().sandbox[at].set(reference);
}

/// The functions that stand before Lua's own and guard them: each has the original as its first value.
fn guards(stack: &mut Stack<'_>) {
    guard_all(stack, c"base", None, base::GUARDS);
    stack.raw_field(-1, c"base");
    stack.push_globals();
    stack.raw_field(-1, c"next");
    stack.remove(-2);
    stack.push_native(base::pairs, 1);
    stack.set_field(-2, c"pairs");
    stack.pop(1);
    stack.new_table(0, 8);
    stack.set_field(-2, c"table");
    guard_all(stack, c"table", Some(c"table"), tables::GUARDS);
    stack.new_table(0, 2);
    stack.set_field(-2, c"coroutine");
    guard_all(stack, c"coroutine", Some(c"coroutine"), coroutines::GUARDS);
    tables::sort(stack);
}

fn guard_all(stack: &mut Stack<'_>, into: &CStr, from: Option<&CStr>, guards: Functions) {
    stack.raw_field(-1, into);
    for (name, guard) in guards {
        stack.push_globals();
        if let Some(from) = from {
            stack.raw_field(-1, from);
            stack.remove(-2);
        }
        stack.raw_field(-1, name);
        stack.remove(-2);
        stack.push_native(*guard, 1);
        stack.set_field(-2, name);
    }
    stack.pop(1);
}

/// Makes a table of functions a field of the table on the top.
fn functions(stack: &mut Stack<'_>, name: &CStr, functions: Functions) {
    stack.new_table(0, functions.len());
    for (name, function) in functions {
        stack.push_native(*function, 0);
        stack.set_field(-2, name);
    }
    stack.set_field(-2, name);
}

/// Compiles the source on the top, which is ours.
fn load(stack: &mut Stack<'_>, name: &CStr) -> Result<(), Raise> {
    match stack.compile(name) {
        Ended::Well => Ok(()),
        Ended::WithError => Err(Raise::Top),
    }
}

/// Pushes the comparison that `<` makes, as a function of Lua's.
pub(crate) fn push_less(stack: &mut Stack<'_>) {
    stack.push_bytes(LESS);
    if stack.compile(c"=sort") == Ended::Well {
        stack.call(0, Some(1));
    }
}

impl Stack<'_> {
    /// Pushes a part of the sandbox.
    #[inline]
    pub(crate) fn push_sandbox(&mut self, at: usize) {
        let reference: Reference = self.port().sandbox[at].get();
        self.push_kept(reference);
    }
}
