//! The same for the binary protocol: random requests, one at a time, each with a `noop` behind it whose reply ends those before.

use std::collections::HashMap;
use std::fmt;

use super::{Compared, InProcess, MemcachedServer, SEQUENCE, SHRINK_TRIES, Side};
use crate::chance::Chance;
use crate::peer::PeerError;
use crate::shrink::shrink;

const HEADER_BYTES: usize = 24;
const NOOP: u8 = 0x0a;
/// Opcodes that are compared: all that are about items, and some that are not.
const OPCODES: &[u8] = &[
    0x00, 0x00, 0x01, 0x01, 0x02, 0x03, 0x04, 0x05, 0x05, 0x06, 0x09, 0x0a, 0x0c, 0x0d, 0x0e, 0x0f, 0x11,
    0x12, 0x13, 0x14, 0x15, 0x16, 0x19, 0x1a, 0x1c, 0x1d, 0x1e, 0x23, 0x24,
];
const KEYS: &[&[u8]] = &[b"a", b"b", b"c", b"key:1", b"\x00\xff \r\n"];
const VALUES: &[&[u8]] =
    &[b"", b"1", b"9", b"10", b"100", b"18446744073709551615", b"18446744073709551616", b"-1", b"x", b"text"];
/// Never near: an item must not expire while requests are compared. 2592001 is a moment in 1970.
const TIMES: &[u32] = &[0, 0, 0, 1000, 2_592_000, 2_592_001, 2_000_000_000, u32::MAX];
const NUMBERS: &[u64] = &[0, 1, 5, 90, 1 << 33, u64::MAX];
/// The status of a value that is no number.
const NON_NUMERIC: [u8; 2] = [0, 6];
/// A CAS value that no server comes to give.
const UNKNOWN: u64 = 1 << 60;

/// A request apart from its CAS value.
#[derive(Clone, Debug)]
struct Request {
    opcode: u8,
    extras: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
    cas: Cas,
}

/// Which CAS value a request names.
#[derive(Clone, Copy, Debug)]
enum Cas {
    None,
    /// The one last seen of its key, or else one that nobody has.
    Seen,
    Unknown,
}

/// A reply without its CAS value.
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    head: Vec<u8>,
    body: Vec<u8>,
}

/// The CAS values that belong together: theirs and ours, and the last ones of each key.
#[derive(Default)]
struct Pairs {
    ours_of: HashMap<u64, u64>,
    theirs_of: HashMap<u64, u64>,
    last: HashMap<Vec<u8>, (u64, u64)>,
}

/// Compares at least so many binary requests with a real memcached.
///
/// # Errors
/// The first difference, made short, as a text; or the server does not answer.
pub fn compare_binary(
    server: &mut MemcachedServer,
    requests: usize,
    seed: u64,
) -> Result<Result<Compared, String>, PeerError> {
    let mut compared = Compared::default();
    for seed in (0..).map(|number| seed.wrapping_add(number)) {
        if compared.requests >= requests {
            break;
        }
        let mut chance = Chance::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let sequence: Vec<Request> = (0..SEQUENCE).map(|_| Request::random(&mut chance)).collect();
        let Some(what) = difference(server, &mut compared, &sequence)? else { continue };
        if difference(server, &mut compared, &sequence)?.is_none() {
            compared.unsteady.push(what);
            continue;
        }
        let mut broken = Ok(());
        let shorter =
            shrink(&sequence, SHRINK_TRIES, |shorter| match difference(server, &mut compared, shorter) {
                Ok(difference) => difference.is_some(),
                Err(error) => {
                    broken = Err(error);
                    false
                }
            });
        broken?;
        let what = difference(server, &mut compared, &shorter)?.unwrap_or(what);
        let shown: String = shorter.iter().map(|request| format!("{request}\n")).collect();
        return Ok(Err(format!("DIFF_SEED={seed} DIFF_COMMANDS=1:\n{shown}{what}")));
    }
    Ok(Ok(compared))
}

/// How the two sides differ in their replies to these requests, if they do.
fn difference(
    server: &mut MemcachedServer,
    compared: &mut Compared,
    sequence: &[Request],
) -> Result<Option<String>, PeerError> {
    let mut ours = InProcess::new();
    server.reset()?;
    server.reconnect()?;
    let mut pairs = Pairs::default();
    for request in sequence {
        let noop = packet(NOOP, 0, b"", b"", b"");
        let bytes = |side| [request.bytes(&pairs, side), noop.clone()].concat();
        let (to_them, to_us) = (bytes(Side::Theirs), bytes(Side::Ours));
        let answer = server.send_until(&to_them, |received| replies(received).1 >= answered(request))?;
        let (theirs, ours) = (replies(&answer).0, replies(&ours.send(&to_us)).0);
        compared.requests += 1;
        compared.errors += usize::from(theirs.iter().any(|(reply, _)| reply.head[6..8] != [0, 0]));
        let status = |replies: &[(Reply, u64)]| replies[0].0.head[6..8].to_vec();
        if request.is_arithmetic() && status(&theirs) == NON_NUMERIC && status(&ours) != NON_NUMERIC {
            compared.beyond_value += 1;
            return Ok(None);
        }
        if !pairs.agree(&request.key, &theirs, &ours) {
            return Ok(Some(format!("to {request}\nmemcached:\n{theirs:x?}\nlarder:\n{ours:x?}")));
        }
    }
    Ok(None)
}

/// How many replies to `noop` end what is answered to a request.
fn answered(request: &Request) -> usize {
    1 + usize::from(request.opcode == NOOP)
}

impl Request {
    fn random(chance: &mut Chance) -> Request {
        let opcode = *chance.pick(OPCODES);
        let time = chance.pick(TIMES).to_be_bytes();
        let extras = match opcode {
            0x01..=0x03 | 0x11..=0x13 => [&[0, 0, 0, chance.below(3) as u8][..], &time].concat(),
            0x05 | 0x06 | 0x15 | 0x16 => {
                let (delta, initial) =
                    (chance.pick(NUMBERS).to_be_bytes(), chance.pick(NUMBERS).to_be_bytes());
                [&delta[..], &initial, &time].concat()
            }
            0x1c..=0x1e | 0x23 | 0x24 => time.to_vec(),
            _ => Vec::new(),
        };
        let stores = matches!(opcode, 0x01..=0x03 | 0x11..=0x13 | 0x0e | 0x0f | 0x19 | 0x1a);
        let value = match (stores, chance.below(8)) {
            (false, _) => Vec::new(),
            (true, 0) => {
                let len = *chance.pick(&[44, 255, 4096, 20_000, 1_100_000]);
                chance.bytes(len)
            }
            (true, _) => chance.pick(VALUES).to_vec(),
        };
        let key = if opcode == NOOP { Vec::new() } else { chance.pick(KEYS).to_vec() };
        let cas = match chance.below(10) {
            0 => Cas::Unknown,
            1..=2 => Cas::Seen,
            _ => Cas::None,
        };
        Request { opcode, extras, key, value, cas }
    }

    fn is_arithmetic(&self) -> bool {
        matches!(self.opcode, 0x05 | 0x06 | 0x15 | 0x16)
    }

    fn bytes(&self, pairs: &Pairs, side: Side) -> Vec<u8> {
        let cas = match self.cas {
            Cas::None => 0,
            Cas::Unknown => UNKNOWN,
            Cas::Seen => match (pairs.last.get(&self.key), side) {
                (None, _) => UNKNOWN,
                (Some((theirs, _)), Side::Theirs) => *theirs,
                (Some((_, ours)), Side::Ours) => *ours,
            },
        };
        packet(self.opcode, cas, &self.extras, &self.key, &self.value)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = &self.value[..self.value.len().min(40)];
        write!(f, "{:#04x} {:x?} {} ", self.opcode, self.extras, self.key.escape_ascii())?;
        write!(f, "{} ({} bytes) {:?}", value.escape_ascii(), self.value.len(), self.cas)
    }
}

impl Pairs {
    /// Whether the replies are alike; takes note of the CAS values in them.
    fn agree(&mut self, key: &[u8], theirs: &[(Reply, u64)], ours: &[(Reply, u64)]) -> bool {
        theirs.len() == ours.len()
            && theirs.iter().zip(ours).all(|((their_reply, theirs), (our_reply, ours))| {
                their_reply == our_reply && self.belong_together(key, *theirs, *ours)
            })
    }

    fn belong_together(&mut self, key: &[u8], theirs: u64, ours: u64) -> bool {
        if theirs == 0 || ours == 0 {
            return theirs == ours;
        }
        self.last.insert(key.to_vec(), (theirs, ours));
        *self.ours_of.entry(theirs).or_insert(ours) == ours
            && *self.theirs_of.entry(ours).or_insert(theirs) == theirs
    }
}

/// A request.
fn packet(opcode: u8, cas: u64, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body_len = (extras.len() + key.len() + value.len()) as u32;
    let mut bytes = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    bytes.extend(body_len.to_be_bytes());
    bytes.extend([1, 2, 3, 4]);
    bytes.extend(cas.to_be_bytes());
    [&bytes, extras, key, value].concat()
}

/// The whole replies with their CAS values, and how many of them are to `noop`.
fn replies(mut bytes: &[u8]) -> (Vec<(Reply, u64)>, usize) {
    let (mut replies, mut noops) = (Vec::new(), 0);
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() {
        let [.., b0, b1, b2, b3] = header[..12] else { unreachable!("twelve bytes") };
        let body_len = u32::from_be_bytes([b0, b1, b2, b3]) as usize;
        let Some((body, after)) = rest.split_at_checked(body_len) else { break };
        let [head @ .., c0, c1, c2, c3, c4, c5, c6, c7] = header;
        let cas = u64::from_be_bytes([*c0, *c1, *c2, *c3, *c4, *c5, *c6, *c7]);
        replies.push((Reply { head: head.to_vec(), body: body.to_vec() }, cas));
        noops += usize::from(header[1] == NOOP);
        bytes = after;
    }
    (replies, noops)
}
