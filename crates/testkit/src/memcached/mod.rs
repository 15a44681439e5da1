//! Random requests of the memcached protocol on Larder and on a real memcached, with their replies compared.
//!
//! As for RESP in [`differential`](crate::differential): a run is made of sequences of their own seed, and what fails is made
//! short before it is shown. Each request is followed by a `mn`, whose reply ends the one before it whatever that looks like.
//! CAS uniques are the server's own; what is compared is which of them are equal.

mod binary;
mod generate;
mod reply;
mod server;

use std::fmt;

use larder_config::Settings;
use larder_engine::Worker;

pub use self::binary::compare_binary;
use self::generate::{Generator, Request};
use self::reply::{CasPairs, Reply};
pub use self::server::MemcachedServer;
use crate::chance::Chance;
use crate::differential::real_now;
use crate::node::{MemcachedClient, Node};
use crate::peer::PeerError;
use crate::shrink::shrink;

/// Requests in a sequence.
const SEQUENCE: usize = 250;
/// Sequences tried to make a failing one short.
const SHRINK_TRIES: usize = 2000;
/// Asks for a line of its own, by which the end of a reply is known.
const MARK: &[u8] = b"mn\r\n";
/// That line.
const MARK_REPLY: &[u8] = b"MN\r\n";

/// One request of a sequence.
#[derive(Clone, Debug)]
struct Sent {
    request: Request,
    /// Whether it is sent together with the one before it.
    pipelined: bool,
}

/// What a run amounted to.
#[derive(Debug, Default)]
pub struct Compared {
    /// Requests compared.
    pub requests: usize,
    /// How many of them were refused.
    pub errors: usize,
    /// Sequences that were broken off because memcached took a number of 2^63 or more for none: where it looks for a minus sign it
    /// reads on behind the value.
    pub beyond_value: usize,
    /// What differed once and not again, as when an item expires between two clocks.
    pub unsteady: Vec<String>,
}

/// Two answers to the same thing.
#[derive(Debug)]
pub struct Mismatch {
    /// Runs the sequence again.
    pub seed: u64,
    sequence: Vec<Sent>,
    what: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "DIFF_SEED={} DIFF_COMMANDS=1:", self.seed)?;
        for sent in &self.sequence {
            let mark = if sent.pipelined { "  (pipelined)" } else { "" };
            writeln!(f, "{}{mark}", sent.request)?;
        }
        f.write_str(&self.what)
    }
}

/// Compares at least so many requests with a real memcached.
///
/// # Errors
/// The first difference, made short; or the server does not answer.
pub fn compare(
    server: &mut MemcachedServer,
    requests: usize,
    seed: u64,
) -> Result<Result<Compared, Mismatch>, PeerError> {
    let generator = Generator::new(server.version());
    let mut trial = Trial { server, compared: Compared::default() };
    for seed in (0..).map(|number| seed.wrapping_add(number)) {
        if trial.compared.requests >= requests {
            break;
        }
        let mut chance = Chance::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let pipelines = chance.percent(50);
        let sequence: Vec<Sent> = (0..SEQUENCE)
            .map(|_| {
                let request = generator.request(&mut chance);
                // memcached pads a number that became shorter with spaces, unless the old one is still on its way to a client.
                let pipelined = pipelines && chance.percent(80) && !request.is_arithmetic();
                Sent { request, pipelined }
            })
            .collect();
        let Some(what) = trial.difference(&sequence)? else { continue };
        if trial.difference(&sequence)?.is_none() {
            trial.compared.unsteady.push(what);
            continue;
        }
        let mut broken = Ok(());
        let sequence = shrink(&sequence, SHRINK_TRIES, |shorter| match trial.difference(shorter) {
            Ok(difference) => difference.is_some(),
            Err(error) => {
                broken = Err(error);
                false
            }
        });
        broken?;
        let what = trial.difference(&sequence)?.unwrap_or(what);
        return Ok(Err(Mismatch { seed, sequence, what }));
    }
    Ok(Ok(trial.compared))
}

/// Runs sequences on both sides.
struct Trial<'a> {
    server: &'a mut MemcachedServer,
    compared: Compared,
}

impl Trial<'_> {
    /// How the two sides differ in their replies to these requests, if they do.
    fn difference(&mut self, sequence: &[Sent]) -> Result<Option<String>, PeerError> {
        let mut ours = InProcess::new();
        self.server.reset()?;
        let mut pairs = CasPairs::default();
        let mut rest = sequence;
        while !rest.is_empty() {
            let len = 1 + rest[1..].iter().take_while(|sent| sent.pipelined).count();
            let (batch, after) = rest.split_at(len);
            rest = after;
            let bytes = |side| -> Vec<u8> {
                batch
                    .iter()
                    .flat_map(|sent| [sent.request.bytes(&pairs, side), MARK.to_vec()])
                    .flatten()
                    .collect()
            };
            let (to_them, to_us) = (bytes(Side::Theirs), bytes(Side::Ours));
            let theirs = self.server.send(&to_them, len)?;
            let ours = split(&ours.send(&to_us));
            self.compared.requests += len;
            if ours.len() != len {
                return Ok(Some(format!("{} replies to {len} requests", ours.len())));
            }
            for ((sent, theirs), ours) in batch.iter().zip(theirs).zip(ours) {
                let (theirs, ours) = (Reply::parse(&theirs), Reply::parse(&ours));
                self.compared.errors += usize::from(theirs.is_error());
                if sent.request.is_arithmetic() && theirs.is_error() && ours.is_number() {
                    self.compared.beyond_value += 1;
                    return Ok(None);
                }
                if !pairs.agree(&sent.request, &theirs, &ours) {
                    return Ok(Some(format!("to {}\nmemcached:\n{theirs}larder:\n{ours}", sent.request)));
                }
            }
        }
        Ok(None)
    }
}

/// Whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Theirs,
    Ours,
}

/// A node in process and a client of it.
struct InProcess {
    worker: Worker,
    client: MemcachedClient,
}

impl InProcess {
    fn new() -> InProcess {
        let node = Node::new(Settings::default(), 1, 1);
        node.clock.advance_to(real_now());
        InProcess { worker: node.worker(0), client: node.connect_memcached() }
    }

    fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.client.send(&mut self.worker, bytes)
    }
}

/// Replies, each up to its mark. What follows the last mark is no reply.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut replies = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        let is_line = at == start || bytes[..at].ends_with(b"\r\n");
        if is_line && bytes[at..].starts_with(MARK_REPLY) {
            replies.push(bytes[start..at].to_vec());
            at += MARK_REPLY.len();
            start = at;
        } else {
            at += 1;
        }
    }
    replies
}
