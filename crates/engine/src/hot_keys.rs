//! Which keys take the most time and the most bytes (HOTKEYS), while somebody asks for it.
//!
//! Each worker has a sketch of its own: a table of counts in four rows, in each of which a key's position names one place. What is
//! added for a key raises only the smallest of its four counts, so the smallest is never too low, and too high only by what other
//! keys share all four places. Beside it stands a short list of the keys whose counts are highest. The lists of all workers
//! together name the candidates, and the sums of their counts decide.
//!
//! While nobody asks, a worker compares one number a batch.

use larder_store::{Position, UnixMillis};

use crate::node::Node;
use crate::sync::{AtomicI64, Mutex, Ordering};

/// What keys are measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HotMetric {
    /// Nanoseconds of execution.
    Nanos,
    /// Bytes of requests and replies.
    Bytes,
}

const METRICS: usize = 2;
const ROWS: usize = 4;
/// Places in a row, a power of two.
const WIDTH: usize = 2048;
/// Candidates that each worker lists for each key that is asked for.
const LISTED_PER_KEY: usize = 4;
/// Longer keys are not listed: the list's memory has a limit.
const KEY_BYTES_MAX: usize = 4096;
/// Inactive.
const NEVER: i64 = i64::MIN;

/// How keys are to be observed.
#[derive(Clone, Copy, Debug)]
pub struct HotKeysOptions {
    /// Whether by [`HotMetric::Nanos`].
    pub by_nanos: bool,
    /// Whether by [`HotMetric::Bytes`].
    pub by_bytes: bool,
    /// How many keys are asked for.
    pub count: usize,
    /// Of how many requests one is looked at.
    pub sample_ratio: u64,
    /// When it ends by itself.
    pub until: Option<UnixMillis>,
}

/// The observation of a node's keys; see the module's documentation.
#[derive(Debug)]
pub struct HotKeys {
    /// Until when keys are observed.
    until: AtomicI64,
    session: Mutex<Option<Session>>,
    /// One of each worker, who has its lock to itself but while somebody asks.
    sketches: Box<[Mutex<Option<Sketches>>]>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    options: HotKeysOptions,
    started_at: UnixMillis,
    /// What the node had spent at the start.
    begin: Spent,
    /// When it ended, and what the node had spent then.
    end: Option<(UnixMillis, Spent)>,
}

/// What a node has spent altogether.
#[derive(Clone, Copy, Debug)]
struct Spent {
    command_nanos: u64,
    bytes: u64,
    system_seconds: f64,
    user_seconds: f64,
}

/// What is known of a session.
#[derive(Clone, Debug)]
pub struct HotKeysReport {
    /// How it was begun.
    pub options: HotKeysOptions,
    /// Whether it still goes on.
    pub active: bool,
    /// When it was begun.
    pub started_at: UnixMillis,
    /// For how long it went on, in milliseconds.
    pub millis: i64,
    /// Nanoseconds that all commands took meanwhile.
    pub command_nanos: u64,
    /// Bytes that went in and out meanwhile.
    pub bytes: u64,
    /// Processor time meanwhile, in seconds: system.
    pub system_seconds: f64,
    /// ... and user.
    pub user_seconds: f64,
}

impl HotKeys {
    pub(crate) fn new(workers: usize) -> HotKeys {
        HotKeys {
            until: AtomicI64::new(NEVER),
            session: Mutex::default(),
            sketches: (0..workers).map(|_| Mutex::default()).collect(),
        }
    }

    /// Whether keys are observed.
    #[inline]
    pub(crate) fn is_active(&self, now: UnixMillis) -> bool {
        self.until.load(Ordering::Relaxed) > now.0
    }

    /// Begins a session, in place of one that has ended; says whether there was none going on.
    pub fn start(&self, node: &Node, options: HotKeysOptions, now: UnixMillis) -> bool {
        let mut session = self.session.lock();
        if session.is_some() && self.is_active(now) {
            return false;
        }
        for sketches in &self.sketches {
            *sketches.lock() = Some(Sketches::new(options));
        }
        *session = Some(Session { options, started_at: now, begin: Spent::of(node), end: None });
        self.until.store(options.until.map_or(i64::MAX, |until| until.0), Ordering::Relaxed);
        true
    }

    /// Ends a session; says whether there was one.
    pub fn stop(&self, node: &Node, now: UnixMillis) -> bool {
        let was_active = self.is_active(now);
        self.until.store(NEVER, Ordering::Relaxed);
        if let Some(session) = &mut *self.session.lock() {
            let end = session.options.until.map_or(now, |until| until.min(now));
            session.end.get_or_insert_with(|| (end, Spent::of(node)));
        }
        was_active
    }

    /// Ends a session whose time is over.
    pub(crate) fn stop_when_due(&self, node: &Node, now: UnixMillis) {
        let until = self.until.load(Ordering::Relaxed);
        if until != NEVER && until <= now.0 {
            self.stop(node, now);
        }
    }

    /// Forgets a session that has ended; says whether none goes on.
    pub fn reset(&self, now: UnixMillis) -> bool {
        if self.is_active(now) {
            return false;
        }
        *self.session.lock() = None;
        self.sketches.iter().for_each(|sketches| *sketches.lock() = None);
        true
    }

    /// What is known of the session, if there is one.
    #[must_use]
    pub fn report(&self, node: &Node, now: UnixMillis) -> Option<HotKeysReport> {
        self.stop_when_due(node, now);
        let session = (*self.session.lock())?;
        let (end, spent) = session.end.unwrap_or_else(|| (now, Spent::of(node)));
        let begin = session.begin;
        Some(HotKeysReport {
            options: session.options,
            active: session.end.is_none(),
            started_at: session.started_at,
            millis: end.0.saturating_sub(session.started_at.0),
            command_nanos: spent.command_nanos.saturating_sub(begin.command_nanos),
            bytes: spent.bytes.saturating_sub(begin.bytes),
            system_seconds: spent.system_seconds - begin.system_seconds,
            user_seconds: spent.user_seconds - begin.user_seconds,
        })
    }

    /// The hottest keys by a metric, the hottest first.
    #[must_use]
    pub fn hottest(&self, metric: HotMetric, count: usize) -> Vec<(Box<[u8]>, u64)> {
        let mut keys: Vec<(Position, Box<[u8]>)> = Vec::new();
        for sketches in &self.sketches {
            let sketches = sketches.lock();
            let Some(sketch) = sketches.as_ref().and_then(|sketches| sketches.of(metric)) else { continue };
            keys.extend(sketch.listed.iter().map(|listed| (listed.position, listed.key.clone())));
        }
        keys.sort_unstable();
        keys.dedup();
        let mut hottest: Vec<(Box<[u8]>, u64)> = keys
            .into_iter()
            .map(|(position, key)| {
                let counted = self.sketches.iter().map(|sketches| {
                    let sketches = sketches.lock();
                    let sketch = sketches.as_ref().and_then(|sketches| sketches.of(metric));
                    sketch.map_or(0, |sketch| sketch.count(position))
                });
                (key, counted.sum())
            })
            .collect();
        hottest.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        hottest.truncate(count);
        hottest
    }

    /// Counts what a request of a worker took for each of its keys, if chance, a random number, will have it looked at.
    pub(crate) fn count<'k>(
        &self,
        worker: usize,
        keys: impl Iterator<Item = (Position, &'k [u8])>,
        (nanos, bytes): (u64, u64),
        chance: u64,
    ) {
        let mut sketches = self.sketches[worker].lock();
        let Some(sketches) = sketches.as_mut() else { return };
        if !chance.is_multiple_of(sketches.sample_ratio) {
            return;
        }
        for (position, key) in keys {
            for (sketch, amount) in sketches.by_metric.iter_mut().zip([nanos, bytes]) {
                if let Some(sketch) = sketch {
                    sketch.add(position, key, amount);
                }
            }
        }
    }
}

impl Spent {
    fn of(node: &Node) -> Spent {
        let (system_seconds, user_seconds) = node.host.cpu_seconds();
        Spent {
            command_nanos: node
                .sum(|worker| worker.commands.iter().map(|command| command.nanos.value()).sum()),
            bytes: node.sum(|worker| worker.input_bytes.value() + worker.output_bytes.value()),
            system_seconds,
            user_seconds,
        }
    }
}

/// A worker's sketches.
#[derive(Debug)]
struct Sketches {
    sample_ratio: u64,
    /// For each [`HotMetric`], if it is asked for.
    by_metric: [Option<Sketch>; METRICS],
}

impl Sketches {
    fn new(options: HotKeysOptions) -> Sketches {
        let sketch = |wanted: bool| wanted.then(|| Sketch::new(options.count * LISTED_PER_KEY));
        let by_metric = [sketch(options.by_nanos), sketch(options.by_bytes)];
        Sketches { sample_ratio: options.sample_ratio.max(1), by_metric }
    }

    fn of(&self, metric: HotMetric) -> Option<&Sketch> {
        self.by_metric[metric as usize].as_ref()
    }
}

/// See the module's documentation.
#[derive(Debug)]
struct Sketch {
    counts: Box<[u64]>,
    listed: Vec<Listed>,
    listed_max: usize,
}

#[derive(Debug)]
struct Listed {
    position: Position,
    key: Box<[u8]>,
    count: u64,
}

impl Sketch {
    fn new(listed_max: usize) -> Sketch {
        Sketch { counts: vec![0; ROWS * WIDTH].into(), listed: Vec::new(), listed_max }
    }

    /// Where the counts of a position are, one in each row. A position is a hash: other bits of it for each row.
    fn places(position: Position) -> [usize; ROWS] {
        let bits = position.number();
        std::array::from_fn(|row| row * WIDTH + (bits >> (row as u32 * 13)) as usize % WIDTH)
    }

    fn count(&self, position: Position) -> u64 {
        Sketch::places(position).into_iter().map(|place| self.counts[place]).min().unwrap_or(0)
    }

    fn add(&mut self, position: Position, key: &[u8], amount: u64) {
        let count = self.count(position).saturating_add(amount);
        for place in Sketch::places(position) {
            self.counts[place] = self.counts[place].max(count);
        }
        if let Some(listed) = self.listed.iter_mut().find(|listed| listed.position == position) {
            listed.count = count;
        } else if key.len() <= KEY_BYTES_MAX {
            self.list(Listed { position, key: key.into(), count });
        }
    }

    /// Takes a key into the list if there is room, or in place of the one whose count is the lowest, if that is lower.
    fn list(&mut self, new: Listed) {
        if self.listed.len() < self.listed_max {
            self.listed.push(new);
        } else if let Some(lowest) = self.listed.iter_mut().min_by_key(|listed| listed.count)
            && lowest.count < new.count
        {
            *lowest = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use larder_store::Positioner;

    use super::*;

    #[test]
    fn the_hottest_of_many_keys_are_found() {
        let positioner = Positioner::new(1);
        let hot = HotKeys::new(2);
        let options =
            HotKeysOptions { by_nanos: true, by_bytes: true, count: 3, sample_ratio: 1, until: None };
        for sketches in &hot.sketches {
            *sketches.lock() = Some(Sketches::new(options));
        }
        for round in 0..20_000_u64 {
            let cold = format!("cold:{}", round % 5000);
            let warm = format!("hot:{}", round % 3);
            for (key, nanos, bytes) in [(&cold, 1, 1), (&warm, 100 - round % 3, 10 + round % 3)] {
                let key = key.as_bytes();
                let keys = [(positioner.position(key), key)].into_iter();
                hot.count((round / 3 % 2) as usize, keys, (nanos, bytes), round);
            }
        }
        let names = |metric| -> Vec<String> {
            let hottest = hot.hottest(metric, 3);
            hottest.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
        };
        assert_eq!(names(HotMetric::Nanos), ["hot:0", "hot:1", "hot:2"]);
        assert_eq!(names(HotMetric::Bytes), ["hot:2", "hot:1", "hot:0"]);
        let (_, nanos) = &hot.hottest(HotMetric::Nanos, 1)[0];
        assert!((666_700..700_000).contains(nanos), "{nanos}");
    }
}
