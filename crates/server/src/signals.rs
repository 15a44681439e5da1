//! The signals that end the process, or do not, as in Redis: SIGTERM and SIGINT ask for an orderly end, a second SIGINT insists,
//! SIGHUP does not end it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that are waited for.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes them over from the system, which would end the process.
    pub(crate) fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal that asks for the end; does `on_hang_up` at each SIGHUP until then.
    pub(crate) async fn next(&mut self, on_hang_up: impl Fn()) {
        let name = loop {
            tokio::select! {
                _ = self.terminate.recv() => break "SIGTERM",
                _ = self.interrupt.recv() => break "SIGINT",
                _ = self.hang_up.recv() => on_hang_up(),
            }
        };
        tracing::warn!("Received {name} scheduling shutdown...");
    }

    /// Waits for a SIGINT while the process is ending already: whoever sends it does not want to wait.
    pub(crate) async fn insist(&mut self) {
        self.interrupt.recv().await;
    }
}
