//! HSCAN: the fields of a hash, a few at a time.

use larder_store::Element;
use larder_store::hash::HashRef;

use super::read;
use crate::element::reply_element;
use crate::members::MemberScan;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[HSCAN];

const HSCAN: Command = Command {
    name: "hscan",
    syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    summary: "Lists fields of a hash with their values a few at a time, from a cursor on.",
    group: Group::Hash,
    since: "2.8.0",
    complexity: "O(1) a call; O(N) from the first cursor to the end, where N is the number of fields",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    tips: &["nondeterministic_output"],
    history: &[("8.0.0", "Added the option NOVALUES.")],
    run: hscan,
    ..Command::PLAIN
};

fn hscan(cx: &mut Context<'_>) -> CommandResult {
    let scan = MemberScan::parse(cx.args, Some("novalues"))?;
    let mut db = cx.lock()?;
    let (mut next, mut listed) = (0, 0);
    cx.reply.array(2);
    let (cursor, array) = (cx.reply.deferred_bulk(), cx.reply.deferred_array());
    read(&mut db, cx.key(0), |hash| {
        let mut visit = |field: Element<'_>, value: Element<'_>| {
            if scan.wants(field) {
                reply_element(&mut cx.reply, field);
                listed += 1;
                if scan.with_values {
                    reply_element(&mut cx.reply, value);
                    listed += 1;
                }
            }
        };
        match hash {
            Some(HashRef::Large(fields)) => {
                next = fields
                    .scan(scan.cursor, scan.count, |field, value| visit(field.into(), value.text.into()));
            }
            Some(hash) => hash.each(0, usize::MAX, visit),
            None => {}
        }
    })?;
    cx.reply.finish_array(array, listed);
    cx.reply.finish_bulk_integer(cursor, next);
    Ok(Outcome::Reply)
}
