//! Where replies are written.

use larder_resp::Output;
use larder_store::{Entry, Value};
use memcache_parser::reply::Sink;

use crate::string::shared;

/// The output as the reply functions of the protocol want it.
pub(super) struct Wire<'o>(pub(super) &'o mut Output);

impl Sink for Wire<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0.raw(bytes);
    }
}

impl Wire<'_> {
    /// The bytes of a value, and the line end behind it.
    #[inline]
    pub(super) fn value(&mut self, entry: &Entry) {
        self.bare_value(entry);
        self.put(b"\r\n");
    }

    /// The bytes of a value. A large one is sent from where it is, after the stripe is unlocked.
    #[inline]
    pub(super) fn bare_value(&mut self, entry: &Entry) {
        match entry.value() {
            Value::Inline(bytes) => self.put(bytes),
            Value::Int(number) => self.put(itoa::Buffer::new().format(number).as_bytes()),
            Value::Block(block) => self.0.push_block(shared(block)),
        }
    }
}
