//! What the coroutine does: it builds the sandbox, and then takes orders for as long as the interpreter lives.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corosensei::Yielder;
use mlua::{Lua, LuaOptions, StdLib};

use crate::json::JsonSettings;
use crate::native::{Ended, Stack, protected};
use crate::port::{Entry, Event, Exchange, Order, Port, Reference};
use crate::raise::Raise;
use crate::random::Random;
use crate::reply::{write_error, write_reply};
use crate::sandbox::{Sandbox, build};
use crate::{Settings, library};

/// The scratch buffer keeps its memory from script to script up to this many bytes.
const KEPT_SCRATCH_BYTES: usize = 64 * 1024;

/// Up to so much memory in use nobody looks whether a script's arguments are the reason.
const KEPT_ARGUMENTS_KIB: usize = 4 * 1024;

/// Takes orders until it is to leave.
pub(crate) fn serve(yielder: &Yielder<Order, Event>, exchange: Rc<Exchange>, settings: Settings) {
    // Lua's functions point to the port, so Lua is closed before it goes.
    let port = Port {
        yielder,
        exchange,
        scratch: RefCell::default(),
        random: Random::new(settings.random_seed),
        json: JsonSettings::new(),
        registering: Cell::new(false),
        in_function: Cell::new(false),
        sandbox: [const { Cell::new(Reference(0)) }; Sandbox::LEN],
        work: Cell::new(0),
        memory_limit: settings.memory_limit,
    };
    let libraries = StdLib::TABLE | StdLib::STRING | StdLib::OS | StdLib::MATH;
    let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false));
    let built = lua.map_err(|_| ()).and_then(|lua| {
        lua.set_memory_limit(settings.memory_limit).map_err(|_| ())?;
        protected(&lua, &port, build, Order::Exit).map(|_| lua)
    });
    let Ok(lua) = built else {
        // Whatever is asked of it, it cannot do.
        while yielder.suspend(Event::Faulty) != Order::Exit {}
        return;
    };
    let mut event = Event::Idle;
    loop {
        let order = yielder.suspend(event);
        let body = match order {
            Order::Exit => return,
            Order::Compile => compile,
            Order::Register => library::load,
            Order::Run(_) => run,
            Order::Forget(_) => forget,
            Order::Go | Order::Refuse => continue,
        };
        event = protected(&lua, &port, body, order).unwrap_or(match order {
            Order::Compile | Order::Register => Event::Faulty,
            _ => Event::Failed { counted: false },
        });
    }
}

fn forget(stack: &mut Stack<'_>, order: Order) -> Result<Event, Raise> {
    if let Order::Forget(reference) = order {
        stack.forget(reference);
    }
    Ok(Event::Idle)
}

/// Compiles the source in the exchange.
fn compile(stack: &mut Stack<'_>, _order: Order) -> Result<Event, Raise> {
    let source = 0..stack.answer().len();
    stack.push_answer(source);
    match stack.compile(c"@user_script") {
        Ended::Well => Ok(Event::Compiled(stack.keep())),
        Ended::WithError => Err(Raise::Top),
    }
}

/// Runs a script or function.
fn run(stack: &mut Stack<'_>, order: Order) -> Result<Event, Raise> {
    let Order::Run(entry) = order else { return Ok(Event::Idle) };
    let port = stack.port();
    let exchange = &port.exchange;
    port.json.reset();
    port.work.set(0);
    port.registering.set(false);
    port.in_function.set(matches!(entry, Entry::Function(_)));
    stack.rearm_hook();
    let keys = exchange.keys.get();
    let all = exchange.arguments.borrow().len();
    stack.push_sandbox(Sandbox::HANDLER);
    let ended = match entry {
        Entry::Script(script) => {
            stack.push_kept(script);
            stack.push_sandbox(Sandbox::SCRIPT_GLOBALS);
            push_list(stack, 0, keys);
            stack.set_field(-2, c"KEYS");
            push_list(stack, keys, all);
            stack.set_field(-2, c"ARGV");
            stack.pop(1);
            stack.protected_call(0, Some(1), 1)
        }
        Entry::Function(function) => {
            stack.push_kept(function);
            push_list(stack, 0, keys);
            push_list(stack, keys, all);
            stack.protected_call(2, Some(1), 1)
        }
    };
    let event = match ended {
        Ended::Well => match write_reply(stack) {
            Ok(event) => event,
            Err(raise) => {
                let text = match raise {
                    Raise::Message(text) => text,
                    _ => exchange.killed.get().unwrap_or_default(),
                };
                crate::api::push_error(stack, text.as_bytes());
                write_error(stack)
            }
        },
        Ended::WithError => write_error(stack),
    };
    if port.scratch.borrow().capacity() > KEPT_SCRATCH_BYTES {
        port.scratch.replace(Vec::new());
    }
    if stack.memory_kib() > KEPT_ARGUMENTS_KIB {
        forget_arguments(stack);
    }
    // A script that used up its memory leaves it as garbage, with which the next would fail.
    if stack.memory_kib() > port.memory_limit / 1024 / 2 {
        stack.collect();
    }
    Ok(event)
}

/// KEYS and ARGV are there until the next script sets them, unless they may be large.
fn forget_arguments(stack: &mut Stack<'_>) {
    stack.push_sandbox(Sandbox::SCRIPT_GLOBALS);
    for name in [c"KEYS", c"ARGV"] {
        stack.push_nil();
        stack.set_field(-2, name);
    }
    stack.pop(1);
}

/// Pushes a list of the exchange's arguments.
fn push_list(stack: &mut Stack<'_>, from: usize, to: usize) {
    stack.new_table(to - from, 0);
    for at in from..to {
        stack.push_argument(at);
        stack.raw_set_at(-2, (at - from + 1) as i32);
    }
}
