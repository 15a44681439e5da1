//! Memory that is given back: sparse spans of the slab are emptied, by the work of each worker between its connections' turns.
//!
//! Ten times a second the node looks at what the process takes ([`Node::follow_fragmentation`]). There are two reasons to move entries.
//! With `maxmemory`, RSS is promised to stay within 1.03 times what the limit and clients may take and 16 MiB; before that bound is
//! reached, entries move whatever `activedefrag` says. With `activedefrag yes` they also move when more is in pieces than its
//! thresholds permit. Then a **pass** begins: sparse spans are chosen, and every worker goes over its stripes and moves what lies in
//! them, for no more of its time than `active-defrag-cycle-min` and `-max` permit. Free spans then go back to the system.
//!
//! What lies outside of the slab cannot be moved, so RSS may be too great all the same. Then keys are evicted earlier than
//! `maxmemory` asks for: part of it is **withheld**, at most a tenth, and handed out again when RSS has fallen.

use std::sync::Arc;

use larder_config::{MaxmemoryPolicy, Settings};
use larder_store::{DefragPlace, Emptying, STRIPES, begin_emptying, end_emptying};

use crate::node::{Node, moment};
use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::worker::Worker;

/// What RSS may exceed 1.03 times the limit by.
const ALLOWANCE_BYTES: u64 = 16 << 20;
/// So far below the bound entries begin to move, and keys to be evicted early.
const BEFORE_BOUND_BYTES: u64 = 6 << 20;
const SHORTLY_BEFORE_BOUND_BYTES: u64 = 1 << 20;
/// At most this part of `maxmemory` is withheld.
const WITHHELD_PART_MAX: u64 = 10;
/// For how long RSS must be too great before anything is withheld: for so long the rest is given time to work.
const PATIENCE_NANOS: u64 = 2_000_000_000;
/// After a look in vain for sparse spans there is none for so long.
const PAUSE_NANOS: u64 = 500_000_000;
/// Free spans given to the system at a time, which takes some ten microseconds each.
const SPANS_PER_LOOK: usize = 64;
/// For how long a worker moves entries before its connections have their turn.
const TURN_NANOS: u64 = 200_000;

/// What a node keeps for defragmentation.
#[derive(Default)]
pub struct Defragmentation {
    pass: Mutex<Option<Arc<Pass>>>,
    /// The number of the pass that is going on; 0 when there is none.
    current: AtomicU64,
    /// When it began, in nanoseconds of the node's clock.
    began: AtomicU64,
    passes: AtomicU64,
    /// Percentage of a worker's time.
    share: AtomicU64,
    withheld: AtomicU64,
    watch: Mutex<Watch>,
    moved: AtomicU64,
    stayed: AtomicU64,
    nanos: AtomicU64,
}

/// What the one who looks after memory remembers from look to look.
#[derive(Default)]
struct Watch {
    /// Since when RSS is too great, in nanoseconds of the node's clock; 0 when it is not.
    exceeded_since: u64,
    /// Until when nobody looks for sparse spans.
    pause_until: u64,
}

/// Spans that are being emptied.
struct Pass {
    number: u64,
    emptying: Emptying,
    /// Workers that have not come to the end.
    working: AtomicUsize,
}

/// What there is to know of defragmentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DefragReport {
    /// The percentage of a worker's time that it may take; 0 while nothing is moved.
    pub running: u64,
    /// Entries moved, and looked at in vain.
    pub moved: u64,
    /// Entries that were looked at and did not have to move.
    pub stayed: u64,
    /// Nanoseconds for which workers have worked at it.
    pub nanos: u64,
    /// Nanoseconds since the pass that is going on began.
    pub current_nanos: u64,
    /// Bytes of `maxmemory` that are withheld.
    pub withheld: u64,
}

impl Defragmentation {
    fn report(&self, now_nanos: u64) -> DefragReport {
        let runs = self.current.load(Ordering::Relaxed) != 0;
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DefragReport {
            running: if runs { value(&self.share) } else { 0 },
            moved: value(&self.moved),
            stayed: value(&self.stayed),
            nanos: value(&self.nanos),
            current_nanos: if runs { now_nanos.saturating_sub(value(&self.began)) } else { 0 },
            withheld: value(&self.withheld),
        }
    }

    pub(crate) fn reset(&self) {
        for counter in [&self.moved, &self.stayed, &self.nanos] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// Bytes of `maxmemory` that are withheld.
    #[inline]
    pub(crate) fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    fn begin(&self, wanted_bytes: u64, workers: usize, now_nanos: u64) -> bool {
        let wanted = usize::try_from(wanted_bytes).unwrap_or(usize::MAX);
        let Some(emptying) = begin_emptying(wanted) else { return false };
        let number = self.passes.fetch_add(1, Ordering::Relaxed) + 1;
        self.began.store(now_nanos, Ordering::Relaxed);
        *self.pass.lock() = Some(Arc::new(Pass { number, emptying, working: AtomicUsize::new(workers) }));
        self.current.store(number, Ordering::Release);
        true
    }

    /// A worker has gone over all its stripes.
    fn leave(&self, pass: &Pass) {
        if pass.working.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.pass.lock() = None;
            end_emptying();
            self.current.store(0, Ordering::Release);
        }
    }
}

/// What is to be done about memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Plan {
    /// Bytes that should become free; 0 when nothing is to be moved.
    wanted: u64,
    /// Percentage of a worker's time.
    share: u64,
    /// Bytes of RSS above what it shall be; negative below.
    excess: i64,
}

/// What is to be done with this RSS, when so much is used, by keys and clients and all, and clients take so much of it.
fn plan(settings: &Settings, resident: u64, used: u64, clients: u64) -> Plan {
    let (least, most) =
        (u64::from(settings.active_defrag_cycle_min), u64::from(settings.active_defrag_cycle_max));
    let most = most.max(least);
    // At 0 the least share, from 1000 on the greatest.
    let share = |part: u64| least + (most - least) * part.min(1000) / 1000;
    let mut plan = Plan { excess: i64::MIN, ..Plan::default() };
    if settings.maxmemory != 0 {
        let bound = bound(settings.maxmemory, clients);
        let begin = bound - BEFORE_BOUND_BYTES;
        plan.excess = resident as i64 - (bound - SHORTLY_BEFORE_BOUND_BYTES) as i64;
        plan.wanted = resident.saturating_sub(begin);
        plan.share = share(plan.wanted * 1000 / BEFORE_BOUND_BYTES);
    }
    let beyond = resident.saturating_sub(used);
    if settings.activedefrag && beyond > settings.active_defrag_ignore_bytes && used > 0 {
        let (lower, upper) = (
            u64::from(settings.active_defrag_threshold_lower),
            u64::from(settings.active_defrag_threshold_upper),
        );
        let percent = beyond.saturating_mul(100) / used;
        if percent > lower {
            plan.wanted = plan.wanted.max(beyond - used / 100 * lower);
            plan.share = plan.share.max(share((percent - lower) * 1000 / upper.saturating_sub(lower).max(1)));
        }
    }
    plan
}

/// What RSS may be.
fn bound(maxmemory: u64, clients: u64) -> u64 {
    let counted = maxmemory.saturating_add(clients).min(u64::MAX / 4);
    counted + counted / 100 * 3 + ALLOWANCE_BYTES
}

impl Node {
    /// What there is to know of defragmentation.
    #[must_use]
    pub fn defrag_report(&self) -> DefragReport {
        self.defrag.report(self.host.time().nanos)
    }

    /// Bytes that keys may take: `maxmemory` less what is withheld for the sake of RSS.
    #[inline]
    pub(crate) fn memory_limit(&self, settings: &Settings) -> u64 {
        settings.maxmemory - self.defrag.withheld().min(settings.maxmemory / WITHHELD_PART_MAX)
    }

    /// Looks at what the process takes, and sees to it that it becomes less if it is too much. To be called some ten times a second, by one
    /// thread that is no worker.
    pub fn follow_fragmentation(&self) {
        let settings = self.settings();
        if settings.maxmemory == 0 && !settings.activedefrag {
            self.defrag.withheld.store(0, Ordering::Relaxed);
            return;
        }
        let used = self.host.used_memory_now();
        let plan = plan(&settings, self.host.resident_memory(), used, self.pool.all_bytes());
        let now = self.host.time().nanos;
        let mut watch = self.defrag.watch.lock();
        self.withhold(&settings, plan, now, &mut watch);
        if plan.wanted == 0 {
            return;
        }
        self.defrag.share.store(plan.share, Ordering::Relaxed);
        let given = self.host.give_back_memory(SPANS_PER_LOOK);
        // What was just given back shows in RSS at the next look.
        if given == 0 && self.defrag.current.load(Ordering::Acquire) == 0 && now >= watch.pause_until {
            let any = self.defrag.begin(plan.wanted, self.workers(), now);
            watch.pause_until = if any { 0 } else { now + PAUSE_NANOS };
        }
    }

    /// Withholds more of `maxmemory` while RSS is too great and keys are within what they may take, and less when it is not.
    fn withhold(&self, settings: &Settings, plan: Plan, now: u64, watch: &mut Watch) {
        let evicts = settings.maxmemory != 0 && settings.maxmemory_policy != MaxmemoryPolicy::Noeviction;
        let withheld = self.defrag.withheld();
        if plan.excess <= 0 {
            watch.exceeded_since = 0;
        } else if watch.exceeded_since == 0 {
            watch.exceeded_since = now;
        }
        let wanted = if !evicts {
            0
        } else if plan.excess <= 0 {
            withheld.saturating_sub(withheld / 64 + (16 << 10))
        } else if now - watch.exceeded_since >= PATIENCE_NANOS
            && self.counted_memory() <= self.memory_limit(settings)
        {
            withheld + (plan.excess as u64 / 16).max(64 << 10)
        } else {
            withheld
        };
        let wanted = wanted.min(settings.maxmemory / WITHHELD_PART_MAX);
        if wanted != withheld {
            self.defrag.withheld.store(wanted, Ordering::Relaxed);
        }
    }
}

/// Where a worker is in a pass: its stripes are those whose number leaves its own when divided by the number of workers.
#[derive(Default)]
pub(crate) struct DefragTurn {
    pass: Option<Arc<Pass>>,
    /// The pass that this worker has finished.
    finished: u64,
    stripe: usize,
    place: DefragPlace,
    /// Nanoseconds that it may work, and when that was last found out.
    credit: u64,
    credited_at: u64,
}

impl DefragTurn {
    /// Moves some entries if there are any to move; says whether it may go on at once.
    pub(crate) fn run(&mut self, worker: &Worker) -> bool {
        let node = &worker.node;
        let current = node.defrag.current.load(Ordering::Acquire);
        if current == 0 || current == self.finished {
            return false;
        }
        let begun = node.host.time();
        if self.pass.as_ref().is_none_or(|pass| pass.number != current) {
            self.pass = node.defrag.pass.lock().clone();
            (self.stripe, self.place) = (worker.index, DefragPlace::default());
            (self.credit, self.credited_at) = (TURN_NANOS, begun.nanos);
        }
        let Some(pass) = self.pass.clone() else { return false };
        let share = node.defrag.share.load(Ordering::Relaxed);
        // What was not made use of for a while is lost.
        let most = TURN_NANOS.max(20_000_000 * share / 100);
        let earned = begun.nanos.saturating_sub(self.credited_at) * share / 100;
        self.credit = (self.credit + earned).min(most);
        self.credited_at = begun.nanos;
        if self.credit < TURN_NANOS / 4 {
            return false;
        }
        let Some(_running) = node.safepoint.enter(worker.index) else { return false };
        let moment = moment(begun.now, worker.settings());
        let until = begun.nanos + self.credit.min(TURN_NANOS);
        let is_free = self.move_until(worker, &pass, moment, until);
        let spent = node.host.time().nanos.saturating_sub(begun.nanos);
        self.credit = self.credit.saturating_sub(spent);
        node.defrag.nanos.fetch_add(spent, Ordering::Relaxed);
        if self.stripe >= STRIPES {
            self.pass = None;
            self.finished = pass.number;
            node.defrag.leave(&pass);
            return false;
        }
        is_free && self.credit >= TURN_NANOS / 4
    }

    /// Goes over stripes until it is that late; false when one was in use.
    fn move_until(&mut self, worker: &Worker, pass: &Pass, moment: larder_store::Moment, until: u64) -> bool {
        let node = &worker.node;
        let (mut moved, mut stayed, mut is_free) = (0, 0, true);
        while self.stripe < STRIPES && is_free {
            match node.keyspace.try_lock(self.stripe, moment) {
                Some(mut guard) => {
                    let moves = guard.move_entries(&pass.emptying, &mut self.place);
                    moved += moves.moved as u64;
                    stayed += moves.stayed as u64;
                    if moves.done {
                        self.stripe += node.workers();
                        self.place = DefragPlace::default();
                    }
                }
                None => is_free = false,
            }
            if node.host.time().nanos >= until {
                break;
            }
        }
        node.defrag.moved.fetch_add(moved, Ordering::Relaxed);
        node.defrag.stayed.fetch_add(stayed, Ordering::Relaxed);
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn entries_move_before_rss_reaches_its_bound() {
        let settings = Settings { maxmemory: 100 * MIB, ..Settings::default() };
        let bound = bound(settings.maxmemory, 0);
        assert_eq!(bound / MIB, 119);
        assert_eq!(plan(&settings, 110 * MIB, 100 * MIB, 0).wanted, 0);
        let near = plan(&settings, bound - 5 * MIB, 100 * MIB, 0);
        assert!(near.wanted == MIB && near.excess < 0 && (1..25).contains(&near.share), "{near:?}");
        let above = plan(&settings, bound + 5 * MIB, 100 * MIB, 0);
        assert!(above.wanted == 11 * MIB && above.excess > 0 && above.share == 25, "{above:?}");
        // What clients take may be resident, too.
        assert_eq!(plan(&settings, bound, 100 * MIB, 50 * MIB).wanted, 0);
    }

    #[test]
    fn without_a_limit_entries_move_where_that_is_asked_for() {
        let mut settings = Settings::default();
        assert_eq!(plan(&settings, 4000 * MIB, 1000 * MIB, 0).wanted, 0);
        settings.activedefrag = true;
        assert_eq!(plan(&settings, 1090 * MIB, 1000 * MIB, 0).wanted, 0, "fewer bytes than are ignored");
        assert_eq!(plan(&settings, 2150 * MIB, 2000 * MIB, 0).wanted, 0, "a smaller part than the threshold");
        let some = plan(&settings, 1550 * MIB, 1000 * MIB, 0);
        assert!(some.wanted > 400 * MIB && (10..15).contains(&some.share), "{some:?}");
        assert_eq!(plan(&settings, 3000 * MIB, 1000 * MIB, 0).share, 25);
    }
}
