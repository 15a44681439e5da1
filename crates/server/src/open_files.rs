//! How many files the process may have open, which bounds how many clients it can serve.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::http;

/// Files kept for what there is one of: listeners, the event loops of all threads but workers, logs, whatever is just read or written.
const RESERVED: u64 = 32;
/// Files kept for a worker: its event loop, its ring, and what wakes it.
const RESERVED_PER_WORKER: u64 = 8;

/// Makes room for so many clients of so many workers, raising the limit as far as the system permits. Says for how many clients
/// there is room.
pub(crate) fn make_room(clients: u32, workers: usize) -> Result<(), u64> {
    let reserved = RESERVED + http::CONNECTIONS_MAX as u64 + RESERVED_PER_WORKER * workers as u64;
    let wanted = u64::from(clients) + reserved;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No number is no limit.
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(wanted), maximum: maximum.map(|maximum| maximum.max(wanted)) };
    // Beyond the maximum only root may go.
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    match getrlimit(Resource::Nofile).current {
        Some(current) if current < wanted => Err(current.saturating_sub(reserved)),
        _ => Ok(()),
    }
}
