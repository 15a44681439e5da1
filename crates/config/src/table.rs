//! The table of directives: one declaration each, from which everything else follows.
//!
//! To add one, write its block under a heading, then run `UPDATE=1 cargo test -p larder-config`, which
//! rewrites `docs/config.md` and `config/larder.conf`. A summary says what the directive does, in its unit,
//! and what 0 means.

use crate::check;
use crate::choice::{
    EnableFor, LogFormat, LogLevel, LogTimestampFormat, MaxmemoryPolicy, OomScoreAdj, Supervised, Use,
};
use crate::directive::{Directive, Effect, Kind, Live, Unit, settings};
use crate::events::Events;
use crate::memory::MemoryOrPercent;
use crate::output_buffer::OutputBufferLimits;
use crate::save::SavePoints;
use crate::value::{Value, initial};

settings! {
    "Network" {
        /// TCP port of the Redis protocol; 0 opens none.
        port: u16 = "6379", "port", integer(0, 65_535), Live, Works;

        /// TCP port of the memcached protocol; 0 opens none.
        memcached_port: u16 = "11211", "memcached-port", integer(0, 65_535), Live, Works;

        /// Addresses or names to listen on, `*` for all of IPv4 and `::*` for all of IPv6; one that begins with `-` may be missing on this machine.
        bind: Vec<String> = "* -::*", "bind", ADDRESSES, Live, Works;

        /// Refuses clients from other machines while there is no password.
        protected_mode: bool = "yes", "protected-mode", Kind::YesNo, Live, Works;

        /// Path of a Unix socket for the Redis protocol; empty opens none.
        unixsocket: String = "", "unixsocket", Kind::Text, Immutable, Works;

        /// File mode of the Unix socket, in octal; 0 leaves it to the umask.
        unixsocketperm: u32 = "0", "unixsocketperm", Kind::Octal { max: 0o777 }, Immutable, Works;

        /// Group that the Unix socket's file is given to; empty leaves it to the process's own.
        unixsocketgroup: String = "", "unixsocketgroup", Kind::Text, Immutable, Works;

        /// Connections that may wait to be accepted; the kernel may allow fewer.
        tcp_backlog: u32 = "511", "tcp-backlog", integer(0, INT), Immutable, Works;

        /// Seconds of silence after which TCP asks whether the client is still there; 0 never asks.
        tcp_keepalive: u32 = "300", "tcp-keepalive", seconds(0, INT), Live, Works;

        /// Seconds after which an idle client is disconnected; 0 never does.
        timeout: u32 = "0", "timeout", seconds(0, INT), Live, Works;

        /// Address from which the node connects to others; it connects to nobody yet.
        bind_source_addr: String = "", "bind-source-addr", Kind::Text, Live, Kept;

        /// Mark of the sockets for the kernel's packet filters; 0 sets none, and none is set yet.
        socket_mark_id: u32 = "0", "socket-mark-id", integer(0, u32::MAX as i64), Immutable, Kept;

        /// Connections that Redis accepts before it looks at its clients again; here accepting is a task of its own.
        max_new_connections_per_cycle: u32 = "10", "max-new-connections-per-cycle", integer(1, 1_000), Live, Kept;
    }

    "General" {
        /// How many numbered databases SELECT knows; each takes some memory, so there may be a million (Redis: 2^31 - 1).
        databases: u32 = "16", "databases", integer(1, 1_000_000), Immutable, Works;

        /// Threads that serve clients; 0 starts one for each core.
        worker_threads: u16 = "0", "worker-threads", integer(0, 1_024), Immutable, Works;

        /// Threads that read and write for Redis's one thread of commands: `worker-threads` stands in its place.
        io_threads: u16 = "1", "io-threads", integer(1, 128), Immutable, Kept;

        /// Has Redis's further threads read as well as write.
        io_threads_do_reads: bool = "no", "io-threads-do-reads", Kind::YesNo, Immutable, Kept;

        /// Events from which Valkey uses a further thread.
        events_per_io_thread: u32 = "2", "events-per-io-thread", integer(0, INT), Live, Kept;

        /// Requests that Valkey looks ahead for; here it is 16.
        prefetch_batch_max_size: u32 = "16", "prefetch-batch-max-size", integer(0, 128), Live, Kept;

        /// Serves clients by io_uring, which costs less than epoll and needs Linux 6.1; `auto` does where the system permits it,
        /// and `yes` refuses to start where it does not.
        io_uring: Use = "auto", "io-uring", Kind::Choice(Use::NAMES), Immutable, Works;

        /// Has the process use small pages of memory only. Huge ones save up to a tenth of the processor time; a thread makes them ready ahead of
        /// their use, which delays clients by some milliseconds now and then where it shares a processor with a worker while memory grows.
        disable_thp: bool = "yes", "disable-thp", Kind::YesNo, Immutable, Works;

        /// How much is written to the log.
        loglevel: LogLevel = "notice", "loglevel", Kind::Choice(LogLevel::NAMES), Live, Works;

        /// File to append the log to, which may be moved away or removed at any time; empty writes it to the standard output.
        logfile: String = "", "logfile", Kind::Text, Immutable, Works;

        /// Times a second that background work looks round, from 1 to 500; no work depends on it.
        hz: u32 = "10", "hz", integer(0, INT), Live, Kept, then check::within_hertz;

        /// Lets Redis raise `hz` with the number of clients.
        dynamic_hz: bool = "yes", "dynamic-hz", Kind::YesNo, Live, Kept;

        /// Runs in the background: the process that was started ends once its child goes on alone.
        daemonize: bool = "no", "daemonize", Kind::YesNo, Immutable, Works;

        /// File to write the process's number to, removed at the end; empty writes `/var/run/larder.pid` when `daemonize` is on and
        /// RESP is served, and nothing otherwise.
        pidfile: String = "", "pidfile", Kind::Text, Immutable, Works;

        /// Who started the process and is told when it serves: `systemd` tells that, `auto` does where systemd asks to be told, and
        /// `upstart` raises the signal STOP, which it takes for an answer.
        supervised: Supervised = "no", "supervised", Kind::Choice(Supervised::NAMES), Immutable, Works;

        /// Sends the log to the system's log as well.
        syslog_enabled: bool = "no", "syslog-enabled", Kind::YesNo, Immutable, Works;

        /// Name of the process in the system's log.
        syslog_ident: String = "redis", "syslog-ident", Kind::Text, Immutable, Works;

        /// Facility of the system's log.
        syslog_facility: &'static str = "local0", "syslog-facility", FACILITY, Immutable, Works;

        /// What a line of the log looks like: as in Redis, in pairs of names and values, or in JSON.
        log_format: LogFormat = "legacy", "log-format", Kind::Choice(LogFormat::NAMES), Live, Works;

        /// How the log writes the time.
        log_timestamp_format: LogTimestampFormat =
            "legacy", "log-timestamp-format", Kind::Choice(LogTimestampFormat::NAMES), Live, Works;

        /// Leaves out of the log what clients and users call themselves; keys and values never get into it.
        hide_user_data_from_log: bool = "yes", "hide-user-data-from-log", Kind::YesNo, Live, Works;

        /// Greets with the logo even where the log is no terminal.
        always_show_logo: bool = "no", "always-show-logo", Kind::YesNo, Immutable, Works;

        /// Has `ps` show what the process is; it shows the command line as it was given.
        set_proc_title: bool = "yes", "set-proc-title", Kind::YesNo, Immutable, Kept;

        /// What `ps` would show.
        proc_title_template: String =
            "{title} {listen-addr} {server-mode}", "proc-title-template", Kind::Text, Live, Kept;

        /// Writes to the log what is known of a failure that ends the process.
        crash_log_enabled: bool = "yes", "crash-log-enabled", Kind::YesNo, Live, Works;

        /// Tests memory after a crash, which is never done.
        crash_memcheck_enabled: bool = "yes", "crash-memcheck-enabled", Kind::YesNo, Live, Kept;

        /// Ends with exit rather than abort when the server finds itself at fault; it aborts.
        use_exit_on_panic: bool = "no", "use-exit-on-panic", Kind::YesNo, Live, Hidden;

        /// Warnings about the system that do not keep Redis from starting; none of them do here.
        ignore_warnings: String = "", "ignore-warnings", Kind::Text, Live, Kept;

        /// Locale by which SORT ALPHA compares; empty is the environment's.
        locale_collate: String = "", "locale-collate", Kind::Text, Live, Kept;

        /// Has Valkey call itself Redis where clients look.
        extended_redis_compatibility: bool = "no", "extended-redis-compatibility", Kind::YesNo, Live, Kept;

        /// Where the node runs, for clients that prefer what is near; INFO does not show it yet.
        availability_zone: String = "", "availability-zone", Kind::Text, Live, Kept;

        /// Adjusts how readily the kernel ends the process when memory is short: `yes` and `relative` by so much, `absolute` to so much.
        oom_score_adj: OomScoreAdj =
            "no", "oom-score-adj", Kind::Choice(OomScoreAdj::NAMES), Live, Works, then check::one_name_for_relative;

        /// The adjustment, from -2000 to 2000: as primary, as replica, as a child that saves. There are only primaries yet.
        oom_score_adj_values: [i16; 3] = "0 200 800", "oom-score-adj-values", Kind::Scores, Live, Works;

        /// Processors for the threads that serve clients; the system chooses.
        server_cpulist: String = "", "server_cpulist" | "server-cpulist", Kind::Text, Immutable, Kept;

        /// Processors for work in the background; the system chooses.
        bio_cpulist: String = "", "bio_cpulist" | "bio-cpulist", Kind::Text, Immutable, Kept;

        /// Processors for rewriting the append log; the system chooses.
        aof_rewrite_cpulist: String = "", "aof_rewrite_cpulist" | "aof-rewrite-cpulist", Kind::Text, Immutable, Kept;

        /// Processors for saving; the system chooses.
        bgsave_cpulist: String = "", "bgsave_cpulist" | "bgsave-cpulist", Kind::Text, Immutable, Kept;

        /// What SIGINT asks for in the words of SHUTDOWN: `save`, `nosave`, `now`, `force`. It ends the process in any case, and there is
        /// nothing to save to yet.
        shutdown_on_sigint: Vec<&'static str> =
            "default", "shutdown-on-sigint", SHUTDOWN, Live, Kept, then check::saves_or_does_not;

        /// What SIGTERM asks for, likewise.
        shutdown_on_sigterm: Vec<&'static str> =
            "default", "shutdown-on-sigterm", SHUTDOWN, Live, Kept, then check::saves_or_does_not;

        /// Seconds that an ending node waits for its replicas; it has none yet.
        shutdown_timeout: u32 = "10", "shutdown-timeout", seconds(0, INT), Live, Kept;
    }

    "Security" {
        /// Password that clients must give by AUTH; empty asks for none.
        requirepass: String = "", "requirepass", Kind::Text, Live, Works;

        /// Who may use DEBUG.
        enable_debug_command: EnableFor = "no", "enable-debug-command", ENABLE, Immutable, Works;

        /// Who may use MODULE; there are no modules.
        enable_module_command: EnableFor = "no", "enable-module-command", ENABLE, Immutable, Kept;

        /// Who may set protected directives by CONFIG SET.
        enable_protected_configs: EnableFor = "no", "enable-protected-configs", ENABLE, Immutable, Works;

        /// File of the users; there is one user yet, so only an empty value is accepted.
        aclfile: String = "", "aclfile", Kind::Text, Immutable, Kept, then check::without_users;

        /// Entries that ACL LOG keeps.
        acllog_max_len: u64 = "128", "acllog-max-len", integer(0, i64::MAX), Live, Kept;

        /// Channels of a new user.
        acl_pubsub_default: &'static str =
            "resetchannels", "acl-pubsub-default", Kind::Choice(&["allchannels", "resetchannels"]), Live, Kept;

        /// How thoroughly the payload of RESTORE is checked.
        sanitize_dump_payload: &'static str =
            "no", "sanitize-dump-payload", Kind::Choice(&["no", "yes", "clients"]), Live, Kept;
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
        /// the seconds that it may be exceeded; 0 0 0 is no limit. What others send to a client (messages, lines of MONITOR,
        /// invalidations) has one nevertheless: where the hard limit of its class is 0, it goes when more than 256 MB of that wait.
        client_output_buffer_limit: OutputBufferLimits =
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            "client-output-buffer-limit", Kind::OutputBufferLimits, Live, Works;

        /// Memory that all clients together may take with their buffers, transactions, watched keys and subscriptions,
        /// outright or as a part of `maxmemory`; 0 is no limit, and less than 128 KiB is taken for that much. When it is
        /// reached, those that take most are disconnected. Keys are never evicted for it.
        maxmemory_clients: MemoryOrPercent = "0", "maxmemory-clients", Kind::MemoryOrPercent, Live, Works;

        /// Keys that are remembered for clients that cache; 0 is no limit.
        tracking_table_max_keys: u64 = "1000000", "tracking-table-max-keys", integer(0, i64::MAX), Live, Works;

        /// Milliseconds after which a script lets other clients be told that it is busy; 0 never does.
        busy_reply_threshold: u64 =
            "5000", "busy-reply-threshold" | "lua-time-limit", milliseconds(0, i64::MAX), Live, Works;
    }

    "Memory" {
        /// Bytes that data may take before keys are evicted or writes refused; 0 is no limit.
        maxmemory: u64 = "0", "maxmemory", memory(0, u64::MAX), Live, Works;

        /// Which keys are evicted; also whether entries keep when they were last used (LRU) or how often (LFU).
        maxmemory_policy: MaxmemoryPolicy =
            "noeviction", "maxmemory-policy", Kind::Choice(MaxmemoryPolicy::NAMES), Live, Works;

        /// Keys that are compared to find one to evict.
        maxmemory_samples: u32 = "5", "maxmemory-samples", integer(1, INT), Live, Works;

        /// How long eviction may keep a client waiting, from 0 to 100.
        maxmemory_eviction_tenacity: u8 = "10", "maxmemory-eviction-tenacity", integer(0, 100), Live, Works;

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

        /// Has Redis move a table bit by bit while nobody asks; tables here never move as a whole.
        activerehashing: bool = "yes", "activerehashing", Kind::YesNo, Live, Kept;

        /// Moves values together when memory is in pieces, by the thresholds below. With maxmemory they move before RSS exceeds 1.03 times it and 16 MiB, whatever is said here.
        activedefrag: bool = "no", "activedefrag", Kind::YesNo, Live, Works;

        /// Bytes in pieces from which values move.
        active_defrag_ignore_bytes: u64 = "104857600", "active-defrag-ignore-bytes", memory(1, LONG), Live, Works;

        /// Percentage in pieces from which values move, with the least effort.
        active_defrag_threshold_lower: u32 = "10", "active-defrag-threshold-lower", integer(0, 1_000), Live, Works;

        /// Percentage in pieces from which they move with the greatest effort.
        active_defrag_threshold_upper: u32 = "100", "active-defrag-threshold-upper", integer(0, 1_000), Live, Works;

        /// Least percentage of a worker's time for it.
        active_defrag_cycle_min: u32 = "1", "active-defrag-cycle-min", integer(1, 99), Live, Works;

        /// Greatest percentage of a worker's time for it.
        active_defrag_cycle_max: u32 = "25", "active-defrag-cycle-max", integer(1, 99), Live, Works;

        /// Fields of a collection from which Redis moves it by itself; what large collections are made of does not move here.
        active_defrag_max_scan_fields: u64 = "1000", "active-defrag-max-scan-fields", integer(1, i64::MAX), Live, Kept;

        /// Lets jemalloc give memory back in the background; the allocator here is another, which does.
        jemalloc_bg_thread: bool = "yes", "jemalloc-bg-thread", Kind::YesNo, Live, Kept;
    }

    "Persistence" {
        /// Directory of the files that the node writes, and of every path that does not begin with `/`.
        dir: String = "./", "dir", Kind::Text, Protected, Works, then check::directory;

        /// Pairs of seconds and changes after which a snapshot is due; empty makes none. Lines add up.
        save: SavePoints = "3600 1 300 100 60 10000", "save", Kind::SavePoints, Live, Works;

        /// Name of the snapshot's file.
        dbfilename: String = "dump.rdb", "dbfilename", Kind::Text, Protected, Works, then check::snapshot_name;

        /// Compresses long strings in snapshots, and in what DUMP returns.
        rdbcompression: bool = "yes", "rdbcompression", Kind::YesNo, Live, Works;

        /// Writes a checksum at a snapshot's end, and checks it.
        rdbchecksum: bool = "yes", "rdbchecksum", Kind::YesNo, Immutable, Works;

        /// Refuses writes while snapshots fail.
        stop_writes_on_bgsave_error: bool = "yes", "stop-writes-on-bgsave-error", Kind::YesNo, Live, Works;

        /// Removes snapshots that were made for a replica only.
        rdb_del_sync_files: bool = "no", "rdb-del-sync-files", Kind::YesNo, Live, Kept;

        /// Brings a snapshot to disk in small parts.
        rdb_save_incremental_fsync: bool = "yes", "rdb-save-incremental-fsync", Kind::YesNo, Live, Kept;

        /// Logs what requests change, so that it survives the process. If there is a snapshot but no log yet, the log begins with what it has.
        appendonly: bool = "no", "appendonly", Kind::YesNo, Live, Works;

        /// Name that the append log's files begin with.
        appendfilename: String = "appendonly.aof", "appendfilename", Kind::Text, Immutable, Works, then check::append_name;

        /// Directory of the append log's files, within `dir`.
        appenddirname: String = "appendonlydir", "appenddirname", Kind::Text, Immutable, Works, then check::append_directory;

        /// When the append log is brought to disk.
        appendfsync: &'static str =
            "everysec", "appendfsync", Kind::Choice(&["everysec", "always", "no"]), Live, Works;

        /// Leaves the append log to the system while it is being rewritten.
        no_appendfsync_on_rewrite: bool = "no", "no-appendfsync-on-rewrite", Kind::YesNo, Live, Works;

        /// Percentage by which the append log grows before it is rewritten; 0 never rewrites it.
        auto_aof_rewrite_percentage: u32 = "100", "auto-aof-rewrite-percentage", integer(0, INT), Live, Works;

        /// Bytes that the append log must have to be rewritten.
        auto_aof_rewrite_min_size: u64 = "67108864", "auto-aof-rewrite-min-size", memory(0, LONG), Live, Works;

        /// Reads an append log that ends amid a command as far as it goes.
        aof_load_truncated: bool = "yes", "aof-load-truncated", Kind::YesNo, Live, Works;

        /// Begins a rewritten append log with a snapshot.
        aof_use_rdb_preamble: bool = "yes", "aof-use-rdb-preamble", Kind::YesNo, Live, Works;

        /// Notes times in the append log.
        aof_timestamp_enabled: bool = "no", "aof-timestamp-enabled", Kind::YesNo, Live, Works;

        /// Brings a rewritten append log to disk in small parts.
        aof_rewrite_incremental_fsync: bool = "yes", "aof-rewrite-incremental-fsync", Kind::YesNo, Live, Kept;

        /// Keeps files of the append log that are no longer needed.
        aof_disable_auto_gc: bool = "no", "aof-disable-auto-gc", Kind::YesNo, Live, Works;

        /// Microseconds to wait after each key saved; below 0 after several.
        rdb_key_save_delay: i32 = "0", "rdb-key-save-delay", integer(i32::MIN as i64, INT), Live, Hidden;

        /// Microseconds to wait after each key loaded; below 0 after several.
        key_load_delay: i32 = "0", "key-load-delay", integer(i32::MIN as i64, INT), Live, Hidden;

        /// Bytes to load between two looks at the clients.
        loading_process_events_interval_bytes: u32 =
            "2097152", "loading-process-events-interval-bytes", integer(1_024, INT), Live, Hidden;
    }

    "Replication" {
        /// Host and port of the primary to follow, `no one` for none; there is no replication yet, so nothing else is accepted.
        replicaof: Vec<String> = "", "replicaof" | "slaveof", PRIMARY, Immutable, Kept, then check::without_primary;

        /// User to log in to the primary as.
        masteruser: String = "", "masteruser" | "primaryuser", Kind::Text, Live, Kept;

        /// Password for the primary.
        masterauth: String = "", "masterauth" | "primaryauth", Kind::Text, Live, Kept;

        /// Serves old data while there is no primary to be reached.
        replica_serve_stale_data: bool =
            "yes", "replica-serve-stale-data" | "slave-serve-stale-data", Kind::YesNo, Live, Kept;

        /// Refuses writes to a replica.
        replica_read_only: bool = "yes", "replica-read-only" | "slave-read-only", Kind::YesNo, Live, Kept;

        /// Leaves eviction on replicas to the primary.
        replica_ignore_maxmemory: bool =
            "yes", "replica-ignore-maxmemory" | "slave-ignore-maxmemory", Kind::YesNo, Live, Kept;

        /// Lets a replica go on when it cannot write to disk.
        replica_ignore_disk_write_errors: bool =
            "no", "replica-ignore-disk-write-errors", Kind::YesNo, Live, Kept;

        /// Frees a replica's old data in the background.
        replica_lazy_flush: bool = "no", "replica-lazy-flush" | "slave-lazy-flush", Kind::YesNo, Live, Kept;

        /// Which replica sentinels promote first, the least; 0 never.
        replica_priority: u32 = "100", "replica-priority" | "slave-priority", integer(0, INT), Live, Kept;

        /// Has sentinels list the replica.
        replica_announced: bool = "yes", "replica-announced", Kind::YesNo, Live, Kept;

        /// Address under which a replica is to be reached; empty is the one it connects from.
        replica_announce_ip: String =
            "", "replica-announce-ip" | "slave-announce-ip", Kind::Text, Live, Kept;

        /// Port under which a replica is to be reached; 0 is `port`.
        replica_announce_port: u16 =
            "0", "replica-announce-port" | "slave-announce-port", integer(0, 65_535), Live, Kept;

        /// Replicas that must follow for writes to be accepted; 0 asks for none.
        min_replicas_to_write: u32 =
            "0", "min-replicas-to-write" | "min-slaves-to-write", integer(0, INT), Live, Kept;

        /// Seconds of silence up to which such a replica counts.
        min_replicas_max_lag: u32 =
            "10", "min-replicas-max-lag" | "min-slaves-max-lag", seconds(0, INT), Live, Kept;

        /// Sends snapshots to replicas without writing them to disk.
        repl_diskless_sync: bool = "yes", "repl-diskless-sync", Kind::YesNo, Live, Kept;

        /// Seconds to wait for further replicas before it.
        repl_diskless_sync_delay: u32 = "5", "repl-diskless-sync-delay", seconds(0, INT), Live, Kept;

        /// Replicas for which there is no need to wait on; 0 waits.
        repl_diskless_sync_max_replicas: u32 =
            "0", "repl-diskless-sync-max-replicas", integer(0, INT), Live, Kept;

        /// Has a replica load a snapshot from the socket.
        repl_diskless_load: &'static str = "disabled", "repl-diskless-load", DISKLESS_LOAD, Live, Kept;

        /// Sends a snapshot and what follows it side by side, as Valkey does.
        dual_channel_replication_enabled: bool =
            "no", "dual-channel-replication-enabled", Kind::YesNo, Live, Kept;

        /// Gathers small packets to replicas.
        repl_disable_tcp_nodelay: bool = "no", "repl-disable-tcp-nodelay", Kind::YesNo, Live, Kept;

        /// Seconds of silence after which the other side counts as gone.
        repl_timeout: u32 = "60", "repl-timeout", seconds(1, INT), Live, Kept;

        /// Seconds between signs of life to replicas.
        repl_ping_replica_period: u32 =
            "10", "repl-ping-replica-period" | "repl-ping-slave-period", seconds(1, INT), Live, Kept;

        /// Bytes of past writes that are kept for replicas that come back.
        repl_backlog_size: u64 = "1048576", "repl-backlog-size", memory(1, LONG), Live, Kept, then check::least_backlog;

        /// Seconds without replicas after which past writes are dropped; 0 keeps them.
        repl_backlog_ttl: u64 = "3600", "repl-backlog-ttl", seconds(0, i64::MAX), Live, Kept;

        /// What happens when a replica cannot do what its primary did.
        propagation_error_behavior: &'static str =
            "ignore", "propagation-error-behavior", PROPAGATION_ERROR, Live, Kept;
    }

    "Cluster" {
        /// Makes the node part of a cluster; there are no clusters yet, so only `no` is accepted.
        cluster_enabled: bool = "no", "cluster-enabled", Kind::YesNo, Immutable, Kept, then check::without_cluster;

        /// Name of the file in which the node keeps the cluster's state.
        cluster_config_file: String =
            "nodes.conf", "cluster-config-file", Kind::Text, Immutable, Kept, then check::cluster_file;

        /// Milliseconds of silence after which a node counts as failing.
        cluster_node_timeout: u64 = "15000", "cluster-node-timeout", milliseconds(0, i64::MAX), Live, Kept;

        /// Port of the cluster's bus; 0 is `port` and 10,000.
        cluster_port: u16 = "0", "cluster-port", integer(0, 65_535), Immutable, Kept;

        /// Address to announce to other nodes; empty is the one they see.
        cluster_announce_ip: String = "", "cluster-announce-ip", Kind::Text, Live, Kept;

        /// IPv4 address to announce to clients.
        cluster_announce_client_ipv4: String = "", "cluster-announce-client-ipv4", Kind::Text, Live, Kept;

        /// IPv6 address to announce to clients.
        cluster_announce_client_ipv6: String = "", "cluster-announce-client-ipv6", Kind::Text, Live, Kept;

        /// Host name to announce.
        cluster_announce_hostname: String =
            "", "cluster-announce-hostname", Kind::Text, Live, Kept, then check::host_name;

        /// Name of the node for people who read logs.
        cluster_announce_human_nodename: String = "", "cluster-announce-human-nodename", Kind::Text, Live, Kept;

        /// Port to announce; 0 is `port`.
        cluster_announce_port: u16 = "0", "cluster-announce-port", integer(0, 65_535), Live, Kept;

        /// TLS port to announce; 0 is `tls-port`.
        cluster_announce_tls_port: u16 = "0", "cluster-announce-tls-port", integer(0, 65_535), Live, Kept;

        /// Port of the bus to announce; 0 is the one in use.
        cluster_announce_bus_port: u16 = "0", "cluster-announce-bus-port", integer(0, 65_535), Live, Kept;

        /// How clients are told where a slot is.
        cluster_preferred_endpoint_type: &'static str =
            "ip", "cluster-preferred-endpoint-type", ENDPOINT, Live, Kept;

        /// Refuses all requests while a slot is served by nobody.
        cluster_require_full_coverage: bool = "yes", "cluster-require-full-coverage", Kind::YesNo, Live, Kept;

        /// Serves reads while the cluster is down.
        cluster_allow_reads_when_down: bool = "no", "cluster-allow-reads-when-down", Kind::YesNo, Live, Kept;

        /// Serves sharded channels while the cluster is down.
        cluster_allow_pubsubshard_when_down: bool =
            "yes", "cluster-allow-pubsubshard-when-down", Kind::YesNo, Live, Kept;

        /// How much older than its primary's death a replica's data may be for it to take over; 0 is no limit.
        cluster_replica_validity_factor: u32 =
            "10", "cluster-replica-validity-factor" | "cluster-slave-validity-factor", integer(0, INT), Live, Kept;

        /// Keeps a replica from taking over on its own.
        cluster_replica_no_failover: bool =
            "no", "cluster-replica-no-failover" | "cluster-slave-no-failover", Kind::YesNo, Live, Kept;

        /// Lets replicas move to primaries that have none.
        cluster_allow_replica_migration: bool = "yes", "cluster-allow-replica-migration", Kind::YesNo, Live, Kept;

        /// Replicas that a primary keeps when one of its own moves.
        cluster_migration_barrier: u32 = "1", "cluster-migration-barrier", integer(0, INT), Live, Kept;

        /// Bytes that may wait for another node; 0 is no limit.
        cluster_link_sendbuf_limit: u64 = "0", "cluster-link-sendbuf-limit", memory(0, u64::MAX), Live, Kept;

        /// Seconds for which a node that was forgotten stays so.
        cluster_blacklist_ttl: u64 = "60", "cluster-blacklist-ttl", seconds(0, i64::MAX), Live, Kept;

        /// Counts what each slot is used for.
        cluster_slot_stats_enabled: bool = "no", "cluster-slot-stats-enabled", Kind::YesNo, Live, Kept;

        /// Milliseconds between two signs of life to another node; 0 leaves it to the node.
        cluster_ping_interval: u64 = "0", "cluster-ping-interval", milliseconds(0, i64::MAX), Live, Hidden;
    }

    "TLS" {
        /// TCP port of the Redis protocol over TLS; there is no TLS yet, so only 0 is accepted.
        tls_port: u16 = "0", "tls-port", integer(0, 65_535), Live, Kept, then check::without_tls;

        /// The server's certificate.
        tls_cert_file: String = "", "tls-cert-file", Kind::Text, Live, Kept;

        /// The key of the server's certificate.
        tls_key_file: String = "", "tls-key-file", Kind::Text, Live, Kept;

        /// Password of that key.
        tls_key_file_pass: String = "", "tls-key-file-pass", Kind::Text, Live, Kept;

        /// Certificate for connections to other nodes; empty is the server's.
        tls_client_cert_file: String = "", "tls-client-cert-file", Kind::Text, Live, Kept;

        /// The key of that certificate.
        tls_client_key_file: String = "", "tls-client-key-file", Kind::Text, Live, Kept;

        /// Password of that key.
        tls_client_key_file_pass: String = "", "tls-client-key-file-pass", Kind::Text, Live, Kept;

        /// Parameters of Diffie and Hellman's exchange of keys.
        tls_dh_params_file: String = "", "tls-dh-params-file", Kind::Text, Live, Kept;

        /// Certificates of the authorities to trust.
        tls_ca_cert_file: String = "", "tls-ca-cert-file", Kind::Text, Live, Kept;

        /// Directory of such certificates.
        tls_ca_cert_dir: String = "", "tls-ca-cert-dir", Kind::Text, Live, Kept;

        /// Whether clients must show a certificate.
        tls_auth_clients: &'static str =
            "yes", "tls-auth-clients", Kind::Choice(&["no", "yes", "optional"]), Live, Kept;

        /// Speaks TLS to the primary.
        tls_replication: bool = "no", "tls-replication", Kind::YesNo, Live, Kept;

        /// Speaks TLS on the cluster's bus.
        tls_cluster: bool = "no", "tls-cluster", Kind::YesNo, Live, Kept;

        /// Versions of TLS that are spoken, parted by blanks; empty is what the library thinks best.
        tls_protocols: String = "", "tls-protocols", Kind::Text, Live, Kept;

        /// Ciphers up to TLS 1.2.
        tls_ciphers: String = "", "tls-ciphers", Kind::Text, Live, Kept;

        /// Ciphers of TLS 1.3.
        tls_ciphersuites: String = "", "tls-ciphersuites", Kind::Text, Live, Kept;

        /// Lets the server's order of ciphers decide.
        tls_prefer_server_ciphers: bool = "no", "tls-prefer-server-ciphers", Kind::YesNo, Live, Kept;

        /// Lets clients come back to a session.
        tls_session_caching: bool = "yes", "tls-session-caching", Kind::YesNo, Live, Kept;

        /// Sessions that are remembered; 0 is no limit.
        tls_session_cache_size: u32 = "20480", "tls-session-cache-size", integer(0, INT), Live, Kept;

        /// Seconds for which they are.
        tls_session_cache_timeout: u32 = "300", "tls-session-cache-timeout", seconds(0, INT), Live, Kept;

        /// TLS connections that Valkey accepts before it looks at its clients again.
        max_new_tls_connections_per_cycle: u32 =
            "1", "max-new-tls-connections-per-cycle", integer(1, 1_000), Live, Kept;
    }

    "Observation" {
        /// Keyspace events to publish: letters of `Ag$lshzxeKEtmdn`, at least one of them K or E; empty is none.
        notify_keyspace_events: Events = "", "notify-keyspace-events", Kind::Events, Live, Works;

        /// Microseconds a command must take to enter the slow log; 0 logs each, -1 none.
        slowlog_log_slower_than: i64 =
            "10000", "slowlog-log-slower-than" | "commandlog-execution-slower-than", microseconds(-1, i64::MAX), Live, Works;

        /// Entries that the slow log keeps.
        slowlog_max_len: u64 =
            "128", "slowlog-max-len" | "commandlog-slow-execution-max-len", integer(0, i64::MAX), Live, Works;

        /// Bytes that a request must have to enter the log of large requests; 0 logs each, -1 none.
        commandlog_request_larger_than: i64 =
            "1048576", "commandlog-request-larger-than", integer(-1, i64::MAX), Live, Works;

        /// Entries that the log of large requests keeps.
        commandlog_large_request_max_len: u64 =
            "128", "commandlog-large-request-max-len", integer(0, i64::MAX), Live, Works;

        /// Bytes that a reply must have for its command to enter the log of large replies; 0 logs each, -1 none.
        commandlog_reply_larger_than: i64 =
            "1048576", "commandlog-reply-larger-than", integer(-1, i64::MAX), Live, Works;

        /// Entries that the log of large replies keeps.
        commandlog_large_reply_max_len: u64 =
            "128", "commandlog-large-reply-max-len", integer(0, i64::MAX), Live, Works;

        /// Milliseconds an event must take to be kept for LATENCY; 0 keeps none.
        latency_monitor_threshold: u64 =
            "0", "latency-monitor-threshold", milliseconds(0, i64::MAX), Live, Works;

        /// Keeps a histogram of how long each command takes.
        latency_tracking: bool = "yes", "latency-tracking", Kind::YesNo, Live, Works;

        /// Percentiles of the histograms that INFO latencystats prints; empty prints none.
        latency_tracking_info_percentiles: Vec<f64> =
            "50 99 99.9", "latency-tracking-info-percentiles", Kind::Percentiles, Live, Works;

        /// Milliseconds after which Redis logs where a command hangs; 0 never does.
        watchdog_period: u32 = "0", "watchdog-period", milliseconds(0, INT), Live, Hidden;

        /// Lets DEBUG ASSERT end the process.
        enable_debug_assert: bool = "no", "enable-debug-assert", Kind::YesNo, Immutable, Hidden;

        /// Text that Valkey's report of a crash repeats.
        debug_context: String = "", "debug-context", Kind::Text, Live, Hidden;
    }

    "HTTP" {
        /// TCP port on which HTTP is answered: /metrics for Prometheus, /healthz, /readyz. 0 opens none, and is the default, so that a server
        /// that takes another's place opens no port that nobody knows of, and several fit on a machine.
        http_port: u16 = "0", "http-port", integer(0, 65_535), Immutable, Works;

        /// Addresses to answer HTTP on, written as in `bind`. Whoever reaches them may read how much is done, and which commands are used,
        /// without a password.
        http_bind: Vec<String> = "127.0.0.1", "http-bind", ADDRESSES, Immutable, Works;
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

        /// Lets memcached's clients empty the cache by `flush_all`.
        memcached_flush_all: bool = "yes", "memcached-flush-all", Kind::YesNo, Live, Works;

        /// Lets memcached's clients list all keys (`lru_crawler metadump` and `mgdump`, `stats cachedump`) and their beginnings (`stats detail`).
        memcached_dump: bool = "yes", "memcached-dump", Kind::YesNo, Immutable, Works;

        /// Lets memcached's clients `watch` what others do.
        memcached_watch: bool = "yes", "memcached-watch", Kind::YesNo, Immutable, Works;

        /// Has memcached's requests counted from the start by what their keys have before a colon, as `stats detail on` does.
        memcached_detail: bool = "no", "memcached-detail", Kind::YesNo, Immutable, Works;

        /// Path of a Unix socket for the memcached protocol; empty opens none.
        memcached_unixsocket: String = "", "memcached-unixsocket", Kind::Text, Immutable, Works;

        /// File mode of that socket, in octal; 0 leaves it to the umask.
        memcached_unixsocketperm: u32 =
            "0", "memcached-unixsocketperm", Kind::Octal { max: 0o777 }, Immutable, Works;

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
const PRIMARY: Kind = Kind::Words { most: 2, too_many: "wrong number of arguments" };
const FACILITY: Kind =
    Kind::Choice(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]);
const SHUTDOWN: Kind = Kind::Flags(&["default", "save", "nosave", "now", "force"]);
const DISKLESS_LOAD: Kind = Kind::Choice(&["disabled", "on-empty-db", "swapdb", "flush-before-load"]);
const PROPAGATION_ERROR: Kind = Kind::Choice(&["ignore", "panic", "panic-on-replicas"]);
const ENDPOINT: Kind = Kind::Choice(&["ip", "hostname", "unknown-endpoint"]);

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
