//! Every command: its row beside its handler. A folder a family, a file a group of verbs.

mod absent;
mod bitmap;
mod condition;
mod connection;
mod database;
mod document;
mod element;
mod expiry;
mod generic;
mod geo;
mod hash;
mod help;
mod hyperloglog;
mod lifetime;
mod list;
mod logged;
mod members;
pub mod memcache;
mod parts;
mod prelude;
mod pubsub;
mod scripting;
mod server;
mod set;
mod sorted_set;
mod stream;
mod string;
mod timeout;
mod transaction;

pub use absent::is_absent;
pub use document::render_markdown;
pub use generic::value_limits;
use larder_engine::CommandTable;
pub use server::COMPATIBLE_VERSION;

/// The table of all commands.
///
/// # Panics
/// Two rows have the same name, which the tests of this crate exclude.
#[must_use]
pub fn command_table() -> CommandTable {
    let families = [
        bitmap::COMMANDS,
        connection::COMMANDS,
        generic::COMMANDS,
        geo::COMMANDS,
        hash::COMMANDS,
        hyperloglog::COMMANDS,
        list::COMMANDS,
        scripting::COMMANDS,
        pubsub::COMMANDS,
        server::COMMANDS,
        set::COMMANDS,
        sorted_set::COMMANDS,
        stream::COMMANDS,
        string::COMMANDS,
        transaction::COMMANDS,
    ];
    CommandTable::new(&families.concat())
}
