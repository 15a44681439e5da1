//! SSCAN: the members of a set, a few at a time.

use larder_store::Element;
use larder_store::set::SetRef;

use super::read;
use crate::generic::parse_cursor;
use crate::members::{Listing, MemberScan};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[SSCAN];

const SSCAN: Command = Command {
    name: "sscan",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    summary: "Lists members of a set a few at a time, from a cursor on.",
    group: Group::Set,
    since: "2.8.0",
    complexity: "O(1) a call; O(N) from the first cursor to the end, where N is the number of members",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output"],
    run: sscan,
    ..Command::PLAIN
};

fn sscan(cx: &mut Context<'_>) -> CommandResult {
    let (cursor, scan) = (parse_cursor(cx.args.at(2))?, MemberScan::parse(cx.args, None));
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |set| {
        let mut listing = Listing::begin(&mut cx.reply);
        let Some(set) = set else {
            listing.end(&mut cx.reply, 0);
            return Ok(());
        };
        // As in Redis, a missing key answers before options that are wrong.
        let scan = scan?;
        let mut visit = |member: Element<'_>| {
            if scan.wants(member) {
                listing.add(&mut cx.reply, member);
            }
        };
        let mut next = 0;
        match set {
            SetRef::Large(members) => {
                next = members.scan(cursor, scan.count, |member, ()| visit(member.into()));
            }
            SetRef::Packed(_) | SetRef::Intset(_) => set.each(0, usize::MAX, visit),
        }
        listing.end(&mut cx.reply, next);
        Ok::<(), CommandError>(())
    })??;
    Ok(Outcome::Reply)
}
