//! The settings of one node: the directive table, the redis.conf reader, the command lines, CONFIG GET, SET and REWRITE.
//!
//! A directive is declared once, in `table`: the declaration is the field of [`Settings`], the row of
//! [`DIRECTIVES`], the default, the line of `docs/config.md` and that of the example `config/larder.conf`. How
//! a value is read and printed belongs to its type (`value`, `choice`, `save`, ...).
//!
//! This crate reads no file, opens no socket, keeps no shared state and knows no command: text comes in, a
//! [`Settings`] or an error with the peer's wording goes out. What only the machine can tell (whether `dir`
//! exists, whether `bind` can be bound) is checked by the caller, who reports it as [`SetError::Failed`].

mod check;
mod choice;
mod directive;
mod document;
mod error;
mod events;
mod file;
mod memcached;
mod memory;
mod names;
mod output_buffer;
mod percentiles;
mod rewrite;
mod save;
mod scores;
mod set;
mod table;
mod users;
mod value;
mod words;

pub use choice::{
    EnableFor, LogFormat, LogLevel, LogTimestampFormat, MaxmemoryPolicy, OomScoreAdj, Supervised, Use,
};
pub use directive::{Directive, Effect, Kind, Live, Unit, directive, names};
pub use document::{render_example, render_markdown};
pub use error::{ConfigError, Place, SetError, SettingError, fatal_title};
pub use events::Events;
pub use file::{Surroundings, decode};
pub use memcached::{Memcached, memcached_arguments};
pub use memory::{MemoryOrPercent, parse as parse_memory};
pub use output_buffer::{OutputBufferLimit, OutputBufferLimits};
pub use rewrite::Rewrite;
pub use save::{SavePoint, SavePoints};
pub use set::Client;
pub use table::{DIRECTIVES, Settings};

#[cfg(test)]
mod tests;
