//! What is counted of requests.

use std::collections::BTreeMap;

use larder_engine::{CommandStats, Latencies, Row};

use crate::sample::{Kind, Samples, Scrape};
use crate::{Metric, clients};

pub(crate) const METRICS: &[Metric] = &[
    Metric {
        name: "larder_requests_total",
        kind: Kind::Counter,
        labels: &["protocol"],
        help: "Requests executed, by protocol: resp or memcached, of whose requests each key counts as one.",
        gather: |scrape, samples| {
            samples.add(&[clients::RESP], scrape.node.requests_executed());
            samples.add(&[clients::MEMCACHED], scrape.node.sum(|worker| worker.memcache.requests.value()));
        },
    },
    Metric {
        name: "larder_command_calls_total",
        kind: Kind::Counter,
        labels: &["command"],
        help: "Requests of the Redis protocol executed, by command.",
        gather: |scrape, samples| counter(scrape, samples, |command| command.calls.value()),
    },
    Metric {
        name: "larder_command_failures_total",
        kind: Kind::Counter,
        labels: &["command"],
        help: "Of those, the ones that were answered with an error.",
        gather: |scrape, samples| counter(scrape, samples, |command| command.failed.value()),
    },
    Metric {
        name: "larder_command_rejections_total",
        kind: Kind::Counter,
        labels: &["command"],
        help: "Requests refused before they were executed: for want of a password, a permission, or arguments.",
        gather: |scrape, samples| counter(scrape, samples, |command| command.rejected.value()),
    },
    Metric {
        name: "larder_command_latency_seconds",
        kind: Kind::Histogram,
        labels: &["command"],
        help: "How long commands took to execute, while latency-tracking is on; each value is known to a thirty-second of itself.",
        gather: |scrape, samples| {
            for row in scrape.node.table.rows() {
                let latencies =
                    scrape.node.stats.iter().map(|worker| &worker.commands[row.index as usize].latency);
                let latencies = Latencies::of(latencies);
                if latencies.total() > 0 {
                    samples.durations(&[&row.full_name()], &latencies);
                }
            }
        },
    },
    Metric {
        name: "larder_command_seconds_total",
        kind: Kind::Counter,
        labels: &["command"],
        help: "Time spent executing commands.",
        gather: |scrape, samples| {
            for (row, nanos) in called(scrape, |command| command.nanos.value()) {
                samples.add(&[&row.full_name()], nanos as f64 / 1e9);
            }
        },
    },
    Metric {
        name: "larder_error_replies_total",
        kind: Kind::Counter,
        labels: &["code"],
        help: "Error replies, by their first word.",
        gather: |scrape, samples| {
            let mut codes = BTreeMap::new();
            for worker in &scrape.node.stats {
                for (code, count) in worker.errors.lock().iter() {
                    *codes.entry(code.clone()).or_insert(0) += count;
                }
            }
            codes.iter().for_each(|(code, count): (_, &u64)| samples.add(&[code], *count));
        },
    },
    Metric {
        name: "larder_contended_requests_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Times that a request found a part of the keyspace in use by another worker, and was tried again.",
        gather: |scrape, samples| samples.only(scrape.node.sum(|worker| worker.contended.value())),
    },
    Metric {
        name: "larder_longest_hold_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "The longest time that a request took without a pause: none has held a part of the keyspace for longer. Brief requests count together, as many as came at once.",
        gather: |scrape, samples| {
            let workers = scrape.node.stats.iter().map(|worker| worker.longest_hold_nanos.value());
            samples.only(workers.max().unwrap_or(0) as f64 / 1e9);
        },
    },
];

/// One counter of every command that was asked for at least once.
fn counter(scrape: &Scrape<'_>, samples: &mut Samples, counter: fn(&CommandStats) -> u64) {
    for (row, count) in called(scrape, counter) {
        samples.add(&[&row.full_name()], count);
    }
}

fn called<'a>(
    scrape: &Scrape<'a>,
    counter: fn(&CommandStats) -> u64,
) -> impl Iterator<Item = (&'a Row, u64)> {
    let node = scrape.node;
    let sum = move |row: &Row, counter: fn(&CommandStats) -> u64| {
        node.sum(|worker| counter(&worker.commands[row.index as usize]))
    };
    let asked_for =
        move |row: &&Row| sum(row, |command| command.calls.value() + command.rejected.value()) > 0;
    node.table.rows().iter().filter(asked_for).map(move |row| (row, sum(row, counter)))
}
