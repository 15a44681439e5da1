//! What can be wrong with a log, in the words of the peers.

use std::fmt::{Display, Formatter};
use std::io;

/// Why reading a log ended.
#[derive(Debug)]
pub struct Error {
    /// Where what is wrong begins.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a log.
#[derive(Debug)]
pub enum Fault {
    /// Reading failed.
    Io(io::Error),
    /// The log breaks off where a command goes on.
    End,
    /// The log breaks off in an argument.
    Short {
        /// So many bytes had to come, the end of the line counted.
        expected: u64,
        /// So many came.
        found: u64,
    },
    /// The log ends in a transaction.
    OpenTransaction,
    /// Neither a command nor an annotation begins there.
    NoCommand,
    /// A command has no arguments.
    NoArguments,
    /// A line begins with another byte than it has to.
    Prefix {
        /// What it has to begin with.
        expected: u8,
        /// What it begins with.
        found: u8,
    },
    /// A line does not end where it has to.
    LineEnd([u8; 2]),
    /// The log breaks off in a line.
    BrokenLine([u8; 2]),
    /// An argument cannot be so long.
    Length(i64),
    /// A transaction begins in another.
    NestedMulti,
    /// A transaction ends that did not begin.
    ExecWithoutMulti,
    /// An annotation does not end, or says no time where it should.
    Annotation,
}

impl Fault {
    /// Whether the log only breaks off: then it may be cut where it is intact (directive `aof-load-truncated`).
    #[must_use]
    pub fn is_unexpected_end(&self) -> bool {
        matches!(self, Fault::End | Fault::BrokenLine(_) | Fault::Short { .. } | Fault::OpenTransaction)
    }
}

impl Error {
    /// What the peers log of a file with this name.
    #[must_use]
    pub fn message(&self, file: &str) -> String {
        match &self.fault {
            Fault::Io(error) => format!("Unrecoverable error reading the append only file {file}: {error}"),
            fault if fault.is_unexpected_end() => format!(
                "Unexpected end of file reading the append only file {file}. You can: 1) Make a backup of your AOF file, then use \
                 ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' \
                 configuration option to yes and restart the server."
            ),
            _ => format!(
                "Bad file format reading the append only file {file}: make a backup of your AOF file, then use \
                 ./redis-check-aof --fix <filename.manifest>"
            ),
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at offset {})", self.fault, self.offset)
    }
}

/// As redis-check-aof says it, where it does.
impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Io(error) => write!(f, "{error}"),
            Fault::End => f.write_str("Unexpected end of file"),
            Fault::Short { expected, found } => {
                write!(f, "Expected to read {expected} bytes, got {found} bytes")
            }
            Fault::OpenTransaction => f.write_str("Reached EOF before reading EXEC for MULTI"),
            Fault::NoCommand => f.write_str("Expected a command"),
            Fault::NoArguments => f.write_str("Expected arguments"),
            Fault::Prefix { expected, found } => {
                write!(f, "Expected prefix '{}', got: '{}'", char::from(*expected), char::from(*found))
            }
            Fault::LineEnd([one, other]) | Fault::BrokenLine([one, other]) => {
                write!(f, "Expected \\r\\n, got: {one:02x}{other:02x}")
            }
            Fault::Length(len) => {
                write!(f, "Expected to read string of {len} bytes, which is not in the suitable range")
            }
            Fault::NestedMulti => f.write_str("Unexpected MULTI in AOF"),
            Fault::ExecWithoutMulti => f.write_str("Unexpected EXEC in AOF"),
            Fault::Annotation => f.write_str("Invalid timestamp annotation"),
        }
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
