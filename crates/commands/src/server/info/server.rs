//! The sections about the process: server, clients, replication, cpu, cluster.

use std::sync::atomic::Ordering;

use larder_engine::{CachingState, Waiting};

use super::Report;
use crate::prelude::*;
use crate::server::COMPATIBLE_VERSION;

pub(super) fn server(report: &mut Report, cx: &Context<'_>) {
    let (identity, settings, now) = (&cx.node.identity, cx.settings, cx.now().0);
    let uptime_seconds = now.saturating_sub(identity.started_at.0) / 1000;
    report.field("redis_version", COMPATIBLE_VERSION);
    report.field("server_name", "larder");
    report.field("larder_version", env!("CARGO_PKG_VERSION"));
    // Neither is known of a binary, and clients that ask for them want digits.
    report.field("redis_git_sha1", "00000000");
    report.field("redis_git_dirty", 0);
    report.field("redis_build_id", format_args!("{:x}", build_id()));
    report.field("redis_mode", "standalone");
    report.field("os", cx.node.host.system());
    report.field("arch_bits", usize::BITS);
    report.field("monotonic_clock", "POSIX clock_gettime");
    report.field("multiplexing_api", identity.multiplexing_api);
    report.field("atomicvar_api", "rust-builtin");
    report.field("gcc_version", "0.0.0");
    report.field("process_id", identity.process_id);
    report.field("process_supervised", identity.supervised);
    report.field("run_id", &identity.run_id);
    report.field("tcp_port", settings.port);
    report.field("server_time_usec", cx.node.host.unix_micros());
    report.field("uptime_in_seconds", uptime_seconds);
    report.field("uptime_in_days", uptime_seconds / 86_400);
    report.fields(&["hz", "configured_hz"], settings.hz);
    report.field("lru_clock", (now / 1000) & 0xFF_FFFF);
    report.field("executable", &identity.executable);
    report.field("config_file", &identity.config_file);
    report.field("io_threads_active", 0);
    report.field("worker_threads", cx.node.workers());
    for (number, listener) in listeners(cx).iter().enumerate() {
        report.line(format_args!("listener{number}:{listener}"));
    }
}

/// Tells builds apart as far as they are known to differ: by version, platform and profile (FNV-1a).
fn build_id() -> u64 {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let parts = [env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH, profile];
    let bytes = parts.iter().flat_map(|part| part.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What is listened on, as the settings say.
fn listeners(cx: &Context<'_>) -> Vec<String> {
    let settings = cx.settings;
    let addresses: String = settings.bind.iter().map(|address| format!("bind={address},")).collect();
    let mut listeners = Vec::new();
    for (name, port) in [("tcp", settings.port), ("memcached", settings.memcached_port)] {
        if port != 0 {
            listeners.push(format!("name={name},{addresses}port={port}"));
        }
    }
    for (name, path) in [("unix", &settings.unixsocket), ("memcached-unix", &settings.memcached_unixsocket)] {
        if !path.is_empty() {
            listeners.push(format!("name={name},bind={path}"));
        }
    }
    listeners
}

pub(super) fn clients(report: &mut Report, cx: &Context<'_>) {
    let (mut connected, mut blocked, mut with_deadline) = (0, 0, 0);
    let (mut watching, mut watched, mut caching, mut subscribers) = (0, 0, 0, 0);
    let (mut most_input, mut most_output) = cx.node.recent_peaks();
    for client in cx.node.clients.iter().filter(|client| !client.is_ended()) {
        connected += 1;
        match client.waiting() {
            Waiting::No => {}
            Waiting::BlockedUntil => (blocked, with_deadline) = (blocked + 1, with_deadline + 1),
            _ => blocked += 1,
        }
        let keys = client.watched.load(Ordering::Relaxed);
        (watching, watched) = (watching + u64::from(keys > 0), watched + keys);
        subscribers += usize::from(client.is_subscriber());
        caching += usize::from(client.caching.has(CachingState::ON));
        most_input = client.query_bytes.load(Ordering::Relaxed).max(most_input);
        most_output = client.output_bytes.load(Ordering::Relaxed).max(most_output);
    }
    report.field("connected_clients", connected);
    report.field("cluster_connections", 0);
    report.field("maxclients", cx.settings.maxclients);
    report.field("client_recent_max_input_buffer", most_input);
    report.field("client_recent_max_output_buffer", most_output);
    report.field("blocked_clients", blocked);
    report.field("tracking_clients", caching);
    report.field("pubsub_clients", subscribers);
    report.field("watching_clients", watching);
    report.field("clients_in_timeout_table", with_deadline);
    report.field("total_watched_keys", watched);
    let (blocking, blocking_on_no_key) = cx.node.blocking.keys();
    report.field("total_blocking_keys", blocking);
    report.field("total_blocking_keys_on_nokey", blocking_on_no_key);
}

pub(super) fn replication(report: &mut Report, cx: &Context<'_>) {
    report.field("role", "master");
    report.field("connected_slaves", 0);
    report.field("master_failover_state", "no-failover");
    report.field("master_replid", cx.node.replication_id());
    report.field("master_replid2", "0".repeat(40));
    report.field("master_repl_offset", 0);
    report.field("second_repl_offset", -1);
    let none = [
        "repl_backlog_active",
        "repl_backlog_size",
        "repl_backlog_first_byte_offset",
        "repl_backlog_histlen",
    ];
    report.fields(&none, 0);
}

pub(super) fn cpu(report: &mut Report, cx: &Context<'_>) {
    let (system, user) = cx.node.host.cpu_seconds();
    report.field("used_cpu_sys", format_args!("{system:.6}"));
    report.field("used_cpu_user", format_args!("{user:.6}"));
    report.fields(&["used_cpu_sys_children", "used_cpu_user_children"], "0.000000");
    let (system, user) = cx.node.host.main_thread_cpu_seconds();
    report.field("used_cpu_sys_main_thread", format_args!("{system:.6}"));
    report.field("used_cpu_user_main_thread", format_args!("{user:.6}"));
}

pub(super) fn cluster(report: &mut Report, _: &Context<'_>) {
    report.field("cluster_enabled", 0);
}
