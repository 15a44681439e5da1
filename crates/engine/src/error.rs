//! Every error that a command answers, with the text that clients know from Redis.

use std::borrow::Cow;
use std::fmt;

use larder_store::WrongType;

use crate::args::Args;

/// Why a command was not carried out. `Display` gives the reply line without the leading `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// A stripe was in use for longer than a moment: the request is tried again, no client ever sees this.
    Contended,
    /// No command of this name; the name and the first arguments, as they came.
    UnknownCommand(Box<str>, Box<str>),
    /// The container has no such subcommand: subcommand as it came, container's name.
    UnknownSubcommand(Box<str>, Box<str>),
    /// Too few or too many arguments for this command.
    WrongArity(Box<str>),
    /// The arguments make no sense together.
    Syntax,
    /// An argument should be an integer of 64 bits.
    NotAnInteger,
    /// An argument or value should be a number.
    NotAFloat,
    /// The key holds another type.
    WrongType,
    /// A time to live that is zero, negative or too large, given to this command.
    InvalidExpire(&'static str),
    /// A value would become longer than proto-max-bulk-len.
    StringTooLong,
    /// The key does not exist, where that is an error.
    NoSuchKey,
    /// The number of the database is too large.
    DbOutOfRange,
    /// The client must authenticate first.
    NoAuth,
    /// The directive that would allow this command does not.
    NotPermitted(Box<str>),
    /// Any other: the whole line, with its code.
    Line(Cow<'static, str>),
    /// One that a script has made up: the whole line. It may have any code, so only so many of them are counted by their codes.
    MadeUp(Box<str>),
    /// One that has been counted where it arose: a script passes on what one of its commands was told. The whole line.
    PassedOn(Box<str>),
}

impl CommandError {
    /// An error that only one command has: the whole line, with its code.
    #[must_use]
    pub const fn line(line: &'static str) -> CommandError {
        CommandError::Line(Cow::Borrowed(line))
    }

    /// What a container says when its subcommand (the second argument) does not go with the others.
    #[must_use]
    pub fn subcommand_syntax(args: Args<'_>) -> CommandError {
        let subcommand = String::from_utf8_lossy(args.find(1).unwrap_or_default());
        let container = String::from_utf8_lossy(args.at(0)).to_uppercase();
        CommandError::Line(
            format!(
                "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try {container} HELP."
            )
            .into(),
        )
    }

    /// The first word of the line, by which INFO errorstats counts.
    #[must_use]
    pub fn code(&self) -> String {
        self.to_string().split(' ').next().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Contended => f.write_str("ERR the keys are in use, try again"),
            CommandError::UnknownCommand(name, args) => {
                write!(f, "ERR unknown command '{name}', with args beginning with: {args}")
            }
            CommandError::UnknownSubcommand(name, container) => {
                write!(f, "ERR unknown subcommand '{name}'. Try {} HELP.", container.to_uppercase())
            }
            CommandError::WrongArity(name) => {
                write!(f, "ERR wrong number of arguments for '{}' command", name.to_lowercase())
            }
            CommandError::Syntax => f.write_str("ERR syntax error"),
            CommandError::NotAnInteger => f.write_str("ERR value is not an integer or out of range"),
            CommandError::NotAFloat => f.write_str("ERR value is not a valid float"),
            CommandError::WrongType => {
                f.write_str("WRONGTYPE Operation against a key holding the wrong kind of value")
            }
            CommandError::InvalidExpire(command) => {
                write!(f, "ERR invalid expire time in '{command}' command")
            }
            CommandError::StringTooLong => {
                f.write_str("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
            }
            CommandError::NoSuchKey => f.write_str("ERR no such key"),
            CommandError::DbOutOfRange => f.write_str("ERR DB index is out of range"),
            CommandError::NoAuth => f.write_str("NOAUTH Authentication required."),
            CommandError::NotPermitted(name) => write!(
                f,
                "ERR {} command not allowed. If the enable-{}-command option is set to \"local\", you can run it \
                 from a local connection, otherwise you need to set this option in the configuration file, and then \
                 restart the server.",
                name.to_uppercase(),
                name,
            ),
            CommandError::Line(line) => f.write_str(line),
            CommandError::MadeUp(line) | CommandError::PassedOn(line) => f.write_str(line),
        }
    }
}

impl std::error::Error for CommandError {}

impl From<WrongType> for CommandError {
    fn from(_: WrongType) -> CommandError {
        CommandError::WrongType
    }
}
