//! Eviction: which keys go when memory is short.
//!
//! Most rules go by sampling, as in Redis: some neighbours in the order of positions (which is as good as random) of a stripe chosen
//! by chance are looked at, the worst of all that were seen of late are remembered in a small pool, and the worst of the pool goes,
//! if it is still what it was. Keys are remembered by their positions, so the pool costs no copies. Where a stripe has fewer keys than
//! are to be looked at, more stripes are.
//!
//! Who evicts holds no stripe: a stripe in use is passed over, so nobody waits for anybody.

use crate::DbIndex;
use crate::change::{Effect, Event, SideState};
use crate::entry::Entry;
use crate::expire;
use crate::keyspace::Keyspace;
use crate::position::{Position, Positioner, STRIPES};
use crate::queues::Clocks;
use crate::stripe::{Db, Moment, StripeGuard};
use crate::table::Location;

use self::queued::Queued;

mod queued;
#[cfg(test)]
mod tests;

/// Keys remembered to be worse than others.
const POOL_MAX: usize = 16;
/// Nodes of a wheel looked at when one of a key that is gone was met.
const SWEPT_NODES: usize = 64;
/// Stripes looked into before a call gives up for now.
const TRIES: usize = 64;
/// Stripes looked into for as many keys as are to be looked at.
const STRIPES_PER_SAMPLE: usize = 8;
/// Times as many keys are looked at where there are queues: a tenth of them or so are of the one from which most go.
const QUEUED_TIMES: usize = 4;

/// Which keys may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// All.
    All,
    /// Those that expire.
    Expiring,
}

/// Which of them goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The one that has not been used for longest, by its access bits.
    Idle,
    /// The one that is used least often, by its access bits.
    Rare,
    /// Any.
    Random,
    /// The one that expires soonest.
    Soonest,
    /// The one whose turn it is in the queues of S3-FIFO, by its access bits.
    Queued,
}

/// A policy of eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionRule {
    /// Which keys may go.
    pub among: Among,
    /// Which of them goes first.
    pub first: First,
}

/// What a call of [`Evictor::evict`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// A key of this stripe is gone.
    One {
        /// The stripe.
        stripe: usize,
    },
    /// None is, for now: stripes were in use, or what was found had just been used.
    NotNow,
    /// There is none that may go.
    Nothing,
}

/// A key that may go.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    db: DbIndex,
    position: Position,
    /// The higher, the sooner it goes.
    rank: u64,
}

/// Some keys that are worse than others, the lowest rank first.
#[derive(Debug, Default)]
struct Pool(Vec<Candidate>);

impl Pool {
    fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the worst.
    fn pop(&mut self) -> Option<Candidate> {
        self.0.pop()
    }

    fn remember(&mut self, candidate: Candidate) {
        if self.0.iter().any(|other| (other.db, other.position) == (candidate.db, candidate.position)) {
            return;
        }
        let at = self.0.partition_point(|other| other.rank < candidate.rank);
        if self.0.len() == POOL_MAX {
            if at == 0 {
                return;
            }
            self.0.remove(0);
            self.0.insert(at - 1, candidate);
        } else {
            self.0.insert(at, candidate);
        }
    }
}

/// Who evicts: one for each worker.
#[derive(Debug, Default)]
pub struct Evictor {
    pool: Pool,
    queued: Queued,
    rule: Option<EvictionRule>,
}

impl Evictor {
    /// Evicts a key, if it can. `samples` keys of a stripe are looked at; `random` gives uniform numbers. The caller has no stripe
    /// locked. Costs the locks of two to nine stripes as a rule, of 64 at most.
    pub fn evict<S: SideState>(
        &mut self,
        keyspace: &Keyspace<S>,
        rule: EvictionRule,
        samples: usize,
        moment: Moment,
        random: &mut dyn FnMut() -> u64,
    ) -> Evicted {
        if self.rule.replace(rule) != Some(rule) {
            self.pool.clear();
            self.queued.clear();
        }
        let samples = if rule.first == First::Queued { samples * QUEUED_TIMES } else { samples };
        // Among those that expire, each attempt goes on to another database, where there may be none.
        let stripes = if rule.among == Among::All { STRIPES_PER_SAMPLE } else { 1 };
        let mut looked_at = 0;
        let Some(db) = choose_db(keyspace, random()) else { return Evicted::Nothing };
        let mut in_use = false;
        for attempt in 0..TRIES {
            // At last any database that has such keys will do, for there may be few of them.
            let Some((db, stripe)) = choose_stripe(keyspace, rule.among, db, attempt, random()) else {
                return if in_use { Evicted::NotNow } else { Evicted::Nothing };
            };
            let Some(mut guard) = keyspace.try_lock(stripe, moment) else {
                in_use = true;
                continue;
            };
            if rule.among == Among::Expiring {
                guard.note_untimed();
            }
            looked_at += self.sample(&mut guard, db, rule, samples - looked_at, random);
            drop(guard);
            if looked_at < samples && attempt + 1 < stripes {
                continue;
            }
            looked_at = 0;
            let gone = match rule.first {
                First::Queued => self.queued.evict(keyspace, moment, attempt < 2 * stripes),
                _ => self.evict_worst(keyspace, rule, moment),
            };
            if let Some(stripe) = gone {
                return Evicted::One { stripe };
            }
        }
        let none_left = rule.among == Among::Expiring && !any_expires(keyspace, moment);
        if none_left { Evicted::Nothing } else { Evicted::NotNow }
    }

    /// Takes the worst of some keys of a stripe into the pool; returns how many were looked at.
    fn sample<S: SideState>(
        &mut self,
        guard: &mut StripeGuard<'_, S>,
        db: DbIndex,
        rule: EvictionRule,
        samples: usize,
        random: &mut dyn FnMut() -> u64,
    ) -> usize {
        if rule.first != First::Queued {
            guard.stripe.ghosts = None;
        }
        let (stripe, moment) = (guard.index, guard.moment);
        let positioner = guard.keyspace.positioner();
        let Some(place) = guard.stripe.db_mut(db) else { return 0 };
        let found = locations(place, positioner, rule, samples, random);
        found.iter().for_each(|at| place.table.prefetch_location(*at));
        for at in &found {
            let entry = place.table.entry(*at);
            if let Some(rank) = rank(&entry, rule, moment, &guard.keyspace.clocks) {
                let within = positioner.position(entry.key()).within();
                let candidate = Candidate { db, position: Position::from_parts(stripe, within), rank };
                match rule.first {
                    First::Queued => self.queued.look_at(&entry, candidate),
                    _ => self.pool.remember(candidate),
                }
            }
        }
        found.len()
    }

    /// Evicts the worst key of the pool that is still as bad as it was; returns its stripe.
    fn evict_worst<S: SideState>(
        &mut self,
        keyspace: &Keyspace<S>,
        rule: EvictionRule,
        moment: Moment,
    ) -> Option<usize> {
        while let Some(worst) = self.pool.pop() {
            let Some(mut guard) = keyspace.try_lock(worst.position.stripe(), moment) else { continue };
            let Some(at) = guard.at_position(worst.db, worst.position) else { continue };
            let place = guard.stripe.db(worst.db).expect("a key was found in this database");
            let now = rank(&place.table.entry(at), rule, moment, &keyspace.clocks);
            if now.is_some_and(|now| now >= worst.rank) {
                guard.evict_at(worst.db, at);
                return Some(worst.position.stripe());
            }
        }
        None
    }
}

impl<S: SideState> StripeGuard<'_, S> {
    /// Where the key of exactly this position lies.
    fn at_position(&self, db: DbIndex, position: Position) -> Option<Location> {
        let positioner = self.keyspace.positioner();
        let is_it = |entry: &Entry| positioner.position(entry.key()).within() == position.within();
        self.stripe.db(db)?.table.find_fragment(position.fragment(), is_it)
    }

    /// Tells who looks for stripes with keys that expire if this one has none any more.
    fn note_untimed(&mut self) {
        let (mut dbs, _) = self.stripe.dbs_mut();
        if dbs.all(|db| db.wheel.is_none()) {
            self.keyspace.set_next_due(self.index, None);
        }
    }

    fn evict_at(&mut self, db: DbIndex, at: Location) {
        let entry = self.remove_at(db, at);
        self.stripe.side.goes_by_itself(db, entry.key());
        self.changed(db, entry.key(), Effect::Removed, Event::EVICTED);
        self.keyspace.discard(entry);
    }
}

/// How bad a key is; none for one that may not go.
fn rank(entry: &Entry, rule: EvictionRule, moment: Moment, clocks: &Clocks) -> Option<u64> {
    let expires_at = entry.expires_at();
    if rule.among == Among::Expiring && expires_at.is_none() {
        return None;
    }
    let (policy, now) = (moment.policy, moment.now);
    Some(match rule.first {
        First::Idle => u64::from(policy.idle_seconds(entry.access(), now)),
        First::Rare => u64::from(u8::MAX - policy.frequency(entry.access(), now)),
        First::Soonest => expires_at.map_or(0, |at| u64::MAX - at.0.max(0) as u64),
        First::Random => 0,
        First::Queued => u64::from(clocks.age(entry.access())),
    })
}

/// Keys of a stripe's database to be looked at.
fn locations(
    place: &mut Db,
    positioner: &Positioner,
    rule: EvictionRule,
    samples: usize,
    random: &mut dyn FnMut() -> u64,
) -> Vec<Location> {
    /// Where no more than this part of the keys expire, they are found by the wheel.
    const FEW: usize = 4;
    let by_table = rule.among == Among::All || place.expiries.keys > place.table.len() / FEW;
    if by_table && rule.first != First::Soonest {
        return place.table.neighbours(random(), random(), samples);
    }
    let Db { wheel: Some(wheel), table, .. } = place else { return Vec::new() };
    let mut found = Vec::with_capacity(samples);
    let mut looked_at = 0;
    let mut visit = |fragment: u32| {
        looked_at += 1;
        let is_it = |entry: &Entry| {
            entry.expires_at().is_some() && positioner.position(entry.key()).fragment() == fragment
        };
        let at = table.find_fragment(fragment, is_it);
        found.extend(at);
        at.is_some()
    };
    match rule.first {
        First::Soonest => wheel.soonest(samples.max(POOL_MAX), &mut visit),
        _ => {
            wheel.sample(random(), samples, |fragment| {
                visit(fragment);
            });
            if found.len() < looked_at {
                // Keys that go leave their nodes behind, among which the others would be ever harder to find.
                let _ = wheel.sweep(SWEPT_NODES, |fragment| expire::verdict(table, positioner, fragment));
            }
        }
    }
    found
}

/// A database, whose chance is its number of keys.
fn choose_db<S: SideState>(keyspace: &Keyspace<S>, random: u64) -> Option<DbIndex> {
    let dbs = (0..keyspace.databases() as u32).map(DbIndex);
    let total: usize = dbs.clone().map(|db| keyspace.len(db)).sum();
    let mut rank = ((u128::from(random) * total as u128) >> 64) as usize;
    let mut last = None;
    for db in dbs {
        let len = keyspace.len(db);
        if rank < len {
            return Some(db);
        }
        rank -= len;
        last = if len > 0 { Some(db) } else { last };
    }
    // Keys may have gone since they were counted, which does not mean that there are none.
    last
}

/// A stripe in which to look: one that has keys of the database, or, among those that expire, keys that do as far as can be told
/// without its lock. Attempt by attempt, databases are gone round.
fn choose_stripe<S: SideState>(
    keyspace: &Keyspace<S>,
    among: Among,
    db: DbIndex,
    attempt: usize,
    random: u64,
) -> Option<(DbIndex, usize)> {
    let from = (random >> 32) as usize % STRIPES;
    match among {
        Among::All => {
            let found = keyspace.next_occupied(db, from).or_else(|| keyspace.next_occupied(db, 0));
            found.map(|stripe| (db, stripe))
        }
        Among::Expiring => {
            let databases = keyspace.databases();
            let db = DbIndex(((db.as_usize() + attempt) % databases) as u32);
            let found = (from..STRIPES).chain(0..from).find(|stripe| keyspace.has_timed(*stripe))?;
            Some((db, found))
        }
    }
}

/// Whether any key expires. Costs the lock of each stripe whose wheels hold something.
fn any_expires<S: SideState>(keyspace: &Keyspace<S>, moment: Moment) -> bool {
    let expires = |stripe: usize| {
        // One in use may have some.
        keyspace
            .try_lock(stripe, moment)
            .is_none_or(|mut guard| guard.stripe.dbs_mut().0.any(|db| db.expiries.keys > 0))
    };
    (0..STRIPES).filter(|stripe| keyspace.has_timed(*stripe)).any(expires)
}
