//! The sections memory and persistence.

use larder_engine::Purpose;

use super::{Report, human, ratio};
use crate::prelude::*;
use crate::server::memory::Figures;

pub(super) fn memory(report: &mut Report, cx: &Context<'_>) {
    let figures = Figures::of(cx);
    let Figures { used, peak, resident, clients, .. } = figures;
    report.bytes("used_memory", used);
    report.bytes("used_memory_rss", resident);
    report.bytes("used_memory_peak", peak);
    report.field("used_memory_peak_perc", percent(used, peak));
    report.field("used_memory_overhead", figures.overhead());
    report.field("used_memory_startup", figures.startup);
    report.field("used_memory_dataset", figures.dataset());
    report.field("used_memory_dataset_perc", percent(figures.dataset(), figures.net()));
    report.field("allocator_allocated", used);
    report.fields(&["allocator_active", "allocator_resident"], resident);
    report.field("allocator_muzzy", 0);
    report.bytes("total_system_memory", cx.node.host.machine_memory());
    // What interpreters take is counted as used memory, but not told apart: each worker has its own.
    report.fields(&["used_memory_lua", "used_memory_vm_eval"], 0);
    report.field("used_memory_lua_human", human(0));
    let libraries = cx.node.scripts.libraries();
    let (scripts, script_bytes) = cx.node.scripts.script_totals();
    report.field("used_memory_scripts_eval", script_bytes);
    report.field("number_of_cached_scripts", scripts);
    report.field("number_of_functions", libraries.function_count());
    report.field("number_of_libraries", libraries.iter().len());
    report.field("used_memory_vm_functions", 0);
    report.bytes("used_memory_vm_total", 0);
    report.field("used_memory_functions", libraries.bytes());
    report.bytes("used_memory_scripts", (script_bytes + libraries.bytes()) as u64);
    report.bytes("maxmemory", cx.settings.maxmemory);
    report.field("maxmemory_policy", cx.settings.maxmemory_policy.name());
    // The allocator keeps what it has from the system, and the process has next to nothing beside it.
    report.field("allocator_frag_ratio", format_args!("{:.2}", ratio(resident, used)));
    report.field("allocator_frag_bytes", i128::from(resident) - i128::from(used));
    for name in ["allocator_rss", "rss_overhead"] {
        report.line(format_args!("{name}_ratio:1.00"));
        report.line(format_args!("{name}_bytes:0"));
    }
    report.field("mem_fragmentation_ratio", format_args!("{:.2}", ratio(resident, used)));
    report.field("mem_fragmentation_bytes", i128::from(resident) - i128::from(used));
    report.field("mem_not_counted_for_evict", cx.node.pool.all_bytes() + cx.node.spared_bytes());
    let none = ["mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves"];
    report.fields(&none, 0);
    report.field("mem_clients_normal", clients);
    report.field("mem_cluster_links", 0);
    report.field("mem_aof_buffer", cx.node.append_log.pending_bytes());
    report.field("mem_overhead_db_hashtable_rehashing", 0);
    report.field("mem_tables", figures.table_bytes());
    report.field("mem_allocator", "mimalloc");
    report.field("active_defrag_running", cx.node.defrag_report().running);
    let (freed, waiting) = cx.node.keyspace.background_frees();
    report.field("lazyfree_pending_objects", waiting);
    report.field("lazyfreed_objects", freed);
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", 100.0 * ratio(part, whole))
}

/// Whole seconds; -1 for none.
fn seconds(millis: Option<u64>) -> i64 {
    millis.map_or(-1, |millis| (millis / 1000) as i64)
}

fn millis_since(began: Option<UnixMillis>, now: UnixMillis) -> Option<u64> {
    began.map(|at| u64::try_from(now.saturating_millis_since(at)).unwrap_or(0))
}

fn status(is_good: bool) -> &'static str {
    if is_good { "ok" } else { "err" }
}

/// The append log's part of the section.
fn append_log(report: &mut Report, cx: &Context<'_>) {
    let (node, log) = (cx.node, cx.node.append_log.report());
    let running = millis_since(node.snapshots.report().since(Purpose::LogBase), cx.now());
    report.field("aof_enabled", u8::from(node.append_log.is_on()));
    report.field("aof_rewrite_in_progress", u8::from(running.is_some()));
    report.field("aof_rewrite_scheduled", u8::from(node.rewriting.is_wanted()));
    report.field("aof_last_rewrite_time_sec", seconds(log.last_rewrite_millis));
    report.field("aof_current_rewrite_time_sec", seconds(running));
    report.field("aof_last_bgrewrite_status", status(log.last_rewrite_is_good));
    report.field("aof_rewrites", log.rewrites);
    report.field("aof_rewrites_consecutive_failures", log.rewrite_failures);
    report.field("aof_last_write_status", status(!node.append_log.is_failing()));
    report.field("aof_last_cow_size", 0);
    if node.append_log.is_on() {
        report.field("aof_current_size", log.bytes);
        report.field("aof_base_size", log.base_bytes);
        report.field("aof_pending_rewrite", u8::from(node.rewriting.is_wanted()));
        report.field("aof_buffer_length", node.append_log.pending_bytes());
        report.field("aof_pending_bio_fsync", 0);
        report.field("aof_delayed_fsync", log.delayed_syncs);
    }
}

pub(super) fn persistence(report: &mut Report, cx: &Context<'_>) {
    let (node, now) = (cx.node, cx.now());
    let (snapshots, (done, total)) = (node.snapshots.report(), node.snapshots.progress());
    let running = snapshots.began_at.is_some();
    let saving = millis_since(snapshots.since(Purpose::Snapshot), now);
    let preserved = node.keyspace.preserved_bytes();
    let loading = node.loading.report(now);
    report.field("loading", u8::from(loading.is_some()));
    report.field("async_loading", 0);
    report.fields(&["current_cow_peak", "current_cow_size"], preserved);
    report.field("current_cow_size_age", 0);
    let percent = if running { 100.0 * ratio(done, total) } else { 0.0 };
    report.field("current_fork_perc", format_args!("{percent:.2}"));
    let (done, total) = if running { (done, total) } else { (0, 0) };
    report.field("current_save_keys_processed", done);
    report.field("current_save_keys_total", total);
    let changes = node.stripe_totals(cx.moment).changes.saturating_sub(snapshots.saved_changes);
    report.field("rdb_changes_since_last_save", changes);
    report.field("rdb_bgsave_in_progress", u8::from(saving.is_some()));
    report.field("rdb_last_save_time", snapshots.last_good_at.0 / 1000);
    report.field("rdb_last_bgsave_status", status(snapshots.last_is_good));
    report.field("rdb_last_bgsave_time_sec", seconds(snapshots.last_millis));
    report.field("rdb_current_bgsave_time_sec", seconds(saving));
    report.field("rdb_saves", snapshots.good);
    report.field("rdb_last_cow_size", 0);
    let (expired, loaded) = node.snapshots.loaded();
    report.field("rdb_last_load_keys_expired", expired);
    report.field("rdb_last_load_keys_loaded", loaded);
    append_log(report, cx);
    report.fields(&["module_fork_in_progress", "module_fork_last_cow_size"], 0);
    if let Some(loading) = loading {
        report.field("loading_start_time", loading.began_at.0 / 1000);
        report.field("loading_total_bytes", loading.total_bytes);
        report.field("loading_rdb_used_mem", 0);
        report.field("loading_loaded_bytes", loading.loaded_bytes);
        report.field("loading_loaded_perc", format_args!("{:.2}", loading.percent));
        report.field("loading_eta_seconds", loading.eta_seconds);
    }
}
