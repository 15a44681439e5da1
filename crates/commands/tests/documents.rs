//! What is derived from the rows: the page of commands is fresh, and every row's syntax can be read and agrees with the row.

use std::path::Path;

use larder_commands::{command_table, render_markdown};
use larder_engine::syntax::{self, Argument, Kind};
use larder_engine::{Arity, Row};

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that checks files reads and writes them")]
fn docs_commands_md_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let expected = render_markdown(&command_table());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/commands.md is stale: run UPDATE=1 cargo test -p larder-commands");
}

#[test]
fn every_syntax_can_be_read() {
    for row in command_table().rows() {
        let read = syntax::parse(row.command.syntax);
        assert!(read.is_ok(), "{}: {}", row.full_name(), read.unwrap_err());
    }
}

/// A command that takes keys has an argument of that kind, and the other way round.
#[test]
fn keys_stand_in_the_syntax_and_in_the_specs() {
    fn has_key(arguments: &[Argument]) -> bool {
        arguments.iter().any(|argument| argument.kind == Kind::Key || has_key(&argument.arguments))
    }
    for row in command_table().rows() {
        let arguments = syntax::parse(row.command.syntax).unwrap();
        assert_eq!(has_key(&arguments), !row.command.keys.is_empty(), "{}", row.full_name());
    }
}

/// A fixed arity is the number of arguments, and no request shorter than a minimum fits the syntax. A minimum may be lower than
/// the syntax says: what is wrong with the arguments is then said by the handler.
#[test]
fn arity_agrees_with_the_syntax() {
    for row in command_table().rows().iter().filter(|row| row.command.subcommands.is_empty()) {
        let arguments = syntax::parse(row.command.syntax).unwrap();
        let words = words_before(row) + arguments.iter().map(least).sum::<usize>();
        let open = arguments.iter().any(|argument| argument.flags().next().is_some() || varies(argument));
        match row.command.arity {
            Arity::Exactly(count) => {
                assert!(usize::from(count) == words && !open, "{}: {words} words", row.full_name());
            }
            Arity::AtLeast(count) => {
                assert!(usize::from(count) <= words, "{}: {words} words", row.full_name());
            }
        }
    }
}

fn words_before(row: &Row) -> usize {
    1 + usize::from(row.container.is_some())
}

/// The fewest words that an argument takes.
fn least(argument: &Argument) -> usize {
    if argument.optional {
        return 0;
    }
    let inner = argument.arguments.iter().map(least);
    let words = match argument.kind {
        Kind::PureToken => return 1,
        Kind::OneOf => inner.min().unwrap_or(0),
        Kind::Block => inner.sum(),
        _ => 1,
    };
    words + usize::from(argument.token.is_some())
}

/// Whether an argument may take more words than the fewest.
fn varies(argument: &Argument) -> bool {
    let lengths: Vec<usize> = argument.arguments.iter().map(least).collect();
    let uneven = argument.kind == Kind::OneOf && lengths.iter().min() != lengths.iter().max();
    uneven || argument.arguments.iter().any(|inner| inner.flags().next().is_some() || varies(inner))
}
