//! The memcached protocol over the keyspace that RESP clients use: database 0.
//!
//! Its requests are no rows of the command table: they have a grammar of their own (`memcache_parser`), answers of their own, and
//! one key each, so they need neither key specs nor arguments. What they share with RESP commands is everything below: stripes,
//! locks, entries, expiry. An item is a string entry with attributes that RESP does not show. docs/memcached.md says what each
//! protocol makes of what the other has written.

mod aging;
mod arithmetic;
mod authentication;
mod batch;
mod binary;
mod configuration;
mod connection;
mod delete;
mod dump;
mod get;
mod item;
mod meta_get;
mod meta_write;
mod server;
mod statistics;
mod store;
mod turn;
mod watch;
mod wire;

pub use authentication::{parse_users, wants_password};
pub use connection::Connection;
pub use server::VERSION;
pub use watch::left;
