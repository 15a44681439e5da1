//! FUNCTION DUMP and RESTORE: libraries as bytes.

use larder_engine::Libraries;
use larder_persist::{FunctionsDamaged, dump_functions, restore_functions};

use super::function::function_exists;
use super::library;
use crate::generic::compression;
use crate::prelude::*;

pub(super) fn dump(cx: &mut Context<'_>) -> CommandResult {
    let libraries = cx.node.scripts.libraries();
    let sources = libraries.iter().map(|library| library.source.as_slice());
    cx.reply.bulk(&dump_functions(sources, compression(cx.settings)));
    Ok(Outcome::Reply)
}

/// What becomes of the libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// They stay, and none may be in the way.
    Append,
    /// They stay, but for those of the same names.
    Replace,
    /// They go.
    Flush,
}

impl Policy {
    fn parse(word: Option<&[u8]>) -> Result<Policy, CommandError> {
        let Some(word) = word else { return Ok(Policy::Append) };
        let words = [("append", Policy::Append), ("replace", Policy::Replace), ("flush", Policy::Flush)];
        let policy = words.into_iter().find(|(name, _)| is_word(word, name)).map(|(_, policy)| policy);
        policy.ok_or(CommandError::line(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
        ))
    }
}

pub(super) fn restore(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 4 {
        return Err(CommandError::subcommand_syntax(cx.args));
    }
    let policy = Policy::parse(cx.args.find(3))?;
    let sources = restore_functions(cx.args.at(2)).map_err(|damaged| {
        CommandError::line(match damaged {
            FunctionsDamaged::Footer => "ERR DUMP payload version or checksum are wrong",
            FunctionsDamaged::Preview => "ERR Pre-GA function format not supported",
            FunctionsDamaged::NotAFunction => "ERR given type is not a function",
            FunctionsDamaged::Content => "ERR failed loading the given functions payload",
        })
    })?;
    let mut restored = Libraries::default();
    for source in &sources {
        let library = library::read(cx, source, |name| restored.library(name).is_some())?;
        restored.insert(library).map_err(|function| function_exists(&function))?;
    }
    let added: Vec<_> = restored.iter().cloned().collect();
    cx.node.scripts.change_libraries(|present| {
        let mut libraries = if policy == Policy::Flush { Libraries::default() } else { present.clone() };
        for library in &added {
            if libraries.library(&library.name).is_some() {
                if policy == Policy::Append {
                    let name = String::from_utf8_lossy(&library.name);
                    return Err(CommandError::Line(format!("ERR Library {name} already exists").into()));
                }
                libraries.remove(&library.name);
            }
        }
        for library in added {
            libraries.insert_shared(library).map_err(|function| function_exists(&function))?;
        }
        Ok(libraries)
    })?;
    cx.log_request();
    cx.reply.ok();
    Ok(Outcome::Reply)
}
