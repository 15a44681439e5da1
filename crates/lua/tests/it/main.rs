//! Scripts from outside: what they can do, what they cannot, and what their callers are told.

mod driver;
mod environment;
mod hostile;
mod properties;
