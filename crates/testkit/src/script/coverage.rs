//! Whether every command has a script.

use std::collections::BTreeMap;
use std::path::Path;

use larder_engine::{CommandTable, Row};

use super::parse::{Script, ScriptError};
use super::suite::{read, scripts_in};

/// What is wrong with a folder of scripts: rows whose script is missing or does not call them, scripts of no command, and
/// exceptions (full name, reason) that are none.
///
/// A row's script is named after its command; subcommands share their container's.
///
/// # Errors
/// The folder cannot be read.
pub fn check_coverage(
    folder: &Path,
    table: &CommandTable,
    exceptions: &[(&str, &str)],
) -> Result<Vec<String>, ScriptError> {
    let mut scripts = BTreeMap::new();
    let mut problems = Vec::new();
    for path in scripts_in(folder)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if table.find(name.as_bytes()).is_none() {
            problems.push(format!("{}: there is no command of this name", path.display()));
        }
        match read(&path).map(|script| scripts.insert(name, script)) {
            Ok(None) => {}
            Ok(Some(other)) => {
                let (path, other) = (path.display(), other.path.display());
                problems.push(format!("{path}: the command has a script already: {other}"));
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    for row in table.rows().iter().filter(|row| row.command.subcommands.is_empty()) {
        let name = row.full_name();
        let script = scripts.get(row.container.unwrap_or(row.command).name);
        let excepted = exceptions.iter().any(|(exception, _)| *exception == name);
        match (script.is_some_and(|script| calls(script, table, row)), excepted) {
            (false, false) => problems.push(format!("{name}: no script calls it")),
            (true, true) => problems.push(format!("{name}: has a script, so it is no exception any more")),
            _ => {}
        }
    }
    let unknown = exceptions.iter().filter(|(name, _)| table.find_full(name.as_bytes()).is_none());
    problems.extend(unknown.map(|(name, _)| format!("{name}: an exception for no command")));
    Ok(problems)
}

fn calls(script: &Script, table: &CommandTable, row: &Row) -> bool {
    script.requests().any(|request| {
        let word = |index: usize| request.words.get(index).map(Vec::as_slice).unwrap_or_default();
        let command = table.find(word(0));
        let called = match row.container {
            Some(_) => command.and_then(|command| table.find_subcommand(command, word(1))),
            None => command,
        };
        called.is_some_and(|called| called.index == row.index)
    })
}
