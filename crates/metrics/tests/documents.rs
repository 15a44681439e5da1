//! What is derived from the table, or names what stands in it, agrees with it.

#![expect(clippy::disallowed_methods, reason = "a test that checks files reads and writes them")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use larder_metrics::{Kind, METRICS, Metric, render_markdown};
use regex::Regex;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn metrics() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().flat_map(|(_, metrics)| *metrics)
}

#[test]
fn docs_metrics_md_is_fresh() {
    let (path, expected) = (root("docs/metrics.md"), render_markdown());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/metrics.md is stale: run UPDATE=1 cargo test -p larder-metrics");
}

#[test]
fn names_are_as_prometheus_wants_them() {
    let (name, mut seen) = (Regex::new("^larder(_[a-z]+)+$").unwrap(), BTreeSet::new());
    for metric in metrics() {
        assert!(name.is_match(metric.name) && seen.insert(metric.name), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
        assert!(metric.help.ends_with('.'), "{}", metric.name);
    }
}
