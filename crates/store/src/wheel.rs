//! The time index of one stripe and db: it tells when keys fall due.
//!
//! A hierarchical timing wheel over ticks of 16 ms since an epoch. A deadline is a tick number of 60 bits,
//! read as 15 digits of 4 bits; a node stands at the **slot** named by the highest digit in which its tick
//! differs from the present one: level = which digit, place on the level = its value there. When time enters
//! a slot, its nodes come up: on level 0 because they are due, on a higher level to **cascade** to where the
//! lower digits say. Slots are numbered level by level, so their order is the order in which time enters them.
//!
//! A node is a fragment and nothing else: 4 bytes, the top 32 bits of a key's position. Its deadline is known
//! to the owner alone, who is asked when the fragment comes up. So a deadline may change without the wheel:
//! a later one needs no word (the node comes up too soon and is put on), an earlier one is inserted anew (the
//! old node comes up in vain, or a sweep removes it). **What must hold: each fragment with a deadline has a
//! node that comes up no later than that deadline's tick.** More nodes than that cost memory only.
//!
//! Memory decided the shape. Nodes lie in **chains** of 64-byte blocks of 14, only a chain's first block
//! partly filled; a block is a box of its own, so growth copies nothing and an emptied block is free at once;
//! and there are chains for occupied slots only, which are few, in place of tables of mostly empty heads.
//! Bytes a node, everything counted, mean of 64 phases (the test `bytes_per_node` prints it):
//!
//! | nodes  | one deadline | time left uniform up to 1 h | up to 1 day | up to 30 days |
//! |-------:|-------------:|----------------------------:|------------:|--------------:|
//! |    100 |         6.56 |                       12.19 |       12.08 |         11.29 |
//! |  1,000 |         4.75 |                        5.67 |        5.51 |          5.56 |
//! |  5,000 |         4.61 |                        4.79 |        4.81 |          4.82 |
//! | 50,000 |         4.58 |                        4.60 |        4.60 |          4.60 |

mod chain;

use std::mem;

use smallvec::SmallVec;

use self::chain::Chain;
use crate::time::UnixMillis;

/// A tick is 2^4 = 16 ms.
const TICK_BITS: u32 = 4;

/// A digit of a tick number, so a level has 16 slots. With 8 slots fewer blocks are partly filled, 5 % of the
/// memory at 1,000 nodes and 1 % at 5,000; but a node comes up 5.2 to 8.0 times in its life (1 h to 30 days)
/// in place of 4.4 to 6.5, and each time costs the owner a look at the key.
const LEVEL_BITS: u32 = 4;

/// A clock this many ticks (about 1 s) behind the wheel has been set back, and the wheel follows it. Less is
/// what clocks and threads differ by, and is taken for no progress.
const STEP_BACK_TICKS: u64 = 64;

/// A sweep keeps fewer fragments than this in mind at a time, so that it needs 8 KiB at most.
const SEEN_LIMIT: usize = 2048;

/// The list of chains grows by this many: it is short, and room for a chain costs as much as four nodes.
const CHAINS_STEP: usize = 4;

/// What the owner says about a fragment that came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No key of this fragment has a deadline.
    Drop,
    /// The earliest deadline of the fragment's keys.
    At(UnixMillis),
    /// The key was due and is gone by this call; no other key of the fragment has a deadline.
    Expired,
    /// What was due is gone in part only: the fragment comes up again at once.
    Again,
}

/// Whether a bounded piece of work came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is nothing left to do.
    Done,
    /// The limit was reached first; call again.
    More,
}

/// See the top of this file.
pub(crate) struct Wheel {
    epoch: UnixMillis,
    /// The present, in ticks since the epoch.
    tick: u64,
    /// Nodes held, wherever they are.
    len: usize,
    /// A chain for each occupied slot, the highest slot first. All these slots lie ahead of `tick`.
    chains: Vec<Chain>,
    /// What time has entered and nobody was asked about yet; the last chain comes first. None is empty.
    due: Vec<Chain>,
    /// A sweep that is under way.
    pass: Option<Box<Pass>>,
}

impl Wheel {
    /// An empty wheel whose ticks count from `now`.
    ///
    /// High levels cascade when their digit turns, counted from here. So a caller with many wheels gives each
    /// another time in the past, lest all of them cascade in the same tick.
    pub(crate) fn new(now: UnixMillis) -> Wheel {
        Wheel { epoch: now, tick: 0, len: 0, chains: Vec::new(), due: Vec::new(), pass: None }
    }

    /// Registers a fragment to come up when `deadline` has passed, at the next `advance` if it already has.
    pub(crate) fn insert(&mut self, fragment: u32, deadline: UnixMillis) {
        let tick = self.tick_of(deadline);
        self.place(fragment, tick);
        self.len += 1;
    }

    /// The earliest time at which `advance` may have something to do, the wheel's present if it has at once;
    /// `None` if the wheel is empty.
    ///
    /// Who waits for this time calls `advance` too when its clock is set back, for the wheel cannot know.
    pub(crate) fn next_due(&self) -> Option<UnixMillis> {
        let tick = match self.chains.last() {
            _ if !self.due.is_empty() => self.tick,
            Some(chain) => self.start_of(chain.slot),
            None => return None,
        };
        let millis = i64::try_from(tick << TICK_BITS).unwrap_or(i64::MAX);
        Some(self.epoch.saturating_add(millis))
    }

    /// Moves time to `now` and tells some of the fragments that `advance` will ask about next, all of them when there are few; none if
    /// nothing has come up. For prefetching.
    pub(crate) fn coming_up(&mut self, now: UnixMillis) -> &[u32] {
        self.turn_to(self.millis_since_epoch(now) >> TICK_BITS);
        self.due.last().map_or(&[], Chain::first_block)
    }

    /// Moves time to `now` and asks `judge` about what came up, `limit` fragments at most, due and cascading
    /// ones alike. A fragment whose verdict is a later time is put in its new place.
    ///
    /// A fragment comes up for good in the first call with a `now` at or after the end of its deadline's tick:
    /// never early, and less than a tick late. One that is put off to a time not after `now` comes up again in
    /// the next tick; one that is to come up again at once counts anew towards `limit`. What time entered last comes up first, so that a long cascade cut by `limit` delays
    /// nothing else. The cost is that of the fragments, however far time jumps. An earlier `now` is no
    /// progress; if it is earlier by more than a second, all fragments come up to be placed anew.
    pub(crate) fn advance(
        &mut self,
        now: UnixMillis,
        limit: usize,
        mut judge: impl FnMut(u32, UnixMillis) -> Verdict,
    ) -> Progress {
        self.turn_to(self.millis_since_epoch(now) >> TICK_BITS);
        for _ in 0..limit {
            let Some(fragment) = self.pop_due() else { break };
            match judge(fragment, now) {
                Verdict::Drop | Verdict::Expired => self.len -= 1,
                Verdict::At(deadline) => self.place(fragment, self.tick_of(deadline).max(self.tick + 1)),
                Verdict::Again => self.place(fragment, self.tick),
            }
        }
        self.release_spare();
        if self.due.is_empty() { Progress::Done } else { Progress::More }
    }

    /// Gives `visit` fragments that come up first, or nearly so: those of one chain; up to `count` for which it says that they have a
    /// deadline. The others' nodes are removed, as many of them as are met.
    pub(crate) fn soonest(&mut self, count: usize, mut visit: impl FnMut(u32) -> bool) {
        let mut kept: SmallVec<[u32; 16]> = SmallVec::new();
        while kept.len() < count && (kept.is_empty() || !self.is_chain_empty()) {
            let chains = if self.due.is_empty() { &mut self.chains } else { &mut self.due };
            let Some(fragment) = chains.last_mut().and_then(Chain::pop) else { break };
            if visit(fragment) {
                kept.push(fragment);
            } else {
                self.len -= 1;
                let _ = chains.pop_if(|chain| chain.len == 0 && kept.is_empty());
            }
        }
        let chains = if self.due.is_empty() { &mut self.chains } else { &mut self.due };
        if let Some(chain) = chains.last_mut() {
            kept.into_iter().rev().for_each(|fragment| chain.push(fragment));
        }
    }

    /// Whether what comes up first has no node left.
    fn is_chain_empty(&self) -> bool {
        self.due.last().or(self.chains.last()).is_none_or(|chain| chain.len == 0)
    }

    /// Gives `visit` up to `count` fragments that are neighbours; `random` is a uniform number. A chain's chance is its number of
    /// nodes. Walks a chain's blocks: a step for each 14 nodes.
    pub(crate) fn sample(&self, random: u64, count: usize, visit: impl FnMut(u32)) {
        let mut rank = ((u128::from(random) * self.len as u128) >> 64) as usize;
        for chain in self.chains.iter().chain(&self.due) {
            let len = chain.len as usize;
            if rank < len {
                return chain.peek(rank / chain::BLOCK_FRAGMENTS, count, visit);
            }
            rank -= len;
        }
    }

    /// The nodes held, stale and duplicate ones too.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Walks over up to `limit` nodes from where the last call stopped and removes those that are not needed:
    /// nodes without a deadline, and all but one of the nodes of a fragment. One at another slot than its
    /// deadline's moves there. What is due already is left to `advance`.
    ///
    /// The owner calls it while `len` is far above its number of keys with a deadline (twice as many, say, and
    /// a hundred), with a limit of 16 for each insertion, until it says `Done`: all nodes were seen, and if
    /// nothing was inserted meanwhile, each fragment has one left. Duplicates are found by keeping a bounded
    /// number of fragments in mind; where there are more, it takes a walk for each 2,047 different ones, on
    /// which the others are passed over unjudged.
    pub(crate) fn sweep(&mut self, limit: usize, mut judge: impl FnMut(u32) -> Verdict) -> Progress {
        let mut pass = self.pass.take().unwrap_or_default();
        for _ in 0..limit {
            let Some(fragment) = self.pop_unswept(&mut pass) else {
                self.pass = pass.restart().then_some(pass);
                self.release_spare();
                return if self.pass.is_some() { Progress::More } else { Progress::Done };
            };
            match pass.sight(fragment) {
                Sight::OutOfRange => self.chain(pass.rest.slot).push(fragment),
                Sight::Again => self.len -= 1,
                Sight::First => match judge(fragment) {
                    Verdict::Drop | Verdict::Expired => self.len -= 1,
                    Verdict::Again => self.place(fragment, self.tick),
                    Verdict::At(deadline) => {
                        let tick = self.tick_of(deadline);
                        // Remembered where this walk is not coming any more: else the node itself, met again,
                        // would pass for a duplicate.
                        if self.slot_of(tick).is_some_and(|slot| slot >= pass.rest.slot) {
                            pass.remember(fragment);
                        }
                        self.place(fragment, tick);
                    }
                },
            }
        }
        self.pass = Some(pass);
        self.release_spare();
        Progress::More
    }

    /// The memory of the wheel, itself and all it points to. Takes a few steps for each occupied slot.
    pub(crate) fn memory_bytes(&self) -> usize {
        let rest = self.pass.iter().map(|pass| &pass.rest);
        let blocks: usize = self.chains.iter().chain(&self.due).chain(rest).map(Chain::block_bytes).sum();
        let chains = (self.chains.capacity() + self.due.capacity()) * size_of::<Chain>();
        let pass =
            self.pass.as_ref().map_or(0, |pass| size_of::<Pass>() + pass.seen.capacity() * size_of::<u32>());
        size_of::<Wheel>() + chains + blocks + pass
    }

    fn millis_since_epoch(&self, time: UnixMillis) -> u64 {
        u64::try_from(time.saturating_millis_since(self.epoch)).unwrap_or(0)
    }

    /// The first tick that begins at or after `deadline`.
    fn tick_of(&self, deadline: UnixMillis) -> u64 {
        self.millis_since_epoch(deadline).div_ceil(1 << TICK_BITS)
    }

    /// The slot of a tick, `None` if it is not ahead.
    fn slot_of(&self, tick: u64) -> Option<u8> {
        if tick <= self.tick {
            return None;
        }
        let level = (tick ^ self.tick).ilog2() / LEVEL_BITS;
        let digit = tick >> (level * LEVEL_BITS) & ((1 << LEVEL_BITS) - 1);
        let slot = u64::from(level << LEVEL_BITS) | digit;
        Some(u8::try_from(slot).expect("60 bits have 15 levels of 16 slots"))
    }

    /// The tick in which time enters a slot that lies ahead. All digits above the slot's are the present's.
    fn start_of(&self, slot: u8) -> u64 {
        let slot = u32::from(slot);
        let shift = (slot >> LEVEL_BITS) * LEVEL_BITS;
        let digit = slot & ((1 << LEVEL_BITS) - 1);
        let above = shift + LEVEL_BITS;
        self.tick >> above << above | u64::from(digit) << shift
    }

    fn place(&mut self, fragment: u32, tick: u64) {
        if let Some(pass) = &mut self.pass {
            pass.forget(fragment);
        }
        match self.slot_of(tick) {
            Some(slot) => self.chain(slot).push(fragment),
            None => match self.due.last_mut() {
                Some(chain) => chain.push(fragment),
                None => {
                    let mut chain = Chain::new(0);
                    chain.push(fragment);
                    self.due.push(chain);
                }
            },
        }
    }

    /// The chain of a slot, put in if there is none.
    fn chain(&mut self, slot: u8) -> &mut Chain {
        let index = self.chains.partition_point(|chain| chain.slot > slot);
        if self.chains.get(index).is_none_or(|chain| chain.slot != slot) {
            if self.chains.len() == self.chains.capacity() {
                self.chains.reserve_exact(CHAINS_STEP);
            }
            self.chains.insert(index, Chain::new(slot));
        }
        &mut self.chains[index]
    }

    /// Moves time, and the chains of the slots that it enters or leaves behind to the due ones. The others
    /// keep their slots: what lies ahead of the new time agrees with it in all digits above the slot's.
    fn turn_to(&mut self, tick: u64) {
        let (first, tick) = if tick.saturating_add(STEP_BACK_TICKS) < self.tick {
            (0, tick)
        } else {
            let tick = tick.max(self.tick);
            (self.chains.partition_point(|chain| self.start_of(chain.slot) > tick), tick)
        };
        self.tick = tick;
        if first == self.chains.len() {
            return;
        }
        // A slot that a sweep walks over has its chain in two parts.
        if let Some(pass) = &mut self.pass
            && self.chains[first..].iter().any(|chain| chain.slot == pass.rest.slot)
        {
            let slot = pass.rest.slot;
            self.due.push(mem::replace(&mut pass.rest, Chain::new(slot)));
        }
        self.due.extend(self.chains.drain(first..));
        self.due.retain(|chain| chain.len > 0);
    }

    fn pop_due(&mut self) -> Option<u32> {
        let chain = self.due.last_mut()?;
        let fragment = chain.pop();
        if chain.len == 0 {
            self.due.pop();
        }
        fragment
    }

    /// The next node of a sweep's walk, from the highest slot down. The chain that is walked over is taken out
    /// of its slot whole; what stays is pushed to the slot's new chain, which remains in place, empty or not,
    /// until the walk leaves the slot.
    fn pop_unswept(&mut self, pass: &mut Pass) -> Option<u32> {
        loop {
            if let Some(fragment) = pass.rest.pop() {
                return Some(fragment);
            }
            let mut index = self.chains.partition_point(|chain| chain.slot >= pass.rest.slot);
            if index > 0 && self.chains[index - 1].len == 0 {
                index -= 1;
                self.chains.remove(index);
            }
            let chain = self.chains.get_mut(index)?;
            pass.rest = mem::replace(chain, Chain::new(chain.slot));
        }
    }

    /// Gives back what the lists of chains do not need; all of it when the last node is gone.
    fn release_spare(&mut self) {
        if self.len == 0 {
            self.chains = Vec::new();
            self.due = Vec::new();
            self.pass = None;
        }
        for chains in [&mut self.chains, &mut self.due] {
            if chains.capacity() - chains.len() > 2 * CHAINS_STEP {
                chains.shrink_to(chains.len() + CHAINS_STEP);
            }
        }
    }
}

/// One walk of a sweep over all slots, on which the fragments from `first` up to `end` are looked at.
struct Pass {
    /// What is left to walk over of the slot that the walk is in.
    rest: Chain,
    /// Fragments of which a valid node stands where the walk has been; any other node of theirs is needless.
    /// Whoever places a node of such a fragment makes the pass forget it, for that node may be the valid one.
    /// Sorted.
    seen: Vec<u32>,
    first: u32,
    /// Lowered during the walk to what there is room for.
    end: Option<u32>,
}

enum Sight {
    First,
    Again,
    OutOfRange,
}

impl Default for Pass {
    fn default() -> Pass {
        Pass { rest: Chain::new(u8::MAX), seen: Vec::new(), first: 0, end: None }
    }
}

impl Pass {
    fn sight(&self, fragment: u32) -> Sight {
        if fragment < self.first || self.end.is_some_and(|end| fragment >= end) {
            Sight::OutOfRange
        } else if self.seen.binary_search(&fragment).is_ok() {
            Sight::Again
        } else {
            Sight::First
        }
    }

    fn remember(&mut self, fragment: u32) {
        if let Err(index) = self.seen.binary_search(&fragment) {
            self.seen.insert(index, fragment);
        }
        if self.seen.len() == SEEN_LIMIT {
            self.end = self.seen.pop();
        }
    }

    fn forget(&mut self, fragment: u32) {
        if let Ok(index) = self.seen.binary_search(&fragment) {
            self.seen.remove(index);
        }
    }

    /// Gets ready to walk again for the fragments that there was no room for; false if there are none.
    fn restart(&mut self) -> bool {
        let end = self.end.take();
        self.first = end.unwrap_or(0);
        self.seen.clear();
        self.rest = Chain::new(u8::MAX);
        end.is_some()
    }
}

#[cfg(test)]
mod tests;
