//! The number of a database as an argument.

use larder_store::{DbIndex, parse_integer};

use crate::prelude::*;

const OUT_OF_INT: CommandError =
    CommandError::line("ERR value is out of range, value must between -2147483648 and 2147483647");

/// The database of this number.
///
/// # Errors
/// The argument is no integer, or there is no such database.
pub(crate) fn parse(cx: &Context<'_>, argument: &[u8]) -> Result<DbIndex, CommandError> {
    let number = parse_integer(argument).ok_or(CommandError::NotAnInteger)?;
    let number = i32::try_from(number).map_err(|_| OUT_OF_INT)?;
    numbered(cx, number)
}

/// The database of this number.
///
/// # Errors
/// There is none.
pub(crate) fn numbered(cx: &Context<'_>, number: i32) -> Result<DbIndex, CommandError> {
    let index = u32::try_from(number).map_err(|_| CommandError::DbOutOfRange)?;
    if index as usize >= cx.node.keyspace.databases() {
        return Err(CommandError::DbOutOfRange);
    }
    Ok(DbIndex(index))
}
