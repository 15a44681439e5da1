//! LATENCY GRAPH: the samples of an event as a picture, the latest on the right.

use std::fmt::Write as _;

use larder_engine::LatencySeries;

/// Lines that the highest column takes.
const HEIGHT: u64 = 4;
/// Samples that fit on a line of a terminal.
const WIDTH: usize = 80;
/// What a column ends in above its last whole line: nothing, a third, two thirds.
const TIPS: [char; 3] = [' ', '_', 'o'];

/// Draws a series; below each column stands, from top to bottom, how long ago it was.
pub(super) fn draw(name: &str, series: &LatencySeries, now: i64) -> String {
    let shown = series.samples.iter().skip(series.samples.len().saturating_sub(WIDTH));
    let columns: Vec<(u64, String)> =
        shown.map(|sample| (sample.millis, ago(now.saturating_sub(sample.second)))).collect();
    let high = columns.iter().map(|(millis, _)| *millis).max().unwrap_or(0);
    let low = columns.iter().map(|(millis, _)| *millis).min().unwrap_or(0);
    let mut picture = String::new();
    // Appending to memory does not fail.
    let _ = writeln!(
        picture,
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}",
        series.max_millis,
        "-".repeat(WIDTH)
    );
    let lines = (0..HEIGHT)
        .rev()
        .map(|line| columns.iter().map(|(millis, _)| cell(*millis, low, high, line)).collect());
    let label_lines = columns.iter().map(|(_, ago)| ago.len()).max().unwrap_or(0);
    let labels = (0..label_lines).map(|line| {
        columns
            .iter()
            .map(|(_, ago)| ago.as_bytes().get(line).map_or(' ', |byte| char::from(*byte)))
            .collect()
    });
    for line in lines.chain(std::iter::once(String::new())).chain(labels) {
        picture.push_str(line.trim_end());
        picture.push('\n');
    }
    picture
}

/// What a column has on a line, counted from the lowest one: a scale from the smallest to the largest sample.
fn cell(millis: u64, low: u64, high: u64, line: u64) -> char {
    let tips = TIPS.len() as u64;
    let filled = match high - low {
        0 => HEIGHT * tips,
        range => (u128::from(millis - low) * u128::from(HEIGHT * tips) / u128::from(range)) as u64,
    };
    match filled.checked_sub(line * tips) {
        Some(rest) if rest >= tips => '|',
        // The lowest one still shows that there is something.
        Some(0) | None if line == 0 => '_',
        Some(rest) => TIPS[rest as usize],
        None => ' ',
    }
}

/// Seconds in the largest unit of which there is at least one.
fn ago(seconds: i64) -> String {
    const UNITS: [(i64, char); 3] = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    match UNITS.iter().find(|(unit, _)| seconds >= *unit) {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{}s", seconds.max(0)),
    }
}

#[cfg(test)]
mod tests {
    use larder_engine::LatencySample;

    use super::*;

    #[test]
    fn columns_rise_with_the_samples() {
        let samples = [(1000, 100), (1060, 400), (1090, 250)];
        let samples = samples.map(|(second, millis)| LatencySample { second, millis });
        let series = LatencySeries { samples: samples.into(), max_millis: 900 };
        let picture = draw("command", &series, 1100);
        let line = "-".repeat(WIDTH);
        assert_eq!(
            picture,
            format!(
                "command - high 400 ms, low 100 ms (all time high 900 ms)\n{line}\n |\n |\n ||\n_||\n\n141\nm00\n ss\n"
            )
        );
    }
}
