//! Libraries of functions: what a library may do while it is loaded, which is to register its functions.

use crate::ScriptFlags;
use crate::api::{log, log_constants};
use crate::native::{Ended, Kind, Stack};
use crate::port::{Event, Order, Reference};
use crate::raise::Raise;
use crate::sandbox::{Functions, Sandbox};
use crate::shebang::{BAD_NAME, is_name};

/// The `redis` of a library that is being loaded.
pub(crate) const FUNCTIONS: Functions = &[(c"log", log), (c"register_function", register)];

/// A function that a library has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// By what it is called.
    pub name: Vec<u8>,
    /// What it does, in its author's words.
    pub description: Option<Vec<u8>>,
    /// What it declares.
    pub flags: ScriptFlags,
    /// Where the interpreter keeps it.
    pub(crate) reference: Reference,
}

/// Adds what is not a function to the table `loading_api` of the top's table.
pub(crate) fn constants(stack: &mut Stack<'_>) {
    stack.raw_field(-1, c"loading_api");
    log_constants(stack);
    stack.pop(1);
}

/// Compiles the source in the exchange, and runs it so that it registers its functions.
pub(crate) fn load(stack: &mut Stack<'_>, _order: Order) -> Result<Event, Raise> {
    let port = stack.port();
    stack.rearm_hook();
    let source = 0..stack.answer().len();
    stack.push_answer(source);
    if stack.compile(c"@user_function") == Ended::WithError {
        fault(stack, b"Error compiling function: ", b"");
        return Ok(Event::Faulty);
    }
    stack.push_sandbox(Sandbox::FUNCTION_ENVIRONMENT);
    stack.set_environment(-2);
    show_globals(stack, Sandbox::LOADING_GLOBALS);
    port.registering.set(true);
    let ended = stack.protected_call(0, Some(0), 0);
    port.registering.set(false);
    if ended == Ended::WithError {
        if stack.kind(-1) == Kind::Table {
            stack.raw_field(-1, c"err");
            fault(stack, b"Error registering functions: ", b"");
        } else {
            fault(stack, b"Error registering functions: ", b"ERR ");
        }
    }
    show_globals(stack, Sandbox::FUNCTION_GLOBALS);
    if ended == Ended::WithError {
        return Ok(Event::Faulty);
    }
    if port.exchange.registrations.borrow().is_empty() {
        let mut text = port.exchange.text.borrow_mut();
        text.clear();
        text.extend_from_slice(b"No functions registered");
        return Ok(Event::Faulty);
    }
    Ok(Event::Registered)
}

/// Leaves a text with the error on the top for the caller.
fn fault(stack: &Stack<'_>, what: &[u8], code: &[u8]) {
    let mut text = stack.port().exchange.text.borrow_mut();
    text.clear();
    text.extend_from_slice(what);
    text.extend_from_slice(code);
    text.extend_from_slice(stack.bytes(-1).unwrap_or_default());
}

/// What functions and libraries see behind their environment.
fn show_globals(stack: &mut Stack<'_>, globals: usize) {
    stack.push_sandbox(Sandbox::FUNCTION_ENVIRONMENT);
    if stack.metatable(-1) {
        stack.push_sandbox(globals);
        stack.set_field(-2, c"__index");
        stack.pop(1);
    }
    stack.pop(1);
}

/// The places of what a function is registered with.
const NAME: i32 = 2;
const DESCRIPTION: i32 = 3;
const CALLBACK: i32 = 4;

fn register(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if !stack.port().registering.get() {
        return Err(Raise::Table("redis.register_function can only be called on FUNCTION LOAD command"));
    }
    let flags = match stack.top() {
        1 => named_arguments(stack)?,
        2 => {
            positional_arguments(stack)?;
            ScriptFlags::NONE
        }
        _ => return Err(Raise::Table("wrong number of arguments to redis.register_function")),
    };
    let registrations = &stack.port().exchange.registrations;
    let name = stack.bytes(NAME).unwrap_or_default();
    if !is_name(name) {
        return Err(Raise::Table(BAD_NAME));
    }
    if registrations.borrow().iter().any(|known| known.name == name) {
        return Err(Raise::Table("Function already exists in the library"));
    }
    stack.push_value(CALLBACK);
    let reference = stack.keep();
    let name = stack.bytes(NAME).unwrap_or_default().to_vec();
    let description = stack.bytes(DESCRIPTION).map(<[u8]>::to_vec);
    registrations.borrow_mut().push(Registration { name, description, flags, reference });
    Ok(0)
}

fn positional_arguments(stack: &mut Stack<'_>) -> Result<(), Raise> {
    if !matches!(stack.kind(1), Kind::String | Kind::Number) {
        return Err(Raise::Table("first argument to redis.register_function must be a string"));
    }
    if stack.kind(2) != Kind::Function {
        return Err(Raise::Table("second argument to redis.register_function must be a function"));
    }
    stack.push_nil();
    stack.insert(2);
    stack.push_value(1);
    stack.coerce(-1);
    stack.insert(NAME);
    Ok(())
}

fn named_arguments(stack: &mut Stack<'_>) -> Result<ScriptFlags, Raise> {
    if stack.kind(1) != Kind::Table {
        return Err(Raise::Table(
            "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
        ));
    }
    stack.set_top(CALLBACK);
    let mut flags = ScriptFlags::NONE;
    stack.push_nil();
    while stack.next(1) {
        if stack.kind(-2) == Kind::Number {
            return Err(UNKNOWN_ARGUMENT);
        }
        let Some(key) = stack.bytes(-2) else {
            return Err(Raise::Table("named argument key given to redis.register_function is not a string"));
        };
        let is = |name: &[u8]| key.eq_ignore_ascii_case(name);
        if is(b"function_name") {
            text_argument(stack, NAME, FUNCTION_NAME_IS_NO_STRING)?;
        } else if is(b"description") {
            text_argument(stack, DESCRIPTION, DESCRIPTION_IS_NO_STRING)?;
        } else if is(b"callback") {
            if stack.kind(-1) != Kind::Function {
                return Err(Raise::Table(
                    "callback argument given to redis.register_function must be a function",
                ));
            }
            stack.replace(CALLBACK);
        } else if is(b"flags") {
            flags = read_flags(stack)?;
            stack.pop(1);
        } else {
            return Err(UNKNOWN_ARGUMENT);
        }
    }
    if stack.kind(NAME) == Kind::Nil {
        return Err(Raise::Table("redis.register_function must get a function name argument"));
    }
    if stack.kind(CALLBACK) == Kind::Nil {
        return Err(Raise::Table("redis.register_function must get a callback argument"));
    }
    Ok(flags)
}

const UNKNOWN_ARGUMENT: Raise = Raise::Table("unknown argument given to redis.register_function");
const FUNCTION_NAME_IS_NO_STRING: Raise =
    Raise::Table("function_name argument given to redis.register_function must be a string");
const DESCRIPTION_IS_NO_STRING: Raise =
    Raise::Table("description argument given to redis.register_function must be a string");

fn text_argument(stack: &mut Stack<'_>, place: i32, wrong: Raise) -> Result<(), Raise> {
    if !matches!(stack.kind(-1), Kind::String | Kind::Number) {
        return Err(wrong);
    }
    stack.coerce(-1);
    stack.replace(place);
    Ok(())
}

/// Reads the list on the top.
fn read_flags(stack: &mut Stack<'_>) -> Result<ScriptFlags, Raise> {
    if stack.kind(-1) != Kind::Table {
        return Err(Raise::Table(
            "flags argument to redis.register_function must be a table representing function flags",
        ));
    }
    let mut flags = ScriptFlags::NONE;
    for at in 1..=i32::MAX {
        stack.raw_get_at(-1, at);
        if stack.kind(-1) == Kind::Nil {
            stack.pop(1);
            break;
        }
        let name = stack.bytes(-1).unwrap_or_default();
        let Some(flag) = ScriptFlags::by_name(&name.to_ascii_lowercase()) else {
            return Err(Raise::Table("unknown flag given"));
        };
        flags |= flag;
        stack.pop(1);
    }
    Ok(flags)
}
