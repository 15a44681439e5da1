//! Plots, as SVG: panels of horizontal bars, one bar a server, so that a glance tells what the tables say in figures.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::cpu::LIGHT;
use crate::results::{CpuCell, Phase, Run};
use crate::stats::Spread;
use crate::work::MEMORY_WORKS;

const PANEL_WIDTH: u32 = 560;
const BAR_HEIGHT: u32 = 26;
const PANEL_FRAME: u32 = 70;
const COLUMNS: usize = 2;

/// A figure of a phase.
type PhaseFigure = fn(&Phase) -> f64;

/// One small chart.
struct Panel {
    title: String,
    bars: Vec<Bar>,
}

/// One server's figure.
struct Bar {
    server: String,
    value: Spread,
    /// What the same server showed without the event; a grey mark.
    without: Option<f64>,
}

/// Writes `cpu.svg`, `memory.svg` and `latency.svg`, as far as there is something to show.
pub(crate) fn write(run: &Run, directory: &Path) -> Result<()> {
    draw(&cpu_panels(run), &directory.join("cpu.svg"))?;
    draw(&memory_panels(run), &directory.join("memory.svg"))?;
    draw(&latency_panels(run), &directory.join("latency.svg"))
}

fn cpu_panels(run: &Run) -> Vec<Panel> {
    let panel = |work: &crate::results::CpuWorkNote| {
        let value = |server: &str| {
            Some((run.cpu_spread(&work.name, server, LIGHT, CpuCell::cpu_us_per_operation)?, None))
        };
        panel(run, format!("{}: server CPU, us per command", work.name), value)
    };
    run.cpu_works.iter().map(panel).collect()
}

fn memory_panels(run: &Run) -> Vec<Panel> {
    let panel = |work: &crate::work::MemoryWork| {
        let value = |server: &str| {
            let rounds = run.memory_rounds(work.name, server);
            Some((Spread::of(rounds.into_iter().map(|(_, bytes)| bytes))?, None))
        };
        panel(run, format!("{}: RSS bytes per key", work.name), value)
    };
    MEMORY_WORKS.iter().map(panel).collect()
}

fn latency_panels(run: &Run) -> Vec<Panel> {
    const FIGURES: [(&str, PhaseFigure); 2] =
        [("p99.9", |phase| phase.p999_us), ("longest", |phase| phase.max_us)];
    let mut panels = Vec::new();
    for work in run.latency_works() {
        for (name, figure) in FIGURES {
            let cells = |server: &str| {
                let server = server.to_owned();
                run.latency.iter().filter(move |cell| cell.work == work && cell.server == server)
            };
            let value = |server: &str| {
                let is_event = |phase: &&Phase| phase.name == "event";
                let events = cells(server).filter_map(|cell| cell.phases.iter().find(is_event));
                // The last other phase is the one most like the event: the same load, where there is one.
                let others =
                    cells(server).filter_map(|cell| cell.phases.iter().rfind(|phase| !is_event(phase)));
                let without = Spread::of(others.map(|phase| figure(phase) / 1e3));
                let event = Spread::of(events.map(|phase| figure(phase) / 1e3))?;
                Some((event, without.map(|without| without.median)))
            };
            panels.push(panel(run, format!("{work}: {name} wait of a GET, ms (mark: without)"), value));
        }
    }
    panels
}

fn panel(run: &Run, title: String, value: impl Fn(&str) -> Option<(Spread, Option<f64>)>) -> Panel {
    let bar = |server: &crate::results::Started| {
        let (value, without) = value(&server.name)?;
        Some(Bar { server: server.name.clone(), value, without })
    };
    Panel { title, bars: run.servers.iter().filter_map(bar).collect() }
}

fn draw(panels: &[Panel], path: &Path) -> Result<()> {
    let panels: Vec<&Panel> = panels.iter().filter(|panel| !panel.bars.is_empty()).collect();
    let Some(bars) = panels.iter().map(|panel| panel.bars.len()).max() else { return Ok(()) };
    let rows = panels.len().div_ceil(COLUMNS);
    let columns = panels.len().min(COLUMNS);
    let size = (PANEL_WIDTH * columns as u32, (PANEL_FRAME + BAR_HEIGHT * bars as u32) * rows as u32);
    let root = SVGBackend::new(path, size).into_drawing_area();
    let plotted = root.fill(&WHITE).map_err(|error| anyhow!("{error}")).and_then(|()| {
        let areas = root.split_evenly((rows, columns));
        areas.iter().zip(&panels).try_for_each(|(area, panel)| draw_panel(area, panel))
    });
    plotted.and_then(|()| root.present().map_err(|error| anyhow!("{error}")))
}

fn draw_panel(area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel) -> Result<()> {
    let count = panel.bars.len() as f64;
    let longest = panel.bars.iter().map(|bar| bar.value.max.max(bar.without.unwrap_or(0.0)));
    let end = longest.fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let fail = |error: DrawingAreaErrorKind<_>| anyhow!("{error}");
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(&panel.title, ("sans-serif", 16))
        .x_label_area_size(24)
        .build_cartesian_2d(0.0..end, 0.0..count)
        .map_err(fail)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .x_labels(6)
        .x_label_style(("sans-serif", 12))
        .draw()
        .map_err(fail)?;
    for (place, bar) in panel.bars.iter().enumerate() {
        // The first server stands at the top.
        let bottom = count - 1.0 - place as f64;
        let Spread { median, min, max } = bar.value;
        let colour =
            if bar.server.starts_with("larder") { RGBColor(244, 178, 102) } else { RGBColor(160, 196, 226) };
        let body = Rectangle::new([(0.0, bottom + 0.12), (median, bottom + 0.88)], colour.filled());
        let range = PathElement::new(vec![(min, bottom + 0.5), (max, bottom + 0.5)], BLACK.stroke_width(1));
        chart.draw_series([body]).map_err(fail)?;
        chart.draw_series([range]).map_err(fail)?;
        if let Some(without) = bar.without {
            let mark = vec![(without, bottom + 0.05), (without, bottom + 0.95)];
            chart
                .draw_series([PathElement::new(mark, RGBColor(110, 110, 110).stroke_width(3))])
                .map_err(fail)?;
        }
        let label = format!("{}  {median:.2}", bar.server);
        let text = Text::new(label, (end * 0.01, bottom + 0.72), ("sans-serif", 13).into_font());
        chart.draw_series([text]).map_err(fail)?;
    }
    Ok(())
}
