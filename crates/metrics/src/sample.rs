//! A look at a node, and what one metric makes of it.

use std::sync::Arc;

use larder_config::Settings;
use larder_engine::{Latencies, Node, StripeTotals, Time, moment};
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, MetricFamily, MetricType};

use crate::Metric;

/// What may be done with the values of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, but for a restart or CONFIG RESETSTAT: its rate says something.
    Counter,
    /// It is what it is at the moment.
    Gauge,
    /// Counts of durations up to each bound.
    Histogram,
}

/// The bounds of histograms, in nanoseconds: from a microsecond to ten seconds.
const BOUNDS_NANOS: &[u64] = &[
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// A node at one moment, with what several metrics need and is not to be gathered twice.
pub(crate) struct Scrape<'a> {
    pub(crate) node: &'a Node,
    pub(crate) settings: Arc<Settings>,
    pub(crate) time: Time,
    pub(crate) stripes: StripeTotals,
}

impl<'a> Scrape<'a> {
    pub(crate) fn new(node: &'a Node) -> Scrape<'a> {
        let (settings, time) = (node.settings(), node.host.time());
        let moment = moment(time.now, &settings);
        let stripes = node.stripe_totals(moment);
        Scrape { node, settings, time, stripes }
    }
}

/// The values of one metric.
pub(crate) struct Samples {
    kind: Kind,
    labels: &'static [&'static str],
    gathered: Vec<prometheus::proto::Metric>,
}

impl Samples {
    /// The family of a metric; none without values.
    pub(crate) fn family(metric: &Metric, scrape: &Scrape<'_>) -> Option<MetricFamily> {
        let mut samples = Samples { kind: metric.kind, labels: metric.labels, gathered: Vec::new() };
        (metric.gather)(scrape, &mut samples);
        if samples.gathered.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(metric.name.to_owned());
        family.set_help(metric.help.to_owned());
        family.set_field_type(match metric.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(samples.gathered);
        Some(family)
    }

    /// Adds the value of a metric that has one only.
    pub(crate) fn only(&mut self, value: impl Number) {
        self.add(&[], value);
    }

    /// Adds a value; its labels have the order of the metric's row.
    pub(crate) fn add(&mut self, labels: &[&str], value: impl Number) {
        let (mut metric, value) = (self.labelled(labels), value.float());
        match self.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            Kind::Histogram => unreachable!("a histogram has durations, not a value"),
        }
        self.gathered.push(metric);
    }

    /// Adds durations.
    pub(crate) fn durations(&mut self, labels: &[&str], durations: &Latencies) {
        let bucket = |nanos: &u64| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*nanos as f64 / 1e9);
            bucket.set_cumulative_count(durations.up_to(*nanos));
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(BOUNDS_NANOS.iter().map(bucket).collect());
        histogram.set_sample_count(durations.total());
        histogram.set_sample_sum(durations.sum_nanos() as f64 / 1e9);
        let mut metric = self.labelled(labels);
        metric.set_histogram(histogram);
        self.gathered.push(metric);
    }

    fn labelled(&self, values: &[&str]) -> prometheus::proto::Metric {
        assert_eq!(values.len(), self.labels.len(), "a value for each label of the row");
        let pair = |(name, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        prometheus::proto::Metric::from_label(self.labels.iter().zip(values).map(pair).collect())
    }
}

/// What a value may be. Prometheus knows only floating-point numbers, which are exact for integers up to 2^53.
pub(crate) trait Number {
    fn float(self) -> f64;
}

impl Number for f64 {
    fn float(self) -> f64 {
        self
    }
}

impl Number for u64 {
    fn float(self) -> f64 {
        self as f64
    }
}

impl Number for usize {
    fn float(self) -> f64 {
        self as f64
    }
}
