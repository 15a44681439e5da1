//! What is left of a process that fails: a report in the log.

use std::backtrace::Backtrace;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_config::Settings;

/// Whether a report is wanted (directive crash-log-enabled).
static ENABLED: AtomicBool = AtomicBool::new(true);

/// Takes over whether a report is wanted.
pub(crate) fn follow(settings: &Settings) {
    ENABLED.store(settings.crash_log_enabled, Ordering::Relaxed);
}

/// Has a panic write a report before it ends the process. Nothing of what clients have sent is in it, but what a message quotes.
pub(crate) fn report_panics() {
    let standard = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if ENABLED.load(Ordering::Relaxed) {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("unnamed").to_owned();
            tracing::error!("=== LARDER BUG REPORT START: Cut & paste starting from here ===");
            tracing::error!("Larder {} crashed: thread {name}: {panic}", env!("CARGO_PKG_VERSION"));
            tracing::error!("------ STACK TRACE ------\n{}", Backtrace::force_capture());
            tracing::error!("=== LARDER BUG REPORT END. Please report it with all of the above ===");
        }
        standard(panic);
        // A release build does so anyway; no other build is to go on with a worker less.
        std::process::abort();
    }));
}
