//! The tests of `../it`, with clients served by io_uring. Where it is not to be had they are skipped, which is said once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "the siege prints its figures")]

#[path = "../it/append_log.rs"]
mod append_log;
#[path = "../it/channels.rs"]
mod channels;
#[path = "../it/client.rs"]
mod client;
#[path = "../it/client_memory.rs"]
mod client_memory;
#[path = "../it/command_line.rs"]
mod command_line;
#[path = "../it/configuration.rs"]
mod configuration;
#[path = "../it/conversations.rs"]
mod conversations;
#[path = "../it/damage.rs"]
mod damage;
#[path = "../it/delivery.rs"]
mod delivery;
#[path = "../it/hostile_input.rs"]
mod hostile_input;
#[path = "../it/lifecycle.rs"]
mod lifecycle;
#[path = "../it/limits.rs"]
mod limits;
#[path = "../it/memcached.rs"]
mod memcached;
#[path = "../it/names.rs"]
mod names;
#[path = "../it/races.rs"]
mod races;
#[path = "../it/server.rs"]
mod server;
#[path = "../it/siege.rs"]
mod siege;
#[path = "../it/snapshots.rs"]
mod snapshots;
#[path = "../it/waiting.rs"]
mod waiting;

/// What the directive io-uring is for every server here.
const IO_URING: &str = "yes";
