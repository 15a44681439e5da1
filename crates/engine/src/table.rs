//! All commands of a node, found by name.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use foldhash::fast::FixedState;

use crate::args::Args;
use crate::command::Command;
use crate::command_log::REDACTED;

/// Longest name that a command has of itself, a subcommand's container included; longer words are looked up among those given.
const NAME_MAX: usize = 32;

/// A name in lower case, filled up with zeros: of one length, so that hashing and comparing it needs no loop.
#[derive(PartialEq, Eq)]
struct Name([u8; NAME_MAX]);

/// The rows of all families and an index over their names.
pub struct CommandTable {
    rows: Vec<Row>,
    by_name: HashMap<Name, u32, FixedState>,
    /// Names that were given to commands and are longer than theirs are.
    long_names: Vec<(Box<[u8]>, u32)>,
    /// Commands that no name leads to any more.
    disabled: Vec<u32>,
}

/// Why a command cannot have another name, in the peer's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameError {
    /// There is no command of the old name.
    NoSuchCommand,
    /// There is a command of the new name.
    NameTaken,
}

impl fmt::Display for RenameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchCommand => "No such command in rename-command",
            Self::NameTaken => "Target command name already exists",
        })
    }
}

/// A row with its number; subcommands are rows of their own.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The row.
    pub command: &'static Command,
    /// For a subcommand: its container.
    pub container: Option<&'static Command>,
    /// Index in [`CommandTable::rows`], by which statistics are kept.
    pub index: u32,
}

impl Row {
    /// Whether the command's name alone leads to it: it is no container and no subcommand.
    #[inline]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.container.is_none() && self.command.subcommands.is_empty()
    }

    /// An argument as logs may show it.
    #[must_use]
    pub fn shown<'a>(&self, args: Args<'a>, index: usize) -> &'a [u8] {
        if (self.command.is_secret)(args, index) { REDACTED } else { args.at(index) }
    }

    /// The name under which it is counted and shown: `config|get`.
    #[must_use]
    pub fn full_name(&self) -> String {
        match self.container {
            Some(container) => format!("{}|{}", container.name, self.command.name),
            None => self.command.name.to_owned(),
        }
    }
}

impl CommandTable {
    /// The table of these families.
    ///
    /// # Panics
    /// Two rows have the same name.
    #[must_use]
    pub fn new(families: &[&'static [Command]]) -> CommandTable {
        let mut table = CommandTable {
            rows: Vec::new(),
            by_name: HashMap::default(),
            long_names: Vec::new(),
            disabled: Vec::new(),
        };
        for command in families.iter().flat_map(|family| family.iter()) {
            table.add(command, None);
            for subcommand in command.subcommands {
                table.add(subcommand, Some(command));
            }
        }
        table
    }

    /// All rows: each container is followed by its subcommands.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows of commands and subcommands that can be called.
    pub fn callable(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| {
            let command = row.container.unwrap_or(row.command);
            !self.disabled.iter().any(|index| std::ptr::eq(self.rows[*index as usize].command, command))
        })
    }

    /// The commands that can be called, without subcommands.
    pub fn commands(&self) -> impl Iterator<Item = &Row> {
        self.callable().filter(|row| row.container.is_none())
    }

    /// The command of a name; case does not matter.
    #[inline]
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&Row> {
        self.find_full(name).filter(|row| row.container.is_none())
    }

    /// The command of a name, or the subcommand of a name such as `config|get`.
    #[inline]
    #[must_use]
    pub fn find_full(&self, name: &[u8]) -> Option<&Row> {
        let index = match Name::of(name) {
            Some(name) => self.by_name.get(&name),
            None => self.find_long(name),
        };
        index.map(|index| &self.rows[*index as usize])
    }

    #[cold]
    fn find_long(&self, name: &[u8]) -> Option<&u32> {
        self.long_names.iter().find(|(long, _)| long.eq_ignore_ascii_case(name)).map(|(_, index)| index)
    }

    /// The subcommand of a container; case does not matter.
    #[must_use]
    pub fn find_subcommand(&self, container: &Row, name: &[u8]) -> Option<&Row> {
        let first = container.index as usize + 1;
        let subcommands = &self.rows[first..first + container.command.subcommands.len()];
        subcommands.iter().find(|row| row.command.is_named(name))
    }

    /// Has clients find a command under another name instead of its own, or under none when that is empty.
    ///
    /// Replies and statistics keep the name of its row.
    ///
    /// # Errors
    /// There is no such command, or the name cannot be given to it.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), RenameError> {
        let row = *self.find(from).ok_or(RenameError::NoSuchCommand)?;
        if !to.is_empty() && self.find_full(to).is_some_and(|other| other.index != row.index) {
            return Err(RenameError::NameTaken);
        }
        let own = row.index..=row.index + row.command.subcommands.len() as u32;
        self.by_name.retain(|_, index| !own.contains(index));
        self.long_names.retain(|(_, index)| !own.contains(index));
        if to.is_empty() {
            self.disabled.push(row.index);
            return Ok(());
        }
        self.call(to, row.index);
        for (index, subcommand) in own.skip(1).zip(row.command.subcommands) {
            self.call(&[to, b"|", subcommand.name.as_bytes()].concat(), index);
        }
        Ok(())
    }

    fn call(&mut self, name: &[u8], index: u32) {
        match Name::of(name) {
            Some(name) => drop(self.by_name.insert(name, index)),
            None => self.long_names.push((name.into(), index)),
        }
    }

    fn add(&mut self, command: &'static Command, container: Option<&'static Command>) {
        let index = u32::try_from(self.rows.len()).expect("there are a few hundred commands");
        let row = Row { command, container, index };
        let name = row.full_name();
        assert!(name == name.to_lowercase(), "{name} is not in lower case");
        let key = Name::of(name.as_bytes()).expect("names are short");
        let before = self.by_name.insert(key, index);
        assert!(before.is_none(), "two rows are named {name}");
        self.rows.push(row);
    }
}

impl Name {
    /// A word as names are kept; nothing when it is too long to be one, or ends in a zero byte, which a name has only as filling.
    #[inline]
    fn of(word: &[u8]) -> Option<Name> {
        let mut name = [0; NAME_MAX];
        name.get_mut(..word.len())?.copy_from_slice(word);
        name.make_ascii_lowercase();
        (word.last() != Some(&0)).then_some(Name(name))
    }
}

impl Hash for Name {
    /// Sixteen bytes tell nearly all names apart.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let halves = self.0.as_chunks::<8>().0;
        state.write_u64(u64::from_le_bytes(halves[0]) ^ u64::from_le_bytes(halves[1]).rotate_left(29));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: &[Command] = &[
        Command { name: "get", ..Command::PLAIN },
        Command { name: "set", ..Command::PLAIN },
        Command {
            name: "config",
            subcommands: &[Command { name: "get", ..Command::PLAIN }],
            ..Command::PLAIN
        },
    ];

    fn found(table: &CommandTable, name: &str) -> Option<&'static str> {
        table.find(name.as_bytes()).map(|row| row.command.name)
    }

    #[test]
    fn a_renamed_command_has_its_new_name_only() {
        let mut table = CommandTable::new(&[FAMILY]);
        table.rename(b"GET", b"Fetch").unwrap();
        assert_eq!((found(&table, "get"), found(&table, "FETCH")), (None, Some("get")));
        table.rename(b"set", b"get").unwrap();
        table.rename(b"fetch", b"FETCH").unwrap();
        assert_eq!((found(&table, "get"), found(&table, "fetch")), (Some("set"), Some("get")));
        table.rename(b"fetch", b"").unwrap();
        assert_eq!((found(&table, "fetch"), found(&table, "")), (None, None));
        table.rename(b"config", b"setup").unwrap();
        assert!(table.find_full(b"config|get").is_none());
        assert_eq!(table.find_full(b"SETUP|GET").unwrap().full_name(), "config|get");
        let names = |table: &CommandTable| table.callable().map(Row::full_name).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&table), "set config config|get");
        table.rename(b"setup", b"").unwrap();
        assert_eq!(names(&table), "set");
    }

    #[test]
    fn a_name_may_be_long() {
        let mut table = CommandTable::new(&[FAMILY]);
        let long = "b840fc02d524045429941cc15f59e41cb7be6c52";
        table.rename(b"config", long.as_bytes()).unwrap();
        assert_eq!(found(&table, &long.to_uppercase()), Some("config"));
        assert_eq!(table.find_full(format!("{long}|get").as_bytes()).unwrap().full_name(), "config|get");
        assert_eq!(table.rename(b"get", long.as_bytes()), Err(RenameError::NameTaken));
        table.rename(long.as_bytes(), b"config").unwrap();
        assert_eq!((found(&table, long), found(&table, "config")), (None, Some("config")));
    }

    #[test]
    fn names_that_cannot_be_given_change_nothing() {
        let mut table = CommandTable::new(&[FAMILY]);
        assert_eq!(table.rename(b"nosuch", b"x"), Err(RenameError::NoSuchCommand));
        assert_eq!(table.rename(b"config|get", b"x"), Err(RenameError::NoSuchCommand));
        assert_eq!(table.rename(b"get", b"SET"), Err(RenameError::NameTaken));
        assert_eq!((found(&table, "get"), found(&table, "set")), (Some("get"), Some("set")));
    }
}
