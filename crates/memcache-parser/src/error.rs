//! What a client is told when a request cannot be carried out.

use crate::key::Key;

/// A request that was refused: what to say, and where the next request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error<'a> {
    /// The line to send; none if the request asked for no reply, or if the connection is closed without a word.
    pub reply: Option<ErrorReply>,
    /// How many bytes of the input are used up.
    pub end: usize,
    /// How many bytes after `end` belong to the refused request and must be thrown away. They need not have
    /// arrived yet, and need not be kept when they do.
    pub swallow: u64,
    /// Whether the connection must be closed once the reply is out.
    pub close: bool,
    /// A key to delete: its new value was too large, and to go on serving the old one would be wrong.
    pub unlink: Option<Key<'a>>,
}

macro_rules! error_replies {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The error lines of the protocol, word for word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorReply {
            $($(#[$doc])* $name,)*
        }

        impl ErrorReply {
            /// The line with its line end.
            pub const fn line(self) -> &'static [u8] {
                match self {
                    $(Self::$name => concat!($text, "\r\n").as_bytes(),)*
                }
            }
        }
    };
}

error_replies! {
    /// No such command, or a text command with too few or too many arguments.
    UnknownCommand = "ERROR",
    /// A number that is none, or a key that is too long.
    BadCommandLine = "CLIENT_ERROR bad command line format",
    /// An argument of `delete` other than `0` and `noreply`.
    DeleteUsage = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]",
    /// An expiry time that is no number, outside the storage commands.
    InvalidExptime = "CLIENT_ERROR invalid exptime argument",
    /// What `incr` or `decr` shall add or subtract is no number.
    InvalidDelta = "CLIENT_ERROR invalid numeric delta argument",
    /// The value is not followed by a line end.
    BadDataChunk = "CLIENT_ERROR bad data chunk",
    /// The value is larger than an item may be.
    ObjectTooLarge = "SERVER_ERROR object too large for cache",
    /// The keys of a `get` line need more memory than a line may take.
    OutOfMemoryReading = "SERVER_ERROR out of memory reading request",
    /// A meta flag given twice.
    DuplicateFlag = "CLIENT_ERROR duplicate flag",
    /// A letter that is no meta flag.
    InvalidFlag = "CLIENT_ERROR invalid flag",
    /// `ma` says this for whatever is wrong with its flags.
    InvalidOrDuplicateFlag = "CLIENT_ERROR invalid or duplicate flag",
    /// A meta flag whose number is none.
    BadToken = "CLIENT_ERROR bad token in command line format",
    /// A key that is not base64 where it must be.
    KeyDecoding = "CLIENT_ERROR error decoding key",
    /// More meta flags than a request may have.
    TooManyFlags = "CLIENT_ERROR options flags are too long",
    /// An opaque token of more than 31 bytes.
    OpaqueTooLong = "CLIENT_ERROR opaque token too long",
    /// A mode that `ms` does not have.
    InvalidSetMode = "CLIENT_ERROR invalid mode for ms M token",
    /// A mode that `ma` does not have.
    InvalidArithmeticMode = "CLIENT_ERROR invalid mode for ma M token",
    /// The initial value of a counter is no number.
    InvalidInitialValue = "CLIENT_ERROR invalid numeric initial value",
    /// The delta of a meta request is no number.
    InvalidDeltaValue = "CLIENT_ERROR invalid numeric delta value",
    /// Said by the store: the value is no counter.
    NonNumericValue = "CLIENT_ERROR cannot increment or decrement non-numeric value",
    /// Said by the store: no memory for the value.
    OutOfMemoryStoring = "SERVER_ERROR out of memory storing object",
    /// Said by the store: no memory.
    OutOfMemory = "SERVER_ERROR out of memory",
    /// Said by the server: `flush_all` is switched off.
    FlushAllNotAllowed = "CLIENT_ERROR flush_all not allowed",
}
