//! LATENCY DOCTOR: the series in words, with what may help.

use std::fmt::Write as _;

use larder_engine::{Happening, LatencySeries};

use crate::prelude::*;

/// What the doctor says.
pub(super) fn report(cx: &Context<'_>) -> String {
    let threshold = cx.settings.latency_monitor_threshold;
    if threshold == 0 {
        return "Nothing is observed: latency-monitor-threshold is 0. CONFIG SET latency-monitor-threshold <milliseconds> \
                begins to keep what takes longer.\n"
            .to_owned();
    }
    let all = cx.node.latency.all();
    if all.is_empty() {
        return format!("Nothing has taken {threshold} ms or longer since this is observed.\n");
    }
    let mut report = format!("This took {threshold} ms or longer:\n\n");
    for (number, (happening, series)) in all.iter().enumerate() {
        let summary = Summary::of(series);
        // Appending to memory does not fail.
        let _ = writeln!(
            report,
            "{}. {}: {} samples, {:.0} ms on average (mean deviation {:.0} ms), {:.1} seconds apart; the worst ever {} ms.",
            number + 1,
            happening.name(),
            series.samples.len(),
            summary.average,
            summary.deviation,
            summary.seconds_apart,
            series.max_millis,
        );
    }
    report.push_str("\nWhat may help:\n\n");
    for advice in advice(cx, &all) {
        let _ = writeln!(report, "- {advice}");
    }
    report
}

/// What a series comes to.
struct Summary {
    average: f64,
    /// Mean distance from the average.
    deviation: f64,
    /// Mean time between samples.
    seconds_apart: f64,
}

impl Summary {
    fn of(series: &LatencySeries) -> Summary {
        let count = series.samples.len().max(1) as f64;
        let millis = || series.samples.iter().map(|sample| sample.millis as f64);
        let average = millis().sum::<f64>() / count;
        let deviation = millis().map(|sample| (sample - average).abs()).sum::<f64>() / count;
        let span = match (series.samples.front(), series.samples.back()) {
            (Some(first), Some(last)) => (last.second - first.second) as f64,
            _ => 0.0,
        };
        Summary { average, deviation, seconds_apart: span / (count - 1.0).max(1.0) }
    }
}

fn advice(cx: &Context<'_>, all: &[(Happening, LatencySeries)]) -> Vec<String> {
    let has = |happening| all.iter().any(|(seen, _)| *seen == happening);
    let mut advice = Vec::new();
    if has(Happening::Command) {
        let threshold = cx.settings.latency_monitor_threshold;
        let slower_than = cx.settings.slowlog_log_slower_than;
        if u64::try_from(slower_than).is_ok_and(|micros| micros <= threshold.saturating_mul(1000)) {
            advice.push("SLOWLOG GET shows which commands these were, with their arguments.".to_owned());
        } else {
            advice.push(format!(
                "CONFIG SET slowlog-log-slower-than {} has SLOWLOG show which commands these are.",
                threshold.saturating_mul(1000)
            ));
        }
        advice.push("Commands over many keys or of large values are better asked for in parts.".to_owned());
    }
    if has(Happening::FastCommand) {
        advice.push(
            "A command that needs next to no time took long: the machine was busy with something else. Look for other \
             processes, for memory in swap, and for a hypervisor that gives too little time."
                .to_owned(),
        );
    }
    if has(Happening::ExpireCycle) {
        advice.push(
            "Removing keys whose time has come works in pieces of less than a millisecond: if one takes long, the machine \
             was busy with something else."
                .to_owned(),
        );
    }
    advice
}
