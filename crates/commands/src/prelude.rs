//! What nearly every handler needs.

pub(crate) use larder_engine::{
    Access, Args, ArgsFrom, Arity, Command, CommandError, CommandResult, Context, FindKeys, Flags, Group,
    KeySpec, Locked, Logged, Outcome, Scope, is_word,
};
pub(crate) use larder_store::{Attributes, Event, Key, NewValue, UnixMillis, Value};
