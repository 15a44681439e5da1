//! Libraries on their way into the server, and into interpreters.

use larder_engine::{Library, LibraryFunction};
use larder_lua::library_header;

use super::interpreters::{Interpreters, Workbench};
use super::program::log;
use crate::prelude::*;

/// How long a library may take to register its functions.
const LOAD_NANOS_MAX: u64 = 500_000_000;

/// Reads a library, whose name must not be taken, and runs it, so that it is known which functions it has.
pub(super) fn read(
    cx: &mut Context<'_>,
    source: &[u8],
    is_taken: impl FnOnce(&[u8]) -> bool,
) -> Result<Library, CommandError> {
    let header = library_header(source).map_err(|fault| CommandError::Line(format!("ERR {fault}").into()))?;
    if is_taken(&header.name) {
        return Err(exists(&header.name));
    }
    let body_at = source.len() - header.body.len();
    let node = cx.share_node();
    let id = node.scripts.next_library_id();
    let workbench = cx.belongings::<Interpreters>().take(&node)?;
    let (mut workbench, result) = load(cx, workbench, id, header.body);
    let functions = workbench.functions(id).iter().map(|function| LibraryFunction {
        name: function.name.clone(),
        description: function.description.clone(),
        flags: function.flags,
    });
    let functions = functions.collect();
    // It is loaded anew where it is called first, when it is known to stay.
    workbench.retain_libraries(&node);
    cx.belongings::<Interpreters>().put_back(workbench);
    result?;
    Ok(Library { id, name: header.name, source: source.to_vec(), body_at, functions })
}

/// What is said of a library whose name is taken.
pub(super) fn exists(name: &[u8]) -> CommandError {
    CommandError::Line(format!("ERR Library '{}' already exists", String::from_utf8_lossy(name)).into())
}

/// Sees to it that an interpreter has a library.
pub(super) fn ready(
    cx: &mut Context<'_>,
    mut workbench: Workbench,
    library: &Library,
) -> Result<Workbench, CommandError> {
    if workbench.has_library(library.id) {
        return Ok(workbench);
    }
    workbench.retain_libraries(cx.node);
    let (workbench, result) = load(cx, workbench, library.id, &library.source[library.body_at..]);
    match result {
        Ok(()) => Ok(workbench),
        Err(error) => {
            cx.belongings::<Interpreters>().put_back(workbench);
            Err(error)
        }
    }
}

fn load(
    cx: &Context<'_>,
    workbench: Workbench,
    id: u64,
    body: &[u8],
) -> (Workbench, Result<(), CommandError>) {
    let (node, level) = (cx.node, cx.settings.loglevel);
    let began = node.host.time().nanos;
    workbench.load_library(
        id,
        body,
        |line_level, text| log(node, level, line_level, text),
        || node.host.time().nanos.saturating_sub(began) < LOAD_NANOS_MAX,
    )
}
