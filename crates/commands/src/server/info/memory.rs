//! The sections memory and persistence.

use std::sync::atomic::Ordering;

use larder_engine::{Client, SharedClient};
use larder_store::{DbIndex, STRIPES};

use super::{Report, human, ratio};
use crate::prelude::*;

pub(super) fn memory(report: &mut Report, cx: &Context<'_>) {
    let host = &cx.node.host;
    let (used, peak, resident) = (host.used_memory(), host.peak_memory(), host.resident_memory());
    let startup = cx.node.startup_memory.load(Ordering::Relaxed);
    let (tables, clients) = (table_bytes(cx), client_bytes(cx));
    let overhead = startup + tables + clients;
    let dataset = used.saturating_sub(overhead);
    report.bytes("used_memory", used);
    report.bytes("used_memory_rss", resident);
    report.bytes("used_memory_peak", peak);
    report.field("used_memory_peak_perc", percent(used, peak));
    report.field("used_memory_overhead", overhead);
    report.field("used_memory_startup", startup);
    report.field("used_memory_dataset", dataset);
    report.field("used_memory_dataset_perc", percent(dataset, used.saturating_sub(startup)));
    report.field("allocator_allocated", used);
    report.fields(&["allocator_active", "allocator_resident"], resident);
    report.bytes("total_system_memory", host.machine_memory());
    // There are neither scripts nor functions.
    let none = [
        "used_memory_lua",
        "used_memory_vm_eval",
        "used_memory_scripts_eval",
        "number_of_cached_scripts",
        "number_of_functions",
        "number_of_libraries",
        "used_memory_vm_functions",
        "used_memory_vm_total",
        "used_memory_functions",
        "used_memory_scripts",
    ];
    report.fields(&none, 0);
    report.field("maxmemory", cx.settings.maxmemory);
    report.field("maxmemory_human", human(cx.settings.maxmemory));
    report.field("maxmemory_policy", cx.settings.maxmemory_policy.name());
    report.field("mem_fragmentation_ratio", format_args!("{:.2}", ratio(resident, used)));
    report.field("mem_fragmentation_bytes", i128::from(resident) - i128::from(used));
    let none = [
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
        "mem_cluster_links",
        "mem_aof_buffer",
    ];
    report.fields(&none, 0);
    report.field("mem_clients_normal", clients);
    report.field("mem_tables", tables);
    report.field("mem_allocator", "mimalloc");
    report.field("active_defrag_running", 0);
    let (freed, waiting) = cx.node.keyspace.background_frees();
    report.field("lazyfree_pending_objects", waiting);
    report.field("lazyfreed_objects", freed);
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", 100.0 * ratio(part, whole))
}

/// Bytes of tables and time indexes.
fn table_bytes(cx: &Context<'_>) -> u64 {
    let keyspace = &cx.node.keyspace;
    let dbs: Vec<DbIndex> =
        (0..keyspace.databases() as u32).map(DbIndex).filter(|db| keyspace.len(*db) > 0).collect();
    if dbs.is_empty() {
        return 0;
    }
    let mut bytes = 0;
    for index in 0..STRIPES {
        let stripe = keyspace.lock(index, cx.moment);
        bytes += dbs.iter().map(|db| stripe.overhead_bytes(*db)).sum::<usize>();
    }
    bytes as u64
}

/// Bytes of clients and their buffers.
fn client_bytes(cx: &Context<'_>) -> u64 {
    let one = size_of::<Client>() + size_of::<SharedClient>();
    let buffers = |client: &SharedClient| {
        client.query_bytes.load(Ordering::Relaxed) + client.output_bytes.load(Ordering::Relaxed)
    };
    cx.node.clients.iter().map(|client| one as u64 + buffers(&client)).sum()
}

/// Nothing is kept on disk: changes since the start are changes since the last snapshot, which was never made.
pub(super) fn persistence(report: &mut Report, cx: &Context<'_>) {
    let keyspace = &cx.node.keyspace;
    let changes: u64 = (0..STRIPES).map(|index| keyspace.lock(index, cx.moment).side().changes).sum();
    let none = [
        "loading",
        "async_loading",
        "current_cow_peak",
        "current_cow_size",
        "current_cow_size_age",
        "current_save_keys_processed",
        "current_save_keys_total",
    ];
    report.fields(&none, 0);
    report.field("current_fork_perc", "0.00");
    report.field("rdb_changes_since_last_save", changes);
    report.field("rdb_bgsave_in_progress", 0);
    report.field("rdb_last_save_time", cx.node.identity.started_at.0 / 1000);
    report.field("rdb_last_bgsave_status", "ok");
    report.fields(&["rdb_last_bgsave_time_sec", "rdb_current_bgsave_time_sec"], -1);
    let none = ["rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"];
    report.fields(&none, 0);
    report.fields(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"], 0);
    report.fields(&["aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec"], -1);
    report.fields(&["aof_last_bgrewrite_status", "aof_last_write_status"], "ok");
    report.fields(&["aof_rewrites", "aof_rewrites_consecutive_failures", "aof_last_cow_size"], 0);
    report.fields(&["module_fork_in_progress", "module_fork_last_cow_size"], 0);
}
