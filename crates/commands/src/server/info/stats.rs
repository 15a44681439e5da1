//! The sections made of counters: stats, commandstats, errorstats, latencystats.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use larder_engine::{CommandStats, Latencies, Rate, Row, StripeTotals, Topic};

use super::{Report, ratio};
use crate::prelude::*;

pub(super) fn stats(report: &mut Report, cx: &Context<'_>) {
    let node = cx.node;
    let StripeTotals { expired, expired_fields, evicted, .. } = node.stripe_totals(cx.moment);
    report.field("total_connections_received", node.sum(|worker| worker.connections.value()));
    report.field("total_commands_processed", node.requests_executed());
    report.field("instantaneous_ops_per_sec", node.rates.per_second(Rate::Commands).round());
    report.field("total_net_input_bytes", node.sum(|worker| worker.input_bytes.value()));
    report.field("total_net_output_bytes", node.sum(|worker| worker.output_bytes.value()));
    report.fields(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"], 0);
    for (name, rate) in
        [("instantaneous_input_kbps", Rate::InputBytes), ("instantaneous_output_kbps", Rate::OutputBytes)]
    {
        report.field(name, format_args!("{:.2}", node.rates.per_second(rate) / 1024.0));
    }
    report.fields(&["instantaneous_input_repl_kbps", "instantaneous_output_repl_kbps"], "0.00");
    report.field("rejected_connections", node.rejected_connections.load(Ordering::Relaxed));
    report.fields(&["sync_full", "sync_partial_ok", "sync_partial_err"], 0);
    report.field("expired_keys", expired);
    report.field("expired_fields", expired_fields);
    report.field("expired_stale_perc", "0.00");
    report.field("expired_time_cap_reached_count", 0);
    let expire_nanos = node.sum(|worker| worker.expire_nanos.value());
    report.field("expire_cycle_cpu_milliseconds", expire_nanos / 1_000_000);
    report.field("evicted_keys", evicted);
    report.field("evicted_clients", node.pool.evicted());
    report.field("evicted_scripts", node.scripts.evicted_scripts());
    let (current, total) = node.eviction.exceeded_nanos(node.host.time().nanos);
    report.field("total_eviction_exceeded_time", total / 1_000_000);
    report.field("current_eviction_exceeded_time", current / 1_000_000);
    report.field("keyspace_hits", node.sum(|worker| worker.hits.value()));
    report.field("keyspace_misses", node.sum(|worker| worker.misses.value()));
    report.field("pubsub_channels", node.pubsub.count(Topic::Channel));
    report.field("pubsub_patterns", node.pubsub.count(Topic::Pattern));
    report.field("pubsubshard_channels", node.pubsub.count(Topic::ShardChannel));
    let none = ["latest_fork_usec", "total_forks", "migrate_cached_sockets", "slave_expires_tracked_keys"];
    report.fields(&none, 0);
    let defrag = node.defrag_report();
    // An entry is key and value in one.
    report.fields(&["active_defrag_hits", "active_defrag_key_hits"], defrag.moved);
    report.fields(&["active_defrag_misses", "active_defrag_key_misses"], defrag.stayed);
    report.field("total_active_defrag_time", defrag.nanos / 1_000_000);
    report.field("current_active_defrag_time", defrag.current_nanos / 1_000_000);
    let (keys, items, prefixes) = node.caching.counts();
    report.field("tracking_total_keys", keys);
    report.field("tracking_total_items", items);
    report.field("tracking_total_prefixes", prefixes);
    let errors = error_counts(cx);
    report.field("acl_access_denied_auth", errors.get("WRONGPASS").copied().unwrap_or(0));
    // The one user that there is may do everything.
    report.fields(&["acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"], 0);
    report.field("unexpected_error_replies", 0);
    report.field("total_error_replies", errors.values().sum::<u64>());
    report.field("dump_payload_sanitizations", 0);
    report.field("total_reads_processed", node.sum(|worker| worker.reads.value()));
    report.field("total_writes_processed", node.sum(|worker| worker.writes.value()));
    report.fields(&["io_threaded_reads_processed", "io_threaded_writes_processed"], 0);
    let exceeded = node.sum(|worker| worker.input_limit_exceeded.value());
    report.field("client_query_buffer_limit_disconnections", exceeded);
    report.field("client_output_buffer_limit_disconnections", node.output_limits.exceeded());
    report.fields(&["reply_buffer_shrinks", "reply_buffer_expands"], 0);
    rounds(report, cx);
    report.field("contended_requests", node.sum(|worker| worker.contended.value()));
}

/// What Redis calls cycles of the event loop. Nothing in a worker's round waits, so rounds last as long as the process computes.
fn rounds(report: &mut Report, cx: &Context<'_>) {
    let (node, rates) = (cx.node, &cx.node.rates);
    let commands = node.sum(|worker| worker.commands.iter().map(|command| command.nanos.value()).sum());
    report.field("eventloop_cycles", node.sum(|worker| worker.rounds.value()));
    report.field("eventloop_duration_sum", node.cpu_nanos() / 1000);
    report.field("eventloop_duration_cmd_sum", commands / 1000);
    let (rounds, nanos) = (rates.per_second(Rate::Rounds), rates.per_second(Rate::CpuNanos));
    report.field("instantaneous_eventloop_cycles_per_sec", rounds.round());
    let micros = if rounds > 0.0 { nanos / rounds / 1000.0 } else { 0.0 };
    report.field("instantaneous_eventloop_duration_usec", micros.round());
}

pub(super) fn commands(report: &mut Report, cx: &Context<'_>) {
    for row in cx.node.table.rows() {
        let sum = |counter: fn(&CommandStats) -> u64| cx.node.sum(|worker| counter(counted(worker, row)));
        let calls = sum(|command| command.calls.value());
        let rejected = sum(|command| command.rejected.value());
        let failed = sum(|command| command.failed.value());
        if calls + rejected + failed == 0 {
            continue;
        }
        let micros = sum(|command| command.nanos.value()) / 1000;
        report.line(format_args!(
            "cmdstat_{}:calls={calls},usec={micros},usec_per_call={:.2},rejected_calls={rejected},failed_calls={failed}",
            row.full_name(),
            ratio(micros, calls),
        ));
    }
}

pub(super) fn errors(report: &mut Report, cx: &Context<'_>) {
    for (code, count) in error_counts(cx) {
        report.line(format_args!("errorstat_{code}:count={count}"));
    }
}

pub(super) fn latencies(report: &mut Report, cx: &Context<'_>) {
    if !cx.settings.latency_tracking {
        return;
    }
    for row in cx.node.table.rows() {
        let latencies = Latencies::of(cx.node.stats.iter().map(|worker| &counted(worker, row).latency));
        if latencies.total() == 0 {
            continue;
        }
        let percentiles =
            cx.settings.latency_tracking_info_percentiles.iter().map(|percent| {
                format!("p{percent}={:.3}", latencies.percentile_nanos(*percent) as f64 / 1000.0)
            });
        let percentiles = percentiles.collect::<Vec<_>>().join(",");
        report.line(format_args!("latency_percentiles_usec_{}:{percentiles}", row.full_name()));
    }
}

fn counted<'a>(worker: &'a larder_engine::WorkerStats, row: &Row) -> &'a CommandStats {
    &worker.commands[row.index as usize]
}

fn error_counts(cx: &Context<'_>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for worker in &cx.node.stats {
        for (code, count) in worker.errors.lock().iter() {
            *counts.entry(code.clone()).or_default() += count;
        }
    }
    counts
}
