//! Append logs (AOF): the changes of a keyspace as the commands that make them.
//!
//! | file | |
//! |---|---|
//! | manifest | which files make the log, and in which order |
//! | base | all that was there when the log was begun anew: a snapshot or commands |
//! | increments | commands since then |
//!
//! Logs of old versions are a single file, which may begin with a snapshot too. Between commands, which are requests of RESP, stand
//! annotations: lines that begin with `#`, such as `#TS:` with the time in seconds.

pub mod check;
mod error;
mod manifest;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{Error, Fault};
pub use manifest::{BaseFormat, LogFile, Manifest, ManifestError, ManifestFault, Written};
pub use reader::{Command, Item, Opened, Reader, Unread, open};
pub use writer::{write_command, write_timestamp};
