//! `stats` without a word behind it.

use std::sync::atomic::Ordering;

use larder_engine::MemcacheStats;

use super::super::server::VERSION;
use super::super::turn::{DB, Turn};
use super::{Form, Line};

/// What is said, and how it is found out. In memcached's order.
const GENERAL: &[Line] = &[
    ("pid", |turn| turn.node.identity.process_id.to_string()),
    ("uptime", |turn| ((turn.now().0 - turn.node.identity.started_at.0) / 1000).to_string()),
    ("time", |turn| (turn.now().0 / 1000).to_string()),
    ("version", |_| VERSION.to_owned()),
    ("larder_version", |_| env!("CARGO_PKG_VERSION").to_owned()),
    ("pointer_size", |_| usize::BITS.to_string()),
    ("rusage_user", |turn| format!("{:.6}", turn.node.host.cpu_seconds().1)),
    ("rusage_system", |turn| format!("{:.6}", turn.node.host.cpu_seconds().0)),
    ("max_connections", |turn| turn.settings.maxclients.to_string()),
    ("curr_connections", |turn| connected(turn).to_string()),
    ("total_connections", |turn| sum(turn, |stats| stats.connections_opened.value())),
    ("rejected_connections", |turn| turn.node.rejected_connections.load(Ordering::Relaxed).to_string()),
    ("connection_structures", |turn| connected(turn).to_string()),
    ("response_obj_oom", zero),
    ("read_buf_oom", zero),
    ("cmd_get", |turn| sum(turn, |stats| stats.get_hits.value() + stats.get_misses.value())),
    ("cmd_set", |turn| sum(turn, |stats| stats.cmd_set.value())),
    ("cmd_flush", |turn| sum(turn, |stats| stats.cmd_flush.value())),
    ("cmd_touch", |turn| sum(turn, |stats| stats.touch_hits.value() + stats.touch_misses.value())),
    ("cmd_config_get", |turn| sum(turn, |stats| stats.cmd_config_get.value())),
    ("cmd_config_set", |turn| sum(turn, |stats| stats.cmd_config_set.value())),
    ("curr_config", |turn| turn.node.memcache.configs.len().to_string()),
    ("cmd_meta", |turn| sum(turn, |stats| stats.cmd_meta.value())),
    ("get_hits", |turn| sum(turn, |stats| stats.get_hits.value())),
    ("get_misses", |turn| sum(turn, |stats| stats.get_misses.value())),
    // What is flushed is gone at once, so that nobody finds it.
    ("get_flushed", zero),
    ("delete_misses", |turn| sum(turn, |stats| stats.delete_misses.value())),
    ("delete_hits", |turn| sum(turn, |stats| stats.delete_hits.value())),
    ("incr_misses", |turn| sum(turn, |stats| stats.incr_misses.value())),
    ("incr_hits", |turn| sum(turn, |stats| stats.incr_hits.value())),
    ("decr_misses", |turn| sum(turn, |stats| stats.decr_misses.value())),
    ("decr_hits", |turn| sum(turn, |stats| stats.decr_hits.value())),
    ("cas_misses", |turn| sum(turn, |stats| stats.cas_misses.value())),
    ("cas_hits", |turn| sum(turn, |stats| stats.cas_hits.value())),
    ("cas_badval", |turn| sum(turn, |stats| stats.cas_badval.value())),
    ("touch_hits", |turn| sum(turn, |stats| stats.touch_hits.value())),
    ("touch_misses", |turn| sum(turn, |stats| stats.touch_misses.value())),
    ("store_too_large", |turn| sum(turn, |stats| stats.store_too_large.value())),
    ("store_no_memory", zero),
    ("auth_cmds", |turn| sum(turn, |stats| stats.auth_cmds.value())),
    ("auth_errors", |turn| sum(turn, |stats| stats.auth_errors.value())),
    ("idle_kicks", |turn| turn.node.idle_kicks.load(Ordering::Relaxed).to_string()),
    ("bytes_read", |turn| sum(turn, |stats| stats.bytes_read.value())),
    ("bytes_written", |turn| sum(turn, |stats| stats.bytes_written.value())),
    ("limit_maxbytes", |turn| turn.settings.maxmemory.to_string()),
    ("accepting_conns", |_| "1".to_owned()),
    ("listen_disabled_num", zero),
    ("time_in_listen_disabled_us", zero),
    ("threads", |turn| turn.node.workers().to_string()),
    ("conn_yields", |turn| sum(turn, |stats| stats.conn_yields.value())),
    ("hash_is_expanding", zero),
    ("slab_reassign_running", zero),
    ("slabs_moved", zero),
    ("lru_crawler_running", zero),
    ("malloc_fails", zero),
    ("log_worker_dropped", zero),
    ("log_worker_written", |turn| turn.node.memcache.watchers.counts().written.to_string()),
    ("log_watcher_skipped", |turn| turn.node.memcache.watchers.counts().skipped.to_string()),
    ("log_watcher_sent", |turn| turn.node.memcache.watchers.counts().sent.to_string()),
    ("log_watchers", |turn| turn.node.memcache.watchers.counts().watchers.to_string()),
    ("bytes", |turn| turn.node.host.used_memory().to_string()),
    ("curr_items", |turn| turn.node.keyspace.len(DB).to_string()),
    ("total_items", |turn| sum(turn, |stats| stats.items_stored.value())),
    ("slab_global_page_pool", zero),
    ("evictions", |turn| turn.node.stripe_totals(turn.moment).evicted.to_string()),
    ("reclaimed", |turn| turn.node.stripe_totals(turn.moment).expired.to_string()),
    ("lrutail_reflocked", zero),
    ("moves_to_cold", zero),
    ("moves_to_warm", zero),
    ("moves_within_lru", zero),
    ("direct_reclaims", zero),
    ("lru_bumps_dropped", zero),
];

impl Turn<'_> {
    pub(super) fn general(&mut self, form: Form) {
        for (name, value) in GENERAL {
            let value = value(self);
            self.stat(form, name, value);
        }
    }
}

/// What does not happen here.
fn zero(_: &Turn<'_>) -> String {
    "0".to_owned()
}

fn sum(turn: &Turn<'_>, counter: fn(&MemcacheStats) -> u64) -> String {
    turn.node.sum(|worker| counter(&worker.memcache)).to_string()
}

fn connected(turn: &Turn<'_>) -> u64 {
    let opened = turn.node.sum(|worker| worker.memcache.connections_opened.value());
    let closed = turn.node.sum(|worker| worker.memcache.connections_closed.value());
    opened.saturating_sub(closed)
}
