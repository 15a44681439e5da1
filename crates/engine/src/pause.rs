//! CLIENT PAUSE: until a time, requests are kept waiting, all or those that may write.

use larder_store::UnixMillis;

use crate::sync::{AtomicI64, Ordering};

/// Which requests wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// Those that may write.
    Writes,
    /// All.
    All,
}

/// Whether requests wait, and until when. Workers look at it once a batch.
#[derive(Debug, Default)]
pub struct Pause {
    /// Milliseconds since 1970, doubled, and one more when all requests wait; 0 while none does.
    state: AtomicI64,
}

impl Pause {
    /// What waits at this time, and until when.
    #[inline]
    #[must_use]
    pub fn in_force(&self, now: UnixMillis) -> Option<(Paused, UnixMillis)> {
        let state = self.state.load(Ordering::SeqCst);
        if state == 0 {
            return None;
        }
        let (paused, until) = (if state & 1 == 1 { Paused::All } else { Paused::Writes }, state >> 1);
        (until > now.0).then_some((paused, UnixMillis(until)))
    }

    /// Has requests wait until a time. While a pause is in force its end is not brought forward, and it does not become narrower.
    pub fn begin(&self, paused: Paused, until: UnixMillis, now: UnixMillis) {
        let (paused, until) = match self.in_force(now) {
            Some((Paused::All, before)) => (Paused::All, before.max(until)),
            Some((Paused::Writes, before)) => (paused, before.max(until)),
            None => (paused, until),
        };
        let state = until.0.clamp(0, i64::MAX / 2) << 1 | i64::from(paused == Paused::All);
        self.state.store(state, Ordering::SeqCst);
    }

    /// Ends a pause.
    pub fn end(&self) {
        self.state.store(0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_and_ends() {
        let (pause, now) = (Pause::default(), UnixMillis(1000));
        assert_eq!(pause.in_force(now), None);
        pause.begin(Paused::Writes, UnixMillis(1500), now);
        assert_eq!(pause.in_force(now), Some((Paused::Writes, UnixMillis(1500))));
        pause.begin(Paused::All, UnixMillis(1200), now);
        assert_eq!(pause.in_force(now), Some((Paused::All, UnixMillis(1500))));
        pause.begin(Paused::Writes, UnixMillis(1600), now);
        assert_eq!(pause.in_force(now), Some((Paused::All, UnixMillis(1600))));
        assert_eq!(pause.in_force(UnixMillis(1600)), None);
        pause.begin(Paused::Writes, UnixMillis(1700), UnixMillis(1600));
        assert_eq!(pause.in_force(UnixMillis(1600)), Some((Paused::Writes, UnixMillis(1700))));
        pause.end();
        assert_eq!(pause.in_force(now), None);
    }
}
