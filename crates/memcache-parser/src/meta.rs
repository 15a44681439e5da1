//! The meta protocol: commands of two letters, and flags of one.

mod flags;
mod request;

pub use flags::{Flag, MetaFlags};
pub use request::{MetaArithmetic, MetaRequest, MetaSet};
pub(crate) use request::{arithmetic, debug, delete, get, set};
