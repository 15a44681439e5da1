//! The bars: the ratios to each peer that this project has set itself, as `DESIGN.md` section 8 lists them.

use crate::cpu::LIGHT;
use crate::families::{self, FamilyWork};
use crate::peers::Kind;
use crate::results::{CpuCell, Run, Started};
use crate::stats::Spread;

/// Where a bar's figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The server's CPU time per command, under our own client.
    Cpu,
    /// Resident bytes per key.
    Memory,
}

/// The peer a bar is set against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    /// valkey-server.
    Valkey,
    /// redis-server.
    Redis,
    /// memcached.
    Memcached,
    /// pogocache in whichever mode does better in the same run.
    Pogocache,
}

impl Against {
    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Valkey => &[Kind::Valkey],
            Self::Redis => &[Kind::Redis],
            Self::Memcached => &[Kind::Memcached],
            Self::Pogocache => &[Kind::PogocacheUring, Kind::PogocacheEpoll],
        }
    }
}

/// A ratio that Larder must not exceed.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// The work.
    pub(crate) work: String,
    /// The figure.
    pub(crate) measure: Measure,
    /// The peer.
    pub(crate) against: Against,
    /// The ratio.
    pub(crate) at_most: f64,
}

/// A bar beside what was measured.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// The bar.
    pub(crate) bar: Bar,
    /// Larder's name in this run.
    pub(crate) server: String,
    /// The peer's name in this run.
    pub(crate) peer: String,
    /// Larder's figure over the peer's, round by round.
    pub(crate) ratio: Spread,
}

impl Verdict {
    /// Whether the median ratio is within the bar.
    pub(crate) fn is_met(&self) -> bool {
        self.ratio.median <= self.bar.at_most
    }
}

/// valkey, redis, memcached, pogocache.
type Row = (&'static str, Measure, [f64; 4]);

const ROWS: [Row; 8] = [
    // Against pogocache 1.00 is wanted of the io_uring driver, which is what runs by itself; `--io-uring no` would be allowed 1.10.
    ("get-set", Measure::Cpu, [0.90, 0.90, 0.85, 1.00]),
    ("get-set-p16", Measure::Cpu, [0.50, 0.50, 0.60, 0.75]),
    ("set-p16", Measure::Cpu, [0.55, 0.55, 0.60, 0.70]),
    ("get-10k", Measure::Cpu, [0.70, 0.70, 0.95, 1.00]),
    ("8 B", Measure::Memory, [0.55, 0.45, 0.50, 0.75]),
    ("100 B", Measure::Memory, [0.75, 0.70, 0.75, 0.85]),
    ("100 B + TTL", Measure::Memory, [0.65, 0.60, 0.75, 0.85]),
    ("log-uniform 16 B-4 KiB", Measure::Memory, [0.90, 0.90, 0.90, 0.90]),
];

/// All bars.
pub(crate) fn bars() -> impl Iterator<Item = Bar> {
    const AGAINST: [Against; 4] = [Against::Valkey, Against::Redis, Against::Memcached, Against::Pogocache];
    let rows = ROWS.iter().flat_map(|&(work, measure, ratios)| {
        let bar = move |against, at_most| Bar { work: work.to_owned(), measure, against, at_most };
        AGAINST.iter().zip(ratios).map(move |(&against, at_most)| bar(against, at_most))
    });
    rows.chain(families::works(|_, _| true, 1.0).into_iter().flat_map(family_bars))
}

/// The bars of a row on collections. Those on memory are the same for all rows of a family and a size: the first has them.
fn family_bars(work: FamilyWork) -> impl Iterator<Item = Bar> {
    let at_most = if work.pipeline == 1 || !work.family.weighed { 0.90 } else { 0.60 };
    let is_first = work.family.weighed && work.pipeline == 1 && work.commands == work.family.rows[0].commands;
    let memory = is_first.then(|| Bar {
        work: work.memory_name(),
        measure: Measure::Memory,
        against: Against::Valkey,
        at_most: 0.80,
    });
    let cpu = [Against::Valkey, Against::Redis].map(|against| Bar {
        work: work.name.clone(),
        measure: Measure::Cpu,
        against,
        at_most,
    });
    cpu.into_iter().chain(memory)
}

/// Every bar for which the run has both sides, for every Larder in the run.
pub(crate) fn verdicts(run: &Run) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for larder in run.servers.iter().filter(|server| server.kind == Kind::Larder) {
        for bar in bars() {
            let peers = run.servers.iter().filter(|server| bar.against.kinds().contains(&server.kind));
            let mut found: Vec<Verdict> = peers.filter_map(|peer| verdict(run, &bar, larder, peer)).collect();
            if bar.against == Against::Pogocache {
                // The better mode is the one that leaves Larder the larger ratio.
                found.sort_by(|one, other| other.ratio.median.total_cmp(&one.ratio.median));
                found.truncate(1);
            }
            verdicts.extend(found);
        }
    }
    verdicts
}

fn verdict(run: &Run, bar: &Bar, larder: &Started, peer: &Started) -> Option<Verdict> {
    let rounds = |server: &str| match bar.measure {
        Measure::Cpu => run.cpu_rounds(&bar.work, server, LIGHT, CpuCell::cpu_us_per_operation),
        Measure::Memory => run.memory_rounds(&bar.work, server),
    };
    let ratio = Spread::of_ratios(&rounds(&larder.name), &rounds(&peer.name))?;
    Some(Verdict { bar: bar.clone(), server: larder.name.clone(), peer: peer.name.clone(), ratio })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::{FAMILIES, SIZES};
    use crate::results::sample;
    use crate::work::{CPU_WORKS, MEMORY_WORKS};

    #[test]
    fn every_bar_names_a_work_and_every_work_has_bars() {
        let cpu = CPU_WORKS.iter().map(|work| (work.name, Measure::Cpu));
        let memory = MEMORY_WORKS.iter().map(|work| (work.name, Measure::Memory));
        let works: Vec<_> = cpu.chain(memory).collect();
        for (work, measure) in &works {
            assert_eq!(
                bars().filter(|bar| bar.work == *work && bar.measure == *measure).count(),
                4,
                "{work}"
            );
        }
        let families = families::works(|_, _| true, 1.0);
        for work in &families {
            assert_eq!(bars().filter(|bar| bar.work == work.name).count(), 2, "{}", work.name);
            let weighed = usize::from(work.family.weighed);
            assert_eq!(bars().filter(|bar| bar.work == work.memory_name()).count(), weighed, "{}", work.name);
        }
        let weighed = FAMILIES.iter().filter(|family| family.weighed).count() * SIZES.len();
        assert_eq!(bars().count(), 4 * works.len() + 2 * families.len() + weighed);
    }

    #[test]
    fn a_bar_is_judged_by_the_median_ratio_against_the_better_mode() {
        let servers = [
            ("larder", Kind::Larder),
            ("valkey", Kind::Valkey),
            ("pogocache-uring", Kind::PogocacheUring),
            ("pogocache-epoll", Kind::PogocacheEpoll),
        ];
        let mut run = sample::run(&servers);
        // The machine is twice as slow in the second round; the ratios are not.
        for (round, pace) in [(1, 1.0), (2, 2.0), (3, 1.0)] {
            for (server, cpu_us) in
                [("larder", 6.6), ("valkey", 8.0), ("pogocache-uring", 5.5), ("pogocache-epoll", 6.6)]
            {
                run.cpu.push(sample::cpu_cell("get-set", server, round, cpu_us * pace));
            }
        }
        let verdicts = verdicts(&run);
        let found: Vec<_> =
            verdicts.iter().map(|verdict| (verdict.peer.as_str(), verdict.is_met())).collect();
        assert_eq!(found, [("valkey", true), ("pogocache-uring", false)]);
        assert!((verdicts[1].ratio.median - 1.2).abs() < 1e-9 && verdicts[1].bar.at_most == 1.00);
    }
}
