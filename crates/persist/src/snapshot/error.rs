//! What can be wrong with a file, in the words of the peers' logs.

use std::fmt::{Display, Formatter};
use std::io;

/// Why reading a file ended.
#[derive(Debug)]
pub struct Error {
    /// How many bytes had been read.
    pub offset: u64,
    /// What was found there.
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum Fault {
    /// Reading failed.
    Io(io::Error),
    /// The file breaks off.
    UnexpectedEnd,
    /// It is no snapshot.
    Signature,
    /// It is of a version that is not known.
    Version(u32),
    /// Its checksum is another.
    Checksum {
        /// That of its bytes.
        expected: u64,
        /// That at its end.
        found: u64,
    },
    /// Something begins with a byte that means nothing there.
    UnknownType(u8),
    /// A length begins with a byte that means nothing.
    UnknownLength(u8),
    /// In the place of a length stands a string in a form that is not known, or any.
    UnknownString(u8),
    /// A library in the format of a preview.
    PreviewFunction,
    /// A value of a module in the format of a preview.
    PreviewModule,
    /// Data of a module are not as such are.
    Module(String),
    /// Something else.
    Damaged(&'static str),
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Io(error) => write!(f, "{error}"),
            Fault::UnexpectedEnd => f.write_str("Unexpected EOF reading RDB file"),
            Fault::Signature => f.write_str("Wrong signature trying to load DB from file"),
            Fault::Version(version) => write!(f, "Can't handle RDB format version {version}"),
            Fault::Checksum { expected, found } => {
                write!(f, "RDB CRC error: expected ({expected:x}) but got ({found:x})")
            }
            Fault::UnknownType(number) => write!(f, "Unknown RDB encoding type {number}"),
            Fault::UnknownLength(first) => {
                write!(f, "Unknown length encoding {} in rdbLoadLen()", first >> 6)
            }
            Fault::UnknownString(kind) => write!(f, "Unknown RDB string encoding type {kind}"),
            Fault::PreviewFunction => f.write_str("Pre-release function format not supported."),
            Fault::PreviewModule => f.write_str("Pre-release module format not supported"),
            Fault::Module(name) => write!(f, "Error reading the value of module '{name}'"),
            Fault::Damaged(what) => f.write_str(what),
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at offset {})", self.fault, self.offset)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Io(error) => Some(error),
            _ => None,
        }
    }
}
