//! The sections memory and persistence.

use larder_store::STRIPES;

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
    report.field("mem_not_counted_for_evict", cx.node.pool.all_bytes());
    let none = ["mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves"];
    report.fields(&none, 0);
    report.field("mem_clients_normal", clients);
    report.fields(&["mem_cluster_links", "mem_aof_buffer", "mem_overhead_db_hashtable_rehashing"], 0);
    report.field("mem_tables", figures.table_bytes());
    report.field("mem_allocator", "mimalloc");
    report.field("active_defrag_running", 0);
    let (freed, waiting) = cx.node.keyspace.background_frees();
    report.field("lazyfree_pending_objects", waiting);
    report.field("lazyfreed_objects", freed);
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", 100.0 * ratio(part, whole))
}

/// Nothing is kept on disk: changes since the start are changes since the last snapshot, which was never made.
pub(super) fn persistence(report: &mut Report, cx: &Context<'_>) {
    let keyspace = &cx.node.keyspace;
    let changes: u64 = (0..STRIPES).map(|index| keyspace.lock(index, cx.moment).side().changes).sum();
    let none = ["loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"];
    report.fields(&none, 0);
    report.field("current_fork_perc", "0.00");
    report.fields(&["current_save_keys_processed", "current_save_keys_total"], 0);
    report.field("rdb_changes_since_last_save", changes);
    report.field("rdb_bgsave_in_progress", 0);
    report.field("rdb_last_save_time", cx.node.identity.started_at.0 / 1000);
    report.field("rdb_last_bgsave_status", "ok");
    report.fields(&["rdb_last_bgsave_time_sec", "rdb_current_bgsave_time_sec"], -1);
    let none = ["rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"];
    report.fields(&none, 0);
    report.fields(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"], 0);
    report.fields(&["aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec"], -1);
    report.field("aof_last_bgrewrite_status", "ok");
    report.fields(&["aof_rewrites", "aof_rewrites_consecutive_failures"], 0);
    report.field("aof_last_write_status", "ok");
    report.field("aof_last_cow_size", 0);
    report.fields(&["module_fork_in_progress", "module_fork_last_cow_size"], 0);
}
