//! What a node counts, in the words of Prometheus: one table of metrics, from which both their text and docs/metrics.md follow.
//!
//! Everything is read from the counters of the workers when somebody asks; nothing is counted for it. This crate opens no socket
//! and reads no clock. It names no command: what there is of commands comes from the node's table.

mod clients;
mod commands;
mod document;
mod keyspace;
mod process;
mod sample;

use larder_engine::Node;
use prometheus::TextEncoder;

pub use document::render_markdown;
pub use sample::Kind;

use self::sample::{Samples, Scrape};

/// One row of the table.
#[derive(Debug)]
pub struct Metric {
    /// Its name, with the unit last.
    pub name: &'static str,
    /// What may be done with its values.
    pub kind: Kind,
    /// The labels that tell its values apart.
    pub labels: &'static [&'static str],
    /// What it says, as a sentence.
    pub help: &'static str,
    gather: fn(&Scrape<'_>, &mut Samples),
}

/// Every metric, in groups, each with its heading in the documentation.
pub const METRICS: &[(&str, &[Metric])] = &[
    ("Commands", commands::METRICS),
    ("Keys", keyspace::METRICS),
    ("Clients", clients::METRICS),
    ("Process", process::METRICS),
];

/// The type of what [`render`] returns, for HTTP.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// All metrics of a node, as text. Takes some hundred microseconds: each stripe is locked for a moment, and clients are counted.
#[must_use]
pub fn render(node: &Node) -> String {
    let scrape = Scrape::new(node);
    let metrics = METRICS.iter().flat_map(|(_, metrics)| *metrics);
    // A family without values is no family.
    let families: Vec<_> = metrics.filter_map(|metric| Samples::family(metric, &scrape)).collect();
    TextEncoder::new().encode_to_string(&families).expect("only families with names and values are left")
}
