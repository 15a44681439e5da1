//! Hit ratios of policies of eviction: the same requests replayed against our keyspace, simulated policies and servers, all with room
//! for the same bytes.
//!
//! `hit-ratios --help` lists the options; `benches/README.md` says what each figure means.

mod keyspace;
mod oracle;
mod recency;
mod report;
mod server;
mod trace;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

use crate::keyspace::Keyspaced;
use crate::oracle::{Lru, S3Fifo, WTinyLfu};
use crate::report::Row;
use crate::trace::{KEYS, Request, Shape, bytes, trace};

/// Parts of all keys' bytes that there is room for.
const PARTS: [f64; 4] = [0.01, 0.05, 0.10, 0.25];

/// Replays requests and reports which part of them found their keys.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Options {
    /// Directory for report.md and the plot.
    #[arg(long)]
    out: PathBuf,

    /// Requests of a trace.
    #[arg(long, default_value_t = 1_000_000)]
    requests: usize,

    /// Servers to ask too, by their programs: [redis-server, larder].
    #[arg(long, value_name = "PATH")]
    server: Vec<PathBuf>,
}

/// What answers requests like a cache: a miss brings the key in.
pub(crate) trait Cache {
    /// Whether the key was there.
    fn request(&mut self, request: Request) -> bool;
}

fn main() -> Result<()> {
    let options = Options::parse();
    let all_bytes: u64 = (0..KEYS).map(|key| u64::from(bytes(key))).sum();
    let mut rows = Vec::new();
    for shape in Shape::ALL {
        let requests = trace(shape, options.requests);
        for part in PARTS {
            let room = (all_bytes as f64 * part) as u64;
            let mut row = Row::new(shape.name(), part);
            for (name, cache) in CACHES {
                row.add(name, hit_ratio(&mut *cache(room), &requests));
            }
            for program in &options.server {
                for policy in server::policies(program) {
                    let ratio = server::hit_ratio(program, policy, room, &requests);
                    let name = server::label(program, policy);
                    row.add(&name, ratio.with_context(|| name.clone())?);
                }
            }
            report::say(&row);
            rows.push(row);
        }
    }
    report::write(&rows, options.requests, all_bytes, &options.out)
}

/// Makes a cache with room for so many bytes.
type Make = fn(u64) -> Box<dyn Cache>;

/// The oracles, and ours: one at a time, which count bytes together.
const CACHES: [(&str, Make); 6] = [
    ("LRU", |room| Box::new(Lru::new(room))),
    ("S3-FIFO", |room| Box::new(S3Fifo::new(room))),
    ("W-TinyLFU", |room| Box::new(WTinyLfu::new(room))),
    ("our LRU", |room| Box::new(Keyspaced::lru(room))),
    ("our LFU", |room| Box::new(Keyspaced::lfu(room))),
    ("our S3-FIFO", |room| Box::new(Keyspaced::queued(room))),
];

/// The part of the requests found, once the cache has warmed up.
fn hit_ratio(cache: &mut dyn Cache, requests: &[Request]) -> f64 {
    let mut hits = 0;
    let counted = trace::counted(requests.len());
    for (at, request) in requests.iter().enumerate() {
        let hit = cache.request(*request);
        hits += usize::from(hit && counted.contains(&at));
    }
    hits as f64 / counted.len() as f64
}
