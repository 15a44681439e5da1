//! XCLAIM and XAUTOCLAIM: what is pending for one consumer goes to another.

use larder_resp::Reply;
use larder_store::stream::{ConsumerNumber, Group as ConsumerGroup, Pending, Stream, StreamId};

use super::logged::{Delivered, log_delivered};
use super::pending::idle;
use super::reply::{reply_entry, reply_id, reply_ids};
use super::{CONSUMER_CREATED, change, consumer, id, no_group};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XAUTOCLAIM, XCLAIM];

const XCLAIM: Command = Command {
    name: "xclaim",
    syntax: "key group consumer min-idle-time:string id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
    summary: "Gives pending entries of a group to another consumer, and returns them.",
    complexity: "O(log N) for each id, where N is the number of pending entries",
    arity: Arity::AtLeast(6),
    tips: &["nondeterministic_output"],
    logged: |_| Logged::AsSaid,
    counts_from_now: |_| true,
    run: xclaim,
    ..super::PLAIN
};

const XAUTOCLAIM: Command = Command {
    name: "xautoclaim",
    syntax: "key group consumer min-idle-time:string start:string [COUNT count] [JUSTID]",
    summary: "Gives those entries to another consumer that have been pending for long, and returns them, and where to go on.",
    since: "6.2.0",
    complexity: "O(M*log N) where N is the number of pending entries and M the number of those looked at",
    keys: &[KeySpec::one(Access::REMOVE_PART)],
    history: &[("7.0.0", "Returns also the ids of entries that are deleted, which are no longer pending.")],
    run: xautoclaim,
    ..XCLAIM
};

/// How what is claimed is to be delivered.
#[derive(Clone, Copy)]
struct Terms {
    min_idle: i64,
    /// When it counts as delivered.
    at: UnixMillis,
    now: UnixMillis,
    /// How often it counts as delivered; without, once more.
    deliveries: Option<u64>,
    /// Only ids are returned, and it does not count as delivered once more.
    just_id: bool,
}

impl Terms {
    /// Whether it has been pending for long enough.
    fn allow(&self, pending: Pending) -> bool {
        self.min_idle == 0 || idle(self.now, pending) >= self.min_idle
    }

    fn claim(&self, group: &mut ConsumerGroup, consumer: ConsumerNumber, pending: Pending) {
        let once_more = pending.deliveries + u64::from(!self.just_id);
        let deliveries = self.deliveries.unwrap_or(once_more);
        group.put_pending(Pending { consumer, delivered_at: self.at, deliveries, ..pending });
        group.consumer_mut(consumer).active_at = Some(self.now);
    }

    fn reply(&self, reply: &mut Reply<'_>, stream: &Stream, claimed: &[StreamId]) {
        if self.just_id {
            return reply_ids(reply, claimed);
        }
        reply.array(claimed.len());
        claimed.iter().filter_map(|id| stream.find(*id)).for_each(|entry| reply_entry(reply, entry));
    }
}

/// An integer with an error of its own.
fn number(word: &[u8], error: &'static str) -> Result<i64, CommandError> {
    larder_store::parse_integer(word).ok_or(CommandError::line(error))
}

/// The arguments of XCLAIM behind the consumer.
struct Claim {
    terms: Terms,
    ids: Vec<StreamId>,
    force: bool,
    last_id: StreamId,
}

impl Claim {
    fn parse(args: Args<'_>, now: UnixMillis) -> Result<Claim, CommandError> {
        let min_idle = number(args.at(4), "ERR Invalid min-idle-time argument for XCLAIM")?.max(0);
        let terms = Terms { min_idle, at: now, now, deliveries: None, just_id: false };
        let mut claim = Claim { terms, ids: Vec::new(), force: false, last_id: StreamId::MIN };
        let mut words = args.from(5);
        while let Some(id) = words.peek().and_then(|word| id::try_parse(word, 0)) {
            claim.ids.push(id);
            words.next();
        }
        while let Some(word) = words.next() {
            claim.option(word, &mut words)?;
        }
        // Clients reckon with their own clocks: what makes no sense is taken for now.
        if claim.terms.at.0 < 0 || claim.terms.at > now {
            claim.terms.at = now;
        }
        Ok(claim)
    }

    fn option(&mut self, word: &[u8], words: &mut ArgsFrom<'_>) -> Result<(), CommandError> {
        let value = words.peek();
        match value {
            _ if is_word(word, "force") => self.force = true,
            _ if is_word(word, "justid") => self.terms.just_id = true,
            Some(value) if is_word(word, "idle") => {
                let idle = number(value, "ERR Invalid IDLE option argument for XCLAIM")?;
                self.terms.at = UnixMillis(self.terms.now.0.saturating_sub(idle));
                words.next();
            }
            Some(value) if is_word(word, "time") => {
                self.terms.at = UnixMillis(number(value, "ERR Invalid TIME option argument for XCLAIM")?);
                words.next();
            }
            Some(value) if is_word(word, "retrycount") => {
                let count = number(value, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
                self.terms.deliveries = u64::try_from(count).ok();
                words.next();
            }
            Some(value) if is_word(word, "lastid") => {
                self.last_id = id::parse(value, 0)?;
                words.next();
            }
            _ => {
                let line = format!("ERR Unrecognized XCLAIM option '{}'", String::from_utf8_lossy(word));
                return Err(CommandError::Line(line.into()));
            }
        }
        Ok(())
    }
}

fn xclaim(cx: &mut Context<'_>) -> CommandResult {
    let claim = Claim::parse(cx.args, cx.now());
    change_group(cx, |reply, stream, names| {
        let claim = claim?;
        let (group, entries) = stream.group_beside_entries(names.group).ok_or_else(|| names.missing())?;
        group.last_id = group.last_id.max(claim.last_id);
        let (consumer, created) = consumer(group, names.consumer, claim.terms.now);
        let (mut claimed, mut changed) = (Vec::with_capacity(claim.ids.len()), Vec::new());
        for id in claim.ids {
            if !entries.contains(id) {
                if group.acknowledge(id) {
                    changed.push(id);
                }
                continue;
            }
            let pending = match group.find_pending(id) {
                Some(pending) if claim.terms.allow(pending) => pending,
                None if claim.force => Pending { id, consumer, delivered_at: claim.terms.at, deliveries: 1 },
                _ => continue,
            };
            claim.terms.claim(group, consumer, pending);
            claimed.push(id);
        }
        claim.terms.reply(reply, stream, &claimed);
        changed.append(&mut claimed);
        Ok((created, changed))
    })
}

/// The arguments of XAUTOCLAIM behind the consumer.
struct AutoClaim {
    terms: Terms,
    start: StreamId,
    count: usize,
}

impl AutoClaim {
    fn parse(args: Args<'_>, now: UnixMillis) -> Result<AutoClaim, CommandError> {
        /// So many are looked at for each that is claimed, and ids take 16 bytes: more cannot be counted.
        const COUNT_MAX: usize = i64::MAX as usize / 16;
        let min_idle = number(args.at(4), "ERR Invalid min-idle-time argument for XAUTOCLAIM")?.max(0);
        let terms = Terms { min_idle, at: now, now, deliveries: None, just_id: false };
        let mut claim = AutoClaim { terms, start: id::parse_start(args.at(5))?, count: 100 };
        let mut words = args.from(6);
        while let Some(word) = words.next() {
            if is_word(word, "count") && !words.is_empty() {
                let count =
                    larder_store::parse_integer(words.value()?).and_then(|count| usize::try_from(count).ok());
                claim.count = count
                    .filter(|count| (1..=COUNT_MAX).contains(count))
                    .ok_or(CommandError::line("ERR COUNT must be > 0"))?;
            } else if is_word(word, "justid") {
                claim.terms.just_id = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(claim)
    }
}

fn xautoclaim(cx: &mut Context<'_>) -> CommandResult {
    /// So many are looked at for each that may be claimed.
    const LOOKS: usize = 10;
    let claim = AutoClaim::parse(cx.args, cx.now())?;
    change_group(cx, |reply, stream, names| {
        let (group, entries) = stream.group_beside_entries(names.group).ok_or_else(|| names.missing())?;
        let (consumer, created) = consumer(group, names.consumer, claim.terms.now);
        let (mut claimed, mut deleted) = (Vec::new(), Vec::new());
        let mut next = group.pending_from(claim.start).next();
        for _ in 0..claim.count.saturating_mul(LOOKS) {
            let Some(pending) = next.filter(|_| claimed.len() + deleted.len() < claim.count) else { break };
            if !entries.contains(pending.id) {
                group.acknowledge(pending.id);
                deleted.push(pending.id);
            } else if claim.terms.allow(pending) {
                claim.terms.claim(group, consumer, pending);
                claimed.push(pending.id);
            }
            next = pending.id.next().and_then(|id| group.pending_from(id).next());
        }
        reply.array(3);
        reply_id(reply, next.map_or(StreamId::MIN, |pending| pending.id));
        claim.terms.reply(reply, stream, &claimed);
        reply_ids(reply, &deleted);
        claimed.append(&mut deleted);
        Ok((created, claimed))
    })
}

/// What a request names.
struct Names<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
}

impl Names<'_> {
    fn missing(&self) -> CommandError {
        no_group(self.key, self.group, "")
    }
}

/// Changes a stream that has the group; `claim` writes the reply and says whether a consumer was created, and what it has changed.
fn change_group(
    cx: &mut Context<'_>,
    claim: impl FnOnce(&mut Reply<'_>, &mut Stream, &Names<'_>) -> Result<(bool, Vec<StreamId>), CommandError>,
) -> CommandResult {
    let mut db = cx.lock()?;
    let key = cx.key(0);
    let names = Names { key: key.bytes, group: cx.args.at(2), consumer: cx.args.at(3) };
    let reply = &mut cx.reply;
    let claimed = change(&mut db, key, |stream| {
        if stream.group(names.group).is_none() {
            return (Err(names.missing()), None);
        }
        let created = claim(reply, stream, &names);
        let event =
            created.as_ref().ok().map(|(created, _)| if *created { CONSUMER_CREATED } else { Event::UNTOLD });
        (created, event)
    })?;
    let (_, ids) = claimed.unwrap_or_else(|| Err(names.missing()))?;
    let (group, consumer) = (names.group, names.consumer);
    log_delivered(&mut db, key, &Delivered { group, consumer, ids: &ids, moves_on: ids.is_empty() });
    Ok(Outcome::Reply)
}
