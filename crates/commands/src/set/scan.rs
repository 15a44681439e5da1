//! SSCAN: the members of a set, a few at a time.

use larder_store::Element;
use larder_store::set::SetRef;

use super::read;
use crate::element::reply_element;
use crate::members::MemberScan;
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
    let scan = MemberScan::parse(cx.args, None)?;
    let mut db = cx.lock()?;
    let (mut next, mut listed) = (0, 0);
    cx.reply.array(2);
    let (cursor, array) = (cx.reply.deferred_bulk(), cx.reply.deferred_array());
    read(&mut db, cx.key(0), |set| {
        let mut visit = |member: Element<'_>| {
            if scan.wants(member) {
                reply_element(&mut cx.reply, member);
                listed += 1;
            }
        };
        match set {
            Some(SetRef::Large(members)) => {
                next = members.scan(scan.cursor, scan.count, |member, ()| visit(member.into()));
            }
            Some(set) => set.each(0, usize::MAX, visit),
            None => {}
        }
    })?;
    cx.reply.finish_array(array, listed);
    cx.reply.finish_bulk_integer(cursor, next);
    Ok(Outcome::Reply)
}
