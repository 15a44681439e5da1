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

/// Every text of a JSON document.
fn texts<'a>(json: &'a serde_json::Value, into: &mut Vec<&'a str>) {
    match json {
        serde_json::Value::String(text) => into.push(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        serde_json::Value::Object(fields) => fields.values().for_each(|field| texts(field, into)),
        _ => {}
    }
}

#[test]
fn the_dashboard_names_only_what_there_is() {
    let text = std::fs::read_to_string(root("config/grafana-dashboard.json")).expect("the dashboard");
    let (json, mut all) = (serde_json::from_str(&text).expect("JSON"), Vec::new());
    texts(&json, &mut all);
    let name = Regex::new("larder_[a-z_]+").unwrap();
    let named: BTreeSet<&str> =
        all.iter().flat_map(|text| name.find_iter(text)).map(|found| found.as_str()).collect();
    let known = |named: &str| {
        metrics().any(|metric| match metric.kind {
            Kind::Histogram => {
                ["_bucket", "_count", "_sum"].iter().any(|part| named.strip_suffix(part) == Some(metric.name))
            }
            Kind::Counter | Kind::Gauge => named == metric.name,
        })
    };
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(known(name), "config/grafana-dashboard.json asks for {name}, which there is not");
    }
}

/// Labels that an expression groups by, or that a legend shows, belong to a metric of the panel.
#[test]
fn the_dashboard_groups_by_labels_that_there_are() {
    let text = std::fs::read_to_string(root("config/grafana-dashboard.json")).expect("the dashboard");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let (name, label) =
        (Regex::new("larder_[a-z_]+").unwrap(), Regex::new(r"by \((\w+)\)|\{\{(\w+)\}\}").unwrap());
    for target in
        json["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap())
    {
        let (expression, legend) =
            (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap());
        let mut labels = BTreeSet::from(["instance", "le"]);
        for found in name.find_iter(expression) {
            let metric = metrics().find(|metric| found.as_str().starts_with(metric.name));
            labels.extend(metric.into_iter().flat_map(|metric| metric.labels));
        }
        for text in [expression, legend] {
            for found in label.captures_iter(text) {
                let found = found.get(1).or(found.get(2)).unwrap().as_str();
                assert!(labels.contains(found), "{expression}: {found}");
            }
        }
    }
}
