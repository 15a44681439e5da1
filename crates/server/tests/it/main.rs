//! The binary from outside: a process started with a command line, spoken to over its sockets, and ended by signals.
//!
//! Every test starts servers of its own, on ports that were free a moment ago and in a temporary directory. None of them measures
//! time; where a state is awaited there is a generous limit after which the test fails.
//!
//! The [siege] is the hostile run. It takes a minute or two, wants an optimised build, and prints figures:
//! `cargo test --profile fast -p larder --test it -- --ignored --nocapture --test-threads 1`

mod client;
mod command_line;
mod damage;
mod hostile_input;
mod lifecycle;
mod limits;
mod races;
mod server;
mod siege;
