//! Formats in which data leave the process and come back: Redis's RDB, as single values (DUMP and RESTORE) and as whole files;
//! libraries of functions (FUNCTION DUMP and RESTORE); and append logs (AOF).
//!
//! Knows no client, no file and no clock: bytes in, bytes out. Everything that is read is judged: what is damaged is refused whole,
//! never a panic, never memory for what is only declared.

mod checksum;
mod functions;
pub mod log;
mod lzf;
mod payload;
mod reader;
pub mod snapshot;
mod value;
mod writer;
mod ziplist;

pub use functions::{FunctionsDamaged, dump_functions, restore_functions};
pub use payload::{Damaged, VERSION_READ_MAX, dump, restore, sealed, serialized_len};
pub use value::{Limits, View};
pub use writer::Compression;
