//! Lua's C interface: the only place of this crate that touches it, and the only one with `unsafe`.
//!
//! A native function is a plain Rust function over a [`Stack`]. Lua reports errors by `longjmp`, which skips the frames in
//! between; hence the two rules of this crate:
//!
//! - **Nothing with a destructor lives across a call of a `Stack` method.** Texts are put together in the port's scratch buffer,
//!   and borrowed only as long as a byte is appended.
//! - **What `bytes` lends is gone before the stack changes**, which the borrow checker sees to: reading borrows the stack,
//!   changing it borrows it mutably. A string in a slot is not moved by Lua's collector, and kept while it is there.
//!
//! A native function never raises an error itself: it returns a [`Raise`], and [`enter`] raises it when the function's frame is gone.
#![expect(unsafe_code, reason = "Lua is a C library; see the rules above")]
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "each block calls the C interface, under the same conditions"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ops::Range;

use mlua::ffi;
use mlua::lua_State;

use crate::port::{Event, Order, Port, Reference};
use crate::raise::Raise;

/// A function that Lua calls.
pub(crate) type Native = fn(&mut Stack<'_>) -> Result<usize, Raise>;

/// What the coroutine does under Lua's protection.
pub(crate) type Body = fn(&mut Stack<'_>, Order) -> Result<Event, Raise>;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    None,
    Nil,
    Boolean,
    /// Only one light userdata ever reaches a script: `cjson.null`.
    Null,
    Number,
    String,
    Table,
    Function,
    Userdata,
    Thread,
}

impl Kind {
    /// As Lua's `type` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "no value",
            Self::Nil => "nil",
            Self::Boolean => "boolean",
            Self::Null | Self::Userdata => "userdata",
            Self::Number => "number",
            Self::String => "string",
            Self::Table => "table",
            Self::Function => "function",
            Self::Thread => "thread",
        }
    }
}

/// How a protected call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    /// The error lies on the top of the stack.
    WithError,
}

/// Where in a script something happened.
pub(crate) struct Place {
    record: ffi::lua_Debug,
}

/// Lua's stack in a native function: its arguments first, its results last.
pub(crate) struct Stack<'lua> {
    state: *mut lua_State,
    port: &'lua Port<'lua>,
}

/// Every how many instructions the hook is called. It costs some 30 ns; a thousand instructions take 5 microseconds.
const HOOK_INSTRUCTIONS: c_int = 1000;

/// Up to this much memory in use the hook keeps its interval; above, it is called the more often. So what a single instruction can
/// do (a concatenation, a call of `table.concat`) stays in proportion to the interval.
const HOOK_MEMORY_KIB: c_int = 1024;

/// No native function of ours recurses deeper, so that the coroutine's stack suffices, also where nothing is optimised.
pub(crate) const DEPTH_MAX: usize = 2000;

/// All results that there are.
const ALL_RESULTS: c_int = ffi::LUA_MULTRET;

/// Its address is where the registry keeps the port.
static PORT_KEY: u8 = 0;
/// Its address is the key by which a protected table's metatable is known.
static MARK_KEY: u8 = 0;

fn address(key: &'static u8) -> *mut c_void {
    std::ptr::from_ref(key).cast_mut().cast()
}

/// What [`enter_protected`] is given.
struct Protected<'a> {
    body: Body,
    order: Order,
    port: &'a Port<'a>,
    event: std::cell::Cell<Event>,
}

/// Runs `body` on the main thread's stack under Lua's protection. An error leaves its text in the exchange.
pub(crate) fn protected(lua: &mlua::Lua, port: &Port<'_>, body: Body, order: Order) -> Result<Event, ()> {
    // SAFETY: the frame above lives longer than the call, during which alone the port's pointer is used; the stack is as high
    // afterwards as before.
    unsafe {
        let port: &Port<'_> = &*std::ptr::from_ref(port);
        let context = Protected { body, order, port, event: std::cell::Cell::new(Event::Idle) };
        let state = main_state(lua);
        let status = ffi::lua_cpcall(state, enter_protected, std::ptr::from_ref(&context).cast_mut().cast());
        if status == ffi::LUA_OK {
            return Ok(context.event.get());
        }
        let mut stack = Stack { state, port };
        let mut text = port.exchange.text.borrow_mut();
        text.clear();
        text.extend_from_slice(stack.bytes(-1).unwrap_or(b"execution failure"));
        stack.pop(1);
        Err(())
    }
}

/// The state of the main thread: the one that is current while no native function runs.
fn main_state(lua: &mlua::Lua) -> *mut lua_State {
    lua.exec_raw_lua(|raw| raw.state())
}

unsafe extern "C-unwind" fn enter_protected(state: *mut lua_State) -> c_int {
    // SAFETY: `protected` passes its own context, which outlives the call.
    unsafe {
        let context = &*ffi::lua_touserdata(state, 1).cast::<Protected<'_>>();
        ffi::lua_settop(state, 0);
        let mut stack = Stack { state, port: context.port };
        match (context.body)(&mut stack, context.order) {
            Ok(event) => context.event.set(event),
            Err(raise) => stack.raise(raise),
        }
        0
    }
}

/// Calls the function whose address is the closure's first upvalue, with the port in the second.
unsafe extern "C-unwind" fn enter(state: *mut lua_State) -> c_int {
    // SAFETY: only `push_native` makes closures of this function, with these two upvalues, which no script can reach. The port
    // outlives the interpreter's state.
    unsafe {
        let function: Native = std::mem::transmute(ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)));
        let port = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(2)).cast::<Port<'_>>();
        let mut stack = Stack { state, port };
        match function(&mut stack) {
            Ok(results) => results as c_int,
            Err(raise) => stack.raise(raise),
        }
    }
}

/// Lua's hook: a script has run for a while.
unsafe extern "C-unwind" fn hook(state: *mut lua_State, _record: *mut ffi::lua_Debug) {
    // SAFETY: Lua gives a hook room for values of its own; the port is in the registry since the interpreter was made.
    unsafe {
        ffi::lua_pushlightuserdata(state, address(&PORT_KEY));
        ffi::lua_rawget(state, ffi::LUA_REGISTRYINDEX);
        let port = &*ffi::lua_touserdata(state, -1).cast::<Port<'_>>();
        ffi::lua_settop(state, -2);
        let used = ffi::lua_gc(state, ffi::LUA_GCCOUNT, 0).max(1);
        let interval = (HOOK_INSTRUCTIONS / (used / HOOK_MEMORY_KIB).max(1)).max(10);
        ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, interval);
        if let Err(raise) = port.pause() {
            Stack { state, port }.raise(raise);
        }
    }
}

impl<'lua> Stack<'lua> {
    /// What the interpreter keeps beside Lua.
    #[inline]
    pub(crate) fn port(&self) -> &'lua Port<'lua> {
        self.port
    }

    /// Raises what a native function returned.
    fn raise(&mut self, raise: Raise) -> ! {
        // SAFETY: no frame above this one owns anything, by this module's first rule.
        unsafe {
            match raise {
                Raise::Message(text) => {
                    ffi::luaL_where(self.state, 1);
                    ffi::lua_pushlstring(self.state, text.as_ptr().cast(), text.len());
                    ffi::lua_concat(self.state, 2);
                }
                Raise::Scratch => {
                    ffi::luaL_where(self.state, 1);
                    self.push_scratch();
                    ffi::lua_concat(self.state, 2);
                }
                Raise::Argument(index, text) => {
                    ffi::luaL_argerror(self.state, index, text.as_ptr());
                }
                Raise::Type(index, name) => {
                    ffi::luaL_typerror(self.state, index, name.as_ptr());
                }
                Raise::Table(text) => self.push_error_table(b"ERR ", text.as_bytes()),
                Raise::Killed => {
                    let words = self.port.exchange.killed.get().unwrap_or_default();
                    self.push_error_table(b"ERR ", words.as_bytes());
                }
                Raise::Top => {}
            }
            ffi::lua_error(self.state)
        }
    }

    /// Pushes `{err = code .. text}`.
    fn push_error_table(&mut self, code: &[u8], text: &[u8]) {
        self.new_table(0, 3);
        self.push_bytes(code);
        self.push_bytes(text);
        self.concat(2);
        self.set_field(-2, c"err");
    }
}

/// Reading.
impl Stack<'_> {
    /// How many values there are.
    #[inline]
    pub(crate) fn top(&self) -> i32 {
        // SAFETY: reads the stack's height.
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// The type of the value at `index`.
    #[inline]
    pub(crate) fn kind(&self, index: i32) -> Kind {
        // SAFETY: any index is allowed.
        match unsafe { ffi::lua_type(self.state, index) } {
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Kind::Null,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            ffi::LUA_TUSERDATA => Kind::Userdata,
            ffi::LUA_TTHREAD => Kind::Thread,
            _ => Kind::None,
        }
    }

    /// Whether there is neither a value nor nil.
    #[inline]
    pub(crate) fn is_absent(&self, index: i32) -> bool {
        matches!(self.kind(index), Kind::None | Kind::Nil)
    }

    /// The bytes of the string at `index`; none of anything else.
    #[inline]
    pub(crate) fn bytes(&self, index: i32) -> Option<&[u8]> {
        // SAFETY: of a string, `lua_tolstring` returns its own bytes, which stay while it is in its slot; and this borrow keeps
        // the slot unchanged.
        unsafe {
            if ffi::lua_type(self.state, index) != ffi::LUA_TSTRING {
                return None;
            }
            let mut len = 0;
            let start = ffi::lua_tolstring(self.state, index, &mut len);
            Some(std::slice::from_raw_parts(start.cast(), len))
        }
    }

    /// The number at `index`, or the one that a string there spells.
    #[inline]
    pub(crate) fn number(&self, index: i32) -> Option<f64> {
        // SAFETY: reads only.
        unsafe { (ffi::lua_isnumber(self.state, index) != 0).then(|| ffi::lua_tonumber(self.state, index)) }
    }

    /// Whether the value at `index` counts as true.
    #[inline]
    pub(crate) fn truth(&self, index: i32) -> bool {
        // SAFETY: reads only.
        unsafe { ffi::lua_toboolean(self.state, index) != 0 }
    }

    /// How many bytes a string has, how many elements a table.
    #[inline]
    pub(crate) fn length(&self, index: i32) -> usize {
        // SAFETY: reads only: metamethods are not asked.
        unsafe { ffi::lua_objlen(self.state, index) }
    }

    /// Whether the table at `index` is one that scripts may not change.
    pub(crate) fn is_protected(&mut self, index: i32) -> bool {
        // SAFETY: three slots are free in every native function; what is pushed is popped.
        unsafe {
            if ffi::lua_type(self.state, index) != ffi::LUA_TTABLE
                || ffi::lua_getmetatable(self.state, index) == 0
            {
                return false;
            }
            ffi::lua_pushlightuserdata(self.state, address(&MARK_KEY));
            ffi::lua_rawget(self.state, -2);
            let protected = ffi::lua_toboolean(self.state, -1) != 0;
            ffi::lua_settop(self.state, -3);
            protected
        }
    }

    /// What runs at `level`: 0 is this native function, 1 its caller.
    pub(crate) fn place(&mut self, level: i32) -> Option<Place> {
        // SAFETY: Lua fills in the record, whose pointers are to texts that live as long as the function that runs.
        unsafe {
            let mut record: ffi::lua_Debug = std::mem::zeroed();
            if ffi::lua_getstack(self.state, level, &mut record) == 0 {
                return None;
            }
            ffi::lua_getinfo(self.state, c"Sl".as_ptr(), &mut record);
            Some(Place { record })
        }
    }
}

impl Place {
    /// Whether it is in a native function.
    pub(crate) fn is_native(&self) -> bool {
        // SAFETY: `what` points to one of Lua's constants.
        unsafe { CStr::from_ptr(self.record.what).to_bytes() == b"C" }
    }

    /// The name of the chunk.
    pub(crate) fn source(&self) -> &[u8] {
        // SAFETY: `source` points to the chunk's name, which Lua keeps as long as the function that runs.
        unsafe { CStr::from_ptr(self.record.source).to_bytes() }
    }

    /// The line, or -1.
    pub(crate) fn line(&self) -> i32 {
        self.record.currentline
    }
}

/// Pushing.
impl Stack<'_> {
    /// Removes the `count` topmost.
    #[inline]
    pub(crate) fn pop(&mut self, count: i32) {
        // SAFETY: callers pop what they pushed.
        unsafe { ffi::lua_settop(self.state, -count - 1) };
    }

    /// Removes, or fills in with nil, until there are `top`.
    #[inline]
    pub(crate) fn set_top(&mut self, top: i32) {
        // SAFETY: callers raise the height by a few at most, for which there is room.
        unsafe { ffi::lua_settop(self.state, top) };
    }

    /// Makes room for `slots` more. A native function begins with 20.
    pub(crate) fn reserve(&mut self, slots: usize) -> bool {
        let Ok(slots) = c_int::try_from(slots) else { return false };
        // SAFETY: any number may be asked for; it says no to too many.
        unsafe { ffi::lua_checkstack(self.state, slots) != 0 }
    }

    #[inline]
    pub(crate) fn push_nil(&mut self) {
        // SAFETY: there is room, as for all that follow.
        unsafe { ffi::lua_pushnil(self.state) };
    }

    #[inline]
    pub(crate) fn push_boolean(&mut self, value: bool) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushboolean(self.state, value.into()) };
    }

    #[inline]
    pub(crate) fn push_number(&mut self, value: f64) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnumber(self.state, value) };
    }

    /// Pushes `cjson.null`.
    pub(crate) fn push_null(&mut self) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut()) };
    }

    /// Pushes the key by which protected tables are known.
    pub(crate) fn push_mark(&mut self) {
        // SAFETY: there is room.
        unsafe { ffi::lua_pushlightuserdata(self.state, address(&MARK_KEY)) };
    }

    #[inline]
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        // SAFETY: Lua copies the bytes. They are not Lua's own, which would be borrowed from this stack.
        unsafe { ffi::lua_pushlstring(self.state, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// Pushes a part of the string at `index`, which must be one.
    pub(crate) fn push_part(&mut self, index: i32, part: Range<usize>) {
        // SAFETY: the string stays in its slot while it is copied, and Lua's collector moves nothing.
        unsafe {
            let mut len = 0;
            let start: *const c_char = ffi::lua_tolstring(self.state, index, &mut len);
            let part = part.start.min(len)..part.end.min(len);
            ffi::lua_pushlstring(self.state, start.add(part.start), part.len());
        }
    }

    /// Pushes what lies in the scratch buffer, and empties it.
    pub(crate) fn push_scratch(&mut self) {
        // SAFETY: nobody borrows the scratch buffer across a call of Lua's, and this call runs no native function.
        unsafe {
            let scratch = &mut *self.port.scratch.as_ptr();
            ffi::lua_pushlstring(self.state, scratch.as_ptr().cast(), scratch.len());
            scratch.clear();
        }
    }

    /// Pushes the argument at `at` of those in the exchange.
    #[inline]
    pub(crate) fn push_argument(&mut self, at: usize) {
        // SAFETY: the caller's side writes arguments only while the coroutine is suspended.
        let argument = unsafe { (&*self.port.exchange.arguments.as_ptr()).get(at).unwrap_or_default() };
        self.push_bytes(argument);
    }

    /// The caller's answer.
    #[inline]
    pub(crate) fn answer(&self) -> &'_ [u8] {
        // SAFETY: the caller's side writes answers only while the coroutine is suspended, which it is not while this is
        // borrowed: suspending takes the port, but nobody does so with an answer in hand.
        unsafe { (&*self.port.exchange.answer.as_ptr()).as_slice() }
    }

    /// Pushes a part of the answer.
    #[inline]
    pub(crate) fn push_answer(&mut self, part: Range<usize>) {
        // SAFETY: as above.
        let part = unsafe { (&*self.port.exchange.answer.as_ptr()).get(part).unwrap_or_default() };
        self.push_bytes(part);
    }

    /// Pushes a copy of the value at `index`.
    #[inline]
    pub(crate) fn push_value(&mut self, index: i32) {
        // SAFETY: there is room, and the index is one of this function's.
        unsafe { ffi::lua_pushvalue(self.state, index) };
    }

    /// Pushes a native function; the `upvalues` topmost values become its own, from [`upvalue`]`(0)` on.
    pub(crate) fn push_native(&mut self, function: Native, upvalues: i32) {
        // SAFETY: `enter` finds its two upvalues before the others.
        unsafe {
            ffi::lua_pushlightuserdata(self.state, function as *mut c_void);
            ffi::lua_insert(self.state, -upvalues - 1);
            ffi::lua_pushlightuserdata(self.state, std::ptr::from_ref(self.port).cast_mut().cast());
            ffi::lua_insert(self.state, -upvalues - 1);
            ffi::lua_pushcclosure(self.state, enter, upvalues + 2);
        }
    }

    /// Moves the topmost value to `index`, and those above up.
    pub(crate) fn insert(&mut self, index: i32) {
        // SAFETY: the index is one of this function's.
        unsafe { ffi::lua_insert(self.state, index) };
    }

    /// Removes the value at `index`.
    pub(crate) fn remove(&mut self, index: i32) {
        // SAFETY: the index is one of this function's.
        unsafe { ffi::lua_remove(self.state, index) };
    }

    /// Moves the topmost value into the place of the one at `index`.
    pub(crate) fn replace(&mut self, index: i32) {
        // SAFETY: the index is one of this function's, or an upvalue.
        unsafe { ffi::lua_replace(self.state, index) };
    }

    /// Turns a number at `index` into the string that spells it; whether there is a string then.
    #[inline]
    pub(crate) fn coerce(&mut self, index: i32) -> bool {
        // SAFETY: nobody iterates over a table with the value at the index as the key.
        unsafe { !ffi::lua_tolstring(self.state, index, std::ptr::null_mut()).is_null() }
    }

    /// Joins the `count` topmost.
    pub(crate) fn concat(&mut self, count: i32) {
        // SAFETY: the values are there, strings all.
        unsafe { ffi::lua_concat(self.state, count) };
    }
}

/// The index of a native function's own value.
pub(crate) const fn upvalue(at: i32) -> i32 {
    ffi::lua_upvalueindex(at + 3)
}

/// Tables.
impl Stack<'_> {
    /// Pushes an empty table with room.
    #[inline]
    pub(crate) fn new_table(&mut self, elements: usize, fields: usize) {
        // SAFETY: there is room; the numbers are bounded here, as memory is only a hint.
        unsafe {
            ffi::lua_createtable(self.state, elements.min(1 << 16) as c_int, fields.min(1 << 16) as c_int)
        };
    }

    /// Pushes `table[at]`.
    #[inline]
    pub(crate) fn raw_get_at(&mut self, table: i32, at: i32) {
        // SAFETY: a table is there.
        unsafe { ffi::lua_rawgeti_(self.state, table, at) };
    }

    /// `table[at] = top`, which goes.
    #[inline]
    pub(crate) fn raw_set_at(&mut self, table: i32, at: i32) {
        // SAFETY: a table is there.
        unsafe { ffi::lua_rawseti_(self.state, table, at) };
    }

    /// Replaces the key on the top by its value in the table.
    #[inline]
    pub(crate) fn raw_get(&mut self, table: i32) {
        // SAFETY: a table is there.
        unsafe { ffi::lua_rawget_(self.state, table) };
    }

    /// Sets the key below the top to the value on it; both go. Keys are never nil or NaN, which Lua refuses.
    #[inline]
    pub(crate) fn raw_set(&mut self, table: i32) {
        // SAFETY: a table is there.
        unsafe { ffi::lua_rawset(self.state, table) };
    }

    /// Replaces the key on the top by its value, asking metamethods.
    pub(crate) fn get(&mut self, table: i32) {
        // SAFETY: Lua raises an error if it cannot be indexed.
        unsafe { ffi::lua_gettable_(self.state, table) };
    }

    /// Pushes the field of that name, without metamethods.
    pub(crate) fn raw_field(&mut self, table: i32, name: &CStr) {
        let table = self.absolute(table);
        self.push_bytes(name.to_bytes());
        self.raw_get(table);
    }

    /// Sets the field of that name to the topmost value, without metamethods.
    pub(crate) fn set_field(&mut self, table: i32, name: &CStr) {
        let table = self.absolute(table);
        self.push_bytes(name.to_bytes());
        self.insert(-2);
        self.raw_set(table);
    }

    /// Replaces the key on the top by the next key and its value; pops it and says no behind the last.
    #[inline]
    pub(crate) fn next(&mut self, table: i32) -> bool {
        // SAFETY: a table is there, and the key is one of it.
        unsafe { ffi::lua_next(self.state, table) != 0 }
    }

    /// Pushes the metatable of the value at `index`, if it has one.
    pub(crate) fn metatable(&mut self, index: i32) -> bool {
        // SAFETY: there is room.
        unsafe { ffi::lua_getmetatable(self.state, index) != 0 }
    }

    /// Gives the table at `index` the metatable on the top.
    pub(crate) fn set_metatable(&mut self, index: i32) {
        // SAFETY: both tables are there.
        unsafe { ffi::lua_setmetatable(self.state, index) };
    }

    /// Counts an index from the bottom.
    #[inline]
    pub(crate) fn absolute(&self, index: i32) -> i32 {
        if index < 0 && index > ffi::LUA_REGISTRYINDEX { self.top() + index + 1 } else { index }
    }
}

/// Functions and the registry.
impl Stack<'_> {
    /// Calls the function below the `arguments` topmost values; all its results take their place.
    pub(crate) fn call(&mut self, arguments: i32, results: Option<i32>) {
        // SAFETY: function and arguments are there. Lua makes room for the results.
        unsafe { ffi::lua_call(self.state, arguments, results.unwrap_or(ALL_RESULTS)) };
    }

    /// The same, catching errors; `handler` is the index of a function that sees them first, or 0.
    pub(crate) fn protected_call(&mut self, arguments: i32, results: Option<i32>, handler: i32) -> Ended {
        // SAFETY: as above.
        let status =
            unsafe { ffi::lua_pcall(self.state, arguments, results.unwrap_or(ALL_RESULTS), handler) };
        if status == ffi::LUA_OK { Ended::Well } else { Ended::WithError }
    }

    /// Calls Lua's own function, which is upvalue `at`, as if it had been called in place of this one.
    pub(crate) fn call_original(&mut self, at: i32) -> usize {
        // SAFETY: it finds its arguments where this function did. Those that are called this way use no upvalues.
        unsafe {
            match ffi::lua_tocfunction(self.state, upvalue(at)) {
                Some(original) => original(self.state) as usize,
                None => 0,
            }
        }
    }

    /// Compiles the source in the string on the top, which its function or what is wrong with it replaces.
    ///
    /// Bytecode is refused. Meanwhile Lua's collector rests: its parser keeps the chunk's name where the collector does not look
    /// (CVE-2025-49844).
    pub(crate) fn compile(&mut self, name: &CStr) -> Ended {
        // SAFETY: the string stays on the stack while it is read.
        unsafe {
            let mut len = 0;
            let source: *const c_char = ffi::lua_tolstring(self.state, -1, &mut len);
            ffi::lua_gc(self.state, ffi::LUA_GCSTOP, 0);
            let status = ffi::luaL_loadbufferx(self.state, source, len, name.as_ptr(), c"t".as_ptr());
            ffi::lua_gc(self.state, ffi::LUA_GCRESTART, 0);
            ffi::lua_remove(self.state, -2);
            if status == ffi::LUA_OK { Ended::Well } else { Ended::WithError }
        }
    }

    /// Gives the function at `index` the environment on the top.
    pub(crate) fn set_environment(&mut self, index: i32) {
        // SAFETY: a function and a table are there.
        unsafe { ffi::lua_setfenv(self.state, index) };
    }

    /// Makes the table on the top the globals of whatever is compiled from now on.
    pub(crate) fn set_globals(&mut self) {
        // SAFETY: a table is there, on the main thread's stack.
        unsafe { ffi::lua_replace(self.state, ffi::LUA_GLOBALSINDEX) };
    }

    /// Pushes the globals.
    pub(crate) fn push_globals(&mut self) {
        self.push_value(ffi::LUA_GLOBALSINDEX);
    }

    /// Keeps the topmost value in the registry.
    pub(crate) fn keep(&mut self) -> Reference {
        // SAFETY: a value is there.
        Reference(unsafe { ffi::luaL_ref(self.state, ffi::LUA_REGISTRYINDEX) })
    }

    /// Pushes what was kept.
    #[inline]
    pub(crate) fn push_kept(&mut self, Reference(at): Reference) {
        self.raw_get_at(ffi::LUA_REGISTRYINDEX, at);
    }

    /// Forgets what was kept.
    pub(crate) fn forget(&mut self, Reference(at): Reference) {
        // SAFETY: the reference came from `keep`, and its owner gives it up.
        unsafe { ffi::luaL_unref(self.state, ffi::LUA_REGISTRYINDEX, at) };
    }

    /// Lets the hook find the port, and sets it for this thread and those it makes.
    pub(crate) fn install_hook(&mut self) {
        // SAFETY: there is room for two values.
        unsafe {
            ffi::lua_pushlightuserdata(self.state, address(&PORT_KEY));
            ffi::lua_pushlightuserdata(self.state, std::ptr::from_ref(self.port).cast_mut().cast());
            ffi::lua_rawset(self.state, ffi::LUA_REGISTRYINDEX);
        }
        self.rearm_hook();
    }

    /// Sets the hook to its usual interval.
    #[inline]
    pub(crate) fn rearm_hook(&mut self) {
        // SAFETY: sets three fields.
        unsafe { ffi::lua_sethook(self.state, Some(hook), ffi::LUA_MASKCOUNT, HOOK_INSTRUCTIONS) };
    }

    /// How many KiB Lua has in use.
    pub(crate) fn memory_kib(&self) -> usize {
        // SAFETY: reads a counter.
        unsafe { ffi::lua_gc(self.state, ffi::LUA_GCCOUNT, 0).max(0) as usize }
    }

    /// Collects all garbage.
    pub(crate) fn collect(&mut self) {
        // SAFETY: there are no finalizers but mlua's own.
        unsafe { ffi::lua_gc(self.state, ffi::LUA_GCCOLLECT, 0) };
    }

    /// Goes on collecting by a step; whether that ended a cycle.
    pub(crate) fn collect_step(&mut self, kib: i32) -> bool {
        // SAFETY: as above.
        unsafe { ffi::lua_gc(self.state, ffi::LUA_GCSTEP, kib) != 0 }
    }
}
