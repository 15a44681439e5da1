//! docs/metrics.md.

use std::fmt::Write as _;

use crate::{Kind, METRICS};

/// The page of all metrics.
#[must_use]
pub fn render_markdown() -> String {
    let mut page = String::from(HEAD);
    for (heading, metrics) in METRICS {
        let _ = write!(
            page,
            "\n## {heading}\n\n| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n"
        );
        for metric in *metrics {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let _ =
                writeln!(page, "| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.help);
        }
    }
    page
}

const HEAD: &str = "\
# Metrics

Generated from the tables in `crates/metrics/src`; `UPDATE=1 cargo test -p larder-metrics` writes it anew.

With the directive `http-port` a node answers HTTP on that port of `http-bind`: `/metrics` in Prometheus's text format, `/healthz` while the \
process lives, `/readyz` while it serves clients. Values are gathered when they are asked for. `config/grafana-dashboard.json` shows them.
";
