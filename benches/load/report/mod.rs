//! What a run leaves behind: `report.md`, `results.json` and plots, in one directory.

mod json;
mod markdown;
mod plot;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::results::Run;

/// Writes all of it.
pub(crate) fn write(run: &Run, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    json::write(run, &directory.join("results.json"))?;
    plot::write(run, directory).context("plots")?;
    fs::write(directory.join("report.md"), markdown::report(run)).context("report.md")
}
