//! The keyspace: keys, values and their expiry in numbered databases, cut into stripes that are locked one by one.
//!
//! This crate knows no client, no protocol, no socket and no clock: time comes in with every lock. `unsafe` is confined to
//! [`mod@table`], `entry` and `slab`.

#![deny(clippy::undocumented_unsafe_blocks)]

mod access;
mod buffer;
mod change;
mod defrag;
mod element;
mod entry;
mod evict;
mod expire;
pub mod hash;
pub mod hashtable;
mod held;
mod held_back;
pub mod intset;
mod keyspace;
mod large;
pub mod list;
pub mod listpack;
mod order;
mod position;
mod queues;
mod records;
pub mod set;
mod size_class;
mod slab;
mod snapshot;
pub mod stream;
mod stripe;
mod sync;
pub mod table;
mod texts;
mod time;
pub mod tree;
mod wheel;
pub mod zset;

pub use access::{Access, AccessPolicy, LFU_INITIAL, idle_for, idle_seconds};
pub use buffer::Buffer;
pub use change::{Change, Effect, Event, EventClass, SideState};
pub use defrag::{DefragPlace, Moves};
pub use element::{Digits, Element};
pub use entry::{
    Attributes, BLOCK_MIN_BYTES, Block, Content, EMBSTR_MAX_BYTES, Encoding, Entry, NewValue, Packed,
    Packing, Type, Value, decimal_len, parse_integer,
};
pub use evict::{Among, Evicted, EvictionRule, Evictor, First};
pub use expire::ExpireProgress;
pub use held::HeldStripe;
pub use held_back::add_held_back;
pub use keyspace::{Flushed, Garbage, Keyspace, RandomKey};
pub use large::{Large, PackedLimits, empty};
pub use position::{Key, POSITION_BITS, Position, Positioner, STRIPE_BITS, STRIPES};
pub use size_class::size_class;
pub use slab::{Emptying, begin_emptying, discard_free_spans, end_emptying, slab_unused_bytes};
pub use snapshot::{Met, WalkPlace};
pub use stripe::{Due, Expiries, Missing, Moment, Stripe, StripeGuard, Touch, WrongType};
pub use texts::{Store, Text};
pub use time::UnixMillis;

/// The number of a database, as SELECT takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbIndex(pub u32);

impl DbIndex {
    /// The number as an index.
    #[inline]
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}
