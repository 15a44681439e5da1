//! What tests need and no product has: nodes in process with a clock that the test moves, replies as values, command scripts,
//! real servers to compare with.
//!
//! A dev-dependency of other crates, never a dependency. It starts processes and connects to them, but a node in process opens
//! no socket and reads no clock, so that what it does depends on the test alone.

mod chance;
mod clock;
pub mod differential;
pub mod linear;
pub mod memcached;
mod node;
mod peer;
mod process;
mod redis;
pub mod script;
mod setting;
mod shrink;
mod value;

pub use chance::Chance;
pub use clock::Clock;
pub use node::{Client, MemcachedClient, Node};
pub use peer::{InProcess, Peer, PeerError, Version};
pub use redis::RedisServer;
pub use setting::number;
pub use shrink::shrink;
pub use value::{DecodeError, Value};
