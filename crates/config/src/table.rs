//! The table of directives: one declaration each, from which everything else follows.
//!
//! To add one, write its block under a heading, then run `UPDATE=1 cargo test -p larder-config`, which
//! rewrites `docs/config.md` and `config/larder.conf`. A summary says what the directive does, in its unit,
//! and what 0 means.

use crate::choice::{EnableFor, LogLevel, MaxmemoryPolicy, Use};
use crate::directive::{Directive, Effect, Kind, Live, Unit, settings};
use crate::error::SettingError;
use crate::events::Events;
use crate::memory::MemoryOrPercent;
use crate::output_buffer::OutputBufferLimits;
use crate::save::SavePoints;
use crate::value::{Value, initial};

settings! {
    "Network" {
        /// TCP port of the Redis protocol; 0 opens none.
        port: u16 = "6379", "port", integer(0, 65_535), Immutable, Works;

        /// TCP port of the memcached protocol; 0 opens none.
        memcached_port: u16 = "11211", "memcached-port", integer(0, 65_535), Immutable, Works;

        /// Addresses to listen on, `*` for all; one that begins with `-` may be missing on this machine.
        bind: Vec<String> = "* -::*", "bind", ADDRESSES, Immutable, Works;

        /// Refuses clients from other machines while there is no password.
        protected_mode: bool = "yes", "protected-mode", Kind::YesNo, Live, Works;

        /// Path of a Unix socket for the Redis protocol; empty opens none.
        unixsocket: String = "", "unixsocket", Kind::Text, Immutable, Works;

        /// File mode of the Unix socket, in octal; 0 leaves it to the umask.
        unixsocketperm: u32 = "0", "unixsocketperm", Kind::Octal { max: 0o777 }, Immutable, Works;

        /// Connections that may wait to be accepted; the kernel may allow fewer.
        tcp_backlog: u32 = "511", "tcp-backlog", integer(0, INT), Immutable, Works;

        /// Seconds of silence after which TCP asks whether the client is still there; 0 never asks.
        tcp_keepalive: u32 = "300", "tcp-keepalive", seconds(0, INT), Live, Works;

        /// Seconds after which an idle client is disconnected; 0 never does.
        timeout: u32 = "0", "timeout", seconds(0, INT), Live, Works;
    }

    "General" {
        /// How many numbered databases SELECT knows; each takes some memory, so there may be a million (Redis: 2^31 - 1).
        databases: u32 = "16", "databases", integer(1, 1_000_000), Immutable, Works;

        /// Threads that serve clients; 0 starts one for each core.
        worker_threads: u16 = "0", "worker-threads", integer(0, 1_024), Immutable, Works;

        /// Threads that read and write for Redis's one thread of commands: `worker-threads` stands in its place.
        io_threads: u16 = "1", "io-threads", integer(1, 128), Immutable, Kept;

        /// Serves clients by io_uring, which costs less than epoll and needs Linux 6.1; `auto` does where the system permits it,
        /// and `yes` refuses to start where it does not.
        io_uring: Use = "auto", "io-uring", Kind::Choice(Use::NAMES), Immutable, Works;

        /// Has the process use small pages of memory only. Huge ones save a tenth of the processor time at pipelines of 16, but a fresh one
        /// is cleared when it is first touched: some milliseconds for whoever waits, on virtual machines above all.
        disable_thp: bool = "yes", "disable-thp", Kind::YesNo, Immutable, Works;

        /// How much is written to the log.
        loglevel: LogLevel = "notice", "loglevel", Kind::Choice(LogLevel::NAMES), Live, Works;

        /// File to write the log to; empty writes it to the standard output.
        logfile: String = "", "logfile", Kind::Text, Immutable, Works;

        /// Times a second that background work looks round, from 1 to 500; no work depends on it.
        hz: u32 = "10", "hz", integer(0, INT), Live, Kept, then within_hertz;

        /// Lets Redis raise `hz` with the number of clients.
        dynamic_hz: bool = "yes", "dynamic-hz", Kind::YesNo, Live, Kept;
    }

    "Security" {
        /// Password that clients must give by AUTH; empty asks for none.
        requirepass: String = "", "requirepass", Kind::Text, Live, Works;

        /// Who may use DEBUG.
        enable_debug_command: EnableFor = "no", "enable-debug-command", ENABLE, Immutable, Works;

        /// Who may set protected directives by CONFIG SET.
        enable_protected_configs: EnableFor = "no", "enable-protected-configs", ENABLE, Immutable, Works;
    }

    "Clients" {
        /// Clients that may be connected at once.
        maxclients: u32 = "10000", "maxclients", integer(1, u32::MAX as i64), Live, Works;

        /// Bytes of the longest string that a request may contain.
        proto_max_bulk_len: u64 = "536870912", "proto-max-bulk-len", memory(1 << 20, LONG), Live, Works;

        /// Bytes of unfinished requests after which a client is disconnected.
        client_query_buffer_limit: u64 =
            "1073741824", "client-query-buffer-limit", memory(1 << 20, LONG), Live, Works;

        /// Unread replies after which a client is disconnected: for each class a hard limit, and a soft limit with
        /// the seconds that it may be exceeded; 0 0 0 is no limit.
        client_output_buffer_limit: OutputBufferLimits =
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            "client-output-buffer-limit", Kind::OutputBufferLimits, Live, Works;

        /// Memory that the buffers of all clients together may take, outright or as a part of `maxmemory`; 0 is no
        /// limit.
        maxmemory_clients: MemoryOrPercent = "0", "maxmemory-clients", Kind::MemoryOrPercent, Live, Kept;
    }

    "Memory" {
        /// Bytes that data may take before keys are evicted or writes refused; 0 is no limit.
        maxmemory: u64 = "0", "maxmemory", memory(0, u64::MAX), Live, Kept;

        /// Which keys are evicted; also whether entries keep when they were last used (LRU) or how often (LFU).
        maxmemory_policy: MaxmemoryPolicy =
            "noeviction", "maxmemory-policy", Kind::Choice(MaxmemoryPolicy::NAMES), Live, Works;

        /// Keys that are compared to find one to evict.
        maxmemory_samples: u32 = "5", "maxmemory-samples", integer(1, INT), Live, Kept;

        /// How slowly the LFU counter grows.
        lfu_log_factor: u32 = "10", "lfu-log-factor", integer(0, INT), Live, Works;

        /// Minutes after which the LFU counter falls by one; 0 never lets it fall.
        lfu_decay_time: u32 = "1", "lfu-decay-time", minutes(0, INT), Live, Works;

        /// How much Redis works to find keys that have expired; here they go in time without a search.
        active_expire_effort: u8 = "1", "active-expire-effort", integer(1, 10), Live, Kept;

        /// Frees evicted values in the background; large values always are.
        lazyfree_lazy_eviction: bool = "no", "lazyfree-lazy-eviction", Kind::YesNo, Live, Kept;

        /// Frees expired values in the background; large values always are.
        lazyfree_lazy_expire: bool = "no", "lazyfree-lazy-expire", Kind::YesNo, Live, Kept;

        /// Frees overwritten values in the background; large values always are.
        lazyfree_lazy_server_del: bool = "no", "lazyfree-lazy-server-del", Kind::YesNo, Live, Kept;

        /// Makes DEL free in the background as UNLINK does; large values always are.
        lazyfree_lazy_user_del: bool = "no", "lazyfree-lazy-user-del", Kind::YesNo, Live, Kept;

        /// Makes FLUSHALL and FLUSHDB free in the background unless told SYNC; they always do.
        lazyfree_lazy_user_flush: bool = "no", "lazyfree-lazy-user-flush", Kind::YesNo, Live, Kept;
    }

    "Persistence" {
        /// Directory of the files that the node writes; CONFIG GET prints it as it was given.
        dir: String = "./", "dir", Kind::Text, Protected, Kept;

        /// Pairs of seconds and changes after which a snapshot is due; empty makes none. Lines add up.
        save: SavePoints = "3600 1 300 100 60 10000", "save", Kind::SavePoints, Live, Kept;

        /// Logs every write to a file; there is no append log yet, so only `no` is accepted.
        appendonly: bool = "no", "appendonly", Kind::YesNo, Live, Kept, then without_append_log;
    }

    "Observation" {
        /// Keyspace events to publish: letters of `Ag$lshzxeKEtmdn`, at least one of them K or E; empty is none.
        notify_keyspace_events: Events = "", "notify-keyspace-events", Kind::Events, Live, Works;

        /// Microseconds a command must take to enter the slow log; 0 logs each, -1 none.
        slowlog_log_slower_than: i64 =
            "10000", "slowlog-log-slower-than", microseconds(-1, i64::MAX), Live, Works;

        /// Entries that the slow log keeps.
        slowlog_max_len: u64 = "128", "slowlog-max-len", integer(0, i64::MAX), Live, Works;

        /// Milliseconds an event must take to be kept for LATENCY; 0 keeps none.
        latency_monitor_threshold: u64 =
            "0", "latency-monitor-threshold", milliseconds(0, i64::MAX), Live, Works;

        /// Keeps a histogram of how long each command takes.
        latency_tracking: bool = "yes", "latency-tracking", Kind::YesNo, Live, Works;

        /// Percentiles of the histograms that INFO latencystats prints; empty prints none.
        latency_tracking_info_percentiles: Vec<f64> =
            "50 99 99.9", "latency-tracking-info-percentiles", Kind::Percentiles, Live, Works;
    }

    "Encodings" {
        /// Fields up to which a hash is a listpack.
        hash_max_listpack_entries: u64 =
            "512", "hash-max-listpack-entries" | "hash-max-ziplist-entries", integer(0, i64::MAX), Live, Works;

        /// Bytes of a field or value up to which a hash is a listpack.
        hash_max_listpack_value: u64 =
            "64", "hash-max-listpack-value" | "hash-max-ziplist-value", memory(0, LONG), Live, Works;

        /// Most entries of a list node; -1 to -5 mean 4, 8, 16, 32, 64 KiB instead.
        list_max_listpack_size: i32 =
            "-2", "list-max-listpack-size" | "list-max-ziplist-size", integer(i32::MIN as i64, INT), Live, Works;

        /// Nodes at each end of a list that are left uncompressed; 0 compresses none, and none ever is.
        list_compress_depth: u32 = "0", "list-compress-depth", integer(0, INT), Live, Kept;

        /// Members up to which a set of integers is an intset.
        set_max_intset_entries: u64 = "512", "set-max-intset-entries", integer(0, i64::MAX), Live, Works;

        /// Members up to which a set is a listpack.
        set_max_listpack_entries: u64 = "128", "set-max-listpack-entries", integer(0, i64::MAX), Live, Works;

        /// Bytes of a member up to which a set is a listpack.
        set_max_listpack_value: u64 = "64", "set-max-listpack-value", memory(0, LONG), Live, Works;

        /// Members up to which a sorted set is a listpack.
        zset_max_listpack_entries: u64 =
            "128", "zset-max-listpack-entries" | "zset-max-ziplist-entries", integer(0, i64::MAX), Live, Works;

        /// Bytes of a member up to which a sorted set is a listpack.
        zset_max_listpack_value: u64 =
            "64", "zset-max-listpack-value" | "zset-max-ziplist-value", memory(0, LONG), Live, Works;

        /// Bytes up to which a HyperLogLog is kept sparse.
        hll_sparse_max_bytes: u64 = "3000", "hll-sparse-max-bytes", memory(0, LONG), Live, Works;

        /// Bytes of a stream node; 0 is no limit.
        stream_node_max_bytes: u64 = "4096", "stream-node-max-bytes", memory(0, LONG), Live, Works;

        /// Entries of a stream node; 0 is no limit.
        stream_node_max_entries: u64 = "100", "stream-node-max-entries", integer(0, i64::MAX), Live, Works;
    }

    "Memcached" {
        /// Bytes of the largest item that memcached's commands may store.
        memcached_item_size_max: u64 =
            "1048576", "memcached-item-size-max", memory(1 << 10, 1 << 30), Immutable, Works;

        /// Path of a file with a line `user:password` for each user whom memcached clients may name to be let in; empty is none.
        memcached_auth_file: String = "", "memcached-auth-file", Kind::Text, Immutable, Works;

        /// Serves memcached clients by the binary protocol only, and after they have authenticated by SASL.
        memcached_sasl: bool = "no", "memcached-sasl", Kind::YesNo, Immutable, Works;

        /// Who may end the server by memcached's command `shutdown`: everybody, or nobody.
        memcached_shutdown: bool = "no", "memcached-shutdown", Kind::YesNo, Immutable, Works;

        /// Nodes that memcached clients are told of by `config get cluster`, each as `host|ip|port`, spaces between; empty is this node
        /// alone.
        memcached_cluster_nodes: String = "", "memcached-cluster-nodes", Kind::Text, Live, Works;
    }
}

/// The bounds that Redis prints for a C `int` and `long`.
const INT: i64 = i32::MAX as i64;
const LONG: u64 = i64::MAX as u64;

const ENABLE: Kind = Kind::Choice(EnableFor::NAMES);
const ADDRESSES: Kind = Kind::Words { most: 16, too_many: "Too many bind addresses specified." };

const fn integer(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max, unit: Unit::Plain }
}

const fn minutes(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max, unit: Unit::Minutes }
}

const fn seconds(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max, unit: Unit::Seconds }
}

const fn milliseconds(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max, unit: Unit::Milliseconds }
}

const fn microseconds(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max, unit: Unit::Microseconds }
}

const fn memory(min: u64, max: u64) -> Kind {
    Kind::Memory { min, max }
}

/// Redis accepts any number and takes the nearest that it can use.
fn within_hertz(hz: u32) -> Result<u32, SettingError> {
    Ok(hz.clamp(1, 500))
}

fn without_append_log(wanted: bool) -> Result<bool, SettingError> {
    if wanted {
        Err(SettingError::Refused("there is no append-only file yet: only 'no' is accepted"))
    } else {
        Ok(false)
    }
}
