//! FUNCTION LIST and STATS.

use larder_engine::glob::{self, Case};
use larder_engine::{Kill, Library, LibraryFunction, Unkillable};

use crate::prelude::*;

/// The engine of all libraries.
const ENGINE: &[u8] = b"LUA";

pub(super) fn list(cx: &mut Context<'_>) -> CommandResult {
    let mut pattern = None;
    let mut with_code = false;
    let mut words = cx.args.from(2);
    while let Some(word) = words.next() {
        if !with_code && is_word(word, "withcode") {
            with_code = true;
        } else if pattern.is_none() && is_word(word, "libraryname") {
            let missing = CommandError::line("ERR library name argument was not given");
            pattern = Some(words.next().ok_or(missing)?);
        } else {
            let word = String::from_utf8_lossy(word);
            return Err(CommandError::Line(format!("ERR Unknown argument {word}").into()));
        }
    }
    let libraries = cx.node.scripts.libraries();
    let wanted = |library: &&std::sync::Arc<Library>| {
        pattern.is_none_or(|pattern| glob::matches(pattern, &library.name, Case::Insensitive))
    };
    cx.reply.array(libraries.iter().filter(wanted).count());
    for library in libraries.iter().filter(wanted) {
        cx.reply.map(if with_code { 4 } else { 3 });
        cx.reply.bulk(b"library_name");
        cx.reply.bulk(&library.name);
        cx.reply.bulk(b"engine");
        cx.reply.bulk(ENGINE);
        cx.reply.bulk(b"functions");
        cx.reply.array(library.functions.len());
        for function in &library.functions {
            write_function(cx, function);
        }
        if with_code {
            cx.reply.bulk(b"library_code");
            cx.reply.bulk(&library.source);
        }
    }
    Ok(Outcome::Reply)
}

fn write_function(cx: &mut Context<'_>, function: &LibraryFunction) {
    cx.reply.map(3);
    cx.reply.bulk(b"name");
    cx.reply.bulk(&function.name);
    cx.reply.bulk(b"description");
    match &function.description {
        Some(description) => cx.reply.bulk(description),
        None => cx.reply.null(),
    }
    cx.reply.bulk(b"flags");
    cx.reply.set(function.flags.names().count());
    function.flags.names().for_each(|name| cx.reply.simple(name));
}

pub(super) fn stats(cx: &mut Context<'_>) -> CommandResult {
    let running = cx.node.programs.running();
    if running.as_ref().is_some_and(|running| running.ended_by == Kill::Script) {
        return Err(Unkillable::ByOther(Kill::Script).into());
    }
    cx.reply.map(2);
    cx.reply.bulk(b"running_script");
    match running {
        None => cx.reply.null(),
        Some(running) => {
            cx.reply.map(3);
            cx.reply.bulk(b"name");
            cx.reply.bulk(&running.name);
            cx.reply.bulk(b"command");
            cx.reply.array(running.request.len());
            running.request.iter().for_each(|argument| cx.reply.bulk(argument));
            cx.reply.bulk(b"duration_ms");
            let nanos = cx.node.programs.busy_nanos(cx.node.host.time().nanos).unwrap_or(0);
            cx.reply.unsigned(nanos / 1_000_000);
        }
    }
    let libraries = cx.node.scripts.libraries();
    cx.reply.bulk(b"engines");
    cx.reply.map(1);
    cx.reply.bulk(ENGINE);
    cx.reply.map(2);
    cx.reply.bulk(b"libraries_count");
    cx.reply.unsigned(libraries.iter().len() as u64);
    cx.reply.bulk(b"functions_count");
    cx.reply.unsigned(libraries.function_count() as u64);
    Ok(Outcome::Reply)
}
