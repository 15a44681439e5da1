//! Everything that can be wrong with a setting, in the peer's words.

use std::fmt;

/// Why a value was refused for a directive.
///
/// The text is what follows the dash in CONFIG SET's error and stands last in the report on a configuration
/// file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingError {
    /// Too few or too many words for the directive.
    WrongNumberOfArguments,
    /// Neither `yes` nor `no`.
    NotYesNo,
    /// Not a decimal integer as Redis reads one: no sign but `-`, no leading zero, no blank.
    NotInteger,
    /// Not an octal number.
    NotOctal,
    /// Not digits followed by at most one unit.
    NotMemory,
    /// Neither a memory value nor digits followed by `%`.
    NotMemoryOrPercent,
    /// More than 100 %.
    PercentTooLarge,
    /// A number outside the directive's bounds, which are kept as they are printed.
    OutOfRange {
        /// The least number accepted.
        min: String,
        /// The greatest number accepted.
        max: String,
    },
    /// None of the names the directive knows.
    NotOneOf(&'static [&'static str]),
    /// A reason of one directive's own.
    Refused(&'static str),
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongNumberOfArguments => f.write_str("wrong number of arguments"),
            Self::NotYesNo => f.write_str("argument must be 'yes' or 'no'"),
            Self::NotInteger => f.write_str("argument couldn't be parsed into an integer"),
            Self::NotOctal => f.write_str("argument couldn't be parsed as an octal number"),
            Self::NotMemory => f.write_str("argument must be a memory value"),
            Self::NotMemoryOrPercent => f.write_str("argument must be a memory or percent value"),
            Self::PercentTooLarge => f.write_str("percentage argument must be less or equal to 100"),
            Self::OutOfRange { min, max } => write!(f, "argument must be between {min} and {max} inclusive"),
            Self::NotOneOf(names) => {
                write!(f, "argument(s) must be one of the following: {}", names.join(", "))
            }
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for SettingError {}

/// Why CONFIG SET changed nothing. The text is the error reply without its `ERR` prefix; a name sent by a
/// client is repeated as it came, so whoever writes the reply has to keep line breaks out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// No directive has this name.
    Unknown(String),
    /// The directive was named, with a reason not to set it.
    Failed {
        /// The directive: as the client wrote it where it may not be set, in lower case where the value is
        /// wrong.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            Self::Failed { name, reason } => {
                write!(f, "CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
        }
    }
}

impl std::error::Error for SetError {}

/// A line of a configuration file, or an option of the command line, that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it stands.
    pub place: Place,
    /// The line without the blanks around it; of an option, the line that it stands for.
    pub text: String,
    /// What is wrong.
    pub reason: String,
}

/// The line above the report of a configuration with which nothing starts.
pub fn fatal_title() -> String {
    format!("*** FATAL CONFIG FILE ERROR (Larder {}) ***", env!("CARGO_PKG_VERSION"))
}

/// Where a line came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A configuration file.
    File {
        /// The file, as the caller named it.
        file: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// The command line.
    CommandLine {
        /// The option, counted from 1.
        option: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", fatal_title())?;
        match &self.place {
            Place::File { file, line } => {
                writeln!(f, "Reading the configuration file, at line {line} of {file}")?;
            }
            Place::CommandLine { option } => writeln!(f, "Reading the command line, at option {option}")?,
        }
        writeln!(f, ">>> '{}'", self.text)?;
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ConfigError {}
