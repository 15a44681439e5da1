//! How many files the process may have open, which bounds how many clients it can serve.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files kept for everything that is not a client: listeners, event loops, logs.
const RESERVED: u64 = 32;

/// Makes room for so many clients, raising the limit as far as the system permits. Says for how many there is room.
pub(crate) fn make_room(clients: u32) -> Result<(), u64> {
    let wanted = u64::from(clients) + RESERVED;
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
        Some(current) if current < wanted => Err(current.saturating_sub(RESERVED)),
        _ => Ok(()),
    }
}
