//! Random requests on Larder and on redis-server, with their replies compared.
//!
//! A run is made of sequences, each from an empty keyspace and of its own seed: `DIFF_SEED` of a failure with
//! `DIFF_COMMANDS=1` runs the failing sequence again. Requests are made from the rows of the command table, so a new command is
//! compared as soon as it has a row. What fails is made short before it is shown, in the form of a script.

mod compare;
mod digest;
mod generate;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use larder_commands::command_table;
use larder_engine::{CommandTable, Group, Row};
use larder_resp::Protocol;
use larder_store::UnixMillis;

use self::compare::Verdict;
use self::digest::{Held, digest};
use self::generate::Generator;
use crate::chance::Chance;
use crate::node::encode_request;
use crate::peer::{InProcess, Peer, PeerError, Version};
use crate::script::{reply_lines, request_line};
use crate::shrink::shrink;
use crate::value::Value;

/// Requests in a sequence.
const SEQUENCE: usize = 250;
/// Sequences tried to make a failing one short.
const SHRINK_TRIES: usize = 2000;
/// Words of a failing sequence are cut down to this, if it then still fails.
const READABLE: usize = 8;
/// Up to where collections are packed: usually, and so that most are not.
const PACKED: [(&str, [&str; 2]); 6] = [
    ("hash-max-listpack-entries", ["512", "3"]),
    ("hash-max-listpack-value", ["64", "64"]),
    ("list-max-listpack-size", ["-2", "4"]),
    ("set-max-intset-entries", ["512", "4"]),
    ("zset-max-listpack-entries", ["128", "3"]),
    ("zset-max-listpack-value", ["64", "64"]),
];
/// The databases that requests get at.
const DATABASES: &[&str] = &["0", "1", "2", "15"];
/// The client whose requests are compared.
const CLIENT: usize = 1;

/// One request of a sequence.
#[derive(Clone, Debug)]
struct Sent {
    words: Vec<Vec<u8>>,
    /// Whether it is sent together with the one before it.
    pipelined: bool,
}

/// What a run amounted to.
#[derive(Debug)]
pub struct Compared {
    /// Requests compared.
    pub requests: usize,
    /// How many of them were answered by an error.
    pub errors: usize,
    /// What differed once and not again, as when a key expires between two clocks.
    pub unsteady: Vec<String>,
    /// Keys compared in digests.
    pub keys: usize,
    /// Replies that differ on purpose, by reason.
    pub meant: BTreeMap<&'static str, usize>,
    /// Commands that requests were made of.
    pub commands: Vec<String>,
}

/// Two answers to the same thing.
#[derive(Debug)]
pub struct Mismatch {
    /// Runs the sequence again.
    pub seed: u64,
    protocol: Protocol,
    sequence: Vec<Sent>,
    what: String,
}

impl Mismatch {
    /// How many requests the failing sequence still has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sequence.len()
    }

    /// Whether no request is needed to see the difference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sequence.is_empty()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "DIFF_SEED={} DIFF_COMMANDS=1, {:?}:", self.seed, self.protocol)?;
        for sent in &self.sequence {
            let mark = if sent.pipelined { "  (pipelined)" } else { "" };
            writeln!(f, "> {}{mark}", request_line(&sent.words))?;
        }
        f.write_str(&self.what)
    }
}

/// Compares at least so many requests with a peer, usually redis-server.
///
/// # Errors
/// The first difference, made short; or the peer does not answer.
pub fn compare(
    oracle: &mut dyn Peer,
    requests: usize,
    seed: u64,
) -> Result<Result<Compared, Mismatch>, PeerError> {
    let table = command_table();
    let version = oracle.version().unwrap_or(Version(u32::MAX, 0, 0));
    let generator = Generator::new(&table, version);
    let commands: Vec<String> = generator.names().collect();
    let mut compared =
        Compared { requests: 0, errors: 0, unsteady: Vec::new(), keys: 0, meant: BTreeMap::new(), commands };
    for seed in (0..).map(|number| seed.wrapping_add(number)) {
        if compared.requests >= requests {
            break;
        }
        let mut chance = Chance::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let protocol = *chance.pick(&[Protocol::Resp2, Protocol::Resp3]);
        let pipelines = chance.percent(50);
        let sequence: Vec<Sent> = (0..SEQUENCE)
            .map(|_| Sent {
                pipelined: pipelines && chance.percent(80),
                words: generator.request(&mut chance),
            })
            .collect();
        let small = chance.percent(60);
        let mut trial = Trial { table: &table, oracle, version, protocol, small, compared: &mut compared };
        let Some(what) = trial.difference(&sequence)? else { continue };
        if trial.difference(&sequence)?.is_none() {
            compared.unsteady.push(what);
            continue;
        }
        let (sequence, what) = trial.shortest(sequence, &what)?;
        return Ok(Err(Mismatch { seed, protocol, sequence, what }));
    }
    Ok(Ok(compared))
}

/// Runs sequences on both sides.
struct Trial<'a> {
    table: &'a CommandTable,
    oracle: &'a mut dyn Peer,
    version: Version,
    protocol: Protocol,
    /// Whether collections are packed only while they are very small.
    small: bool,
    compared: &'a mut Compared,
}

impl Trial<'_> {
    /// A failing sequence made short, and how the two sides differ after it.
    fn shortest(&mut self, sequence: Vec<Sent>, first: &str) -> Result<(Vec<Sent>, String), PeerError> {
        let mut broken = Ok(());
        let mut fails = |shorter: &[Sent]| match self.difference(shorter) {
            Ok(difference) => difference.is_some(),
            Err(error) => {
                broken = Err(error);
                false
            }
        };
        let mut shortest = shrink(&sequence, SHRINK_TRIES, &mut fails);
        // Then its long words, which nobody wants to read.
        for request in 0..shortest.len() {
            for word in 0..shortest[request].words.len() {
                let mut shorter = shortest.clone();
                shorter[request].words[word].truncate(READABLE);
                if shortest[request].words[word].len() > READABLE && fails(&shorter) {
                    shortest = shorter;
                }
            }
        }
        broken?;
        let what = self.difference(&shortest)?;
        Ok((
            shortest,
            what.unwrap_or_else(|| format!("it does not differ every time; the first time:\n{first}")),
        ))
    }

    /// How the two sides differ after these requests, if they do.
    fn difference(&mut self, sequence: &[Sent]) -> Result<Option<String>, PeerError> {
        let mut ours = InProcess::new(self.protocol);
        self.oracle.reset(self.protocol)?;
        for (name, [usual, small]) in PACKED {
            let limit = if self.small { small } else { usual };
            self.oracle.configure(name, limit)?;
            ours.configure(name, limit)?;
        }
        ours.node().clock.advance_to(real_now());
        let mut rest = sequence;
        while !rest.is_empty() {
            let len = 1 + rest[1..].iter().take_while(|sent| sent.pipelined).count();
            let (batch, after) = rest.split_at(len);
            rest = after;
            let bytes: Vec<u8> = batch.iter().flat_map(|sent| encode_request(&sent.words)).collect();
            let theirs = self.oracle.send(CLIENT, &bytes, len)?;
            let replies = ours.send(CLIENT, &bytes, len)?;
            self.compared.requests += len;
            if replies.len() != len {
                return Ok(Some(format!("{} replies to {len} requests", replies.len())));
            }
            for ((sent, theirs), ours) in batch.iter().zip(&theirs).zip(&replies) {
                self.compared.errors += usize::from(matches!(theirs, Value::Error(_)));
                let verdict = self.judge(&sent.words, theirs, ours);
                if let Verdict::Meant(reason) = verdict {
                    *self.compared.meant.entry(reason).or_default() += 1;
                }
                if verdict == Verdict::Different {
                    return Ok(Some(format!(
                        "to {}\nreal server:\n{}larder:\n{}",
                        request_line(&sent.words),
                        shown(theirs),
                        shown(ours)
                    )));
                }
            }
        }
        self.digests_differ(&mut ours)
    }

    fn judge(&self, request: &[Vec<u8>], theirs: &Value, ours: &Value) -> Verdict {
        let row = self.table.find(&request[0]);
        let subcommand =
            row.zip(request.get(1)).and_then(|(row, name)| self.table.find_subcommand(row, name));
        let row = subcommand.or(row);
        let name = row.map(Row::full_name).unwrap_or_default();
        let group = row.map_or(Group::Generic, |row| row.command.group);
        compare::judge(self.version, (&name, group), request, theirs, ours)
    }

    fn digests_differ(&mut self, ours: &mut InProcess) -> Result<Option<String>, PeerError> {
        let names: Vec<String> =
            self.table.rows().iter().map(|row| row.full_name().replace('|', " ")).collect();
        let theirs = digest(self.oracle, DATABASES, &names)?;
        let ours = digest(ours, DATABASES, &names)?;
        self.compared.keys += theirs.len();
        for place in theirs.keys().chain(ours.keys()) {
            let same = match (theirs.get(place), ours.get(place)) {
                (Some(theirs), Some(ours)) => theirs.agrees(ours, self.version),
                _ => false,
            };
            if !same {
                return Ok(Some(format!(
                    "key {} of database {}\nreal server: {}\nlarder: {}",
                    place.1.escape_ascii(),
                    place.0,
                    held(theirs.get(place)),
                    held(ours.get(place))
                )));
            }
        }
        Ok(None)
    }
}

fn held(held: Option<&Held>) -> String {
    held.map_or("nothing".to_owned(), ToString::to_string)
}

fn shown(value: &Value) -> String {
    reply_lines(value).iter().map(|line| format!("< {line}\n")).collect()
}

/// The system's time, which the node's clock is set to, since real servers go by it.
#[must_use]
pub fn real_now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(since.as_millis() as i64)
}
