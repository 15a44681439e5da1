//! All commands of a node, found by name.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use foldhash::fast::FixedState;

use crate::args::Args;
use crate::command::Command;
use crate::command_log::REDACTED;

/// Longest name of a command, a subcommand's container included; longer words need not be looked up.
const NAME_MAX: usize = 32;

/// A name in lower case, filled up with zeros: of one length, so that hashing and comparing it needs no loop.
#[derive(PartialEq, Eq)]
struct Name([u8; NAME_MAX]);

/// The rows of all families and an index over their names.
pub struct CommandTable {
    rows: Vec<Row>,
    by_name: HashMap<Name, u32, FixedState>,
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
        let mut table = CommandTable { rows: Vec::new(), by_name: HashMap::default() };
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

    /// The commands, without subcommands.
    pub fn commands(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.container.is_none())
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
        self.by_name.get(&Name::of(name)?).map(|index| &self.rows[*index as usize])
    }

    /// The subcommand of a container; case does not matter.
    #[must_use]
    pub fn find_subcommand(&self, container: &Row, name: &[u8]) -> Option<&Row> {
        let first = container.index as usize + 1;
        let subcommands = &self.rows[first..first + container.command.subcommands.len()];
        subcommands.iter().find(|row| row.command.is_named(name))
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
