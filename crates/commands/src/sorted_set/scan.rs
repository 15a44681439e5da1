//! ZSCAN: the members of a sorted set, a few at a time.

use larder_store::Element;
use larder_store::zset::{Direction, SortedSetRef};

use super::{read, score};
use crate::generic::parse_cursor;
use crate::members::{Listing, MemberScan};
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
    let (cursor, scan) = (parse_cursor(cx.args.at(2))?, MemberScan::parse(cx.args, Some("noscores")));
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |set| {
        let mut listing = Listing::begin(&mut cx.reply);
        let Some(set) = set else {
            listing.end(&mut cx.reply, 0);
            return Ok(());
        };
        // As in Redis, a missing key answers before options that are wrong.
        let scan = scan?;
        let mut visit = |member: Element<'_>, score: f64| {
            if scan.wants(member) {
                listing.add(&mut cx.reply, member);
                if scan.with_values {
                    listing.add(&mut cx.reply, Element::Bytes(score::general(score).as_bytes()));
                }
            }
        };
        let mut next = 0;
        match set {
            SortedSetRef::Large(set) => {
                let scores = set.hashtable();
                next = scores.scan(cursor, scan.count, |member, score| visit(member.into(), score));
            }
            SortedSetRef::Packed(_) => set.each(0..usize::MAX, Direction::Ascending, visit),
        }
        listing.end(&mut cx.reply, next);
        Ok::<(), CommandError>(())
    })??;
    Ok(Outcome::Reply)
}
