//! All commands of a node, found by name.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::command::Command;

/// Longest name of a command or subcommand; longer words need not be looked up.
const NAME_MAX: usize = 32;

/// The rows of all families and an index over their names.
pub struct CommandTable {
    rows: Vec<Row>,
    by_name: HashMap<Box<[u8]>, u32, FixedState>,
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
        let mut lower = [0; NAME_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let row = &self.rows[*self.by_name.get(&*lower)? as usize];
        if row.container.is_none() { Some(row) } else { None }
    }

    /// The command of a name, or the subcommand of a name such as `config|get`.
    #[must_use]
    pub fn find_full(&self, name: &[u8]) -> Option<&Row> {
        self.by_name.get(name.to_ascii_lowercase().as_slice()).map(|index| &self.rows[*index as usize])
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
        assert!(name.len() <= NAME_MAX && name == name.to_lowercase(), "{name} is not a proper name");
        let before = self.by_name.insert(name.clone().into_bytes().into_boxed_slice(), index);
        assert!(before.is_none(), "two rows are named {name}");
        self.rows.push(row);
    }
}
