//! The works: what is asked of every server, and how large it is.

use clap::ValueEnum;

use crate::client::Mix;
use crate::wire::{Life, ValueSize};

/// No scaled work has fewer keys.
const KEYS_MIN: u64 = 1_000;

/// A work, or a group of works, as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Everything below.
    All,
    /// The four rows that measure CPU time per command.
    Cpu,
    /// The seven rows that measure a probe's latency during an event.
    Latency,
    /// GET:SET 10:1, 100-byte values, 1 M keys, 50 connections, no pipeline.
    GetSet,
    /// The same, 16 requests at a time.
    GetSetP16,
    /// SET only, 16 requests at a time.
    SetP16,
    /// GET of 10 KiB values, 10 k keys.
    #[value(name = "get-10k")]
    Get10k,
    /// The six below: CPU time per command on collections, small and large ones, and bytes of memory per member.
    Families,
    /// Lists.
    Lists,
    /// Sets.
    Sets,
    /// Hashes.
    Hashes,
    /// Sorted sets.
    SortedSets,
    /// Streams.
    Streams,
    /// A transaction of four commands, a script of five lines, and elements that are waited for.
    Conversations,
    /// Bytes of memory per key, at four value sizes.
    Memory,
    /// Bytes of memory per idle connection.
    Connections,
    /// A probe's latency while 20 M keys are filled in.
    Fill,
    /// A probe's latency while FLUSHALL removes 10 M keys.
    Flushall,
    /// A probe's latency while 5 M keys expire in the same second, and how late they go.
    ExpireStorm,
    /// A probe's latency while keys expire at a rate that grows to 2 M a second, and up to which rate none is late.
    ExpireRamp,
    /// A probe's latency while 10 M keys are scanned, and the CPU time of a SCAN call.
    Scan,
    /// A probe's latency while a set of 10 M members is emptied by SPOP.
    SpopAll,
    /// A probe's latency while a sorted set of 10 M members is deleted.
    ZsetDelete,
}

impl Choice {
    /// Whether this choice takes in the work `name`, of group `group`.
    pub(crate) fn includes(self, group: Self, name: &str) -> bool {
        let own_name = self.to_possible_value().map(|value| value.get_name().to_owned());
        let is_family = matches!(
            group,
            Self::Lists | Self::Sets | Self::Hashes | Self::SortedSets | Self::Streams | Self::Conversations
        );
        self == Self::All
            || self == group
            || self == Self::Families && is_family
            || own_name.as_deref() == Some(name)
    }
}

/// A row that measures CPU time per command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuWork {
    /// Its name on the command line and in results.
    pub(crate) name: &'static str,
    /// What it does, for a table's caption.
    pub(crate) about: &'static str,
    /// The data it works on.
    pub(crate) data: Data,
    /// Reads and writes.
    pub(crate) mix: Mix,
    /// Connections.
    pub(crate) connections: usize,
    /// Requests sent together.
    pub(crate) pipeline: usize,
}

/// Keys loaded before a work begins. Works with the same data share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Data {
    /// The first four bytes of each key.
    pub(crate) prefix: [u8; 4],
    /// How many.
    pub(crate) keys: u64,
    /// Sizes of their values.
    pub(crate) size: ValueSize,
}

const SMALL: Data = Data { prefix: *b"key1", keys: 1_000_000, size: ValueSize::Fixed(100) };
const LARGE: Data = Data { prefix: *b"big1", keys: 10_000, size: ValueSize::Fixed(10 * 1024) };

/// The rows that measure CPU time per command.
pub(crate) const CPU_WORKS: [CpuWork; 4] = [
    CpuWork {
        name: "get-set",
        about: "GET:SET 10:1, 100 B values, uniform over the keys, no pipeline",
        data: SMALL,
        mix: Mix { gets: 10, sets: 1 },
        connections: 50,
        pipeline: 1,
    },
    CpuWork {
        name: "get-set-p16",
        about: "GET:SET 10:1, 100 B values, uniform over the keys, pipeline 16",
        data: SMALL,
        mix: Mix { gets: 10, sets: 1 },
        connections: 50,
        pipeline: 16,
    },
    CpuWork {
        name: "set-p16",
        about: "SET, 100 B values, uniform over the keys, pipeline 16",
        data: SMALL,
        mix: Mix { gets: 0, sets: 1 },
        connections: 50,
        pipeline: 16,
    },
    CpuWork {
        name: "get-10k",
        about: "GET, 10 KiB values, uniform over the keys, no pipeline",
        data: LARGE,
        mix: Mix { gets: 1, sets: 0 },
        connections: 50,
        pipeline: 1,
    },
];

/// A row that measures memory per key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryWork {
    /// Its name in results.
    pub(crate) name: &'static str,
    /// What is stored.
    pub(crate) data: Data,
    /// How long it lives.
    pub(crate) life: Life,
}

const fn memory_work(name: &'static str, keys: u64, size: ValueSize, life: Life) -> MemoryWork {
    MemoryWork { name, data: Data { prefix: *b"key1", keys, size }, life }
}

/// The rows that measure memory per key.
pub(crate) const MEMORY_WORKS: [MemoryWork; 4] = [
    memory_work("8 B", 5_000_000, ValueSize::Fixed(8), Life::Unbounded),
    memory_work("100 B", 5_000_000, ValueSize::Fixed(100), Life::Unbounded),
    memory_work("100 B + TTL", 5_000_000, ValueSize::Fixed(100), Life::Seconds(86_400)),
    memory_work(
        "log-uniform 16 B-4 KiB",
        1_000_000,
        ValueSize::LogUniform { min: 16, max: 4096 },
        Life::Unbounded,
    ),
];

/// Idle connections of the `connections` work.
pub(crate) const IDLE_CONNECTIONS: u64 = 10_000;

/// What happens while the probe looks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Keys are filled in as fast as the server takes them.
    Fill,
    /// All keys are removed by one command.
    Flushall,
    /// All keys expire in one second.
    ExpireStorm,
    /// More and more keys expire a second.
    ExpireRamp,
    /// All keys are listed, ten a call.
    Scan,
    /// The members of one set are popped, one a call.
    SpopAll,
    /// One sorted set is deleted.
    ZsetDelete,
}

/// A row that measures a probe's latency during an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LatencyWork {
    /// Its name on the command line and in results.
    pub(crate) name: &'static str,
    /// The event.
    pub(crate) event: Event,
    /// The keys it concerns; or the members of one.
    pub(crate) keys: u64,
}

/// The rows that measure a probe's latency during an event.
pub(crate) const LATENCY_WORKS: [LatencyWork; 7] = [
    LatencyWork { name: "fill", event: Event::Fill, keys: 20_000_000 },
    LatencyWork { name: "flushall", event: Event::Flushall, keys: 10_000_000 },
    LatencyWork { name: "expire-storm", event: Event::ExpireStorm, keys: 5_000_000 },
    LatencyWork { name: "expire-ramp", event: Event::ExpireRamp, keys: 5_000_000 },
    LatencyWork { name: "scan", event: Event::Scan, keys: 10_000_000 },
    LatencyWork { name: "spop-all", event: Event::SpopAll, keys: 10_000_000 },
    LatencyWork { name: "zset-delete", event: Event::ZsetDelete, keys: 10_000_000 },
];

/// `count` scaled, for quick runs.
pub(crate) fn scaled(count: u64, scale: f64) -> u64 {
    ((count as f64 * scale).round() as u64).max(KEYS_MIN.min(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_takes_in_its_group_and_itself() {
        assert!(Choice::All.includes(Choice::Cpu, "get-set"));
        assert!(Choice::Cpu.includes(Choice::Cpu, "get-10k"));
        assert!(Choice::Get10k.includes(Choice::Cpu, "get-10k"));
        assert!(!Choice::GetSet.includes(Choice::Cpu, "get-set-p16"));
        assert!(!Choice::Latency.includes(Choice::Cpu, "get-set"));
    }

    #[test]
    fn every_work_can_be_chosen_by_its_name() {
        let names = CPU_WORKS.iter().map(|work| work.name).chain(LATENCY_WORKS.iter().map(|work| work.name));
        for name in names {
            assert!(Choice::from_str(name, false).is_ok(), "{name}");
        }
    }

    #[test]
    fn scaling_stops_at_a_thousand_keys() {
        assert_eq!(scaled(1_000_000, 0.01), 10_000);
        assert_eq!(scaled(10_000, 0.01), 1_000);
        assert_eq!(scaled(500, 0.01), 500);
    }
}
