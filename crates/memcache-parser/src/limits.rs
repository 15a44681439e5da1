//! How much a client may send.

/// How much a client may send before it gets an error.
///
/// The defaults are those of a memcached started without options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest key in bytes, as it is written in the request: for a base64 key the encoded form counts.
    /// One that stands for more than 189 bytes is refused whatever stands here.
    pub key_bytes: usize,
    /// The largest item in bytes, bookkeeping included: `memcached -I`.
    pub item_bytes: usize,
    /// The longest request line in bytes, without its line end. A longer one closes the connection.
    pub line_bytes: usize,
    /// The longest line of `get`, `gets`, `gat` and `gats`, which may name any number of keys.
    pub get_line_bytes: usize,
}

/// What memcached adds to key and value: a header of 48 bytes, 8 for the CAS value, 1 that ends the key and
/// the 2 of the line end that it stores with the value.
const ITEM_OVERHEAD_BYTES: usize = 59;

/// What memcached adds for client flags other than 0.
const CLIENT_FLAGS_BYTES: usize = 4;

impl Limits {
    /// Whether an item is within [`item_bytes`](Self::item_bytes), counted as memcached counts it, so that both
    /// turn away the same values whatever this server's own bookkeeping costs.
    pub fn admit(&self, key_bytes: usize, client_flags: u32, value_bytes: usize) -> bool {
        let flags_bytes = if client_flags == 0 { 0 } else { CLIENT_FLAGS_BYTES };
        (ITEM_OVERHEAD_BYTES + flags_bytes + key_bytes).saturating_add(value_bytes) <= self.item_bytes
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { key_bytes: 250, item_bytes: 1 << 20, line_bytes: 2048, get_line_bytes: 1 << 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edge was found by bisection on memcached 1.6.18.
    #[test]
    fn the_largest_value_is_memcached_s() {
        let limits = Limits::default();
        assert!(limits.admit(1, 0, 1_048_516));
        assert!(!limits.admit(1, 0, 1_048_517));
        assert!(limits.admit(4, 0, 1_048_513));
        assert!(!limits.admit(4, 0, 1_048_514));
        assert!(limits.admit(1, 5, 1_048_512));
        assert!(!limits.admit(1, 5, 1_048_513));
        assert!(!limits.admit(1, 0, usize::MAX));
    }
}
