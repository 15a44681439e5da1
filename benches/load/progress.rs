//! What the program says while it runs: one line a cell, on standard error, with the time since the start.

use std::fmt::Display;
use std::io::{Write, stderr};
use std::time::Instant;

/// Writes the lines.
pub(crate) struct Progress {
    started_at: Instant,
}

impl Progress {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        Self { started_at: Instant::now() }
    }

    /// Writes one line. A closed standard error is no reason to end a long run.
    pub(crate) fn say(&self, line: impl Display) {
        let seconds = self.started_at.elapsed().as_secs();
        let _ = writeln!(stderr(), "{:3}:{:02} {line}", seconds / 60, seconds % 60);
    }
}

/// Writes the error that ends the program.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(stderr(), "load: {error:#}");
}
