//! The 24 access bits of an entry: when, or how often, it was used.
//!
//! As in Redis, the maxmemory policy decides what they hold: seconds of a wrapping clock (LRU), or a logarithmic counter of
//! 8 bits with the minute of its last decay in 16 (LFU), or a place in the queues of S3-FIFO (`crate::queues`). Bits written under one policy and read under the other give
//! meaningless ages, which does no harm: the next access corrects them.

use crate::UnixMillis;
use crate::queues;

/// Highest value of the clock of seconds: it wraps after 194 days.
const LRU_CLOCK_MAX: u32 = (1 << 24) - 1;
/// Counter given to a new entry, so that it is not evicted before it had a chance to be used again.
pub const LFU_INITIAL: u8 = 5;

/// How an entry is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is looked at.
    Read,
    /// It is changed.
    Write,
}

/// What the access bits hold, and how they move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    /// Seconds of the last access.
    Lru,
    /// Seconds of the last change: reads leave no trace.
    Lrm,
    /// Approximate frequency.
    Lfu {
        /// How fast the counter saturates (directive lfu-log-factor).
        log_factor: u32,
        /// Minutes after which the counter falls by one; 0 = never (directive lfu-decay-time).
        decay_minutes: u32,
    },
    /// The queue, since when, and uses up to 3: see `crate::queues`.
    Queued,
}

impl AccessPolicy {
    /// The bits of an entry created now.
    #[inline]
    #[must_use]
    pub fn created(self, now: UnixMillis) -> u32 {
        match self {
            AccessPolicy::Lru | AccessPolicy::Lrm => lru_clock(now),
            AccessPolicy::Lfu { .. } => (lfu_minute(now) << 8) | u32::from(LFU_INITIAL),
            // Whoever knows the keyspace has the clock of the queue; this one joined it long ago or just now.
            AccessPolicy::Queued => 0,
        }
    }

    /// The bits after an access now. `random` is a uniform number, used by LFU only.
    #[inline]
    #[must_use]
    pub fn touched(self, bits: u32, now: UnixMillis, access: Access, random: impl FnOnce() -> u32) -> u32 {
        match self {
            AccessPolicy::Lrm if access == Access::Read => bits,
            AccessPolicy::Lru | AccessPolicy::Lrm => lru_clock(now),
            AccessPolicy::Lfu { log_factor, decay_minutes } => {
                let counter = decayed(bits, now, decay_minutes);
                (lfu_minute(now) << 8) | u32::from(incremented(counter, log_factor, random()))
            }
            AccessPolicy::Queued => queues::used(bits),
        }
    }

    /// The bits of an entry of which it is told how long it has been idle, or how often it was used, where that means something.
    #[must_use]
    pub fn told(self, idle_seconds: Option<u64>, frequency: Option<u8>, now: UnixMillis) -> Option<u32> {
        match self {
            AccessPolicy::Lru | AccessPolicy::Lrm => {
                idle_seconds.map(|idle| idle_for(u32::try_from(idle).unwrap_or(u32::MAX), now))
            }
            AccessPolicy::Lfu { .. } => {
                frequency.map(|frequency| self.created(now) & !0xFF | u32::from(frequency))
            }
            AccessPolicy::Queued => None,
        }
    }

    /// Seconds since the last access, as far as the bits tell: under LFU whole minutes since it, in queues always 0.
    #[must_use]
    pub fn idle_seconds(self, bits: u32, now: UnixMillis) -> u32 {
        match self {
            AccessPolicy::Lru | AccessPolicy::Lrm => idle_seconds(bits, now),
            AccessPolicy::Lfu { .. } => 60 * (lfu_minute(now).wrapping_sub(bits >> 8) & 0xFFFF),
            AccessPolicy::Queued => 0,
        }
    }

    /// The LFU counter as of now, decayed (what OBJECT FREQ prints).
    #[must_use]
    pub fn frequency(self, bits: u32, now: UnixMillis) -> u8 {
        match self {
            AccessPolicy::Lru | AccessPolicy::Lrm | AccessPolicy::Queued => 0,
            AccessPolicy::Lfu { decay_minutes, .. } => decayed(bits, now, decay_minutes),
        }
    }
}

/// Seconds since the last access, from LRU bits (what OBJECT IDLETIME prints).
#[must_use]
pub fn idle_seconds(bits: u32, now: UnixMillis) -> u32 {
    lru_clock(now).wrapping_sub(bits) & LRU_CLOCK_MAX
}

/// LRU bits that say `idle_seconds` ago.
#[must_use]
pub fn idle_for(idle_seconds: u32, now: UnixMillis) -> u32 {
    lru_clock(now).wrapping_sub(idle_seconds) & LRU_CLOCK_MAX
}

#[inline]
fn lru_clock(now: UnixMillis) -> u32 {
    (now.0 / 1000) as u32 & LRU_CLOCK_MAX
}

#[inline]
fn lfu_minute(now: UnixMillis) -> u32 {
    (now.0 / 60_000) as u32 & 0xFFFF
}

fn decayed(bits: u32, now: UnixMillis, decay_minutes: u32) -> u8 {
    let counter = (bits & 0xFF) as u8;
    if decay_minutes == 0 {
        return counter;
    }
    let elapsed_minutes = lfu_minute(now).wrapping_sub(bits >> 8) & 0xFFFF;
    counter.saturating_sub((elapsed_minutes / decay_minutes).min(255) as u8)
}

/// One access more: the chance to count it falls with the counter, so that 255 stands for about a million (factor 10).
fn incremented(counter: u8, log_factor: u32, random: u32) -> u8 {
    if counter == u8::MAX {
        return counter;
    }
    let base = f64::from(counter.saturating_sub(LFU_INITIAL));
    let chance = 1.0 / (base * f64::from(log_factor) + 1.0);
    if f64::from(random) < chance * f64::from(u32::MAX) { counter + 1 } else { counter }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: AccessPolicy = AccessPolicy::Lfu { log_factor: 10, decay_minutes: 1 };

    #[test]
    fn idle_time_is_exact_across_the_wrap() {
        let now = UnixMillis((i64::from(LRU_CLOCK_MAX) + 10) * 1000);
        let bits = AccessPolicy::Lru.created(UnixMillis(now.0 - 25_000));
        assert_eq!(idle_seconds(bits, now), 25);
        assert_eq!(idle_seconds(idle_for(4000, now), now), 4000);
    }

    #[test]
    fn only_changes_count_where_reads_leave_no_trace() {
        let (now, later) = (UnixMillis(1_700_000_000_000), UnixMillis(1_700_000_009_000));
        let bits = AccessPolicy::Lrm.created(now);
        let read = AccessPolicy::Lrm.touched(bits, later, Access::Read, || 0);
        assert_eq!(AccessPolicy::Lrm.idle_seconds(read, later), 9);
        let written = AccessPolicy::Lrm.touched(bits, later, Access::Write, || 0);
        assert_eq!(AccessPolicy::Lrm.idle_seconds(written, later), 0);
    }

    #[test]
    fn a_frequency_counter_rises_slowly_and_decays_by_the_minute() {
        let now = UnixMillis(1_700_000_000_000);
        let bits = LFU.created(now);
        assert_eq!(LFU.frequency(bits, now), LFU_INITIAL);
        let certain = LFU.touched(bits, now, Access::Read, || 0);
        assert_eq!(LFU.frequency(certain, now), LFU_INITIAL + 1);
        assert_eq!(LFU.frequency(LFU.touched(certain, now, Access::Read, || u32::MAX), now), LFU_INITIAL + 1);
        assert_eq!(LFU.frequency(certain, now.saturating_add(3 * 60_000)), LFU_INITIAL - 2);
        assert_eq!(LFU.frequency(certain, now.saturating_add(60 * 60_000)), 0);
        assert_eq!(LFU.idle_seconds(certain, now.saturating_add(3 * 60_000)), 180);
    }
}
