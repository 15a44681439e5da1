//! What is counted of keys and memory.

use std::sync::atomic::Ordering;

use larder_store::{DbIndex, STRIPES};

use crate::Metric;
use crate::sample::{Kind, Samples, Scrape};

pub(crate) const METRICS: &[Metric] = &[
    Metric {
        name: "larder_keys",
        kind: Kind::Gauge,
        labels: &["db"],
        help: "Keys, by database; databases without any are left out.",
        gather: |scrape, samples| {
            for db in databases(scrape) {
                samples.add(&[&db.0.to_string()], scrape.node.keyspace.len(db));
            }
        },
    },
    Metric {
        name: "larder_keys_expiring",
        kind: Kind::Gauge,
        labels: &["db"],
        help: "Keys with a time to live, by database.",
        gather: expiring,
    },
    Metric {
        name: "larder_keyspace_hits_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Reads that found their key, of either protocol.",
        gather: |scrape, samples| samples.only(scrape.node.sum(|worker| worker.hits.value())),
    },
    Metric {
        name: "larder_keyspace_misses_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Reads that did not.",
        gather: |scrape, samples| samples.only(scrape.node.sum(|worker| worker.misses.value())),
    },
    Metric {
        name: "larder_key_changes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Changes of keys.",
        gather: |scrape, samples| samples.only(scrape.stripes.changes),
    },
    Metric {
        name: "larder_expired_keys_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Keys that went because their time had come.",
        gather: |scrape, samples| samples.only(scrape.stripes.expired),
    },
    Metric {
        name: "larder_expired_fields_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Fields of hashes that went because their time had come.",
        gather: |scrape, samples| samples.only(scrape.stripes.expired_fields),
    },
    Metric {
        name: "larder_evicted_keys_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Keys that went because memory was short.",
        gather: |scrape, samples| samples.only(scrape.stripes.evicted),
    },
    Metric {
        name: "larder_expiry_lag_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "How long ago all keys whose time had come were gone; up to some hundredths of a second, their removal is on time.",
        gather: expiry_lag,
    },
    Metric {
        name: "larder_memory_used_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Memory allocated, each block with its whole size class.",
        gather: |scrape, samples| samples.only(scrape.node.host.used_memory()),
    },
    Metric {
        name: "larder_memory_peak_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "The most that this has been.",
        gather: |scrape, samples| samples.only(scrape.node.host.peak_memory()),
    },
    Metric {
        name: "larder_memory_resident_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Memory that the process occupies (resident set).",
        gather: |scrape, samples| samples.only(scrape.node.host.resident_memory()),
    },
    Metric {
        name: "larder_memory_limit_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "The directive maxmemory; 0 is no limit.",
        gather: |scrape, samples| samples.only(scrape.settings.maxmemory),
    },
    Metric {
        name: "larder_background_frees_pending",
        kind: Kind::Gauge,
        labels: &[],
        help: "Large values and tables that wait to be freed in the background.",
        gather: |scrape, samples| samples.only(scrape.node.keyspace.background_frees().1),
    },
];

/// That of the worker that is furthest behind.
fn expiry_lag(scrape: &Scrape<'_>, samples: &mut Samples) {
    let started = scrape.node.identity.started_at.0;
    let workers = scrape.node.stats.iter().take(scrape.node.workers());
    let until = workers.map(|worker| worker.expired_until.load(Ordering::Relaxed).max(started));
    let lag_millis = until.min().map_or(0, |until| scrape.time.now.0.saturating_sub(until).max(0));
    samples.only(lag_millis as f64 / 1e3);
}

/// The databases that hold something.
fn databases(scrape: &Scrape<'_>) -> impl Iterator<Item = DbIndex> {
    let keyspace = &scrape.node.keyspace;
    (0..keyspace.databases() as u32).map(DbIndex).filter(|db| keyspace.len(*db) > 0)
}

fn expiring(scrape: &Scrape<'_>, samples: &mut Samples) {
    let keyspace = &scrape.node.keyspace;
    let moment = larder_engine::moment(scrape.time.now, &scrape.settings);
    for db in databases(scrape) {
        let mut keys = 0;
        let mut next = keyspace.next_occupied(db, 0);
        while let Some(index) = next {
            keys += keyspace.lock(index, moment).expiring(db);
            next = (index + 1 < STRIPES).then(|| keyspace.next_occupied(db, index + 1)).flatten();
        }
        samples.add(&[&db.0.to_string()], keys);
    }
}
