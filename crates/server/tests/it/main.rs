//! The binary from outside: a process started with a command line, spoken to over its sockets, and ended by signals.
//!
//! What clients may notice is done twice: here with clients served by epoll, and in `../it_uring` by io_uring. Once only: the log,
//! the addresses, HTTP, and the process as its keepers see it.
//!
//! Every test starts servers of its own, on ports that were free a moment ago and in a temporary directory. None of them measures
//! time; where a state is awaited there is a generous limit after which the test fails.
//!
//! The [siege] is the hostile run. It takes half a minute, wants an optimised build (`LARDER` names the binary to be tested in the
//! place of cargo's), and prints figures:
//! `cargo build --profile fast && LARDER=$PWD/target/fast/larder cargo test -p larder --test it -- --ignored --nocapture --test-threads 1`

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "the siege prints its figures")]

mod addresses;
mod append_log;
mod channels;
mod checks;
mod client;
mod client_memory;
mod command_line;
mod configuration;
mod conversations;
mod damage;
mod delivery;
mod eviction;
mod fragmentation;
mod hostile_input;
mod http;
mod huge_pages;
mod lifecycle;
mod limits;
mod log;
mod memcached;
mod memory_usage;
mod names;
mod process;
mod races;
mod server;
mod siege;
mod snapshots;
mod waiting;

/// What the directive io-uring is for every server here.
const IO_URING: &str = "no";
