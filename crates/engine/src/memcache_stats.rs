//! What the memcached protocol counts, by worker; `stats` adds it up.

use crate::stats::Counter;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One worker's counters of the memcached protocol. They count its requests only: what RESP clients do is not in them.
        #[derive(Debug, Default)]
        pub struct MemcacheStats {
            /// Connections dealt to this worker.
            pub connections_opened: Counter,
            /// ... of which so many have ended.
            pub connections_closed: Counter,
            $($(#[$doc])* pub $name: Counter,)*
        }

        impl MemcacheStats {
            /// Back to zero (`stats reset`), but for the connections, of which those now open are counted. A worker adding at
            /// this moment may undo it for one counter.
            pub fn reset(&self) {
                $(self.$name.reset();)*
            }
        }
    };
}

counters! {
    /// Requests executed, each key of a request for several counted as one.
    requests,
    /// Bytes of requests.
    bytes_read,
    /// Bytes of replies.
    bytes_written,
    /// Keys asked for.
    get_hits,
    /// Keys asked for that were not there.
    get_misses,
    /// Values sent to be stored, whether they were or not.
    cmd_set,
    /// Requests to flush.
    cmd_flush,
    /// Meta requests.
    cmd_meta,
    /// Values stored.
    items_stored,
    /// Deletions of a key.
    delete_hits,
    /// Deletions of a key that was not there.
    delete_misses,
    /// Counters raised.
    incr_hits,
    /// Counters to be raised that were not there.
    incr_misses,
    /// Counters lowered.
    decr_hits,
    /// Counters to be lowered that were not there.
    decr_misses,
    /// Compare-and-swap requests that found the item unchanged.
    cas_hits,
    /// ... that found no item.
    cas_misses,
    /// ... that found a changed item.
    cas_badval,
    /// Items given another expiry.
    touch_hits,
    /// Items to be given another expiry that were not there.
    touch_misses,
    /// Turns that ended before their input did, so that others had theirs.
    conn_yields,
    /// Configurations asked for.
    cmd_config_get,
    /// Configurations sent to be stored.
    cmd_config_set,
    /// Values refused for their length.
    store_too_large,
    /// Attempts to give a password.
    auth_cmds,
    /// ... that failed.
    auth_errors,
}
