//! HSCAN: the fields of a hash, a few at a time.

use larder_store::Element;
use larder_store::hash::HashRef;

use super::read;
use crate::generic::parse_cursor;
use crate::members::{Listing, MemberScan};
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
    let (cursor, scan) = (parse_cursor(cx.args.at(2))?, MemberScan::parse(cx.args, Some("novalues")));
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |hash| {
        let mut listing = Listing::begin(&mut cx.reply);
        let Some(hash) = hash else {
            listing.end(&mut cx.reply, 0);
            return Ok(());
        };
        // As in Redis, a missing key answers before options that are wrong.
        let scan = scan?;
        let mut visit = |field: Element<'_>, value: Element<'_>| {
            if scan.wants(field) {
                listing.add(&mut cx.reply, field);
                if scan.with_values {
                    listing.add(&mut cx.reply, value);
                }
            }
        };
        let mut next = 0;
        match hash {
            HashRef::Large(hash, now) => {
                next = hash.hashtable().scan(cursor, scan.count, |field, found| {
                    if !found.is_due(now) {
                        visit(field.into(), found.text.into());
                    }
                });
            }
            HashRef::Packed(_) => hash.each(0, usize::MAX, visit),
        }
        listing.end(&mut cx.reply, next);
        Ok::<(), CommandError>(())
    })??;
    Ok(Outcome::Reply)
}
