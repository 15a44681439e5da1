//! Redis's Lua: the environment of EVAL and of functions, in which scripts can be suspended anywhere.
//!
//! An [`Interpreter`] belongs to one thread, and runs one script at a time on a stack of its own ([`Run`]). Whatever a script wants
//! from outside - a command executed, a line written to the log, simply to go on after a while - is a [`Step`] that
//! [`Run::resume`] returns, with the script suspended where it is: in a coroutine, in a comparison of `table.sort`, under any
//! number of `pcall`. Its caller goes on when it likes, or ends it.
//!
//! This crate knows no keyspace, no client, no socket and no clock. The coroutine has nothing of the caller's: all passes through
//! buffers that both hold, one at a time.
//!
//! `docs/scripting.md` says what scripts find, and against what the sandbox holds.

mod api;
mod arguments;
mod base;
mod bits;
mod coroutines;
mod decimal;
mod digest;
mod flags;
mod interpreter;
mod json;
mod library;
mod messagepack;
mod native;
mod pattern;
mod port;
mod raise;
mod random;
mod reply;
mod run;
mod sandbox;
mod shebang;
mod strings;
mod structure;
mod tables;

pub use arguments::Arguments;
pub use digest::ScriptDigest;
pub use flags::ScriptFlags;
pub use interpreter::{Answer, Ending, Interpreter, Run, Settings, Start, Step};
pub use json::{JsonScanner, JsonToken, JsonTokenKind};
pub use library::Registration;
pub use messagepack::{MessagePackFault, MessagePackItem, message_pack_item};
pub use port::{LogLevel, Permission, Propagation};
pub use shebang::{LibraryHeader, ScriptHeader, library_header, script_header};
