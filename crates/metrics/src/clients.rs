//! What is counted of clients and the network.

use std::sync::atomic::Ordering;

use larder_engine::{SharedClient, WorkerStats};

use crate::Metric;
use crate::sample::{Kind, Samples, Scrape};

pub(crate) const RESP: &str = "resp";
pub(crate) const MEMCACHED: &str = "memcached";

pub(crate) const METRICS: &[Metric] = &[
    Metric {
        name: "larder_connected_clients",
        kind: Kind::Gauge,
        labels: &["protocol"],
        help: "Clients connected, by protocol: resp2, resp3 or memcached.",
        gather: connected,
    },
    Metric {
        name: "larder_connections_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Connections accepted.",
        gather: |scrape, samples| samples.only(scrape.node.sum(|worker| worker.connections.value())),
    },
    Metric {
        name: "larder_rejected_connections_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Connections refused: there were maxclients already, or protected-mode kept them out.",
        gather: |scrape, samples| {
            samples.only(scrape.node.rejected_connections.load(Ordering::Relaxed));
        },
    },
    Metric {
        name: "larder_clients_limit",
        kind: Kind::Gauge,
        labels: &[],
        help: "The directive maxclients.",
        gather: |scrape, samples| samples.only(u64::from(scrape.settings.maxclients)),
    },
    Metric {
        name: "larder_network_input_bytes_total",
        kind: Kind::Counter,
        labels: &["protocol"],
        help: "Bytes read from clients, by protocol: resp or memcached.",
        gather: |scrape, samples| {
            by_protocol(scrape, samples, |worker| {
                (worker.input_bytes.value(), worker.memcache_input_bytes.value())
            });
        },
    },
    Metric {
        name: "larder_network_output_bytes_total",
        kind: Kind::Counter,
        labels: &["protocol"],
        help: "Bytes written to clients, by protocol: resp or memcached.",
        gather: |scrape, samples| {
            by_protocol(scrape, samples, |worker| {
                (worker.output_bytes.value(), worker.memcache_output_bytes.value())
            });
        },
    },
    Metric {
        name: "larder_client_input_buffer_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Unfinished requests of all clients together.",
        gather: |scrape, samples| {
            samples.only(sum(scrape, |client| client.query_bytes.load(Ordering::Relaxed)))
        },
    },
    Metric {
        name: "larder_client_memory_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Memory of all clients that may be disconnected for it, with their buffers, transactions and subscriptions.",
        gather: |scrape, samples| samples.only(scrape.node.pool.bytes()),
    },
    Metric {
        name: "larder_client_memory_limit_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "What that must not reach, as the directive maxmemory-clients says; 0 is no limit.",
        gather: |scrape, samples| samples.only(scrape.node.pool.limit().unwrap_or(0)),
    },
    Metric {
        name: "larder_evicted_clients_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Clients disconnected because the memory of clients reached its limit.",
        gather: |scrape, samples| samples.only(scrape.node.pool.evicted()),
    },
    Metric {
        name: "larder_client_output_buffer_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Replies that clients have yet to take, all together.",
        gather: |scrape, samples| {
            samples.only(sum(scrape, |client| client.output_bytes.load(Ordering::Relaxed)))
        },
    },
];

fn connected(scrape: &Scrape<'_>, samples: &mut Samples) {
    let memcached = scrape.node.sum(|worker| worker.memcache.connections_opened.value());
    let memcached =
        memcached.saturating_sub(scrape.node.sum(|worker| worker.memcache.connections_closed.value()));
    let resp3 = sum(scrape, |client| u64::from(client.protocol.load(Ordering::Relaxed) == 3));
    // Clients of memcached are registered with the number that RESP begins with.
    let others = sum(scrape, |_| 1).saturating_sub(resp3);
    samples.add(&["resp2"], others.saturating_sub(memcached));
    samples.add(&["resp3"], resp3);
    samples.add(&[MEMCACHED], memcached);
}

/// What workers count of both protocols together and of memcached's alone, told apart.
fn by_protocol(scrape: &Scrape<'_>, samples: &mut Samples, counters: fn(&WorkerStats) -> (u64, u64)) {
    let memcached = scrape.node.sum(|worker| counters(worker).1);
    let both = scrape.node.sum(|worker| counters(worker).0);
    samples.add(&[RESP], both.saturating_sub(memcached));
    samples.add(&[MEMCACHED], memcached);
}

fn sum(scrape: &Scrape<'_>, of: impl Fn(&SharedClient) -> u64) -> u64 {
    scrape.node.clients.iter().filter(|client| !client.is_ended()).map(|client| of(&client)).sum()
}
