//! `redis`, which is also called `server`: how scripts reach what is around them.

use larder_resp::{Protocol, append_double};

use crate::ScriptDigest;
use crate::native::{Kind, Place, Stack};
use crate::port::{Event, LogLevel, Order, Permission, Propagation};
use crate::raise::Raise;
use crate::reply::push_answer;
use crate::sandbox::Functions;

/// What scripts and functions have.
pub(crate) const FUNCTIONS: Functions = &[
    (c"acl_check_cmd", check_permission),
    (c"call", call),
    (c"error_reply", error_reply),
    (c"log", log),
    (c"pcall", protected_call),
    (c"set_repl", set_propagation),
    (c"setresp", set_protocol),
    (c"sha1hex", sha1_hex),
    (c"status_reply", status_reply),
];

/// What scripts have beside that.
pub(crate) const SCRIPT_FUNCTIONS: Functions = &[
    (c"breakpoint", |stack| answer(stack, false)),
    (c"debug", |_| Ok(0)),
    (c"replicate_commands", |stack| answer(stack, true)),
];

/// The version of Redis whose scripts run here, as scripts ask for it.
const REDIS_VERSION: &str = "7.2.4";
const REDIS_VERSION_NUMBER: f64 = 0x0007_0204 as f64;
const SERVER_NAME: &str = "larder";

const REPLICATE_LOG: i64 = 1;
const REPLICATE_REPLICAS: i64 = 2;

/// The field of an error table that says that its error has been counted.
const COUNTED: &std::ffi::CStr = c"ignore_error_stats_update";

fn answer(stack: &mut Stack<'_>, answer: bool) -> Result<usize, Raise> {
    stack.push_boolean(answer);
    Ok(1)
}

/// Adds what is not a function to the table `api` of the top's table.
pub(crate) fn constants(stack: &mut Stack<'_>) {
    stack.raw_field(-1, c"api");
    for (name, value) in [
        (c"REPL_NONE", 0),
        (c"REPL_AOF", REPLICATE_LOG),
        (c"REPL_SLAVE", REPLICATE_REPLICAS),
        (c"REPL_REPLICA", REPLICATE_REPLICAS),
        (c"REPL_ALL", REPLICATE_LOG | REPLICATE_REPLICAS),
    ] {
        stack.push_number(value as f64);
        stack.set_field(-2, name);
    }
    log_constants(stack);
    stack.pop(1);
}

/// Adds levels and versions to the table on the top.
pub(crate) fn log_constants(stack: &mut Stack<'_>) {
    for (name, value) in [
        (c"LOG_DEBUG", 0.0),
        (c"LOG_VERBOSE", 1.0),
        (c"LOG_NOTICE", 2.0),
        (c"LOG_WARNING", 3.0),
        (c"REDIS_VERSION_NUM", REDIS_VERSION_NUMBER),
    ] {
        stack.push_number(value);
        stack.set_field(-2, name);
    }
    for (name, value) in [
        (c"REDIS_VERSION", REDIS_VERSION),
        (c"SERVER_NAME", SERVER_NAME),
        (c"SERVER_VERSION", env!("CARGO_PKG_VERSION")),
    ] {
        stack.push_bytes(value.as_bytes());
        stack.set_field(-2, name);
    }
}

/// What becomes of an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnError {
    Raise,
    Return,
}

fn call(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    execute(stack, OnError::Raise)
}

fn protected_call(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    execute(stack, OnError::Return)
}

fn execute(stack: &mut Stack<'_>, on_error: OnError) -> Result<usize, Raise> {
    let port = stack.port();
    let failed = if let Err(text) = collect_arguments(stack) {
        push_error(stack, text.as_bytes());
        true
    } else {
        let order = port.yielder.suspend(Event::Call);
        port.killed()?;
        stack.set_top(0);
        if order == Order::Refuse {
            push_refusal(stack);
            true
        } else {
            push_answer(stack)?
        }
    };
    if failed && on_error == OnError::Raise { Err(Raise::Top) } else { Ok(1) }
}

/// Puts the arguments into the exchange.
fn collect_arguments(stack: &Stack<'_>) -> Result<(), &'static str> {
    let count = stack.top();
    if count == 0 {
        return Err("Please specify at least one argument for this redis lib call");
    }
    let port = stack.port();
    let mut arguments = port.exchange.arguments.borrow_mut();
    arguments.clear();
    for index in 1..=count {
        // The same long string may be given many times.
        if arguments.parts().0.len() > port.memory_limit {
            return Err("not enough memory");
        }
        match stack.kind(index) {
            Kind::String => arguments.push(stack.bytes(index).unwrap_or_default()),
            Kind::Number => {
                let number = stack.number(index).unwrap_or(0.0);
                arguments.push_with(|out| append_double(out, number));
            }
            _ => return Err("Lua redis lib command arguments must be strings or integers"),
        }
    }
    Ok(())
}

/// Pushes the error table for a text: one that begins with a dash has a code of its own.
pub(crate) fn push_error(stack: &mut Stack<'_>, text: &[u8]) {
    stack.new_table(0, 1);
    let port = stack.port();
    {
        let mut scratch = port.scratch.borrow_mut();
        scratch.clear();
        append_error(&mut scratch, text);
    }
    stack.push_scratch();
    stack.set_field(-2, c"err");
}

/// Appends the text of an error with its code, which is ERR where there is none.
fn append_error(out: &mut Vec<u8>, text: &[u8]) {
    let (coded, text) = match text.strip_prefix(b"-") {
        Some(text) => (memchr::memchr(b' ', text).is_some(), text),
        None => (false, text),
    };
    if !coded {
        out.extend_from_slice(b"ERR ");
    }
    out.extend_from_slice(text.trim_ascii_end());
}

fn push_refusal(stack: &mut Stack<'_>) {
    let port = stack.port();
    stack.new_table(0, 2);
    {
        let mut scratch = port.scratch.borrow_mut();
        scratch.clear();
        append_error(&mut scratch, stack.answer());
    }
    stack.push_scratch();
    stack.set_field(-2, c"err");
    mark_counted(stack);
}

/// Notes in the error table on the top that the error has been counted.
pub(crate) fn mark_counted(stack: &mut Stack<'_>) {
    stack.push_boolean(true);
    stack.set_field(-2, COUNTED);
}

/// Whether the error table at `index` says so.
pub(crate) fn is_counted(stack: &mut Stack<'_>, index: i32) -> bool {
    stack.raw_field(index, COUNTED);
    let counted = stack.truth(-1);
    stack.pop(1);
    counted
}

fn check_permission(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let port = stack.port();
    collect_arguments(stack).map_err(Raise::Table)?;
    port.yielder.suspend(Event::Permission);
    port.killed()?;
    match port.exchange.permission.get() {
        Permission::UnknownCommand => Err(Raise::Table("Invalid command passed to redis.acl_check_cmd()")),
        permission => answer(stack, permission == Permission::Granted),
    }
}

fn sha1_hex(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.top() != 1 {
        return Err(Raise::Table("wrong number of arguments"));
    }
    // What is neither string nor number counts as nothing.
    stack.coerce(1);
    let text = ScriptDigest::of(stack.bytes(1).unwrap_or_default()).hex();
    stack.push_bytes(&text);
    Ok(1)
}

/// The one argument that makes a reply.
fn reply_text(stack: &mut Stack<'_>) -> bool {
    let given = stack.top() == 1 && stack.kind(1) == Kind::String;
    if !given {
        push_error(stack, b"wrong number or type of arguments");
    }
    given
}

fn error_reply(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if reply_text(stack) {
        let port = stack.port();
        stack.new_table(0, 1);
        {
            let mut scratch = port.scratch.borrow_mut();
            scratch.clear();
            let text = stack.bytes(1).unwrap_or_default();
            let text = text.strip_prefix(b"-").unwrap_or(text);
            if memchr::memchr(b' ', text).is_none() {
                scratch.extend_from_slice(b"ERR ");
            }
            scratch.extend_from_slice(text.trim_ascii_end());
        }
        stack.push_scratch();
        stack.set_field(-2, c"err");
    }
    Ok(1)
}

fn status_reply(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if reply_text(stack) {
        stack.new_table(0, 1);
        stack.push_value(1);
        stack.set_field(-2, c"ok");
    }
    Ok(1)
}

fn set_propagation(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.top() != 1 {
        return Err(Raise::Table("redis.set_repl() requires two arguments."));
    }
    let flags = stack.number(1).unwrap_or(0.0) as i64;
    if flags & !(REPLICATE_LOG | REPLICATE_REPLICAS) != 0 {
        return Err(Raise::Table(
            "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        ));
    }
    let propagation =
        Propagation { log: flags & REPLICATE_LOG != 0, replicas: flags & REPLICATE_REPLICAS != 0 };
    stack.port().exchange.propagation.set(propagation);
    Ok(0)
}

fn set_protocol(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.top() != 1 {
        return Err(Raise::Table("redis.setresp() requires one argument."));
    }
    let protocol = match stack.number(1).unwrap_or(0.0) as i64 {
        2 => Protocol::Resp2,
        3 => Protocol::Resp3,
        _ => return Err(Raise::Table("RESP version must be 2 or 3.")),
    };
    stack.port().exchange.script_protocol.set(protocol);
    Ok(0)
}

/// `redis.log`; a library that is being loaded has it too.
pub(crate) fn log(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let count = stack.top();
    if count < 2 {
        return Err(Raise::Table("redis.log() requires two arguments or more."));
    }
    let Some(level) = stack.number(1) else {
        return Err(Raise::Table("First argument must be a number (log level)."));
    };
    let level = match level as i64 {
        0 => LogLevel::Debug,
        1 => LogLevel::Verbose,
        2 => LogLevel::Notice,
        3 => LogLevel::Warning,
        _ => return Err(Raise::Table("Invalid debug level.")),
    };
    let port = stack.port();
    port.exchange.text.borrow_mut().clear();
    for index in 2..=count {
        if stack.coerce(index) {
            let mut text = port.exchange.text.borrow_mut();
            if index > 2 {
                text.push(b' ');
            }
            text.extend_from_slice(stack.bytes(index).unwrap_or_default());
        }
    }
    port.yielder.suspend(Event::Log(level));
    port.killed()?;
    Ok(0)
}

/// Sees a script's error first, while it is still known where it happened: makes it a table with its place.
pub(crate) fn handler(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.set_top(1);
    match stack.kind(1) {
        Kind::Table => {}
        Kind::String | Kind::Number => {
            stack.coerce(1);
            wrap(stack);
        }
        Kind::Boolean => {
            let text: &[u8] = if stack.truth(1) { b"true" } else { b"false" };
            stack.push_bytes(text);
            stack.replace(1);
            wrap(stack);
        }
        kind => {
            stack.push_bytes(kind.name().as_bytes());
            stack.replace(1);
            wrap(stack);
        }
    }
    // A protected table is not ours to write into.
    if stack.is_protected(1) {
        return Ok(1);
    }
    let mut place = stack.place(1);
    if place.as_ref().is_some_and(Place::is_native) {
        place = stack.place(2);
    }
    if let Some(place) = place {
        stack.push_bytes(place.source());
        stack.set_field(1, c"source");
        stack.push_number(f64::from(place.line()));
        stack.set_field(1, c"line");
    }
    Ok(1)
}

/// Replaces the text at 1 by the error table for it.
fn wrap(stack: &mut Stack<'_>) {
    stack.push_bytes(b"ERR ");
    stack.insert(1);
    stack.concat(2);
    stack.new_table(0, 3);
    stack.insert(1);
    stack.set_field(1, c"err");
}
