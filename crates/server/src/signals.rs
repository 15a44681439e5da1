//! The signals that end the process, or do not, as in Redis: SIGTERM and SIGINT ask for an orderly end, a second SIGINT insists,
//! SIGHUP does nothing.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that are waited for.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes them over from the system, which would end the process.
    pub(crate) fn listen() -> io::Result<Signals> {
        // Nobody has to look for it: a process that has listened once does not end by it.
        let _ = signal(SignalKind::hangup())?;
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal that asks for the end.
    pub(crate) async fn next(&mut self) {
        let name = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        tracing::warn!("Received {name} scheduling shutdown...");
    }

    /// Waits for a SIGINT while the process is ending already: whoever sends it does not want to wait.
    pub(crate) async fn insist(&mut self) {
        self.interrupt.recv().await;
    }
}
