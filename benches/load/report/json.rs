//! `results.json`: every round of every cell, for whoever wants to compute something else from it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::results::Run;

/// Writes the file.
pub(crate) fn write(run: &Run, path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
    serde_json::to_writer_pretty(&mut file, run)?;
    file.write_all(b"\n")?;
    file.flush().context("results.json")
}
