//! ZSCAN: the members of a sorted set, a few at a time.

use larder_store::Element;
use larder_store::zset::{Direction, SortedSetRef};

use super::{read, score};
use crate::element::reply_element;
use crate::members::MemberScan;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[ZSCAN];

const ZSCAN: Command = Command {
    name: "zscan",
    syntax: "key cursor [MATCH pattern] [COUNT count] [NOSCORES]",
    summary: "Lists members of a sorted set with their scores a few at a time, from a cursor on.",
    group: Group::SortedSet,
    since: "2.8.0",
    complexity: "O(1) a call; O(N) from the first cursor to the end, where N is the number of members",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output"],
    history: &[("8.0.0", "Added the option NOSCORES.")],
    run: zscan,
    ..Command::PLAIN
};

fn zscan(cx: &mut Context<'_>) -> CommandResult {
    let scan = MemberScan::parse(cx.args, Some("noscores"))?;
    let mut db = cx.lock()?;
    let (mut next, mut listed) = (0, 0);
    cx.reply.array(2);
    let (cursor, array) = (cx.reply.deferred_bulk(), cx.reply.deferred_array());
    read(&mut db, cx.key(0), |set| {
        let mut visit = |member: Element<'_>, score: f64| {
            if scan.wants(member) {
                reply_element(&mut cx.reply, member);
                listed += 1;
                if scan.with_values {
                    cx.reply.bulk(score::general(score).as_bytes());
                    listed += 1;
                }
            }
        };
        match set {
            Some(SortedSetRef::Large(set)) => {
                let visit = |member: larder_store::Text<'_>, score| visit(member.into(), score);
                next = set.hashtable().scan(scan.cursor, scan.count, visit);
            }
            Some(set) => set.each(0..usize::MAX, Direction::Ascending, visit),
            None => {}
        }
    })?;
    cx.reply.finish_array(array, listed);
    cx.reply.finish_bulk_integer(cursor, next);
    Ok(Outcome::Reply)
}
