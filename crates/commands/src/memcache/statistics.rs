//! `stats`: what the server has done with memcached clients, and how it is set.
//!
//! Every line says something that is true of this server; what memcached tells of its slabs, queues and threads has no counterpart
//! here and is left out. Counters are of the memcached protocol alone, but for those of the keyspace, which both protocols fill.

use std::fmt::Display;

use larder_config::{MaxmemoryPolicy, Settings};
use larder_engine::MemcacheStats;
use larder_store::STRIPES;
use memcache_parser::reply::{self, Sink, Status};
use memcache_parser::{ErrorReply, ReplyMode, Tokens};

use super::server::VERSION;
use super::turn::{DB, Turn};

type Counter = fn(&MemcacheStats) -> u64;

/// The counters, by the names that memcached gives them.
const COUNTERS: &[(&str, Counter)] = &[
    ("total_connections", |stats| stats.connections_opened.value()),
    ("cmd_get", |stats| stats.get_hits.value() + stats.get_misses.value()),
    ("cmd_set", |stats| stats.cmd_set.value()),
    ("cmd_flush", |stats| stats.cmd_flush.value()),
    ("cmd_touch", |stats| stats.touch_hits.value() + stats.touch_misses.value()),
    ("cmd_meta", |stats| stats.cmd_meta.value()),
    ("get_hits", |stats| stats.get_hits.value()),
    ("get_misses", |stats| stats.get_misses.value()),
    ("delete_misses", |stats| stats.delete_misses.value()),
    ("delete_hits", |stats| stats.delete_hits.value()),
    ("incr_misses", |stats| stats.incr_misses.value()),
    ("incr_hits", |stats| stats.incr_hits.value()),
    ("decr_misses", |stats| stats.decr_misses.value()),
    ("decr_hits", |stats| stats.decr_hits.value()),
    ("cas_misses", |stats| stats.cas_misses.value()),
    ("cas_hits", |stats| stats.cas_hits.value()),
    ("cas_badval", |stats| stats.cas_badval.value()),
    ("touch_hits", |stats| stats.touch_hits.value()),
    ("touch_misses", |stats| stats.touch_misses.value()),
    ("store_too_large", |stats| stats.store_too_large.value()),
    ("auth_cmds", |stats| stats.auth_cmds.value()),
    ("auth_errors", |stats| stats.auth_errors.value()),
    ("bytes_read", |stats| stats.bytes_read.value()),
    ("bytes_written", |stats| stats.bytes_written.value()),
    ("total_items", |stats| stats.items_stored.value()),
];

impl Turn<'_> {
    /// Answers with statistics, or puts them back to zero. As in memcached the beginning of a word will do for the word, for
    /// those that it looks at first.
    pub(super) fn statistics(&mut self, mut arguments: Tokens<'_>) {
        let Some(which) = arguments.next() else {
            self.general();
            return reply::end(&mut self.output);
        };
        let is = |word: &str| word.as_bytes().starts_with(which);
        if is("reset") {
            self.node.stats.iter().for_each(|worker| worker.memcache.reset());
            self.status(Status::Reset, ReplyMode::Send);
        } else if is("detail") {
            self.output.put(b"CLIENT_ERROR stats detail not allowed\r\n");
        } else if is("settings") {
            self.settings_report();
            reply::end(&mut self.output);
        } else if is("cachedump") {
            self.output.put(b"CLIENT_ERROR stats cachedump not allowed\r\n");
        } else {
            self.about_slabs(which);
        }
    }

    /// Memory is not cut into slabs, so there is nothing to say about any.
    fn about_slabs(&mut self, which: &[u8]) {
        match which {
            b"items" => {}
            b"slabs" => {
                self.stat("active_slabs", 0);
                self.stat("total_malloced", 0);
            }
            b"sizes" => self.stat("sizes_status", "disabled"),
            _ => return self.error(ErrorReply::UnknownCommand, ReplyMode::Send),
        }
        reply::end(&mut self.output);
    }

    fn general(&mut self) {
        let node = self.node;
        let now_seconds = self.now().0 / 1000;
        let (system, user) = node.host.cpu_seconds();
        let opened = node.sum(|worker| worker.memcache.connections_opened.value());
        let closed = node.sum(|worker| worker.memcache.connections_closed.value());
        self.stat("pid", node.identity.process_id);
        self.stat("uptime", now_seconds - node.identity.started_at.0 / 1000);
        self.stat("time", now_seconds);
        self.stat("version", VERSION);
        self.stat("larder_version", env!("CARGO_PKG_VERSION"));
        self.stat("pointer_size", usize::BITS);
        self.stat("rusage_user", format_args!("{user:.6}"));
        self.stat("rusage_system", format_args!("{system:.6}"));
        self.stat("max_connections", self.settings.maxclients);
        self.stat("curr_connections", opened.saturating_sub(closed));
        let rejected = node.rejected_connections.load(std::sync::atomic::Ordering::Relaxed);
        self.stat("rejected_connections", rejected);
        for (name, counter) in COUNTERS {
            self.stat(name, node.sum(|worker| counter(&worker.memcache)));
        }
        self.stat("limit_maxbytes", self.settings.maxmemory);
        self.stat("accepting_conns", 1);
        self.stat("listen_disabled_num", 0);
        self.stat("time_in_listen_disabled_us", 0);
        self.stat("threads", node.stats.len());
        self.stat("bytes", node.host.used_memory());
        self.stat("curr_items", node.keyspace.len(DB));
        let evicted = (0..STRIPES).map(|stripe| node.keyspace.lock(stripe, self.moment).side().evicted);
        self.stat("evictions", evicted.sum::<u64>());
    }

    fn settings_report(&mut self) {
        let settings: &Settings = self.settings;
        let yes = |yes| if yes { "yes" } else { "no" };
        let evicts = settings.maxmemory_policy != MaxmemoryPolicy::Noeviction;
        self.stat("maxbytes", settings.maxmemory);
        self.stat("maxconns", settings.maxclients);
        self.stat("tcpport", settings.memcached_port);
        self.stat("udpport", 0);
        self.stat("inter", settings.bind.join(","));
        self.stat("evictions", if evicts { "on" } else { "off" });
        self.stat("domain_socket", "NULL");
        self.stat("shutdown_command", yes(false));
        self.stat("num_threads", self.node.stats.len());
        self.stat("detail_enabled", yes(false));
        self.stat("cas_enabled", yes(true));
        self.stat("tcp_backlog", settings.tcp_backlog);
        self.stat("binding_protocol", "ascii");
        self.stat("auth_enabled_sasl", yes(false));
        self.stat("auth_enabled_ascii", yes(!settings.requirepass.is_empty()));
        self.stat("item_size_max", settings.memcached_item_size_max);
        self.stat("slab_reassign", yes(false));
        self.stat("slab_automove", 0);
        self.stat("lru_crawler", yes(false));
        self.stat("flush_enabled", yes(settings.memcached_flush_all));
        self.stat("dump_enabled", yes(false));
        self.stat("idle_timeout", settings.timeout);
        self.stat("track_sizes", yes(false));
        self.stat("client_flags_size", size_of::<u32>());
    }

    fn stat(&mut self, name: &str, value: impl Display) {
        reply::stat(&mut self.output, name, value.to_string().as_bytes());
    }
}
