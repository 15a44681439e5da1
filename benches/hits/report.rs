//! The table and its plot.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::trace::KEYS;

/// Hit ratios of one trace at one size.
#[derive(Debug)]
pub(crate) struct Row {
    trace: String,
    part: f64,
    ratios: Vec<(String, f64)>,
}

impl Row {
    pub(crate) fn new(trace: String, part: f64) -> Row {
        Row { trace, part, ratios: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: &str, ratio: f64) {
        self.ratios.push((name.to_owned(), ratio));
    }

    fn line(&self) -> String {
        let mut line = format!("| {} | {:.0} % |", self.trace, 100.0 * self.part);
        for (_, ratio) in &self.ratios {
            let _ = write!(line, " {:.2} |", 100.0 * ratio);
        }
        line
    }
}

/// Shows a row as soon as it is known.
pub(crate) fn say(row: &Row) {
    let _ = writeln!(std::io::stdout(), "{}", row.line());
}

/// Writes `report.md` and `hit-ratios.svg`.
pub(crate) fn write(rows: &[Row], requests: usize, all_bytes: u64, out: &Path) -> Result<()> {
    let mut text = format!(
        "# Hit ratios\n\nPercent of requests that found their keys, of the last two thirds of {requests} requests for {KEYS} keys of \
         {:.1} MB together. The second column is the part of them that there is room for.\n\n| trace | room |",
        all_bytes as f64 / 1e6
    );
    let names: Vec<&str> = rows
        .first()
        .map(|row| row.ratios.iter().map(|(name, _)| name.as_str()).collect())
        .unwrap_or_default();
    names.iter().for_each(|name| _ = write!(text, " {name} |"));
    text.push_str("\n|---|---|");
    names.iter().for_each(|_| text.push_str("---|"));
    rows.iter().for_each(|row| _ = write!(text, "\n{}", row.line()));
    text.push('\n');
    fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
    fs::write(out.join("report.md"), text)?;
    fs::write(out.join("hit-ratios.svg"), plot(rows, &names))?;
    Ok(())
}

const COLOURS: [&str; 10] = [
    "#888888", "#1b7837", "#762a83", "#e08214", "#b35806", "#d6604d", "#4393c3", "#2166ac", "#c51b7d",
    "#000000",
];
const ROW_HEIGHT: usize = 20;
const LEFT: usize = 190;
const WIDTH: usize = 700;

/// A line per trace and size, on it a dot for each policy at its hit ratio.
fn plot(rows: &[Row], names: &[&str]) -> String {
    let (top, height) = (70, 70 + ROW_HEIGHT * rows.len() + 30);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        LEFT + WIDTH + 30
    );
    for (at, name) in names.iter().enumerate() {
        let (x, y) = (20 + at % 5 * 170, 20 + at / 5 * 20);
        let colour = COLOURS[at % COLOURS.len()];
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\">{name}</text>", x + 8, y + 4);
    }
    for percent in (0..=100).step_by(10) {
        let x = LEFT + WIDTH * percent / 100;
        let bottom = top + ROW_HEIGHT * rows.len();
        let _ = writeln!(svg, "<path d=\"M{x} {top}V{bottom}\" stroke=\"#ddd\"/>");
        let _ =
            writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{percent} %</text>", bottom + 15);
    }
    for (at, row) in rows.iter().enumerate() {
        let y = top + ROW_HEIGHT * at + ROW_HEIGHT / 2;
        let _ =
            writeln!(svg, "<text x=\"10\" y=\"{}\">{}, {:.0} %</text>", y + 4, row.trace, 100.0 * row.part);
        for (index, (_, ratio)) in row.ratios.iter().enumerate() {
            let x = LEFT as f64 + WIDTH as f64 * ratio;
            let colour = COLOURS[index % COLOURS.len()];
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\" fill-opacity=\"0.8\"/>"
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
