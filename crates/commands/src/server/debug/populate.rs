//! DEBUG POPULATE: keys for a test.

use std::ops::ControlFlow;

use crate::prelude::*;

/// Keys created before others have their turn: some hundred microseconds.
const KEYS_PER_TURN: u64 = 512;

pub(super) fn populate(cx: &mut Context<'_>) -> CommandResult {
    let count = positive(cx.args, 2)?;
    let prefix = cx.args.find(3).unwrap_or(b"key").to_vec();
    let size = if cx.args.len() > 4 { Some(positive(cx.args, 4)?) } else { None };
    if size.is_some_and(|size| size > cx.settings.proto_max_bulk_len) {
        return Err(CommandError::StringTooLong);
    }

    let mut next = 0;
    let mut step = move |cx: &mut Context<'_>| {
        let end = count.min(next + KEYS_PER_TURN);
        (next..end).for_each(|number| create(cx, &prefix, number, size));
        next = end;
        if next < count {
            return ControlFlow::Continue(());
        }
        cx.reply.ok();
        ControlFlow::Break(())
    };
    match step(cx) {
        ControlFlow::Break(()) => Ok(Outcome::Reply),
        ControlFlow::Continue(()) => Ok(Outcome::in_steps(move |cx| Ok(step(cx)))),
    }
}

fn positive(args: Args<'_>, index: usize) -> Result<u64, CommandError> {
    let number = args.integer(index)?;
    u64::try_from(number).map_err(|_| CommandError::line("ERR value is out of range, must be positive"))
}

/// Creates a key unless there is one. Its value is cut, or filled up with zeros, to the size.
fn create(cx: &Context<'_>, prefix: &[u8], number: u64, size: Option<u64>) {
    let name = [prefix, format!(":{number}").as_bytes()].concat();
    let mut value = format!("value:{number}").into_bytes();
    if let Some(size) = size.filter(|size| *size > 0) {
        value.resize(size as usize, 0);
    }
    let key = cx.node.keyspace.key(&name);
    let mut stripe = cx.node.keyspace.lock(key.position.stripe(), cx.moment);
    if !stripe.contains(cx.client.db, key) {
        stripe.put_value(cx.client.db, key, NewValue::of(&value), Event::string("set"));
    }
}
