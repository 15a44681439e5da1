//! What is known of one directive, and the macro that turns the table into code.

use std::fmt;

use crate::error::SettingError;
use crate::table::{DIRECTIVES, Settings};
use crate::value::Source;

/// One row of the table: a directive of the configuration file, which is also a parameter of CONFIG GET and
/// SET.
pub struct Directive {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Older names that mean the same; CONFIG GET lists them beside the name.
    pub aliases: &'static [&'static str],
    /// The heading it stands under in the documentation.
    pub group: &'static str,
    /// What its values look like.
    pub kind: Kind,
    /// Its value when nothing is said, as CONFIG GET prints it.
    pub default: &'static str,
    /// Whether CONFIG SET may change it.
    pub live: Live,
    /// Whether the node already acts on it.
    pub effect: Effect,
    /// What it does, as a sentence or two.
    pub(crate) summary: &'static str,
    pub(crate) print: fn(&Settings, &Kind) -> String,
    pub(crate) change: Change,
}

/// Changes the field of a directive by a line's words, or leaves it untouched and says why.
pub(crate) type Change = fn(&mut Settings, &Kind, &[&str], Source) -> Result<(), SettingError>;

impl Directive {
    /// What the directive does, as a sentence or two.
    pub fn summary(&self) -> &'static str {
        self.summary.trim_ascii()
    }
}

impl fmt::Debug for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directive").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether CONFIG SET may change a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Only the configuration file and the command line set it.
    Immutable,
    /// CONFIG SET changes it while the node runs.
    Live,
    /// As `Live`, for clients that `enable-protected-configs` admits.
    Protected,
}

/// Whether the node acts on a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The node acts on it.
    Works,
    /// Read, checked and reported, so that files and clients written for Redis work; it changes nothing yet.
    Kept,
    /// As `Kept`, for those who test servers: only CONFIG GET with the whole name shows it.
    Hidden,
}

/// What the values of a directive look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// A decimal integer within bounds.
    Integer {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
        /// What is counted.
        unit: Unit,
    },
    /// A number of bytes, with or without one of the units b, k, kb, m, mb, g, gb.
    Memory {
        /// The fewest bytes.
        min: u64,
        /// The most bytes.
        max: u64,
    },
    /// A number of bytes as above, or a percentage of `maxmemory`.
    MemoryOrPercent,
    /// An octal number from 0, as file modes are written.
    Octal {
        /// The greatest value.
        max: u32,
    },
    /// One of some names, in any case.
    Choice(&'static [&'static str]),
    /// Any of some names, in any case; the first of them stands for none of the others.
    Flags(&'static [&'static str]),
    /// Three integers from -2000 to 2000.
    Scores,
    /// Any text.
    Text,
    /// Several words.
    Words {
        /// The most words.
        most: usize,
        /// What is said of more.
        too_many: &'static str,
    },
    /// Percentiles from 0 to 100.
    Percentiles,
    /// Pairs of seconds and a number of changes.
    SavePoints,
    /// Four words a client class: its name, hard limit, soft limit, seconds.
    OutputBufferLimits,
    /// Letters that stand for classes of keyspace events.
    Events,
}

/// What an integer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing with a unit.
    Plain,
    /// Minutes.
    Minutes,
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Milliseconds,
    /// Millionths of a second.
    Microseconds,
}

impl Kind {
    /// Whether a line may give several words, and CONFIG SET several words in one value.
    pub(crate) fn takes_words(self) -> bool {
        matches!(
            self,
            Self::Words { .. }
                | Self::Flags(_)
                | Self::Scores
                | Self::Percentiles
                | Self::SavePoints
                | Self::OutputBufferLimits
        )
    }
}

/// The directive of a name or alias, in any case.
pub fn directive(name: &str) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|row| spellings(row).any(|spelling| spelling.eq_ignore_ascii_case(name)))
}

impl Settings {
    /// The directives that were set and on which nobody acts.
    pub fn without_effect(&self) -> impl Iterator<Item = &'static Directive> {
        DIRECTIVES.iter().filter(|row| row.effect != Effect::Works && self.value(row) != row.default)
    }
}

/// Every name CONFIG GET may be asked for, aliases too, with its directive, in the table's order.
pub fn names() -> impl Iterator<Item = (&'static str, &'static Directive)> {
    DIRECTIVES.iter().flat_map(|row| spellings(row).map(move |name| (name, row)))
}

fn spellings(row: &'static Directive) -> impl Iterator<Item = &'static str> {
    std::iter::once(row.name).chain(row.aliases.iter().copied())
}

/// Declares the settings: for each directive its documentation, then
/// `field: Type = "default", "name" | "alias", kind, Live, Effect;`, grouped under headings. A trailing
/// `, then check` names a function `fn(Type) -> Result<Type, SettingError>` that has the last word on a value
/// which its kind accepts.
macro_rules! settings {
    ($($group:literal {
        $(
            $(#[doc = $summary:literal])+
            $field:ident: $type:ty = $default:literal, $name:literal $(| $alias:literal)*,
            $kind:expr, $live:ident, $effect:ident $(, then $check:path)?;
        )+
    })+) => {
        /// All settings of one node, typed: one field a directive, in the directive's unit.
        ///
        /// The default has Redis's defaults where Redis knows the directive. A field may be set directly; text is
        /// read by [`load`](Settings::load), [`apply`](Settings::apply) and [`set_many`](Settings::set_many).
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($( $(#[doc = $summary])+ pub $field: $type, )+)+
        }

        /// Every directive, grouped as in the documentation.
        pub static DIRECTIVES: &[Directive] = &[
            $($( Directive {
                name: $name,
                aliases: &[$($alias),*],
                group: $group,
                kind: $kind,
                default: $default,
                live: Live::$live,
                effect: Effect::$effect,
                summary: concat!($($summary),+),
                print: |settings, kind| Value::print(&settings.$field, kind),
                change: |settings, kind, words, source| {
                    let value = Value::changed(&settings.$field, kind, words, source)?;
                    $( let value = $check(value)?; )?
                    settings.$field = value;
                    Ok(())
                },
            }, )+)+
        ];

        impl Default for Settings {
            fn default() -> Self {
                Self { $($( $field: initial(&$kind, $default), )+)+ }
            }
        }

        /// Each field with the name of its directive: they must agree.
        #[cfg(test)]
        pub(crate) const FIELDS: &[(&str, &str)] = &[$($( (stringify!($field), $name), )+)+];
    };
}

pub(crate) use settings;
