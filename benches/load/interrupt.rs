//! Ctrl-C, TERM and HUP: noted in a flag that every wait looks at, so that the run unwinds and takes its servers
//! along. A second signal ends the process at once; the servers then fall to their parent-death signal.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Starts to listen for the signals.
pub(crate) fn listen() -> Result<()> {
    let seen = FLAG.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_conditional_shutdown(signal, 130, Arc::clone(seen))?;
        flag::register(signal, Arc::clone(seen))?;
    }
    Ok(())
}

/// An error once a signal has come.
pub(crate) fn check() -> Result<()> {
    if FLAG.get().is_some_and(|seen| seen.load(Ordering::Relaxed)) {
        bail!("interrupted");
    }
    Ok(())
}

/// Sleeps, but not past a signal.
pub(crate) fn sleep(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    while let Some(rest) = end.checked_duration_since(Instant::now()) {
        check()?;
        std::thread::sleep(rest.min(Duration::from_millis(50)));
    }
    check()
}
