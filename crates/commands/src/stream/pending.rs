//! XPENDING: what a group has not acknowledged.

use larder_resp::Reply;
use larder_store::stream::{Group as ConsumerGroup, Pending, StreamId};

use super::reply::reply_id;
use super::{group, id, no_group, read};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[XPENDING];

const XPENDING: Command = Command {
    name: "xpending",
    syntax: "key group [[IDLE min-idle-time] start:string end:string count [consumer]]",
    summary: "Sums up what a group has not acknowledged, or lists it from one id to another.",
    complexity: "O(log N + M) where N is the number of pending entries and M the number of those looked at; without a range O(K) where K is the number of consumers",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output"],
    history: &[("6.2.0", "Added the option IDLE; accepts intervals without their ends.")],
    run: xpending,
    ..super::PLAIN
};

/// Which pending entries are to be listed.
struct Filter<'a> {
    min_idle: i64,
    range: (StreamId, StreamId),
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// `None` asks for the sums.
    fn parse(args: Args<'a>) -> Result<Option<Filter<'a>>, CommandError> {
        if args.len() == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&args.len()) {
            return Err(CommandError::Syntax);
        }
        let (mut at, mut min_idle) = (3, 0);
        if is_word(args.at(3), "idle") {
            min_idle = args.integer(4)?;
            if args.len() < 8 {
                return Err(CommandError::Syntax);
            }
            at = 5;
        }
        Ok(Some(Filter {
            min_idle,
            count: usize::try_from(args.integer(at + 2)?).unwrap_or(0),
            range: (id::parse_start(args.at(at))?, id::parse_end(args.at(at + 1))?),
            consumer: args.find(at + 3),
        }))
    }
}

impl Filter<'_> {
    /// Those that are wanted, of some from the beginning of the range on.
    fn choose(&self, pending: impl Iterator<Item = Pending>, now: UnixMillis) -> Vec<Pending> {
        let is_old = |pending: &Pending| self.min_idle == 0 || idle(now, *pending) >= self.min_idle;
        pending.take_while(|pending| pending.id <= self.range.1).filter(is_old).take(self.count).collect()
    }
}

fn xpending(cx: &mut Context<'_>) -> CommandResult {
    let filter = Filter::parse(cx.args)?;
    let mut db = cx.lock()?;
    let (key, name, now) = (cx.key(0), cx.args.at(2), cx.now());
    read(&mut db, key, |stream| {
        let group = group(stream, name, || no_group(key.bytes, name, ""))?;
        match filter {
            None => sum_up(&mut cx.reply, group),
            Some(filter) => list(&mut cx.reply, group, &filter, now),
        }
        Ok::<(), CommandError>(())
    })??;
    Ok(Outcome::Reply)
}

fn sum_up(reply: &mut Reply<'_>, group: &ConsumerGroup) {
    reply.array(4);
    reply.integer(group.pending_len() as i64);
    let Some((first, last)) = group.pending_ends() else {
        reply.null();
        reply.null();
        return reply.null_array();
    };
    reply_id(reply, first);
    reply_id(reply, last);
    let consumers = group.consumers().filter(|consumer| consumer.pending_len() > 0);
    reply.array(consumers.clone().count());
    for consumer in consumers {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending_len() as i64);
    }
}

fn list(reply: &mut Reply<'_>, group: &ConsumerGroup, filter: &Filter<'_>, now: UnixMillis) {
    let from = filter.range.0;
    let listed = match filter.consumer.map(|name| group.number_of(name)) {
        Some(None) => Vec::new(),
        Some(Some(consumer)) => filter.choose(group.pending_of(consumer, from), now),
        None => filter.choose(group.pending_from(from), now),
    };
    reply.array(listed.len());
    for pending in listed {
        reply.array(4);
        reply_id(reply, pending.id);
        reply.bulk(group.consumer(pending.consumer).name());
        reply.integer(idle(now, pending).max(0));
        reply.integer(pending.deliveries as i64);
    }
}

/// Milliseconds since it was delivered last.
pub(super) fn idle(now: UnixMillis, pending: Pending) -> i64 {
    now.0.saturating_sub(pending.delivered_at.0)
}
