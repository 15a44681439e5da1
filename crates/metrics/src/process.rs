//! What is known of the process.

use crate::Metric;
use crate::sample::Kind;

pub(crate) const METRICS: &[Metric] = &[
    Metric {
        name: "larder_build_info",
        kind: Kind::Gauge,
        labels: &["version", "arch", "driver"],
        help: "What runs: its version, the processor that it is built for, and how it serves clients. The value is always 1.",
        gather: |scrape, samples| {
            let driver = scrape.node.identity.multiplexing_api;
            samples.add(&[env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, driver], 1_u64);
        },
    },
    Metric {
        name: "larder_start_time_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "When the process started, in seconds since 1970.",
        gather: |scrape, samples| samples.only(scrape.node.identity.started_at.0 as f64 / 1e3),
    },
    Metric {
        name: "larder_uptime_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "How long it has run since.",
        gather: |scrape, samples| {
            let millis = scrape.time.now.0.saturating_sub(scrape.node.identity.started_at.0);
            samples.only(millis as f64 / 1e3);
        },
    },
    Metric {
        name: "larder_cpu_seconds_total",
        kind: Kind::Counter,
        labels: &["mode"],
        help: "Processor time used by all threads, in user and in system mode.",
        gather: |scrape, samples| {
            let (system, user) = scrape.node.host.cpu_seconds();
            samples.add(&["system"], system);
            samples.add(&["user"], user);
        },
    },
    Metric {
        name: "larder_worker_cpu_seconds_total",
        kind: Kind::Counter,
        labels: &["worker"],
        help: "Processor time used by each worker; its rate is the share of time in which the worker is busy.",
        gather: |scrape, samples| {
            for (worker, seconds) in scrape.node.host.worker_cpu_seconds().into_iter().enumerate() {
                samples.add(&[&worker.to_string()], seconds);
            }
        },
    },
    Metric {
        name: "larder_workers",
        kind: Kind::Gauge,
        labels: &[],
        help: "Threads that serve clients.",
        gather: |scrape, samples| samples.only(scrape.node.workers()),
    },
];
